"""NannyML's side of the monitor bench. Runs in NannyML's own environment, imports nothing of ours, prints one line of JSON.

``nannyml_distances_side.py FILE`` compares the columns ``reference I`` and ``current I`` of names, by three of its methods.
"""

from __future__ import annotations

import json
import sys
import warnings

warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
from nannyml.chunk import DefaultChunker  # noqa: E402
from nannyml.drift.univariate.methods import FeatureType, MethodFactory  # noqa: E402
from nannyml.thresholds import ConstantThreshold  # noqa: E402

METHODS = ("jensen_shannon", "l_infinity", "chi2")
table = pd.read_parquet(sys.argv[1])
found = []
for i in range(len(table.columns) // 2):
    old, new = (table[f"{side} {i}"].rename("x") for side in ("reference", "current"))
    said = {}
    for name in METHODS:
        how = {"chunker": DefaultChunker(), "threshold": ConstantThreshold(upper=0.1)}
        method = MethodFactory.create(key=name, feature_type=FeatureType.CATEGORICAL, **how)
        method.fit(old)
        said[name] = float(method.calculate(new))
    found.append(said)
print(json.dumps(found))
