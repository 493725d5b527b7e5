"""The plain reader: what a reading says, worked out one row at a time, straight from the visibility rule. Slow on purpose and obvious.

It shares no line with ``everloop.features``, so that each can be held against the other. In: versions as plain records. Out: plain values.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final, TypeAlias

import pyarrow as pa

from everloop.project.columns import money, unit
from everloop.project.conditions import always, at_least, at_most, one_of
from everloop.project.reading import AnyReading, Arithmetic, Reading
from everloop.project.source import Source

Value: TypeAlias = float | str | None
Answer: TypeAlias = float | str | list[str] | None
FOREVER: Final = 2**63 - 1
DAY: Final = 86_400_000_000


@dataclass(frozen=True)
class Said:
    """One version of one row, as it arrived; instants in microseconds since 1970 UTC."""

    id: str
    version: int
    event_at: int
    known_at: int
    values: Mapping[str, Value] = field(default_factory=dict)
    deleted: bool = False


Log: TypeAlias = Sequence[Said]
Logs: TypeAlias = Mapping[str, Log]


def event_table(source: Source, log: Log) -> pa.Table:
    """A log, in the order it arrived, as the event table of its source. Where a row says no value for its only id column, its id is.
    Where shops are kept apart, ids are told as the lake tells them: the shop, U+001F, the id.

    >>> from everloop import Source
    >>> orders = Source("orders", id="order_id", time="at", columns={"amount": int})
    >>> event_table(orders, [Said("o1", 0, 5, 7, {"amount": 3})]).to_pylist()
    [{'seq': 1, 'id': 'o1', 'version': 0, 'event_at': 5, 'known_at': 7, 'deleted': False, 'order_id': 'o1', 'at': 5, 'amount': 3}]
    """
    columns: dict[str, pa.Array] = {
        "seq": pa.array(range(1, len(log) + 1), pa.int64()),
        "id": pa.array([said.id for said in log], pa.string()),
        "version": pa.array([said.version for said in log], pa.int64()),
        "event_at": pa.array([said.event_at for said in log], pa.int64()),
        "known_at": pa.array([said.known_at for said in log], pa.int64()),
        "deleted": pa.array([said.deleted for said in log], pa.bool_()),
    }
    for column in dict.fromkeys((*source.id, *source.time, *([] if source.apart is None else [source.apart]), *source.columns)):
        columns[column] = pa.array([own_value(source, said, column) for said in log], arrow_kind(source, column))
    return pa.table(columns)


def arrow_kind(source: Source, column: str) -> pa.DataType:
    """How an event table holds a column of a source."""
    kind = source.every_column[column]
    if kind is float or isinstance(kind, unit):
        return pa.float64()
    if kind is int or kind is datetime or isinstance(kind, money):
        return pa.int64()
    return pa.bool_() if kind is bool else pa.date32() if kind is date else pa.string()


def own_value(source: Source, said: Said, column: str) -> Value:
    """What a version itself says of a column."""
    if column not in said.values and source.id == (column,):
        return said.id
    if column not in said.values and source.time[:1] == (column,):
        return said.event_at
    value = said.values.get(column)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def hop_of(window: timedelta) -> int:
    """By how much the far edge of a window moves at a time."""
    for hop in (DAY, DAY // 24, 300_000_000, 60_000_000):
        if timedelta(microseconds=hop) <= window / 12:
            return hop
    return 1


def next_known(log: Log, said: Said) -> int:
    """When a higher version of the same row was first known."""
    return min((s.known_at for s in log if s.id == said.id and s.version > said.version), default=FOREVER)


def in_force(log: Log, at: int) -> list[Said]:
    """The versions that count at a moment, deleted ones aside."""
    return [s for s in log if s.known_at < at <= next_known(log, s) and not s.deleted]


def value_of(logs: Logs, source: Source, said: Said, column: str, at: int) -> Value:
    """A version's own column, or its parent's: as known when this id with this parent first arrived; if there was none, from the first
    later version on."""
    parent = source.parent_of(column)
    if parent is None:
        return own_value(source, said, column)
    link = parent.id[0]
    of = value_of(logs, source, said, link, at)
    arrived = min(s.known_at for s in logs[source.name] if s.id == said.id and value_of(logs, source, s, link, at) == of)
    name = f"{own_value(source, said, source.apart)}\x1f{of}" if source.apart and parent.apart else str(of)
    family = [s for s in logs[parent.name] if s.id == name and not s.deleted and s.known_at < next_known(logs[parent.name], s)]
    lasting = sorted((s for s in family if arrived <= next_known(logs[parent.name], s)), key=lambda s: s.known_at)
    if not lasting or (lasting[0].known_at >= arrived and not lasting[0].known_at < at):
        return None
    return value_of(logs, parent, lasting[0], column, at)


def lasts(source: Source, said: Said) -> tuple[int, int]:
    """From when until when a row lasts by its own word: an instant for a microsecond, for ever if no end is said."""
    begins = own_value(source, said, source.time[0])
    ends = own_value(source, said, source.time[-1])
    begin = said.event_at if begins is None else int(begins)
    return begin, FOREVER if ends is None else max(int(ends), begin + 1)


def meets(logs: Logs, source: Source, said: Said, at: int) -> bool:
    """Whether a version meets its source's ``where``."""
    for condition in source.rows:
        column = condition.column if isinstance(condition, always) else str(getattr(condition, "what", ""))
        value = value_of(logs, source, said, column, at)
        if value is None:
            return False
        if isinstance(condition, at_least) and not value >= condition.value:  # type: ignore[operator]
            return False
        if isinstance(condition, at_most) and not value <= condition.value:  # type: ignore[operator]
            return False
        if isinstance(condition, one_of) and value not in condition.values:
            return False
    return True


