"""Readings: what a source says in a window around a moment. Backwards they inform, forwards they judge. Values only, no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from everloop.project import refuse
from everloop.project.columns import Kind as ColumnKind
from everloop.project.columns import is_numeric, text
from everloop.project.said import Place, Word, caller, said
from everloop.records import identity

if TYPE_CHECKING:
    from everloop.project.source import Source

Verb: TypeAlias = Literal[
    "total", "mean", "lowest", "highest", "count", "distinct", "any", "none", "latest", "which", "given", "outcome", "planned"
]
Operator: TypeAlias = Literal["+", "-", "*", "/"]
ReadAs: TypeAlias = Literal["number", "yes or no", "category", "text", "instant", "list"]

OPERATIONS = {"+": "plus", "-": "minus", "*": "times", "/": "over"}
PARTS = ("hour", "weekday", "day", "week", "month", "holiday")


class Combines:
    """Whatever can be added, subtracted, multiplied and divided, also with plain numbers; it is not yes or no until it is read."""

    def __add__(self, other: AnyReading | float) -> Arithmetic:
        return _combined("+", self, other)

    def __radd__(self, other: float) -> Arithmetic:
        return _combined("+", other, self)

    def __sub__(self, other: AnyReading | float) -> Arithmetic:
        return _combined("-", self, other)

    def __rsub__(self, other: float) -> Arithmetic:
        return _combined("-", other, self)

    def __mul__(self, other: AnyReading | float) -> Arithmetic:
        return _combined("*", self, other)

    def __rmul__(self, other: float) -> Arithmetic:
        return _combined("*", other, self)

    def __truediv__(self, other: AnyReading | float) -> Arithmetic:
        return _combined("/", self, other)

    def __rtruediv__(self, other: float) -> Arithmetic:
        return _combined("/", other, self)

    def __bool__(self) -> bool:
        refuse.refuse(
            "a reading is not yes or no until it is read.",
            "Put conditions in a list, such as among=[a, b]; do not join them with and/or.",
            place=caller(),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Reading(Combines):
    """One number, category or list per question, read from one source; made by the verbs of a Source.

    >>> from everloop import Source, days
    >>> orders = Source("orders", id="line_id", time="ordered_at", columns={"quantity": int})
    >>> week = orders.total("quantity", last=days(7))
    >>> week, week.name
    (orders.total('quantity', last=days(7)), 'orders_quantity_total_last_7d')
    """

    source: Source
    verb: Verb
    columns: tuple[str, ...] = ()  # one column; count, any, none: none; planned: none or one
    last: timedelta | None = None
    next: timedelta | None = None
    ago: timedelta | None = None
    each: timedelta | None = None
    within: timedelta | None = None
    most: int | None = None
    per: tuple[str, ...] | None = None  # None: whatever the model is asked about; (): everything together
    label: str | None = None  # what .named(…) said
    place: Place = field(compare=False, default_factory=caller)

    def named(self, name: str) -> Reading:
        """The same reading under another name."""
        return replace(self, label=_checked_label(name))

    @property
    def column(self) -> str | None:
        """The column it reads; none for count, any and none."""
        return self.columns[0] if self.columns else None

    @property
    def name(self) -> str:
        """The column's name in a training set: ``orders_quantity_total_last_7d``; what is given keeps its own name."""
        if self.label is not None:
            return self.label
        if self.verb == "given" and not self.source.rows:
            return self.columns[0]
        parts = [self.source.name, *self.columns, self.verb]
        for word in ("last", "next", "ago", "each", "within"):
            span = getattr(self, word)
            if span is not None:
                parts += [word, slug_of_span(span)]
        if self.most is not None:
            parts += ["most", str(self.most)]
        if self.per is not None:
            parts += ["per", *self.per] if self.per else ["overall"]
        if self.source.rows:
            parts += ["where", slug_of_rows(self.source.rows)]
        return "_".join(parts)

    @property
    def looks_ahead(self) -> bool:
        """Whether it speaks of what comes after the moment."""
        return self.next is not None or self.verb in ("outcome", "planned")

    @property
    def kind(self) -> ReadAs:
        """What one answer of it is; an instant is fed to a learner as days before the moment."""
        if self.verb in ("total", "mean", "count", "distinct"):
            return "number"
        if self.verb in ("any", "none"):
            return "yes or no"
        if self.verb == "which":
            return "list"
        return read_as(self.source.every_column[self.columns[0]]) if self.columns else "number"

    @property
    def may_be_empty(self) -> bool:
        """Whether it may be empty (NaN): totals and counts never are, nor is what is given if its source says ``always``."""
        if self.verb == "given":
            return not any(type(c).__name__ == "always" and c.column == self.columns[0] and c.share == 1 for c in self.source.must)  # type: ignore[union-attr]
        if self.verb == "planned":
            return bool(self.columns)
        return self.verb in ("mean", "lowest", "highest", "latest", "outcome")

    def __repr__(self) -> str:
        words = [repr(c) for c in self.columns]
        for name in ("last", "next", "ago", "each", "within", "most"):
            value = getattr(self, name)
            if value is not None:
                words.append(f"{name}={said(value)}")
        if self.per is not None:
            words.append(f"per={said(self.per[0]) if len(self.per) == 1 else said(self.per) if self.per else '()'}")
        named = f".named({self.label!r})" if self.label is not None else ""
        return f"{self.source.called}.{self.verb}({', '.join(words)}){named}"


