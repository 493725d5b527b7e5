"""Artefacts: what is loaded is what was stored, and nothing runs that nobody recorded."""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import replace

import lightgbm
import numpy as np
import pytest
import skops.io
import training_learners as learners
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.preprocessing import FunctionTransformer
from training_tables import NOW, Shelf, number, table_of, training_set_of

from everloop.errors import ArtefactBroken, LearnerFailed
from everloop.records import Candidate, Shape
from everloop.training import Predictor, check_golden, load, train
from everloop.training.artefact import MAGIC, Header, dump, framed, unframed
from everloop.training.boosted import Boosted
from everloop.training.feed import Feed

SHAPE, FEED = Shape(kind="number"), Feed(("a", "b"))


def candidate_of(shelf, body, format="skops", needs=()):
    return Candidate(
        id="c1",
        made_at=NOW,
        model="m",
        artefact=shelf.save(body),
        format=format,
        needs=needs,
        columns=("a", "b"),
        shape=SHAPE,
        learner="?",
        parameters="",
    )


def trained(learner):
    model, shelf = number(learner), Shelf()
    table = table_of(model)
    return train(model, table, training_set_of(table), seed=1, id="c1", now=NOW, save=shelf.save), shelf, table


BOOSTING = trained(HistGradientBoostingRegressor(max_iter=3))


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
@settings(max_examples=60)
def test_one_flipped_byte_is_seen(at, flip):
    candidate, shelf, _ = BOOSTING
    body = bytearray(shelf.bodies[candidate.artefact])
    body[at % len(body)] ^= flip
    with pytest.raises(ArtefactBroken):
        load(candidate, lambda sha: bytes(body))


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
@settings(max_examples=40)
def test_bytes_cut_off_anywhere_are_seen_even_where_their_hash_was_recorded(part):
    candidate, shelf, _ = BOOSTING
    whole = shelf.bodies[candidate.artefact]
    cut = whole[: int(part * len(whole))]
    with pytest.raises(ArtefactBroken):
        load(replace(candidate, artefact=hashlib.sha256(cut).hexdigest()), lambda sha: cut)


def test_lightgbm_text_that_was_cut_off_is_seen_and_takes_nothing_with_it():
    candidate, shelf, _ = trained(lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, n_jobs=1))
    header, _ = unframed(shelf.bodies[candidate.artefact], "x")
    for text in ("", "tree\nversion=v4\n", "nonsense"):
        body = framed(header, ('[{"level":null,"kind":"LGBMRegressor","classes":[],"text":"' + text.replace("\n", "\\n") + '"}]').encode())
        with pytest.raises(ArtefactBroken, match="cut off or changed"):
            load(replace(candidate, artefact=shelf.save(body)), shelf.open)


class Hostile:
    """What a hostile file would build."""

    def __init__(self):
        self.harm = "done"

    def fit(self, X, y):
        return self


def test_a_type_nobody_recorded_is_refused():
    shelf = Shelf()
    body = framed(Header("skops", SHAPE, FEED), skops.io.dumps(Hostile()))
    with pytest.raises(ArtefactBroken, match=r"wants to build .*Hostile"):
        load(candidate_of(shelf, body), shelf.open)
    named = next(iter(skops.io.get_untrusted_types(data=skops.io.dumps(Hostile()))))
    assert load(candidate_of(shelf, body, needs=(named,)), shelf.open).fitted.harm == "done"  # the refusal is about the list alone


def test_a_function_that_runs_commands_is_refused():
    shelf = Shelf()
    body = framed(Header("skops", SHAPE, FEED), skops.io.dumps(FunctionTransformer(os.system)))
    with pytest.raises(ArtefactBroken, match="system"):
        load(candidate_of(shelf, body), shelf.open)


class RunsOnUnpickling:
    def __reduce__(self):
        return (learners.remember, ())


def test_pickle_is_never_read_where_the_house_does_not_allow_it():
    shelf = Shelf()
    body = framed(Header("pickle", SHAPE, FEED), pickle.dumps(RunsOnUnpickling()))
    with pytest.raises(ArtefactBroken, match="runs whatever code"):
        load(candidate_of(shelf, body, "pickle"), shelf.open)
    assert learners.RAN == []
    load(candidate_of(shelf, body, "pickle"), shelf.open, allow_pickle=True)
    assert learners.RAN == [1]  # the refusal is what kept it from running


def test_an_artefact_that_calls_itself_something_else_is_refused():
    shelf = Shelf()
    body = framed(Header("pickle", SHAPE, FEED), pickle.dumps(RunsOnUnpickling()))
    with pytest.raises(ArtefactBroken, match="it is pickle where skops was recorded"):
        load(candidate_of(shelf, body, "skops"), shelf.open, allow_pickle=True)


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04", MAGIC, MAGIC + b"\xff" * 8, framed(Header("skops", SHAPE, FEED), b"")])
def test_bytes_that_are_no_artefact_are_refused(body):
    shelf = Shelf()
    with pytest.raises(ArtefactBroken):
        load(candidate_of(shelf, body), shelf.open)


def test_what_only_pickle_can_hold_is_refused_or_pickled_where_allowed():
    fitted = learners.Answers(3.0)
    fitted.inside = (n for n in ())
    with pytest.raises(LearnerFailed, match="cannot be stored without pickle"):
        dump(Predictor(SHAPE, FEED, fitted))
    with pytest.raises(LearnerFailed, match="cannot be stored"):
        dump(Predictor(SHAPE, FEED, fitted), allow_pickle=True)

    class Odd(learners.Answers):
        def __reduce__(self):
            return (learners.Answers, (3.0,))

        def __getstate__(self):
            raise TypeError("skops reads my state")

    made = dump(Predictor(SHAPE, FEED, Odd(3.0)), allow_pickle=True)
    assert made.format == "pickle"


def test_lightgbm_is_stored_as_its_own_text_and_says_the_same():
    candidate, shelf, table = trained(lightgbm.LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1))
    predictor = load(candidate, shelf.open)
    assert isinstance(predictor.fitted, Boosted)
    assert b"tree\\nversion" in shelf.bodies[candidate.artefact]
    assert candidate.needs == ()
    assert not hasattr(predictor.fitted, "predict_proba")
    assert np.isfinite(predictor.answer(table).value).all()
    again = pickle.loads(pickle.dumps(predictor))
    assert np.array_equal(again.answer(table).value, predictor.answer(table).value)


def test_an_objective_of_ones_own_is_not_lost_in_the_text():
    learner = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, n_jobs=1, objective=squared)
    candidate, _, _ = trained(learner)
    assert candidate.format == "skops"


def squared(y, said):
    return said - y, np.ones_like(y)


def test_golden_rows_tell_a_changed_model_from_the_same():
    candidate, shelf, _ = BOOSTING
    predictor = load(candidate, shelf.open)
    check_golden(predictor, shelf.open(candidate.golden))
    changed = replace(predictor, fitted=learners.Answers(3.0))
    with pytest.raises(ArtefactBroken, match="64 of 64 golden rows otherwise"):
        check_golden(changed, shelf.open(candidate.golden))
    with pytest.raises(ArtefactBroken, match="golden rows cannot be read"):
        check_golden(predictor, shelf.open(candidate.golden)[:-10])
