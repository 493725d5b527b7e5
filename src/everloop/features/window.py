"""Windows: what a source says in a window around each moment, for each key. In: points and versions. Out: exact parts for each point.

The one visibility rule stands here as text: a version counts at a point iff it was known before it, nothing newer had taken its place, and
it happened within the window. The engine reads the text as SQL; where rows are in order, ``met`` reads the same text as a comparison.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from everloop.features.definition import Window, nature_of, window_of
from everloop.features.finalize import HIGH, LARGEST, LOW
from everloop.features.moments import Micros
from everloop.features.reader import Reader, floored, quoted
from everloop.project.reading import Reading

#: The visibility rule: ``{at}`` is the moment of knowledge, ``{start}`` and ``{stop}`` the window. The laws catch a mutant of each.
KNOWN: Final = "v.known_at < {at}"
IN_FORCE: Final = "{at} <= v.next_known"
FROM: Final = "v.event_at >= {start}"
UNTIL: Final = "v.event_at < {stop}"
#: What lasts counts where it overlaps the window: until ``ends_at``, which an instant reaches a microsecond after itself.
OVERLAPS: Final = "v.ends_at > {start}"
ANOTHER: Final = "v.id IS DISTINCT FROM p.asked_row"

_SAID: Final = re.compile(r"(?:v\.|\{)(\w+)\}?(?: \+ (\d+))? (<|<=|>=|>) (?:v\.|\{)(\w+)\}?")
_COMPARED: Final[dict[str, Callable[[Micros, Micros], NDArray[np.bool_]]]] = {
    "<": operator.lt, "<=": operator.le, ">=": operator.ge, ">": operator.gt,
}  # fmt: skip

#: A decimal ``{x}`` as the whole numbers that are summed; see ``finalize``.
SUMMABLE: Final = f"CASE WHEN abs({{x}}) <= {LARGEST!r}::DOUBLE THEN {{x}} END"
_HIGH: Final = f"trunc({SUMMABLE} * {HIGH!r}::DOUBLE)"
HIGH_PART: Final = f"CAST({_HIGH} AS HUGEINT)"
LOW_PART: Final = f"CAST(trunc(({SUMMABLE} - {_HIGH} / {HIGH!r}::DOUBLE) * {LOW!r}::DOUBLE) AS HUGEINT)"


@dataclass(frozen=True)
class Points:
    """Where windows are read: a table ``name`` of distinct ``point``, ``moment``, ``asked_row`` and the keys ``k0`` … as text.

    ``known_at``: None reads with each moment's own knowledge; an instant in microseconds
    with the knowledge of then. ``ahead``: windows begin later than the moment of knowledge, which stands in ``asked_at``.
    """

    name: str
    keys: tuple[str, ...]
    known_at: int | None
    without_asked: bool
    ahead: bool = False

    @property
    def at(self) -> str:
        """The moment of knowledge, as SQL."""
        return str(self.known_at) if self.known_at is not None else "p.asked_at" if self.ahead else "p.moment"


def edges(window: Window, moment: str = "p.moment") -> tuple[str | None, str | None]:
    """The two edges of a window around a moment, as SQL."""
    start = None if window.start is None else floored(f"({moment} + ({window.start}))", window.hop)
    stop = None if window.stop is None else floored(f"({moment} + ({window.stop}))", window.hop)
    return start, moment if stop is None and window.span else stop


def inside(window: Window) -> str:
    """Whether a version happened within a window, as SQL."""
    start, stop = edges(window)
    said = [(OVERLAPS if window.span else FROM).format(start=start)] if start is not None else []
    said += [UNTIL.format(stop=stop)] if stop is not None else []
    return " AND ".join(said) or "true"


def met(half: str, **instants: Micros) -> NDArray[np.bool_]:
    """Which of many rows meet a half of the rule; the row's own columns and the instants are given by their names in the text.

    >>> met(KNOWN, known_at=np.array([4, 5]), at=np.array([5, 5]))
    array([ True, False])
    """
    said = _SAID.fullmatch(half)
    if said is None:
        raise ValueError(f"{half!r} is no comparison of two instants.")
    left, more, sign, right = said.groups()
    return _COMPARED[sign](instants[left] + int(more or 0), instants[right])


def floors(instants: Micros, hop: int) -> Micros:
    """Instants floored to multiples of ``hop`` since 1970, as ``floored`` says it in SQL.

    >>> floors(np.array([-1, 0, 7]), 5)
    array([-5,  0,  5])
    """
    return instants if hop <= 1 else instants - instants % hop


def pairs(points: Points, table: str, windows: Sequence[Window]) -> str:
    """Every point with every version it can see in any of these windows, as the FROM and WHERE of a query over ``p`` and ``v``."""
    same = [f"CAST(v.{quoted(key)} AS VARCHAR) = p.k{i}" for i, key in enumerate(points.keys)]
    seen = [KNOWN.format(at=points.at), IN_FORCE.format(at=points.at)]
    seen += [ANOTHER] if points.without_asked else []
    whole = widest(windows)
    if whole is None:
        # Everything together meets every version: nothing to join on but the rule itself.
        return f"{points.name} p JOIN {table} v ON {' AND '.join([*same, *seen])}"
    pace = max((whole[1] - whole[0]) // 4, 1)
    first, last = (floored(f"(moment + ({edge}))", pace) for edge in whole)
    spread = f"(SELECT *, unnest(range({first}, {last} + 1, {pace})) AS stretch FROM {points.name})"
    # Rows meet points by key and by stretch of time first, so that a deep history is not compared with every moment.
    met = [*same, f"{floored('v.event_at', pace)} = p.stretch"]
    return f"{spread} p JOIN {table} v ON {' AND '.join([*met, *seen])}"


def widest(windows: Sequence[Window]) -> tuple[int, int] | None:
    """How far all windows reach around their moment, hops included; None if one of them is a lifetime, or rows last.

    >>> widest([Window(-7, None, 2), Window(-3, None, 1)])
    (-9, 0)
    """
    if any(window.start is None or window.span for window in windows):
        return None
    start = min(w.start - w.hop for w in windows if w.start is not None)
    return start, max(0 if w.stop is None else w.stop for w in windows)


def parts_of(reading: Reading, name: str) -> list[str]:
    """The exact parts a reading needs of its window, as SQL aggregates named ``name_…``."""
    kept = f"FILTER (WHERE {inside(window_of(reading))})"
    if reading.verb in ("count", "any", "none"):
        return [f"count(*) {kept} AS {name}_n"]
    value = f"v.{quoted(reading.columns[0])}"
    if reading.verb in ("latest", "planned"):
        return [f"max(v.o) {kept} AS {name}_o"]
    if reading.verb in ("lowest", "highest"):
        return [f"{'min' if reading.verb == 'lowest' else 'max'}({value}) {kept} AS {name}_x"]
    if nature_of(reading.source, reading.columns[0]) != "decimal":
        return [f"count({value}) {kept} AS {name}_n", f"sum({value}) {kept} AS {name}_s"]
    return [
        f"count({SUMMABLE.format(x=value)}) {kept} AS {name}_n",
        f"sum({HIGH_PART.format(x=value)}) {kept} AS {name}_h",
        f"sum({LOW_PART.format(x=value)}) {kept} AS {name}_l",
    ]


def aggregated(reader: Reader, points: Points, table: str, readings: Sequence[tuple[str, Reading]]) -> str:
    """One row for each point that sees anything, with the parts of every reading; the name of that table."""
    parts = ", ".join(part for name, reading in readings for part in parts_of(reading, name))
    seen = pairs(points, table, [window_of(reading) for _, reading in readings])
    return reader.make(f"SELECT p.point, {parts} FROM {seen} GROUP BY p.point")


def covered(points: Points, table: str, reading: Reading) -> str:
    """A query of how many microseconds of each point's window rows cover, those that overlap counted once."""
    start, stop = edges(window_of(reading))
    parts = f"SELECT p.point, greatest(v.event_at, {start}) AS b, least(v.ends_at, {stop}) AS e FROM "
    parts += f"{pairs(points, table, [window_of(reading)])} WHERE {inside(window_of(reading))}"
    before = "max(e) OVER (PARTITION BY point ORDER BY b, e ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    new = "greatest(e - greatest(b, coalesce(before, b)), 0)"
    return f"SELECT point, CAST(sum({new}) AS BIGINT) AS n FROM (SELECT *, {before} AS before FROM ({parts})) GROUP BY point"


def differing_values(points: Points, table: str, reading: Reading, column: str) -> str:
    """A query of each point with every different value of a column in its window."""
    seen = pairs(points, table, [window_of(reading)])
    value = f"v.{quoted(column)}"
    return f"SELECT DISTINCT p.point, {value} AS x FROM {seen} WHERE {inside(window_of(reading))} AND {value} IS NOT NULL"


def listed(reader: Reader, points: Points, table: str, reading: Reading) -> str:
    """The values most seen in each point's window, best first: by how often, then the newest, then by value; the name of that table."""
    value = f"v.{quoted(reading.columns[0])}"
    seen = pairs(points, table, [window_of(reading)])
    most = reading.most if reading.next is None else None  # a truth is everything that came up
    cut = "" if most is None else f"[:{most}]"
    return reader.make(
        f"SELECT point, list(x ORDER BY n DESC, o DESC, x){cut} AS items FROM ("
        f"SELECT p.point, CAST({value} AS VARCHAR) AS x, count(*) AS n, max(v.o) AS o "
        f"FROM {seen} WHERE {inside(window_of(reading))} AND {value} IS NOT NULL GROUP BY ALL) GROUP BY point"
    )
