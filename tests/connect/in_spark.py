"""Runs in Spark's own environment, for ``test_spark.py``: small things asked of one session; prints what came of each as JSON."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from bench import messy, spark_side
from deltalake import DeltaTable, write_deltalake

from everloop.connect import spark
from everloop.features.portable import carries, portable, tables_for

HOUR = 3_600_000_000


def refused(call):
    """What is said instead of an answer."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "answered"


def main(folder: Path) -> None:
    session = spark_side.session()
    logs = messy.logs(60, 4)
    tables, asked = messy.tables(logs), messy.questions(60, 4, logs["sales"])
    readings = [*messy.READINGS[:2], messy.sales.latest("sku"), messy.sales.mean("rate")]

    def answered(questions, given=tables, wanted=readings):
        return spark.features(wanted, questions, given, model=messy.model, session=session)

    told = {}
    # One statement, as it is, in the session as it comes: nothing but names and numbers is said to it.
    said = portable(readings, model=messy.model, carries=carries(asked.schema))
    for name, table in tables_for(said, asked, tables, model=messy.model):
        session.createDataFrame(table).createOrReplaceTempView(name)
    parts = session.sql(said.text).orderBy("question").toArrow()
    told["one statement"] = said.finished(parts).to_pylist()
    told["arrow"] = spark.in_order(answered(asked)).to_pylist()
    told["names left behind"] = [t.name for t in session.catalog.listTables("global_temp") if t.name.startswith("everloop")]
    told["time zone"] = session.conf.get("spark.sql.session.timeZone")

    numbered = session.createDataFrame(asked.append_column("question", pa.array(range(100, 160))))
    as_time = numbered.withColumn("moment", numbered["moment"].cast("double").__truediv__(1_000_000).cast("timestamp"))
    told["timestamps"] = spark.in_order(answered(as_time)).num_rows
    told["numbers"] = [row.question for row in answered(numbered).orderBy("question").select("question").collect()]

    # A Delta table whose first version was withdrawn: its files are still there.
    path = str(folder / "rewritten")
    write_deltalake(path, pa.concat_tables([tables["sales"], tables["sales"]]))
    write_deltalake(path, tables["sales"], mode="overwrite")
    told["files of the table, files that are there"] = [len(DeltaTable(path).file_uris()), len(list(Path(path).glob("*.parquet")))]
    told["delta"] = spark.in_order(answered(asked, {**tables, "sales": path})).to_pylist()

    told["no number"] = refused(lambda: answered(numbered.drop("question")))
    told["twice"] = refused(lambda: answered(numbered.union(numbered)))
    told["no moment"] = refused(lambda: answered(numbered.selectExpr("question", "shop", "customer", "CAST(NULL AS BIGINT) AS moment")))
    told["no table"] = refused(lambda: answered(asked, {"sales": tables["sales"]}))
    told["no column"] = refused(lambda: answered(asked, {**tables, "sales": tables["sales"].drop_columns(["sku"])}))
    told["no path"] = refused(lambda: answered(asked, {**tables, "sales": str(folder / "nowhere")}))
    told["outcome"] = refused(lambda: answered(asked, wanted=[messy.AHEAD[0]]))
    late = datetime(1970, 1, 8, tzinfo=UTC)
    truths = spark.truths(messy.AHEAD[3], asked, tables, model=messy.model, known_at=late, session=session)
    told["truths"] = spark.in_order(truths).to_pylist()
    (folder / "told.json").write_text(json.dumps(told))
    print(json.dumps({}))
    session.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
