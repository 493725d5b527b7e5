"""Runs in the profilers' environment: ``in_profilers.py FILE COLUMN`` reads a training set that was exported, and says as JSON what
deepchecks, the data profiling of pandas and whylogs each find in it. deepchecks holds half of the rows, by chance, against the others: as
they are, and with one column of the others made 100 times as large."""

from __future__ import annotations

import json
import os
import sys
import warnings

os.environ["WHYLOGS_NO_ANALYTICS"] = "True"
os.environ["YDATA_PROFILING_NO_ANALYTICS"] = "True"
os.environ["DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY"] = "True"
warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402

table = pd.read_csv(sys.argv[1])
wrong = sys.argv[2]
numbers = [name for name in table.columns if pd.api.types.is_numeric_dtype(table[name]) and not pd.api.types.is_bool_dtype(table[name])]
table = table[numbers].astype(float).sample(frac=1, random_state=0)


def of_deepchecks() -> list[float]:
    from deepchecks.tabular import Dataset
    from deepchecks.tabular.checks import FeatureDrift

    half, others, spoilt = table.iloc[::2], table.iloc[1::2], table.iloc[1::2].copy()
    spoilt[wrong] = spoilt[wrong] * 100
    drifts = [FeatureDrift().run(Dataset(half, cat_features=[]), Dataset(rows, cat_features=[])).value for rows in (others, spoilt)]
    return [float(drift[wrong]["Drift score"]) for drift in drifts]


def of_profiling() -> dict[str, object]:
    from data_profiling import ProfileReport

    report = ProfileReport(table, minimal=True, progress_bar=False).get_description()
    return {"rows": report.table["n"], "columns": sorted(report.variables)}


def of_whylogs() -> dict[str, int]:
    import whylogs

    found = whylogs.log(pandas=table).view().to_pandas()["counts/n"]
    return {name: int(count) for name, count in found.items()}


print(json.dumps({"columns": sorted(numbers), "deepchecks": of_deepchecks(), "profiling": of_profiling(), "whylogs": of_whylogs()}))
