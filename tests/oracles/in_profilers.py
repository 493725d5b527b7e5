"""Runs in the profilers' environment: ``in_profilers.py FILE COLUMN`` reads a training set that was exported, and says as JSON what
deepchecks, the data profiling of pandas and whylogs each find in it: the first half held against the second, in which one column was made
100 times as large."""

from __future__ import annotations

import json
import os
import sys
import warnings

os.environ["WHYLOGS_NO_ANALYTICS"] = "True"
os.environ["DEEPCHECKS_ENABLE_TELEMETRY"] = "0"
warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402

table = pd.read_csv(sys.argv[1])
wrong = sys.argv[2]
numbers = [name for name in table.columns if pd.api.types.is_numeric_dtype(table[name]) and not pd.api.types.is_bool_dtype(table[name])]
table = table[numbers].astype(float)
before, after = table.iloc[: len(table) // 2], table.iloc[len(table) // 2 :].copy()
after[wrong] = after[wrong] * 100


def of_deepchecks() -> list[str]:
    from deepchecks.tabular import Dataset
    from deepchecks.tabular.checks import FeatureDrift

    check = FeatureDrift(n_samples=None).add_condition_drift_score_less_than(0.25, 0.4)
    found = check.run(Dataset(before, cat_features=[]), Dataset(after, cat_features=[])).value
    return sorted(found, key=lambda name: -(found[name]["Drift score"] or 0))[:1]


def of_profiling() -> dict[str, object]:
    from data_profiling import ProfileReport

    report = ProfileReport(table, minimal=True, progress_bar=False).get_description()
    return {"rows": report.table["n"], "columns": sorted(report.variables)}


def of_whylogs() -> dict[str, int]:
    import whylogs

    found = whylogs.log(pandas=table).view().to_pandas()["counts/n"]
    return {name: int(count) for name, count in found.items()}


print(json.dumps({"columns": sorted(numbers), "deepchecks": of_deepchecks(), "profiling": of_profiling(), "whylogs": of_whylogs()}))
