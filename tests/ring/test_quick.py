"""Answers given on the event loop are those the door gives in a thread: the same words, the same rows in the log."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from everloop.loop.adopt import adopt
from everloop.loop.answers import answers_of
from everloop.loop.serve import quick
from everloop.loop.serve.routes import write_routes
from everloop.loop.serve.supervised import Told
from everloop.loop.serve.worker import opened as open_doors
from everloop.rollout import arm_of

NOW = datetime(2026, 11, 1, 2, tzinfo=UTC)
HOUSE = {"area": 80.0, "rooms": 3, "zip": "1010", "advert": "bright, by the park"}


@pytest.fixture
def doors():
    """The doors of a house, as a worker opens them."""
    with ExitStack() as stack:

        def doors_of(house):
            write_routes(house)
            told = Told(house.project.path, None, None, True, None, None, None)
            return open_doors(told, house.project, house.settings, stack)

        yield doors_of


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


def test_a_version_that_is_slow_is_not_asked_where_others_wait(rolling, doors, monkeypatch):
    monkeypatch.setattr(quick, "CHEAP", 0.0)
    house, model = rolling
    assert soon(doors(house), model.name, requests(1), NOW) == [None]


def test_a_slow_shadow_is_worked_out_beside_the_event_loop(rolling, doors, monkeypatch):
    house, model = rolling
    door = doors(house)
    seat, salt = door._seat(model.name)
    quickly = quick.quick_of(model, seat, salt, door.known, ())
    traffic = house.traffic(model)
    if quickly is None:  # the candidate takes longer than others may wait: then it may not serve either
        monkeypatch.setattr(quick, "CHEAP", 10.0)
        quickly = quick.quick_of(model, seat, salt, door.known, ())
    door._quick[model.name] = (seat, replace(quickly, slow=True))
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


def test_traffic_is_split_by_what_the_model_says(opened, doors):
    """Two payments of one card are answered by one arm, whichever way they come."""
    house, model = opened("fraud")
    assert model.split_by == "card_id"
    adopt(house, model, NOW)
    door = doors(house)
    asked = []
    door._arm = lambda unit, seat: asked.append(unit) or "champion"
    door.predict(model.name, [{"payment_id": "new1", "card_id": "card 7", "amount": 100, "online": True}], NOW)
    assert asked == ["card 7"]


def test_a_list_without_a_candidate_is_no_answer_and_no_error(opened, doors):
    house, model = opened("recommend")
    adopt(house, model, NOW)
    door = doors(house)
    looked_up = door.known.features
    door._only_seen, door.known.features = lambda *_: None, lambda *asked: looked_up(*asked).slice(0, 0)
    (given,) = door.predict(model.name, [dict.fromkeys(model.unit, "nobody")], NOW)
    assert (given.unit, given.items, given.error) == ("nobody", (), None)
