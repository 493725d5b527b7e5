"""Versions: from when until when each version of a row is in force, with what it inherits, and only the rows that are meant.

In: the event table of a source. Out: a table in the reader with ``id, event_at, known_at, next_known, o`` and the columns asked for. A row
of it counts at a query time ``t`` iff ``known_at < t <= next_known``. ``next_known`` is when a higher version of the same id was first
known: a version that arrives after a higher one is never in force. ``o`` orders rows by event time, then id. Deleted versions, and those
that break a ``where``, are not there, but still end the version before them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from everloop.errors import Unknown
from everloop.features.definition import condition_column, nature_of
from everloop.features.moments import FOREVER
from everloop.features.reader import Reader, literal, quoted, require
from everloop.project.conditions import RowCondition, always, at_least, at_most, one_of
from everloop.project.source import Source

#: When what follows a version is known. A mutant of it must be caught by the laws.
NEXT_KNOWN: Final = "min(known_at) OVER (PARTITION BY id ORDER BY version DESC, seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"


def versions(reader: Reader, source: Source, columns: Iterable[str], *, ordered: bool = True) -> str:
    """Prepare the versions of a source that its ``where`` keeps, with these columns, its own or inherited; give the table's name.

    Not ``ordered``: ``o`` only tells versions apart, which spares a sort.
    """
    wanted = frozenset(columns)
    rows = (source.name, tuple(map(repr, source.rows)))
    prepared = reader.prepared_versions.setdefault(rows, {})
    for (there, in_order), name in prepared.items():
        if wanted <= there and in_order >= ordered:
            return name
    order = "ORDER BY event_at, id, known_at" if ordered else ""
    prepared[wanted, ordered] = reader.make(f"SELECT *, row_number() OVER ({order}) AS o FROM ({kept(reader, source, sorted(wanted))})")
    return prepared[wanted, ordered]


def kept(reader: Reader, source: Source, columns: Iterable[str], *, with_id: bool = True, lasting: bool = False) -> str:
    """A query of the versions of a source that its ``where`` keeps: ``nr, id, event_at, known_at, next_known`` and these columns.

    ``lasting``, and wherever rows last from one instant to another: ``event_at`` is when a row begins by its own word, also if that is
    after it was known, and ``ends_at`` when it ends: at least a microsecond later, never if it does not say.
    """
    lasting = lasting or len(source.time) == 2
    event_at, last = ("coalesce(" + quoted(source.time[0]) + ", event_at)" if lasting and source.time else "event_at"), ""
    if lasting:
        ends = quoted(source.time[-1]) if source.time else "event_at"
        last = f", CASE WHEN {ends} IS NULL THEN {FOREVER} ELSE greatest({ends}, {event_at} + 1) END AS ends_at"
    shown = [f"nr{', id' if with_id else ''}, {event_at} AS event_at{last}, known_at, next_known", *map(quoted, columns)]
    said = (*columns, *(source.time if lasting else ()), *map(condition_column, source.rows))
    table = with_inherited(reader, source, dict.fromkeys(said))
    met = " AND ".join(["NOT deleted", "known_at < next_known", *(condition_sql(source, c) for c in source.rows)])
    return f"SELECT {', '.join(shown)} FROM {table} WHERE {met}"


def chain(reader: Reader, source: Source) -> str:
    """Every version of every row: its number ``nr``, when the next was known, and whether it is the first said of its id."""
    key = ("chain", source.name)
    if key not in reader.prepared:
        events = reader.events(source)
        # Most rows never change: only ids that come more than once are put in order.
        again = (
            f"SELECT *, {taken_back(source)} AS back FROM {events} WHERE id IN (SELECT id FROM {events} GROUP BY id HAVING count(*) > 1)"
        )
        reader.prepared[key] = reader.make(
            f"SELECT nr, coalesce({NEXT_KNOWN}, {FOREVER}) AS next_known, "
            f"NOT back AND row_number() OVER (PARTITION BY id ORDER BY back, version, seq) = 1 AS first_said FROM ({again})"
        )
    return reader.prepared[key]


def taken_back(source: Source) -> str:
    """SQL over versions: whether one came with a delivery that was withdrawn later, or is what answers it (``lake/withdraw.py``).

    Nobody else says that a row is gone under a version that was said already, or at all where a source has no column for it. Without
    versions and with such a column nothing tells a row that was withdrawn from one that went.
    """
    if source.version is None and source.deleted is not None:
        return "false"
    same = "PARTITION BY id, version" if source.version is not None else "PARTITION BY id"
    gone = f"MAX(CASE WHEN deleted THEN seq END) OVER ({same})"
    return f"COALESCE({gone} > MIN(seq) OVER ({same}) AND seq <= {gone}, false)"


def ever_changed(reader: Reader, source: Source) -> bool:
    """Whether any row of a source came more than once."""
    key = ("changed", source.name)
    if key not in reader.prepared:
        # Hashes tell ids apart for half the price; two ids of one hash only mean that nothing is spared.
        hashes = np.sort(reader.rows(f"SELECT hash(id) AS h FROM {reader.events(source)}")["h"].to_numpy())
        reader.prepared[key] = "yes" if bool((hashes[1:] == hashes[:-1]).any()) else "no"
    return reader.prepared[key] == "yes"


def every_version(reader: Reader, source: Source, columns: Iterable[str]) -> str:
    """A query of every version, deleted ones too, with these own columns of the source, each held as its nature is."""
    events, table = reader.events(source), reader.tables[source.name]
    own = [column for column in dict.fromkeys(columns) if column not in ("id", "event_at", "known_at", "deleted")]
    require(source, table, own)
    shown = "".join(f", {value_sql(source, column)} AS {quoted(column)}" for column in own)
    if not ever_changed(reader, source):
        return (
            f"SELECT e.nr, e.id, e.version, e.event_at, e.known_at, coalesce(e.deleted, false) AS deleted, {FOREVER} AS next_known, "
            f"true AS first_said{shown} FROM {events} e"
        )
    return (
        f"SELECT e.nr, e.id, e.version, e.event_at, e.known_at, coalesce(e.deleted, false) AS deleted, "
        f"coalesce(c.next_known, {FOREVER}) AS next_known, "
        f"coalesce(c.first_said, true) AS first_said{shown} FROM {events} e LEFT JOIN {chain(reader, source)} c USING (nr)"
    )


def value_sql(source: Source, column: str) -> str:
    """A column's value as it is held while read: infinities and NaN are empty, minus zero is zero, dates are their midnight in UTC."""
    name, nature = f"e.{quoted(column)}", nature_of(source, column)
    if nature == "decimal":
        return f"CASE WHEN isfinite(CAST({name} AS DOUBLE)) THEN CASE WHEN {name} = 0 THEN 0.0::DOUBLE ELSE CAST({name} AS DOUBLE) END END"
    if nature == "instant":
        return f"epoch_us(CAST({name} AS TIMESTAMP))" if source.every_column[column].__name__ == "date" else f"CAST({name} AS BIGINT)"  # type: ignore[union-attr]
    return f"CAST({name} AS {'VARCHAR' if nature == 'words' else 'BIGINT'})"


