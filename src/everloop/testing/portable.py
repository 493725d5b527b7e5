"""The portable text on DuckDB: what Spark has to answer too. In: readings, questions and event tables. Out: columns. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from everloop.features.portable import carries, portable, tables_for
from everloop.project.model import Model
from everloop.project.reading import AnyReading


def on_duckdb(
    readings: Sequence[AnyReading], questions: pa.Table, tables: Mapping[str, pa.Table], *, model: Model, known_at: int | None = None
) -> pa.Table:
    """As ``features``, by the portable text; with ``known_at`` (microseconds), as known then, also ahead."""
    import duckdb

    said = portable(readings, model=model, carries=carries(questions.schema), known_at=known_at)
    with duckdb.connect(":memory:", config={"threads": 2}) as engine:
        for name, table in tables_for(said, questions, tables, model=model):
            engine.register(name, table)
        return said.finished(engine.sql(f"{said.text}\nORDER BY question").to_arrow_table())
