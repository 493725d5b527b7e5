from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from everloop.monitor.estimated import by_chances, by_losses, estimated
from everloop.monitor.seen import Answered
from everloop.records import Shape
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers
from everloop.training.losses import learn_losses

DAY, SPAN = 86_400_000_000, timedelta(days=1)


def names(n):
    return np.array([f"u{i}" for i in range(n)], dtype=object)


def chances(n, seed, tilt=0.0, flip=0.0, days=1, kind="chance"):
    """Answers and their truths; ``tilt``: others are asked; ``flip``: of so many, the truth is another than it was."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(1.5 + tilt, 3, n)
    happened = rng.random(n) < chance
    happened[: int(flip * n)] ^= True
    moments = np.sort(rng.integers(0, days, n)) * DAY
    shuffled = rng.permutation(n)
    if kind == "chance":
        answers, truth = Answers(Shape(kind="chance", yes_above=0.5), chance**2), happened.astype(float)
    else:
        shares = np.column_stack([1 - chance, chance])
        answers = Answers(Shape(kind="shares", labels=("no", "yes")), shares.max(axis=1), values=shares)
        truth = np.array(["yes" if h else "no" for h in happened], dtype=object)
    return Answered(version="v", units=names(n), moments=moments, truth=truth[shuffled], answers=answers.take(shuffled))


def without_truth(table):
    return Answered(
        version="v", units=table.units, moments=table.moments, truth=np.full(len(table), np.nan), answers=table.answers, known=table.known
    )


@pytest.mark.parametrize("name", ["auc", "accuracy", "logloss"])
@pytest.mark.parametrize("kind", ["chance", "shares"])
def test_other_questions_are_estimated_right_and_the_figure_of_the_promotion_is_not(name, kind):
    if (name, kind) == ("auc", "shares"):
        return
    one, promised, now = measure(name), chances(3000, 1, kind=kind), chances(3000, 2, tilt=1.5, kind=kind)
    found = estimated(one, by_chances(one, promised), promised, chances(900, 3, days=3, kind=kind), without_truth(now), span=SPAN)
    real, level = one.value(now.truth, now.answers), one.value(promised.truth, promised.answers)
    assert found.low - 0.02 < real < found.high + 0.02
    assert abs(found.value - real) < abs(level - real)
    assert found.tested.windows == 3
    assert found.tested.broke is None


def test_labels_flipped_in_a_segment_refute_it_within_one_window():
    one, promised = measure("accuracy"), chances(3000, 1)
    foresee, newest = by_chances(one, promised), without_truth(chances(500, 9))
    fine = [estimated(one, foresee, promised, chances(400, seed), newest, span=SPAN).tested for seed in range(20, 60)]
    assert sum(t.broke is not None for t in fine) <= 1
    gone = [estimated(one, foresee, promised, chances(400, seed, flip=0.4), newest, span=SPAN).tested for seed in range(20, 40)]
    assert all(t.broke is not None and t.trust == 0 for t in gone)


def test_too_little_is_no_estimate():
    one, promised = measure("auc"), chances(3000, 1)
    assert by_chances(one, chances(200, 1)) is None
    assert estimated(one, by_chances(one, promised), promised, None, without_truth(chances(20, 2)), span=SPAN) is None
    untested = estimated(one, by_chances(one, promised), promised, None, without_truth(chances(200, 2)), span=SPAN)
    assert untested.tested is None


def numbers(n, seed, hard, days=1, worse=1.0):
    """Demand whose noise grows with what is known of it; ``hard``: how much of it is asked about."""
    rng = np.random.default_rng(seed)
    known = rng.uniform(0, 1, n) ** (1 / hard)
    said = np.full(n, 20.0)
    truth = said + worse * 10 * known * rng.standard_normal(n)
    moments = np.sort(rng.integers(0, days, n)) * DAY
    answers = Answers(Shape(kind="number"), said)
    return Answered(version="v", units=names(n), moments=moments, truth=truth, answers=answers, known=known[:, None])


@pytest.mark.parametrize("name", ["mae", "wape"])
def test_losses_of_numbers_are_estimated_from_what_is_known(name):
    one, promised, now = measure(name), numbers(1500, 1, 1), numbers(1500, 2, 4)
    terms = one.rows(promised.truth, promised.answers, np.ones(1500))
    foresee = by_losses(one, learn_losses(("x",), promised.known, promised.answers.value, terms, seed=1))
    found = estimated(one, foresee, promised, numbers(600, 3, 1, days=3), without_truth(now), span=SPAN)
    real, level = one.value(now.truth, now.answers), one.value(promised.truth, promised.answers)
    assert found.value == pytest.approx(real, rel=0.08)
    assert abs(level - real) > 3 * abs(found.value - real)
    assert found.tested.broke is None
    broken = estimated(one, foresee, promised, numbers(600, 3, 1, worse=1.6), without_truth(now), span=SPAN)
    assert broken.tested.broke is not None
