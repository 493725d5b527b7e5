"""Ordered: the versions of a source, key by key, in the order in which they happened, so that a window is a range between two places.

In: what a source told, the keys it is read by, points. Out: rows in order, and for a window and every point the range of rows that count.

Rows are of three sorts. *Steady* ones nothing ever takes the place of, and within a key they became known in the order in which they
happened: what a window takes of them is one range. *Single* ones were in force one at a time within a key: at most one counts. The rest
(late and corrected rows among others) is few, and is compared with each moment by the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.features import window as rule
from everloop.features.definition import Window
from everloop.features.moments import FOREVER, Micros
from everloop.features.reader import Reader
from everloop.features.versions import kept
from everloop.features.window import floors, met
from everloop.project.source import Source


@dataclass(frozen=True)
class Asked:
    """Points as arrays: the moment of each, the moment of knowledge, and the number of its key; -1: a key that no row has."""

    moment: Micros
    known: Micros
    key: Micros
    found: dict[bool, tuple[Micros, Micros, Micros]] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Rows:
    """Some versions, key by key; those of key ``k`` stand from ``starts[k]`` to ``starts[k + 1]``, and each at ``place`` among all."""

    place: Micros
    key: Micros
    starts: Micros
    event_at: Micros
    known_at: Micros
    next_known: Micros
    single: bool

    def range_of(self, window: Window, asked: Asked) -> tuple[Micros, Micros]:
        """For each point the first row that counts and the one after the last, by the visibility rule."""
        begin, end, last = self._known_to(asked)
        start = None if window.start is None else floors(asked.moment + window.start, window.hop)
        stop = None if window.stop is None else floors(asked.moment + window.stop, window.hop)
        if self.single:
            return self._the_one(begin, last, asked, start, stop)
        first = begin
        if start is not None:
            first = turning(rule.FROM, False, begin, end, {"event_at": self.event_at}, start=start)
        if stop is not None:
            last = np.minimum(last, turning(rule.UNTIL, True, begin, end, {"event_at": self.event_at}, stop=stop))
        return np.minimum(first, last), last

    def _known_to(self, asked: Asked) -> tuple[Micros, Micros, Micros]:
        if self.single not in asked.found:
            there = asked.key >= 0
            begin = np.where(there, self.starts[asked.key], 0)
            end = np.where(there, self.starts[asked.key + 1], 0)
            asked.found[self.single] = (begin, end, turning(rule.KNOWN, True, begin, end, {"known_at": self.known_at}, at=asked.known))
        return asked.found[self.single]

    def _the_one(self, begin: Micros, last: Micros, asked: Asked, start: Micros | None, stop: Micros | None) -> tuple[Micros, Micros]:
        if not len(self.place):
            return begin, begin
        at = np.maximum(last - 1, 0)
        counts = (last > begin) & met(rule.IN_FORCE, at=asked.known, next_known=self.next_known[at])
        if start is not None:
            counts &= met(rule.FROM, event_at=self.event_at[at], start=start)
        if stop is not None:
            counts &= met(rule.UNTIL, event_at=self.event_at[at], stop=stop)
        return at, at + counts


@dataclass(frozen=True)
class Ordered:
    """All versions in order (``told``, with ``nr``), the two sorts of rows read in place, and the places of the rest."""

    told: pa.Table
    steady: Rows
    single: Rows
    rest: Micros
    keys: tuple[pa.Array, ...]
    together: Micros | None

    def numbers(self, keys: list[pa.Array], rows: int) -> Micros:
        """The number of each of so many keys, said as text in as many columns as there are; -1 where no row has it."""
        made, there = np.zeros(rows, dtype=np.int64), np.ones(rows, dtype=np.bool_)
        for said, known in zip(keys, self.keys, strict=True):
            found = pc.index_in(said, value_set=known)
            there &= np.asarray(found.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
            made = made * max(len(known), 1) + found.fill_null(0).to_numpy(zero_copy_only=False)
        if self.together is not None and len(self.together):
            at = np.minimum(np.searchsorted(self.together, made), len(self.together) - 1)
            there &= self.together[at] == made
            made = at
        return np.where(there & (len(self.told) > 0), made, -1)


def turning(half: str, until: bool, begin: Micros, end: Micros, column: Mapping[str, Micros], **instant: Micros) -> Micros:
    """Where, between two places, rows in order cease to meet a half of the rule (``until``), or begin to.

    >>> at = {"known_at": np.array([1, 2, 3])}
    >>> turning(rule.KNOWN, True, np.array([0]), np.array([3]), at, at=np.array([3]))
    array([2])
    """
    ((name, values),) = column.items()
    low, high = begin.copy(), end.copy()
    while bool((going := low < high).any()):
        middle = (low + high) >> 1
        before = met(half, **{name: values[np.where(going, middle, 0)]}, **instant) == until
        low = np.where(going & before, middle + 1, low)
        high = np.where(going & ~before, middle, high)
    return low


def in_order(
    reader: Reader, source: Source, keys: tuple[str, ...], columns: Iterable[str], *, rest: Micros | None = None, lasting: bool = False
) -> Ordered:
    """The versions of a source with these columns, key by key; ``rest``: numbers (``nr``) of rows that are never read in place.

    ``lasting``: rows last from one instant to another; none is read in place.
    """
    wanted = tuple(dict.fromkeys((*keys, *columns)))
    cached = ("ordered", source.name, tuple(map(repr, source.rows)), keys, lasting)
    if rest is None:
        for (name, have), made in reader.ordered.items():
            if name == cached and set(wanted) <= have:
                return made  # type: ignore[return-value]
    told = reader.rows(kept(reader, source, wanted, with_id=False, lasting=lasting)).combine_chunks()
    number, known, together, filled = _numbered(reader, [told[key].combine_chunks() for key in keys], told.num_rows)
    if not bool(filled.all()):
        told, number = told.filter(pa.array(filled)), number[filled]
    order = _order(reader.tables[source.name]["id"], told, number)
    if order is not None:
        told, number = told.take(pa.array(order)), number[order]
    steady, single, others = _sorted_out(told, number, told["nr"].to_numpy() if lasting else rest)
    count = max((len(k) for k in known), default=1) if together is None else len(together)
    made = Ordered(told, _rows(told, number, steady, count, False), _rows(told, number, single, count, True), others, known, together)
    if rest is None:
        reader.ordered[cached, frozenset(wanted)] = made
    return made


def _numbered(reader: Reader, keys: list[pa.Array], rows: int) -> tuple[Micros, tuple[pa.Array, ...], Micros | None, NDArray[np.bool_]]:
    """A number for each row's key, the texts numbers stand for, and which rows have a key at all."""
    number, known, filled = np.zeros(rows, dtype=np.int64), [], np.ones(rows, dtype=np.bool_)
    for key in keys:
        coded = key.dictionary_encode()
        filled &= np.asarray(coded.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
        texts = coded.dictionary
        if not pa.types.is_string(texts.type):
            texts = reader.rows(f"SELECT CAST(k AS VARCHAR) AS k FROM {reader.give(pa.table({'k': texts}))}")["k"].combine_chunks()
        known.append(texts)
        number = number * max(len(texts), 1) + coded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    if len(keys) < 2:
        return number, tuple(known), None, filled
    together, number = np.unique(number, return_inverse=True)
    return number, tuple(known), together, filled


def _order(ids: pa.ChunkedArray, told: pa.Table, number: Micros) -> Micros | None:
    """The order by key, then event time, id and known time; None where rows stand in it already."""
    event_at = told["event_at"].to_numpy()
    small = number.astype(np.uint16) if len(number) and int(number.max()) < 2**16 else number
    if bool((event_at[1:] >= event_at[:-1]).all()):
        order = np.argsort(small, kind="stable")
    else:
        order = np.lexsort((event_at, small))
    tied = (number[order][1:] == number[order][:-1]) & (event_at[order][1:] == event_at[order][:-1])
    if bool(tied.any()):
        among = np.flatnonzero(np.concatenate([[False], tied]) | np.concatenate([tied, [False]]))
        some = order[among]
        by = {"number": number[some], "event_at": event_at[some], "id": ids.take(told["nr"].take(pa.array(some)))}
        by["known_at"] = told["known_at"].take(pa.array(some))
        order[among] = some[pc.sort_indices(pa.table(by), sort_keys=[(name, "ascending") for name in by]).to_numpy()]
    return None if bool((order[1:] > order[:-1]).all()) else order


def _sorted_out(told: pa.Table, number: Micros, never: NDArray[np.int64] | None) -> tuple[Micros, Micros, Micros]:
    """The places of rows that are steady, of those that are single, and of the rest."""
    known_at, next_known = told["known_at"].to_numpy(), told["next_known"].to_numpy()
    free = np.ones(len(number), dtype=np.bool_) if never is None else ~np.isin(told["nr"].to_numpy(), never)
    steady = np.flatnonzero((next_known == FOREVER) & free)
    k, known = number[steady], known_at[steady]
    if not bool(((known[1:] >= known[:-1]) | (k[1:] != k[:-1])).all()):
        # A row is late if one that happened after it was known before it; ranks, so that keys and instants fit into one number.
        rank = k * len(known) + np.unique(known, return_inverse=True)[1]
        steady = steady[rank <= np.minimum.accumulate(rank[::-1])[::-1]]
    left = free.copy()
    left[steady] = False
    others = np.flatnonzero(left)
    others = others[np.lexsort((known_at[others], number[others]))]
    k = number[others]
    meets = (next_known[others][:-1] > known_at[others][1:]) & (k[1:] == k[:-1])
    alone = ~(np.concatenate([meets, [False]]) | np.concatenate([[False], meets]))[: len(others)]
    rest = np.ones(len(number), dtype=np.bool_)
    rest[steady] = rest[others[alone]] = False
    return steady, others[alone], np.flatnonzero(rest)


def _rows(told: pa.Table, number: Micros, place: Micros, count: int, single: bool) -> Rows:
    key = number[place]
    event_at, known_at, next_known = (told[name].to_numpy()[place] for name in ("event_at", "known_at", "next_known"))
    return Rows(place, key, np.searchsorted(key, np.arange(count + 1)), event_at, known_at, next_known, single)
