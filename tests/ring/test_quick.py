"""Answers given on the event loop are those the door gives in a thread: the same words, the same rows in the log."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from everloop.loop.adopt import adopt
from everloop.loop.answers import answers_of
from everloop.loop.serve import at_length, quick
from everloop.loop.serve.at_once import AtOnce
from everloop.rollout import arm_of
from tests.ring.test_doors import doors, some_requests

__all__ = ["doors"]

NOW = datetime(2026, 11, 1, 2, tzinfo=UTC)
HOUSE = {"area": 80.0, "rooms": 3, "zip": "1010", "advert": "bright, by the park"}


def soon(doors, model, requests, now):
    """What the event loop is told, request by request."""

    async def ask():
        waiting = [doors.answer_soon(model, request, now) for request in requests]
        given = [None if one is None else await one for one in waiting]
        await asyncio.sleep(0.05)  # what nobody sees is asked when everybody has been answered
        return given

    return asyncio.run(ask())


def kept(house, model, *, at):
    """What was kept of one moment, by unit and version, as far as it does not depend on the clock."""
    rows = answers_of(house, model).to_pylist()
    micros = int(at.timestamp() * 1e6)
    unlike = ("microseconds", "id", "moment", "answered_at")
    return {(r["unit"], r["version"], r["arm"]): {k: v for k, v in r.items() if k not in unlike} for r in rows if r["moment"] == micros}


def requests(count):
    return [{"house_id": f"new{n}", **HOUSE, "area": 60.0 + n} for n in range(count)]


@pytest.mark.parametrize("brought", [False, True])
def test_in_a_canary_both_ways_say_and_keep_the_same(rolling, doors, monkeypatch, brought):
    monkeypatch.setattr(quick, "CHEAP", 10.0)
    house, model = rolling
    door, asked = doors(house), requests(12)
    if brought:
        names = dict(zip(model.columns, ("area", "rooms", "zip", "advert"), strict=True))
        asked = [{"house_id": one["house_id"], "features": {name: one[said] for name, said in names.items()}} for one in asked]
    early, late = NOW, NOW + timedelta(seconds=1)
    quickly = soon(door, model.name, asked, early)
    slowly = door.predict(model.name, asked, late)
    door.shadows.close()
    assert [(p.version, p.arm, p.value, p.says, p.error) for p in quickly] == [(p.version, p.arm, p.value, p.says, p.error) for p in slowly]
    assert {p.arm for p in quickly} == {"champion", "candidate"}
    first, second = kept(house, model, at=early), kept(house, model, at=late)
    assert len(first) == 2 * len(asked)
    assert first == second


@pytest.mark.parametrize("brought", [False, True])
def test_units_of_a_control_are_told_and_kept_the_same_both_ways(rolling, doors, monkeypatch, brought):
    monkeypatch.setattr(quick, "CHEAP", 10.0)
    house, model = rolling
    control = model.but(model.name, control=0.5)
    adopt(house, control, NOW)
    door, asked = doors(house), requests(24)
    if brought:
        names = dict(zip(model.columns, ("area", "rooms", "zip", "advert"), strict=True))
        asked = [{"house_id": one["house_id"], "features": {name: one[said] for name, said in names.items()}} for one in asked]
    slowly = door.predict(model.name, asked, NOW)
    quickly = soon(door, model.name, asked, NOW + timedelta(seconds=1))
    door.shadows.close()
    baseline = house.versions.named(f"{model.name}@0").id
    assert {p.version for p in slowly if p.arm == "control"} == {baseline}
    assert {p.arm for p in slowly} == {"champion", "candidate", "control"}
    assert sum(one is not None for one in quickly) >= sum(p.arm != "control" for p in slowly) > 0
    for one, other in zip(quickly, slowly, strict=True):
        assert one is None or (one.version, one.arm, one.value, one.propensity) == (other.version, other.arm, other.value, other.propensity)
    by_unit = {p.unit: p.propensity for p in slowly}
    traffic = house.traffic(model)
    assert by_unit == {p.unit: traffic.propensities[arm_of(p.unit, traffic)] for p in slowly}
    assert door.assigned(model.name, asked) == [door.named(p.version) for p in slowly]


def test_a_version_that_is_slow_is_not_asked_where_others_wait(rolling, doors, monkeypatch):
    monkeypatch.setattr(quick, "CHEAP", 0.0)
    house, model = rolling
    assert soon(doors(house), model.name, requests(1), NOW) == [None]


def test_a_slow_shadow_is_worked_out_beside_the_event_loop(rolling, doors):
    house, model = rolling
    door = doors(house)
    seat, salt = door._seat(model.name)
    quickly = quick.quick_of(model, seat, salt, door.known, ())
    traffic = house.traffic(model)
    door.at_once._quick[model.name] = (seat, replace(quickly, waits=False, slow=True))
    champions = [r for r in requests(20) if arm_of(r["house_id"], traffic) == "champion"][:3]
    soon(door, model.name, champions, NOW)
    door.shadows.close()
    assert sorted(arm for _, _, arm in kept(house, model, at=NOW)) == ["champion"] * 3 + ["shadow"] * 3


@pytest.mark.parametrize("request_", [{"house_id": "h1"}, {"house_id": "h1", **HOUSE, "area": "large"}])
def test_what_has_to_be_read_or_cannot_be_is_left_to_the_long_way(rolling, doors, monkeypatch, request_):
    monkeypatch.setattr(quick, "CHEAP", 10.0)
    house, model = rolling
    assert soon(doors(house), model.name, [request_], NOW) == [None]


@pytest.mark.parametrize("kind", ["shop", "recommend", "fraud"])
def test_a_unit_whose_past_counts_is_left_to_the_long_way(opened, doors, kind):
    house, model = opened(kind)
    adopt(house, model, NOW)
    assert soon(doors(house), model.name, [dict.fromkeys(model.unit, "u1")], NOW) == [None]


@pytest.mark.parametrize("kind", ["shop", "churn"])
def test_what_is_kept_of_a_unit_is_answered_from_as_the_long_way_answers(opened, doors, monkeypatch, kind):
    house, model = opened(kind)
    adopt(house, model, NOW)
    door, early, late = doors(house), NOW + timedelta(hours=1), NOW + timedelta(hours=1, microseconds=1)
    asked = some_requests(house, model, 8)
    door.known.fold()
    quickly = [door.at_once.by_key(model, *door._seat(model.name), one, early) for one in asked]
    monkeypatch.setattr(AtOnce, "by_key", lambda *_: None)
    slowly = [door.predict(model.name, [one], early)[0] for one in asked]
    assert [replace(p, microseconds=0) for p in quickly] == [replace(p, microseconds=0) for p in slowly]
    for one in asked:  # what was answered at one moment is kept once
        door.predict(model.name, [one], late)
    first, second = kept(house, model, at=early), kept(house, model, at=late)
    assert len(first) == len(asked)
    for rows in (first, second):
        for row in rows.values():
            row.pop("features")  # days before the moment
    assert first == second


def test_what_no_state_tells_is_left_to_the_long_way(opened, doors):
    """Chargebacks of a merchant are found by their payments, which is a look into the events."""
    house, model = opened("fraud")
    adopt(house, model, NOW)
    door = doors(house)
    door.known.fold()
    assert door.at_once.by_key(model, *door._seat(model.name), some_requests(house, model, 1)[0], NOW) is None


def test_a_unit_nothing_is_known_of_is_left_to_the_long_way(opened, doors):
    house, model = opened("shop")
    adopt(house, model, NOW)
    door = doors(house)
    assert door.at_once.by_key(model, *door._seat(model.name), {"product_id": "nobody"}, NOW) is None


def test_traffic_is_split_by_what_the_model_says(opened, doors, monkeypatch):
    """Two payments of one card are answered by one arm, whichever way they come."""
    house, model = opened("fraud")
    assert model.split_by == "card_id"
    adopt(house, model, NOW)
    door = doors(house)
    asked = []
    monkeypatch.setattr(at_length, "arm", lambda unit, seat: asked.append(unit) or "champion")
    door.predict(model.name, [{"payment_id": "new1", "card_id": "card 7", "amount": 100, "online": True}], NOW)
    assert asked == ["card 7"]


def test_a_list_without_a_candidate_is_no_answer_and_no_error(opened, doors):
    house, model = opened("recommend")
    adopt(house, model, NOW)
    door = doors(house)
    looked_up = door.known.features
    door.at_length._only_seen, door.known.features = lambda *_: None, lambda *asked: looked_up(*asked).slice(0, 0)
    (given,) = door.predict(model.name, [dict.fromkeys(model.unit, "nobody")], NOW)
    assert (given.unit, given.items, given.error) == ("nobody", (), None)
