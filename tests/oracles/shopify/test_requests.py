"""Authentic in, forged out: what Shopify's own library signs our open door believes, and no change of it; and the other way round."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from tests.connect.shopify.fronts import SHOP, flow, proxied

pytestmark = pytest.mark.slow
ORDER = {"id": 1, "admin_graphql_api_id": "gid://shopify/Order/1", "line_items": [], "note": "naïve 珈琲 <b>"}
ACTION = {
    "shop_id": "1",
    "shopify_domain": SHOP.shop,
    "action_run_id": "run-0000-1",
    "handle": "retrain-model",
    "properties": {"model": "recommend"},
}
CLASSIC = {"X-Shopify-Topic": "orders/create", "X-Shopify-API-Version": "2026-10", "X-Shopify-Webhook-Id": "b1"}
EVENT = {
    "shopify-topic": "Order",
    "shopify-action": "create",
    "shopify-api-version": "2026-10",
    "shopify-webhook-id": "e1",
    "shopify-handle": "orders",
}


def forged(node, url, secret=SHOP.secret):
    """One request of each kind, as the official library forges it."""
    wanted = {
        "webhook": {"kind": "extension", "url": f"{url}/shopify/webhooks", "body": ORDER, "headers": CLASSIC, "method": "POST"},
        "flow": {"kind": "extension", "url": f"{url}/shopify/flow/actions/retrain-model", "body": ACTION, "method": "POST"},
        "proxy": {
            "kind": "public",
            "url": f"{url}/shopify/proxy/recommendations?unit=b7c1d2e3-0000&product=5&logged_in_customer_id=",
            "method": "GET",
        },
        "bearer": {"kind": "bearer", "url": f"{url}/shopify/who", "method": "GET"},
    }
    made = node("forge.mjs", {"key": SHOP.client_id, "secret": secret, "shop": SHOP.shop, "requests": list(wanted.values())})
    return dict(zip(wanted, made, strict=True))


def sent(client, request, **other):
    said = {**request, **other}
    headers = said["headers"] if isinstance(said["headers"], list) else list(said["headers"].items())
    body = said["body"].encode() if isinstance(said["body"], str) else said["body"]
    return client.request(said["method"], said["url"], headers=headers, content=body)


def test_what_the_official_library_forges_is_believed(door, node):
    house, _, client = door
    said = {kind: sent(client, request) for kind, request in forged(node, client.base_url).items()}
    assert {kind: reply.status_code for kind, reply in said.items()} == {"webhook": 200, "flow": 202, "proxy": 200, "bearer": 200}
    assert said["bearer"].json()["dest"] == f"https://{SHOP.shop}"
    assert house.asked[0][1]["customer_id"] == "b7c1d2e3-0000"


def token(claims, secret=SHOP.secret, alg="HS256"):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    text = f"{part({'alg': alg, 'typ': 'JWT'})}.{part(claims)}"
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha512 if alg == "HS512" else hashlib.sha256).digest()
    return f"{text}." + ("" if alg == "none" else base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


def flipped(text, place, one="A", other="B"):
    """The text with another mark at this place; both are marks of its alphabet."""
    return text[:place] + (one if text[place] != one else other) + text[place + 1 :]


def of_body(request, kind):
    """Everything that can be wrong about a body that was signed in a header."""
    headers, hmac_ = request["headers"], "x-shopify-hmac-sha256"
    for place in (0, 20, 42):
        yield {"headers": headers | {hmac_: flipped(headers[hmac_], place)}}
    for place in (1, len(request["body"]) // 2, -2):
        body = bytearray(request["body"].encode())
        body[place] ^= 1
        yield {"body": bytes(body)}
    yield {"body": request["body"] + " "}
    yield {"body": b""}
    yield {"body": b"\xff" + request["body"].encode()}
    yield {"headers": [*headers.items(), (hmac_, headers[hmac_])]}
    yield {"headers": [*headers.items(), ("x-shopify-shop-domain", "evil.myshopify.com")]}
    yield {"headers": [(k, v) for k, v in headers.items() if k != hmac_] + [(hmac_.encode(), "ä".encode() * 20)]}
    for wrong in ("", "=", "A" * 43, "A" * 44, headers[hmac_] + "=", headers[hmac_][:-2]):
        yield {"headers": headers | {hmac_: wrong}}
    needed = [hmac_, "x-shopify-shop-domain", *([] if kind == "flow" else [name.lower() for name in CLASSIC])]
    for name in needed:
        yield {"headers": {k: v for k, v in headers.items() if k != name}}
    for shop in ("evil.com/x", "evil.myshopify.com", "beans.myshopify.com.evil.com", "beans.myshopify.com/x", ""):
        yield {"headers": headers | {"x-shopify-shop-domain": shop}}
    if kind == "webhook":
        yield {"headers": headers | EVENT}
        yield {"headers": [(k, v) for k, v in headers.items() if k != "x-shopify-topic"] + [(b"x-shopify-topic", "orders/créate".encode())]}


def of_query(request):
    """Everything that can be wrong about a query that was signed."""
    url = urlsplit(request["url"])
    query = dict(parse_qsl(url.query, keep_blank_values=True))

    def asked(pairs):
        return {"url": url._replace(query=urlencode(pairs)).geturl()}

    for name in ("signature", "timestamp", "shop", "unit"):
        yield asked({k: v for k, v in query.items() if k != name})
    for name in query:
        yield asked(query | {name: query[name] + "1"})
    for place in (0, 31, 63):
        yield asked(query | {"signature": flipped(query["signature"], place, "a", "b")})
    yield asked([*query.items(), ("shop", SHOP.shop)])
    yield asked([*query.items(), ("shop", "evil.myshopify.com")])
    yield asked([*query.items(), ("signature", query["signature"])])
    yield asked(query | {"signature": "ä" * 64})
    yield asked(query | {"logged_in_customer_id": "42"})
    for seconds in (-3600, -120, 120, 3600):
        yield {"url": str(url._replace(path="", query="").geturl()) + proxied(at=time.time() + seconds, unit="b7c1d2e3-0000")}
    yield {"url": str(url._replace(path="", query="").geturl()) + proxied(secret="other", unit="b7c1d2e3-0000")}


def of_token():
    """Everything that can be wrong about an ID token."""
    now = int(time.time())
    dest = f"https://{SHOP.shop}"
    right = {
        "iss": f"{dest}/admin",
        "dest": dest,
        "aud": SHOP.client_id,
        "sub": "1",
        "exp": now + 60,
        "nbf": now - 5,
        "iat": now,
        "jti": "j",
        "sid": "s",
    }
    assert token(right)
    evil = "https://evil.myshopify.com"
    wrong = [{"aud": "other"}, {"exp": now - 60}, {"nbf": now + 3600}, {"dest": evil, "iss": f"{evil}/admin"}, {"iss": f"{evil}/admin"},
             {"exp": None}, {"exp": "never"}, {"nbf": None}, {"dest": 7}, {"aud": None}]  # fmt: skip
    tokens = [token(right | one) for one in wrong] + [
        token(right, alg="none"),
        token(right, alg="HS512"),
        token(right, "other"),
        "x",
        "a.b.c",
        token(right)[:-2],
    ]
    return [{"headers": {"authorization": f"Bearer {one}"}} for one in tokens] + [
        {"headers": {"authorization": token(right)}},
        {"headers": {}},
    ]


def test_no_change_of_a_forged_request_is_believed_and_none_breaks_the_door(door, node):
    house, _, client = door
    right = forged(node, client.base_url)
    changes = [(kind, change) for kind in ("webhook", "flow") for change in of_body(right[kind], kind)]
    changes += [("proxy", change) for change in of_query(right["proxy"])] + [("bearer", change) for change in of_token()]
    changes += [(kind, {**request}) for kind, request in forged(node, client.base_url, "another secret").items()]
    believed = [
        (kind, change, reply.status_code)
        for kind, change in changes
        if (reply := sent(client, right[kind], **change)).status_code not in (400, 401)
    ]
    assert believed == []
    assert len(changes) >= 40
    assert house.asked == []


def test_what_is_signed_here_as_there_is_believed_by_the_official_library(node):
    class Kept:
        def post(self, url, content, headers):
            return {"kind": "flow", "body": content.decode(), "headers": headers}

    asked = flow(Kept())
    query = urlsplit(proxied(unit="b7c1d2e3-0000", product="5")).query
    cases = [asked, asked | {"body": asked["body"] + " "}, {"kind": "proxy", "query": query}, {"kind": "proxy", "query": query + "1"}]
    assert node("judge.mjs", {"key": SHOP.client_id, "secret": SHOP.secret, "cases": cases}) == [True, False, True, False]
