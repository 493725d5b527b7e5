"""Runs in Spark's own environment, for ``test_spark.py``: small things asked of one session; writes what came of each as JSON."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from bench import messy, spark_side
from deltalake import DeltaTable, write_deltalake

from everloop import Source
from everloop.connect import spark
from everloop.features.moments import instant
from everloop.features.portable import carries, portable, tables_for
from everloop.testing.plain import Said, event_table

READINGS = (messy.READINGS[1], messy.READINGS[3], messy.READINGS[5], messy.sales.latest("sku"), messy.INHERITED[0], messy.READINGS[-1])


def refused(call):
    """What is said instead of an answer."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "answered"


def pages_example():
    """The example of the page, on two orders of Ada's."""
    page = (Path(__file__).parent.parent.parent / "docs" / "features.md").read_text(encoding="utf-8")
    orders = Source("orders", id="order_id", time="at", columns={"customer_id": str, "amount": int})
    log = [Said(f"o{i}", 0, i, i, {"customer_id": "ada", "amount": 30 + i}) for i in range(2)]
    Path("events").mkdir()
    write_deltalake("events/orders", event_table(orders, log))
    pq.write_table(pa.table({"question": [1, 2, 3], "moment": [1, 2, 3], "customer_id": ["ada", "ada", "bob"]}), "questions.parquet")
    (example,) = (found for found in re.findall(r"```python3\n(.*?)```", page, re.DOTALL) if "pyspark" in found)
    exec(example, {"__name__": "page"})
    return pq.read_table("features").sort_by("question").to_pylist()


def main(folder: Path) -> None:
    """Ask, and write ``told.json``."""
    session = spark_side.session()
    logs = messy.logs(60, 4)
    tables, asked = messy.tables(logs), messy.questions(60, 4, logs["sales"])

    def answered(questions, given=tables, wanted=READINGS):
        return spark.features(wanted, questions, given, model=messy.model, session=session)

    told: dict[str, object] = {}
    # The text as one statement, in the session as it comes: nothing about time zones or dialect is said to it.
    said = portable(READINGS, model=messy.model, carries=carries(asked.schema))
    for name, table in tables_for(said, asked, tables, model=messy.model):
        session.createDataFrame(table).createOrReplaceTempView(name)
    told["one statement"] = said.finished(session.sql(said.text).orderBy("question").toArrow()).to_pylist()
    session.sql("DROP VIEW asked")
    told["given as Arrow"] = spark.in_order(answered(asked)).to_pylist()
    told["truths"] = spark.in_order(
        spark.truths(messy.AHEAD[3], asked, tables, model=messy.model, known_at=instant(messy.UNTIL), session=session)
    ).to_pylist()
    told["names left behind"] = [t.name for t in session.catalog.listTables() if t.name == "asked" or t.name.startswith("everloop")]
    told["time zone afterwards"] = session.conf.get("spark.sql.session.timeZone")

    numbered = session.createDataFrame(asked.append_column("question", pa.array(range(100, 160))))
    as_time = numbered.selectExpr("question", "shop", "customer", "timestamp_micros(moment) AS moment")

    # A Delta table whose first version was withdrawn: its files are still there.
    path = str(folder / "rewritten")
    write_deltalake(path, pa.concat_tables([tables["sales"], tables["sales"]]))
    write_deltalake(path, tables["sales"], mode="overwrite")
    told["files"] = [len(DeltaTable(path).file_uris()), len(list(Path(path).glob("*.parquet")))]
    found = answered(as_time, {**tables, "sales": path}).orderBy("question").toArrow()
    told["asked by timestamps, of a Delta table"] = found.drop_columns(["question"]).to_pylist()
    told["numbers"] = found["question"].to_pylist()
    told["nobody asked"] = spark.in_order(answered(asked.slice(0, 0), wanted=READINGS[:1])).num_rows

    told["no number"] = refused(lambda: answered(numbered.drop("question")))
    told["a number twice"] = refused(lambda: answered(numbered.union(numbered)))
    told["no moment"] = refused(lambda: answered(numbered.selectExpr("question", "shop", "customer", "CAST(NULL AS BIGINT) AS moment")))
    told["no table"] = refused(lambda: answered(asked, {"sales": tables["sales"]}))
    told["no column"] = refused(lambda: answered(asked, {**tables, "sales": tables["sales"].drop_columns(["sku"])}))
    told["no path"] = refused(lambda: answered(asked, {**tables, "sales": str(folder / "nowhere")}))
    told["ahead"] = refused(lambda: answered(asked, wanted=[messy.AHEAD[0]]))
    told["the page's example"] = pages_example()
    (folder / "told.json").write_text(json.dumps(told))
    print(json.dumps({}))
    session.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
