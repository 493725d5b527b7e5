"""Definitions: what a reading means exactly, and the hash of that. Two readings with one hash have the same value at every moment, in
training and in service. Values in, values out; absent: clock, disk, engine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, Literal, TypeAlias

from everloop.errors import Unknown
from everloop.features.moments import DAY, length
from everloop.project.columns import is_numeric, money
from everloop.project.conditions import RowCondition, always
from everloop.project.reading import AnyReading, Arithmetic, Reading
from everloop.project.source import Source

#: Raised whenever ``finalize`` or the visibility rule would give another digit for the same rows; it is part of every hash.
FINALIZE_VERSION: Final = 1
HOPS: Final = (DAY, 3_600_000_000, 300_000_000, 60_000_000)

#: How values of a column are held while they are read: int64, float64, 0 or 1, words, or int64 microseconds.
Nature: TypeAlias = Literal["whole", "decimal", "flag", "words", "instant"]


def nature_of(source: Source, column: str) -> Nature:
    """How values of a source's column are held, from its declared kind. Raises Unknown for a column it has not.

    >>> from everloop import Source, money, unit
    >>> orders = Source("orders", id="order_id", time="at", columns={"price": money("EUR"), "weight": unit("kg")})
    >>> nature_of(orders, "price"), nature_of(orders, "weight"), nature_of(orders, "at"), nature_of(orders, "order_id")
    ('whole', 'decimal', 'instant', 'words')
    """
    kinds = source.every_column
    if column not in kinds:
        raise Unknown("column", column, tuple(kinds), where=source.name)
    kind = kinds[column]
    if kind is bool:
        return "flag"
    if kind is datetime or kind is date:
        return "instant"
    if kind is int or isinstance(kind, money):
        return "whole"
    return "decimal" if is_numeric(kind) else "words"


def hop_of(window: timedelta | None) -> int:
    """By how much the far edge of a window moves at a time, in microseconds: the largest of 1 minute, 5 minutes, 1 hour and 1 day that
    is at most a twelfth of the window; windows under 12 minutes are exact (1). None, a lifetime, has no edge (0).

    >>> hop_of(timedelta(days=7)) // 3_600_000_000, hop_of(timedelta(minutes=11))
    (1, 1)
    """
    if window is None:
        return 0
    return next((hop for hop in HOPS if hop * 12 <= length(window)), 1)


@dataclass(frozen=True)
class Window:
    """Which rows count around a moment ``t``, in microseconds: event times from ``floor(t + start)`` up to, not including, ``t + stop``.

    Both edges are floored to multiples of ``hop`` since 1970 UTC. ``start`` None: since always. ``stop`` None: everything known by then.
    ``span``: rows last from an instant to another and count wherever the two overlap; ``stop`` None: whatever has begun by then.
    """

    start: int | None
    stop: int | None
    hop: int
    span: bool = field(default=False, repr=False)


def window_of(reading: Reading) -> Window:
    """The window of a reading: ``last=`` looks back from the moment (or from ``ago``), ``next=`` looks ahead and is exact.

    >>> from everloop import Source, days
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={})
    >>> window_of(orders.count(next=days(1)))
    Window(start=0, stop=86400000000, hop=1)
    """
    span = len(reading.source.time) == 2 or reading.verb == "planned"
    if reading.next is not None:
        return Window(0, length(reading.next), 1, span)
    if reading.last is None:
        return Window(None, None, 0, span)
    ago = 0 if reading.ago is None else length(reading.ago)
    return Window(-ago - length(reading.last), -ago if ago else None, hop_of(reading.last), span)


def condition_column(condition: RowCondition) -> str:
    """The column a row condition reads."""
    return condition.column if isinstance(condition, always) else str(getattr(condition, "what", ""))


def canonical(reading: AnyReading | float) -> object:
    """A reading as plain lists and dictionaries that say everything its value depends on, and nothing else."""
    if isinstance(reading, Arithmetic):
        return [reading.operator, canonical(reading.left), canonical(reading.right)]
    if isinstance(reading, Reading):
        spans = (reading.last, reading.next, reading.ago, reading.each, reading.within)
        return {
            "source": source_text(reading.source),
            "where": sorted([repr(c), nature_of(reading.source, condition_column(c))] for c in reading.source.rows),
            "verb": reading.verb,
            "columns": [[column, nature_of(reading.source, column)] for column in reading.columns],
            "spans": [None if span is None else length(span) for span in spans],
            "hop": window_of(reading).hop,
            "most": reading.most,
            "per": None if reading.per is None else list(reading.per),
        }
    return float(reading) if isinstance(reading, int | float) else repr(reading)


def source_text(source: Source) -> object:
    """What of a source a value depends on: its name, id, time, which shop is kept apart, and its parents."""
    return [source.name, list(source.id), list(source.time), source.apart, [source_text(parent) for parent in source.of]]


def definition_hash(reading: AnyReading) -> str:
    """The identity of what a reading means: 16 hex digits. Its name is not part of it; an edited definition is a new one beside the old.

    >>> from everloop import Source, days
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={"amount": int})
    >>> week = orders.total("amount", last=days(7))
    >>> definition_hash(week) == definition_hash(week.named("spent")) != definition_hash(orders.total("amount", last=days(8)))
    True
    """
    return hashed(canonical(reading))


def hashed(meaning: object) -> str:
    """The hash of a meaning, with the version of the rules it is read by."""
    said = json.dumps([FINALIZE_VERSION, meaning], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()[:16]
