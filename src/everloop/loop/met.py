"""Files a source must meet: a data contract, a suite of Great Expectations; each is judged on the rows in force. Out: findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from everloop import lake
from everloop.checks.in_force import in_force
from everloop.checks.rules import follow
from everloop.connect import great_expectations, odcs
from everloop.connect.odcs_terms import Lacking, Refused
from everloop.errors import EverloopError
from everloop.loop.house import House
from everloop.project.columns import is_numeric
from everloop.project.conditions import meets
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import Finding, Report

LARGEST = 5_000_000
"""Bytes of a file: all there is to say of a thousand columns takes a tenth of it."""


def with_files(house: House, model: Model, report: Report, tables: Mapping[str, pa.Table], now: datetime) -> Report:
    """A report with what the files of ``meets`` find in the same rows. Raises EverloopError for a file that cannot be read or is none."""
    found = [
        f for source in model.sources for said in source.must if isinstance(said, meets) for f in findings(house, source, said, tables, now)
    ]
    return replace(report, findings=(*report.findings, *found)) if found else report


def findings(house: House, source: Source, said: meets, tables: Mapping[str, pa.Table], now: datetime) -> list[Finding]:
    """What one file finds in one source."""
    text = read_beside(house, said.file)
    if not said.file.endswith(".json"):
        contract = odcs.read(text, {source.name: source}, name=said.file)
        refused = [_refused(t) for t in contract.terms if isinstance(t, Refused) and t.source == source.name]
        return [*of_contract(house, contract, {source.name: source}, tables, now), *refused]
    rows = rows_in_force(source, tables)
    private = frozenset(source.private)
    names = [
        f"row {seq}" if set(source.id) & private else str(id).replace("\x1f", " ")
        for seq, id in zip(*(rows.column(n).to_pylist() for n in ("seq", "id")), strict=True)
    ]
    found = great_expectations.run(
        text, _as_told(source, rows.drop_columns(["seq", "id"])), source=source.name, names=names, private=private, file=said.file
    )
    return list(found)


def of_contract(
    house: House, contract: odcs.Contract, sources: Mapping[str, Source], tables: Mapping[str, pa.Table], now: datetime
) -> list[Finding]:  # fmt: skip
    """A finding for each term that can be judged."""
    rules = [t for t in contract.terms if not isinstance(t, Refused | Lacking)]
    arrived = {name: max((d.at for d in lake.deliveries(house.lake, source)), default=now) for name, source in sources.items()}
    lacking = [_lacking(t) for t in contract.terms if isinstance(t, Lacking)]
    return [*lacking, *follow(rules, sources, tables, now=now, arrived=arrived)]


def read_beside(house: House, file: str) -> str:
    """The text of a file named from where the project file is. Raises EverloopError where there is none."""
    path = (house.project.path.parent if house.project.path else Path.cwd()) / file
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise EverloopError(f"{file} has {size / 1e6:,.1f} MB, and {LARGEST / 1e6:g} MB is the most. Is it the right file?")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        where = "" if Path(file).is_absolute() else f" It is looked for beside the project file, in {path.parent}."
        raise EverloopError(f"{file} cannot be read: {why}.{where}") from error


def rows_in_force(source: Source, tables: Mapping[str, pa.Table]) -> pa.Table:
    """The rows in force with every column that is declared or inherited, in the order they came; ``seq`` and ``id`` beside them."""
    with duckdb.connect(":memory:", config={"threads": 2}) as engine:
        for name, table in tables.items():
            engine.register(f"events_{name}", table)
        return engine.sql(f"SELECT * FROM ({in_force(source, tables, list(source.every_column))}) ORDER BY seq").to_arrow_table()


def _as_told(source: Source, rows: pa.Table) -> pa.Table:
    """Instants as instants: event tables hold them as microseconds."""
    for place, name in enumerate(rows.column_names):
        kind = source.every_column[name]
        if not is_numeric(kind) and pa.types.is_int64(rows.column(name).type) and kind.__name__ == "datetime":  # type: ignore[union-attr]
            rows = rows.set_column(place, name, rows.column(name).cast(pa.timestamp("us")))
    return rows


def _lacking(term: Lacking) -> Finding:
    return Finding(source=term.source, clause=term.clause, outcome="failed", rows=0, broken=0, met=None, share=1.0, sentence=term.sentence)


def _refused(term: Refused) -> Finding:
    """What nobody here can judge stands in the record by name, and stops nothing."""
    return Finding(source=term.source, clause=term.clause, outcome="passed", rows=0, broken=0, met=None, share=0.0, sentence=str(term))
