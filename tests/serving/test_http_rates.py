"""How often a key may ask: never more than its rate and one second's worth, and told when to come again."""

from __future__ import annotations

import pytest
from everloop_front import Front
from hypothesis import given
from hypothesis import strategies as st

from everloop.serving import app as of_app
from everloop.serving.keys import new_key
from everloop.serving.rates import Rates
from everloop.serving.refused import RefusedError

PREDICT, ONE = "/v1/models/churn/predict", {"customer_id": "c1"}


def key(per_second):
    return new_key("till", ["predict"], per_second=per_second)


def taken(rates, key, now):
    try:
        rates.take(key, now)
    except RefusedError:
        return False
    return True


@given(st.floats(0.01, 50), st.lists(st.floats(0, 0.5), max_size=200))
def test_in_no_span_of_time_more_is_taken_than_the_rate_and_one_seconds_worth(per_second, gaps):
    rates, (till, _) = Rates(), key(per_second)
    now, when = 0.0, []
    for gap in gaps:
        now += gap
        if taken(rates, till, now):
            when.append(now)
    for first in range(len(when)):
        for last in range(first, len(when)):
            assert last - first + 1 <= max(1.0, per_second) + per_second * (when[last] - when[first]) + 1e-6


@given(st.floats(0.01, 50), st.integers(1, 60))
def test_who_comes_when_told_to_is_taken(per_second, tries):
    rates, (till, _) = Rates(), key(per_second)
    now = 0.0
    for _ in range(tries):
        try:
            rates.take(till, now)
        except RefusedError as refused:
            now += int(dict(refused.headers)[b"retry-after"])
            assert taken(rates, till, now)


def test_a_clock_that_stands_still_or_goes_back_fills_nothing():
    rates, (till, _) = Rates(), key(1)
    assert [taken(rates, till, now) for now in (5.0, 5.0, 1.0, 4.9)] == [True, False, False, True]


@pytest.fixture
def clock(monkeypatch):
    at = [0.0]
    monkeypatch.setattr(of_app, "monotonic", lambda: at[0])
    return at


def test_a_key_that_asks_too_often_is_told_when_to_come_again(tmp_path, clock):
    (slow, secret), (free, other) = key(0.5), new_key("feed", ["predict"])
    front = Front(tmp_path, keys=(slow, free))
    mine, others = {"authorization": f"Bearer {secret}"}, {"authorization": f"Bearer {other}"}
    assert front.post(PREDICT, ONE, headers=mine).status_code == 200
    reply = front.post(PREDICT, ONE, headers=mine)
    assert (reply.status_code, reply.json()["error"], reply.headers["retry-after"]) == (429, "too_many", "2")
    assert "'till' may ask this worker 0.5 times a second" in reply.json()["message"]
    assert len(front.doors.asked) == 1
    assert {front.post(PREDICT, ONE, headers=others).status_code for _ in range(20)} == {200}
    clock[0] += 2
    assert front.post(PREDICT, ONE, headers=mine).status_code == 200


def test_each_protocol_says_it_in_its_own_shape(tmp_path, clock):
    slow, secret = key(1)
    front, mine = Front(tmp_path, keys=(slow,)), {"authorization": f"Bearer {secret}"}
    front.post(PREDICT, ONE, headers=mine)
    assert front.post("/v2/models/churn/infer", {}, headers=mine).json().keys() == {"error"}
    assert front.post("/invocations", {}, headers=mine).json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"


def test_what_is_not_let_in_takes_nothing_from_a_key(tmp_path, clock):
    slow, secret = key(1)
    front = Front(tmp_path, keys=(slow,))
    wrong = {"authorization": f"Bearer {secret[:-1]}{'a' if secret[-1] != 'a' else 'b'}"}
    assert {front.post(PREDICT, ONE, headers=wrong).status_code for _ in range(5)} == {401}
    assert front.post("/v1/turn", {}, headers={"authorization": f"Bearer {secret}"}).status_code == 403
    assert front.post(PREDICT, ONE, headers={"authorization": f"Bearer {secret}"}).status_code == 200
