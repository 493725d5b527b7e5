"""Demand of many products by one learner: it learns, keeps its promises, and is stored and compiled like any other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone
from training_tables import NOW, Shelf, number, table_of, training_set_of

from everloop.errors import LearnerFailed
from everloop.records import Shape
from everloop.training import load, train
from everloop.training.compiled import Compiled, compiled, load_compiled
from everloop.training.demand import DAY, Demand, newest_apart
from everloop.training.feed import Feed
from everloop.training.parity import differs
from everloop.training.predictor import Predictor

LIBRARIES = ["lightgbm", "sklearn"]


def shop(weeks=30, units=150, seed=0, promoted=True):
    """Rows of weekly demand: usual over eight weeks, share of it last week, whether it is on offer; sizes from 0.3 to 200 a week."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(1.5, 1.5, units))
    moments, X, y = [], [], []
    for week in range(weeks):
        offer = rng.random(units) < 0.2
        usual = rng.poisson(size * 8).astype(float)
        last = rng.poisson(size).astype(float)
        demand = rng.poisson(size * rng.gamma(4, 1 / 4, units) * np.where(offer & promoted, 2.0, 1.0)).astype(float)
        X.append(np.column_stack([usual, last * 8 / (usual + 1), offer]))
        y.append(demand)
        moments.append(np.full(units, week * 7 * DAY))
    return np.vstack(X), np.concatenate(y), np.concatenate(moments)


SHOP, AHEAD = shop(), shop(seed=1)


def wape(truth, said):
    return np.abs(truth - said).sum() / truth.sum()


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_median_beats_the_usual_week_and_the_mean_is_not_biased(library):
    (X, y, moments), (ahead, truth, _) = SHOP, AHEAD
    usual = ahead[:, 0] / 8
    median = Demand(0.5, library=library).fit(X, y, moments=moments).predict(ahead)
    mean = Demand(library=library).fit(X, y, moments=moments).predict(ahead)
    assert wape(truth, median) < 0.95 * wape(truth, usual)
    assert abs(mean.sum() / truth.sum() - 1) < 0.03
    assert usual.sum() / truth.sum() < 0.9  # the rival knows of no offer


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_interval_covers_what_it_promises_on_weeks_nobody_learnt_from(library):
    (X, y, moments), (ahead, truth, _) = SHOP, AHEAD
    low, high = (Demand(q, library=library, rounds=60).fit(X, y, moments=moments).predict(ahead) for q in (0.1, 0.9))
    assert 0.77 <= ((low <= truth) & (truth <= high)).mean() <= 0.86


@pytest.mark.slow
def test_quantiles_learnt_by_heart_are_moved_back_to_what_they_promise():
    """The mutant without calibration: trees that know every row by heart cover far too little."""
    (X, y, moments), (ahead, truth, _) = shop(weeks=8), AHEAD
    words = {"rounds": 300, "leaves": 63, "rows": 2, "rate": 0.1, "library": "lightgbm"}

    def covered(calibrate):
        return (truth <= Demand(0.9, calibrate=calibrate, **words).fit(X, y, moments=moments).predict(ahead)).mean()

    assert covered(0.0) < 0.82
    assert covered(0.3) > covered(0.0) + 0.05


def test_what_is_learnt_of_large_products_holds_for_small_ones():
    (X, y, moments), (ahead, truth, _) = SHOP, AHEAD
    large, small = X[:, 0] > 40, ahead[:, 0] < 20
    said = Demand(library="lightgbm").fit(X[large], y[large], moments=moments[large]).predict(ahead[small])
    assert abs(said.sum() / truth[small].sum() - 1) < 0.15


def test_a_product_never_sold_has_a_demand_too():
    (X, y, moments) = SHOP
    new = np.array([[0.0, 0.0, 0.0], [np.nan, np.nan, 0.0]])
    for at in ("mean", 0.9):
        said = Demand(at).fit(X, y, moments=moments).predict(new)
        assert np.isfinite(said).all()
        assert (said >= 0).all()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("at", ["mean", 0.1, 0.9])
def test_it_is_stored_without_pickle_compiled_and_answers_the_same_to_the_last_bit(library, at):
    X, y, moments = SHOP
    fitted = Demand(at, library=library, rounds=25).fit(X, y, moments=moments)
    predictor = Predictor(Shape(kind="number"), Feed(("usual", "week", "offer")), fitted)
    made = load_compiled(compiled(predictor))
    assert isinstance(made, Compiled)
    rows = pa.table({name: X[:200, i] for i, name in enumerate(predictor.columns)} | {"question": np.arange(200)})
    assert differs(made, predictor, rows) == ""


