"""Who says so? Everything Shopify would send is believed; nothing else is, and nobody gets a 500 for trying.

A door that asks ``shopifyapp`` and nothing else fails ``test_a_webhook_that_was_tampered_with_is_refused``: it lets pass missing topics and
ids and other shops, and stumbles over signatures that are not ASCII and bodies that are no text; over a body nested deeply it stumbles
before it looks at the signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connect.shopify.forged import CLIENT, SECRET, SHOP, asked, event, query, settings, signed, token, webhook

from everloop.connect.shopify import verify
from everloop.connect.shopify.verify import NotFromShopify

pytest.importorskip("shopify_app")

BODY = b'{"id":820982911946154508,"line_items":[]}'
Pairs = list[tuple[bytes, bytes]]


def pairs(headers: dict[str, str]) -> Pairs:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def without(name: str) -> Callable[[Pairs, bytes], tuple[Pairs, bytes]]:
    return lambda headers, body: ([one for one in headers if one[0] != f"x-shopify-{name}".encode()], body)


def instead(name: str, value: str) -> Callable[[Pairs, bytes], tuple[Pairs, bytes]]:
    key = f"x-shopify-{name}".encode()
    return lambda headers, body: ([(n, value.encode("latin-1") if n == key else v) for n, v in headers], body)


def twice(name: str) -> Callable[[Pairs, bytes], tuple[Pairs, bytes]]:
    key = f"x-shopify-{name}".encode()
    return lambda headers, body: ([*headers, *(one for one in headers if one[0] == key)], body)


def with_body(body: bytes, *, sign: bool = False) -> Callable[[Pairs, bytes], tuple[Pairs, bytes]]:
    return lambda headers, _: (pairs(webhook(body)) if sign else headers, body)


NEEDED = ("topic", "hmac-sha256", "shop-domain", "api-version", "webhook-id")
FLIPPED = base64.b64encode(bytes([base64.b64decode(signed(BODY))[0] ^ 1, *base64.b64decode(signed(BODY))[1:]])).decode()
TAMPERED = {
    **{f"no {name}": without(name) for name in NEEDED},
    **{f"an empty {name}": instead(name, "") for name in NEEDED},
    **{f"{name} twice": twice(name) for name in (*NEEDED, "triggered-at", "event-id")},
    **{f"bit {at} of the body": with_body(bytes([*BODY[:at], BODY[at] ^ 1, *BODY[at + 1 :]])) for at in (0, 7, len(BODY) - 1)},
    "a bit of the signature": instead("hmac-sha256", FLIPPED),
    "a body that goes on": with_body(BODY + b" "),
    "a body that ends early": with_body(BODY[:-1]),
    "no body": with_body(b""),
    "a body that is no text, signed": with_body(b'{"id":"\xff\xfe"}', sign=True),
    "a signature that is not ASCII": instead("hmac-sha256", "ü" * 44),
    "a signature in hex": instead("hmac-sha256", hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()),
    "a signature by SHA-1": instead("hmac-sha256", base64.b64encode(hmac.new(SECRET.encode(), BODY, hashlib.sha1).digest()).decode()),
    "a signature cut short": instead("hmac-sha256", signed(BODY)[:-2]),
    "a foreign secret": instead("hmac-sha256", signed(BODY, "foreign")),
    "the empty secret": instead("hmac-sha256", signed(BODY, "")),
    "the client id for a secret": instead("hmac-sha256", signed(BODY, CLIENT)),
    "a secret that is not believed (any more)": instead("hmac-sha256", signed(BODY, "the old one")),
    "another shop": instead("shop-domain", "tea.myshopify.com"),
    "a shop that is none": instead("shop-domain", "evil.com/x"),
    "a shop within another": instead("shop-domain", f"{SHOP}.evil.com"),
    "a shop that is not ASCII": instead("shop-domain", "béans.myshopify.com"),
    "a topic that is a path": instead("topic", "../../etc/passwd"),
    "a topic that is not ASCII": instead("topic", "orders/créate"),
    "a topic of three words": instead("topic", "orders/create/now"),
    "an id that is not ASCII": instead("webhook-id", "ü"),
    "an id that is too long": instead("webhook-id", "x" * 201),
    "a version that is not ASCII": instead("api-version", "ü"),
    "headers of both families": lambda headers, body: ([*headers, *pairs(event(body))], body),
    "a signature of the other family": lambda headers, body: (
        [*(one for one in headers if one[0] != b"x-shopify-hmac-sha256"), (b"shopify-hmac-sha256", signed(body).encode())],
        body,
    ),
}


def test_a_webhook_is_believed_and_read():
    told = verify.webhook(settings(), webhook(BODY), BODY)
    assert (told.id, told.topic, told.shop, told.api_version, told.event_id) == ("b54557e4-bdd9", "orders/create", SHOP, "2026-10", "e-1")
    assert (told.triggered_at.isoformat(), told.body) == ("2026-11-02T09:30:01.250000+00:00", BODY)


def test_header_names_come_in_any_case():
    assert verify.webhook(settings(), {name.upper(): value for name, value in webhook(BODY).items()}, BODY).topic == "orders/create"


def test_a_next_gen_event_is_believed_at_the_same_door_and_says_what_was_done():
    assert verify.webhook(settings(), event(BODY), BODY).topic == "Order/update"


def test_the_secret_before_is_believed_while_it_is_said():
    body = webhook(BODY, secret="the old one")
    assert verify.webhook(settings(old_secret="the old one"), body, BODY).body == BODY


@pytest.mark.parametrize("how", TAMPERED)
def test_a_webhook_that_was_tampered_with_is_refused(how):
    assert len(TAMPERED) >= 40
    headers, body = TAMPERED[how](pairs(webhook(BODY)), BODY)
    with pytest.raises(NotFromShopify) as no:
        verify.webhook(settings(), headers, body)
    assert no.value.status in (400, 401)


@given(st.binary(max_size=200), st.lists(st.tuples(st.sampled_from(sorted(webhook(b""))), st.binary(max_size=60)), max_size=9))
def test_whatever_comes_is_believed_or_refused(body, said):
    with pytest.raises(NotFromShopify) as no:
        verify.webhook(settings(), [(name.lower().encode(), value) for name, value in said], body)
    assert no.value.status in (400, 401)


# -- Flow --------------------------------------------------------------------------------------------------------------------------


def flow_headers(body: bytes, **said: str) -> dict[str, str]:
    return {"X-Shopify-Hmac-Sha256": signed(body), "X-Shopify-Shop-Domain": SHOP, **said}


def test_a_flow_action_is_believed_and_read():
    body = b'{"shopify_domain":"beans.myshopify.com","action_run_id":"r1","handle":"retrain-model"}'
    assert verify.flow(settings(), flow_headers(body), body)["action_run_id"] == "r1"


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b"{}", b'{"shopify_domain":"tea.myshopify.com"}', b'{"shopify_domain":7}', b"[" * 100_000],
    ids=["no JSON", "a list", "null", "no shop", "another shop", "a number for a shop", "too deep"],
)
def test_a_flow_action_whose_body_is_not_of_this_shop_is_refused(body):
    with pytest.raises(NotFromShopify) as no:
        verify.flow(settings(), flow_headers(body), body)
    assert no.value.status in (400, 401)


# -- the app proxy -----------------------------------------------------------------------------------------------------------------


def test_the_documents_own_vector_is_signed_as_they_say():
    """https://shopify.dev/docs/apps/build/online-store/app-proxies/authenticate-app-proxies"""
    said = {"extra": ["1", "2"], "shop": "shop-name.myshopify.com", "logged_in_customer_id": "1"}
    said |= {"path_prefix": "/apps/awesome_reviews", "timestamp": "1317327555"}
    assert query(said, "hush").endswith("4c68c8624d737112c91818c11017d24d334b524cb5c2b8ba08daa056f7395ddb")


