"""A baseline is made of what has come in; one that was made while a source had no row at all is made anew once it has some."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from everloop import Model, Source, days, every
from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.hand import hold, release
from everloop.loop.house import open_house
from everloop.loop.look import status
from everloop.loop.project_file import project_of
from everloop.records import Traffic
from everloop.settings import read_settings

NOW = datetime(2026, 11, 2, tzinfo=UTC)
orders = Source("orders", id="order_id", time="at", columns={"customer_id": str})
calls = Source("calls", id="call_id", time="at", columns={"customer_id": str})


class Mean:
    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return [[0.5, 0.5] for _ in X]


calm = Model(
    "calm", predicts=calls.none(next=days(7)), per="customer_id", asked=every(days(1), at="00:00", zone="UTC"),
    knows=[orders.count(last=days(28)), calls.count(last=days(28))], learner=Mean(),
)  # fmt: skip


def house_in(folder):
    return open_house(project_of(calm), settings=replace(read_settings(folder, house=folder / "house", environ={}), child=False))


def came(house, source, ids, before):
    key = "order_id" if source is orders else "call_id"
    rows = [{key: f"{source.name}-{who}-{day}", "at": NOW - timedelta(days=day),
             "customer_id": who} for who in ids for day in before]  # fmt: skip
    receive(house.lake, source, rows, now=NOW, known_after=timedelta(0))


def baselines(house):
    return [house.versions.get(one.record.champion).number for one in house.journal.read(kind="Traffic", model="calm")]


def test_a_baseline_made_without_a_source_is_made_anew_once_that_has_rows(tmp_path):
    house = house_in(tmp_path)
    came(house, orders, ("a", "b"), range(60))
    adopt(house, calm, NOW)
    first = house.traffic(calm)
    adopt(house, calm, NOW + timedelta(hours=1))
    assert house.traffic(calm) == first
    came(house, calls, ("a",), range(2, 60, 2))
    adopt(house, calm, NOW + timedelta(hours=2))
    second = house.traffic(calm)
    assert second.champion != first.champion
    came(house, calls, ("b",), range(30))  # more of what there was
    adopt(house, calm, NOW + timedelta(hours=3))
    assert house.traffic(calm) == second
    assert len(baselines(house)) == 2


def test_a_baseline_that_is_held_stays(tmp_path):
    house = house_in(tmp_path)
    came(house, orders, ("a", "b"), range(60))
    adopt(house, calm, NOW)
    hold(house, calm, by="Kim", reason="wait", now=NOW + timedelta(hours=1))
    came(house, calls, ("a",), range(2, 60, 2))
    adopt(house, calm, NOW + timedelta(hours=2))
    assert len({one.record.champion for one in house.journal.read(kind="Traffic", model="calm")}) == 1
    release(house, calm, by="Kim", reason="go on", now=NOW + timedelta(hours=3))
    adopt(house, calm, NOW + timedelta(hours=4))
    assert len({one.record.champion for one in house.journal.read(kind="Traffic", model="calm")}) == 2


def test_who_answers_has_answered_since_the_same_instant_after_a_hold(tmp_path):
    house = house_in(tmp_path)
    came(house, orders, ("a", "b"), range(60))
    adopt(house, calm, NOW)
    hold(house, calm, by="Kim", reason="wait", now=NOW + timedelta(hours=1))
    release(house, calm, by="Kim", reason="go on", now=NOW + timedelta(hours=3))
    (row,) = status(house)
    assert row.since == NOW
    # Also where the step the roll-out is in is younger: a candidate that a hold took back left the champion as it was.
    there = house.traffic(calm)
    with house.store.transaction() as t:
        later = replace(
            there, id="later", made_at=NOW + timedelta(hours=5), generation=there.generation + 1, since=NOW + timedelta(hours=5)
        )
        assert isinstance(house.journal.append(t, later, turn=None, verb="hold"), Traffic)
        house.pointers.move(t, later, expected_generation=there.generation)
    assert status(house)[0].since == NOW