def test_a_compiled_form_that_forgets_what_was_added_is_found_out():
    X, y, moments = SHOP
    fitted = Demand(0.9, rounds=10).fit(X, y, moments=moments)
    fitted.times_usual = lambda: (fitted.learner_, fitted.column_, fitted.least)
    predictor = Predictor(Shape(kind="number"), Feed(("usual", "week", "offer")), fitted)
    rows = pa.table({name: X[:50, i] for i, name in enumerate(predictor.columns)} | {"question": np.arange(50)})
    assert fitted.moved_ != 0
    assert differs(load_compiled(compiled(predictor)), predictor, rows) != ""


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_model_of_quantiles_is_trained_stored_and_read_back(library):
    model = number({q: Demand(q, usual="orders_quantity_total_last_7d", library=library, rounds=10, rows=5) for q in (0.1, 0.5, 0.9)})
    table, shelf = table_of(model), Shelf()
    candidate = train(model, table, training_set_of(table), seed=1, id="c1", now=NOW, save=shelf.save)
    again = train(model, table, training_set_of(table), seed=1, id="c2", now=NOW, save=shelf.save)
    assert candidate.format == "skops"
    assert candidate.golden == again.golden
    said = load(candidate, shelf.open).answer(table)
    assert (np.diff(said.values, axis=1) >= 0).all()


@pytest.mark.parametrize("library", LIBRARIES)
def test_categories_may_be_among_what_it_knows(library):
    X, y, moments = SHOP
    frame = pd.DataFrame({"usual": X[:, 0], "offer": pd.Categorical.from_codes(X[:, 2].astype(int), ["no", "yes"])})
    fitted = Demand(usual="usual", library=library, rounds=50).fit(frame, y, moments=moments)
    on, off = fitted.predict(pd.DataFrame({"usual": [80.0, 80.0], "offer": pd.Categorical(["yes", "no"], categories=["no", "yes"])}))
    assert on > 1.5 * off


def test_the_newest_moments_calibrate_and_what_shares_their_truth_does_neither():
    moments = np.repeat(np.arange(20) * DAY, 3)
    learns, calibrates = newest_apart(moments, 0.25, ahead_days=7)
    assert (moments[calibrates].min(), moments[calibrates].max()) == (15 * DAY, 19 * DAY)
    assert moments[learns].max() == 8 * DAY
    assert not (learns & calibrates).any()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"at": 1.5}, "neither on average"),
        ({"at": "median"}, "neither on average"),
        ({"usual": "nowhere"}, "no column 'nowhere'"),
        ({"usual": 9}, "no column 9"),
        ({"calibrate": 1.0}, "calibrates on a share"),
        ({"least": 0.0}, "least"),
    ],
)
def test_what_cannot_be_meant_is_told(words, what):
    X, y, _ = SHOP
    with pytest.raises(LearnerFailed, match=what):
        Demand(**words).fit(X, y, names=("usual", "week", "offer"))


def test_more_returned_than_sold_is_nothing_sold_and_a_usual_below_nothing_is_refused():
    X, y, _ = SHOP
    returned = np.where(y == 0, -3.0, y)
    assert np.array_equal(Demand(rounds=5).fit(X, returned).predict(X), Demand(rounds=5).fit(X, y).predict(X))
    with pytest.raises(LearnerFailed, match="below 0 in some rows"):
        Demand().fit(-X - 5, y)


def test_what_came_back_is_no_demand_and_nothing_is_ever_below_nothing():
    X, y, _ = SHOP
    fitted = Demand(rounds=5).fit(X, y)
    returned = np.where(np.arange(X.shape[1]) == fitted.column_, -5.0, X[:20])
    assert (fitted.predict(returned) >= 0).all()


def test_it_can_be_cloned_and_tuned_like_any_other():
    made = clone(Demand(0.9, rounds=7), safe=False).set_params(rounds=9)
    assert (made.at, made.rounds) == (0.9, 9)
    with pytest.raises(LearnerFailed, match="no parameter 'depth'"):
        made.set_params(depth=3)


def test_a_row_fed_alone_to_lightgbm_is_answered_as_among_others():
    X, y, moments = SHOP
    fitted = Demand(0.5, library="lightgbm", rounds=20).fit(X, y, moments=moments)
    assert np.array_equal(fitted.predict(X[:5]), np.concatenate([fitted.predict(X[i : i + 1]) for i in range(5)]))
