"""Beside the door: flags are heard first, and looked at again and again; tried on the shop in a box, over HTTP, where that is installed."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from everloop_shops import FakeShop
from tests.waiting import until

from everloop.connect.shopify.beside import Beside
from everloop.connect.shopify.hand import Hand, follow
from everloop.connect.shopify.house import Unreachable
from everloop.connect.shopify.leave import leave
from everloop.connect.shopify.metafields import Entry, Metafields, Published, in_bulk, paged
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.prompt import Promptly, hears
from everloop.connect.shopify.seen import SeenFlags
from everloop.connect.shopify.tags import Tags


class House:
    """A house of one model, that is told things."""

    def __init__(self):
        self.held, self.down, self.operated = None, False, []

    def standing(self):
        if self.down:
            raise Unreachable("The house does not answer.")
        return [{"model": "recs", "champion": "recs@3", "stage": "steady", "share": 0.0, "held": self.held, "by_hand": None}]

    def operate(self, path, said):
        if self.down:
            raise Unreachable("The house does not answer.")
        self.operated.append(path)
        self.held = said["by"] if path.endswith("hold") else None
        return {"sentence": path}


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path / "shopify.db")
    with made.transaction() as t:
        t.execute("create table inbox (seq integer primary key, topic text, state text default 'waiting', body blob)")
    return made


def put(place, topic, payload):
    with place.transaction() as t:
        t.execute("insert into inbox (topic, body) values (?, ?)", (topic, json.dumps(payload).encode()))


@pytest.fixture
def hand(place):
    return Hand(SeenFlags(place), House(), FakeShop())


def test_a_flag_is_heard_before_all_that_came_before_it_and_once(place, hand):
    for n in range(2000):
        put(place, "orders/create", {"id": n})
    put(place, "metaobjects/update", hand.shop.edit("recs", kill_switch="true"))
    prompt = Promptly(place, hand)
    assert prompt.look() == 1
    assert hand.house.operated == ["models/recs/hold"]
    assert prompt.look() == 0


def test_what_cannot_be_heard_now_stays_where_the_drain_finds_it_and_is_heard_then(place, hand):
    hand.house.down = True
    webhook = hand.shop.edit("recs", kill_switch="true")
    put(place, "metaobjects/update", webhook)
    assert Promptly(place, hand).look() == 1
    with place.transaction(write=False) as t:
        assert t.execute("select state from inbox").fetchall() == [("waiting",)]
    hand.house.down = False

    class Delivery:
        body = json.dumps(webhook).encode()

    hears(hand)(Delivery())
    assert hand.house.held


def test_a_body_that_is_none_stops_nobody(place, hand):
    with place.transaction() as t:
        t.execute("insert into inbox (topic, body) values ('metaobjects/update', x'ff')")
    put(place, "metaobjects/update", hand.shop.edit("recs", kill_switch="true"))
    assert Promptly(place, hand).look() == 2
    assert hand.house.held


def test_both_threads_begin_and_end(place, hand):
    beside = [
        Beside("promptly", Promptly(place, hand).carry),
        Beside("flags", lambda stop: follow(hand, 60.0, stop, lambda _: None)),
    ]
    for one in beside:
        one.start()
    assert until(lambda: "recs" in hand.shop.flags)
    put(place, "metaobjects/update", hand.shop.edit("recs", kill_switch="true"))
    assert until(lambda: hand.house.held is not None)
    assert until(lambda: "Held by" in hand.shop.flags["recs"]["fields"]["status"]), "what stands then is written soon"
    for one in beside:
        one.stop()
        assert not one.alive
    with closing(place.opened()):
        pass


# -- on the shop in a box ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def box():
    pytest.importorskip("graphql")
    sandbox = pytest.importorskip("everloop.connect.shopify.sandbox")
    from everloop.connect.shopify.sandbox.made_up import stocked

    with sandbox.running(stocked(sandbox.Shop(), products=30, days=1, orders_a_day=4)) as running:
        yield running


def flag(box):
    return next(m["values"] for m in box.shop.all("Metaobject") if m["handle"] == "recs")


def test_a_merchant_edits_a_flag_of_the_real_schema(box, place):
    house = House()
    hand = Hand(SeenFlags(place), house, box.admin())
    hand.look()
    assert flag(box)["status"] == "recs@3 answers."
    box.shop.edit("$app:model_flag", "recs", kill_switch=True, canary_percent=140)
    hand.look()
    assert house.held
    assert "canary_percent says 140" in flag(box)["status"]
    hand.look()
    box.shop.edit("$app:model_flag", "recs", kill_switch=False)
    hand.look()
    assert house.held is None


def test_what_is_published_into_the_box_is_there_once_and_gone_when_it_is_left(box, place):
    admin = box.admin()
    fields = Metafields(admin, place)
    products = [node["id"] for node in paged(admin, "product_page", "products")]
    variants = [node["id"] for node in paged(admin, "variant_page", "productVariants")]
    assert len(products) == len(variants) == 30
    entries = [Entry(id, "reorder_point", "number_integer", "7") for id in (*products, *variants)]
    assert fields.put(entries) == Published(written=60)
    assert fields.put(entries) == Published(same=60)
    spoiled = [*entries[:24], Entry("gid://shopify/Product/1", "reorder_point", "number_integer", "7")]
    assert len(fields.put(spoiled).refused) == 1
    many = [Entry(id, key, "json", "1") for id in (*products, *variants) for key in ("a", "b", "c", "d", "e")]
    assert fields.put(many, in_bulk(admin)) == Published(written=300)
    stranger = Entry("gid://shopify/Product/1", "a", "json", "2")
    told = fields.put([*(Entry(one.owner, one.key, "json", "2") for one in many[:299]), stranger], in_bulk(admin))
    assert (told.written, len(told.refused)) == (299, 1)
    order = box.shop.all("Order")[0]
    carried = [{"properties": [{"name": "_everloop", "value": "a1/candidate"}]}]
    tags = Tags(admin, place)
    tags.wish({"admin_graphql_api_id": order["id"], "line_items": carried})
    assert tags.give() == 1
    assert order["tags"] == ["everloop:candidate"]
    left = leave(admin, place)
    assert (left.metafields >= 60, left.orders, order["tags"]) == (True, 1, [])
    assert not box.shop.metafields
    assert not [m for m in box.shop.all("Metaobject") if m["type"].startswith("$app:")]
