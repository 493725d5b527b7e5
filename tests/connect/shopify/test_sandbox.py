"""A shop in a box: its webhooks misbehave as told and no worse, its storefront signs, its terminal is pleasant."""

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import http.server
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from decimal import Decimal

import httpx
import pytest

from everloop.connect.shopify import verify
from everloop.connect.shopify.decode import rows_of
from everloop.connect.shopify.sandbox import Bought, Chaos, Emitter, Shop, buyers, running
from everloop.connect.shopify.sandbox.emitter import OVER, PAUSES, RETRIES
from everloop.connect.shopify.sandbox.made_up import stocked
from everloop.connect.shopify.sandbox.payloads import number
from everloop.errors import EverloopError


class Ear:
    """Hears webhooks; ``refuses`` is how many are answered 500 first."""

    def __init__(self):
        self.heard, self.refuses, self.lock = [], 0, threading.Lock()
        ear = self

        class Said(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with ear.lock:
                    refused = ear.refuses > 0
                    ear.refuses -= refused
                    if not refused:
                        ear.heard.append((dict(self.headers), body))
                self.send_response(500 if refused else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                with ear.lock:
                    ear.heard.append((dict(self.headers), self.path.encode()))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Said)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def topics(self):
        return [headers["X-Shopify-Topic"] for headers, _ in self.heard]


@pytest.fixture
def ear():
    one = Ear()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def shop():
    return stocked(Shop(), products=3, days=0)


@contextlib.contextmanager
def emitting(shop, ear, **more):
    emitter = Emitter(ear.url, "hush", shop.domain, **more)
    shop.listeners.append(emitter)
    try:
        yield emitter
    finally:
        emitter.end()


def buy(shop, pieces=1, **more):
    return shop.order([Bought(shop.all("ProductVariant")[0]["id"], pieces)], **more)


# -- webhooks --------------------------------------------------------------------------------------------------------------------------


def test_what_happens_is_told_signed_and_with_every_header(shop, ear):
    with emitting(shop, ear) as emitter:
        buy(shop)
        assert emitter.finish().delivered == 2
    assert sorted(ear.topics()) == ["inventory_levels/update", "orders/create"]
    for headers, body in ear.heard:
        assert headers["X-Shopify-Hmac-Sha256"] == base64.b64encode(hmac.digest(b"hush", body, hashlib.sha256)).decode()
        assert headers["X-Shopify-Shop-Domain"] == "sandbox.myshopify.com"
        assert uuid.UUID(headers["X-Shopify-Webhook-Id"])
        assert {"X-Shopify-Api-Version", "X-Shopify-Event-Id", "X-Shopify-Triggered-At"} <= {name.title() for name in headers}


def test_our_own_door_believes_it(shop, ear):
    from everloop.connect.shopify import verify

    with running(shop) as box:
        emitter = box.emit(ear.url)
        buy(shop)
        emitter.finish()
        headers, body = next(one for one in ear.heard if one[0]["X-Shopify-Topic"] == "orders/create")
        delivery = verify.webhook(box.settings, headers, body)
    assert delivery.topic == "orders/create"


def test_eight_more_tries_take_four_hours_each_twice_as_far_as_the_one_before():
    assert len(PAUSES) == RETRIES == 8
    assert sum(PAUSES) == pytest.approx(OVER)
    assert all(after == pytest.approx(2 * before) for before, after in itertools.pairwise(PAUSES))


def test_a_webhook_that_is_not_taken_comes_again_unchanged(shop, ear):
    ear.refuses = 8
    with emitting(shop, ear, speed=1e6, workers=1) as emitter:
        shop.change_product(shop.all("Product")[0]["id"], title="New")
        sent = emitter.finish()
    assert (sent.retried, sent.delivered, sent.given_up) == (8, 1, 0)


def test_after_nine_refusals_it_is_given_up(shop, ear):
    ear.refuses = 99
    with emitting(shop, ear, speed=1e6, workers=1) as emitter:
        shop.change_product(shop.all("Product")[0]["id"], title="New")
        sent = emitter.finish()
    assert (sent.retried, sent.delivered, sent.given_up) == (8, 0, 1)
    assert 99 - ear.refuses == 9


def test_chaos_repeats_drops_and_reorders_as_often_as_it_says_and_the_same_for_the_same_seed(shop, ear):
    chaos = Chaos(repeats=0.2, drops=0.1, delays=0.5, longest=0.2, seed=3)
    counted = []
    for _ in range(2):
        ear.heard.clear()
        with emitting(shop, ear, chaos=chaos, workers=1) as emitter:
            for number in range(300):
                shop.change_product(shop.all("Product")[0]["id"], title=f"{number}")
            sent = emitter.finish()
            shop.listeners.clear()
        assert (sent.emitted, sent.waiting) == (300, 0)
        assert sent.delivered == 300 - sent.dropped
        assert len(ear.heard) == sent.delivered + sent.repeated
        ids = [headers["X-Shopify-Webhook-Id"] for headers, _ in ear.heard]
        assert len(set(ids)) == sent.delivered, "a repeat carries the id of the first"
        said = [int(json.loads(body)["title"]) for _, body in ear.heard]
        assert said != sorted(said)
        counted.append((sent.dropped, sent.repeated))
    assert counted[0] == counted[1]
    assert 15 <= counted[0][0] <= 50
    assert 30 <= counted[0][1] <= 90


def test_a_refund_and_a_cancellation_are_told_with_what_is_left(shop, ear):
    order = buy(shop, 3)
    with emitting(shop, ear, workers=1) as emitter:
        shop.refund(order["id"], 0, 2)
        shop.cancel(order["id"])
        emitter.finish()
    assert ear.topics() == ["refunds/create", "orders/updated", "orders/cancelled", "orders/updated"]
    said = [json.loads(body) for _, body in ear.heard]
    assert said[0]["refund_line_items"][0]["quantity"] == 2
    assert said[1]["line_items"][0]["current_quantity"] == 1
    assert said[2]["cancelled_at"]


def test_money_of_an_order_adds_up(shop, ear):
    variant = shop.all("ProductVariant")[0]["id"]
    with emitting(shop, ear, workers=1) as emitter:
        shop.order([Bought(variant, 2, price=Decimal("11.90"), discount=Decimal("3.80"))], shipping=Decimal("4.90"), stock=False)
        emitter.finish()
    said = json.loads(ear.heard[0][1])
    assert (said["subtotal_price"], said["total_tax"], said["total_price"]) == ("20.00", "3.19", "24.90")


# -- what apps keep --------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def box():
    with running(stocked(Shop(), products=30, days=0)) as sandbox:
        yield sandbox


def test_metafields_are_set_all_or_none_and_at_most_25(box):
    from everloop.connect.shopify.admin import UserErrors

    admin, products = box.admin(), [p["id"] for p in box.shop.all("Product")]
    said = [{"ownerId": id, "key": "n", "type": "number_integer", "value": "1"} for id in products]
    with pytest.raises(UserErrors, match=r"Exceeded the maximum metafields input limit of 25\."):
        admin.ask("metafields_set", metafields=said[:26])
    with pytest.raises(UserErrors):
        admin.ask("metafields_set", metafields=[*said[:24], {**said[24], "value": "one"}])
    assert not box.shop.metafields
    admin.ask("metafields_set", metafields=said[:25])
    assert len(box.shop.metafields) == 25


def test_a_merchant_s_edit_is_read_by_the_app_and_heard_as_a_webhook(box, ear):
    emitter = box.emit(ear.url)
    box.shop.edit("$app:model_flag", "recommend", kill_switch=True, canary_percent=10)
    emitter.finish()
    (entry,) = box.admin().ask("metaobjects", type="$app:model_flag", after=None)["metaobjects"]["nodes"]
    assert {f["key"]: f["value"] for f in entry["fields"]} == {"kill_switch": "true", "canary_percent": "10"}
    assert "metaobjects/create" in ear.topics()


def test_the_merchant_s_hand_is_moved_over_http(box, ear):
    emitter, flags = box.emit(ear.url), f"{box.url}/merchant/flags/demand"
    assert httpx.post(flags, params={"kill_switch": "true"}).status_code == 404  # nobody made the flag yet
    box.shop.edit("$app:model_flag", "demand", kill_switch=False, status="as planned")
    assert httpx.post(flags, params={"kill_switch": "true"}).json()["kill_switch"] == "true"
    assert httpx.get(flags).json()["status"] == "as planned"
    refused = httpx.post(flags, params={"status": "mine"})
    assert (refused.status_code, refused.text[:24]) == (400, "A merchant edits kill_sw")
    emitter.finish()
    assert "metaobjects/update" in ear.topics()


def test_a_box_started_again_repeats_no_delivery_of_the_one_before(ear):
    for _ in range(2):
        with running() as again:
            emitter = again.emit(ear.url, Chaos(seed=7))
            again.shop.add_product("Beans", "9.00")
            emitter.finish()
    ids = [headers["X-Shopify-Webhook-Id"] for headers, _ in ear.heard]
    assert len(ids) == len(set(ids)) >= 2


def test_a_customer_of_the_box_asks_to_be_forgotten(box, ear):
    emitter = box.emit(ear.url)
    beans = box.shop.add_product("Beans", "9.00")
    box.shop.order([Bought(beans["variants"][0]["id"], 1)], customer="12")
    asked = httpx.post(f"{box.url}/merchant/privacy/redact", params={"customer": "12"})
    assert (asked.status_code, asked.json()["orders"]) == (202, 1)
    assert httpx.post(f"{box.url}/merchant/privacy/redact").status_code == 400
    emitter.finish()
    (said,) = (json.loads(body) for headers, body in ear.heard if headers["X-Shopify-Topic"] == "customers/redact")
    assert said["customer"] == {"id": 12}
    assert len(said["orders_to_redact"]) == 1


def test_flow_takes_fifty_thousand_bytes_and_not_one_more(box):
    from everloop.connect.shopify.admin import UserErrors

    admin, frame = box.admin(), len(json.dumps({"x": ""}, separators=(",", ":")))
    admin.ask("flow_trigger", handle="drift", payload={"x": "a" * (50_000 - frame)})
    with pytest.raises(UserErrors, match="Properties size exceeds the limit of 50000 bytes"):
        admin.ask("flow_trigger", handle="drift", payload={"x": "a" * (50_001 - frame)})


def test_what_the_sandbox_does_not_know_it_says(box):
    from everloop.connect.shopify.house import Refused

    with pytest.raises(Refused, match="does not know the query publicApiVersions"):
        box.admin().said("x", "{ publicApiVersions { handle } }", {})
    with pytest.raises(Refused, match="does not do productCreate"):
        box.admin().said("x", 'mutation { productCreate(product: {title: "x"}) { product { id } } }', {})


DEEP = "{ products { edges { node { id variants { edges { node { id metafields { edges { node { id } } } } } } } } } }"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("{ shop { id } }", "at least one connection"),
        ("query Q($a: Int) { products(first: $a) { edges { node { id } } } }", "no variables"),
        ("{ products { edges { node { id colour } } } }", "Cannot query field"),
        (DEEP, "nesting depth"),
    ],
)  # fmt: skip
def test_a_bulk_query_shopify_would_not_run_is_refused(box, query, why):
    from everloop.connect.shopify.admin import UserErrors

    with pytest.raises(UserErrors, match=why):
        box.admin().ask("bulk_query", query=query)


