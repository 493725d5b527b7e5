"""Going on from a champion: its trees stay, new ones are added, on the bins the old ones were grown on."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor

from everloop.errors import LearnerFailed
from everloop.records import Shape
from everloop.training.artefact import dump, thawed, unframed
from everloop.training.feed import Feed
from everloop.training.fit import fit
from everloop.training.predictor import Predictor
from everloop.training.rows import Rows

NUMBER, CHANCE = Shape(kind="number"), Shape(kind="chance")


def rows_of(seed, count=600, low=0.0, high=1.0, chance=False, champion=None):
    rng = np.random.default_rng(seed)
    X = rng.uniform(low, high, (count, 2))
    y = np.sin(6 * X[:, 0]) + X[:, 1]
    if chance:
        y = (y + rng.normal(0, 0.3, count) > 0.7).astype(float)
    return Rows(X, y, ("a", "b"), np.arange(count), np.array(["u"] * count, object), champion=champion)


LEARNERS = {
    "boosting": (lambda: HistGradientBoostingRegressor(max_iter=30, random_state=1), NUMBER),
    "absolute boosting": (lambda: HistGradientBoostingRegressor(loss="absolute_error", max_iter=30, random_state=1), NUMBER),
    "boosting of chances": (lambda: HistGradientBoostingClassifier(max_iter=30, random_state=1), CHANCE),
    "lightgbm": (lambda: lightgbm.LGBMRegressor(n_estimators=30, verbose=-1, n_jobs=1), NUMBER),
    "lightgbm of chances": (lambda: lightgbm.LGBMClassifier(n_estimators=30, verbose=-1, n_jobs=1), CHANCE),
    "xgboost": (lambda: xgboost.XGBRegressor(n_estimators=30, n_jobs=1), NUMBER),
}


def stored(fitted, shape):
    """As a champion is: written and read back."""
    artefact = dump(Predictor(shape, Feed(("a", "b")), fitted))
    _, body = unframed(artefact.body, "test")
    return thawed(artefact.format, body, artefact.needs, "test")


def trees(fitted):
    if hasattr(fitted, "booster_"):
        return fitted.booster_.num_trees()
    return fitted.get_booster().num_boosted_rounds() if hasattr(fitted, "get_booster") else len(fitted._predictors)


def loss(fitted, rows, shape):
    said = fitted.predict_proba(rows.X)[:, 1] if shape.kind == "chance" else fitted.predict(rows.X)
    return float(np.mean((rows.y - said) ** 2))


@pytest.mark.parametrize("name", LEARNERS)
def test_new_trees_are_added_to_those_the_champion_has(name):
    make, shape = LEARNERS[name]
    chance = shape.kind == "chance"
    champion = stored(fit(make(), rows_of(1, chance=chance), shape), shape)
    before = loss(champion, rows_of(3, chance=chance), shape)
    new = rows_of(2, chance=chance, champion=champion)
    gone_on = fit(make(), new, shape, only_new=True)
    assert trees(gone_on) == 60
    assert loss(gone_on, new, shape) < loss(champion, new, shape), "it has learnt from what is new"
    assert loss(champion, rows_of(3, chance=chance), shape) == before, "the champion stays as it was"
    again = stored(gone_on, shape)
    assert np.array_equal(again.predict(new.X), gone_on.predict(new.X))


@pytest.mark.parametrize("name", LEARNERS)
def test_the_same_rows_give_the_same_bits_again(name):
    make, shape = LEARNERS[name]
    chance = shape.kind == "chance"
    champion = stored(fit(make(), rows_of(1, chance=chance), shape), shape)
    one, other = (fit(make(), rows_of(2, chance=chance, champion=champion), shape, only_new=True) for _ in range(2))
    assert np.array_equal(one.predict(rows_of(3).X), other.predict(rows_of(3).X))


def bare_warm_start(champion, rows):
    """The rival: scikit-learn's warm_start as it is, which cuts new rows into bins of their own."""
    import copy

    made = copy.deepcopy(champion).set_params(warm_start=True, max_iter=champion.n_iter_ + 30)
    return made.fit(rows.X, rows.y)


def test_new_rows_are_read_by_the_bins_of_the_older_trees():
    """New rows lie elsewhere than the old: in bins of their own the older trees would read them as if they did not."""
    make, shape = LEARNERS["boosting"]
    champion = fit(make(), rows_of(1), shape)
    new = rows_of(2, low=0.5, high=1.0, champion=champion)
    ours, rival = fit(make(), new, shape, only_new=True), bare_warm_start(champion, new)
    assert loss(ours, new, shape) < loss(champion, new, shape)
    assert loss(ours, new, shape) < 0.2 * loss(rival, new, shape)


def test_where_nobody_has_learnt_yet_it_begins():
    make, shape = LEARNERS["boosting"]
    assert trees(fit(make(), rows_of(1), shape, only_new=True)) == 30


def test_a_champion_of_another_kind_is_not_gone_on_from():
    champion = fit(LEARNERS["lightgbm"][0](), rows_of(1), NUMBER)
    with pytest.raises(LearnerFailed, match=r"cannot go on from the champion, which is a LGBMRegressor"):
        fit(LEARNERS["boosting"][0](), rows_of(2, champion=champion), NUMBER, only_new=True)


def test_a_forest_cannot_go_on_and_it_is_said_what_can():
    with pytest.raises(LearnerFailed, match=r"no partial_fit\. Take a learner that has, or boosted trees"):
        fit(RandomForestRegressor(n_estimators=3), rows_of(1), NUMBER, only_new=True)
