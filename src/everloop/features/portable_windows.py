"""Portable windows: what a group of readings says at each point, as exact parts, by running sums and interval joins.

In: a step of versions and a step of points. Out: steps with one row for each point. Text only; absent: clock, disk, engine.

Every version is seen by the moments ``enters < moment <= leaves``. What can be added up (counts, totals, distinct values) is a running sum
over all that enters and leaves; questions stand among it with kind -1, before whatever changes at their own instant. The newest and the
extreme values of a lifetime are running extremes of the versions nothing ever takes the place of. Everything else is joined by interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from everloop.features.definition import Window, nature_of, window_of
from everloop.features.finalize import LARGEST
from everloop.features.moments import FOREVER
from everloop.features.portable_rows import HELD, Steps
from everloop.features.reader import floored
from everloop.features.window import widest
from everloop.project.reading import Reading

#: The visibility rule solved for the moment: from when to when a version is seen. The tests catch a mutant of each.
KNOWN: Final = "v.known_at"
STARTS: Final = "{edge} + {hop} - ({stop}) - 1"
ENDS: Final = "{edge} + {hop} - ({start}) - 1"
SEEN: Final = "p.moment > {enters} AND p.moment <= {leaves}"
ANOTHER: Final = "v.id IS DISTINCT FROM p.asked_row"
QUESTION_KIND: Final = -1
#: Sums go beyond 64 bits.
EXACT: Final = "DECIMAL(38, 0)"
# One engine works out a step anew for each time it is named: both ends of a span are made of one reading of it.
_BOTH_ENDS: Final = f"CROSS JOIN (SELECT 1 AS sign UNION ALL SELECT -1) e WHERE (sign = 1 OR v.leaves < {FOREVER})"
_TS: Final = "CASE WHEN sign = 1 THEN v.enters ELSE v.leaves END"


@dataclass(frozen=True)
class Group:
    """Readings of the same rows of the same ``keys`` columns, in steps of one query.

    ``table``: versions with their keys ``k0`` … as text and their order ``o`` among those of the same keys. ``points``: distinct ``point``,
    ``moment``, keys and ``asked_row``. ``known_at``: None reads with each moment's own knowledge; else ``table`` holds only what was in
    force then. ``without_asked``: the row asked about does not count.
    """

    steps: Steps
    table: str
    points: str
    keys: tuple[str, ...]
    known_at: int | None
    without_asked: bool

    def same(self, left: str, right: str) -> list[str]:
        """That two rows have the same keys."""
        return [f"{left}.{key} = {right}.{key}" for key in self.keys]

    def interval(self, window: Window) -> tuple[str, str]:
        """When a version enters a window and when it leaves it, as SQL over ``v``."""
        edge, hop = floored("v.event_at", window.hop), max(window.hop, 1)
        enters, leaves = ([KNOWN], ["v.next_known"]) if self.known_at is None else ([], [])
        enters += [] if window.stop is None else [STARTS.format(edge=edge, hop=hop, stop=window.stop)]
        leaves += [] if window.start is None else [ENDS.format(edge=edge, hop=hop, start=window.start)]
        return _of_all("GREATEST", enters, -FOREVER), _of_all("LEAST", leaves, FOREVER)

    def seen(self, window: Window) -> str:
        """That a version counts at a point, as SQL over ``v`` and ``p``."""
        enters, leaves = self.interval(window)
        return SEEN.format(enters=enters, leaves=leaves)

    def adds_up(self, reading: Reading) -> bool:
        """Whether running sums tell a reading; of a lifetime's newest and extreme values they tell what never changes."""
        if reading.verb in ("count", "any", "none", "total", "mean"):
            return True
        if self.without_asked or reading.verb == "which":
            return False
        return reading.verb == "distinct" or is_lifelong(reading)


def _of_all(word: str, values: list[str], otherwise: int) -> str:
    return values[0] if len(values) == 1 else f"{word}({', '.join(values)})" if values else f"CAST({otherwise} AS BIGINT)"


