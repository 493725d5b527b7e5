"""What each column added to an answer: held against the definition, against LightGBM, and against the answer itself."""

from __future__ import annotations

import math
from itertools import combinations

import lightgbm
import msgspec
import numpy as np
import pyarrow as pa
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeRegressor

from everloop.errors import EverloopError
from everloop.records import Shape
from everloop.training import shapley
from everloop.training.because import because
from everloop.training.boosted import boosted_of
from everloop.training.compiled import compiled, load_compiled
from everloop.training.feed import Feed, fed, feed_of
from everloop.training.predictor import Predictor
from everloop.training.shapley import contributions
from everloop.training.trees import Trees
from everloop.training.xgboosted import xgboosted_of

NUMBER, CHANCE = Shape(kind="number"), Shape(kind="chance")
COLUMNS = ("a", "b", "c", "d")


def data(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, len(COLUMNS)))
    y = 3 * X[:, 0] * (X[:, 1] > 0) + X[:, 2] ** 2 + 0.1 * rng.normal(size=rows)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def light(fitted, shape=NUMBER, feed=Feed(COLUMNS)):
    return load_compiled(compiled(Predictor(shape, feed, fitted)))


def row(x):
    return {name: None if math.isnan(v) else float(v) for name, v in zip(COLUMNS, x, strict=True)}


def answered(predictor, features):
    return float(predictor.answer(pa.table({k: pa.array([v], pa.float64()) for k, v in features.items()})).value[0])


# -- by the definition ---------------------------------------------------------------------------------------------------------------


def known(trees, x, columns, node):
    """What one tree says where only these columns are known."""
    left, right = trees.kids[node]
    if left == node:
        return float(trees.value[node, 0])
    if trees.column[node] in columns:
        return known(trees, x, columns, right if trees.right(x)[node] else left)
    return sum(trees.cover[kid] / trees.cover[node] * known(trees, x, columns, kid) for kid in (left, right))


def by_definition(trees, x):
    """Shapley values as they are defined: over every set of columns."""
    every, found = range(len(x)), np.zeros(len(x))
    said = {
        frozenset(s): sum(known(trees, x, s, root) for root in trees.roots)
        for size in range(len(x) + 1)
        for s in map(frozenset, combinations(every, size))
    }
    for j in every:
        for s, value in said.items():
            if j not in s:
                weight = math.factorial(len(s)) * math.factorial(len(x) - len(s) - 1) / math.factorial(len(x))
                found[j] += weight * (said[s | {j}] - value)
    return said[frozenset()], found


@st.composite
def grown(draw):
    """A tree at random: any shape, columns asked about again and again, any covers."""
    kids, column, threshold, cover = [[0, 0]], [0], [0.0], [float(draw(st.integers(2, 50)))]
    for _ in range(draw(st.integers(0, 12))):
        leaves = [n for n, pair in enumerate(kids) if pair[0] == n]
        at = draw(st.sampled_from(leaves))
        share = draw(st.floats(0.01, 0.99))
        kids[at], column[at], threshold[at] = [len(kids), len(kids) + 1], draw(st.integers(0, 3)), draw(st.floats(-2, 2))
        for part in (share, 1 - share):
            kids.append([len(kids)] * 2)
            column.append(0)
            threshold.append(0.0)
            cover.append(cover[at] * part)
    count = len(kids)
    value = np.array(draw(st.lists(st.floats(-10, 10), min_size=count, max_size=count)))[:, None]
    return Trees(
        roots=np.zeros(1, np.int32), kids=np.array(kids, np.int32), column=np.array(column, np.int32), threshold=np.array(threshold),
        lost=np.array(draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)), np.uint8), value=value,
        category=np.full(count, -1, np.int32), lefts=np.zeros((0, 1), np.uint8), cover=np.array(cover),
    )  # fmt: skip


NUMBERS = st.lists(st.floats(-3, 3) | st.just(math.nan), min_size=4, max_size=4).map(np.array)


@settings(max_examples=150, deadline=None)
@given(grown(), NUMBERS)
def test_contributions_are_shapley_values_by_their_definition(trees, x):
    base, added = contributions(trees, x)
    base_due, due = by_definition(trees, x)
    assert base == pytest.approx(base_due, abs=1e-9)
    np.testing.assert_allclose(added, due, atol=1e-9)
    leaf = trees.leaves(x[None, :])[0, 0]
    assert base + added.sum() == pytest.approx(trees.value[leaf, 0], abs=1e-9)


def test_the_mutant_that_weighs_every_set_alike_is_found(monkeypatch):
    X, y = data()
    trees = light(DecisionTreeRegressor(max_depth=5, random_state=0).fit(X, y)).fitted.body.trees
    due = by_definition(trees, X[0])[1]
    monkeypatch.setattr(shapley.np.polynomial.legendre, "leggauss", lambda points: (np.zeros(1), np.full(1, 2.0)))  # Banzhaf's value
    assert np.abs(contributions(trees, X[0])[1] - due).max() > 1e-3