def test_a_query_of_the_storefront_is_believed_and_given_back():
    said = asked(product_id="7", cart=["1", "2"], name="Tea & Béans=+%", logged_in_customer_id="")
    told = verify.proxy(settings(), query(said))
    assert told == {**said, "cart": "1,2"}
    assert verify.proxy(settings(), query(said).encode()) == told


QUERIES = {
    "no signature": lambda: query(asked()).rpartition("&")[0],
    "no timestamp": lambda: query({n: v for n, v in asked().items() if n != "timestamp"}),
    "an old timestamp": lambda: query(asked(timestamp=str(int(time.time()) - 100))),
    "a timestamp to come": lambda: query(asked(timestamp=str(int(time.time()) + 100))),
    "a timestamp that is none": lambda: query(asked(timestamp="now")),
    "two timestamps": lambda: query(asked(timestamp=[str(int(time.time()))] * 2)),
    "two shops": lambda: query(asked(shop=[SHOP, "tea.myshopify.com"])),
    "two customers": lambda: query(asked(logged_in_customer_id=["7", "8"])),
    "two signatures": lambda: query(asked()) + "&signature=" + "0" * 64,
    "another shop": lambda: query(asked(shop="tea.myshopify.com")),
    "no shop": lambda: query({n: v for n, v in asked().items() if n != "shop"}),
    "a shop that is none": lambda: query(asked(shop="evil.com/x")),
    "a foreign secret": lambda: query(asked(), "foreign"),
    "a name more": lambda: query(asked()) + "&more=1",
    "a value changed": lambda: query(asked()).replace("logged_in_customer_id=7", "logged_in_customer_id=8"),
    "a signature that is not ASCII": lambda: query(asked()).rpartition("=")[0] + "=%C3%BC",
    "a signature in capitals": lambda: query(asked()).rpartition("=")[0] + "=" + query(asked()).rpartition("=")[2].upper(),
    "hmac for signature": lambda: query(asked(), key="hmac"),
    "letters that are none": lambda: query(asked()) + "&x=%ff",
    "a query that is too long": lambda: query(asked(x="y" * 20_000)),
    "a query that is not ASCII": lambda: query(asked()).encode() + b"&x=\xc3\xbc",
    "nothing": lambda: "",
}


