"""Spark reads the Delta tables of a lake on S3, without a jar of any cloud, and gives the training set the house gives, digit for digit."""

from __future__ import annotations

import json
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bench import messy, spark
from tests.contracts.in_spark_lake import learns

from everloop.connect.objects import delta_options
from everloop.features.as_of import as_of
from everloop.features.moments import instant
from everloop.lake.delta import DeltaTables


@pytest.mark.slow
def test_a_training_set_of_a_lake_on_s3_is_the_same_on_spark(bucket, storage, tmp_path):
    url = f"{bucket}/lake"
    tables = DeltaTables(url, delta_options(url, storage))
    for name, table in messy.tables(messy.logs(1_500, 60)).items():
        table = table.append_column("seq", pa.array(range(1, len(table) + 1))) if "seq" not in table.column_names else table
        for n, first in enumerate(range(0, len(table), 700), start=1):
            tables.append_once(f"events/{name}", table.slice(first, 700), marker="everloop", seq=n)
    # What was taken out of every version is not read by Spark either: its file is no longer named.
    tables.rewrite("events/sales", lambda piece: piece.slice(1) if piece.column("seq")[0].as_py() == 1 else piece)
    bodies = []
    read = {name: tables.read(f"events/{name}") for name in ("sales", "tiers")}
    made = as_of(learns, read, now=instant(messy.UNTIL), id="t", save=lambda body: bodies.append(body) or "sha")
    table = pq.read_table(pa.BufferReader(bodies[0]))
    assert made.rows == len(table) > 1_000
    pq.write_table(table.select(["question", "moment", "shop", "customer"]), tmp_path / "questions.parquet")
    (tmp_path / "asked.json").write_text(json.dumps({"lake": url, "storage": asdict(storage)}))
    told = spark.answered_by_spark(tmp_path, "tests.contracts.in_spark_lake")
    found = pq.read_table(tmp_path / "learnt").sort_by("question")
    assert found["question"].to_pylist() == table["question"].to_pylist()
    columns = [*learns.columns, "truth"]
    assert messy.differences(found.select(columns), table.select(columns).to_pydict()) == []
    assert set(found["mature"].to_pylist()) == {True}
    assert told["no table"].startswith(f"Unknown: There is no table at '{url}/nowhere'")