# -- LightGBM ------------------------------------------------------------------------------------------------------------------------


def as_trees(booster):
    """LightGBM's trees of numbers as flat arrays, with the rows each node had."""
    nodes = []

    def put(node):
        at = len(nodes)
        nodes.append(None)
        if "leaf_value" in node:
            nodes[at] = ((at, at), 0, 0.0, 0, node["leaf_value"], node["leaf_count"])
            return at
        assert node["decision_type"] == "<="
        left, right = put(node["left_child"]), put(node["right_child"])
        lost = int(node["default_left"])
        nodes[at] = ((left, right), node["split_feature"], node["threshold"], lost, 0.0, node["internal_count"])
        return at

    roots = [put(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]
    kids, column, threshold, lost, value, cover = (np.array(part) for part in zip(*nodes, strict=True))
    return Trees(
        roots=np.array(roots, np.int32), kids=kids.astype(np.int32), column=column.astype(np.int32), threshold=threshold,
        lost=lost.astype(np.uint8), value=value[:, None], category=np.full(len(nodes), -1, np.int32), lefts=np.zeros((0, 1), np.uint8),
        cover=cover.astype(float),
    )  # fmt: skip


@pytest.mark.parametrize("leaves", [4, 31])
def test_they_are_what_lightgbm_says_of_its_own_trees(leaves):
    X, y = data(2000)
    booster = lightgbm.train({"objective": "regression", "num_leaves": leaves, "verbose": -1, "seed": 0}, lightgbm.Dataset(X, y), 60)
    trees = as_trees(booster)
    due = booster.predict(X[:25], pred_contrib=True)
    for x, wanted in zip(X[:25], due, strict=True):
        base, added = contributions(trees, x)
        np.testing.assert_allclose([*added, base], wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("learner", "shape", "scale"),
    [
        (lightgbm.LGBMRegressor(n_estimators=20, verbose=-1), NUMBER, "answer"),
        (lightgbm.LGBMRegressor(objective="poisson", n_estimators=20, verbose=-1), NUMBER, "log"),
        (lightgbm.LGBMClassifier(n_estimators=20, verbose=-1), CHANCE, "log-odds"),
        (lightgbm.LGBMClassifier(n_estimators=20, sigmoid=2.0, verbose=-1), CHANCE, "log-odds"),
        (lightgbm.LGBMRegressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, n_estimators=20, verbose=-1), NUMBER, "answer"),
    ],
    ids=["number", "counts", "chance", "another sigmoid", "forest"],
)
def test_a_version_of_lightgbm_is_told_on_its_own_scale(learner, shape, scale):
    X, y = data()
    fitted = learner.fit(X, np.abs(y) if scale == "log" else y > 0 if shape is CHANCE else y)
    predictor, features = Predictor(shape, Feed(COLUMNS), boosted_of(fitted)), row(X[3])
    said = because(predictor, features, answered(predictor, features))
    assert said.scale == scale
    assert list(said.by_column) == list(COLUMNS)


# -- XGBoost -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("learner", "shape", "scale"),
    [
        (xgboost.XGBRegressor(n_estimators=60, max_depth=6), NUMBER, "answer"),
        (xgboost.XGBRegressor(objective="count:poisson", n_estimators=30, max_depth=4), NUMBER, "log"),
        (xgboost.XGBClassifier(n_estimators=30, max_depth=4, subsample=0.7), CHANCE, "log-odds"),
        (xgboost.XGBRegressor(n_estimators=5, num_parallel_tree=3, colsample_bynode=0.5, subsample=0.5), NUMBER, "answer"),
    ],
    ids=["number", "counts", "chance", "forest"],
)
def test_they_are_what_xgboost_says_of_its_own_trees(learner, shape, scale):
    X, y = data(1200)
    fitted = learner.fit(X, np.abs(y) if scale == "log" else y > 0 if shape is CHANCE else y)
    predictor = light(xgboosted_of(fitted), shape)
    due = fitted.get_booster().predict(xgboost.DMatrix(X[:20]), pred_contribs=True)
    for x, wanted in zip(X[:20], due, strict=True):
        said = because(predictor, row(x), answered(predictor, row(x)))
        assert said.scale == scale
        np.testing.assert_allclose([*said.by_column.values(), said.base], wanted, rtol=1e-4, atol=1e-5)


def test_the_mutant_that_counts_leaves_for_rows_is_not_what_xgboost_says():
    X, y = data(1200)
    fitted = xgboost.XGBRegressor(n_estimators=5, max_depth=4).fit(X, y)
    trees = light(xgboosted_of(fitted)).fitted.body.trees
    mutant = msgspec.structs.replace(trees, cover=np.ones(len(trees.kids)))
    due = fitted.get_booster().predict(xgboost.DMatrix(X[:1]), pred_contribs=True)[0, :-1]
    assert np.abs(contributions(trees, X[0])[1] - due).max() < 1e-4 < np.abs(contributions(mutant, X[0])[1] - due).max()


