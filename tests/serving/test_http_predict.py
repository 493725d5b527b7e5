"""Asking a model over HTTP: what is replied for each kind, and what a request may say."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from everloop_front import FakeDoors, Front

from everloop.errors import EverloopError, HouseBusy, HouseFull, Overtaken, StoreError, UnderWay, Unknown
from everloop.lake.alone import alone
from everloop.loop.control.errands import came_of, said_of
from everloop.records import Prediction, Shape
from everloop.registry.errands import Errand
from everloop.serving.asks import answer_of
from everloop.serving.fits import LONGEST_KEY, MOST_REQUESTS


@pytest.fixture
def front(tmp_path):
    return Front(tmp_path)


WHO = {"id", "model", "version", "arm", "unit", "moment"}


def said_in(got):
    """The steps of a path, told by when each begins and ends after the moment."""
    at = datetime.fromisoformat(got["moment"])
    return [
        (one["step"], (datetime.fromisoformat(one["begins"]) - at).days, (datetime.fromisoformat(one["ends"]) - at).days, one["quantiles"])
        for one in got["steps"]
    ]


@pytest.mark.parametrize(
    ("model", "request_", "said"),
    [
        ("demand", {"product_id": "p1"}, {"value": 2.5}),
        ("churn", {"customer_id": "c1"}, {"value": 0.75, "says": "yes"}),
        ("taste", {"customer_id": "c1"}, {"shares": {"coffee": 0.25, "tea": 0.75}, "says": "tea"}),
        ("spread", {"customer_id": "c1"}, {"steps": [(1, 0, 7, [1.0, 2.0, 3.0]), (2, 7, 14, [4.0, 5.0, 6.0])], "levels": [0.1, 0.5, 0.9]}),
        ("picks", {"customer_id": "c1"}, {"items": [{"item": "p2", "score": 0.5}, {"item": "p1", "score": 0.25}]}),
        ("fraud", {"payment_id": "x", "amount": 100, "due": "2026-11-02"}, {"value": 0.01, "says": None}),
    ],
)
def test_each_kind_has_one_shape(front, model, request_, said):
    reply = front.post(f"/v1/models/{model}/predict", request_)
    assert reply.status_code == 200
    got = reply.json()
    if model == "spread":
        got["steps"] = said_in(got)
    assert set(got) == WHO | set(said)
    assert {k: got[k] for k in said} == said
    assert (got["version"], got["arm"], got["model"]) == ("demand@3", "champion", model)
    assert datetime.fromisoformat(got["moment"]).tzinfo is not None


def test_an_answer_of_the_baseline_says_so(front, monkeypatch):
    assert "baseline" not in front.post("/v1/models/demand/predict", {"product_id": "p1"}).json()
    monkeypatch.setattr(front.doors, "is_baseline", lambda version: version == "v3")
    assert front.post("/v1/models/demand/predict", {"product_id": "p1"}).json()["baseline"] is True


def test_many_are_answered_in_their_order(front):
    reply = front.post("/v1/models/demand/predict", {"requests": [{"product_id": f"p{n}"} for n in range(MOST_REQUESTS)]})
    assert [a["unit"] for a in reply.json()["answers"]] == [f"p{n}" for n in range(MOST_REQUESTS)]
    assert len(front.doors.asked) == 1


def test_none_at_all_is_no_question(front):
    assert front.post("/v1/models/demand/predict", {"requests": []}).json() == {"answers": []}
    assert front.doors.asked == []


def test_where_nobody_could_answer_one_gets_503_and_many_get_errors_among_answers(tmp_path):
    front = Front(tmp_path, doors=FakeDoors(error="the champion raised ValueError"))
    one = front.post("/v1/models/churn/predict", {"customer_id": "c1"})
    assert (one.status_code, one.json()["error"], one.json()["value"]) == (503, "the champion raised ValueError", None)
    many = front.post("/v1/models/churn/predict", {"requests": [{"customer_id": "c1"}]})
    assert (many.status_code, many.json()["answers"][0]["error"]) == (200, "the champion raised ValueError")
    assert 'everloop_answer_errors_total{model="churn"} 2' in front.metrics.said()


@pytest.mark.parametrize("kind", ["number", "chance", "shares", "quantiles", "ranking"])
def test_an_error_leaves_the_shape_as_it_is(kind):
    given = Prediction(id="a", model="m", version="v", arm="champion", unit="u", moment=datetime(2026, 1, 1, tzinfo=UTC), error="no")
    said = answer_of(Shape(kind=kind, levels=(0.5,)), given, "m@1", ())
    field = {"number": "value", "chance": "value", "shares": "shares", "quantiles": "quantiles", "ranking": "items"}[kind]
    assert (said.error, getattr(said, field)) == ("no", None)


def test_shares_whose_labels_nobody_knows_are_an_error_and_not_guessed():
    given = Prediction(
        id="a", model="m", version="v", arm="champion", unit="u", moment=datetime(2026, 1, 1, tzinfo=UTC), values=(0.5, 0.5), says="a"
    )
    said = answer_of(Shape(kind="shares"), given, "m@1", ("a",))
    assert (said.shares, said.says) == (None, None)
    assert "2 shares and names 1 labels" in said.error


# -- what a request may say ----------------------------------------------------------------------------------------------------------


WRONG = [
    ("demand", {"prodct_id": "p1"}, "prodct_id", "Did you mean 'product_id'?"),
    ("demand", {}, "product_id", "missing"),
    ("demand", {"product_id": None}, "product_id", "null"),
    ("demand", {"product_id": ""}, "product_id", "empty"),
    ("demand", {"product_id": 7}, "product_id", 'Say "7", in quotes.'),
    ("demand", {"product_id": True}, "product_id", "true or false"),
    ("demand", {"product_id": ["p1"]}, "product_id", "a list"),
    ("demand", {"product_id": "p\x1f1"}, "product_id", "control character"),
    ("demand", {"product_id": "p\x001"}, "product_id", "control character"),
    ("demand", {"product_id": "p" * (LONGEST_KEY + 1)}, "product_id", "1,025 characters"),
    ("demand", {"product_id": "p1", "customer_id": "c1"}, "customer_id", "no column"),
    ("demand", {"product_id": "p1", "x" * 100_000: 1}, "x" * 60, "no column"),
    ("demand", [], None, "a list"),
    ("demand", "p1", None, "text"),
    ("demand", None, None, "null"),
    ("demand", {"requests": {}}, "requests", "Say a list"),
    ("demand", {"requests": [{"product_id": "p1"}, 5]}, "requests[1]", "a number"),
    ("demand", {"requests": [{"product_id": "p1"}, {"product_id": 5}]}, "requests[1].product_id", "a number"),
    ("demand", {"requests": [], "product_id": "p1"}, "product_id", "beside requests"),
    ("fraud", {"payment_id": "x", "amount": 1.5}, "amount", "whole number of minor units"),
    ("fraud", {"payment_id": "x", "amount": True}, "amount", "whole number"),
    ("fraud", {"payment_id": "x", "amount": 2**63}, "amount", "64 bits"),
    ("fraud", {"payment_id": "x", "amount": 10**400}, "amount", "64 bits"),
    ("fraud", {"payment_id": "x", "share": "half"}, "share", "a number"),
    ("fraud", {"payment_id": "x", "online": 1}, "online", "true or false"),
    ("fraud", {"payment_id": "x", "due": "soon"}, "due", "2026-11-02"),
    ("fraud", {"payment_id": "x", "seen": "2026-13-01"}, "seen", "an instant"),
    ("fraud", {"payment_id": "x", "seen": 5}, "seen", "an instant"),
    ("fraud", {"payment_id": "x", "country": 49}, "country", 'Say "49", in quotes.'),
    ("demand", {"product_id": "p1", "features": 5}, "features", "a number"),
    ("demand", {"product_id": "p1", "features": {}}, "features.orders_quantity_total_last_7d", "lacks"),
    ("demand", {"product_id": "p1", "features": {"orders_kind_latets": "tea"}}, "features.orders_kind_latets", "'orders_kind_latest'"),
    ("demand", {"product_id": "p1", "features": {"orders_kind_latest": 5}}, "features.orders_kind_latest", "should be text"),
    ("picks", {"customer_id": "c1", "features": {}}, "features", "looked up"),
]


@pytest.mark.parametrize(("model", "body", "field", "hint"), WRONG, ids=range(len(WRONG)))
def test_what_does_not_fit_is_named_and_never_reaches_the_house(front, model, body, field, hint):
    reply = front.post(f"/v1/models/{model}/predict", body)
    said = reply.json()
    assert reply.status_code == 422, said
    assert (said["error"], said.get("field")) == ("invalid", field)
    assert hint in said["message"]
    assert len(said["message"]) < 700
    assert front.doors.asked == []


def test_what_is_given_may_be_left_out_or_empty_and_reaches_the_house_as_said(front):
    request = {"payment_id": "x", "amount": 2**63 - 1, "share": 1, "country": None, "online": False, "seen": "2026-11-02T00:00Z"}
    assert front.post("/v1/models/fraud/predict", request).status_code == 200
    assert front.doors.asked[0][2] == [request]


def test_features_can_be_given_all_at_once(front):
    request = {"product_id": "p1", "features": {"orders_quantity_total_last_7d": 3, "orders_kind_latest": None}}
    assert front.post("/v1/models/demand/predict", request).status_code == 200
    assert front.doors.asked[0][2] == [request]


def test_more_than_a_thousand_requests_are_too_many(front):
    body = {"requests": [{"product_id": "p1"}] * (MOST_REQUESTS + 1)}
    assert front.post("/v1/models/demand/predict", body).status_code == 413
    assert front.doors.asked == []


def test_a_model_that_changed_is_asked_as_it_is_now(front):
    front.post("/v1/models/demand/predict", {"product_id": "p1"})
    front.doors.models["demand"] = front.doors.models["churn"].but("demand")
    assert front.post("/v1/models/demand/predict", {"product_id": "p1"}).status_code == 422


# -- what the house says -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "kind", "again"),
    [
        (Unknown("customer_id", "c9"), 404, "unknown", None),
        (Unknown("column", "amont", ["amount"]), 422, "invalid", None),
        (EverloopError("demand cannot."), 422, "invalid", None),
        (Overtaken("somebody else"), 409, "overtaken", None),
        (HouseBusy("/srv/secret is locked"), 503, "busy", "1"),
        (HouseFull("/srv/secret is full"), 503, "full", "30"),
        (StoreError("/srv/secret/house.db is malformed"), 500, "failed", None),
        (ZeroDivisionError("/srv/secret"), 500, "failed", None),
        (StopIteration("/srv/secret"), 500, "failed", None),
    ],
)
def test_what_the_house_could_not_do_is_a_status_and_no_secret(tmp_path, caplog, error, status, kind, again):
    front = Front(tmp_path, doors=FakeDoors(fails={"predict": error}))
    reply = front.post("/v1/models/demand/predict", {"product_id": "p1"})
    assert (reply.status_code, reply.json()["error"], reply.headers.get("retry-after")) == (status, kind, again)
    assert "secret" not in reply.text
    assert ("secret" in caplog.text) == (status >= 500)
    assert any(record.exc_info for record in caplog.records) == (status == 500)


def test_who_finds_the_house_busy_is_told_of_which_model(tmp_path):
    with (
        alone(tmp_path / "a.lock", "turning demand"),
        pytest.raises(HouseBusy) as busy,
        alone(tmp_path / "a.lock", "turning demand", patience=0),
    ):
        pass
    for error in (busy.value, remembered(busy.value)):
        front = Front(tmp_path / str(id(error)), doors=FakeDoors(fails={"predict": error}))
        reply = front.post("/v1/models/demand/predict", {"product_id": "p1"})
        assert (reply.status_code, reply.json()["error"]) == (503, "busy")
        assert reply.json()["message"] == "Another process is turning demand. Nothing was half-done. Try again."


def remembered(error):
    """The error as who waits for an errand hears it."""
    now = datetime(2026, 11, 2, tzinfo=UTC)
    errand = Errand(id="e", verb="turn", model="demand", now=now, cause="demand", asked_at=now, state="failed", said=said_of(error))
    with pytest.raises(HouseBusy) as again:
        came_of(errand)
    return again.value


def test_a_wait_that_ends_because_the_worker_does_is_no_trouble_to_log(tmp_path, caplog):
    front = Front(tmp_path, doors=FakeDoors(fails={"turn": UnderWay("This process ends.")}))
    reply = front.post("/v1/turn", {})
    assert (reply.status_code, reply.json()["error"], reply.headers["retry-after"]) == (503, "busy", "5")
    assert caplog.records == []


def test_too_few_answers_are_no_answer(tmp_path, monkeypatch):
    front = Front(tmp_path)
    monkeypatch.setattr(front.doors, "predict", lambda *_: [])
    assert front.post("/v1/models/demand/predict", {"product_id": "p1"}).status_code == 500


def test_an_unknown_model_is_404_and_says_which_there_are(front):
    reply = front.post("/v1/models/demnd/predict", {"product_id": "p1"})
    assert (reply.status_code, reply.json()["error"]) == (404, "unknown")
    assert "Did you mean 'demand'?" in reply.json()["message"]


def test_a_score_that_is_not_a_number_is_null_and_never_nan(front, monkeypatch):
    monkeypatch.setitem(__import__("everloop_front").SHAPES, "picks", {"items": ("p1",), "values": (math.nan,)})
    assert front.post("/v1/models/picks/predict", {"customer_id": "c1"}).json()["items"] == [{"item": "p1", "score": None}]
