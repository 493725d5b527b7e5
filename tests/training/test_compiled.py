"""Compiled predictors: the same answers to the last bit, without the library that trained them; and bytes that were tampered with."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from everloop.errors import ArtefactBroken
from everloop.records import Shape
from everloop.training.compiled import Record, compiled, load_compiled
from everloop.training.feed import Feed, fed, feed_of
from everloop.training.fit import alone
from everloop.training.packed import packed, unpacked
from everloop.training.parity import agrees, made_up
from everloop.training.plain import Sum, read
from everloop.training.predictor import Predictor

NUMBER, CHANCE, SHARES = Shape(kind="number"), Shape(kind="chance"), Shape(kind="shares", labels=("p", "q", "r"))
QUANTILES = Shape(kind="quantiles", levels=(0.1, 0.5, 0.9))
COLUMNS, WITH_KIND = ("a", "b", "c"), ("a", "kind", "b")
STEPS = {"max_iter": 12, "max_leaf_nodes": 9, "min_samples_leaf": 5}


def rows_of(seed, empty=True, count=240):
    """Rows with two numbers, a number of few values and a category; every so often one is empty."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.gamma(2.0, 3.0, count), rng.normal(size=count), rng.integers(0, 6, count).astype(float)
    if empty:
        b[::9], c[::7] = np.nan, np.nan
    kind = np.array(["tea", "coffee", "mate", None, "chai"], object)[rng.integers(0, 5, count)]
    return pa.table({"a": a, "b": pa.array(b), "c": pa.array(c), "kind": pa.array(kind.tolist(), pa.string())})


def fitted(learner, shape=NUMBER, *, columns=COLUMNS, fed_as="numbers", empty=True, seed=0):
    """A predictor that learnt from such rows, and the rows."""
    rows = rows_of(seed, empty)
    feed = feed_of(rows, columns, fed_as)
    X, rng = fed(rows, feed), np.random.default_rng(seed)
    y = rows["a"].to_numpy() + 3 * np.nan_to_num(rows["b"].to_numpy()) + rng.normal(size=len(rows))
    y = y + 4 * np.array([k == "tea" for k in rows["kind"].to_pylist()])
    if shape.kind == "chance":
        y = (y > np.median(y)).astype(float)
    elif shape.kind == "shares":
        y = np.array(["p", "q", "r"], object)[np.digitize(y, np.quantile(y, [0.3, 0.6]))]
    elif isinstance(learner, PoissonRegressor) or getattr(learner, "loss", "") == "poisson":
        y = np.abs(y)
    made = {level: one.fit(X, y) for level, one in learner.items()} if isinstance(learner, dict) else learner.fit(X, y)
    return Predictor(shape, feed, alone(made)), rows


def as_compiled(predictor):
    body = compiled(predictor)
    assert body is not None
    return load_compiled(body)


