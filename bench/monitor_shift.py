"""Shifts told from answers and rows alone: how common each label has become, and whether a classifier can tell two tables apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from bench.goal import Goal, at_least, at_most
from everloop.stats.domain import told_apart
from everloop.stats.label_shift import label_shift
from everloop.stats.shapes import Floats
from everloop.stats.two_sample import ks

WORLDS, ROWS = 200, 4_000
#: How a classifier of three labels errs: each column is one truth.
ERRS: Final = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.15], [0.1, 0.15, 0.8]])
RUNS, LOT = 40, 400


def shift() -> Iterator[Goal]:
    """Label shift with its guard, and the domain classifier beside tests of single columns."""
    yield from _labels()
    yield from _apart()


def _labels() -> Iterator[Goal]:
    rng, off, naive, told = np.random.default_rng(61), [], [], 0
    for _ in range(WORLDS):
        before, now = rng.dirichlet(np.full(3, 3.0)), rng.dirichlet(np.full(3, 3.0))
        confusion = rng.multinomial(ROWS, (ERRS * before).ravel()).reshape(3, 3).astype(np.float64)
        answered = rng.multinomial(ROWS, ERRS @ now).astype(np.float64)
        found = label_shift(confusion, answered).weights
        naive.append(float(np.abs(answered / ROWS - now).max()))
        if found is not None:
            off.append(float(np.abs(found * confusion.sum(axis=0) / confusion.sum() - now).max()))
        # A classifier that all but guesses: nothing can be told from what it says.
        guesses = rng.multinomial(ROWS, ((np.full((3, 3), 1 / 3) + 0.01 * np.eye(3)) * before).ravel()).reshape(3, 3)
        told += label_shift(guesses.astype(np.float64), answered).weights is not None
    beside = f"told in {len(off)} of {WORLDS}; the answers' own shares are {np.mean(naive):.3f} off"
    yield at_most("label shift: each label's share, off the true one", float(np.mean(off)), 0.03, "share", beside)
    yield at_most("label shift, answers that all but guess: told", told, 0, "", f"of {WORLDS} worlds")


def _apart() -> Iterator[Goal]:
    """Two columns that used to go together and no longer do: neither has changed by itself."""
    rng, cried, found, single = np.random.default_rng(62), 0, 0, 0
    for _ in range(RUNS):
        same = told_apart(_together(rng, 0.8), _together(rng, 0.8))
        before, after = _together(rng, 0.8), _together(rng, -0.8)
        other = told_apart(before, after)
        assert same is not None
        assert other is not None
        cried += same.p < 0.05
        found += other.p < 0.05
        tested = [ks(before[:, i], after[:, i]) for i in range(before.shape[1])]
        single += any(one is not None and one[1] < 0.05 / len(tested) for one in tested)
    beside = f"{LOT} rows of four columns a side"
    yield at_most("domain classifier, nothing changed: p < 0.05", cried / RUNS, 0.15, "share", f"of {RUNS}; {beside}")
    yield at_least(
        "domain classifier, two columns come apart: found", found / RUNS, 0.95, "share", f"by tests of each column {single / RUNS:.0%}"
    )


def _together(rng: np.random.Generator, how: float) -> Floats:
    rows = rng.standard_normal((LOT, 4))
    rows[:, 1] = how * rows[:, 0] + np.sqrt(1 - how**2) * rows[:, 1]
    return rows
