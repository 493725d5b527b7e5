"""LightGBM and XGBoost in plain numbers: the same answers to the last bit without the library, or none."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace

import lightgbm
import numpy as np
import pyarrow as pa
import pytest
import xgboost
from hypothesis import example, given, settings
from hypothesis import strategies as st
from training_tables import NOW, Shelf, number, shares, table_of, training_set_of

from everloop.errors import ArtefactBroken, LearnerFailed
from everloop.records import Shape
from everloop.training import load, train
from everloop.training.artefact import dump, thawed, unframed
from everloop.training.compiled import compiled, load_compiled
from everloop.training.feed import fed, feed_of
from everloop.training.fit import fit
from everloop.training.grown_single import below_single
from everloop.training.light import compile_version
from everloop.training.parity import agrees
from everloop.training.plain import single_exp
from everloop.training.predictor import Predictor
from everloop.training.rows import Rows
from everloop.training.xgboosted import is_xgboosted

NUMBER, CHANCE, SHARES = Shape(kind="number"), Shape(kind="chance"), Shape(kind="shares", labels=("p", "q", "r"))
RANKING = Shape(kind="ranking", most=3)
COLUMNS = ("a", "b", "c")
LIGHT = {"n_estimators": 12, "num_leaves": 9, "min_child_samples": 4, "verbose": -1, "n_jobs": 1}
CATEGORIES = {"min_data_per_group": 2, "cat_smooth": 1.0, "max_cat_to_onehot": 2}
EXTREME = {"n_estimators": 12, "max_depth": 4, "n_jobs": 1}


def stored(learner, shape=NUMBER, columns=COLUMNS, fed_as="numbers"):
    """A predictor as it is loaded after it learnt, and the rows it learnt from."""
    rng = np.random.default_rng(0)
    a, b, c = rng.gamma(2.0, 3.0, 240), rng.normal(size=240), rng.integers(0, 6, 240).astype(float)
    b[::9], c[::7] = np.nan, np.nan
    kind = np.array(["tea", "coffee", "mate", None, "chai"], object)[rng.integers(0, 5, 240)]
    table = pa.table({"a": a, "b": b, "c": c, "kind": pa.array(kind.tolist(), pa.string())})
    table = table.append_column("question", pa.array(np.arange(240) // 4)).append_column("item", pa.array([f"i{n}" for n in range(240)]))
    feed = feed_of(table, columns, fed_as)
    y = a + 3 * np.nan_to_num(b) + 4 * (kind == "tea") + rng.gamma(1.0, size=240) + 9
    if shape.kind in ("chance", "ranking"):
        y = (y > np.median(y)).astype(float)
    elif shape.kind == "shares":
        y = np.array(["p", "q", "r"], object)[np.digitize(y, np.quantile(y, [0.3, 0.6]))]
    groups = np.full(60, 4) if shape.kind == "ranking" else None
    rows = Rows(fed(table, feed), y, columns, np.zeros(240, np.int64), np.full(240, "u", object), groups=groups)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Predictor(shape, feed, fit(learner, rows, shape))
        artefact = dump(made)
        _, body = unframed(artefact.body, "it")
        again = replace(made, fitted=thawed(artefact.format, body, artefact.needs, "it"))
        assert np.array_equal(made.answer(table).value, again.answer(table).value, equal_nan=True)
    return again, table


SAID = {
    "light": lambda: stored(lightgbm.LGBMRegressor(**LIGHT)),
    "light counts": lambda: stored(lightgbm.LGBMRegressor(objective="poisson", **LIGHT)),
    "light chances": lambda: stored(lightgbm.LGBMClassifier(**LIGHT), CHANCE),
    "light shares": lambda: stored(lightgbm.LGBMClassifier(**LIGHT), SHARES),
    "light lists": lambda: stored(lightgbm.LGBMRanker(**LIGHT), RANKING),
    "light categories": lambda: stored(lightgbm.LGBMRegressor(**LIGHT, **CATEGORIES), NUMBER, ("a", "kind", "b"), "pandas"),
    "light with zeros for missing ones": lambda: stored(lightgbm.LGBMRegressor(use_missing=False, **LIGHT)),
    "light of one leaf": lambda: stored(lightgbm.LGBMRegressor(n_estimators=2, min_child_samples=1000, verbose=-1)),
    "extreme": lambda: stored(xgboost.XGBRegressor(**EXTREME)),
    "extreme counts": lambda: stored(xgboost.XGBRegressor(objective="count:poisson", **EXTREME)),
    "extreme chances": lambda: stored(xgboost.XGBClassifier(**EXTREME), CHANCE),
    "extreme shares": lambda: stored(xgboost.XGBClassifier(**EXTREME), SHARES),
    "extreme lists": lambda: stored(xgboost.XGBRanker(**EXTREME), RANKING),
    "extreme forest": lambda: stored(xgboost.XGBRegressor(num_parallel_tree=3, subsample=0.5, **EXTREME)),
}


@pytest.mark.parametrize("name", SAID)
def test_boosted_trees_are_compiled_to_the_last_bit(name):
    predictor, rows = SAID[name]()
    body = compiled(predictor)
    assert body is not None
    assert agrees(load_compiled(body), predictor, rows)


@pytest.mark.parametrize(
    "learner",
    [
        lightgbm.LGBMRegressor(zero_as_missing=True, **LIGHT),
        lightgbm.LGBMRegressor(boosting_type="rf", bagging_fraction=0.5, bagging_freq=1, **LIGHT),
        lightgbm.LGBMRegressor(reg_sqrt=True, **LIGHT),
        xgboost.XGBRegressor(booster="dart", rate_drop=0.3, **EXTREME),
        xgboost.XGBRegressor(booster="gblinear", n_estimators=3),
        xgboost.XGBRegressor(objective="reg:squaredlogerror", **EXTREME),
    ],
)
def test_what_is_not_known_exactly_is_left_to_its_library(learner):
    assert compiled(stored(learner)[0]) is None


def test_a_class_without_a_share_is_refused():
    with pytest.raises(LearnerFailed, match="multi:softprob"):
        stored(xgboost.XGBClassifier(objective="multi:softmax", **EXTREME), SHARES)


def test_training_by_xgboost_keeps_names_of_classes_and_stops_early_for_good():
    model, shelf = shares(xgboost.XGBClassifier(**EXTREME)), Shelf()
    table = table_of(model)
    candidate = train(model, table, training_set_of(table), seed=1, id="c1", now=NOW, save=shelf.save)
    assert candidate.format == "xgboost"
    assert set(load(candidate, shelf.open).answer(table).shape.labels) == {"a", "b", "c"}


@pytest.mark.parametrize("break_it", [lambda b: b[:-40], lambda b: b"", lambda b: b"{" + b"\xff" * 80 + b"}", lambda b: b"{}"])
def test_broken_bytes_of_xgboost_are_refused(break_it):
    predictor, _ = SAID["extreme"]()
    fitted = replace(predictor.fitted, body=break_it(predictor.fitted.body))
    _, body = unframed(dump(replace(predictor, fitted=fitted)).body, "it")
    with pytest.raises(ArtefactBroken, match=r"XGBoost|cannot be loaded"):
        thawed("xgboost", body, (), "it")


@settings(max_examples=200, deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-3, 3))
@example(-3.4028234663852886e38, 0)
def test_a_single_threshold_is_said_in_double_precision(edge, steps):
    moved = below_single(np.array([edge]))[0]
    for x in (moved, np.nextafter(moved, np.inf), edge * (1 + steps * 1e-8), np.inf, -np.inf):
        with np.errstate(over="ignore", invalid="ignore"):
            assert (np.float32(x) < np.float32(edge)) == (x <= moved)


def test_single_exp_is_nearly_always_the_rounded_one_and_never_far():
    x = np.random.default_rng(0).uniform(-80, 80, 20_000).astype(np.float32)
    due = np.exp(x.astype(np.float64)).astype(np.float32)
    assert np.abs(single_exp(x).view(np.int32) - due.view(np.int32)).max() <= 1
    assert (single_exp(x) == due).mean() > 0.99


@pytest.mark.parametrize("learner", [lightgbm.LGBMRegressor(**LIGHT), xgboost.XGBRegressor(**EXTREME)])
def test_a_worker_answers_without_the_library(learner, tmp_path):
    model, shelf = number(learner), Shelf()
    table = table_of(model)
    candidate = train(model, table, training_set_of(table), seed=1, id="c1", now=NOW, save=shelf.save)
    path = compile_version(candidate, shelf.open, tmp_path)
    asked = [1.0] * len(candidate.columns)
    code = (
        "import sys, pathlib; from everloop.training.compiled import load_compiled; "
        f"made = load_compiled(pathlib.Path({str(path)!r}).read_bytes()); print(made.one({asked!r})[0]); "
        "assert not {'lightgbm', 'xgboost', 'sklearn', 'scipy'} & set(sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    due = load(candidate, shelf.open).answer(pa.table({name: [1.0] for name in candidate.columns})).value[0]
    assert float(said) == due


def test_xgboost_that_reads_a_number_as_missing_is_not_stored_by_bytes_that_do_not_say_so():
    rows, truth = np.array([[0.0], [1.0], [2.0], [3.0]] * 10), np.array([9.0, 1.0, 2.0, 3.0] * 10)
    fitted = {missing: xgboost.XGBRegressor(n_estimators=3, missing=missing).fit(rows, truth) for missing in (0.0, float("nan"))}
    assert [is_xgboosted(one) for one in fitted.values()] == [False, True]