def with_inherited(reader: Reader, source: Source, columns: Iterable[str]) -> str:
    """The name or the query, in brackets, of every version with these columns, taking over from parents what is not the source's own."""
    wanted = tuple(columns)
    steps = inheritance(source, wanted)
    own = dict.fromkeys(c for c in (*wanted, *([] if source.apart is None else [source.apart])) if source.parent_of(c) is None)
    own |= dict.fromkeys(c for parent, _ in steps for c in parent.id if source.parent_of(c) is None)
    table = f"({every_version(reader, source, own)})"
    have = list(own)
    for parent, taken in steps:
        table = _taken_over(reader, table, have, parent, taken, source.apart if parent.apart else None)
        have += taken
    return table


def inheritance(source: Source, columns: Iterable[str]) -> list[tuple[Source, list[str]]]:
    """From which parent which columns are taken over, nearest first, with the ids that lead on to grandparents.

    Raises Unknown for a column that neither the source nor a parent has.
    """
    steps: dict[str, tuple[Source, list[str]]] = {}

    def take(column: str) -> None:
        holder, parent = source, source.parent_of(column)
        if parent is None and column not in source.every_column:
            raise Unknown("column", column, tuple(source.every_column), where=source.name)
        while parent is not None:
            for link in parent.id:
                if link != column and source.parent_of(link) is not None:
                    take(link)
            holder, parent = parent, parent.parent_of(column)
        if holder is not source:
            taken = steps.setdefault(holder.name, (holder.base, []))[1]
            if column not in taken:
                taken.append(column)

    for column in columns:
        take(column)
    return list(steps.values())


