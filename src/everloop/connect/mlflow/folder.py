"""A version as a folder that MLflow loads: its own file of one version, and beside it the words MLflow needs. No clock, no disk."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa

from everloop.records import Candidate
from everloop.registry.one_file import ENDING

FOLDER: Final = "model"
DATA: Final = f"version{ENDING}"
EXAMPLE: Final = "input_example.json"
MOST_EXAMPLES: Final = 5
LIBRARIES: Final = ("numpy", "scipy", "scikit-learn", "pyarrow", "skops", "lightgbm", "xgboost", "onnxruntime")
BESIDE: Final = ("question", "item", "baseline")
"""Columns beside its features that an answer is made from."""


def model_folder(candidate: Candidate, data: bytes, golden: pa.Table | None, *, run: str, release: str) -> dict[str, bytes]:
    """The files of the folder, by path. ``data`` is the version as one file, ``golden`` rows that it is known to answer.

    Source: MLflow's model format, https://mlflow.org/docs/latest/ml/model/. The MLmodel is JSON, which YAML is a superset of; the flavour
    is ``python_function`` with a loader of ours, so that nothing in it is pickled.
    """
    then = {"python": platform.python_version(), **dict(candidate.environment)}
    flavors = {
        "python_function": {
            "loader_module": "everloop.connect.mlflow.pyfunc",
            "data": DATA,
            "python_version": then["python"],
            "env": {"virtualenv": "python_env.yaml"},
        },
        "everloop": {"everloop_version": release, "format": candidate.format, "learner": candidate.learner[:500]},
    }
    said: dict[str, Any] = {
        "artifact_path": FOLDER,
        "run_id": run,
        "utc_time_created": f"{candidate.made_at:%Y-%m-%d %H:%M:%S.%f}",
        "flavors": flavors,
        "metadata": {"columns": list(candidate.columns), "answers": candidate.shape.kind},
    }
    files = {DATA: data}
    if golden is not None and golden.num_rows:
        files[EXAMPLE] = example(golden, candidate.columns)
        said["saved_input_example_info"] = {"artifact_path": EXAMPLE, "type": "dataframe", "pandas_orient": "split"}
    needs = requirements(then, release)
    files["requirements.txt"] = "\n".join([*needs, ""]).encode()
    files["python_env.yaml"] = json.dumps({"python": then["python"], "dependencies": ["-r requirements.txt"]}).encode()
    files["MLmodel"] = json.dumps(said, indent=1).encode()
    return files


def requirements(environment: Mapping[str, str], release: str) -> list[str]:
    """What a version was learnt with, as pip reads it.

    >>> requirements({"python": "3.11.9", "scikit-learn": "1.9.0"}, "0.1.0")
    ['everloop==0.1.0', 'pandas', 'scikit-learn==1.9.0']
    """
    return [f"everloop=={release}", "pandas", *(f"{name}=={environment[name]}" for name in LIBRARIES if name in environment)]


def example(rows: pa.Table, columns: Iterable[str]) -> bytes:
    """A few rows as MLflow keeps an input example: what the version is asked with."""
    names = [name for name in (*BESIDE, *columns) if name in rows.column_names]
    few = rows.select(names).slice(0, MOST_EXAMPLES).to_pylist()
    return json.dumps({"columns": names, "data": [[row[name] for name in names] for row in few]}, default=str).encode()
