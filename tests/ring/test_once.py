"""Asked for once by name: the same turn however often it is asked; what the journal kept since; lists for whom nobody has heard of."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from everloop.loop.control.errands import ask, carry_out
from everloop.loop.kept_since import kept_since
from everloop.loop.look import status
from everloop.loop.people import undo
from everloop.registry.errands import Errands

END = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_turn_asked_for_by_name_is_one_turn_whenever_it_is_asked_again(opened):
    house, model = opened("price")
    first = ask(house, "turn", model.name, END, once="flow 1")
    said = json.loads(carry_out(house, first))
    with house.store.transaction() as t:
        Errands(house.store).finish(t, first.id, "done", json.dumps(said), END)
    again = ask(house, "turn", model.name, END + timedelta(hours=5), once="flow 1")
    assert (again.id, again.now, again.state) == (first.id, END, "done")
    assert json.loads(carry_out(house, again))["turn"] == said["turn"]
    assert [entry.record.cause for entry in house.journal.read(kind="Decision")].count("demand") == 1
    assert [entry.verb for entry in house.journal.read(kind="Candidate")].count("train") == 1
    assert ask(house, "turn", model.name, END + timedelta(hours=5), once="flow 2").id != first.id
    assert ask(house, "turn", model.name, END + timedelta(hours=5)).id != first.id


def test_a_turn_says_how_far_it_came(opened):
    house, model = opened("price")
    said = json.loads(carry_out(house, ask(house, "turn", model.name, END)))
    assert (said["action"], said["fit"], said["verdict"]) == ("retrain", True, "passed")
    assert "version" not in said  # a person is to say yes first
    house.store.close()


def test_what_the_journal_kept_since_is_told_once_and_by_names(rolling):
    house, model = rolling
    nothing, through = kept_since(house, None)
    assert nothing == []
    undo(house, model, by="Kim", reason="it doubles", now=END + timedelta(days=1))
    (told,), onward = kept_since(house, through)
    assert (told["kind"], told["verb"], told["model"], told["champion"]) == ("Traffic", "undo", model.name, "prices@0")
    assert "Kim" in told["sentence"]
    assert kept_since(house, onward) == ([], onward)
    every, _ = kept_since(house, 0)
    assert [one["seq"] for one in every] == sorted(one["seq"] for one in every)
    assert {one["kind"] for one in every} <= {"Traffic", "Incident"}
    json.dumps(every)


def test_more_than_is_told_at_once_is_told_next_time(rolling, monkeypatch):
    house, _ = rolling
    every, _ = kept_since(house, 0)
    monkeypatch.setattr("everloop.loop.kept_since.MOST", 1)
    told, through = [], 0
    while True:
        some, through = kept_since(house, through)
        if not some:
            break
        told += some
    assert told == every


def test_a_standing_says_by_what_a_programme_tells_arms(rolling):
    house, model = rolling
    (standing,) = status(house)
    traffic = house.traffic(model)
    assert (standing.assignment["salt"], standing.assignment["share"]) == (traffic.salt, traffic.share)