def visible(
    logs: Logs, reading: Reading, keys: Mapping[str, str | None], moment: int, known_at: int | None = None, without: str | None = None
) -> list[Said]:
    """The versions a reading takes at a moment for these keys, in the order in which they happened."""
    source, at = reading.source, moment if known_at is None else known_at
    lasting = len(source.time) == 2 or reading.verb == "planned"
    start, stop = -(2**63), moment if lasting else FOREVER
    if reading.next is not None:
        start, stop = moment, moment + reading.next // timedelta(microseconds=1)
    elif reading.last is not None:
        hop, ago = hop_of(reading.last), (reading.ago or timedelta(0)) // timedelta(microseconds=1)
        start = (moment - ago - reading.last // timedelta(microseconds=1)) // hop * hop
        stop = (moment - ago) // hop * hop if ago else stop
    found = []
    for said in in_force(logs[source.name], at):
        mine = all(keys[k] is not None and text(value_of(logs, source, said, k, at)) == keys[k] for k in keys)
        begin, end = lasts(source, said) if lasting else (said.event_at, said.event_at + 1)
        if mine and said.id != without and begin < stop and end > start and meets(logs, source, said, at):
            found.append(said)
    return sorted(found, key=lambda s: (lasts(source, s)[0] if lasting else s.event_at, s.id))


def text(value: Value) -> str | None:
    """A value as a key."""
    return None if value is None else str(int(value)) if isinstance(value, bool) else str(value)


def plain(
    logs: Logs, reading: AnyReading | float, keys: Mapping[Reading, Mapping[str, str | None]], moment: int, *, known_at: int | None = None,
    without: str | None = None,
) -> Answer:  # fmt: skip
    """What a reading says at a moment (microseconds); ``keys``: for each single reading in it, whose rows it takes; ``without``: a row
    that never counts. What is ``planned`` is read for its ``next``. Numbers are floats, yes and no 1 and 0, what is empty None."""
    if isinstance(reading, Arithmetic):
        left, right = (plain(logs, side, keys, moment, known_at=known_at, without=without) for side in (reading.left, reading.right))
        return None if left is None or right is None else reckoned(reading.operator, float(left), float(right))  # type: ignore[arg-type]
    if not isinstance(reading, Reading):
        return float(reading)  # type: ignore[arg-type]
    at = moment if known_at is None else known_at
    rows = visible(logs, reading, keys[reading], moment, known_at, without)
    if reading.verb in ("count", "any", "none"):
        return float({"count": len(rows), "any": bool(rows), "none": not rows}[reading.verb])
    if reading.verb == "planned" and not reading.columns:
        return share_covered([lasts(reading.source, row) for row in rows], moment, reading.next)
    said = [value_of(logs, reading.source, row, reading.columns[0], at) for row in rows]
    if reading.verb in ("latest", "planned"):
        return shown(reading, said[-1], moment) if said else None
    there = [value for value in said if value is not None]
    if reading.verb == "which":
        return most_seen(there, reading.most if reading.next is None else None)
    if reading.verb == "distinct":
        return float(len(set(there)))
    if reading.verb == "total":
        return float(sum(map(Fraction, there), Fraction(0)))
    if not there:
        return None
    if reading.verb == "mean":
        return float(sum(map(Fraction, there), Fraction(0))) / float(len(there))
    return shown(reading, (min if reading.verb == "lowest" else max)(there), moment)


def share_covered(spans: Sequence[tuple[int, int]], moment: int, ahead: timedelta | None) -> float:
    """The share of the time ahead that spans cover, however often."""
    stop = moment + (ahead or timedelta(0)) // timedelta(microseconds=1)
    covered, done = 0, moment
    for begin, end in sorted(spans):
        covered += max(0, min(end, stop) - max(begin, done))
        done = max(done, min(end, stop))
    return float(covered) / float(stop - moment)


def reckoned(operator: str, left: float, right: float) -> float | None:
    """Plain arithmetic; x / 0 is empty."""
    if operator == "/":
        return left / right if right else None
    return left + right if operator == "+" else left - right if operator == "-" else left * right


def most_seen(values: Sequence[Value], most: int | None) -> list[str]:
    """Values by how often they are there, then the newest, then by value; ``values`` in the order in which they happened."""
    count = Counter(values)
    newest = {value: place for place, value in enumerate(values)}
    return [str(value) for value in sorted(count, key=lambda value: (-count[value], -newest[value]))][:most]


def shown(reading: Reading, value: Value, moment: int) -> Answer:
    """A value as a learner sees it: an instant as days before the moment."""
    if value is None or isinstance(value, str):
        return value
    kind = reading.source.every_column[reading.columns[0]]
    return float(moment - int(value)) / float(DAY) if kind is datetime else float(value)
