"""Evidently's side of the monitor bench. Runs in Evidently's own environment, imports nothing of ours, prints one line of JSON.

``evidently_side.py outlier FOLDER`` scores the column ``x`` of three pairs of files by four methods; ``speed FOLDER METHOD`` runs the
drift preset over ``reference.parquet`` and ``current.parquet``, by its own defaults or by one method, and says what it cost.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import warnings

warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
from evidently import DataDefinition, Dataset, Report  # noqa: E402
from evidently.metrics import ValueDrift  # noqa: E402
from evidently.presets import DataDriftPreset  # noqa: E402


def cpu() -> float:
    """CPU seconds of this process and its children so far, user and system."""
    return sum(os.times()[:4])


def table(path: str) -> Dataset:
    read = pd.read_parquet(path)
    names = [c for c in read if read[c].dtype == object]
    return Dataset.from_pandas(read, DataDefinition(numerical_columns=[c for c in read if c not in names], categorical_columns=names))


def outlier(folder: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for where in ("nowhere", "now", "before"):
        old, new = table(f"{folder}/{where} reference.parquet"), table(f"{folder}/{where} current.parquet")
        found[where] = {}
        for method in ("psi", "ks", "jensenshannon", "wasserstein"):
            said = Report([ValueDrift(column="x", method=method)]).run(new, old).dict()
            found[where][method] = float(said["metrics"][0]["value"])
    return found


def speed(folder: str, method: str) -> dict[str, float]:
    old, new = table(f"{folder}/reference.parquet"), table(f"{folder}/current.parquet")
    before = cpu()
    Report([DataDriftPreset() if method == "preset" else DataDriftPreset(method=method)]).run(new, old).dict()
    return {"cpu": cpu() - before, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


print(json.dumps({"outlier": outlier, "speed": speed}[sys.argv[1]](*sys.argv[2:])))