def _taken_over(reader: Reader, child: str, have: list[str], parent: Source, taken: list[str], apart: str | None) -> str:
    """Each child's version with its parent's columns as known when this id with this parent first arrived; or, if there was no parent yet,
    without them until the parent's first later version is known, and with them from then on. ``apart``: the child's column of what must
    not meet, where both say it."""
    kept = "".join(f", c.{quoted(column)}" for column in have)
    links = [quoted(column) for column in parent.id]
    shops = [] if apart is None or parent.apart is None else [(quoted(apart), quoted(parent.apart))]
    parents = f"({every_version(reader, parent, (*parent.id, *taken, *([parent.apart] if shops and parent.apart else [])))})"
    pairs = dict.fromkeys([*((link, link) for link in links), *shops])
    same = " AND ".join(f"CAST(a.{link} AS VARCHAR) = CAST(p.{own} AS VARCHAR)" for link, own in pairs)
    arrived = reader.make(
        f"SELECT row_number() OVER () AS part, *, min(known_at) OVER (PARTITION BY id, {', '.join(links)}) AS arrived FROM {child}"
    )
    found = reader.make(
        f"SELECT a.part, min(p.known_at) AS since, arg_min(p.nr, p.known_at) AS nr FROM {arrived} a JOIN {parents} p ON {same} "
        "WHERE NOT p.deleted AND p.known_at < p.next_known AND a.arrived <= p.next_known GROUP BY a.part"
    )
    values = "".join(f", p.{quoted(column)}" for column in taken)
    empty = "".join(f", NULL AS {quoted(column)}" for column in taken)
    since = f"CASE WHEN f.since IS NULL THEN {FOREVER} WHEN f.since < c.arrived THEN c.known_at ELSE greatest(c.known_at, f.since) END"
    whole = "SELECT c.nr, c.id, c.event_at, c.deleted, c.first_said"
    return reader.make(
        f"{whole}, {since} AS known_at, c.next_known{kept}{values} "
        f"FROM {arrived} c JOIN {found} f USING (part) JOIN {parents} p ON p.nr = f.nr WHERE {since} < c.next_known UNION ALL BY NAME "
        f"{whole}, c.known_at, least(c.next_known, {since}) AS next_known{kept}{empty} "
        f"FROM {arrived} c LEFT JOIN {found} f USING (part) WHERE f.part IS NULL OR {since} > c.known_at"
    )


def condition_sql(source: Source, condition: RowCondition) -> str:
    """A row condition as SQL; what is empty meets none."""
    column = quoted(condition_column(condition))
    if isinstance(condition, always):
        return f"{column} IS NOT NULL"
    if isinstance(condition, at_least | at_most):
        return f"coalesce({column} {'>=' if isinstance(condition, at_least) else '<='} {literal(condition.value)}, false)"
    if isinstance(condition, one_of):
        words = nature_of(source, condition_column(condition)) == "words"
        values = ", ".join(literal(str(value) if words else value) for value in condition.values)
        return f"coalesce({column} IN ({values}), false)"
    raise Unknown("row condition", repr(condition), ("always", "at_least", "at_most", "one_of"))
