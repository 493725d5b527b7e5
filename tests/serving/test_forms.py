"""A form reads what the long way reads, and leaves everything else to it."""

from __future__ import annotations

import json

import pytest
from everloop_front import churn, demand, fraud, picks, spread, taste
from hypothesis import given
from hypothesis import strategies as st

from everloop.serving import forms
from everloop.serving.bodies import json_value
from everloop.serving.fits import fit_of
from everloop.serving.forms import form_of
from everloop.serving.refused import RefusedError

ASKED = {
    "demand": (demand, {"product_id": "p1"}),
    "with features": (demand, {"product_id": "p1", "features": {"orders_quantity_total_last_7d": 2, "orders_kind_latest": "tea"}}),
    "churn": (churn, {"customer_id": "gid://shop/Customer/7"}),
}


def long_way(model, body):
    try:
        rows, several = fit_of(model).requests(json_value(body))
    except RefusedError:
        return None
    return None if several else rows[0]


@pytest.mark.parametrize("name", ASKED)
def test_a_request_as_most_write_it_is_read_in_one_go(name):
    model, request = ASKED[name]
    body = json.dumps(request).encode()
    assert form_of(fit_of(model)).read(body) == request == long_way(model, body)


ODD = st.sampled_from(
    [None, True, 0, 1.5, -3, 2**63, 10**30, "", "p1", "a:b", "\x1f", "x" * 1025, "é", [], {}, {"orders_kind_latest": "tea"}]
)  # fmt: skip


@st.composite
def bodies(draw):
    """Requests, most of them a little wrong, written in one of several ways; and damage."""
    _, request = ASKED[draw(st.sampled_from(sorted(ASKED)))]
    said = dict(request)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(["product_id", "customer_id", "features", "orders_kind_latest", "more", "a:b"]))
        if draw(st.booleans()):
            said.pop(name, None)
        else:
            said[name] = draw(ODD)
    if isinstance(said.get("features"), dict) and draw(st.booleans()):
        said["features"] = dict(said["features"]) | {
            draw(st.sampled_from(["orders_kind_latest", "orders_quantity_total_last_7d", "x"])): draw(ODD)
        }
    text = json.dumps(said, ensure_ascii=draw(st.booleans()))
    pairs = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in said.items()]
    if pairs and draw(st.integers(0, 3)) == 0:  # a key said twice
        text = "{" + ", ".join([*pairs, draw(st.sampled_from(pairs))]) + "}"
    body = text.encode()
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=3)) + body[at + draw(st.integers(0, 2)) :]
    return body


@given(bodies(), st.sampled_from([demand, churn]))
def test_whatever_a_form_reads_the_long_way_reads_just_so(body, model):
    read = form_of(fit_of(model)).read(body)
    if read is not None:
        assert read == long_way(model, body)


@given(st.binary(max_size=60))
def test_no_bytes_hurt_it(body):
    assert form_of(fit_of(demand)).read(body) is None, "no bytes at random are a whole request"


TWICE = [
    b'{"product_id": "p1", "product_id": "p2"}',
    b'{"product_id": "a\\u003ab", "product_id": "p2"}',
    b'{"product_id": "p1", "more": 1}',
    b'{"product_id": "a:b", "product_id": "c"}',
]


@pytest.mark.parametrize("body", TWICE)
def test_a_key_said_twice_or_one_nobody_knows_is_left_to_the_long_way(body):
    assert form_of(fit_of(demand)).read(body) is None


@pytest.mark.parametrize("body", [body for body in TWICE if b"\\" not in body])
def test_the_mutant_that_counts_no_colons_reads_one_of_two(body, monkeypatch):
    monkeypatch.setattr(forms, "_colons", lambda request: body.count(b":"))
    assert form_of(fit_of(demand)).read(body) is not None


@pytest.mark.parametrize("model", [fraud, picks, spread, taste])
def test_what_has_no_plain_form_is_left_to_the_long_way(model):
    form = form_of(fit_of(model))
    assert form is None or form.read(b'{"features": {}}') is None
