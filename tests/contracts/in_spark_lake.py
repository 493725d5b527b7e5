"""Runs in Spark's own environment, for ``test_spark_s3.py``: a training set of a lake on S3, each object of which an executor reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench import messy

from everloop.features.moments import instant
from everloop.project.model import Model
from everloop.project.spans import days, every
from everloop.settings import Storage

READINGS = (*(messy.READINGS[n] for n in (0, 1, 2, 3, 4, 5, 7, 8, 13, 15, 17, 19, 20)), messy.INHERITED[0], messy.INHERITED[2])


class Learner:
    """A learner nobody asks."""

    def fit(self, rows, truth): ...

    def predict(self, rows): ...


learns = Model("learns", predicts=messy.AHEAD[0], per=("shop", "customer"), asked=every(days(1)), knows=READINGS, learner=Learner())


def main(folder: Path) -> None:
    """Answer the questions of ``questions.parquet``, and say what is said of a table that is not there."""
    from bench import spark_side

    from everloop.connect import spark

    asked = json.loads((folder / "asked.json").read_text())
    storage, session = Storage(**asked["storage"]), spark_side.session()
    tables = {name: f"{asked['lake']}/events/{name}" for name in ("sales", "tiers")}
    questions = session.read.parquet(str(folder / "questions.parquet"))
    words = {"model": learns, "session": session, "storage": storage}
    known = spark.features(READINGS, questions, tables, **words)
    came = spark.truths(learns.predicts, questions, tables, known_at=instant(messy.UNTIL), **words)
    known.join(came, "question").write.parquet(str(folder / "learnt"))
    told = {"rows": session.sparkContext.defaultParallelism}
    try:
        spark.features(READINGS[:1], questions, {**tables, "sales": f"{asked['lake']}/nowhere"}, **words)
    except Exception as error:
        told["no table"] = f"{type(error).__name__}: {error}"
    print(json.dumps(told))
    session.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
