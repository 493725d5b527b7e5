"""The demo's own learner, and the project file that uses it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from everloop import explain
from everloop.demo import project
from everloop.demo.usual import TimesUsual
from everloop.training.artefact import dump, thawed, unframed
from everloop.training.feed import Feed
from everloop.training.predictor import Predictor


def sold(rows: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Products of very different size, each selling its usual times how it goes now."""
    rng = np.random.default_rng(seed)
    usual, now = np.exp(rng.uniform(0, 7, rows)) - 1, rng.uniform(0.5, 2.0, rows)
    return np.column_stack([usual, now]), (usual + 1) * now


def test_what_is_learnt_of_much_sold_products_holds_for_little_sold_ones():
    X, y = sold()
    large = X[:, 0] > 30
    times = TimesUsual(LinearRegression()).fit(X[large], y[large])
    assert np.abs(times.predict(X[~large]) - y[~large]).max() < 1e-6
    # The rival learns the number itself and misses.
    rival = LinearRegression().fit(X[large], y[large])
    assert np.abs(rival.predict(X[~large]) - y[~large]).max() > 10


def test_a_row_weighs_as_much_as_its_usual():
    X = np.array([[99.0, 1.0], [0.0, 1.0]])
    y = np.array([100.0, 3.0])
    # 100 rows' weight says 1 time, one row's says 3 times.
    assert TimesUsual(DummyRegressor()).fit(X, y).predict(X)[1] == pytest.approx((100 * 1 + 1 * 3) / 101)


def test_what_was_never_sold_gets_a_number():
    X, y = sold()
    trees = TimesUsual(HistGradientBoostingRegressor(max_iter=5)).fit(X, y)
    assert np.isfinite(trees.predict(np.array([[0.0, np.nan], [np.nan, np.nan]]))).all()


def test_it_can_be_stored_without_pickle_and_answers_the_same_to_the_last_bit():
    X, y = sold()
    fitted = TimesUsual(HistGradientBoostingRegressor(max_iter=5)).fit(X, y)
    made = dump(Predictor(project.demand.shape, Feed(("usual", "week")), fitted))
    assert made.format == "skops"
    assert "everloop.demo.usual.TimesUsual" in made.needs
    again = thawed("skops", unframed(made.body, "it")[1], made.needs, "it")
    assert (again.predict(X) == fitted.predict(X)).all()


@pytest.mark.parametrize("model", [project.demand, project.churn], ids=lambda m: m.name)
def test_everything_the_project_file_says_can_be_done(model):
    assert model.not_yet == ()
    assert explain(model).startswith(model.about)


def test_the_usual_is_the_first_thing_demand_knows():
    assert project.demand.columns[project.demand.learner.usual] == "usual"
