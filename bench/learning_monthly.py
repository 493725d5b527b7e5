"""The 617 monthly series of the first M competition (Makridakis et al. 1982), eighteen months ahead, each in its own season's naive error.

One ``Demand`` for all series and all months ahead, learnt from what came before the months held out, beside the seasonal naive forecast and
statsforecast's automatic models in the same run (an environment of their own, ``.tools/statsforecast``, which has the series too).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Final

import numpy as np

from bench.goal import Goal, at_most
from bench.peers import ROOT, apart, environment
from everloop.stats.shapes import Floats
from everloop.training.demand import Demand

SEASON: Final = 12
Series = list[tuple[Floats, Floats]]


def scale(past: Floats) -> float:
    """What MASE counts in: the mean error of the season's naive forecast where it is known (Hyndman and Koehler 2006)."""
    return float(np.abs(past[SEASON:] - past[:-SEASON]).mean())


def mase(series: Series, said: list[Floats]) -> float:
    """The mean over series of the mean over months."""
    return float(np.mean([np.abs(future - one).mean() / scale(past) for (past, future), one in zip(series, said, strict=True)]))


def season_of(past: Floats) -> Floats:
    """How many times the level each month of the year is (12,), by the month of ``past``'s end: classical decomposition, shrunk towards no
    season where few years are known."""
    if len(past) < 2 * SEASON or (past <= 0).any():
        return np.ones(SEASON)
    level = np.convolve(past, np.r_[0.5, np.ones(SEASON - 1), 0.5] / SEASON, "valid")
    ratio = past[SEASON // 2 : SEASON // 2 + len(level)] / level
    place = (np.arange(len(ratio)) + SEASON // 2 - len(past)) % SEASON
    years = np.bincount(place, minlength=SEASON)
    months = np.bincount(place, ratio, SEASON) / np.maximum(years, 1)
    months = np.where(years > 0, months, 1.0)
    return np.asarray(months / months.mean(), dtype=np.float64)


def row(past: Floats, ahead: int) -> list[float]:
    """What is known of a series ``ahead`` months before: its usual year, and shares of it."""
    season = season_of(past)
    place = (np.arange(len(past)) - len(past)) % SEASON
    plain = past / season[place]
    usual = max(float(np.mean(plain[-3:])), 1e-9)
    lags = [plain[-1 - n] / usual if n < len(plain) else np.nan for n in range(12)]
    years = [
        float(np.mean(plain[-SEASON * (n + 1) : len(plain) - SEASON * n])) / usual if len(plain) >= SEASON * (n + 1) else np.nan
        for n in range(3)
    ]
    month = float(season[(ahead - 1) % SEASON])
    return [usual * month, *lags, *years, float(np.std(np.diff(plain[-13:]))) / usual, float(ahead), month, float(len(past))]


def ours(series: Series) -> list[Floats]:
    """One learner over every series: from each of the last months, each number of months ahead."""
    rows, truths, weights = [], [], []
    for past, future in series:
        for end in range(max(len(past) - 24, 2 * SEASON), len(past)):
            for ahead in range(1, min(len(future), len(past) - end) + 1):
                rows.append(row(past[:end], ahead))
                truths.append(past[end + ahead - 1])
                weights.append(1 / scale(past))
    learnt = Demand(0.5, least=1e-9, calibrate=0.0, rounds=200, rows=200).fit(
        np.array(rows), np.array(truths), sample_weight=np.array(weights)
    )
    return [learnt.predict(np.array([row(past, ahead) for ahead in range(1, len(future) + 1)])) for past, future in series]


def monthly() -> Iterator[Goal]:
    """MASE beside the rivals'."""
    done = subprocess.run(
        [str(environment("statsforecast")), str(ROOT / "bench" / "statsforecast_side.py")],
        check=True,
        capture_output=True,
        text=True,
        env=apart(),
    )
    told = json.loads(done.stdout.splitlines()[-1])
    series = [(np.array(past), np.array(future)) for past, future in told["series"]]
    theirs = {name: mase(series, [np.array(one) for one in said]) for name, said in told["said"].items()}
    found = mase(series, ours(series))
    beside = ", ".join(f"{name} {value:.3f}" for name, value in theirs.items())
    yield at_most("M1 monthly, against the seasonal naive forecast", found, theirs.pop("SeasonalNaive"), "MASE", beside)
    yield at_most("M1 monthly, against the best automatic model and 5 %", found, 1.05 * min(theirs.values()), "MASE", beside)
