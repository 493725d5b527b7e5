"""What makes a candidate suspect is measured where it can be loaded."""

import warnings

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from everloop.records import Shape
from everloop.training import Predictor, alone, shaken
from everloop.training.feed import Feed

NUMBER = Shape(kind="number")
RNG = np.random.default_rng(3)
PRICE, STOCK = RNG.gamma(2.0, 5.0, 600).round(2), RNG.integers(0, 40, 600).astype(float)
TABLE = pa.table({"question": np.arange(600), "price": PRICE, "stock": STOCK, "truth": 3 * PRICE + STOCK + RNG.normal(0, 5, 600)})


def predictor(fitted, columns=("price", "stock")):
    return Predictor(NUMBER, Feed(columns), fitted)


def fitted(learner):
    return learner.fit(np.column_stack([PRICE, STOCK]), TABLE["truth"].to_numpy())


class Hashes:
    """Knows nothing and says something else for every last bit."""

    def predict(self, X):
        return np.array([hash(float(x)) % 97 for x in X[:, 0]], dtype=float)


@pytest.mark.parametrize("learner", [LinearRegression(), HistGradientBoostingRegressor(max_iter=50)])
def test_usual_learners_do_not_jump(learner):
    found = shaken(predictor(fitted(learner)), TABLE)
    assert found.rows == 500
    assert found.jumped <= 0.1
    assert 0 < found.least + found.noise < 0.15


def test_a_learner_of_last_bits_is_found_out():
    assert shaken(predictor(Hashes()), TABLE).jumped > 0.8


def test_an_answer_that_goes_away_moved_by_the_most_that_is_counted():
    class Silent:
        def predict(self, X):
            return np.where(X[:, 0] == np.round(X[:, 0], 2), X[:, 0], np.nan)

    found = shaken(predictor(Silent()), TABLE)
    assert found.least == pytest.approx(10.0)
    assert np.isfinite(found.noise)


def test_where_all_answers_are_the_same_nothing_can_be_said():
    class Same:
        def predict(self, X):
            return np.ones(len(X))

    assert shaken(predictor(Same()), TABLE) is None


def test_the_same_seed_shakes_alike():
    one = predictor(fitted(LinearRegression()))
    assert shaken(one, TABLE, seed=4) == shaken(one, TABLE, seed=4)
    assert shaken(one, TABLE, seed=4) != shaken(one, TABLE, seed=5)


# -- what one column knows -----------------------------------------------------------------------------------------------------------


def test_the_column_that_knows_the_truth_comes_first():
    leaking = TABLE.append_column("invoice", pa.array(TABLE["truth"].to_numpy() * 1.19))
    best, second, *_ = alone(leaking, ["price", "stock", "invoice"], "number")
    assert (best.column, best.measure) == ("invoice", "r2")
    assert best.value > 0.999 > 0.9 > second.value


def test_a_column_that_knows_the_size_alone_is_no_leak():
    """On sizes that differ a thousandfold R² alone, a rival, calls it one."""
    size = np.exp(RNG.normal(2, 1.5, 3000))
    sold = RNG.poisson(size).astype(float)
    table = pa.table({"truth": sold, "usual": size})
    assert np.corrcoef(size, sold)[0, 1] ** 2 > 0.99
    assert alone(table, ["usual"], "number")[0].value < 0.98


def test_words_and_gaps_can_know_it_too():
    yes = (RNG.random(600) < 0.3).astype(float)
    table = pa.table(
        {
            "truth": yes,
            "status": np.where(yes > 0, "refunded", "paid").tolist(),
            "refunded_at": pa.array(np.where(yes > 0, RNG.random(600), np.nan), from_pandas=True),
            "shop": RNG.choice(["a", "b", "c"], 600).tolist(),
            "customer": [f"c{i}" for i in range(600)],
        }
    )
    found = {one.column: one.value for one in alone(table, ["status", "refunded_at", "shop", "customer"], "chance")}
    assert found["status"] > 0.999
    assert found["refunded_at"] == 1.0
    assert found["shop"] < 0.6
    assert found["customer"] < 0.6  # each word is seen once, and tells nothing of the rows between


def test_of_lists_and_shares_nothing_is_told():
    assert alone(TABLE, ["price"], "ranking") == ()
    assert alone(TABLE, ["price"], "shares") == ()


def test_where_a_columns_zero_lies_moves_no_answer():
    rng = np.random.default_rng(5)
    year = rng.normal(0, 1, 400)
    found = []
    for zero in (0.0, 2026.0):
        table = pa.table({"question": np.arange(400), "x": year + zero, "truth": year})
        line = LinearRegression().fit((year + zero).reshape(-1, 1), year)
        found.append(shaken(predictor(line, ("x",)), table).noise)
    assert found[1] == pytest.approx(found[0], rel=0.01)
    assert found[0] < 0.05


def test_a_column_that_nobody_has_said_yet_is_left_alone():
    class Price:
        def predict(self, X):
            return X[:, 0]

    silent = TABLE.set_column(2, "stock", pa.array([None] * 600, pa.float64()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 0 < shaken(predictor(Price()), silent).noise < 0.1
