"""The rehearsal: both sides answer the same questions, and what they said can be read again."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import training_learners as learners
from everloop_children import run
from sklearn.ensemble import HistGradientBoostingRegressor
from training_tables import NOW, Shelf, chance, number, ranking, shares, table_of, training_set_of

from everloop.errors import ArtefactBroken, LearnerFailed
from everloop.records import Shape
from everloop.stats.shapes import Answers
from everloop.training import Predictor, Side, holdout, read_paired, rehearse, time_answers
from everloop.training.baseline import baseline_of
from everloop.training.feed import Feed, fed


def both(model, rows=None, **words):
    table = table_of(model)
    asked = holdout(table, training_set_of(table)) if rows is None else rows
    one = baseline_of(model.shape, table)
    shelf = Shelf()
    contest, body = rehearse(Side("a", one), Side("b", one), asked, model="m", id="c", now=NOW, save=shelf.save, **words)
    return contest, body, asked, shelf


@pytest.mark.parametrize("make", [number, chance, ranking])
def test_both_sides_answer_the_holdout_and_nothing_else(make):
    model = make(learners.Mean())
    contest, body, asked, shelf = both(model)
    paired = read_paired(body)
    assert shelf.bodies[contest.body] == body
    assert contest.rows == len(paired) == len(set(asked.column("question").to_pylist()))
    assert contest.first_at >= training_set_of(table_of(model)).judge_from
    assert np.array_equal(paired.champion.value, paired.candidate.value)
    assert set(paired.groups) == {"region"}


@pytest.mark.parametrize("make", [number, chance, ranking])
def test_what_was_paired_comes_back_from_its_body(make):
    model = make(learners.Mean())
    _, body, asked, _ = both(model)
    paired = read_paired(body)
    given = baseline_of(model.shape, table_of(model)).answer(asked)
    assert np.array_equal(paired.champion.value, given.value)
    assert paired.champion.items == given.items
    first = dict.fromkeys(asked.column("question").to_pylist())
    truths = dict(zip(asked.column("question").to_pylist(), asked.column("truth").to_pylist(), strict=True))
    assert list(paired.truth) == [tuple(truths[q]) if make is ranking else truths[q] for q in first]


def test_labels_that_one_side_has_never_seen_are_brought_together():
    table = table_of(shares(learners.Mean()))

    class Sure:
        columns = ()

        def __init__(self, *labels):
            self.shape = Shape(kind="shares", labels=labels)

        def answer(self, features):
            n = len(features)
            return Answers(self.shape, np.ones(n), values=np.tile([1.0, *[0.0] * (len(self.shape.labels) - 1)], (n, 1)))

    shelf = Shelf()
    _, body = rehearse(Side("a", Sure("b")), Side("b", Sure("a", "c")), table, model="m", id="c", now=NOW, save=shelf.save)
    paired = read_paired(body)
    assert paired.champion.shape.labels == paired.candidate.shape.labels == ("a", "b", "c")
    assert paired.champion.values[0].tolist() == [0.0, 1.0, 0.0]
    assert paired.candidate.values[0].tolist() == [1.0, 0.0, 0.0]


def test_nothing_to_be_judged_on_is_a_contest_that_says_why():
    model = number(learners.Mean())
    contest, body, _, shelf = both(model, table_of(model).slice(0, 0), milliseconds=(1.0,))
    assert (contest.rows, contest.body, body) == (0, None, b"")
    assert "no question" in contest.why_empty
    assert shelf.bodies == {}


def test_an_older_champion_is_asked_with_its_own_features():
    model = number(learners.Mean())
    table = table_of(model)
    old = Predictor(Shape(kind="number"), Feed(("old",)), learners.Answers(4.0))
    new = baseline_of(model.shape, table)
    shown = table.append_column("old", pa.array(np.zeros(len(table))))
    shelf = Shelf()
    words = {"model": "m", "id": "c", "now": NOW, "save": shelf.save}
    _, body = rehearse(Side("a", old), Side("b", new), table, champions_holdout=shown, **words)
    assert set(read_paired(body).champion.value) == {4.0}
    with pytest.raises(LearnerFailed, match="different questions"):
        rehearse(Side("a", old), Side("b", new), table, champions_holdout=shown.slice(1), **words)


def test_a_body_that_was_cut_off_is_seen():
    _, body, _, _ = both(number(learners.Mean()))
    for broken in (b"", body[:-5], b"PAR1"):
        with pytest.raises(ArtefactBroken, match="contest"):
            read_paired(broken)


def test_single_answers_are_timed_in_a_child():
    model = number(learners.Mean())
    table = table_of(model)
    feed = Feed(tuple(model.columns))
    fitted = HistGradientBoostingRegressor(max_iter=5).fit(fed(table, feed), table.column("truth").to_numpy())
    took = run(time_answers, Predictor(Shape(kind="number"), feed, fitted), table, threads=1)
    assert len(took) == 200
    assert all(0 < t < 10_000 for t in took)
    assert np.median(took) > 0.005  # a clock that stands still would say 0


def test_what_is_timed_is_the_form_that_serves():
    """By one row where it has such a form; the mutant that asks for a table would be heard."""

    class Serves:
        shape, columns, asked = Shape(kind="number"), ("a",), []

        def one(self, values):
            self.asked.append(values[0])
            return 1.0, ()

        def answer(self, features):
            raise AssertionError("a table was made")

    assert len(time_answers(Serves(), pa.table({"a": [1.0, 2.0]}), 10)) == 10
    assert set(Serves.asked) == {1.0, 2.0}


def test_lists_are_timed_a_question_at_a_time_and_nothing_takes_no_time():
    model = ranking(learners.Mean())
    table = table_of(model)
    seen = []

    class Counts:
        shape, columns = model.shape, ()

        def answer(self, features):
            seen.append(len(features))

    assert len(time_answers(Counts(), table, 30)) == 30
    assert set(seen) == {6}
    assert time_answers(Counts(), table.slice(0, 0)) == ()


def test_reading_the_features_is_timed_with_the_answer():
    read = []
    predictor = Predictor(Shape(kind="number"), Feed(("a",)), learners.Answers(1.0))
    time_answers(predictor, pa.table({"a": [1.0, 2.0]}), 10, read=lambda n: read.append(n) or {"a": float(n)})
    assert set(read) == {0, 1}