def test_pages_follow_one_another(box):
    admin, after, found = box.admin(), None, []
    while True:
        page = admin.said(
            "page",
            "query P($after: String) { products(first: 7, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }",
            {"after": after},
        )["products"]
        found += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert found == [p["id"] for p in box.shop.all("Product")]


def test_the_storefront_hands_on_what_a_buyer_asks_signed(ear):
    from everloop.connect.shopify import verify

    with running(app_url=ear.url) as box:
        reply = httpx.get(f"{box.url}/apps/everloop/recommendations?product_id=7&signature=forged&shop=evil.com")
        assert reply.json() == {}
        path = ear.heard[0][1].decode()
        assert path.startswith("/shopify/proxy/recommendations?")
        said = verify.proxy(box.settings, path.partition("?")[2])
    assert said["product_id"] == "7"


def test_a_buyer_in_a_control_is_shown_what_the_shop_shows_by_itself(box):
    variants = [product["variants"][0]["id"] for product in box.shop.all("Product")]
    for _ in range(3):
        box.shop.order([Bought(variants[0]), Bought(variants[2])])
    box.shop.order([Bought(variants[0]), Bought(variants[1])])
    first, *rest = (number(product["id"]) for product in box.shop.all("Product"))

    def asked(**said):
        return httpx.get(f"{box.url}/recommendations/products.json", params=said)

    said = asked(product_id=first, intent="complementary", limit=4).json()
    assert (said["intent"], [one["id"] for one in said["products"]]) == ("complementary", rest[:2][::-1])
    assert {one["id"] for one in asked(product_id=first).json()["products"]} <= set(rest)
    assert [asked(product_id=first, intent="x").status_code, asked().status_code] == [422, 422]