def is_lifelong(reading: Reading) -> bool:
    """Whether a reading has no window: everything known counts."""
    return reading.last is None and reading.next is None


class Run(NamedTuple):
    """A column carried along: its name, the word that gathers it, what a version brings to it (nothing: see ``islands``), and its type."""

    name: str
    word: str
    brings: str | None
    kind: str

    @property
    def nothing(self) -> str:
        """What it holds where nothing is brought."""
        return f"CAST({'0' if self.word == 'SUM' else 'NULL'} AS {self.kind}) AS {self.name}"

    @property
    def leaves(self) -> str:
        """What it holds where a version leaves: what is newest or extreme is only told of versions that never do."""
        return self.nothing if self.brings is None or self.word != "SUM" else f"-({self.brings}) AS {self.name}"

    @property
    def changes(self) -> str:
        """What it holds where a version enters (``sign`` 1) or leaves (-1)."""
        if self.brings is None:
            return self.nothing
        otherwise = f" ELSE -({self.brings})" if self.word == "SUM" else ""
        return f"CASE WHEN sign = 1 THEN {self.brings}{otherwise} END AS {self.name}"


def runs_of(steps: Steps, reading: Reading) -> dict[str, Run]:
    """The parts of a reading that adds up, each with the column that is carried along for it."""
    if reading.verb in ("count", "any", "none"):
        return {"n": Run("n", "SUM", "CAST(1 AS BIGINT)", "BIGINT")}
    if reading.verb == "latest":
        return {"o": Run("newest", "MAX", f"CASE WHEN v.leaves = {FOREVER} THEN v.o END", "BIGINT")}
    column, nature = steps.column(reading.source, reading.columns[0]), nature_of(reading.source, reading.columns[0])
    if reading.verb == "distinct":
        return {"n": Run(f"{column}_d", "SUM", None, "BIGINT")}
    if reading.verb in ("lowest", "highest"):
        word = "MIN" if reading.verb == "lowest" else "MAX"
        return {"x": Run(f"{column}_{word.lower()}", word, f"CASE WHEN v.leaves = {FOREVER} THEN v.{column} END", HELD[nature])}
    parts = "abc" if nature == "decimal" else "s"
    there = f"v.{column}_a" if nature == "decimal" else f"v.{column}"
    made = {"n": Run(f"{column}_n", "SUM", f"CAST(CASE WHEN {there} IS NULL THEN 0 ELSE 1 END AS BIGINT)", "BIGINT")}
    for part in parts:
        value = f"v.{column}" if part == "s" else f"v.{column}_{part}"
        made[part] = Run(f"{column}_{part}s", "SUM", f"CAST(COALESCE({value}, 0) AS {EXACT})", EXACT)
    return made


def in_parts(steps: Steps, table: str, columns: Sequence[str]) -> str:
    """The same rows with each of these decimals in three whole parts: of 2**16, of 2**-44 and of 2**-100; none where it is too large.

    Each part fits into 64 bits and is cut towards zero, so together they are ``trunc(x * 2**100)``, as in ``finalize``.
    """
    for column in columns:
        table = steps.step(f"SELECT v.*, CASE WHEN ABS(v.{column}) <= {_double(LARGEST)} THEN v.{column} END AS {column}_x FROM {table} v")
        rest = f"v.{column}_x"
        for part, scale in (("a", 2.0**-16), ("b", 2.0**44), ("c", 2.0**100)):
            table = steps.step(f"SELECT v.*, {_cut(f'{rest} * {_double(scale)}')} AS {column}_{part} FROM {table} v")
            rest = f"({rest} - CAST(v.{column}_{part} AS DOUBLE) * {_double(1 / scale)})"
    return table


