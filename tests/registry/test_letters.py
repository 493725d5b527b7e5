"""Letters: claimed by one, ended once, and known again after a process died."""

from datetime import timedelta

import pytest

from everloop.errors import Unknown
from everloop.records import Alert
from everloop.registry.letters import Letter, Letters, Trouble
from everloop.registry.outbox import Outbox
from everloop.testing.registry import MONDAY

MINUTE = timedelta(minutes=1)
FIRST = Letter(alert="a1", address="x", person="ada", first_at=MONDAY, due_at=MONDAY)


@pytest.fixture
def letters(store):
    with store.transaction() as t:
        Outbox(store).put(t, Alert(model="demand", severity="info", sentence="s", key="a1"), at=MONDAY)
        assert Letters(store).open(t, FIRST)
    return Letters(store)


def do(letters, verb, *words, **more):
    with letters.store.transaction() as t:
        return getattr(letters, verb)(t, *words, **more)


def claim(letters, now=MONDAY, alerts=("a1",)):
    return do(letters, "claim", "x", list(alerts), message="m", now=now, until=now + MINUTE)


def test_a_letter_sets_out_once(letters):
    assert not do(letters, "open", FIRST)
    assert letters.of("a1") == [FIRST]
    do(letters, "sent", "x", ["a1"], at=MONDAY)
    assert not do(letters, "open", FIRST)


def test_a_letter_is_claimed_by_one_until_the_claim_ends(letters):
    assert claim(letters)
    assert not claim(letters, MONDAY + MINUTE / 2)
    assert claim(letters, MONDAY + MINUTE), "whoever held it died"
    assert letters.of("a1")[0].attempts == 2


def test_a_claim_of_a_clock_that_was_set_back_ends_too(letters):
    assert claim(letters, MONDAY + 900 * MINUTE)
    assert claim(letters, MONDAY)


def test_a_claim_is_all_or_nothing(letters):
    do(letters, "open", Letter(alert="a2", address="x", person="ada", first_at=MONDAY, due_at=MONDAY))
    assert claim(letters, alerts=["a2"])
    assert not claim(letters, alerts=["a1", "a2"])
    assert letters.of("a1")[0].state == "waiting"


def test_what_arrived_stays_arrived(letters):
    claim(letters)
    do(letters, "sent", "x", ["a1"], at=MONDAY)
    do(letters, "failed", "x", ["a1"], why="late", due_at=MONDAY)
    do(letters, "give_up", "x", ["a1"], at=MONDAY, why="late")
    do(letters, "withdraw", "x", ["a1"], at=MONDAY)
    assert (letters.of("a1")[0].state, letters.of("a1")[0].why) == ("sent", None)
    assert not claim(letters)


def test_what_was_withdrawn_may_set_out_again(letters):
    do(letters, "withdraw", "x", ["a1"], at=MONDAY)
    assert do(letters, "open", Letter(alert="a1", address="x", person="ada", first_at=MONDAY + MINUTE, due_at=MONDAY + MINUTE))
    assert (letters.of("a1")[0].state, letters.of("a1")[0].first_at) == ("waiting", MONDAY + MINUTE)


def test_a_message_about_many_alerts_is_one_message(letters):
    do(letters, "open", Letter(alert="a2", address="x", person="ada", first_at=MONDAY, due_at=MONDAY))
    claim(letters, alerts=["a1", "a2"])
    do(letters, "sent", "x", ["a1", "a2"], at=MONDAY)
    assert letters.messages(MONDAY - MINUTE, MONDAY) == {"x": 1}
    assert letters.messages(MONDAY, MONDAY + MINUTE) == {}


def test_trouble_is_forgotten_when_something_arrives(letters):
    trouble = Trouble("x", "ada", 3, MONDAY, MONDAY + MINUTE, "no route")
    do(letters, "trouble", trouble)
    do(letters, "trouble", trouble)
    assert letters.troubles() == {"x": trouble}
    do(letters, "sent", "x", ["a1"], at=MONDAY)
    assert letters.troubles() == {}


def test_letters_of_what_waits_no_more_are_not_looked_at(letters):
    assert letters.of_waiting() == [FIRST]
    do(Outbox(letters.store), "end", "a1", "given up")
    assert letters.of_waiting() == []
    assert Outbox(letters.store).waiting() == []
    assert Outbox(letters.store).all()[0].ended == "given up"


def test_what_ended_otherwise_is_not_delivered_and_the_other_way_round(letters):
    outbox = Outbox(letters.store)
    do(outbox, "delivered", "a1", at=MONDAY)
    do(outbox, "end", "a1", "given up")
    assert outbox.all()[0].ended is None
    with pytest.raises(Unknown):
        do(outbox, "end", "nothing", "unwanted")
