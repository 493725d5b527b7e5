"""What every unit bought, as it was known at any instant: all versions of all order lines, column by column. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.stats.shapes import Floats

Instants = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Ledger:
    """Every version of every line, by line and then by version. Instants are µs UTC, ``net`` is in minor units."""

    line: Instants
    owner: Instants  # the place of its unit among those met, -1 for none
    who: Instants  # a number for each unit, met or not
    event_at: Instants
    known_at: Instants
    net: Floats  # 0 where the version takes the line out
    through: Flags

    @classmethod
    def of(cls, lines: pa.Table, units: NDArray[np.object_]) -> Ledger:
        """From an event table (``account`` says its columns) and the units (n,) whose money is asked for."""
        lines = lines.sort_by([("id", "ascending"), ("version", "ascending"), ("seq", "ascending")])
        place = {unit: at for at, unit in enumerate(units.tolist())}
        columns = [_named(lines, name) for name in ("unit", "customer_id")]
        both = np.stack([_places(names, place)[number] for names, number in columns])  # the last of them is nobody
        # Who was met both as a browser and as a customer is whom they were met as first.
        said = np.where((both >= 0).all(axis=0), both.min(axis=0), both.max(axis=0))
        line = pc.dictionary_encode(lines.column("id")).combine_chunks().indices.to_numpy().astype(np.int64) if len(lines) else said
        # A version that takes a line out need not say whose it was.
        owner, who = _of_line(line, said), _of_line(line, _whom(columns))
        deleted = lines.column("deleted").to_numpy().astype(bool)
        net = np.where(deleted, 0.0, pc.fill_null(lines.column("net"), 0).to_numpy().astype(np.float64))
        event_at, known_at = (pc.fill_null(lines.column(name), 0).to_numpy().astype(np.int64) for name in ("event_at", "known_at"))
        through = np.asarray(pc.is_valid(lines.column("arm")).to_numpy(zero_copy_only=False), dtype=bool)
        return cls(line, owner, who, event_at, known_at, net, through)

    def of_units(self, first: Instants, last: Instants, *, known: Instants, through: bool = False) -> Floats:
        """What each unit met bought from ``first`` on and before ``last``, as it was known at ``known`` ((n,) each); never below 0."""
        mine = np.flatnonzero(self.owner >= 0)
        rows = self._newest(mine[self.known_at[mine] <= known[self.owner[mine]]])
        whose, at = self.owner[rows], self.event_at[rows]
        rows = rows[(at >= first[whose]) & (at < last[whose])]
        if through:
            rows = rows[self.through[rows]]
        return np.maximum(np.bincount(self.owner[rows], self.net[rows], minlength=len(first)), 0.0).astype(np.float64)

    def spent_before(self, since: int, within: int) -> Floats:
        """What each buyer spent in each span that ended by ``since``, as known then; those who spent nothing are left out."""
        rows = self._newest(np.flatnonzero((self.known_at <= since) & (self.who >= 0)))
        rows = rows[self.event_at[rows] < since]
        ago = (since - 1 - self.event_at[rows]) // within
        _, place = np.unique(np.column_stack([self.who[rows], ago]), axis=0, return_inverse=True)
        spent = np.bincount(place.ravel(), self.net[rows]) if len(rows) else np.zeros(0)
        return np.asarray(spent[spent > 0], dtype=np.float64)

    def heard_of(self, at: Instants, *, known: Instants) -> Flags:
        """Which units met had bought before an instant ((n,)), as was known at another."""
        found = np.zeros(len(at), dtype=bool)
        mine = np.flatnonzero(self.owner >= 0)
        owner = self.owner[mine]
        found[owner[(self.event_at[mine] < at[owner]) & (self.known_at[mine] <= known[owner])]] = True
        return found

    def elsewhere(self, since: int, until: int) -> int:
        """What was bought since by units that were never met."""
        rows = self._newest(np.flatnonzero((self.owner < 0) & (self.known_at <= until)))
        return int(self.net[rows[self.event_at[rows] >= since]].sum())

    def _newest(self, rows: Instants) -> Instants:
        """Of these rows, in order, the last of each line."""
        if not len(rows):
            return rows
        last = np.append(self.line[rows][1:] != self.line[rows][:-1], True)
        return np.asarray(rows[last], dtype=np.int64)


def _named(lines: pa.Table, column: str) -> tuple[list[str], Instants]:
    """The names in a column, and for each row the place of its own; -1 for none."""
    if column not in lines.column_names or not len(lines):
        return [], np.full(len(lines), -1, dtype=np.int64)
    found = pc.dictionary_encode(lines.column(column)).combine_chunks()
    return found.dictionary.to_pylist(), pc.fill_null(found.indices, -1).to_numpy().astype(np.int64)


def _places(names: list[str], place: dict[str, int]) -> Instants:
    return np.array([*(place.get(name, -1) for name in names), -1], dtype=np.int64)


def _whom(columns: list[tuple[list[str], Instants]]) -> Instants:
    """A number for each buyer: the customer, else the browser."""
    (browsers, token), (_, customer) = columns
    return np.where(customer >= 0, customer + len(browsers), token)


def _of_line(line: Instants, said: Instants) -> Instants:
    """What any version of a line says, for all of them."""
    found = np.full(int(line.max()) + 1 if len(line) else 0, -1, dtype=np.int64)
    np.maximum.at(found, line, said)
    return np.asarray(found[line], dtype=np.int64)