def encoded(encoder):
    return make_column_transformer((encoder, ["kind"]), (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b"]))


WHOLE = {
    "boosting": lambda: fitted(HistGradientBoostingRegressor(**STEPS)),
    "boosting of absolute errors": lambda: fitted(HistGradientBoostingRegressor(loss="absolute_error", **STEPS)),
    "boosting of counts": lambda: fitted(HistGradientBoostingRegressor(loss="poisson", **STEPS)),
    "boosting of chances": lambda: fitted(HistGradientBoostingClassifier(**STEPS), CHANCE),
    "boosting of shares": lambda: fitted(HistGradientBoostingClassifier(**STEPS), SHARES),
    "boosting of quantiles": lambda: fitted(
        {q: HistGradientBoostingRegressor(loss="quantile", quantile=q, **STEPS) for q in QUANTILES.levels}, QUANTILES
    ),
    "boosting of categories": lambda: fitted(HistGradientBoostingRegressor(**STEPS), columns=WITH_KIND, fed_as="arrow"),
    "boosting of categories from pandas": lambda: fitted(
        HistGradientBoostingClassifier(**STEPS), CHANCE, columns=WITH_KIND, fed_as="pandas"
    ),
    "boosting of numbered categories": lambda: fitted(HistGradientBoostingRegressor(categorical_features=[2], **STEPS)),
    "older boosting": lambda: fitted(GradientBoostingRegressor(n_estimators=9), empty=False),
    "older boosting of chances": lambda: fitted(GradientBoostingClassifier(n_estimators=9), CHANCE, empty=False),
    "older boosting of shares": lambda: fitted(GradientBoostingClassifier(n_estimators=5), SHARES, empty=False),
    "a tree": lambda: fitted(DecisionTreeRegressor(max_depth=5)),
    "a tree of shares": lambda: fitted(DecisionTreeClassifier(max_leaf_nodes=9), SHARES),
    "a forest": lambda: fitted(RandomForestRegressor(9)),
    "a forest of chances": lambda: fitted(RandomForestClassifier(9), CHANCE),
    "an extra forest": lambda: fitted(ExtraTreesRegressor(9), empty=False),
    "a line": lambda: fitted(LinearRegression(), empty=False),
    "a ridge": lambda: fitted(Ridge(), empty=False),
    "an elastic net": lambda: fitted(ElasticNet(), empty=False),
    "a rising line": lambda: fitted(PoissonRegressor(), empty=False),
    "a logistic line": lambda: fitted(LogisticRegression(), CHANCE, empty=False),
    "logistic lines of shares": lambda: fitted(LogisticRegression(), SHARES, empty=False),
    "filled and scaled": lambda: fitted(make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), Ridge())),
    "scaled and filled": lambda: fitted(make_pipeline(MinMaxScaler(), SimpleImputer(strategy="median"), LogisticRegression()), CHANCE),
    "one column for each category": lambda: fitted(
        make_pipeline(encoded(OneHotEncoder(handle_unknown="ignore")), Ridge()), columns=WITH_KIND, fed_as="pandas"
    ),
    "categories in an order": lambda: fitted(
        make_pipeline(encoded(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)), RandomForestRegressor(5)),
        columns=WITH_KIND,
        fed_as="arrow",
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_compiled_gives_the_same_answers_to_the_last_bit(name):
    predictor, rows = WHOLE[name]()
    made = as_compiled(predictor)
    assert agrees(made, predictor, rows)
    same(made.answer(rows), predictor.answer(rows))


def same(given, due):
    assert np.array_equal(given.value, due.value, equal_nan=True)
    assert (given.values is None) == (due.values is None)
    assert given.values is None or np.array_equal(given.values, due.values, equal_nan=True)
    assert (given.items, given.scores) == (due.items, due.scores)


LEARNERS = st.one_of(
    st.builds(
        lambda **words: (HistGradientBoostingRegressor(**words), NUMBER),
        max_iter=st.integers(1, 9),
        max_leaf_nodes=st.integers(2, 40),
        min_samples_leaf=st.integers(1, 40),
        max_bins=st.integers(2, 255),
        loss=st.sampled_from(["squared_error", "absolute_error"]),
    ),
    st.builds(
        lambda kind, **words: (HistGradientBoostingClassifier(**words), kind),
        st.sampled_from([CHANCE, SHARES]),
        max_iter=st.integers(1, 9),
        max_depth=st.integers(1, 7),
        learning_rate=st.floats(0.01, 3.0),
    ),
    st.builds(
        lambda kind, **words: (RandomForestRegressor(**words) if kind is NUMBER else RandomForestClassifier(**words), kind),
        st.sampled_from([NUMBER, CHANCE, SHARES]),
        n_estimators=st.integers(1, 9),
        max_depth=st.one_of(st.none(), st.integers(1, 9)),
        bootstrap=st.booleans(),
    ),
)


@given(LEARNERS, st.booleans(), st.integers(0, 1000))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_boosting_or_forest_was_fitted_answers_hostile_rows_the_same(learner, empty, seed):
    predictor, rows = fitted(*learner, empty=empty, seed=seed)
    made = as_compiled(predictor)
    for part in (rows, made_up(made, rows, seed=seed + 1).drop_columns(["question", "item"])):
        whole = part.filter(pa.array(np.abs(np.nan_to_num(part["a"].to_numpy())) < 1e30)) if part is not rows else part
        for asked in (whole, whole.slice(0, 1), whole.slice(5, 1)):
            try:
                due = predictor.answer(asked)
            except Exception as refused:
                with pytest.raises(type(refused)):
                    made.answer(asked)
            else:
                same(made.answer(asked), due)


BOOSTED = fitted(HistGradientBoostingRegressor(max_iter=40))
BOOSTED_OF_KINDS = fitted(HistGradientBoostingRegressor(max_iter=40), columns=WITH_KIND, fed_as="arrow")


def with_trees(made, **changed):
    body = made.fitted.body
    return replace(
        made,
        fitted=msgspec.structs.replace(
            made.fitted, body=msgspec.structs.replace(body, trees=msgspec.structs.replace(body.trees, **changed))
        ),
    )


def test_less_instead_of_at_most_is_found_out():
    predictor, rows = BOOSTED
    made = as_compiled(predictor)
    assert not agrees(with_trees(made, threshold=np.nextafter(made.fitted.body.trees.threshold, -np.inf)), predictor, rows)


def test_missing_values_sent_to_the_other_side_are_found_out():
    predictor, rows = BOOSTED
    made = as_compiled(predictor)
    assert not agrees(with_trees(made, lost=1 - made.fitted.body.trees.lost), predictor, rows)


def test_a_category_sent_to_the_other_side_is_found_out():
    predictor, rows = BOOSTED_OF_KINDS
    made = as_compiled(predictor)
    lefts = made.fitted.body.trees.lefts.copy()
    assert len(lefts)
    lefts[:, 1] = 1 - lefts[:, 1]
    assert not agrees(with_trees(made, lefts=lefts), predictor, rows)


def test_a_sum_that_is_taken_in_another_order_is_found_out():
    predictor, rows = BOOSTED
    made = as_compiled(predictor)
    backwards = made.fitted.body.trees.roots[::-1].copy()
    assert not agrees(with_trees(made, roots=backwards), predictor, rows)


def test_a_leaf_that_says_one_digit_otherwise_is_found_out():
    predictor, rows = BOOSTED
    made = as_compiled(predictor)
    assert not agrees(with_trees(made, value=np.nextafter(made.fitted.body.trees.value, np.inf)), predictor, rows)


def test_another_vocabulary_is_found_out():
    predictor, rows = BOOSTED_OF_KINDS
    made = as_compiled(predictor)
    words = made.feed.vocabulary["kind"]
    assert not agrees(replace(made, feed=replace(made.feed, vocabulary={"kind": words[::-1]})), predictor, rows)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1))
