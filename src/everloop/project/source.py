"""Source: what happened. Its verbs make readings; nothing here opens a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias, overload

from everloop.project.columns import Kind
from everloop.project.said import Place, caller, said

if TYPE_CHECKING:
    from everloop.project.conditions import RowCondition
    from everloop.project.reading import Reading

Spans: TypeAlias = timedelta | Sequence[timedelta]
Names: TypeAlias = str | Sequence[str]


def as_names(names: Names | None) -> tuple[str, ...]:
    """One name or several, as a tuple."""
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


@dataclass(frozen=True, init=False, repr=False)
class Source:
    """What happened, one row per ``id``; a newer row with the same id replaces the older.

    >>> from everloop import Source, money
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={"amount": money("EUR")})
    >>> orders
    Source('orders', id='order_id', time='ordered_at', columns={'amount': money('EUR')})
    """

    name: str
    id: tuple[str, ...]
    time: tuple[str, ...]  # empty: undated; one column; or a span's two
    version: str | None
    known: str | None
    deleted: str | None
    late: timedelta
    zone: str | None
    of: tuple[Source, ...]
    apart: str | None
    columns: Mapping[str, Kind]
    must: tuple[RowCondition, ...]
    private: tuple[str, ...]
    rows: tuple[RowCondition, ...]  # what where(…) keeps
    place: Place = field(compare=False)

    def __init__(
        self,
        name: str,
        *,
        id: Names,
        columns: Mapping[str, Kind],
        time: Names | None = None,
        version: str | None = None,
        known: str | None = None,
        deleted: str | None = None,
        late: timedelta = timedelta(0),
        zone: str | None = None,
        of: Source | Sequence[Source] = (),
        apart: str | None = None,
        must: RowCondition | Sequence[RowCondition] = (),
        private: Names = (),
    ) -> None:
        values = {
            "name": name, "id": as_names(id), "columns": dict(columns), "time": as_names(time), "version": version, "known": known,
            "deleted": deleted, "late": late, "zone": zone, "of": (of,) if isinstance(of, Source) else tuple(of), "apart": apart,
            "must": tuple(must) if isinstance(must, Sequence) else (must,), "private": as_names(private), "rows": (), "place": caller(),
        }  # fmt: skip
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def __hash__(self) -> int:
        return hash((self.name, self.id, self.rows))

    def __repr__(self) -> str:
        words = [repr(self.name)]
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("name", "rows", "place") or not value:
                continue
            if f.name == "of":
                value = tuple(value)
                words.append("of=" + (value[0].name if len(value) == 1 else "[" + ", ".join(s.name for s in value) + "]"))
            elif f.name in ("id", "time", "private", "must") and len(value) == 1:
                words.append(f"{f.name}={said(value[0])}")
            else:
                words.append(f"{f.name}={said(value)}")
        return f"Source({', '.join(words)})"

    # -- verbs: each gives one Reading, or a tuple of them where spans or columns are several --

    @overload
    def total(self, column: str, *, last: timedelta, ago: timedelta | None = ..., per: Names | None = ...) -> Reading: ...
    @overload
    def total(self, column: str, *, next: timedelta, each: timedelta | None = ..., per: Names | None = ...) -> Reading: ...
    @overload
    def total(self, column: str, *, last: Sequence[timedelta], ago: timedelta | None = ..., per: Names | None = ...) -> tuple[Reading, ...]: ...
    def total(self, column, *, last=None, next=None, ago=None, each=None, per=None):  # type: ignore[no-untyped-def]
        """The sum of a column over a window."""
        return self._read("total", (column,), last=last, next=next, ago=ago, each=each, per=per)

    def _read(self, verb, columns, **words):  # type: ignore[no-untyped-def]
        from everloop.project.reading import readings

        return readings(self, verb, columns, **words)

    def where(self, *conditions: RowCondition) -> Source:
        """The same source, only rows whose version in force meets every condition."""
        made = replace_rows(self, self.rows + conditions)
        return made


def replace_rows(source: Source, rows: tuple[RowCondition, ...]) -> Source:
    """The same source keeping only these rows."""
    made = object.__new__(Source)
    for f in fields(source):
        object.__setattr__(made, f.name, getattr(source, f.name))
    object.__setattr__(made, "rows", rows)
    return made
