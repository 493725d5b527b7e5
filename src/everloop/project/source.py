"""Source: what happened. Its verbs (verbs.py) make readings. Values only; nothing here opens a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Never

from everloop.errors import Mistake, ProjectError
from everloop.project import refuse
from everloop.project.columns import Kind, is_kind, is_numeric, money
from everloop.project.conditions import RowCondition, always, at_least, at_most, fresh, meets, one_of, usual_volume
from everloop.project.reading import is_reading
from everloop.project.said import Place, caller, said
from everloop.project.spans import every
from everloop.project.verbs import Names, Verbs, as_names

# Columns of every event table, beside those a source declares.
RESERVED = ("seq", "id", "version", "event_at", "known_at", "deleted")


@dataclass(frozen=True, init=False, repr=False)
class Source(Verbs):
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
    arrives: every | None
    overdue: timedelta | None
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
        arrives: every | None = None,
        overdue: timedelta | None = None,
        **unknown: Never,
    ) -> None:
        for keyword, names in (("id", id), ("time", time), ("private", private)):
            if names is not None and not (isinstance(names, Sequence) and all(isinstance(n, str) for n in names)):
                refuse.refuse(f"{name}: {keyword}={said(names)} names no column.", place=caller(), keyword=keyword)
        if not isinstance(columns, Mapping):
            refuse.refuse(f"{name}: columns={said(columns)} does not say their kinds.", 'Say columns={"quantity": int}.', place=caller())
        values = {
            "name": name, "id": as_names(id), "columns": dict(columns), "time": as_names(time), "version": version, "known": known,
            "deleted": deleted, "late": late, "zone": zone, "of": tuple(of) if isinstance(of, tuple | list) else (of,), "apart": apart,
            "must": tuple(must) if isinstance(must, tuple | list) else (must,), "private": as_names(private), "arrives": arrives,
            "overdue": overdue, "rows": (), "place": caller(),
        }  # fmt: skip
        for key, value in values.items():
            object.__setattr__(self, key, value)
        words = [f.name for f in fields(self) if f.name not in ("name", "rows", "place")]
        wrong = [refuse.no_such_keyword("Source", word, words, self.place) for word in unknown] or _mistakes(self)
        if wrong:
            raise ProjectError(wrong)

    def __hash__(self) -> int:
        return hash((self.name, self.id, self.rows))

    def __repr__(self) -> str:
        if self.rows:
            return self.called
        words = [repr(self.name)]
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("name", "rows", "place") or (not value and f.name != "columns"):
                continue
            if f.name == "of":
                words.append("of=" + (value[0].name if len(value) == 1 else "[" + ", ".join(s.name for s in value) + "]"))
            elif f.name in ("id", "time", "private", "must") and len(value) == 1:
                words.append(f"{f.name}={said(value[0])}")
            else:
                words.append(f"{f.name}={said(value)}")
        return f"Source({', '.join(words)})"

    @property
    def called(self) -> str:
        """How a reading calls it: by its name, and by which rows it keeps."""
        return self.name + (f".where({', '.join(map(repr, self.rows))})" if self.rows else "")

    @property
    def base(self) -> Source:
        """The same source with all its rows."""
        return replace_rows(self, ()) if self.rows else self

    @property
    def patience(self) -> timedelta:
        """How long what is due may take; unless said, an hour, or a quarter of the time to the next where that is shorter."""
        if self.overdue is not None or self.arrives is None:
            return self.overdue or timedelta(0)
        return min(timedelta(hours=1), self.arrives.span / 4)

    @property
    def every_column(self) -> dict[str, Kind]:
        """All that can be read: its id, its time, its own columns, and those it inherits, each after the column its parent is found by."""
        found: dict[str, Kind] = {name: self.columns.get(name, str) for name in self.id}
        found |= {name: self.columns.get(name, datetime) for name in self.time}
        if self.apart is not None:
            found.setdefault(self.apart, self.columns.get(self.apart, str))
        inherited = {parent.id[-1]: parent for parent in self.of}
        for name, kind in list(self.columns.items()):
            found.setdefault(name, kind)
            if name in inherited:
                found |= {c: k for c, k in self._inherits(inherited[name]).items() if c not in found}
        for parent in self.of:
            found |= {c: k for c, k in self._inherits(parent).items() if c not in found}
        return found

    def _inherits(self, parent: Source) -> dict[str, Kind]:
        return {c: k for c, k in parent.every_column.items() if c not in parent.time and c not in self.columns and c not in self.id}

    def parent_of(self, column: str) -> Source | None:
        """The parent a column is inherited from; none if it is the source's own."""
        if column in self.columns or column in self.id or column in self.time or column == self.apart:
            return None
        return next((p for p in self.of if column in p.every_column and column not in p.time), None)

    def where(self, *conditions: RowCondition) -> Source:
        """The same source, only rows whose version in force meets every condition.

        >>> orders = Source("orders", id="order_id", time="at", columns={"test": bool})
        >>> orders.where(one_of("test", False))
        orders.where(one_of('test', False))
        """
        wrong = [m for c in conditions for m in _row_mistakes(self, c, "where", caller())]
        if wrong:
            raise ProjectError(wrong)
        return replace_rows(self, self.rows + conditions)


def replace_rows(source: Source, rows: tuple[RowCondition, ...]) -> Source:
    """The same source keeping only these rows."""
    made = object.__new__(Source)
    for f in fields(source):
        object.__setattr__(made, f.name, getattr(source, f.name))
    object.__setattr__(made, "rows", rows)
    return made


