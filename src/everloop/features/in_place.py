"""In place: the exact parts of readings at many points, from the ranges of rows that count there. In: points, rows in order. Out: parts.

What can be read in place is; the few rows that cannot are aggregated by the engine, and the parts of both are put together exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.features import finalize, ranges, window
from everloop.features.definition import Window, nature_of, window_of
from everloop.features.moments import Micros
from everloop.features.ordered import Asked, Ordered, Rows, in_order
from everloop.features.reader import Reader
from everloop.features.window import Points, aggregated, covered, differing_values
from everloop.project.reading import Reading

Whole: TypeAlias = Micros | list[int]
Numbers: TypeAlias = NDArray[Any]


class Part(NamedTuple):
    """The parts of one reading at every point: how many, exact sums (a decimal's two whole parts), or a value, null where there is none."""

    n: Micros | None = None
    sums: tuple[Whole, ...] = ()
    value: pa.Array | None = None


class _Filled(NamedTuple):
    """Rows of one sort whose value is there, and how many such there are before each row of the sort; None: all are."""

    key: Micros
    starts: Micros
    values: Numbers
    before: Micros | None

    def among(self, range_: tuple[Micros, Micros]) -> tuple[Micros, Micros]:
        first, last = range_
        return range_ if self.before is None else (self.before[first], self.before[last])


def read_in_place(reader: Reader, points: Points, readings: Mapping[str, Reading]) -> dict[str, Part]:
    """The parts of these readings of the same rows, under the names given, at every point by its number, and then for nobody."""
    some = next(iter(readings.values()))
    columns = [column for r in readings.values() for column in r.columns]
    rest, lasting = _asked_rows(reader, points, some) if points.without_asked else None, window_of(some).span
    ordered = in_order(reader, some.source, points.keys, columns, rest=rest, lasting=lasting)
    shown = reader.rows(f"SELECT * FROM {points.name} ORDER BY point")
    moment = np.append(shown["moment"].to_numpy(), 0)
    key = np.append(ordered.numbers([shown[f"k{i}"].combine_chunks() for i in range(len(points.keys))], shown.num_rows), -1)
    known = np.append(shown["asked_at"].to_numpy(), 0) if points.ahead else moment
    known = known if points.known_at is None else np.full(len(moment), points.known_at)
    return _InPlace(reader, points, ordered, Asked(moment, known, key)).parts(readings)


def _asked_rows(reader: Reader, points: Points, reading: Reading) -> Micros | None:
    """The numbers of rows that a question about themselves could see."""
    seen = window.KNOWN.format(at=points.at)
    events = reader.events(reading.source)
    found = reader.rows(f"SELECT DISTINCT v.nr FROM {points.name} p JOIN {events} v ON v.id = p.asked_row AND {seen}")
    return found["nr"].to_numpy() if found.num_rows else None


@dataclass
class _InPlace:
    reader: Reader
    points: Points
    ordered: Ordered
    asked: Asked
    counted: dict[tuple[bool, Window], tuple[Micros, Micros]] = field(default_factory=dict)
    filled: dict[tuple[bool, str, str], _Filled] = field(default_factory=dict)
    summed: dict[tuple[str, Window], Part] = field(default_factory=dict)

    def parts(self, readings: Mapping[str, Reading]) -> dict[str, Part]:
        left = self._left(readings) if len(self.ordered.rest) else {}
        return {name: self._part(reading, left.get(name)) for name, reading in readings.items()}

    def _part(self, reading: Reading, left: Mapping[str, Numbers] | None) -> Part:
        if reading.verb in ("count", "any", "none"):
            counts = [last - first for first, last in (self._range(rows, reading) for rows in self._sorts)]
            return Part(n=np.sum([*counts, left["n"]] if left else counts, axis=0))
        if reading.verb == "planned" and not reading.columns:
            return Part(n=left["n"] if left else np.zeros(len(self.asked.moment), dtype=np.int64))
        if reading.verb in ("latest", "planned"):
            return Part(value=self._latest(reading, left))
        if reading.verb == "distinct":
            return Part(n=self._distinct(reading, left))
        if reading.verb in ("lowest", "highest"):
            return Part(value=self._extreme(reading, left))
        key = (reading.columns[0], window_of(reading))
        if key not in self.summed:
            self.summed[key] = self._sums(reading, left)
        return self.summed[key]

    @property
    def _sorts(self) -> tuple[Rows, Rows]:
        return self.ordered.steady, self.ordered.single

    def _range(self, rows: Rows, reading: Reading) -> tuple[Micros, Micros]:
        key = (rows.single, window_of(reading))
        if key not in self.counted:
            self.counted[key] = rows.range_of(window_of(reading), self.asked)
        return self.counted[key]

    def _filled(self, rows: Rows, column: str, held: str) -> _Filled:
        """The rows of a sort that have a value: as it is (``"value"``), if it can be summed, or the number that stands for it."""
        key = (rows.single, column, held)
        if key not in self.filled:
            values, there = _held(self.ordered.told, column, held)
            values, there = values[rows.place], there[rows.place]
            if bool(there.all()):
                self.filled[key] = _Filled(rows.key, rows.starts, values, None)
            else:
                before = np.concatenate([[0], np.cumsum(there)])
                self.filled[key] = _Filled(rows.key[there], before[rows.starts], values[there], before)
        return self.filled[key]

    def _sums(self, reading: Reading, left: Mapping[str, Numbers] | None) -> Part:
        decimal = nature_of(reading.source, reading.columns[0]) == "decimal"
        counts: list[Micros] = []
        sums: list[tuple[Whole, ...]] = []
        for rows in self._sorts:
            some = self._filled(rows, reading.columns[0], "summable" if decimal else "value")
            first, last = some.among(self._range(rows, reading))
            counts.append(last - first)
            sums.append(ranges.decimal_sums(some.values, first, last) if decimal else (ranges.whole_sums(some.values, first, last),))
        if left:
            counts.append(left["n"])
            sums.append(tuple(left[part] for part in ("hl" if decimal else "s")))
        return Part(n=np.sum(counts, axis=0), sums=tuple(ranges.added(each) for each in zip(*sums, strict=True)))

    def _extreme(self, reading: Reading, left: Mapping[str, Numbers] | None) -> pa.Array:
        least = reading.verb == "lowest"
        found = [(left["x"], left["there"])] if left else []
        for rows in self._sorts:
            some = self._filled(rows, reading.columns[0], "value")
            first, last = some.among(self._range(rows, reading))
            found.append((ranges.extremes(some.values, first, last, least=least), last > first))
        value, there = found[0]
        for other, also in found[1:]:
            better = also & (~there | (other < value if least else other > value))
            value, there = np.where(better, other, value), there | also
        return pa.array(value, mask=~there)

    def _latest(self, reading: Reading, left: Mapping[str, Numbers] | None) -> pa.Array:
        newest = left["o"] if left else np.full(len(self.asked.moment), -1, dtype=np.int64)
        for rows in self._sorts:
            first, last = self._range(rows, reading)
            if len(rows.place):
                newest = np.maximum(newest, np.where(last > first, rows.place[np.maximum(last - 1, 0)], -1))
        return self.ordered.told[reading.columns[0]].combine_chunks().take(pa.array(newest, mask=newest < 0))

    def _distinct(self, reading: Reading, left: Mapping[str, Numbers] | None) -> Micros:
        """How many different values steady rows hold, and those that only other rows add."""
        steady, single = (self._filled(rows, reading.columns[0], "number") for rows in self._sorts)
        first, last = steady.among(self._range(self.ordered.steady, reading))
        made = ranges.differing(steady.key, steady.starts, steady.values, first, last)
        begin, end = single.among(self._range(self.ordered.single, reading))
        points = np.flatnonzero(end > begin)
        values = single.values[begin[points]]
        if left:
            points, values = np.append(points, left["point"]), np.append(values, left["value"])
        if not len(points):
            return made
        width = int(values.max()) + 1
        points, values = np.divmod(np.unique(points * width + values), width)
        new = ~ranges.holding(steady.key, steady.values, self.asked.key[points], values, first[points], last[points])
        return made + np.bincount(points[new], minlength=len(made))

    def _left(self, readings: Mapping[str, Reading]) -> dict[str, dict[str, Numbers]]:
        """What the rows that cannot be read in place add to each reading, aggregated by the engine."""
        table, made = self._rest(readings), dict[str, dict[str, Numbers]]({name: {} for name in readings})
        at = {f"r{i}": name for i, name in enumerate(readings)}
        said = [(place, readings[name]) for place, name in at.items() if not _apart(readings[name])]
        for several in ([s for s in said if _windowed(s[1])], [s for s in said if not _windowed(s[1])]):
            if several:
                found = self.reader.rows(f"SELECT * FROM {aggregated(self.reader, self.points, table, several)}")
                points = found["point"].to_numpy() - 1
                for column in found.column_names[1:]:
                    place, _, part = column.partition("_")
                    made[at[place]] |= _spread(part, found[column].combine_chunks(), points, len(self.asked.moment))
        for name, reading in readings.items():
            if reading.verb == "distinct":
                query = differing_values(self.points, table, reading, _number_of(reading.columns[0]))
                found = self.reader.rows(query)
                made[name] = {"point": found["point"].to_numpy() - 1, "value": found["x"].to_numpy()}
            elif _apart(reading):
                found = self.reader.rows(covered(self.points, table, reading))
                made[name] = _spread("n", found["n"].combine_chunks(), found["point"].to_numpy() - 1, len(self.asked.moment))
        return made

    def _rest(self, readings: Mapping[str, Reading]) -> str:
        places = self.ordered.rest
        told = self.ordered.told.take(pa.array(places)).append_column("o", pa.array(places))
        source = next(iter(readings.values())).source
        if "id" not in told.column_names:
            told = told.append_column("id", self.reader.tables[source.name]["id"].take(told["nr"]))
        for column in dict.fromkeys(r.columns[0] for r in readings.values() if r.verb == "distinct"):
            values, there = _held(self.ordered.told, column, "number")
            told = told.append_column(_number_of(column), pa.array(values[places], mask=~there[places]))
        return self.reader.give(told)


def _windowed(reading: Reading) -> bool:
    return reading.last is not None or reading.next is not None


def _apart(reading: Reading) -> bool:
    """Whether the engine answers a reading by a query of its own."""
    return reading.verb == "distinct" or (reading.verb == "planned" and not reading.columns)


def _number_of(column: str) -> str:
    return f"{column}\x1fnumber"


def _held(told: pa.Table, column: str, held: str) -> tuple[Numbers, NDArray[np.bool_]]:
    values = told[column].combine_chunks()
    there = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    if held == "number":
        values = values.dictionary_encode().indices.cast(pa.int64())
    made = (values.fill_null(0) if values.null_count else values).to_numpy(zero_copy_only=False)
    return made, there & ranges.summable(made) if held == "summable" else there


def _spread(part: str, found: pa.Array, points: Micros, count: int) -> dict[str, Numbers]:
    """A part of some points as one for each: nothing, no row (-1) or, for values, that there is none."""
    if part in "shl":
        sums = finalize.whole(found)
        if isinstance(sums, np.ndarray):
            made = np.zeros(count, dtype=np.int64)
            made[points] = sums
            return {part: made}
        wide = np.zeros(count, dtype=object)
        wide[points] = sums
        return {part: wide}
    filled = np.asarray(found.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    values = found.fill_null(0).to_numpy(zero_copy_only=False)
    spread = np.full(count, -1 if part == "o" else 0, dtype=values.dtype)
    spread[points[filled]] = values[filled]
    there = np.zeros(count, dtype=np.bool_)
    there[points[filled]] = True
    return {part: spread, "there": there} if part == "x" else {part: spread}