@pytest.mark.parametrize("how", QUERIES)
def test_a_query_that_was_tampered_with_is_refused(how):
    with pytest.raises(NotFromShopify) as no:
        verify.proxy(settings(), QUERIES[how]())
    assert no.value.status in (400, 401)


# -- ID tokens ---------------------------------------------------------------------------------------------------------------------


def test_an_id_token_is_believed_and_read():
    assert verify.id_token(settings(), {"Authorization": f"Bearer {token()}"})["sub"] == "42"


TOKENS = {
    "no token": dict,
    "no Bearer": lambda: {"Authorization": token()},
    "garbage": lambda: {"Authorization": "Bearer a.b.c"},
    "not ASCII": lambda: {"Authorization": "Bearer ü.b.c"},
    "alg none": lambda: {"Authorization": f"Bearer {token(alg='none')}"},
    "alg none, signed": lambda: {"Authorization": f"Bearer {token(alg='none')}x"},
    "another algorithm": lambda: {"Authorization": f"Bearer {token(alg='RS256')}"},
    "a foreign secret": lambda: {"Authorization": f"Bearer {token('foreign' * 8)}"},
    "another app": lambda: {"Authorization": f"Bearer {token(aud='other')}"},
    "several apps": lambda: {"Authorization": f"Bearer {token(aud=[CLIENT, 'other'])}"},
    "over": lambda: {"Authorization": f"Bearer {token(exp=int(time.time()) - 60)}"},
    "not yet": lambda: {"Authorization": f"Bearer {token(nbf=int(time.time()) + 60)}"},
    "never over": lambda: {"Authorization": f"Bearer {token(exp=...)}"},
    "since ever": lambda: {"Authorization": f"Bearer {token(nbf=...)}"},
    "another shop": lambda: {"Authorization": f"Bearer {token(dest='https://tea.myshopify.com', iss='https://tea.myshopify.com/admin')}"},
    "issued for another shop": lambda: {"Authorization": f"Bearer {token(iss='https://tea.myshopify.com/admin')}"},
    "a shop that is none": lambda: {"Authorization": f"Bearer {token(dest=7)}"},
    "no shop": lambda: {"Authorization": f"Bearer {token(dest=...)}"},
}


@pytest.mark.parametrize("how", TOKENS)
def test_an_id_token_that_is_not_right_is_refused(how):
    with pytest.raises(NotFromShopify) as no:
        verify.id_token(settings(), TOKENS[how]())
    assert no.value.status == 401
