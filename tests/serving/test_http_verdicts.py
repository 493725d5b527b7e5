"""How a roll-out stands, as Argo Rollouts and Flagger ask: what each reads of the reply opens and shuts what it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import pytest
from everloop_front import Front
from msgspec.structs import replace

from everloop.records import Says
from everloop.serving.verdicts import GATES, OUTCOMES, is_open

WHERE = "/v1/rollouts/demand/verdict"
FLAGGER = {"name": "demand", "namespace": "shop", "phase": "Progressing", "checksum": "85d557f47b", "metadata": {"team": "till"}}


@dataclass
class Argo:
    """What an analysis run of Argo Rollouts makes of a reply, as the AnalysisTemplate we write says it (see connect/kubernetes)."""

    success: tuple[str, ...] = ("passed",)
    failure: tuple[str, ...] = ("failed",)

    def of(self, reply):
        if not 200 <= reply.status_code < 300:
            return "Error"
        said = reply.json()["verdict"] if reply.json()["replays"] else "failed"
        return "Successful" if said in self.success else "Failed" if said in self.failure else "Inconclusive"


@pytest.fixture
def front(tmp_path):
    return Front(tmp_path)


def stands(front, says, **words):
    front.doors.concluded = replace(front.doors.concluded, says=says, verdict=OUTCOMES[says], **words)


@pytest.mark.parametrize(
    ("says", "phase"),
    [("go on", "Successful"), ("promote", "Successful"), ("roll back", "Failed"), ("not enough evidence", "Inconclusive")],
)
def test_argo_reads_a_verdict_by_get_and_what_is_not_proven_is_inconclusive(front, says, phase):
    stands(front, says)
    reply = front.get(WHERE)
    assert (reply.status_code, reply.json()["says"]) == (200, says)
    assert Argo().of(reply) == phase
    assert front.doors.asked[-1] == ("verdict", "demand")


OPEN = {
    "go on": set(GATES) - {"rollback"},
    "promote": set(GATES) - {"rollback"},
    "not enough evidence": {"confirm-rollout", "pre-rollout", "rollout"},
    "roll back": {"rollback"},
}


@pytest.mark.parametrize("which", GATES)
@pytest.mark.parametrize("says", get_args(Says))
def test_flagger_goes_through_the_gates_that_a_verdict_opens_and_no_other(front, says, which):
    stands(front, says)
    reply = front.post(f"{WHERE}?gate={which}", FLAGGER)
    assert reply.status_code == (200 if which in OPEN[says] else 412), reply.text
    assert reply.json()["says"] == says, "what was said goes into its log of failed checks"


def test_while_somebody_holds_the_model_no_gate_is_open_but_the_way_back(front):
    stands(front, "go on", held="Kim: a sale")
    assert {which for which in GATES if is_open(which, front.doors.concluded)} == set()
    stands(front, "roll back", held="Kim: a sale")
    assert {which for which in GATES if is_open(which, front.doors.concluded)} == {"rollback"}


def test_a_verdict_that_its_own_record_does_not_bear_out_opens_nothing(front):
    for says in get_args(Says):
        stands(front, says, replays=False)
        assert not any(front.post(f"{WHERE}?gate={which}", FLAGGER).status_code == 200 for which in GATES)


@pytest.mark.parametrize("query", ["", "?gate=", "?gate=promotion", "?gate=rollback&gate=rollout", "?gates=rollback"])
def test_a_gate_that_is_not_named_is_refused_with_those_there_are(front, query):
    reply = front.post(WHERE + query, FLAGGER)
    assert reply.status_code == 422
    assert "rollback" in reply.json()["message"] or "gate=" in reply.json()["message"]


def test_flagger_without_a_body_of_its_own_is_heard_as_well(front):
    assert front.post(f"{WHERE}?gate=rollout", {}).status_code == 200
    assert front.post(f"{WHERE}?gate=rollout", {"metadata": 5}).status_code == 422
