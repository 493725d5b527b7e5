"""How many candidates in a row came to nothing, read from the journal as turns leave it: a decision each hour, a verdict each week."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop.loop.adopt import adopt
from everloop.loop.remembered import failures
from everloop.records import Approval, Decision, Opinion, TrainingSet, Verdict
from tests.loop.houses import NOW, demand, house_at

HOURS = 201
"""More decisions between two verdicts than any count of records would look back over."""


class Kept:
    """A journal that is written hour by hour."""

    def __init__(self, folder):
        self.house = house_at(folder, (demand,))
        adopt(self.house, demand, NOW)
        self.baseline = self.house.champion(self.house.traffic(demand))
        self.now, self.number = NOW, 0

    def keep(self, *records):
        with self.house.store.transaction() as t:
            for record in records:
                self.house.journal.append(t, record)

    def _words(self, **words):
        self.number += 1
        self.now += timedelta(hours=1)
        return {"id": f"kept-{self.number}", "made_at": self.now, "model": "demand"} | words

    def decision(self, action="hold", **words):
        return Decision(**self._words(action=action, because=("nothing fired",), **{"cause": "schedule"} | words))

    def hours(self):
        self.keep(*(self.decision() for _ in range(HOURS)))

    def verdict(self, outcome="failed", made_from=()):
        candidate = replace(self.baseline, id=f"candidate-{self.number}", made_at=self.now, made_from=made_from)
        opinion = Opinion(clause="beats_champion('mae')", outcome=outcome, sentence="so it is")
        self.keep(candidate)
        self.keep(Verdict(**self._words(candidate=candidate.id, champion=self.baseline.id, opinions=(opinion,), outcome=outcome)))

    def failures(self):
        return failures(self.house, demand)


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path)


def test_without_a_verdict_nothing_has_failed(kept):
    kept.keep(kept.decision("undo", cause="errors"))
    assert kept.failures() == 0


def test_candidates_that_failed_are_counted_however_many_decisions_were_kept_since(kept):
    kept.verdict()
    kept.verdict()
    kept.hours()
    assert kept.failures() == 2 == kept.house.settings.governor.failures


def test_what_was_let_in_and_taken_back_by_the_house_weeks_later_failed(kept):
    kept.verdict()
    kept.verdict("passed")
    kept.hours()
    kept.keep(kept.decision("undo", cause="worse"))
    assert kept.failures() == 2


def test_one_that_stayed_ends_the_row(kept):
    kept.verdict()
    kept.verdict("passed")
    kept.verdict()
    assert kept.failures() == 1


@pytest.mark.parametrize("word", ["approval", "undo", "retrain"])
def test_a_persons_word_ends_the_row(kept, word):
    kept.verdict()
    asked = {"undo": {"action": "undo", "by": "Kim"}, "retrain": {"action": "retrain", "cause": "demand"}}.get(word)
    if asked:
        kept.keep(kept.decision(**asked))
    else:
        kept.keep(Approval(**kept._words(decision="d", approved=True, by="Kim", reason="yes")))
    kept.verdict()
    assert kept.failures() == 1


def test_more_than_the_governor_bears_is_not_counted_and_rehearsals_are_none(kept):
    for _ in range(2):
        kept.verdict()
    learnt_for_evidence = kept.decision("rehearse", cause="drift")
    times = dict.fromkeys(("first_at", "learn_until", "judge_from", "last_at"))
    training_set = TrainingSet(
        id="set", made_at=kept.now, made_from=(learnt_for_evidence.id,), model="demand", body="", columns=(), rows=1, learn_rows=1,
        judge_rows=0, truths_known_at=kept.now, **times,
    )  # fmt: skip
    kept.keep(learnt_for_evidence, training_set)
    for _ in range(5):
        kept.verdict(made_from=("set",))
    assert kept.failures() == 2
    for _ in range(4):
        kept.verdict()
    assert kept.failures() == 3