def test_beside_each_webhook_of_a_product_comes_the_event_the_app_subscribes_to_and_both_say_the_same(box, ear):
    emitter = box.emit(ear.url, events=True)
    product = box.shop.add_product("Beans", "9.00")
    box.shop.change_product(product["id"], price="8.50")
    box.shop.delete_product(product["id"])
    buy(box.shop)
    emitter.finish()
    said = dataclasses.replace(box.settings, secret="hush")
    told = [verify.webhook(said, headers, body) for headers, body in ear.heard]
    events = {one.topic: one for one in told if one.topic.startswith("Product")}
    assert set(events) == {"Product/create", "Product/update", "Product/delete"}
    classic = {one.topic: one for one in told}
    for action in ("create", "update"):
        names = ("product_id", "title", "price")
        rows = [dict(rows_of(one[f"{kind}/{action}"], "EUR"))["products"] for one, kind in ((events, "Product"), (classic, "products"))]
        assert [rows[0][name] for name in names] == [rows[1][name] for name in names]
    assert dict(rows_of(events["Product/delete"], "EUR"))["products"]["product_id"] == str(number(product["id"]))


def test_a_buyer_takes_from_the_list_they_see_and_the_order_says_which_and_who(shop, monkeypatch):
    monkeypatch.setattr(buyers, "TAKEN", 1.0)
    first = number(shop.all("Product")[0]["id"])
    asked, arms = [], itertools.cycle(("control", "candidate"))

    def storefront(request):
        asked.append(dict(request.url.params))
        if request.url.path.startswith("/apps"):
            arm = next(arms)
            items = [] if arm == "control" else [{"product_id": str(first)}]
            return httpx.Response(200, json={"items": items, "prediction": "9d00410c", "arm": arm, "property": f"9d00410c/{arm}"})
        return httpx.Response(200, json={"products": [{"id": first}]})

    client = httpx.Client(base_url="http://shop", transport=httpx.MockTransport(storefront))
    made = buyers.Buyers(shop, client, random.Random(3))
    orders = [made.buy() for _ in range(40)]
    carried = [{a["value"] for line in order["lineItems"] for a in line["customAttributes"]} for order in orders]
    assert {value for one in carried for value in one} == {"9d00410c/control", "9d00410c/candidate"}
    for order, said in zip(orders, [one for one in asked if "intent" not in one], strict=True):
        notes = {a["key"]: a["value"] for a in order["customAttributes"]}
        assert notes == ({"_everloop_unit": said["unit"]} if "unit" in said else {})
        assert (order["customer"] is None) == ("unit" in said)


