"""Portable rows: which versions of which rows there are, said in SQL that DuckDB and Spark read alike.

In: sources and their columns. Out: named steps of one query. A step is a common table expression; two steps that say the same are one.
Text only; absent: clock, disk, engine.

Of SQL only what both engines mean the same by: names that need no quotes (tables and columns are renamed at the door), no backslash,
quote or dollar inside a literal, ``STRING`` for text, and no cast from a decimal to a whole number that would round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from everloop.errors import Unknown
from everloop.features.definition import Nature, condition_column, nature_of
from everloop.features.moments import FOREVER
from everloop.features.versions import inheritance, taken_back
from everloop.project.conditions import RowCondition, always, at_least, at_most, one_of
from everloop.project.source import Source

#: How each nature is held in a portable query.
HELD: Final[Mapping[Nature, str]] = {"whole": "BIGINT", "flag": "BIGINT", "instant": "BIGINT", "decimal": "DOUBLE", "words": "STRING"}
#: When what follows a version is known. The tests catch a mutant of it.
NEXT_KNOWN: Final = "MIN(known_at) OVER (PARTITION BY id ORDER BY version DESC, seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
_LARGEST: Final = "CAST('1.7976931348623157e308' AS DOUBLE)"
#: Columns of a child and of its parent that have to be the same.
Links: TypeAlias = "list[tuple[str, str]]"
_PLAIN: Final = frozenset("'\\$")


class Steps:
    """A query as it grows. ``columns`` holds, for each table it reads, under which name each column has to be given."""

    def __init__(self) -> None:
        self.columns: dict[str, dict[str, str]] = {}
        self._sources: dict[str, Source] = {}
        self._steps: dict[str, str] = {}

    def step(self, query: str) -> str:
        """The name of a step that says this."""
        return self._steps.setdefault(query, f"step_{len(self._steps) + 1}")

    def column(self, source: Source, column: str) -> str:
        """The name in here of a column, a source's own or one it inherits. Raises Unknown."""
        holder: Source | None = source
        while holder is not None:
            source, holder = holder, holder.parent_of(column)
        nature_of(source, column)
        named = self.columns.setdefault(f"events_{source.name}", {})
        return named.setdefault(column, f"{source.name}_{len(named)}")

    def said(self, source: Source) -> str:
        """The step with every version of a source, deleted ones too."""
        self._sources[source.name] = source.base
        self.columns.setdefault(f"events_{source.name}", {})
        return f"said_{source.name}"

    def all(self) -> tuple[tuple[str, str], ...]:
        """Every step with its name, each after those it names."""
        first = [(self.said(source), _said(source, self.columns[f"events_{source.name}"])) for source in list(self._sources.values())]
        return (*first, *((name, query) for query, name in self._steps.items()))


def _said(source: Source, columns: Mapping[str, str]) -> str:
    held = "".join(f",\n  {_clean(name, nature_of(source, column))} AS {name}" for column, name in columns.items())
    return (
        f"SELECT seq, id, event_at, known_at, COALESCE(deleted, false) AS deleted,\n  COALESCE({NEXT_KNOWN}, {FOREVER}) AS next_known,\n"
        f"  CASE WHEN back THEN 0 ELSE ROW_NUMBER() OVER (PARTITION BY id ORDER BY back, version, seq) END AS nth_said{held}\n"
        f"FROM (SELECT e.*, {taken_back(source)} AS back FROM events_{source.name} e) e"
    )


def _clean(name: str, nature: Nature) -> str:
    """A column as it is held while read: infinities and NaN are empty, minus zero is zero."""
    if nature != "decimal":
        return name
    # Both engines hold NaN to be larger than every number, so one bound keeps out NaN and infinity.
    return f"CASE WHEN ABS({name}) <= {_LARGEST} THEN CASE WHEN {name} = 0 THEN CAST(0 AS DOUBLE) ELSE {name} END END"


def versions(steps: Steps, source: Source, columns: Iterable[str]) -> str:
    """The step with the versions a source's ``where`` keeps: ``seq, id, event_at, known_at, next_known`` and these columns."""
    wanted = tuple(dict.fromkeys(columns))
    table = with_inherited(steps, source, dict.fromkeys((*wanted, *map(condition_column, source.rows))))
    kept = ["NOT deleted", "known_at < next_known", *(condition(steps, source, c) for c in source.rows)]
    names = "".join(f", {name}" for name in dict.fromkeys(steps.column(source, column) for column in wanted))
    return steps.step(f"SELECT seq, id, event_at, known_at, next_known{names}\nFROM {table}\nWHERE {' AND '.join(kept)}")


