"""Questions whether to undo, once what they were about answers nobody, or another version would be taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop.errors import Overtaken
from everloop.loop.adopt import adopt
from everloop.loop.keep import keep_record
from everloop.loop.overtaken import asked_about
from everloop.loop.people import answer_question
from everloop.records import Candidate, Decision, Shape, Verdict
from tests.loop.houses import NOW, demand, house_at

HOUR = timedelta(hours=1)


class Asking:
    """A house whose champion ``healthy`` has a version before it; records are kept as a turn keeps them."""

    def __init__(self, folder):
        self.house = house_at(folder, (demand,))
        adopt(self.house, demand, NOW)
        self.move(champion="healthy", previous=self.traffic.champion)

    @property
    def traffic(self):
        return self.house.traffic(demand)

    def move(self, keep=True, **words):
        before = self.traffic
        now, generation = before.made_at + HOUR, before.generation + 1
        said = {"id": f"traffic-{generation}", "made_at": now, "since": now, "generation": generation} | words
        moved = replace(before, **said)
        with self.house.store.transaction() as t:
            if keep:
                keep_record(self.house, t, moved, model=demand, turn="turn", verb="advance")
            else:  # as a house of before questions were withdrawn
                self.house.journal.append(t, moved)
                self.house.pointers.move(t, moved, expected_generation=before.generation)

    def ask(self, **words):
        now = self.traffic.made_at
        said = {"action": "ask", "asks": "undo", "cause": "worse", "because": ("worse it is",), "model": "demand"} | words
        said = {"made_from": (self.traffic.id, "signals")} | said
        asked = Decision(id=f"ask-{self.traffic.generation}", made_at=now, **said)
        with self.house.store.transaction() as t:
            return keep_record(self.house, t, asked, model=demand, turn="turn", verb="decide")

    def version(self, name):
        """The id of a version made of a candidate of this name."""
        said = {"model": "demand", "format": "skops", "columns": ("x",), "learner": "L", "parameters": "{}"}
        candidate = Candidate(id=name, made_at=self.traffic.made_at, artefact=name, shape=Shape(kind="number"), **said)
        with self.house.store.transaction() as t:
            self.house.journal.append(t, candidate)
            return self.house.versions.admit(t, candidate, None, now=NOW, id=f"version of {name}").id

    def waiting(self):
        return [question.action for question in self.house.approvals.waiting("demand")]


STEADY = {"stage": "steady", "candidate": None, "share": 0.0}
CANARY = {"stage": "canary", "candidate": "tested", "share": 0.2}
ANOTHER = CANARY | {"candidate": "another"}
PROMOTED = STEADY | {"champion": "tested", "previous": "healthy"}


@pytest.fixture
def asking(tmp_path):
    return Asking(tmp_path)


@pytest.mark.parametrize(
    ("then", "now"),
    [(CANARY, STEADY), (CANARY, ANOTHER), (STEADY, CANARY), (STEADY, PROMOTED)],
    ids=["the test ended unsettled", "another is tested", "of the champion, and a candidate is tested", "of the champion before"],
)
def test_a_stale_question_takes_nothing_back_and_is_withdrawn_when_the_traffic_moves_on(asking, tmp_path, then, now):
    asking.move(**then)
    asking.ask()
    asking.move(keep=False, **now)
    before = asking.traffic
    with pytest.raises(Overtaken, match=r"nothing was changed. See: everloop history demand. .* everloop undo demand"):
        answer_question(asking.house, demand, True, by="Kim", reason="it does harm", now=before.made_at + HOUR)
    assert asking.traffic == before
    assert asking.waiting() == ["undo"], "a no is still heard"
    asking.move(**now)
    assert asking.waiting() == []


@pytest.mark.parametrize(
    ("then", "now"), [(CANARY, PROMOTED | {"stage": "bake"}), (CANARY, CANARY | {"share": 0.5}), (STEADY, STEADY | {"control": 0.1})]
)
def test_a_question_waits_as_long_as_an_undo_would_take_back_what_it_is_about(asking, then, now):
    asking.move(**then)
    asking.ask()
    asking.move(**now)
    assert asking.waiting() == ["undo"]


def test_whether_to_retrain_is_no_matter_of_the_traffic(asking):
    asking.move(**CANARY)
    asking.ask(asks="retrain")
    asking.move(**STEADY)
    assert asking.waiting() == ["retrain"]


def test_whether_to_promote_is_asked_no_more_once_the_candidate_was_judged_against_another_champion_than_answers(asking):
    first, second = (asking.version(name) for name in ("first", "second"))
    asking.move(champion=first)
    with asking.house.store.transaction() as t:
        verdict = Verdict(
            id="verdict", made_at=asking.traffic.made_at, model="demand", candidate="new", champion="first", opinions=(), outcome="passed"
        )  # fmt: skip
        asking.house.journal.append(t, verdict)
    asking.ask(asks="promote", made_from=("verdict",))
    asking.move(**CANARY)
    assert asking.waiting() == ["promote"], "its champion still answers"
    asking.move(**STEADY | {"champion": second})
    assert asking.waiting() == []


@pytest.mark.parametrize(
    ("drops", "arms", "left"),
    [
        ((), ("a", "b"), ("a", "b")),
        ((), ("a", None), ("a",)),
        (("b",), ("a", "b"), ("b",)),
        (("b",), ("a", None), ()),
        ((), ("a", "c"), ("a",)),
    ],
)
def test_of_several_candidates_those_are_asked_about_that_are_still_tested(asking, drops, arms, left):
    asking.move(**CANARY | {"candidate": "a", "arms": ("a", "b")})
    asked = asking.ask(drops=drops)
    now = replace(asking.traffic, arms=arms)
    with asking.house.store.transaction() as t:
        assert asked_about(asking.house, asked, now, within=t) == left


def test_whether_to_undo_is_answered_before_what_was_asked_earlier(asking):
    asking.ask(asks="retrain")
    asking.move(**CANARY)
    asking.ask()
    assert asking.waiting() == ["undo", "retrain"]