def _cut(value: str) -> str:
    # One engine rounds where the other cuts, and only one has TRUNC: FLOOR of what is not negative is the same everywhere.
    return f"CAST(CASE WHEN {value} < 0 THEN -FLOOR(-({value})) ELSE FLOOR({value}) END AS BIGINT)"


def _double(value: float) -> str:
    return f"CAST('{value!r}' AS DOUBLE)"


def added(group: Group, readings: Mapping[str, Reading]) -> str:
    """A step with a row for each point, and in it the parts ``name_part`` of all readings that add up."""
    windows = list(dict.fromkeys(map(window_of, readings.values())))
    runs: dict[str, Run] = {}
    shown = []
    for name, reading in readings.items():
        w = windows.index(window_of(reading))
        for part, run in runs_of(group.steps, reading).items():
            runs[run.name] = run
            shown.append(f"{run.word}(CASE WHEN w = {w} THEN {run.name} END) AS {name}_{part}")
    spans = _spans(group, windows)
    sums = _running(group, len(windows), spans, runs, _islands_of(group, windows, spans, readings))
    if group.without_asked:
        met = " AND ".join(["v.id = p.asked_row", *group.same("v", "p"), SEEN.format(enters="v.enters", leaves="v.leaves")])
        left_out = ", ".join(run.leaves for run in runs.values())
        sums += f"\nUNION ALL SELECT p.point, v.w, {left_out} FROM {group.points} p JOIN {spans} v ON {met}"
    return group.steps.step(f"SELECT point, {', '.join(shown)}\nFROM (\n{sums}\n) t\nGROUP BY point")


def _spans(group: Group, windows: Sequence[Window]) -> str:
    """Each version in each window that ever sees it."""
    edges = [group.interval(window) for window in windows]
    enters, leaves = (_by_window([edge[i] for edge in edges]) for i in range(2))
    every = f"SELECT v.*, w.w, {enters} AS enters, {leaves} AS leaves FROM {group.table} v CROSS JOIN ({_counts(len(windows))}) w"
    return group.steps.step(f"SELECT * FROM (\n{every}\n) v WHERE enters < leaves")


def _by_window(values: Sequence[str]) -> str:
    if len(set(values)) == 1:
        return values[0]
    return f"CASE w.w {' '.join(f'WHEN {w} THEN {value}' for w, value in enumerate(values))} END"


def _counts(upto: int, name: str = "w") -> str:
    return " UNION ALL ".join(f"SELECT CAST({i} AS BIGINT) AS {name}" for i in range(upto))


def _islands_of(group: Group, windows: Sequence[Window], spans: str, readings: Mapping[str, Reading]) -> list[tuple[str, str]]:
    """For each column whose distinct values are counted: its running column, and the step that says when a value comes and goes."""
    counted: dict[str, set[int]] = {}
    for reading in readings.values():
        if reading.verb == "distinct":
            counted.setdefault(group.steps.column(reading.source, reading.columns[0]), set()).add(windows.index(window_of(reading)))
    return [(f"{column}_d", _islands(group, spans, column, sorted(within))) for column, within in counted.items()]


def _islands(group: Group, spans: str, column: str, within: Sequence[int]) -> str:
    """When a value comes to be seen where it was not, and when the last version with it leaves: ``change`` is 1 and -1."""
    parted = ", ".join([*group.keys, "w", column])
    there = f"{column} IS NOT NULL AND w IN ({', '.join(map(str, within))})"
    both = f"SELECT {parted}, {_TS} AS ts, sign AS d FROM {spans} v {_BOTH_ENDS} AND {there}"
    at_once = f"SELECT {parted}, ts, SUM(d) AS d FROM (\n{both}\n) c GROUP BY {parted}, ts"
    after = f"SUM(d) OVER (PARTITION BY {parted} ORDER BY ts ROWS UNBOUNDED PRECEDING)"
    change = "CASE WHEN after > 0 AND after = d THEN 1 WHEN after = 0 AND d < 0 THEN -1 ELSE 0 END"
    told = f"SELECT {parted}, ts, d, {after} AS after FROM (\n{at_once}\n) c"
    return group.steps.step(f"SELECT {', '.join([*group.keys, 'w'])}, ts, CAST({change} AS BIGINT) AS change FROM (\n{told}\n) c")


