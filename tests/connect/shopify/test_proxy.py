"""What a storefront is shown: by the house if it can be asked, else by what was worked out beforehand; nothing that Liquid would run."""

from __future__ import annotations

import json
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connect.shopify.fronts import Played, opened, proxied

from everloop.connect.shopify import proxy
from everloop.connect.shopify.heard import Heard, TooMuchHeard
from everloop.connect.shopify.house import Unreachable
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.proxy import Listed, cards
from everloop.connect.shopify.shelf import SHOP as EVERYWHERE
from everloop.connect.shopify.shelf import Named, Shelf, named

TOKEN = "b7c1d2e3-0000-4000-8000-000000000000"


def test_a_customer_is_answered_by_the_id_shopify_vouches_for_whatever_their_browser_says(tmp_path):
    house = Played()
    _, client = opened(tmp_path, house)
    said = client.get(proxied(customer="42", unit=TOKEN, product="5", cart="6,5")).json()
    assert house.asked == [("recommend", {"customer_id": "42", "newcomer": True, "cart": ["5", "6"]})]
    assert said["arm"] == "champion"
    assert said["property"] == "9d00410c64e5744e/champion"
    assert [one["product_id"] for one in said["items"]] == ["7", "8", "9"]


def test_anybody_else_is_answered_by_their_token_so_that_the_arm_stays(tmp_path):
    house = Played()
    _, client = opened(tmp_path, house)
    client.get(proxied(unit=TOKEN))
    client.get(proxied(unit=TOKEN, product="5"))
    assert {request["customer_id"] for _, request in house.asked} == {TOKEN}


def test_who_wants_to_be_nobody_is_asked_about_nowhere(tmp_path):
    house = Played()
    made, client = opened(tmp_path, house)
    made.shelf.lay({"5": ["7"]})
    assert client.get(proxied(product="5")).json()["source"] == "precomputed"
    assert house.asked == []


def test_the_product_on_the_page_is_not_shown_beside_itself_and_no_more_than_wanted(tmp_path):
    _, client = opened(tmp_path, Played(items=["5", "7", "8", "9"]))
    said = client.get(proxied(customer="42", product="5", most="2")).json()
    assert [one["product_id"] for one in said["items"]] == ["7", "8"]


def test_whoever_is_kept_back_gets_no_list_of_ours(tmp_path):
    _, client = opened(tmp_path, Played(arm="control"))
    said = client.get(proxied(customer="42", product="5")).json()
    assert (said["source"], said["items"], said["property"]) == ("shopify", [], "9d00410c64e5744e/control")


@pytest.mark.parametrize(("arm", "source"), [("candidate", "precomputed"), ("control", "shopify")])
def test_a_version_without_a_list_for_somebody_leaves_them_in_their_arm(tmp_path, arm, source):
    made, client = opened(tmp_path, Played(items=[], arm=arm))
    made.shelf.lay({EVERYWHERE: ["7"]})
    for _ in range(2):
        said = client.get(proxied(unit=TOKEN, product="5")).json()
        assert (said["source"], said["arm"], said["property"]) == (source, arm, f"9d00410c64e5744e/{arm}")


def test_a_house_that_is_down_costs_a_storefront_nothing_but_the_moment(tmp_path):
    house = Played()
    made, client = opened(tmp_path, house)
    made.shelf.lay({"5": ["7", "5", "8"], EVERYWHERE: ["9"]})
    house.down = True
    said = client.get(proxied(customer="42", product="5")).json()
    assert (said["source"], [one["product_id"] for one in said["items"]], said["arm"]) == ("precomputed", ["7", "8"], None)
    assert [one["product_id"] for one in client.get(proxied(customer="42", product="6")).json()["items"]] == ["9"]
    assert len(house.asked) == 1  # it rests for a second, and is not asked by each visitor


def test_a_house_that_hangs_is_waited_for_no_longer_than_a_storefront_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(proxy, "PATIENCE", 0.1)
    house, over = Played(), threading.Event()
    house.answer = lambda *_: over.wait(5)
    made, client = opened(tmp_path, house)
    made.shelf.lay({"5": ["7"]})
    began = time.monotonic()
    assert client.get(proxied(customer="42", product="5")).json()["source"] == "precomputed"
    over.set()
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("no", [(404, "unknown", "no model"), (422, "invalid", "no"), (429, "too_many", "later")])
def test_a_house_that_says_no_is_the_same_to_who_looks_at_a_shop(tmp_path, no):
    house = Played()
    made, client = opened(tmp_path, house)
    made.shelf.lay({"5": ["7"]})
    house.refuses = no
    reply = client.get(proxied(customer="42", product="5"))
    assert (reply.status_code, reply.json()["source"]) == (200, "precomputed")


def test_nothing_anywhere_is_an_empty_list_and_no_error(tmp_path):
    house = Played()
    house.down = True
    _, client = opened(tmp_path, house)
    reply = client.get(proxied(customer="42", product="5", view="cards"))
    assert (reply.status_code, reply.headers["content-type"].partition(";")[0]) == (200, "application/liquid")
    assert 'data-source="none"' in reply.text


@pytest.mark.parametrize(
    "said",
    [{"product": "5; drop"}, {"unit": "x"}, {"unit": "{{ shop.email }}"}, {"most": "0"}, {"most": "99"}, {"view": "xml"}, {"cart": "5,x"}],
)
def test_what_no_storefront_of_ours_sends_is_refused(tmp_path, said):
    _, client = opened(tmp_path, Played())
    assert client.get(proxied(**said)).status_code == 400


