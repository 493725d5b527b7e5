"""The door: what was thanked for is on the disk, what cannot be kept is asked for again, and what cannot be read stops nobody."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta

import pytest
from tests.connect.shopify.forged import SHOP, event, settings, signed, webhook
from tests.connect.shopify.houses import MadeUpHouse
from tests.waiting import until

from everloop.clock import wall
from everloop.connect.shopify import book, inbox
from everloop.connect.shopify.drain import drain
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.shopkept import forgotten
from everloop.connect.shopify.standing import sentences, standing
from everloop.errors import HouseFull

pytest.importorskip("starlette", reason="pip install 'everloop[shopify]'")
pytest.importorskip("shopify_app", reason="pip install 'everloop[shopify]'")


def order(id=1, **said):
    line = {"id": id * 10, "product_id": 7, "variant_id": 8, "quantity": 1, "current_quantity": 1, "price": "5.00"}
    at = "2026-11-02T09:30:00Z"
    return json.dumps({"id": id, "currency": "EUR", "processed_at": at, "updated_at": at, "line_items": [line], **said}).encode()


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "shopify.db")
    inbox.open_inbox(place)
    book.open_book(place)
    return place


@pytest.fixture
def door(place):
    """A door whose house is down, so that what comes in stays in the inbox."""
    with opened(place) as client:
        yield client


def opened(place, house=None, **said):
    import warnings

    from everloop.connect.shopify.door import Door, app

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from starlette.testclient import TestClient
    return TestClient(app(Door(settings(**said), place, house or MadeUpHouse(down=True))), raise_server_exceptions=False)


def put(door, body, headers):
    return door.post("/shopify/webhooks", content=body, headers=headers)


def test_a_delivery_is_on_the_disk_when_it_is_thanked_for(door, place):
    assert put(door, order(), webhook(order())).status_code == 200
    assert [one.delivery.body for one in inbox.waiting(place, wall())] == [order()]


def test_the_same_delivery_again_is_thanked_for_and_kept_once(door, place):
    assert [put(door, order(), webhook(order())).status_code for _ in range(3)] == [200] * 3
    assert inbox.figures(place).waiting == 1


def test_an_event_comes_in_at_the_same_door(door, place):
    body = b'{"query_variables":{}}'
    assert put(door, body, event(body)).status_code == 200
    assert inbox.waiting(place, wall() + timedelta(minutes=1))[0].delivery.topic == "Order/update"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Shopify-Hmac-Sha256": "A" * 43 + "="}, 401),
        ({"X-Shopify-Hmac-Sha256": signed(order(), "foreign")}, 401),
        ({"X-Shopify-Shop-Domain": "tea.myshopify.com"}, 401),
        ({"X-Shopify-Topic": ""}, 400),
    ],
)
def test_what_shopify_did_not_send_is_refused_and_leaves_nothing(door, place, headers, status):
    assert put(door, order(), {**webhook(order()), **headers}).status_code == status
    assert inbox.figures(place).waiting == 0


def test_a_signature_that_is_no_text_is_refused_over_the_wire(door):
    headers = [(name.encode(), value.encode()) for name, value in webhook(order()).items() if "Hmac" not in name]
    assert put(door, order(), [*headers, (b"X-Shopify-Hmac-Sha256", b"\xff\xfe" * 22)]).status_code == 401


def test_a_body_that_is_nested_too_deeply_is_refused_before_anybody_stumbles(door):
    body = b"[" * 200_000
    assert put(door, body, {**webhook(b""), "X-Shopify-Hmac-Sha256": "A" * 43 + "="}).status_code == 401


def test_a_body_that_is_too_large_is_refused(door, monkeypatch):
    monkeypatch.setattr("everloop.connect.shopify.webhooks.whole.__defaults__", (100,))
    assert put(door, order(), webhook(order())).status_code == 413


def test_another_method_is_not_answered(door):
    assert door.get("/shopify/webhooks").status_code == 405


def test_a_full_disk_asks_shopify_to_come_again(place, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    with opened(place) as door:
        with monkeypatch.context() as broken:
            broken.setattr("everloop.connect.shopify.letterbox.put", full)
            reply = put(door, order(), webhook(order()))
            assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
        assert put(door, order(), webhook(order())).status_code == 200
    assert inbox.figures(place).waiting == 1


def test_a_database_that_cannot_grow_keeps_all_of_what_it_thanked_for(place):
    """SQLite itself says so: the file may not grow beyond a page limit."""
    with place.transaction() as t:
        t.execute("pragma max_page_count = 60")
        with pytest.raises(HouseFull), inbox.refusing():
            inbox.put(t, [Delivery(f"w-{n}", "orders/create", SHOP, wall(), "2026-10", bytes(4096)) for n in range(200)], wall())
        t.execute("begin immediate") if not t.in_transaction else None
    assert inbox.figures(place).waiting == 0


def test_two_doors_on_one_database_tell_each_thing_once(place):
    house = MadeUpHouse()
    with opened(place, house) as one, opened(place, house) as other:
        for n in range(20):
            assert put((one, other)[n % 2], order(n), webhook(order(n), id=f"w-{n}")).status_code == 200
        until(lambda: inbox.figures(place).done == 20)
    assert len([row for source, row in house.told if source == "order_lines"]) == 20


ENVELOPES = {
    "EventBridge": {"id": "e1", "detail": {"metadata": {"X-Shopify-Topic": "orders/create"}, "payload": {"id": 1}}},
    "Pub/Sub": {"message": {"attributes": {"X-Shopify-Topic": "orders/create"}, "data": "eyJpZCI6MX0=", "messageId": "m1"}},
}
ENVELOPES["SQS"] = {"Records": [{"body": json.dumps(ENVELOPES["EventBridge"])}]}


def from_shop(said):
    said = json.loads(json.dumps(said).replace('"orders/create"', f'"orders/create", "X-Shopify-Shop-Domain": "{SHOP}"'))
    for record in said.get("Records", ()):
        record["body"] = json.dumps(from_shop(json.loads(record["body"])))
    return said


@pytest.mark.parametrize("kind", ENVELOPES)
def test_an_envelope_with_the_key_comes_to_the_delivery_in_it(place, kind):
    with opened(place, envelopes="open sesame") as door:
        path, said = "/shopify/envelopes", json.dumps(from_shop(ENVELOPES[kind]))
        assert door.post(path, content=said, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert door.post(path, content=said, headers={"Authorization": "Bearer open sesame"}).status_code == 200
    [one] = inbox.after(place, 0)
    assert (one.delivery.topic, json.loads(one.delivery.body)) == ("orders/create", {"id": 1})


@pytest.mark.parametrize(
    "said", [b"", b"{", b"[]", b'{"Records":[7]}', b'{"body":"x"}', b'{"message":{"attributes":{},"data":"?"}}', b"[" * 9000]
)
def test_what_is_no_envelope_is_refused(place, said):
    with opened(place, envelopes="open sesame") as door:
        assert door.post("/shopify/envelopes?key=open%20sesame", content=said).status_code == 400


def test_nothing_comes_by_envelope_where_no_key_is_said(door):
    assert door.post("/shopify/envelopes", content=b"{}").status_code == 401


# -- the drain ---------------------------------------------------------------------------------------------------------------------


def came(place, *several, topic="orders/create"):
    first = inbox.figures(place).done + inbox.figures(place).waiting
    inbox.keep(place, [Delivery(f"w-{first + n}", topic, SHOP, wall(), "2026-10", body) for n, body in enumerate(several)], wall())


def test_what_cannot_be_read_lies_aside_and_stops_nobody(place):
    house = MadeUpHouse()
    came(place, order(1), b"{", order(2))
    assert drain(place, house, now=wall()).dead == 1
    assert sorted(house.rows("order_lines")) == ["10", "20"]
    figures = inbox.figures(place)
    assert (figures.waiting, figures.dead, figures.done) == (0, 1, 2)
    assert figures.why is not None
    assert "cannot be read" in figures.why
    assert inbox.again(place) == 1


def test_a_house_that_is_down_for_hours_is_told_everything_in_order_when_it_is_back(place):
    house = MadeUpHouse(down=True)
    came(place, *(order(n) for n in range(1, 8)))
    for _ in range(3):
        with pytest.raises(Exception, match="does not answer"):
            drain(place, house, now=wall())
    assert inbox.figures(place).waiting == 7
    house.down = False
    drain(place, house, now=wall())
    assert [row["order_id"] for _, row in house.told] == [str(n) for n in range(1, 8)]


def test_whoever_is_handed_a_delivery_and_fails_gets_it_again_later(place):
    tries = []

    def forget(delivery):
        tries.append(delivery.topic)
        if len(tries) == 1:
            raise OSError("not now")

    does = {"customers/redact": forget}
    came(place, b"{}", topic="customers/redact")
    came(place, order(1))
    drain(place, MadeUpHouse(), now=wall(), does=does)
    assert inbox.figures(place).waiting == 1
    assert drain(place, MadeUpHouse(), now=wall(), does=does).taken == 0
    drain(place, MadeUpHouse(), now=wall() + timedelta(seconds=5), does=does)
    assert (tries, inbox.figures(place).waiting) == (["customers/redact"] * 2, 0)


def test_the_body_of_a_delivery_that_is_done_is_let_go_of(place):
    came(place, order(1))
    drain(place, MadeUpHouse(), now=wall())
    assert inbox.after(place, 0) == []


def test_what_is_told_but_not_remembered_is_told_again(place, monkeypatch):
    house = MadeUpHouse()
    came(place, order(1))
    with monkeypatch.context() as killed:
        killed.setattr(inbox, "done", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            drain(place, house, now=wall())
    assert drain(place, house, now=wall()).taken == 1
    assert len(house.rows("order_lines")) == 1


def test_one_that_spoils_the_telling_in_a_way_nobody_foresaw_stops_no_other(place):
    level = {"inventory_item_id": 1, "location_id": 2, "updated_at": "2026-11-02T09:30:00Z", "available": 2**63}
    came(place, order(1), order(2))
    inbox.keep(place, [Delivery("w-odd", "inventory_levels/update", SHOP, wall(), "2026-10", json.dumps(level).encode())], wall())
    came(place, order(3))
    house = MadeUpHouse()
    drained = drain(place, house, now=wall())
    assert (drained.failed, dict(drained.rows)) == (1, {"order_lines": 3})
    assert sorted(house.rows("order_lines")) == ["10", "20", "30"]
    (left,) = inbox.waiting(place, wall() + timedelta(seconds=2))
    assert (left.delivery.id, left.attempts) == ("w-odd", 1)


def test_how_the_door_stands_is_said_in_sentences(place):
    came(place, b"{", order(1))
    drain(place, MadeUpHouse(), now=wall())
    said = list(sentences(SHOP, standing(place, "http://127.0.0.1:9"), wall()))
    assert said[0].endswith("the house does not answer.")
    assert any("1 could not be read" in one and "everloop shopify again" in one for one in said)


def test_nothing_of_somebody_who_is_forgotten_lies_here(place):
    came(place, b'{"email":"kim@example.com"', order(1))
    drain(place, MadeUpHouse(), now=wall())
    assert forgotten(place, ["kim@example.com", ""], 0) == 1
    assert inbox.after(place, 0) == []


def test_a_project_without_a_shop_says_how_to_name_one(tmp_path):
    from typer.testing import CliRunner

    from everloop.cli.shopify import shopify

    result = CliRunner().invoke(shopify, ["status", "--project", str(tmp_path)])
    assert "names no shop" in str(result.exception)


def test_a_second_door_of_the_same_house_does_not_open(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from everloop.cli.shopify import shopify
    from everloop.lake.alone import alone
    from everloop.settings import read_settings

    monkeypatch.setattr("uvicorn.run", lambda *_, **__: None)
    (tmp_path / "everloop.toml").write_text(f'[shopify]\nshop = "{SHOP}"\nclient_id = "x"\nsecret = "y"\nadmin = "http://127.0.0.1:9"\n')
    with alone(read_settings(tmp_path).house / "shopify.door", "the open door"):
        result = CliRunner().invoke(shopify, ["serve", "--project", str(tmp_path)])
    assert "Another process is the open door" in str(result.exception)


def test_the_status_of_a_door_is_data_where_that_is_wanted(tmp_path):
    from typer.testing import CliRunner

    from everloop.cli.shopify import shopify

    (tmp_path / "everloop.toml").write_text(
        f'[shopify]\nshop = "{SHOP}"\nclient_id = "x"\nsecret = "y"\nhouse = "http://127.0.0.1:9"\n[shopify.streams]\nurl = "nats://h"\n'
    )
    result = CliRunner().invoke(shopify, ["status", "--project", str(tmp_path), "--json"])
    assert json.loads(result.output)["inbox"]["waiting"] == 0


def test_what_can_never_be_done_is_tried_for_hours_and_then_lies_aside_by_its_name(place, tmp_path):
    def never(_):
        raise OSError("not now")

    came(place, b"{}", topic="customers/redact")
    now, tries = wall(), 0
    while inbox.figures(place).waiting:
        tries += drain(place, MadeUpHouse(), now=now, does={"customers/redact": never}).failed
        now += timedelta(hours=1)
    assert tries == inbox.TRIES
    said = " ".join(sentences(SHOP, standing(place, "http://127.0.0.1:9"), wall()))
    assert "1 could not be read or done and lie aside (1 customers/redact)" in said
    assert f"it was tried {inbox.TRIES} times; the last: OSError: not now" in said
    assert inbox.again(place) == 1
    assert drain(place, MadeUpHouse(), now=now, does={"customers/redact": lambda _: None}).failed == 0
