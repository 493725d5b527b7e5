"""Lists over HTTP: what lies in a cart, and what goes with a product or a cart."""

from __future__ import annotations

import pytest
from everloop_front import Front

ASK = "/v1/models/picks/predict"
BESIDE = "/v1/models/picks/beside"


@pytest.fixture
def front(tmp_path):
    return Front(tmp_path)


def test_a_cart_reaches_the_door_with_its_customer(front):
    said = front.post(ASK, {"customer_id": "c1", "cart": ["p7"]})
    assert said.status_code == 200
    assert front.doors.asked[0][1:3] == ("picks", [{"customer_id": "c1", "cart": ["p7"]}])


@pytest.mark.parametrize("cart", ["p7", [7], None, {"p7": 1}, [["p7"]], ["x" * 2000], ["p"] * 1001])
def test_a_cart_that_is_no_list_of_items_is_refused(front, cart):
    said = front.post(ASK, {"customer_id": "c1", "cart": cart})
    assert (said.status_code, said.json()["field"]) == (422, "cart")
    assert front.doors.asked == []


def test_only_lists_have_a_cart(front):
    said = front.post("/v1/models/demand/predict", {"product_id": "p1", "cart": ["p7"]})
    assert said.status_code == 422
    assert "has no column 'cart'" in said.json()["message"]


def test_what_goes_with_a_product_is_told_with_who_says_so(front):
    said = front.post(BESIDE, {"items": ["p1"], "most": 2})
    assert said.json() == {
        "model": "picks", "version": "demand@3", "items": [{"item": "p9", "score": 0.5}, {"item": "p8", "score": 0.0}]
    }  # fmt: skip
    assert front.doors.asked[0][:4] == ("beside", "picks", ["p1"], 2)


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": "p1"}, {"items": [1]}, {"items": ["p1"], "most": 0}, {"cart": ["p1"]}])
def test_what_is_no_question_about_items_is_refused(front, body):
    assert front.post(BESIDE, body).status_code == 422
    assert front.doors.asked == []


def test_of_a_model_there_is_not_nothing_goes_with_anything(front):
    assert front.post("/v1/models/nobody/beside", {"items": ["p1"]}).status_code == 404
