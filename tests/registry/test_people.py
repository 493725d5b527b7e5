"""What people are told and asked: the outbox and approvals."""

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop.errors import EverloopError, Overtaken, Unknown
from everloop.records import Alert
from everloop.registry.approvals import Approvals
from everloop.registry.outbox import Outbox
from everloop.testing.registry import MONDAY, decision

NEWS = Alert(model="demand", severity="warning", sentence="demand drifted", owner="payments-risk", key="drift-1")
ASKED = decision(1, action="ask", asks="promote")


def do(store, verb, *args, **words):
    with store.transaction() as t:
        return verb(t, *args, **words)


def answer(store, decision="decision-1", **words):
    said = {"approved": True, "by": "Ada", "reason": "looked at it", "now": MONDAY, "id": "a"} | words
    return do(store, Approvals(store).answer, decision, **said)


def test_the_same_news_is_told_once(store):
    outbox = Outbox(store)
    assert do(store, outbox.put, NEWS, at=MONDAY, head="7:abc")
    assert not do(store, outbox.put, replace(NEWS, sentence="in other words"), at=MONDAY)
    assert do(store, outbox.put, replace(NEWS, key="drift-2"), at=MONDAY + timedelta(hours=1))
    assert [k.alert.key for k in outbox.waiting()] == ["drift-1", "drift-2"]
    assert outbox.waiting()[0].head == "7:abc"
    assert [k.alert.key for k in outbox.all("demand", limit=1)] == ["drift-2"]
    assert outbox.all("churn") == []


def test_news_without_a_key_is_the_same_by_its_sentence(store):
    outbox = Outbox(store)
    nameless = replace(NEWS, key="")
    assert do(store, outbox.put, nameless, at=MONDAY)
    assert not do(store, outbox.put, nameless, at=MONDAY)
    assert do(store, outbox.put, replace(nameless, model="churn"), at=MONDAY)


def test_what_was_delivered_waits_no_more_and_does_not_come_again(store):
    outbox = Outbox(store)
    do(store, outbox.put, NEWS, at=MONDAY)
    do(store, outbox.delivered, "drift-1", at=MONDAY)
    do(store, outbox.delivered, "drift-1", at=MONDAY + timedelta(days=1))
    assert outbox.waiting() == []
    assert outbox.all()[0].delivered_at == MONDAY
    assert not do(store, outbox.put, NEWS, at=MONDAY)
    with pytest.raises(Unknown):
        do(store, outbox.delivered, "nothing", at=MONDAY)


def test_a_question_waits_for_a_word(store):
    approvals = Approvals(store)
    question = do(store, approvals.ask, ASKED)
    assert do(store, approvals.ask, ASKED) == question
    assert approvals.waiting("demand") == [question] == approvals.waiting()
    assert approvals.waiting("churn") == []
    said = answer(store)
    assert (said.decision, said.made_from, said.approved, said.model) == ("decision-1", ("decision-1",), True, "demand")
    assert approvals.waiting() == []
    assert approvals.find("decision-1").by == "Ada"


def test_whether_to_undo_comes_before_what_was_asked_earlier_and_the_rest_in_order(store):
    for number, asks in enumerate(("retrain", "promote", "undo"), start=1):
        do(store, Approvals(store).ask, decision(number, action="ask", asks=asks))
    assert [question.action for question in Approvals(store).waiting("demand")] == ["undo", "retrain", "promote"]


def test_a_question_is_answered_once(store):
    do(store, Approvals(store).ask, ASKED)
    answer(store, approved=False)
    with pytest.raises(Overtaken, match="already rejected by Ada: looked at it"):
        answer(store, by="Bob")
    do(store, Approvals(store).withdraw, "decision-1", reason="no matter", now=MONDAY)
    assert Approvals(store).find("decision-1").state == "rejected"


def test_a_question_that_was_withdrawn_is_not_answered(store):
    do(store, Approvals(store).ask, ASKED)
    do(store, Approvals(store).withdraw, "decision-1", reason="overtaken", now=MONDAY)
    with pytest.raises(Overtaken, match="already withdrawn"):
        answer(store)


@pytest.mark.parametrize("words", [{"by": " "}, {"reason": ""}])
def test_a_word_needs_a_name_and_a_reason(store, words):
    do(store, Approvals(store).ask, ASKED)
    with pytest.raises(EverloopError, match="--by and --reason"):
        answer(store, **words)
    assert Approvals(store).waiting()


def test_nobody_answers_what_was_not_asked(store):
    with pytest.raises(Unknown):
        answer(store)
    with pytest.raises(EverloopError, match="asks nobody"):
        do(store, Approvals(store).ask, decision(1))
