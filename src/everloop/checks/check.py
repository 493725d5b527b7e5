"""Check: every ``must=`` clause of every source a model reads, judged on the rows in force. In: event tables. Out: a report.

No clock, no disk; one statement in memory for each source.

Each clause is judged twice: over all rows, and over the newest, those the last passed report had not seen. The worse decides, so a bad
delivery is found however small it is beside the history (prices in cents among a million in euros). Over all rows the share must hold as it
was said; over the newest, a few of which may fall short by chance, a clause fails where so many broken rows would come less than once in a
thousand times from rows that meet it.

A row that does not say a column neither meets nor breaks a bound on it (``always`` is the clause for that): shares are of the rows that
say it. A source with no rows in force, or none that say the column, is *not enough evidence*; one that says what voids a truth, and nothing
else, may have none: then none is void.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import duckdb
import pyarrow as pa

from everloop.checks.clauses import count
from everloop.checks.columns import Delivered, column_findings
from everloop.checks.fresh import fresh_finding
from everloop.checks.judged import judged
from everloop.checks.volume import volume, volume_finding
from everloop.clock import microseconds
from everloop.errors import Unknown
from everloop.project.conditions import fresh, meets, usual_volume
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.project.spoken_values import spoken_count
from everloop.records import Finding, Report, Snapshot


def check(
    snapshot: Snapshot, tables: Mapping[str, pa.Table], model: Model, *, deliveries: Sequence[Delivered] = (),
    since_seq: Mapping[str, int] | None = None, awaited: Mapping[str, Collection[str]] = MappingProxyType({}), now: datetime, id: str,
) -> Report:  # fmt: skip
    """Judge whether a snapshot is fit for a model to learn from.

    ``tables`` has the event table of each source the model reads, ``deliveries`` what came when and with which columns, ``since_seq`` per
    source the last row of the last report that passed (none: there was none), ``awaited`` per source the columns that may be missing,
    ``now`` is an aware instant, for ``fresh``.

    >>> from datetime import UTC
    >>> from everloop import at_least, days, every
    >>> orders = Source("orders", id="line_id", time="at", columns={"shop": str, "quantity": int},
    ...                 must=at_least("quantity", 1, share=0.9))
    >>> def learn(rows): ...
    >>> demand = Model("demand", predicts=orders.total("quantity", next=days(7)), per="shop", asked=every(days(1)),
    ...                knows=orders.total("quantity", last=days(7)), learner=learn)
    >>> rows = {"seq": [1, 2], "id": ["a", "b"], "version": [0, 0], "event_at": [1, 2], "known_at": [1, 2], "deleted": [False, False],
    ...         "line_id": ["a", "b"], "at": [1, 2], "shop": ["x", "x"], "quantity": [3, 0]}
    >>> noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    >>> report = check(Snapshot(id="s", made_at=noon, extents=()), {"orders": pa.table(rows)}, demand, now=noon, id="r")
    >>> report.passed, report.findings[0].sentence, report.findings[0].examples
    (False, 'In orders, quantity is at least 1 in 50 % of 2 rows; 90 % are needed.', ('b: 0',))

    Raises Unknown for a source or a column that ``tables`` lack.
    """
    findings: list[Finding] = []
    learnt_from = {source.name for source in (model.but(model.name, void_when=()) if model.void_when else model).sources}
    with duckdb.connect(":memory:", config={"threads": 2}) as engine:
        for name, table in tables.items():
            engine.register(f"events_{name}", table)
        for source in model.sources:
            if source.name not in tables:
                raise Unknown("table of source", source.name, sorted(tables), next="Give one event table for each source the model reads.")
            findings += column_findings(source, deliveries, awaited.get(source.name, ()))
            findings += _findings(
                engine, source, tables, deliveries, (since_seq or {}).get(source.name), now, source.name not in learnt_from
            )
    return Report(id=id, made_at=now, made_from=(snapshot.id,), model=model.name, findings=tuple(findings))


def _findings(
    engine: duckdb.DuckDBPyConnection, source: Source, tables: Mapping[str, pa.Table], deliveries: Sequence[Delivered],
    since: int | None, now: datetime, only_voids: bool,
) -> list[Finding]:  # fmt: skip
    counted = count(engine, source, tables, since=since, until=microseconds(now))
    if counted.all_rows == 0:
        return [_nothing(source, tables[source.name].num_rows, only_voids)]
    clauses = list(counted.clauses)
    found = []
    for condition in source.must:
        if isinstance(condition, fresh):
            arrived = [d.at for d in deliveries if d.source == source.name and d.withdrawn_at is None and d.last_seq >= d.first_seq]
            found.append(fresh_finding(condition, source, counted, max(arrived, default=None), now))
        elif isinstance(condition, usual_volume):
            found.append(volume_finding(condition, source, volume(tables[source.name], now, late=source.late, by=condition.by)))
        elif not isinstance(condition, meets):  # what a file says is judged by whoever reads files
            found.append(judged(condition, source, clauses.pop(0)))
    return found


def _nothing(source: Source, rows: int, only_voids: bool) -> Finding:
    why = f"all {spoken_count(rows, 'row')} are deleted" if rows else "there are none yet"
    return Finding(
        source=source.name, clause="rows", outcome="passed" if only_voids else "not enough evidence", rows=0, broken=0, met=None, share=1.0,
        sentence=f"{source.name} has no rows in force: {why}{', so no truth is void' if only_voids else ''}.",
    )  # fmt: skip
