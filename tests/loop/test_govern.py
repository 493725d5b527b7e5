"""The governor: each reason why a wish has to wait, as a sentence; a person is never governed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop import hours
from everloop.loop.decide import decide
from everloop.loop.govern import Memory, forbidden
from everloop.settings import Governor
from tests.loop.test_decide import LEARNT, NOW, SLIPPED, model, signals, steady

FREE = Memory(**LEARNT, learnt_rows=5000)


def because(fresh=1000, **words):
    return forbidden(model(**{k: words.pop(k) for k in ("budget",) if k in words}), replace(FREE, **words), fresh, now=NOW)


def test_nothing_forbids_what_is_within_every_limit():
    assert because() is None
    assert because(fresh=None, failures=5) is None, "where nothing was answered nothing can be counted"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"last_trained_at": NOW - timedelta(days=3)}, "it was trained at 2026-10-30 00:00 UTC, and a truth takes longer than that"),
        (
            {"last_trained_at": NOW - timedelta(days=10), "limits": Governor(cooldown=timedelta(days=14))},
            "it was trained at 2026-10-23 00:00 UTC, and 14 days have to pass before it is trained again",
        ),
        ({"spent": timedelta(hours=3), "budget": hours(2)}, "it has been trained for 3 hours in 7 days, and its budget is 2 hours"),
        ({"runs_today": 4}, "it has been trained 4 times in 24 hours, and 4 times is the most"),
        ({"runs_this_week": 2, "limits": Governor(runs_a_week=2)}, "it has been trained twice in 7 days, and twice is the most"),
        ({"money_today": 1.5, "limits": Governor(money_a_day=1.0)}, "24 hours of training have cost 1.50, and 1.00 is the most"),
        ({"money_this_week": 5.5, "limits": Governor(money_a_week=5.0)}, "7 days of training have cost 5.50, and 5.00 is the most"),
        ({"fresh": 3}, "only 3 truths have matured that nobody has learnt from, of 20 that it takes"),
        (
            {"failures": 2, "fresh": 400},
            (
                "the last 2 candidates came to nothing; it waits for 500 new truths (400 have come), "
                "or for a person (everloop turn demand --retrain)"
            ),
        ),
        ({"waiting": ("undo",)}, "a question is waiting for an answer (everloop approve demand)"),
    ],
)
def test_every_limit_has_its_sentence(words, sentence):
    assert because(**words) == sentence


def test_after_failures_much_new_truth_is_enough():
    assert because(failures=2, fresh=500) is None
    assert because(failures=1, fresh=400) is None


def test_money_without_a_limit_is_only_shown():
    assert because(money_today=1e6, money_this_week=1e6) is None


def test_a_person_is_not_governed():
    broke = replace(FREE, failures=9, runs_today=99, cause="demand")
    found = decide(model(), steady(), replace(signals(SLIPPED), fresh=0), broke, now=NOW, id="d")
    assert found.retrains
    held = decide(model(), steady(), replace(signals(SLIPPED), fresh=0), replace(broke, cause="schedule"), now=NOW, id="d")
    assert (held.action, held.cause, held.because[0]) == ("hold", "slip", "slip it is")
