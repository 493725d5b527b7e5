"""Readings: what a source says in a window around a moment. Backwards they inform, forwards they judge. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal, TypeAlias

from everloop.project.said import Place, Word, caller, said
from everloop.project.source import Names, Source, Spans, as_names

Verb: TypeAlias = Literal[
    "total", "mean", "lowest", "highest", "count", "distinct", "any", "none", "latest", "which", "given", "outcome", "planned"
]
Operator: TypeAlias = Literal["+", "-", "*", "/"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Reading:
    """One number, category or list per question, read from one source; made by the verbs of a Source."""

    source: Source
    verb: Verb
    columns: tuple[str, ...] = ()   # one column; count, any, none: none; planned: none or one
    last: timedelta | None = None
    next: timedelta | None = None
    ago: timedelta | None = None
    each: timedelta | None = None
    within: timedelta | None = None
    most: int | None = None
    per: tuple[str, ...] | None = None   # None: whatever the model is asked about; (): everything together
    label: str | None = None             # what .named(…) said
    place: Place = field(compare=False, default_factory=caller)

    def named(self, name: str) -> Reading:
        """The same reading under another name."""
        return replace(self, label=name)

    @property
    def name(self) -> str:
        """The column's name in a training set: ``orders_quantity_total_last_7d``."""
        ...

    @property
    def looks_ahead(self) -> bool:
        return self.next is not None or self.verb in ("outcome", "planned")


@dataclass(frozen=True, kw_only=True, repr=False)
class Arithmetic:
    """Two readings added, subtracted, multiplied or divided; x / 0 is empty."""

    operator: Operator
    left: AnyReading
    right: AnyReading | float
    label: str | None = None
    place: Place = field(compare=False, default_factory=caller)


@dataclass(frozen=True, repr=False, init=False)
class calendar(Word):
    """Parts of the time predicted: hour, weekday, day, week, month, holiday. One column for each part."""

    parts: tuple[str, ...] = field(metadata={"many": True})
    holidays: str | None = field(default=None, kw_only=True)
    zone: str | None = field(default=None, kw_only=True)


AnyReading: TypeAlias = Reading | Arithmetic | calendar
