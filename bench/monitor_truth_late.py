"""Truths told to a house late, twice, corrected, in no order or never: every metric against a batch join, and what is decided meanwhile."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bench.goal import Goal, at_most
from everloop import Model, Source, days, every, slipped
from everloop.loop.answers import answers_of
from everloop.loop.house import House, open_house
from everloop.loop.project_file import project_of
from everloop.loop.tell.told import tell_predictions, tell_truths
from everloop.loop.truths import told_of
from everloop.monitor.maturity import NEVER, maturity, outage_of
from everloop.records import Shape
from everloop.settings import read_settings
from everloop.stats.measures import measure as measure_of
from everloop.stats.shapes import Answers

BEGAN: Final = datetime(2026, 9, 1, tzinfo=UTC)
DAYS, EACH, DAY = 40, 100, 86_400_000_000


def learn(rows: pa.Table) -> None:
    """Nothing: a service elsewhere answers."""


visits = Source("visits", id="visit_id", time="at", columns={"customer_id": str})
returns = Model(
    "returns",
    predicts=visits.any(next=days(1)),
    per="customer_id",
    asked=every(days(1), at="00:00", zone="UTC"),
    knows=visits.count(last=days(7)),
    learner=learn,
    retrain_when=slipped("auc", by=0.1),
)


class Told:
    """What is told of each question, and when: log-normal delays with a median of 7 days, a tenth never, a twentieth wrong at first, a
    twentieth twice, one in a hundred taken back."""

    def __init__(self, seed: int) -> None:
        rng, shape = np.random.default_rng(seed), (DAYS, EACH)
        self.chance = rng.beta(1.2, 2.5, shape)
        self.truth = rng.random(shape) < self.chance
        at = np.arange(DAYS)[:, None] + rng.lognormal(np.log(7.0), 0.6, shape)
        self.at = np.where(rng.random(shape) < 0.1, np.inf, at)
        self.wrong, self.twice, self.back = (rng.random(shape) < share for share in (0.05, 0.05, 0.01))
        self.order = rng.permutation(np.flatnonzero(np.isfinite(self.at.ravel())))

    def rows(self) -> list[dict[str, Any]]:
        """In no order."""
        made = []
        for place in self.order.tolist():
            day, unit = divmod(place, EACH)
            at = BEGAN + timedelta(days=float(self.at[day, unit]))
            word = question(day, unit) | {"truth": bool(self.truth[day, unit] ^ self.wrong[day, unit]), "known_at": at.isoformat()}
            made += [word] * (2 if self.twice[day, unit] else 1)
            later = (at + timedelta(hours=6)).isoformat()
            if self.wrong[day, unit]:
                made.insert(len(made) // 2, word | {"truth": bool(self.truth[day, unit]), "known_at": later})
            if self.back[day, unit]:
                made.insert(len(made) // 3, word | {"truth": None, "known_at": (at + timedelta(hours=9)).isoformat()})
        return made

    def batch(self, now: datetime) -> np.ndarray[Any, np.dtype[np.float64]]:
        """What a join over everything would hold as known before ``now``; NaN where nothing is."""
        day = (now - BEGAN) / timedelta(days=1)
        truth = np.where(self.wrong & (self.at + 0.25 >= day), ~self.truth, self.truth).astype(np.float64)
        truth[self.at >= day] = np.nan
        truth[self.back & (self.at + 0.375 < day)] = np.nan
        return truth


def question(day: int, unit: int) -> dict[str, Any]:
    return {"model": "returns", "customer_id": f"c{unit:03}", "moment": (BEGAN + timedelta(days=day)).isoformat()}


def late() -> Iterator[Goal]:
    """As known at twenty instants, and again after everything was told once more."""
    told, end = Told(1), BEGAN + timedelta(days=200)
    with tempfile.TemporaryDirectory() as folder:
        house = open_house(project_of(returns), settings=read_settings(Path(folder), house=Path(folder) / "house"))
        said = [question(d, u) | {"version": "v1", "value": float(told.chance[d, u])} for d in range(DAYS) for u in range(EACH)]
        tell_predictions(house, said, end)
        rows = told.rows()
        tell_truths(house, rows, end)
        instants = [BEGAN + timedelta(days=4 + 5 * n, hours=n) for n in range(20)]
        off = max(_off(house, told, now) for now in instants)
        yield at_most("late truth: metrics off those of a batch join, 20 instants", off, 0.0, "", "AUC, log loss, Brier score, accuracy")
        again = tell_truths(house, rows[::-1], end)
        yield at_most("late truth told again: rows kept", again.kept, 0, "rows", f"{again.duplicates:,} known already")
        yield at_most("late truth told again: metrics off", max(_off(house, told, now) for now in instants[::5]), 0.0, "")
    yield immature()
    yield from outages()


def _off(house: House, told: Told, now: datetime) -> float:
    """The largest difference of any metric; a question known to one side alone counts 1."""
    joined = told_of(house, returns, answers_of(house, returns), now)
    day = (joined.moments - joined.moments.min()) // DAY
    unit = np.array([int(name[1:]) for name in joined.table.column("unit").to_pylist()])
    truth, batch = np.where(joined.mature, joined.truth.astype(np.float64), np.nan), told.batch(now)[day, unit]
    answers = Answers(Shape(kind="chance", yes_above=0.5), told.chance[day, unit])
    worst = float((np.isnan(truth) != np.isnan(batch)).sum())
    for name in ("auc", "logloss", "brier", "accuracy"):
        mine, theirs = (measure_of(name).value(side, answers) for side in (truth, batch))
        worst = max(worst, abs((mine or 0.0) - (theirs or 0.0)))
    return worst


def immature(streams: int = 20) -> Goal:
    """Windows called mature that have less than nine in ten of what will ever come of them; looked at daily."""
    called, early = 0, 0
    for seed in range(streams):
        asked, known = _stream(seed)
        finally_known = np.bincount(asked // DAY, known < NEVER)
        for day in range(30, 120, 5):
            so_far = np.where(known < day * DAY, known, NEVER)
            before = asked < day * DAY
            found = maturity(asked[before], so_far[before], now=_at(day), span=timedelta(days=1), wait=timedelta(days=14))
            share = found.came / finally_known[: len(found.came)]
            called += int(found.mature.sum())
            early += int((found.mature & (share < 0.85)).sum())
    return at_most(
        "windows called mature with under 85 % of what ever comes", early / called, 0.01, "share", f"{called:,} windows called so"
    )


def outages(streams: int = 40) -> Iterator[Goal]:
    """Truths stop on day 90: on which day it is told; and how often it is told where nothing stopped."""
    took, cried = [], 0
    for seed in range(streams):
        asked, known = _stream(seed)
        for stops in (90, 10_000):
            for day in range(60, 100):
                so_far = np.where((known < day * DAY) & (known < stops * DAY), known, NEVER)
                before = asked < day * DAY
                if outage_of(asked[before], so_far[before], now=_at(day), span=timedelta(days=1)) is not None:
                    if stops == 90 and day > 90:
                        took.append(day - 90)
                        break
                    cried += 1
    beside = f"found in {len(took)} of {streams}"
    slowest = float(max(took)) if len(took) == streams else float("inf")
    yield at_most("a label outage is found", slowest, 2, "windows", beside)
    yield at_most("label outages told where there is none", cried, 0, "", f"{streams * 70:,} looks")


def _stream(seed: int, length: int = 120) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
    """When each question was asked, and when its truth is known in the end."""
    rng = np.random.default_rng(seed)
    asked = np.repeat(np.arange(length), EACH) * DAY
    known = asked + (rng.lognormal(np.log(7.0), 0.6, len(asked)) * DAY).astype(np.int64)
    return asked, np.where(rng.random(len(asked)) < 0.1, NEVER, known)


def _at(day: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
