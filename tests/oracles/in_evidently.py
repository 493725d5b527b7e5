"""Runs in Evidently's environment: the page of two small windows, as everloop.connect makes it."""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
import pyarrow as pa

from everloop.connect.evidently import report
from everloop.errors import EverloopError


def window(seed: int, moved: float) -> pa.Table:
    rng = np.random.default_rng(seed)
    kinds = rng.choice(np.array(["tea", "rum"], dtype=object), 300)
    return pa.table({"price": rng.normal(moved, 1, 300), "kind": kinds.tolist(), "empty": pa.nulls(300, pa.float64())})


def refused(before: pa.Table, now: pa.Table) -> str:
    try:
        report(before, now, title="x")
    except EverloopError as error:
        return str(error)
    return "it was drawn"


def main() -> None:
    warnings.simplefilter("ignore")
    page = report(window(1, 0.0), window(2, 1.0), title="demand").decode()
    nothing = window(1, 0.0).slice(0, 0)
    said = {"size": len(page), "has": [word in page for word in ("price", "kind", "<html")], "refused": refused(nothing, nothing)}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
