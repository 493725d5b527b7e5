"""A shop's door as a function of AWS Lambda: instances come and go, what was thanked for is told once, and a run of Flow is one turn."""

from __future__ import annotations

import json
import warnings

import pytest
from bench.lambda_events import WARM, WAYS, Asked, body_of
from tests.connect.shopify.forged import settings, webhook
from tests.connect.shopify.fronts import SECRET, SHOP, Played
from tests.connect.shopify.houses import MadeUpHouse
from tests.connect.shopify.test_door import order

from everloop.clock import wall
from everloop.connect import aws_lambda
from everloop.connect.shopify import inbox
from everloop.connect.shopify.door import Door, app
from everloop.connect.shopify.front import front
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.runs import Runs

pytest.importorskip("starlette", reason="pip install 'everloop[shopify]'")
pytest.importorskip("shopify_app", reason="pip install 'everloop[shopify]'")
warnings.filterwarnings("ignore", module="starlette")


@pytest.fixture
def instance(tmp_path):
    """One instance after the other, of a function that opens a door on this folder's ``shopify.db``."""
    made = []

    def of(door, linger=3.0, carried=3.0):
        for one in made:
            one.close()
        made.clear()
        place = Place(tmp_path / "shopify.db", "delete")
        begun = aws_lambda.doorway(lambda: opened(door(place)))
        made.append(aws_lambda.Doorway(begun.opened, begun.mangum, begun.loop, linger, carried))
        return made[-1]

    yield of
    for one in made:
        one.close()


def opened(door):
    def waits():
        return bool(inbox.waiting(door.place, wall(), 1) or Runs(door.place).open())

    return app(door), waits


def delivered(handle, way, id, body=None):
    body = body or order()
    return handle(WAYS[way](Asked("POST", "/shopify/webhooks", body, webhook(body, id=id))), None)["statusCode"]


@pytest.mark.parametrize("way", WAYS)
def test_a_delivery_is_told_before_the_instance_may_sleep(instance, way):
    house = MadeUpHouse()
    handle = instance(lambda place: Door(settings(), place, house))
    assert delivered(handle, way, "b-1") == 200
    assert [source for source, _ in house.told] == ["order_lines"]


def test_what_a_house_that_was_down_was_not_told_another_instance_tells(instance, tmp_path):
    house = MadeUpHouse(down=True)
    assert delivered(instance(lambda place: Door(settings(), place, house), linger=0.2), "function URL", "b-1") == 200
    assert house.told == []
    house.down = False
    another = instance(lambda place: Door(settings(), place, house))
    assert another(WARM, None) == {"waits": False}
    assert len(house.told) == 1
    assert delivered(another, "function URL", "b-1") == 200, "the same once more is thanked for"
    assert len(house.told) == 1


def test_what_shopify_did_not_sign_is_refused(instance):
    handle = instance(lambda place: Door(settings(), place, MadeUpHouse()))
    body = order()
    event = WAYS["HTTP API"](Asked("POST", "/shopify/webhooks", body, webhook(body, secret="foreign")))
    assert handle(event, None)["statusCode"] == 401


def flow_event(way, body):
    import base64
    import hashlib
    import hmac

    signed = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
    heads = {"X-Shopify-Hmac-Sha256": signed, "X-Shopify-Shop-Domain": SHOP.shop}
    return WAYS[way](Asked("POST", "/shopify/flow/actions/retrain-model", body, heads))


@pytest.mark.parametrize("way", ["REST API", "function URL"])
def test_a_run_of_flow_is_one_turn_whichever_instance_is_asked_again(instance, way):
    house = Played()

    def door(place):
        made = front(SHOP, place, house, told=lambda _: None)
        return Door(SHOP, place, house, routes=made.routes, does=made.does, beside=made.beside)

    said = {"action_run_id": "run-1", "handle": "retrain-model", "shopify_domain": SHOP.shop, "properties": {"model": "recommend"}}
    event = flow_event(way, json.dumps(said).encode())
    first = instance(door)(event, None)
    again = instance(door)(event, None)
    assert (first["statusCode"], again["statusCode"]) == (202, 200)
    assert json.loads(body_of(again))["return_value"]["status"] == "LET_IN"
    assert {said["once"] for path, said in house.turns if path == "turn"} == {"flow run-1"}