def test_buyers_buy_all_the_same_where_nobody_opened_the_door(shop):
    down = httpx.Client(base_url="http://shop", transport=httpx.MockTransport(lambda _: httpx.Response(502)))
    assert buyers.Buyers(shop, down, random.Random(3)).buy()["lineItems"]


# -- the terminal ----------------------------------------------------------------------------------------------------------------------


def test_the_terminal_says_what_to_put_into_everloop_toml_and_ends_by_ctrl_c():
    # Whoever runs the tests in the background of a shell has Ctrl-C ignored, which processes inherit.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "sys.argv = ['everloop', 'shopify', 'sandbox', '--port', '0', '--emit', 'none', '--orders', '600', '--days', '2', "
    code += "'--app', 'http://127.0.0.1:1']; "
    running_one = subprocess.Popen([sys.executable, "-c", f"{code}from everloop.cli import main; main()"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})  # fmt: skip
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = running_one.stdout.readline()
            assert line, running_one.stderr.read()
            said += line
        url = re.search(r'admin = "(http://127.0.0.1:\d+)"', said)[1]
        reply = httpx.post(
            f"{url}/admin/oauth/access_token", json={"client_id": "sandbox", "client_secret": "hush", "grant_type": "client_credentials"}
        )
        assert reply.json()["access_token"].startswith("shpat_")
        buyer = re.search(r"curl '(.*logged_in_customer_id=[0-9]+)'", said)[1]
        assert httpx.get(buyer).status_code == 502  # nobody opened the door
        assert 'recommends = "recommend"' in said
        time.sleep(0.5)
    finally:
        running_one.send_signal(signal.SIGINT)
        try:
            rest, wrong = running_one.communicate(timeout=120)
        finally:
            running_one.kill()
    assert "orders in all" in rest
    assert running_one.returncode == 0, wrong


def test_a_port_that_is_taken_is_said():
    with (
        running() as box,
        pytest.raises(EverloopError, match="Say another port, or 0 for any"),
        running(port=int(box.url.rpartition(":")[2])),
    ):
        pass
