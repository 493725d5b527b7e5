"""Turns, leases, facts: what surrounds the ring."""

import math
from datetime import timedelta

import pytest

from everloop.errors import HouseBusy, Overtaken, StoreError, Unknown
from everloop.registry.facts import Facts
from everloop.registry.leases import Leases
from everloop.registry.turns import Turn, Turns
from everloop.testing.registry import MONDAY

HOUR = timedelta(hours=1)
TURN = Turn(id="t1", model="demand", now=MONDAY, cause="schedule", started_at=MONDAY)
LATER = Turn(id="t2", model="demand", now=MONDAY + HOUR, cause="drift", started_at=MONDAY + HOUR)


def do(store, verb, *args, **words):
    with store.transaction() as t:
        return verb(t, *args, **words)


def test_one_turn_of_a_model_at_a_time(store):
    turns = Turns(store)
    do(store, turns.open, TURN)
    with pytest.raises(HouseBusy, match=r"already open .*--now 2026-11-02T00:00:00Z"):
        do(store, turns.open, LATER)
    do(store, turns.open, Turn(id="t3", model="churn", now=MONDAY, cause="schedule", started_at=MONDAY))
    assert turns.opened("demand") == TURN


def test_the_database_refuses_a_second_open_turn_by_itself(store):
    turns = Turns(store)
    do(store, turns.open, TURN)
    turns_that_look_away = type("LooksAway", (Turns,), {"opened": lambda *a, **k: None})(store)
    with pytest.raises(StoreError, match=r"(?i)unique"):
        do(store, turns_that_look_away.open, LATER)


def test_a_turn_that_was_begun_is_gone_on_with(store):
    turns = Turns(store)
    do(store, turns.open, TURN)
    assert do(store, turns.open, TURN) == TURN


def test_a_turn_ends_once(store):
    turns = Turns(store)
    do(store, turns.open, TURN)
    done = do(store, turns.finish, "t1", at=MONDAY + HOUR)
    assert (done.state, done.finished_at) == ("done", MONDAY + HOUR)
    assert do(store, turns.finish, "t1", at=MONDAY + 2 * HOUR) == done
    with pytest.raises(Overtaken, match="already ended as done"):
        do(store, turns.finish, "t1", at=MONDAY, state="superseded")
    with pytest.raises(Unknown):
        do(store, turns.finish, "nobody", at=MONDAY)
    assert turns.opened("demand") is None
    assert turns.last("demand") == done
    do(store, turns.open, LATER)
    do(store, turns.finish, "t2", at=MONDAY + 2 * HOUR, state="superseded")
    assert turns.last("demand") == done


def test_a_lease_belongs_to_one_until_somebody_seizes_it(store):
    leases = Leases(store)
    mine = do(store, leases.seize, "seal", "one", seen=None, now=MONDAY, lasts=HOUR)
    with pytest.raises(Overtaken, match="taken or renewed by one in the meantime"):
        do(store, leases.seize, "seal", "two", seen=None, now=MONDAY + HOUR / 2, lasts=HOUR)
    assert leases.held("seal", now=MONDAY) == mine
    assert leases.held("seal", now=MONDAY + HOUR) is None
    theirs = do(store, leases.seize, "seal", "two", seen=mine, now=MONDAY + HOUR, lasts=HOUR)
    assert theirs.fence == mine.fence + 1
    with pytest.raises(Overtaken, match="did not renew"):
        do(store, leases.renew, mine, now=MONDAY + HOUR, lasts=HOUR)
    do(store, leases.release, mine)
    assert leases.held("seal", now=MONDAY + HOUR) == theirs


def test_a_lease_is_renewed_and_given_back(store):
    leases = Leases(store)
    mine = do(store, leases.seize, "seal", "one", seen=None, now=MONDAY, lasts=HOUR)
    mine = do(store, leases.renew, mine, now=MONDAY + HOUR, lasts=HOUR)
    assert leases.held("seal", now=MONDAY + HOUR) == mine
    do(store, leases.release, mine)
    assert leases.held("seal", now=MONDAY) is None
    assert do(store, leases.seize, "seal", "one", seen=leases.there("seal"), now=MONDAY, lasts=HOUR).fence == 2
    with pytest.raises(Overtaken):
        do(store, leases.renew, mine, now=MONDAY, lasts=HOUR)


def test_facts_are_replaced_and_read_back_by_time(store):
    facts = Facts(store)
    for hour in range(4):
        do(store, facts.put, "demand", "profile", MONDAY + hour * HOUR, {"mean": hour})
    do(store, facts.put, "demand", "profile", MONDAY, {"mean": 99})
    do(store, facts.put, "demand", "other", MONDAY, [1])
    read = facts.read("demand", "profile", since=MONDAY, until=MONDAY + HOUR)
    assert [f.body["mean"] for f in read] == [99, 1]
    assert facts.latest("demand", "profile").body == {"mean": 3}
    assert facts.latest("demand", "profile", until=MONDAY + 2.5 * HOUR).at == MONDAY + 2 * HOUR
    assert facts.latest("churn", "profile") is None
    with pytest.raises(StoreError, match="The fact profile of demand cannot be written: mean is nan"):
        do(store, facts.put, "demand", "profile", MONDAY, {"mean": math.nan})


def test_a_lease_is_seized_only_as_it_was_seen(store):
    leases = Leases(store)
    do(store, leases.seize, "controller", "one", seen=None, now=MONDAY, lasts=HOUR)
    seen = leases.there("controller")
    assert (seen.holder, seen.fence) == ("one", 1)
    do(store, leases.renew, seen, now=MONDAY + HOUR / 2, lasts=HOUR)
    with pytest.raises(Overtaken, match="renewed by one"):
        do(store, leases.seize, "controller", "two", seen=seen, now=MONDAY + 2 * HOUR, lasts=HOUR)
    with pytest.raises(Overtaken, match="taken"):
        do(store, leases.seize, "controller", "two", seen=None, now=MONDAY, lasts=HOUR)
    mine = do(store, leases.seize, "controller", "two", seen=leases.there("controller"), now=MONDAY, lasts=HOUR)
    assert mine.fence == 2


def test_the_fence_asks_no_clock(store):
    leases = Leases(store)
    one = do(store, leases.seize, "controller", "one", seen=None, now=MONDAY, lasts=HOUR)
    do(store, leases.check, one)  # it ended long ago by any clock, and nobody took it
    do(store, leases.seize, "controller", "two", seen=leases.there("controller"), now=MONDAY - HOUR, lasts=HOUR)
    with pytest.raises(Overtaken, match="belongs to two now"):
        do(store, leases.check, one)
    do(store, leases.release, leases.there("controller"))
    with pytest.raises(Overtaken, match="belongs to nobody now"):
        do(store, leases.check, one)


def test_a_turn_may_be_cancelled_and_stays_so(store):
    turns = Turns(store)
    do(store, turns.open, TURN)
    do(store, turns.finish, "t1", at=MONDAY, state="cancelled")
    assert turns.opened("demand") is None
    assert turns.last("demand") is None
    with pytest.raises(Overtaken, match="already ended as cancelled"):
        do(store, turns.finish, "t1", at=MONDAY)
    assert do(store, turns.open, TURN).state == "cancelled"