def _running(group: Group, windows: int, spans: str, runs: Mapping[str, Run], islands: Sequence[tuple[str, str]]) -> str:
    """Every point in every window with what is seen there, as a query."""
    parted = ", ".join([*group.keys, "w"])
    asked = ", ".join([*(f"p.{key}" for key in group.keys), "w.w"])
    nobody = "CAST(NULL AS BIGINT)"
    changed = ", ".join(run.changes for run in runs.values())
    rows = [f"SELECT {parted}, {_TS} AS ts, 0 AS kind, {nobody} AS point, {changed} FROM {spans} v {_BOTH_ENDS}"]
    for counted, step in islands:
        changes = ", ".join(f"change AS {r.name}" if r.name == counted else r.nothing for r in runs.values())
        rows.append(f"SELECT {parted}, ts, 0, {nobody}, {changes} FROM {step} WHERE change <> 0")
    nothing = ", ".join(r.nothing for r in runs.values())
    rows.append(f"SELECT {asked}, p.moment, {QUESTION_KIND}, p.point, {nothing} FROM {group.points} p CROSS JOIN ({_counts(windows)}) w")
    frame = f"PARTITION BY {parted} ORDER BY ts, kind ROWS UNBOUNDED PRECEDING"
    sums = ", ".join(f"{_gathered(run, frame)} AS {run.name}" for run in runs.values())
    together = "\nUNION ALL ".join(rows)
    return (
        f"SELECT point, w, {', '.join(runs)} FROM (\nSELECT kind, point, w, {sums}\nFROM (\n{together}\n) c) c WHERE kind = {QUESTION_KIND}"
    )


def _gathered(run: Run, frame: str) -> str:
    said = f"{run.word}({run.name}) OVER ({frame})"
    # One engine widens a sum of whole numbers, the other does not: what is said afterwards is the same.
    return f"CAST({said} AS {run.kind})" if run.word == "SUM" else said


# -- what is joined -----------------------------------------------------------------------------------------------------------------


def joined(group: Group, readings: Mapping[str, Reading], *, changed: bool = False) -> str:
    """A step with a row for each point that meets any version, and in it the parts of these readings; ``changed``: of changed ones only."""
    parts = []
    for name, reading in readings.items():
        inside, verb = group.seen(window_of(reading)), reading.verb
        if verb == "latest":
            parts.append(f"MAX(CASE WHEN {inside} THEN v.o END) AS {name}_o")
            continue
        value = f"CASE WHEN {inside} THEN v.{group.steps.column(reading.source, reading.columns[0])} END"
        if verb == "distinct":
            parts.append(f"COUNT(DISTINCT {value}) AS {name}_n")
        else:
            parts.append(f"{'MIN' if verb == 'lowest' else 'MAX'}({value}) AS {name}_x")
    met = pairs(group, [window_of(reading) for reading in readings.values()], changed)
    return group.steps.step(f"SELECT p.point, {', '.join(parts)}\nFROM {met}\nGROUP BY p.point")