@dataclass(frozen=True, kw_only=True, repr=False)
class Arithmetic(Combines):
    """Two readings added, subtracted, multiplied or divided; x / 0 is empty. One side may be a plain number."""

    operator: Operator
    left: AnyReading | float
    right: AnyReading | float
    label: str | None = None
    place: Place = field(compare=False, default_factory=caller)

    def named(self, name: str) -> Arithmetic:
        """The same arithmetic under another name."""
        return replace(self, label=_checked_label(name))

    @property
    def name(self) -> str:
        """The column's name in a training set."""
        if self.label is not None:
            return self.label
        left, right = (_slug(f"{s:g}") if isinstance(s, int | float) else s.name for s in (self.left, self.right))
        return f"{left}_{OPERATIONS[self.operator]}_{right}"

    @property
    def looks_ahead(self) -> bool:
        """Whether either side speaks of what comes after the moment."""
        return any(r.looks_ahead for r in leaves(self))

    @property
    def kind(self) -> ReadAs:
        """Arithmetic gives numbers."""
        return "number"

    @property
    def may_be_empty(self) -> bool:
        """x / 0 is empty, and so is whatever has an empty side."""
        divides = self.operator == "/" and not (isinstance(self.right, int | float) and self.right != 0)
        return divides or any(r.may_be_empty for r in leaves(self))

    def __repr__(self) -> str:
        left, right = (f"({s!r})" if isinstance(s, Arithmetic) and s.label is None else repr(s) for s in (self.left, self.right))
        sentence = f"{left} {self.operator} {right}"
        return sentence if self.label is None else f"({sentence}).named({self.label!r})"


