"""Training: a training set becomes a candidate, in all shapes, or an error that says what to do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import lightgbm
import numpy as np
import pyarrow as pa
import pytest
import training_learners as learners
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from training_tables import NOW, START, Shelf, chance, never_empty, number, ranking, shares, table_of, training_set_of

from everloop import only_new
from everloop.errors import LearnerFailed
from everloop.training import check_golden, load, train
from everloop.training.environment import environment
from everloop.training.golden import read_golden
from everloop.training.searched import Searched

LIGHT = {"n_estimators": 8, "verbose": -1, "min_child_samples": 5, "n_jobs": 1}


def trained(model, table=None, seed=1, shelf=None, **words):
    table = table_of(model) if table is None else table
    shelf = shelf or Shelf()
    candidate = train(model, table, training_set_of(table), seed=seed, id="c1", now=NOW, save=shelf.save, **words)
    return candidate, load(candidate, shelf.open, allow_pickle=words.get("allow_pickle", False)), shelf


LEARNERS = {
    "number, boosting": lambda: number(HistGradientBoostingRegressor(max_iter=8)),
    "number, lightgbm": lambda: number(lightgbm.LGBMRegressor(**LIGHT)),
    "number, pipeline": lambda: number(make_pipeline(SimpleImputer(), StandardScaler(), Ridge())),
    "number, forest": lambda: number(RandomForestRegressor(n_estimators=5, n_jobs=2)),
    "number, arrow": lambda: number(HistGradientBoostingRegressor(max_iter=8), fed_as="arrow"),
    "number, pandas": lambda: number(lightgbm.LGBMRegressor(**LIGHT), fed_as="pandas"),
    "number, own class": lambda: number(learners.Mean()),
    "number, function": lambda: number(learners.learn),
    "chance, boosting": lambda: chance(HistGradientBoostingClassifier(max_iter=8)),
    "chance, lightgbm": lambda: chance(lightgbm.LGBMClassifier(**LIGHT)),
    "chance, pipeline": lambda: chance(make_pipeline(SimpleImputer(), LogisticRegression())),
    "shares, boosting": lambda: shares(HistGradientBoostingClassifier(max_iter=4)),
    "shares, lightgbm": lambda: shares(lightgbm.LGBMClassifier(**LIGHT)),
    "quantiles, boosting": lambda: number(
        {q: HistGradientBoostingRegressor(loss="quantile", quantile=q, max_iter=8) for q in (0.1, 0.5, 0.9)}
    ),
    "quantiles, lightgbm": lambda: number({q: lightgbm.LGBMRegressor(objective="quantile", alpha=q, **LIGHT) for q in (0.1, 0.9)}),
    "ranking, lightgbm": lambda: ranking(lightgbm.LGBMRanker(**LIGHT)),
    "ranking, classifier": lambda: ranking(HistGradientBoostingClassifier(max_iter=8)),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_trained_model_is_stored_read_back_and_gives_every_golden_row_its_answer(name):
    model = LEARNERS[name]()
    candidate, predictor, shelf = trained(model)
    check_golden(predictor, shelf.open(candidate.golden))
    _, due = read_golden(shelf.open(candidate.golden))
    assert 1 <= len(due) <= 64
    assert not np.isnan(due.value).any()
    assert candidate.shape.kind == model.kind
    assert predictor.columns == tuple(model.columns)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_same_seed_and_rows_give_the_same_model(name):
    one, other = trained(LEARNERS[name]())[0], trained(LEARNERS[name]())[0]
    assert one.golden == other.golden


@pytest.mark.parametrize("name", ["number, forest", "number, function"])
def test_another_seed_gives_another_model(name):
    """Rejects a golden body that holds no answers, and a seed that is never handed on."""
    assert trained(LEARNERS[name](), seed=1)[0].golden != trained(LEARNERS[name](), seed=2)[0].golden


def test_other_rows_give_another_model():
    model = LEARNERS["number, lightgbm"]()
    assert trained(model)[0].golden != trained(model, table_of(model, seed=5))[0].golden


def test_the_declared_learner_is_never_fitted():
    learner = HistGradientBoostingRegressor(max_iter=3)
    trained(number(learner))
    assert not hasattr(learner, "_predictors")
    assert learner.random_state is None
    own = learners.Mean()
    trained(number(own))
    assert not hasattr(own, "mean")


def test_a_record_says_everything_it_takes_to_make_the_model_again():
    model = number(HistGradientBoostingRegressor(max_iter=3))
    table = table_of(model)
    here = replace(environment(), commit="c0ffee", dirty="beef")
    candidate = trained(model, table, seed=7, environment=here)[0]
    assert (candidate.seed, candidate.commit, candidate.dirty) == (7, "c0ffee", "beef")
    assert candidate.rows == training_set_of(table).learn_rows
    assert candidate.knows == tuple(map(repr, model.knows))
    assert candidate.learnt_from >= START
    assert candidate.learnt_until < training_set_of(table).learn_until
    assert candidate.made_from == ("set1",)
    assert json.loads(candidate.parameters)["parameters"]["max_iter"] == "3"
    assert candidate.seconds >= 0
    assert candidate.cpu_seconds >= 0
    assert dict(candidate.environment)["scikit-learn"]


def test_the_holdout_is_never_learnt_from():
    model = number(learners.Mean())
    table = table_of(model)
    moments = table.column("moment").to_numpy()
    until = training_set_of(table).learn_until.timestamp() * 1e6
    truth = np.where(moments < until, 1.0, 1000.0)
    _, predictor, _ = trained(model, table.set_column(table.column_names.index("truth"), "truth", pa.array(truth)))
    assert predictor.fitted.mean == 1.0


def test_older_rows_than_asked_for_are_not_learnt_from():
    model = number(learners.Mean())
    table = table_of(model)
    candidate = trained(model, table, learn_from=START + timedelta(days=20))[0]
    assert candidate.learnt_from >= START + timedelta(days=20)
    assert candidate.rows < training_set_of(table).learn_rows


def test_a_function_learner_is_told_everything_it_may_want_to_know():
    model = number(learners.learn)
    _, before, _ = trained(number(learners.Mean()))
    _, predictor, _ = trained(model, seed=3, searched=Searched({"depth": 4}), champion=before)
    names, moments, units, settings, champion = predictor.fitted.told
    assert names == model.columns
    assert moments == units == training_set_of(table_of(model)).learn_rows
    assert settings == {"depth": 4}
    assert champion


def test_settings_are_set_on_the_learner():
    _, predictor, _ = trained(number(HistGradientBoostingRegressor(max_iter=50)), searched=Searched({"max_iter": 3}))
    assert predictor.fitted.n_iter_ == 3


def test_going_on_from_the_champion_keeps_what_it_has_learnt():
    model = number(learners.Running(), learns_from=only_new())
    table = table_of(model)
    _, first, _ = trained(model, table)
    _, second, _ = trained(model, table_of(model, seed=9), champion=first)
    assert second.fitted.count == 2 * training_set_of(table).learn_rows
    assert first.fitted.count == training_set_of(table).learn_rows


def test_going_on_works_for_a_real_learner_and_its_first_time():
    model = chance(make_linear(), never_empty, learns_from=only_new())
    table = table_of(model, empty=False)
    _, first, _ = trained(model, table)
    _, second, _ = trained(model, table_of(model, seed=3, empty=False), champion=first)
    assert second.fitted.t_ > first.fitted.t_


def make_linear():
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss")


def test_a_learner_that_cannot_go_on_says_how_it_could():
    with pytest.raises(LearnerFailed, match=r"Ridge\(\) cannot go on from the champion.*partial_fit"):
        trained(never_empty(Ridge(), learns_from=only_new()))


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        (learners.Raises(), r"Raises.* raised ZeroDivisionError on 2\d\d rows of 2 columns: there is no luck in it"),
        (learners.Answers(float("nan")), r"answers 64 of 64 rows it has learnt from with what is not a finite number"),
        (learners.Answers(float("inf")), "not a finite number"),
        (learners.TooFew(), "not a finite number"),
        (learners.Chancy(), "draws by chance when it answers"),
        (learners.learns_nothing, "learns_nothing returned int, which cannot predict"),
    ],
)
def test_a_learner_that_fails_is_said_with_what_where_and_what_next(learner, message):
    with pytest.raises(LearnerFailed, match=message):
        trained(number(learner))


def test_a_chance_beyond_1_is_no_model():
    with pytest.raises(LearnerFailed, match="a chance between 0 and 1"):
        trained(chance(learners.Answers(1.5)))


def test_a_pipeline_is_told_at_its_first_fit_that_empty_is_nan():
    with pytest.raises(LearnerFailed, match=r"orders_price_latest is empty in some rows.*SimpleImputer"):
        trained(number(make_pipeline(StandardScaler(), Ridge())))
    model = number(make_pipeline(StandardScaler(), Ridge()))
    trained(model, table_of(model, empty=False))


def test_nothing_to_learn_from_is_said():
    model = number(learners.Mean())
    with pytest.raises(LearnerFailed, match="no row to learn from"):
        trained(model, table_of(model).slice(0, 0))


def test_one_class_teaches_nothing():
    model = chance(HistGradientBoostingClassifier())
    table = table_of(model)
    same = table.set_column(table.column_names.index("truth"), "truth", pa.array(np.zeros(len(table))))
    with pytest.raises(LearnerFailed, match=r"The truth of all 2\d\d rows is no"):
        trained(model, same)


def test_a_list_nobody_chose_from_teaches_nothing():
    model = ranking(lightgbm.LGBMRanker(**LIGHT))
    table = table_of(model)
    none = table.set_column(table.column_names.index("relevant"), "relevant", pa.array(np.zeros(len(table))))
    with pytest.raises(LearnerFailed, match="wider net"):
        trained(model, none)


@pytest.mark.parametrize("learner", [HistGradientBoostingRegressor(max_iter=3), lightgbm.LGBMRegressor(**LIGHT), learners.Mean()])
def test_a_constant_truth_is_learnt_as_that_constant(learner):
    model = number(learner)
    table = table_of(model)
    _, predictor, _ = trained(model, table.set_column(table.column_names.index("truth"), "truth", pa.array(np.full(len(table), 4.0))))
    assert np.allclose(predictor.answer(table).value, 4.0)


def test_rows_without_a_truth_are_not_learnt_from():
    model = number(learners.Mean())
    table = table_of(model)
    truth = table.column("truth").to_numpy().copy()
    truth[:5] = np.nan
    candidate = trained(model, table.set_column(table.column_names.index("truth"), "truth", pa.array(truth)))[0]
    assert candidate.rows == training_set_of(table).learn_rows - 5


def test_a_truth_that_is_no_yes_and_no_no_is_refused():
    model = chance(HistGradientBoostingClassifier())
    table = table_of(number(learners.Mean()))
    with pytest.raises(LearnerFailed, match="a chance comes true"):
        trained(model, table)


def test_a_learner_that_needs_group_gets_it_and_ranks_better_than_chance():
    model = ranking(lightgbm.LGBMRanker(n_estimators=30, verbose=-1, min_child_samples=2, n_jobs=1))
    table = table_of(model, rows=1200)
    _, predictor, _ = trained(model, table)
    given = predictor.answer(table)
    liked = {q: set(t) for q, t in zip(table.column("question").to_pylist(), table.column("truth").to_pylist(), strict=True)}
    hits = np.mean([len(liked[q] & set(items)) / 3 for q, items in enumerate(given.items)])
    usual = np.mean([len(liked[q]) / 6 for q in liked])
    assert hits > usual * 1.3


def test_rows_of_one_question_that_lie_apart_are_brought_together():
    model = ranking(lightgbm.LGBMRanker(**LIGHT))
    table = table_of(model)
    shuffled = table.take(pa.array(np.argsort(np.arange(len(table)) % 6, kind="stable")))
    assert trained(model, shuffled)[0].golden == trained(model, table)[0].golden


def test_a_forest_answers_with_one_thread():
    _, predictor, _ = trained(number(RandomForestRegressor(n_estimators=3, n_jobs=4)))
    assert predictor.fitted.n_jobs == 1


def test_sgd_with_a_seed_of_its_own_keeps_it():
    model = never_empty(SGDRegressor(random_state=5))
    _, predictor, _ = trained(model, table_of(model, empty=False), seed=1)
    assert predictor.fitted.random_state == 5


def test_windows_of_learning_need_no_learn_until():
    model = number(learners.Mean())
    table = table_of(model)
    undated = replace(training_set_of(table), learn_until=None, judge_from=None, learn_rows=100)
    shelf = Shelf()
    assert train(model, table, undated, seed=1, id="c", now=NOW, save=shelf.save).rows == 100