def test_chances_are_those_of_scipy_to_the_last_bit(raw):
    given = read("chance", np.array(raw)[:, None])[:, 0]
    assert np.array_equal(given, expit(np.array(raw)), equal_nan=True)


def test_chances_worked_out_another_way_are_not_the_same_to_the_last_bit():
    raw = np.random.default_rng(1).normal(size=20_000) * 3
    assert (0.5 * (1 + np.tanh(raw / 2)) != read("chance", raw[:, None])[:, 0]).any()


class Twice(HistGradientBoostingRegressor):
    """Looks like boosting and answers otherwise."""

    def predict(self, X):
        return 2 * super().predict(X)


@pytest.mark.parametrize("learner", [KNeighborsRegressor(), Twice(max_iter=3)])
def test_what_is_not_known_is_not_compiled(learner):
    predictor, _ = fitted(learner, empty=False)
    assert compiled(predictor) is None


def test_a_learner_fed_free_text_is_not_compiled():
    assert compiled(Predictor(NUMBER, Feed(("a",), "arrow", texts=("a",)), Ridge())) is None


def test_an_unfitted_learner_is_not_compiled():
    assert compiled(Predictor(NUMBER, Feed(("a",)), HistGradientBoostingRegressor())) is None


class TimesUsual:
    """A learner of one's own that says how it is put together."""

    def __init__(self, learner):
        self.learner = learner

    def fit(self, X, y):
        self.learner_ = self.learner.fit(X, y)
        return self

    def predict(self, X):
        return self.learner_.predict(X) * (np.nan_to_num(X[:, 1]) + 1.0)

    def times_usual(self):
        return self.learner_, 1, 1.0


def test_a_learner_of_ones_own_may_say_how_it_is_put_together():
    predictor, rows = fitted(TimesUsual(HistGradientBoostingRegressor(**STEPS)))
    assert agrees(as_compiled(predictor), predictor, rows)


class SaysItWrong(TimesUsual):
    def times_usual(self):
        return self.learner_, 0, 1.0


def test_a_learner_that_says_so_wrongly_is_found_out():
    predictor, rows = fitted(SaysItWrong(HistGradientBoostingRegressor(**STEPS)))
    assert not agrees(as_compiled(predictor), predictor, rows)


