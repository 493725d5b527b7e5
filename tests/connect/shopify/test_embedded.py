"""The page of an embedded app shows who it is and the shop is opened by it; nobody else gets anything, and nobody a token."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.applications import Starlette
from tests.connect.shopify.forged import settings as of_the_app
from tests.connect.shopify.forged import token
from tests.connect.shopify.fronts import Client

from everloop.clock import wall
from everloop.connect.shopify import about_people, embedded
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.privacy import carry_out, does
from everloop.connect.shopify.sandbox import Shop, running
from everloop.connect.shopify.tokens import Tokens


@pytest.fixture
def box():
    said = of_the_app()
    with running(Shop(said.shop), client_id=said.client_id, secret=said.secret) as sandbox:
        yield sandbox


@pytest.fixture
def page(box, tmp_path):
    """What the page of the app asks, the tokens it gets, and the place they are kept in."""
    said, place = replace(of_the_app(), admin=box.url), Place(tmp_path / "shopify.db")
    tokens = Tokens(said, place, box.client, sleep=lambda _: None)
    client = Client(Starlette(routes=embedded.routes(said, place, tokens)))
    return (lambda **headers: client.post("/shopify/token", headers=headers)), tokens, place


def test_the_shop_is_opened_by_the_token_that_was_got_and_nobody_is_shown_it(box, page):
    ask, tokens, _ = page
    reply = ask(Authorization=f"Bearer {token()}")
    assert reply.status_code == 200
    assert reply.json() == {"shop": of_the_app().shop, "scopes": sorted(box.shop.scopes), "lacks": []}
    assert "shpat_" not in reply.text
    assert box.door.grants.given == 1
    assert box.door.grants.knows(tokens.said())


def test_what_the_app_may_not_do_yet_is_said(box, page):
    box.door.grants.scopes = tuple(scope for scope in box.shop.scopes if scope != "write_orders")
    assert page[0](Authorization=f"Bearer {token()}").json()["lacks"] == ["write_orders"]


@pytest.mark.parametrize("shown", [{}, {"Authorization": token()}, {"Authorization": f"Bearer {token('foreign' * 8)}"}])
def test_who_is_not_signed_for_is_told_to_ask_again_with_another_token_and_nothing_is_exchanged(box, page, shown):
    reply = page[0](**shown)
    assert (reply.status_code, reply.headers["X-Shopify-Retry-Invalid-Session-Request"]) == (401, "1")
    assert box.door.grants.given == 0


def test_a_token_that_shopify_does_not_take_is_got_anew_and_an_app_it_does_not_know_is_said(box, page, monkeypatch):
    monkeypatch.setattr(box.door.grants, "answer", lambda _: (400, {"error": "invalid_subject_token"}))
    assert page[0](Authorization=f"Bearer {token()}").headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"
    monkeypatch.setattr(box.door.grants, "answer", lambda _: (400, {"error": "invalid_client"}))
    reply = page[0](Authorization=f"Bearer {token()}")
    assert (reply.status_code, "invalid_client" in reply.json()["error"]) == (502, True)
    assert "X-Shopify-Retry-Invalid-Session-Request" not in reply.headers


def uninstalled(place, at, id="w1"):
    does(place, "hush")["app/uninstalled"](Delivery(id, "app/uninstalled", "beans.myshopify.com", at, "2026-10", b'{"id": 1}'))


def test_after_an_uninstallation_no_token_is_kept_and_a_new_one_makes_the_app_be_there_again(box, page):
    ask, tokens, place = page
    ask(Authorization=f"Bearer {token()}")
    uninstalled(place, wall())
    assert carry_out(place, None, wall(), uninstall=tokens.forget) == 1
    with place.transaction(write=False) as t:
        assert t.execute("select count(*) from tokens").fetchone() == (0,)
    assert not about_people.installed(place)
    ask(Authorization=f"Bearer {token()}")
    assert about_people.installed(place)


def test_an_uninstallation_that_is_carried_out_after_the_app_came_back_takes_nothing_away(box, page):
    ask, tokens, place = page
    uninstalled(place, wall())
    ask(Authorization=f"Bearer {token()}")
    kept = tokens.said()
    assert carry_out(place, None, wall(), uninstall=tokens.forget) == 1
    assert (tokens.said(), box.door.grants.given) == (kept, 1)