@pytest.mark.parametrize("wrong", [{"secret": "other"}, {"at": time.time() - 3600}])
def test_what_shopify_did_not_sign_is_nobodys_request(tmp_path, wrong):
    house = Played()
    _, client = opened(tmp_path, house)
    assert client.get(proxied(customer="42", **wrong)).status_code == 401
    assert client.post(proxied("outcomes", **wrong), content=b"[]").status_code == 401
    assert house.asked == []


def test_nobody_is_answered_as_a_customer_by_sending_their_number_as_a_token(tmp_path):
    house = Played()
    _, client = opened(tmp_path, house)
    assert client.get(proxied(unit="207119551000")).status_code == 400
    told = client.post(proxied("outcomes"), content=json.dumps([click(prediction=None, unit="207119551000")]))
    assert told.status_code == 400
    assert house.asked == []


# -- Liquid --------------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(min_size=1, max_size=30), max_size=5), st.text(max_size=30), st.text(max_size=30))
def test_nothing_anybody_made_up_can_open_a_tag_of_liquid_or_html(handles, arm, version):
    items = tuple(str(n) for n in range(len(handles)))
    bare = cards(Listed(items, "model", "9d00410c", "champion", "recommend@1"), {})
    said = cards(Listed(items, "model", "9d00410c", arm, version), dict(zip(items, handles, strict=True)))
    for letters in ("{{", "{%", "%}", "}}", "<", ">"):
        assert said.count(letters) == bare.count(letters)
    assert said.count("'") == bare.count("'")


def test_a_handle_that_would_end_its_quotes_is_never_on_the_shelf(tmp_path):
    shelf = Shelf(Place(tmp_path / "shopify.db"))
    shelf.name(
        [Named("1", "a', b: shop.email %}", "2026-01-01"), Named("2", "kaffee-süß_2", "2026-01-01"), Named("3", "珈琲", "2026-01-01")]
    )
    assert shelf.handles(["1", "2", "3"]) == {"2": "kaffee-süß_2", "3": "珈琲"}


# -- the shelf -----------------------------------------------------------------------------------------------------------------------


def test_an_older_word_that_comes_late_changes_no_name_and_what_is_gone_stays_gone(tmp_path):
    shelf = Shelf(Place(tmp_path / "shopify.db"))
    shelf.name([Named("1", "new", "2026-02-01"), Named("1", "old", "2026-01-01")])
    assert shelf.handles(["1"]) == {"1": "new"}
    shelf.name([named({"id": 1}, gone=True)])
    shelf.name([Named("1", "newer", "2026-03-01")])
    assert shelf.handles(["1"]) == {}


def test_a_product_has_its_name_by_webhook_by_event_and_by_node():
    node = {"id": "gid://shopify/Product/7", "handle": "dark", "updatedAt": "2026-01-01"}
    assert (
        named(node)
        == named({"data": {"product": node}})
        == named({"id": 7, "handle": "dark", "updated_at": "2026-01-01"})
        == Named("7", "dark", "2026-01-01")
    )
    assert named({"id": 7}) is None


# -- outcomes ------------------------------------------------------------------------------------------------------------------------


def click(**said):
    return {"prediction": "9d00410c64e5744e", "name": "click", "event_id": "9d00410c64e5744e:click:7", **said}


def test_what_a_browser_tells_reaches_the_house_once_also_after_the_house_was_down(tmp_path):
    house = Played()
    _, client = opened(tmp_path, house)
    for _ in range(3):
        assert client.post(proxied("outcomes"), content=json.dumps([click()])).status_code == 202
    heard = Heard(Place(tmp_path / "shopify.db"))
    house.down = True
    with pytest.raises(Unreachable):
        heard.tell(house)
    house.down = False
    assert (heard.tell(house), heard.tell(house)) == (1, 0)
    assert [(row["prediction"], row["name"]) for row in house.told] == [("9d00410c64e5744e", "click")]


def test_a_browser_cannot_speak_for_a_customer_who_is_logged_in_as_somebody_else(tmp_path):
    house = Played()
    _, client = opened(tmp_path, house)
    client.post(proxied("outcomes", customer="42"), content=json.dumps([click(prediction=None, unit=TOKEN)]))
    Heard(Place(tmp_path / "shopify.db")).tell(house)
    assert house.told[0]["unit"] == "42"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b"[1]", b"\xff", b"[" * 9000, json.dumps([click()] * 21).encode(), b" " * 9000]
    + [json.dumps([one]).encode() for one in (click(name="order"), click(event_id="x"), click(prediction="x"), click(prediction=None))],
)  # fmt: skip
def test_a_message_of_anything_else_is_refused_and_nothing_is_kept(tmp_path, body):
    house = Played()
    _, client = opened(tmp_path, house)
    assert client.post(proxied("outcomes"), content=body).status_code == 400
    assert Heard(Place(tmp_path / "shopify.db")).tell(house) == 0


def test_rows_the_house_refuses_for_good_stop_nobody(tmp_path):
    house, heard = Played(), Heard(Place(tmp_path / "shopify.db"))
    heard.keep([{"event_id": "a" * 8}])
    house.refuses = (422, "invalid", "no such answer")
    assert heard.tell(house) == 1
    house.refuses = None
    assert heard.tell(house) == 0


def test_more_than_can_wait_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("everloop.connect.shopify.heard.MOST_WAITING", 1)
    heard = Heard(Place(tmp_path / "shopify.db"))
    heard.keep([{"event_id": f"a{n}"} for n in range(3)])
    with pytest.raises(TooMuchHeard):
        heard.keep([{"event_id": "b"}])
