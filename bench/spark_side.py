"""What the Spark bench runs in an environment of its own: ``python -m bench.spark_side FOLDER``.

In: questions and event tables as Parquet, the tiers as a Delta table. Out: Parquet folders ``features`` and ``truths``; one line of JSON
with the seconds each took. The driver never holds a row of it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from pyspark.sql import SparkSession

from bench import messy
from everloop.connect import spark
from everloop.features.moments import instant


def session() -> SparkSession:
    """A local Spark on two cores that listens nowhere but on this machine."""
    builder = SparkSession.builder.master("local[2]").appName("everloop")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "3g",
        "spark.sql.shuffle.partitions": "4",
        "spark.log.level": "ERROR",
        # Whoever sits in front of it says something else: it must not matter.
        "spark.sql.session.timeZone": "America/New_York",
        "spark.sql.ansi.enabled": "false",
    }.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def main(folder: Path) -> None:
    """Answer, write, and say how long it took."""
    begun = time.perf_counter()
    here = session()
    tables = {"sales": folder / "sales.parquet", "tiers": folder / "tiers"}
    questions = here.read.parquet(str(folder / "questions.parquet"))
    took = {"start": time.perf_counter() - begun}
    for name, answer in (
        ("features", lambda: spark.features(messy.READINGS + messy.INHERITED, questions, tables, model=messy.model, session=here)),
        ("truths", lambda: spark.truths(messy.AHEAD[0], questions, tables, model=messy.model, known_at=instant(messy.UNTIL), session=here)),
    ):
        begun = time.perf_counter()
        answer().write.parquet(str(folder / name))
        took[name] = time.perf_counter() - begun
    print(json.dumps(took))
    here.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