# -- compiled trees ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("learner", "shape", "scale"),
    [
        (HistGradientBoostingRegressor(max_iter=30), NUMBER, "answer"),
        (HistGradientBoostingRegressor(max_iter=30, loss="poisson"), NUMBER, "log"),
        (HistGradientBoostingClassifier(max_iter=30), CHANCE, "log-odds"),
        (RandomForestRegressor(15, max_depth=6, random_state=0), NUMBER, "answer"),
        (RandomForestClassifier(15, max_depth=6, random_state=0), CHANCE, "answer"),
        (DecisionTreeRegressor(max_depth=4, random_state=0), NUMBER, "answer"),
    ],
    ids=lambda of: type(of).__name__ if hasattr(of, "fit") else None,
)
def test_what_columns_add_comes_to_the_answer(learner, shape, scale):
    X, y = data()
    fitted = learner.fit(X, np.abs(y) if scale == "log" else y > 0 if shape is CHANCE else y)
    predictor = light(fitted, shape)
    for x in X[:10]:
        answer = answered(predictor, row(x))
        said = because(predictor, row(x), answer)
        total = said.base + sum(said.by_column.values())
        read = {"answer": total, "log": math.exp(total), "log-odds": 1 / (1 + math.exp(-total))}[scale]
        assert (said.scale, read) == (scale, pytest.approx(answer, rel=1e-9))
    assert max(map(abs, said.by_column.values())) > 0


def test_codes_of_one_category_are_one_column():
    rows = pa.table({"kind": ["tea", "coffee", "mate", "tea"] * 50, "price": np.arange(200.0)})
    feed = feed_of(rows, ["kind", "price"], "pandas")
    y = np.array([1.0, 5.0, 2.0, 1.0] * 50)
    coded = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["kind"]), remainder="passthrough")
    fitted = make_pipeline(coded, GradientBoostingRegressor(n_estimators=20, random_state=0)).fit(fed(rows, feed), y)
    predictor = light(fitted, feed=feed)
    answer = float(predictor.answer(rows.slice(1, 1)).value[0])
    said = because(predictor, {"kind": "coffee", "price": 1.0}, answer)
    assert list(said.by_column) == ["kind", "price"]
    assert said.by_column["kind"] > 2 > abs(said.by_column["price"])


def test_categories_of_boosting_are_told_by_their_own_column():
    rng = np.random.default_rng(0)
    kinds = rng.choice(["tea", "coffee", "mate"], 300)
    rows = pa.table({"price": rng.normal(size=300), "kind": kinds})
    feed = feed_of(rows, ["price", "kind"], "pandas")
    fitted = HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=20).fit(fed(rows, feed), (kinds == "tea") * 4.0)
    predictor = light(fitted, feed=feed)
    for kind in ("tea", "mate", None):
        features = {"price": 0.5, "kind": kind}
        answer = float(predictor.answer(pa.table({"price": [0.5], "kind": pa.array([kind], pa.string())})).value[0])
        said = because(predictor, features, answer)
        assert abs(said.by_column["kind"]) > 10 * abs(said.by_column["price"])


# -- what is not told ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fitted", "shape", "why"),
    [
        (Ridge().fit([[0.0] * 4], [1.0]), NUMBER, "this version is none"),
        (Ridge().fit([[0.0] * 4], [1.0]), Shape(kind="ranking", most=3), "no one sum"),
    ],
    ids=["a line", "a list"],
)
def test_what_is_no_tree_or_no_number_is_not_told(fitted, shape, why):
    with pytest.raises(EverloopError, match=why):
        because(light(fitted, shape), row([0.0] * 4), 1.0)


def test_a_learner_of_ones_own_is_not_told():
    class Mine:
        def predict(self, X):
            return X[:, 0]

    with pytest.raises(EverloopError, match="none that is known here"):
        because(Predictor(NUMBER, Feed(COLUMNS), Mine()), row([0.0] * 4), 0.0)


def test_what_does_not_come_to_the_answer_is_not_told():
    X, y = data()
    predictor = light(HistGradientBoostingRegressor(max_iter=5).fit(X, y))
    with pytest.raises(EverloopError, match="does not come to the answer"):
        because(predictor, row(X[0]), answered(predictor, row(X[0])) + 0.01)


def test_a_forest_too_large_to_be_told_says_so(monkeypatch):
    X, y = data()
    predictor = light(HistGradientBoostingRegressor(max_iter=5).fit(X, y))
    monkeypatch.setattr(shapley, "MOST", 100)
    with pytest.raises(EverloopError, match="leaves lie up to"):
        because(predictor, row(X[0]), 0.0)


def test_trees_that_do_not_say_their_rows_are_not_told():
    X, y = data()
    trees = light(DecisionTreeRegressor(max_depth=3).fit(X, y)).fitted.body.trees
    with pytest.raises(ValueError, match="how many rows"):
        contributions(msgspec.structs.replace(trees, cover=np.zeros(0)), X[0])
