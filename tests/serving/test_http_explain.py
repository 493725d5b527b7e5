"""``?explain=true``: said with each answer, or why not; and only where it was asked for."""

from __future__ import annotations

import pytest
from everloop_front import FakeDoors, Front

from everloop.serving.asks import Because

PATH, ONE = "/v1/models/demand/predict", {"product_id": "p1"}
MOVED = {"column": "orders_quantity_total_last_7d", "value": 3.0, "contribution": 0.5}
TOLD = {"because": [MOVED], "base": 1.5, "others": 0.5, "scale": "answer"}


def test_each_answer_says_why(tmp_path):
    front = Front(tmp_path)
    said = front.post(f"{PATH}?explain=true", ONE).json()
    assert said | TOLD == said
    many = front.post(f"{PATH}?explain=true", {"requests": [ONE, {"product_id": "p2"}]}).json()["answers"]
    assert [one | TOLD == one for one in many] == [True, True]


@pytest.mark.parametrize("query", ["", "?explain=false"])
def test_who_does_not_ask_why_is_not_told_and_costs_nothing(tmp_path, query):
    front = Front(tmp_path)
    said = front.post(PATH + query, ONE).json()
    assert set(said) == {"id", "model", "version", "arm", "unit", "moment", "value"}
    assert [asked[0] for asked in front.doors.asked] == ["predict"]


def test_what_cannot_be_explained_says_so_beside_the_answer(tmp_path):
    front = Front(tmp_path)
    front.doors.why = [Because((("a", None, 1.0),), 1.0, 0.0, "log"), "Only trees are explained."]
    one, other = front.post(f"{PATH}?explain=true", {"requests": [ONE, {"product_id": "p2"}]}).json()["answers"]
    assert (one["scale"], "unexplained" in one) == ("log", False)
    assert (other["unexplained"], other["value"], "because" in other) == ("Only trees are explained.", 2.5, False)


@pytest.mark.parametrize("query", ["explian=true", "explain=yes", "explain=", "explain=true&explain=true", "explain=true&x=1", "%ff=1"])
def test_another_parameter_is_refused_before_anybody_is_asked(tmp_path, query):
    front = Front(tmp_path, doors=FakeDoors())
    reply = front.post(f"{PATH}?{query}", ONE)
    assert (reply.status_code, front.doors.asked) == (422, [])
    assert "explain" in reply.json()["message"]


def test_no_requests_have_no_reasons(tmp_path):
    assert Front(tmp_path).post(f"{PATH}?explain=true", {"requests": []}).json() == {"answers": []}


def test_reasons_are_told_of_a_hundred_at_once_and_of_no_more(tmp_path):
    front = Front(tmp_path)
    assert front.post(f"{PATH}?explain=true", {"requests": [ONE] * 100}).status_code == 200
    front.doors.asked.clear()
    assert front.post(f"{PATH}?explain=true", {"requests": [ONE] * 101}).status_code == 413
    assert front.doors.asked == []


def test_what_is_unusual_comes_with_the_reasons(tmp_path):
    front = Front(tmp_path)
    front.doors.why = [Because((("a", None, 1.0),), 1.0, 0.0, "log", ("carrier: 'Blitz ' is none of the 5 it learnt from",))]
    assert front.post(f"{PATH}?explain=true", ONE).json()["unusual"] == ["carrier: 'Blitz ' is none of the 5 it learnt from"]
    assert "unusual" not in front.post(PATH, ONE).json()
