"""Rows in force: of each id the newest version, unless it is deleted, with what is inherited from parents. In: a source. Out: SQL.

Newest is the highest version, among equal ones the last to arrive. Inherited columns are taken as their parents say them now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import Unknown
from everloop.project.source import Source


def quoted(name: str) -> str:
    """A name as SQL says it.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def in_force(source: Source, tables: Mapping[str, pa.Table], columns: Iterable[str]) -> str:
    """A query of ``seq, id`` and these columns of the rows in force; the event table of each source is called ``events_<name>``.

    >>> orders = Source("orders", id="line_id", columns={"quantity": int})
    >>> in_force(orders, {"orders": pa.table({"version": [0], "quantity": [1]})}, ["quantity"])
    'SELECT e.seq, e.id, e."quantity" FROM events_orders e WHERE NOT deleted'
    """
    wanted = list(dict.fromkeys(columns))
    own = [name for name in wanted if source.parent_of(name) is None]
    parents: dict[str, tuple[Source, list[str]]] = {}
    for name in wanted:
        if (parent := source.parent_of(name)) is not None:
            parents.setdefault(parent.name, (parent, []))[1].append(name)
    links = [link for parent, _ in parents.values() for link in parent.id if link not in wanted]
    for name in (*own, *links):
        if source.parent_of(name) is None and name not in tables[source.name].column_names:
            raise Unknown("column", name, tables[source.name].column_names, where=f"the table of {source.name}")
    rows = _newest(source, tables[source.name], [*own, *dict.fromkeys(link for link in links if source.parent_of(link) is None)])
    if not parents:
        return rows
    shown, joins = ["c.seq", "c.id", *(f"c.{quoted(name)}" for name in own)], []
    for place, (parent, names) in enumerate(parents.values()):
        if parent.name not in tables:
            raise Unknown("table of source", parent.name, sorted(tables))
        inner = in_force(parent.base, tables, [*parent.id, *names])
        on = " AND ".join(f"c.{quoted(link)} = p{place}.{quoted(link)}" for link in parent.id)
        joins.append(f"LEFT JOIN ({inner}) p{place} ON {on}")
        shown += [f"p{place}.{quoted(name)}" for name in names]
    return f"SELECT {', '.join(shown)} FROM ({rows}) c {' '.join(joins)}"


def _newest(source: Source, table: pa.Table, columns: list[str]) -> str:
    shown = ", ".join(["e.seq", "e.id", *(f"e.{quoted(name)}" for name in columns)])
    rows = f"SELECT {shown} FROM events_{source.name} e WHERE NOT deleted"
    if source.version is None and (pc.max(table.column("version")).as_py() or 0) == 0:
        return rows  # nothing was ever said twice
    # Most rows never change: only ids said more than once are put in order.
    events = f"events_{source.name}"
    again = f"SELECT id FROM {events} GROUP BY id HAVING count(*) > 1" if source.version else f"SELECT id FROM {events} WHERE version > 0"
    last = f"SELECT arg_max(seq, (version, seq)) FROM {events} WHERE id IN ({again}) GROUP BY id"
    return f"{rows} AND (id NOT IN ({again}) OR seq IN ({last}))"
