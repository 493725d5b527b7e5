"""Do the intervals of fairness, and of how well chances are calibrated, hold what is true?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from bench.gates_world import DAY, Floats, names
from bench.goal import Goal, at_least, at_most
from everloop.records import Shape
from everloop.stats.bootstrap import estimate
from everloop.stats.fairness import across
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers

RUNS: Final = 600
CHANCE: Final = Shape(kind="chance", yes_above=0.5)
#: Shares of yeses (or of hits, or of errors) by group, and how many customers each has.
GROUPS: Final = {
    "two groups alike": ((0.4, 0.4), (400, 400)),
    "one of two worse off": ((0.5, 0.35), (500, 200)),
    "one of six worse off": ((0.5, 0.5, 0.48, 0.5, 0.47, 0.36), (300, 200, 200, 150, 150, 100)),
}
KINDS: Final = {"told yes": None, "recall": "recall", "error rate": "error_rate"}


def fair() -> Iterator[Goal]:
    """Customers who are asked about one to eight times, and are told yes more often than others of their group, or less."""
    rng = np.random.default_rng(64)
    held: dict[str, list[bool]] = {}
    one_sided: list[bool] = []
    for kind, name in KINDS.items():
        for world, (shares, sizes) in GROUPS.items():
            lower = name == "error_rate"
            good, bad = (min(shares), max(shares)) if lower else (max(shares), min(shares))
            true = good / bad if lower else bad / good
            for run in range(RUNS // 3):
                group, unit, truth, said = _asked(rng, shares, sizes, kind)
                found = across(group, unit, truth, said, None if name is None else measure(name), seed=run)
                assert found.low is not None
                assert found.high is not None
                held.setdefault(f"{kind}, {world}", []).append(found.low <= true <= found.high)
                if world == "two groups alike":
                    one_sided.append(found.high >= 1)
    worst = min(held, key=lambda key: np.mean(held[key]))
    every = [one for runs in held.values() for one in runs]
    error = float(np.sqrt(0.05 * 0.95 / len(every)))
    beside = f"{len(every):,} contests; worst {worst}: {np.mean(held[worst]):.1%} of {len(held[worst])}"
    yield at_least("fairness: intervals that hold the true ratio", float(np.mean(every)), 0.95 - 2 * error, "share", beside)
    alike = 1 - float(np.mean(one_sided))
    error = float(np.sqrt(0.05 * 0.95 / len(one_sided)))
    beside = f"{len(one_sided):,} contests; 5 % and 2 Monte-Carlo errors of {error:.1%}"
    yield at_most("fairness: groups alike that are proven not to be", alike, 0.05 + 2 * error, "share", beside)


def _asked(
    rng: np.random.Generator, shares: tuple[float, ...], sizes: tuple[int, ...], kind: str
) -> tuple[np.ndarray, np.ndarray, Floats, Answers]:  # fmt: skip
    customer_group = np.repeat(np.arange(len(sizes)), sizes)
    # A customer's own share: Beta with the group's mean, so that rows of one customer are alike.
    own = rng.beta(4 * np.array(shares)[customer_group], 4 * (1 - np.array(shares)[customer_group]))
    times = rng.integers(1, 9, len(customer_group))
    customer = np.repeat(np.arange(len(customer_group)), times)
    hit = rng.random(len(customer)) < own[customer]
    truth = np.ones(len(customer)) if kind == "recall" else (rng.random(len(customer)) < 0.5).astype(float)
    yes = hit if kind != "error rate" else (truth > 0.5) != hit
    said = Answers(CHANCE, np.where(yes, 0.8, 0.2))
    return names(len(sizes))[customer_group[customer]], names(len(customer_group))[customer], truth, said


def calibrated() -> Iterator[Goal]:
    """Chances that are right, and chances that say 4 in 100 too much: is the upper end, which a gate goes by, above what is true?"""
    rng = np.random.default_rng(65)
    above, plain, values = [], [], []
    for run in range(RUNS):
        beyond = (0.0, 0.04)[run % 2]
        customer = np.repeat(np.arange(400), 5)
        own = np.clip(rng.beta(2, 6, 400)[customer] + rng.normal(0, 0.05, len(customer)), 0.05, 0.9)
        truth = (rng.random(len(customer)) < own).astype(float)
        said = Answers(CHANCE, own + beyond)
        days = (np.arange(len(customer)) % 5) * DAY
        found = estimate(measure("calibration_error"), truth, said, names(400)[customer], days, seed=run)
        raw = measure("calibration_error").value(truth, said)
        assert found.high is not None
        above.append(found.high >= beyond)
        plain.append((raw or 0.0) - beyond)
        values.append((found.value or 0.0) - beyond)
    yield at_least(
        "calibration: upper ends above the true error", float(np.mean(above)), 0.95, "share", f"{RUNS} contests of 2,000 answers"
    )
    beside = f"as it is usually worked out, {np.mean(plain):.4f} too much"
    yield at_most("calibration error beyond the true one, on average", float(np.mean(values)), 0.01, "", beside)