@dataclass(frozen=True, repr=False, init=False)
class calendar(Word):
    """Parts of the time predicted: hour, weekday, day, week, month, holiday. One column for each part.

    >>> calendar("weekday", "month", zone="Europe/Berlin").names
    ('calendar_weekday', 'calendar_month')
    """

    parts: tuple[str, ...] = field(metadata={"many": True})
    holidays: str | None = field(default=None, kw_only=True)
    zone: str | None = field(default=None, kw_only=True)

    def __init__(self, *parts: str, holidays: str | None = None, zone: str | None = None) -> None:
        self.keep(parts=parts, holidays=holidays, zone=zone)
        unknown = [p for p in parts if p not in PARTS]
        if unknown:
            what = f"calendar has no part {unknown[0]!r}.{refuse.did_you_mean(unknown[0], PARTS)}"
            refuse.refuse(what, f"It has {refuse.listed(PARTS)}.", place=self.place)
        if not parts:
            refuse.refuse("calendar() says no part of the time.", f"Say some of {refuse.listed(PARTS)}.", place=self.place)
        if "holiday" in parts and holidays is None:
            refuse.refuse("calendar('holiday') does not say whose holidays.", 'Add holidays="US", or whichever is meant.', place=self.place)
        if zone is not None:
            refuse.zone(zone, place=self.place)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names in a training set, one for each part."""
        return tuple(f"calendar_{part}" for part in self.parts)

    @property
    def looks_ahead(self) -> bool:
        """The calendar is known for ever."""
        return False

    @property
    def kind(self) -> ReadAs:
        """Each part is a number; a holiday is 1 or 0."""
        return "number"

    @property
    def may_be_empty(self) -> bool:
        """Every moment has a date."""
        return False

    @property
    def name(self) -> str:
        """All parts in one name; in a training set each has a column of its own (``names``)."""
        return "_".join(("calendar", *self.parts))


AnyReading: TypeAlias = Reading | Arithmetic | calendar


def is_reading(value: object) -> bool:
    """Whether it is a reading, arithmetic of readings, or a calendar."""
    return isinstance(value, Reading | Arithmetic | calendar)


def leaves(reading: object) -> tuple[Reading, ...]:
    """The single readings something is made of, left to right; none for a calendar or a number."""
    if isinstance(reading, Reading):
        return (reading,)
    if isinstance(reading, Arithmetic):
        return leaves(reading.left) + leaves(reading.right)
    return ()


def column_names(reading: AnyReading) -> tuple[str, ...]:
    """The columns a reading becomes in a training set: one, or one for each part of a calendar."""
    return reading.names if isinstance(reading, calendar) else (reading.name,)


def read_as(kind: ColumnKind) -> ReadAs:
    """What a value of a column of this kind is read as.

    >>> read_as(int), read_as(str), read_as(datetime)
    ('number', 'category', 'instant')
    """
    if is_numeric(kind):
        return "number"
    if kind is bool:
        return "yes or no"
    if kind is datetime or kind is date:
        return "instant"
    return "text" if kind is text else "category"


def slug_of_span(span: timedelta) -> str:
    """A span as part of a name.

    >>> slug_of_span(timedelta(days=7)), slug_of_span(timedelta(hours=36)), slug_of_span(timedelta(minutes=10))
    ('7d', '36h', '10min')
    """
    micro = span // timedelta(microseconds=1)
    for unit, length in (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000)):
        if micro % length == 0:
            return f"{micro // length}{unit}"
    return f"{micro}us"


def slug_of_rows(rows: Sequence[object]) -> str:
    """Row conditions as part of a name: short ones as they are, long ones cut and told apart by six digits of their hash."""
    words = []
    for row in rows:
        inside = repr(row).split("(", 1)
        sentence = _slug(inside[-1]) if inside[0] == "one_of" else _slug(f"{getattr(row, 'column', None) or getattr(row, 'what', '')}")
        if inside[0] in ("at_least", "at_most"):
            sentence += f"_{inside[0]}_{_slug(f'{row.value:g}')}"  # type: ignore[attr-defined]
        elif inside[0] != "one_of":
            sentence += f"_{inside[0]}"
        words.append(sentence)
    slug = "_and_".join(words)
    return slug if len(slug) <= 40 else f"{slug[:33].rstrip('_')}_{identity(*map(repr, rows))[:6]}"


def _slug(words: str) -> str:
    return re.sub(r"[^0-9a-z]+", "_", words.lower().replace("-", "minus") if words[:1] == "-" else words.lower()).strip("_")


def _checked_label(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        refuse.refuse(f"named({name!r}) is no name.", place=caller())
    return name


def _combined(operator: Operator, left: object, right: object) -> Arithmetic:
    for side in (left, right):
        if isinstance(side, tuple | list):
            refuse.refuse(
                "several readings at once cannot be added, subtracted, multiplied or divided.",
                "Say each of them on its own.",
                place=caller(),
            )
        if isinstance(side, Reading | Arithmetic) and side.kind not in ("number", "yes or no"):
            what = f"{side.name} is {'an instant' if side.kind == 'instant' else side.kind if side.kind == 'text' else 'a ' + side.kind}"
            refuse.refuse(f"{what}, and cannot be reckoned with.", place=caller())
        if not isinstance(side, Reading | Arithmetic) and not refuse.is_number(side):
            return cast(Arithmetic, NotImplemented)
    return Arithmetic(operator=operator, left=cast(AnyReading, left), right=cast(AnyReading, right))