def test_a_compiled_version_answers_without_the_library_that_trained_it(tmp_path):
    predictor, _ = BOOSTED
    (tmp_path / "compiled").write_bytes(compiled(predictor))
    script = (
        "import sys, pyarrow as pa\nfrom everloop.training.compiled import load_compiled\n"
        f"made = load_compiled(open({str(tmp_path / 'compiled')!r}, 'rb').read())\n"
        "print(repr(made.answer(pa.table({'a': [1.5], 'b': [None], 'c': [2.0]})).value[0].item()))\n"
        "print([name for name in ('sklearn', 'scipy', 'joblib', 'skops') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    due = predictor.answer(pa.table({"a": [1.5], "b": pa.array([None], pa.float64()), "c": [2.0]})).value[0]
    assert said == [repr(due.item()), "[]"]


# -- bytes ----------------------------------------------------------------------------------------------------------------------------

BODY = compiled(BOOSTED_OF_KINDS[0], artefact="a" * 64)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
@settings(max_examples=200)
def test_one_flipped_byte_is_seen(at, flip):
    body = bytearray(BODY)
    body[at % len(body)] ^= flip
    try:
        made = load_compiled(bytes(body), artefact="a" * 64)
    except ArtefactBroken:
        return
    # A few bytes are only spaces, or the spelling of a name; what was loaded answers rows or refuses them, and nothing else.
    assert made.artefact == "a" * 64


@given(
    st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda tail: BODY[:28] + tail)
    | st.integers(0, len(BODY) - 1).map(lambda n: BODY[:n])
)
def test_bytes_that_are_none_are_refused(body):
    with pytest.raises(ArtefactBroken):
        load_compiled(body)


def test_more_bytes_than_it_says_are_refused():
    with pytest.raises(ArtefactBroken):
        load_compiled(BODY + b"\0" * 8)


def test_the_compiled_form_of_another_artefact_is_refused():
    with pytest.raises(ArtefactBroken, match="another artefact"):
        load_compiled(BODY, artefact="b" * 64)


def tampered(**changed):
    """A well-formed file whose trees were changed by somebody who can count."""
    record = unpacked(BODY, Record)
    part = record.parts[0]
    assert isinstance(part.body, Sum)
    trees = msgspec.structs.replace(
        part.body.trees, **{name: change(getattr(part.body.trees, name).copy()) for name, change in changed.items()}
    )
    body = msgspec.structs.replace(part.body, trees=trees)
    return packed(msgspec.structs.replace(record, parts=(msgspec.structs.replace(part, body=body),)))


def at(place, value):
    def changed(array):
        array[place] = value
        return array

    return changed


@pytest.mark.parametrize(
    "changed",
    [
        {"kids": at((3, 0), 1)},
        {"kids": at((0, 1), 10**6)},
        {"kids": at((0, 0), -1)},
        {"kids": lambda kids: kids[:-1]},
        {"column": at(0, 99)},
        {"column": at(0, -7)},
        {"roots": at(0, 10**6)},
        {"roots": lambda roots: roots[:0]},
        {"category": at(0, 10**6)},
        {"category": at(0, -2)},
        {"lefts": lambda lefts: lefts[:, :0]},
        {"value": lambda value: np.hstack([value, value])},
        {"threshold": lambda threshold: threshold[:-1]},
        {"value": lambda value: value.astype(np.int32)},
    ],
)
def test_trees_whose_walk_would_leave_them_or_never_end_are_refused(changed):
    with pytest.raises(ArtefactBroken):
        load_compiled(tampered(**changed))


def test_a_file_that_only_promises_numbers_is_refused_before_room_is_made_for_them():
    header = msgspec.json.encode({"record": {}, "arrays": [["<f8", [2**40, 2**20]]], "sha256": "0" * 64})
    for body in (header, header.replace(b"0" * 64, b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")):
        with pytest.raises(ArtefactBroken):
            load_compiled(b"everloop compiled 1\n" + len(body).to_bytes(8, "little") + body)


def test_no_array_of_objects_can_be_in_it():
    header = msgspec.json.encode(
        {"record": {}, "arrays": [["|O", [1]]], "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
    )
    with pytest.raises(ArtefactBroken, match="type"):
        load_compiled(b"everloop compiled 1\n" + len(header).to_bytes(8, "little") + header)