def with_inherited(steps: Steps, source: Source, columns: Iterable[str]) -> str:
    """The step with every version and these columns, taking over from parents what is not the source's own."""
    wanted = tuple(columns)
    taken_over = inheritance(source, wanted)
    own = [c for c in wanted if source.parent_of(c) is None]
    own += [] if source.apart is None or not taken_over else [source.apart]
    own += [c for parent, _ in taken_over for c in parent.id if source.parent_of(c) is None]
    have = list(dict.fromkeys(steps.column(source, column) for column in own))
    table = steps.said(source)
    for parent, taken in taken_over:
        links = [(steps.column(source, link), steps.column(parent, link)) for link in parent.id]
        shops = (
            []
            if source.apart is None or parent.apart is None
            else [(steps.column(source, source.apart), steps.column(parent, parent.apart))]
        )
        natures = {steps.column(parent, column): nature_of(parent, column) for column in taken}
        table = _taken_over(steps, table, have, steps.said(parent), links, shops, natures)
        have += natures
    return table


def _taken_over(
    steps: Steps, child: str, have: list[str], parent: str, links: Links, shops: Links, taken: Mapping[str, Nature]
) -> str:  # fmt: skip
    """Each child's version with its parent's columns as known when this id with this parent first arrived; or, if there was no parent yet,
    without them until the parent's first later version is known, and with them from then on. ``shops``: what must not meet, where both
    say it."""
    of = ", ".join(link for link, _ in links)
    arrived = steps.step(f"SELECT c.*, MIN(known_at) OVER (PARTITION BY id, {of}) AS arrived\nFROM {child} c")
    same = " AND ".join(f"CAST(a.{mine} AS STRING) = CAST(p.{theirs} AS STRING)" for mine, theirs in dict.fromkeys([*links, *shops]))
    since = (
        f"CASE WHEN p.known_at IS NULL THEN {FOREVER} WHEN p.known_at < a.arrived THEN a.known_at ELSE GREATEST(a.known_at, p.known_at) END"
    )
    found = (
        f"SELECT a.*, {since} AS since{''.join(f', p.{name} AS {name}_t' for name in taken)},\n"
        "  ROW_NUMBER() OVER (PARTITION BY a.seq, a.known_at ORDER BY p.known_at, p.seq) AS nth\n"
        f"FROM {arrived} a LEFT JOIN (SELECT * FROM {parent} WHERE NOT deleted AND known_at < next_known) p\n"
        f"ON {same} AND a.arrived <= p.next_known"
    )
    both = steps.step(f"SELECT * FROM (\n{found}\n) f WHERE nth = 1")
    kept = "".join(f", {name}" for name in have)
    taken_over = "".join(f", CASE WHEN i = 1 THEN {name}_t END AS {name}" for name in taken)
    return steps.step(
        "SELECT seq, id, event_at, deleted, nth_said, CASE WHEN i = 1 THEN since ELSE known_at END AS known_at,\n"
        f"  CASE WHEN i = 1 THEN next_known ELSE LEAST(next_known, since) END AS next_known{kept}{taken_over}\n"
        f"FROM {both} b CROSS JOIN (SELECT 0 AS i UNION ALL SELECT 1) i\n"
        "WHERE (i = 1 AND since < next_known) OR (i = 0 AND since > known_at)"
    )


def condition(steps: Steps, source: Source, said: RowCondition) -> str:
    """A row condition as SQL; what is empty meets none."""
    name = steps.column(source, condition_column(said))
    if isinstance(said, always):
        return f"{name} IS NOT NULL"
    if isinstance(said, at_least | at_most):
        return f"COALESCE({name} {'>=' if isinstance(said, at_least) else '<='} {literal(said.value)}, false)"
    if isinstance(said, one_of):
        words = nature_of(source, condition_column(said)) == "words"
        values = ", ".join(literal(str(value) if words else value) for value in said.values)
        return f"COALESCE({name} IN ({values}), false)"
    raise Unknown("row condition", repr(said), ("always", "at_least", "at_most", "one_of"))


def literal(value: object) -> str:
    """A value as both engines say it; what either of them would take for more than a character is said by its number.

    >>> literal("it's"), literal(1.5), literal(True)
    ("CONCAT('it', CHR(39), 's')", "CAST('1.5' AS DOUBLE)", '1')
    """
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    parts, plain = [], ""
    for character in str(value):
        if character in _PLAIN or ord(character) < 32:
            parts += [f"'{plain}'"] if plain else []
            parts.append(f"CHR({ord(character)})")
            plain = ""
        else:
            plain += character
    parts += [f"'{plain}'"] if plain or not parts else []
    return parts[0] if len(parts) == 1 else f"CONCAT({', '.join(parts)})"
