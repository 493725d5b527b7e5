"""A house behind somebody else's server: a Lambda function answers events as the house does, and asks for the same keys."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import httpx
import pytest
from bench.lambda_events import WARM, WAYS, Asked, body_of

from everloop.clock import wall
from everloop.errors import EverloopError, HouseBusy
from everloop.loop.adopt import adopt
from everloop.loop.answers import answers_of, seal_answers
from everloop.loop.people import undo
from everloop.loop.serve import hosted as hosting
from everloop.loop.serve.keys import add_key, revoke_key
from everloop.loop.serve.routes import write_routes
from everloop.loop.serve.supervised import Told
from everloop.rollout.assign import arm_of
from everloop.serving.segment import segments
from tests.ring.conftest import END
from tests.ring.test_doors import some_requests

NOW = END + timedelta(hours=1)


@pytest.fixture
def function(tmp_path):
    """The handler of a house, as a function's module makes it."""
    made = []

    def of(house, turned=True):
        write_routes(house)
        counted = tmp_path / "counted"
        made.append(hosting.lambda_handler(house.project.path, house=house.settings.house, turned=turned, counted=counted))
        return made[-1]

    yield of
    for one in made:
        one.close()


def asking(key, model, request, now=NOW):
    heads = {"Authorization": f"Bearer {key}"} | ({"Everloop-Now": now.isoformat()} if now else {})
    return Asked("POST", f"/v1/models/{model.name}/predict", json.dumps(request).encode(), heads)


def asleep(handle):
    """The house of a handler, of which nothing runs in the background any more: as an instance is between two events."""
    handle.house.doors.follow.close()
    return handle.house


@pytest.mark.parametrize("way", WAYS)
def test_an_event_is_answered_and_kept_before_it_is(opened, function, way):
    house, model = opened("shop")
    adopt(house, model, END)
    key, handle = add_key(house, "till", ["predict"], wall()), function(house)
    requests = some_requests(house, model, 3)
    for request in requests:
        reply = handle(WAYS[way](asking(key, model, request)), None)
        assert reply["statusCode"] == 200, body_of(reply)
        said = json.loads(body_of(reply))
        kept = {row["id"]: row for row in answers_of(house, model).to_pylist()}
        assert kept[said["id"]]["answer"]["value"] == said["value"]
        assert (said["unit"], said["arm"]) == (request["product_id"], arm_of(request["product_id"], house.traffic(model)))


@pytest.mark.parametrize("way", WAYS)
def test_nobody_who_may_call_a_function_passes_for_this_machine(opened, function, way):
    house, model = opened("shop")
    adopt(house, model, END)
    handle = function(house)
    event = WAYS[way](Asked("GET", "/v1/status"))
    pretended = json.loads(json.dumps(event).replace("203.0.113.9", "127.0.0.1"))
    for heads in (pretended["headers"], pretended.get("multiValueHeaders", {})):
        for name in list(heads):
            if name.lower().startswith("x-forwarded"):
                del heads[name]
            elif name.lower() == "host":
                heads[name] = ["localhost"] if isinstance(heads[name], list) else "localhost"
    assert [handle(one, None)["statusCode"] for one in (event, pretended)] == [401, 401]
    key = add_key(house, "ops", ["operate"], wall())
    allowed = WAYS[way](Asked("GET", "/v1/status", headers={"Authorization": f"Bearer {key}"}))
    assert handle(allowed, None)["statusCode"] == 200


def test_between_events_every_answer_is_left_to_whoever_seals_it(opened, function):
    house, model = opened("shop")
    adopt(house, model, END)
    key, handle = add_key(house, "till", ["predict"], wall()), function(house)
    for request in some_requests(house, model, 3):
        handle(WAYS["HTTP API"](asking(key, model, request)), None)
    assert len(segments(house.settings.answers)) == 3
    seal_answers(house)
    assert segments(house.settings.answers) == []
    assert len(answers_of(house, model)) == 3


def test_what_was_decided_while_an_instance_slept_holds_for_its_next_event(opened, function):
    house, model = opened("shop")
    adopt(house, model, END)
    handle = function(house)
    asleep(handle)
    key = add_key(house, "ops", ["operate"], wall())
    allowed = WAYS["function URL"](Asked("GET", "/v1/status", headers={"Authorization": f"Bearer {key}"}))
    assert handle(allowed, None)["statusCode"] == 200
    revoke_key(house, "ops", wall())
    assert handle(allowed, None)["statusCode"] == 401


def test_an_instance_sleeps_beside_an_undo_and_wakes_to_it(rolling, function):
    house, model = rolling
    handle = function(house)
    hosted_house = asleep(handle)
    before = hosted_house.doors.in_force(model.name)
    assert before.candidate is not None
    undo(house, model, by="Kim", reason="not yet", now=END + timedelta(hours=2))
    assert hosted_house.doors.in_force(model.name) == before
    handle(WARM, None)
    assert hosted_house.doors.in_force(model.name).candidate is None


def test_a_schedule_keeps_it_warm_and_what_is_no_request_is_refused(opened, function):
    house, model = opened("shop")
    adopt(house, model, END)
    handle = function(house)
    assert handle(WARM, None) == {"ready": True}
    with pytest.raises(EverloopError, match="is no request: it says Records"):
        handle({"Records": []}, None)


def test_a_house_nobody_keeps_says_who_would(opened, monkeypatch):
    house, _ = opened("shop")
    monkeypatch.setattr(hosting, "PATIENCE", 0.2)
    with pytest.raises(HouseBusy, match="everloop worker --house"):
        hosting.hosted(Told(house.project.path, None, None, False, None, None, None, "lambda"), shared=True)


def test_an_app_that_shows_its_own_key_answers_whom_the_platform_lets_in_and_does_nothing_else(opened):
    house, model = opened("shop")
    adopt(house, model, END)
    write_routes(house)
    key = add_key(house, "platform", ["predict"], wall())
    house.store.close()
    app = hosting.keyed_app(house.project.path, key=key)

    async def asked():
        transport = httpx.ASGITransport(app, client=("203.0.113.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://container:8080") as client:
            ping = await client.get("/ping")
            answer = await client.post("/invocations", json={"instances": some_requests(house, model, 2)})
            undone = await client.post(f"/v1/models/{model.name}/undo", json={"by": "Eve", "reason": "mine"})
            return ping.status_code, answer.status_code, len(answer.json()["predictions"]), undone.status_code

    async def lived():
        said = await asked()
        received = asyncio.Queue()
        for kind in ("startup", "shutdown"):
            await received.put({"type": f"lifespan.{kind}"})
        await app({"type": "lifespan"}, received.get, no_word)
        return said

    async def no_word(_):
        pass

    assert asyncio.run(lived()) == (200, 200, 2, 403)


def test_what_a_version_in_shadow_says_is_kept_before_an_instance_may_sleep(rolling, function):
    house, model = rolling
    key, handle = add_key(house, "till", ["predict"], wall()), function(house)
    request = some_requests(house, model, 1)[0]
    assert handle(WAYS["HTTP API"](asking(key, model, request, END + timedelta(hours=2))), None)["statusCode"] == 200
    assert {"shadow"} < set(answers_of(house, model, since=END + timedelta(hours=2)).column("arm").to_pylist())
    seal_answers(house)
    assert segments(house.settings.answers) == [], "nobody holds a segment"
