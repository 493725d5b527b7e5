"""One model for each value of a column, the same wherever it is learnt; who has too little is answered by all together."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

from everloop.errors import LearnerFailed
from everloop.training.each import TOGETHER, Each
from everloop.training.executor import Serial, doing
from everloop.training.fit import prepared


def rows(units=30, each=25, seed=0):
    rng = np.random.default_rng(seed)
    whose = np.repeat(np.arange(units), each)
    x = rng.normal(size=len(whose))
    order = rng.permutation(len(whose))
    return np.column_stack([whose, x])[order], (whose * 10 + (whose % 3 + 1) * x)[order]


def test_each_value_is_answered_by_a_model_of_its_own():
    X, y = rows()
    fitted = Each(LinearRegression(), by=0).fit(X, y)
    assert len(fitted.models_) == 30
    assert np.allclose(fitted.predict(X), y)
    assert fitted.models_["0.0"].coef_.shape == (1,), "the column that is the same for all of them teaches nothing"


def test_who_has_too_little_or_is_new_is_answered_by_the_model_of_all():
    X, y = rows()
    fitted = Each(LinearRegression(), by=0, least=26).fit(X, y)
    assert fitted.models_ == {}
    together = LinearRegression().fit(X[:, 1:], y)
    assert np.array_equal(fitted.predict(X), together.predict(X[:, 1:]))
    new = np.array([[99.0, 0.5], [0.0, 0.5]])
    assert fitted.predict(new)[0] == together.predict(new[:, 1:])[0]


def test_categories_and_names_are_taken_as_they_come():
    X, y = rows()
    words = [f"p{int(n)}" if n else None for n in X[:, 0]]
    fed = pa.table({"x": X[:, 1], "product": pa.array(words).dictionary_encode()})
    fitted = Each(LinearRegression(), by="product").fit(fed, y)
    assert set(fitted.models_) == {f"p{n}" for n in range(1, 30)} | {"None"}
    assert np.allclose(fitted.predict(fed), y)
    with pytest.raises(LearnerFailed, match="There is no column 'shop'"):
        Each(LinearRegression(), by="shop").fit(fed, y)


class Counting(Serial):
    def __init__(self):
        self.pieces = []

    def map(self, fn, items):
        listed = list(items)
        self.pieces += [len(item) for item in listed]
        return super().map(fn, listed)


def test_models_go_to_the_executor_of_the_work_under_way_many_in_a_piece():
    X, y = rows()
    with doing(Counting()) as _:
        from everloop.training.executor import here

        counting = here()
        spread = Each(LinearRegression(), by=0).fit(X, y)
    assert counting.pieces == [TOGETHER, 11]
    assert np.array_equal(spread.predict(X), Each(LinearRegression(), by=0).fit(X, y).predict(X))


def test_seeds_and_settings_reach_the_learner_inside():
    made = prepared(Each(RandomForestRegressor(n_estimators=3), by=0), 7, {"learner__max_depth": 2, "least": 5})
    assert (made.learner.random_state, made.learner.max_depth, made.least) == (7, 2, 5)
    assert clone(Each(LinearRegression(), by=1), safe=False).get_params(deep=False)["by"] == 1
    with pytest.raises(LearnerFailed, match="Each has no parameter 'most'"):
        made.set_params(most=3)


def test_weights_are_given_on():
    X, y = rows(2)
    weights = (np.arange(len(y)) % 2).astype(float)
    fitted = Each(LinearRegression(), by=0).fit(X, y + (weights == 0) * 1e6, sample_weight=weights)
    assert np.allclose(fitted.predict(X), y)
