"""The search by itself: what is proposed, what is given up, what is found. Trials are made up; nothing is learnt."""

from __future__ import annotations

import pytest

from everloop import search
from everloop.errors import LearnerFailed, Missing
from everloop.training import tune as tuning
from everloop.training.executor import Serial
from everloop.training.trials import Score, Trial
from everloop.training.tune import Search, searched, worse_than_usual

try:
    import optuna
except ImportError:
    optuna = None
takes_optuna = pytest.mark.skipif(optuna is None, reason="optuna is not installed")

TUNE = search(24, depth=(1, 30), rate=(0.001, 1.0), kind=["a", "b"])


def bowl(attempt):
    """Depth 7 and kind b are best; the learner as declared loses 100."""
    if not attempt.places:
        return Score(100.0, 0.1, 0.1)
    return Score(abs(attempt.places["depth"] - 7) + (0 if attempt.places["kind"] == 1 else 20) + attempt.fold, 0.1, 0.1)


def given(tune=TUNE, attempt=bowl, keep=None, **words):
    said = {"folds": 2, "measure": "mae", "seed": 3, "executor": Serial(), "spoken": abs, "money": float, "told": lambda trials: None}
    return Search(tune=tune, attempt=attempt, keep=keep or (lambda trials: None), **(said | words))


@takes_optuna
def test_the_best_setting_is_found_near_where_it_is():
    found = searched(given())
    assert found.settings["kind"] == "b"
    assert abs(found.settings["depth"] - 7) <= 3
    assert (found.tried, found.folds, found.declared) == (24, 2, 100.0)


@takes_optuna
def test_a_search_finds_what_a_rival_by_chance_does_not_in_as_many_trials():
    """Rejects proposals that learn nothing from the trials before."""
    import random

    def by_chance(seed):
        rng = random.Random(seed)
        return min(abs(rng.randint(1, 30) - 7) + rng.choice((0, 20)) for _ in range(24))

    ours = [searched(given(seed=seed)).best - 0.5 for seed in range(12)]
    theirs = [by_chance(seed) for seed in range(12)]
    assert sum(ours) < sum(theirs)


@takes_optuna
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_going_on_from_kept_trials_ends_where_it_would_have_ended(after):
    lots = []
    whole = searched(given(keep=lots.append))
    kept = [trial for lot in lots[:after] for trial in lot]
    assert searched(given(), kept) == whole


@takes_optuna
def test_what_was_kept_is_not_tried_again():
    lots, tried = [], []
    searched(given(keep=lots.append))
    kept = [trial for lot in lots for trial in lot]
    searched(given(attempt=lambda attempt: tried.append(attempt)), kept)
    assert tried == []


@takes_optuna
def test_a_setting_that_does_badly_on_the_first_fold_is_given_up():
    lots = []
    searched(given(keep=lots.append))
    trials = [t for lot in lots for t in lot]
    given_up = [t for t in trials if t.ending == "given up"]
    assert given_up
    assert all(len(t.losses) == 1 for t in given_up)
    assert trials[0].ending == "done", "the learner as declared is never given up"
    kept_on = [t.losses[0] for t in trials if t.ending == "done"]
    assert sum(t.losses[0] for t in given_up) / len(given_up) > sum(kept_on[1:]) / len(kept_on[1:])


@takes_optuna
def test_a_setting_the_learner_refuses_is_no_end():
    def refuses_a(attempt):
        refused = attempt.places.get("kind") == 0
        return Score(None, 0.1, 0.1, "no such kind") if refused else bowl(attempt)

    found = searched(given(attempt=refuses_a))
    assert found.failed > 0
    assert found.settings["kind"] == "b"


@takes_optuna
def test_where_nothing_can_be_learnt_the_reason_is_said():
    with pytest.raises(LearnerFailed, match=r"None of 25 settings could be learnt with, nor the learner as declared\. too cold"):
        searched(given(attempt=lambda attempt: Score(None, 0.1, 0.1, "too cold")))


@takes_optuna
def test_the_learner_as_declared_is_kept_where_nothing_beats_it():
    found = searched(given(attempt=lambda attempt: Score(float(bool(attempt.places)), 0.1, 0.1)))
    assert found.settings == {}
    assert "as declared, which does best beside 24 settings" in found.sentence


@takes_optuna
@pytest.mark.parametrize(
    ("tune", "tried"),
    [
        (search(6, depth=(1, 30), kind=["a", "b"]), 6),
        (search(seconds=1.1, depth=(1, 30), kind=["a"]), 8),
        (search(99, money=1.7, depth=(1, 9), kind=["a"]), 8),
    ],
)
def test_the_first_budget_that_is_spent_ends_the_search(tune, tried):
    """A trial takes 0.2 seconds on two folds, the declared one too; four are tried at once."""
    found = searched(given(tune, attempt=lambda attempt: Score(1.0, 0.1, 0.1)))
    assert found.tried == tried


def test_a_trial_is_held_against_those_that_went_to_the_end_only():
    before = [Trial(n, {"x": n}, (1.0,), "given up") for n in range(9)]
    assert not worse_than_usual((5.0,), before)
    assert worse_than_usual((5.0,), [Trial(n, {"x": n}, (1.0, 1.0), "done") for n in range(9)])


def test_without_optuna_it_is_said_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(Missing, match=r"tune=search\(…\) needs optuna.*pip install 'everloop\[tune\]'"):
        tuning.searched(given())
