"""A model trained elsewhere: let in as a candidate, or told why not."""

from __future__ import annotations

import joblib
import lightgbm
import numpy as np
import pyarrow as pa
import pytest
import skops.io
import training_learners as learners
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from training_tables import NOW, Shelf, chance, number, shares, table_of, training_set_of

from everloop.errors import ArtefactBroken, LearnerFailed, Unknown
from everloop.training import admit, check_golden, load

MODEL = number(learners.Mean())
TABLE = table_of(MODEL, empty=False)
X = np.column_stack([TABLE.column(c).to_numpy() for c in MODEL.columns])
Y = TABLE.column("truth").to_numpy()


def let_in(file, model=MODEL, table=TABLE, **words):
    shelf = Shelf()
    candidate = admit(model, file, table, training_set_of(table), id="x", now=NOW, save=shelf.save, **words)
    predictor = load(candidate, shelf.open)
    check_golden(predictor, shelf.open(candidate.golden))
    return candidate, predictor


def test_a_skops_file_is_let_in_and_answers_as_before(tmp_path):
    fitted = LinearRegression().fit(X, Y)
    skops.io.dump(fitted, tmp_path / "m.skops")
    candidate, predictor = let_in(tmp_path / "m.skops")
    assert np.allclose(predictor.answer(TABLE).value, fitted.predict(X))
    assert "trained elsewhere" in candidate.learner


def test_types_beyond_the_named_ones_are_refused(tmp_path):
    skops.io.dump(HistGradientBoostingRegressor(max_iter=2).fit(X, Y), tmp_path / "m.skops")
    with pytest.raises(ArtefactBroken, match="TreePredictor"):
        let_in(tmp_path / "m.skops")
    named = skops.io.get_untrusted_types(file=tmp_path / "m.skops")
    assert let_in(tmp_path / "m.skops", trust=named)[0].needs == tuple(named)
    assert let_in(tmp_path / "m.skops", trust=True)[0].needs == tuple(named)


def test_a_joblib_file_is_read_only_where_it_is_trusted_and_the_record_says_so(tmp_path):
    joblib.dump(LinearRegression().fit(X, Y), tmp_path / "m.joblib")
    with pytest.raises(ArtefactBroken, match="runs whatever code"):
        let_in(tmp_path / "m.joblib")
    with pytest.raises(ArtefactBroken, match="runs whatever code"):
        let_in(tmp_path / "m.joblib", trust=["sklearn.linear_model.LinearRegression"])
    assert let_in(tmp_path / "m.joblib", trust=True)[0].learner.endswith("loaded from m.joblib, trusted to run code")


def test_a_lightgbm_text_is_let_in_for_numbers_chances_and_classes(tmp_path):
    light = {"verbose": -1, "num_threads": 1, "num_leaves": 4}
    lightgbm.train({**light, "objective": "l2"}, lightgbm.Dataset(X, Y), 3).save_model(tmp_path / "n.txt")
    assert let_in(tmp_path / "n.txt")[0].format == "lightgbm"
    yes = chance(learners.Mean())
    table = table_of(yes, empty=False)
    lightgbm.train({**light, "objective": "binary"}, lightgbm.Dataset(X, table.column("truth").to_numpy()), 3).save_model(
        tmp_path / "c.txt"
    )
    given = let_in(tmp_path / "c.txt", yes, table)[1].answer(table).value
    assert ((given > 0) & (given < 1)).all()
    three = shares(learners.Mean())
    table = table_of(three, empty=False)
    codes = np.array([{"a": 0, "b": 1, "c": 2}[t] for t in table.column("truth").to_pylist()])
    lightgbm.train({**light, "objective": "multiclass", "num_class": 3}, lightgbm.Dataset(X, codes), 3).save_model(tmp_path / "s.txt")
    assert np.allclose(let_in(tmp_path / "s.txt", three, table)[1].answer(table).values.sum(axis=1), 1)
    with pytest.raises(LearnerFailed, match="answers 3 numbers a row"):
        let_in(tmp_path / "s.txt")


def test_other_features_are_refused_by_count_and_by_name(tmp_path):
    skops.io.dump(LinearRegression().fit(X[:, :1], Y), tmp_path / "one.skops")
    with pytest.raises(LearnerFailed, match="takes 1 features, and the model knows 2"):
        let_in(tmp_path / "one.skops")
    named = HistGradientBoostingRegressor(max_iter=2).fit(pa.table({"price": X[:, 0], "age": X[:, 1]}), Y)
    skops.io.dump(named, tmp_path / "named.skops")
    with pytest.raises(LearnerFailed, match="takes price, age, in this order"):
        let_in(tmp_path / "named.skops", trust=True)


def test_a_model_that_gives_no_answer_is_refused(tmp_path):
    fitted = LinearRegression().fit(X, Y)
    fitted.coef_ = fitted.coef_ * np.nan
    skops.io.dump(fitted, tmp_path / "m.skops")
    with pytest.raises(LearnerFailed, match="not a finite number"):
        let_in(tmp_path / "m.skops")


@pytest.mark.parametrize("name", ["m.skops", "m.txt", "m.joblib"])
def test_a_damaged_file_is_seen(tmp_path, name):
    (tmp_path / name).write_bytes(b"tree\nno such thing")
    with pytest.raises(ArtefactBroken):
        let_in(tmp_path / name, trust=True)


def test_a_file_that_is_not_there_or_of_another_kind_is_said(tmp_path):
    with pytest.raises(Unknown, match=r"no model file .*No such file"):
        let_in(tmp_path / "gone.skops")
    with pytest.raises(Unknown, match=r"There are \.skops, \.joblib, \.txt, \.ubj, \.onnx"):
        let_in(tmp_path / "m.h5")


def test_without_mature_rows_there_is_nothing_to_try_it_on(tmp_path):
    skops.io.dump(LinearRegression().fit(X, Y), tmp_path / "m.skops")
    with pytest.raises(LearnerFailed, match="no mature row"):
        let_in(tmp_path / "m.skops", table=TABLE.slice(0, 0))