def pairs(group: Group, windows: Sequence[Window], changed: bool = False) -> str:
    """Every point with every version it can see in any of these windows, as the FROM of a query over ``p`` and ``v``."""
    met = group.same("v", "p")
    met += [SEEN.format(enters=KNOWN, leaves="v.next_known")] if group.known_at is None else []
    met += [ANOTHER] if group.without_asked else []
    met += [f"v.next_known < {FOREVER}"] if changed else []
    # What is read with later knowledge than the moment's own has no end unless it says one.
    endless = group.known_at is not None and any(window.stop is None for window in windows)
    whole = None if endless else widest(windows)
    if whole is None:
        return f"{group.points} p JOIN {group.table} v ON {' AND '.join(met) or '1 = 1'}"
    # Rows meet points by key and by stretch of time first, so that a deep history is not compared with every moment.
    pace = max((whole[1] - whole[0]) // 4, 1)
    first, last = (floored(f"(p.moment + ({edge}))", pace) for edge in whole)
    counts = _counts((whole[1] - whole[0]) // pace + 2, "i")
    spread = group.steps.step(
        f"SELECT p.*, {first} + i * {pace} AS stretch FROM {group.points} p CROSS JOIN ({counts}) c WHERE {first} + i * {pace} <= {last}"
    )
    return f"{spread} p JOIN {group.table} v ON {' AND '.join([floored('v.event_at', pace) + ' = p.stretch', *met])}"


def lifelong(group: Group, readings: Mapping[str, Reading], steady: str) -> str:
    """The newest and extreme values of a lifetime: of what never changes, which ``steady`` tells, and of what does."""
    if group.known_at is not None:
        return steady
    parts = {f"{name}_{'o' if r.verb == 'latest' else 'x'}": "MIN" if r.verb == "lowest" else "MAX" for name, r in readings.items()}
    shown = ", ".join(parts)
    both = f"SELECT point, {shown} FROM {steady} UNION ALL SELECT point, {shown} FROM {joined(group, readings, changed=True)}"
    return group.steps.step(
        f"SELECT point, {', '.join(f'{word}({part}) AS {part}' for part, word in parts.items())}\nFROM ({both}) b GROUP BY point"
    )


def newest_values(group: Group, newest: Mapping[str, str], readings: Mapping[str, Reading]) -> str:
    """The values ``name_x`` of the newest versions; ``newest`` says in which step the order ``name_o`` of each is found."""
    orders = "\nUNION ALL ".join(f"SELECT point, {i} AS i, {name}_o AS o FROM {step}" for i, (name, step) in enumerate(newest.items()))
    columns = [group.steps.column(readings[name].source, readings[name].columns[0]) for name in newest]
    shown = ", ".join(
        f"MAX(CASE WHEN l.i = {i} THEN v.{column} END) AS {name}_x" for i, (name, column) in enumerate(zip(newest, columns, strict=True))
    )
    met = " AND ".join(["v.o = l.o", *group.same("v", "p")])
    found = f"(\n{orders}\n) l JOIN {group.points} p ON p.point = l.point JOIN {group.table} v ON {met}"
    return group.steps.step(f"SELECT l.point, {shown}\nFROM {found}\nGROUP BY l.point")


def listed(group: Group, name: str, reading: Reading) -> str:
    """The values most seen at each point, ``name_items``: by how often, then the newest, then by value.

    Each stands behind its place, in ten digits: the order of a list is not the same everywhere.
    """
    value = f"v.{group.steps.column(reading.source, reading.columns[0])}"
    met = pairs(group, [window_of(reading)])
    counted = (
        f"SELECT p.point, CAST({value} AS STRING) AS x, COUNT(*) AS n, MAX(v.o) AS o\nFROM {met}\n"
        f"WHERE {group.seen(window_of(reading))} AND {value} IS NOT NULL GROUP BY p.point, CAST({value} AS STRING)"
    )
    ranked = f"SELECT point, x, ROW_NUMBER() OVER (PARTITION BY point ORDER BY n DESC, o DESC, x) AS place FROM (\n{counted}\n) c"
    most = reading.most if reading.next is None else None  # a truth is everything that came up
    kept = "" if most is None else f" WHERE place <= {most}"
    items = "ARRAY_AGG(CONCAT(LPAD(CAST(place AS STRING), 10, '0'), x))"
    return group.steps.step(f"SELECT point, {items} AS {name}_items FROM (\n{ranked}\n) r{kept} GROUP BY point")