def _mistakes(source: Source) -> list[Mistake]:
    wrong: list[Mistake] = []

    def tell(what: str, cure: str = "", keyword: str | None = None) -> None:
        wrong.append(refuse.mistake(what, cure, place=source.place, keyword=keyword, words=("Source",)))

    name = source.name
    if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
        return [refuse.mistake(f"Source({name!r}) is no name.", "Say it in small letters, digits and underscores.", place=source.place)]
    if not source.id:
        tell(f"{name} has no id.", "Say which column makes a row the same row.", "id")
    if len(source.time) > 2:
        tell(f"{name}: time= is one column, or the two of a span.", "Say time=[from, to].", "time")
    for column, kind in source.columns.items():
        if not is_kind(kind):
            cure = 'A kind is int, float, bool, str, datetime, date, text, money("EUR") or unit("kg").'
            tell(f"{name}: {said(kind)} is no kind, so column {column!r} has none.", cure, "columns")
        elif isinstance(kind, money) and kind.column is not None and kind.column not in source.columns:
            tell(
                f"{name} has no column {kind.column!r} to name the currency of {column!r}.",
                f'Add "{kind.column}": str to columns.',
                "columns",
            )
    for column in dict.fromkeys((*source.id, *source.time, *source.columns)):
        if column in RESERVED:
            tell(
                f"{name} cannot have a column {column!r}: Everloop keeps one of its own under that name.",
                f"Send and declare it under another name, such as {name}_{column}: in the file's header, by SELECT {column} AS "
                f'{name}_{column}, or in pandas by df.rename(columns={{"{column}": "{name}_{column}"}}).',
                "columns",
            )
    for parent in source.of:
        wrong += _parent_mistakes(source, parent)
    for column in source.private:
        if column not in (*source.id, *source.columns):
            tell(f"{name} has no column {column!r} to keep private.{refuse.did_you_mean(column, source.columns)}", keyword="private")
    if source.zone is not None:
        refuse.zone(source.zone, place=source.place)
    refuse.span(source.late, place=source.place, keyword="late", zero=True)
    for what, cure, keyword in _arrival_mistakes(source):
        tell(what, cure, keyword)
    if not wrong:
        wrong += [m for c in source.must for m in _row_mistakes(source, c, "must", source.place)]
    return wrong


def _arrival_mistakes(source: Source) -> list[tuple[str, str, str]]:
    """What is wrong with when its rows arrive: what, the cure, and which keyword."""
    name, clock, overdue = source.name, source.arrives, source.overdue
    say = 'arrives=every(days(1), at="06:00", zone="Europe/Berlin").'
    if clock is None:
        what = f"{name}: overdue= says how long what is due may take, but not when it is due."
        return [(what, f"Add {say}", "overdue")] if overdue is not None else []
    if not isinstance(clock, every):
        return [(f"{name}: arrives={said(clock)} says no clock.", f"Say {say}", "arrives")]
    if overdue is None:
        return []
    refuse.span(overdue, place=source.place, keyword="overdue", zero=True)
    if overdue >= clock.span:
        what = f"{name}: what is due is overdue {said(overdue)} later, when the next is due already."
        return [(what, f"Say less than {said(clock.span)}.", "overdue")]
    return []


def _parent_mistakes(source: Source, parent: object) -> list[Mistake]:
    if not isinstance(parent, Source):
        return [refuse.mistake(f"{source.name}: of={said(parent)} is no source.", place=source.place, keyword="of")]
    missing = [c for c in parent.id if c not in source.columns and c not in source.id and c != source.apart]
    if not missing:
        return []
    what = f"{source.name} says it is of {parent.name}, but has no column {missing[0]!r} to find its {parent.name} by."
    return [refuse.mistake(what, f'Add "{missing[0]}": str to columns.', place=source.place)]


def _row_mistakes(source: Source, condition: object, where: str, place: Place) -> list[Mistake]:
    of_rows = isinstance(condition, always | at_least | at_most | one_of)
    if not of_rows and (where == "where" or not isinstance(condition, fresh | meets | usual_volume)):
        from everloop.project.belongs import misplaced

        return [misplaced(source.name, condition, where, place)]
    if isinstance(condition, usual_volume) and not source.time:
        what = f"{source.name} has no time, so nothing says how many of its rows happened on one day."
        return [condition.mistake(what, "Say time= at the source, or leave usual_volume() out.")]
    if not isinstance(condition, always | at_least | at_most | one_of):
        return []
    column = condition.column if isinstance(condition, always) else condition.what
    if is_reading(column):
        what = f"{source.name}: {type(condition).__name__}(…) in {where} reads the row itself, not a reading."
        return [condition.mistake(what, "Say the name of one of its columns; readings stand in among.")]
    if column not in source.every_column:
        return [no_such_column(source, str(column), condition.place)]
    if isinstance(condition, at_least | at_most) and not is_numeric(source.every_column[str(column)]):
        return [condition.mistake(f"{source.name}: {column} is no number, so it cannot be compared with {condition.value:g}.")]
    return []


def no_such_column(source: Source, column: object, place: Place) -> Mistake:
    """A column a source does not have."""
    known = list(source.every_column)
    what = f"{source.name} has no column {column!r}.{refuse.did_you_mean(column, known)}"
    return refuse.mistake(what, f"Its columns are {refuse.listed(known)}.", place=place)
