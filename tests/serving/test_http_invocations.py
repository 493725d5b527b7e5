"""``/invocations``, ``/ping``, ``/health`` and ``/version``: the ways MLflow's and SageMaker's clients ask."""

from __future__ import annotations

import pytest
from everloop_front import FakeDoors, Front, demand, fraud

from everloop.serving.doors import Ready

PATH = "/invocations?model=demand"
TWO = [{"product_id": "p1"}, {"product_id": "p2"}]


@pytest.fixture
def front(tmp_path):
    return Front(tmp_path)


def only(front, model):
    front.doors.models = {model.name: model}
    return front


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["product_id"], "data": [["p1"], ["p2"]]}},
        {"dataframe_split": {"index": [0, 1], "columns": ["product_id"], "data": [["p1"], ["p2"]]}},
        {"dataframe_records": TWO},
        {"instances": TWO},
        {"inputs": {"product_id": ["p1", "p2"]}},
        {"inputs": TWO},
    ],
    ids=["split", "split with an index", "records", "instances", "inputs", "inputs as rows"],
)
def test_every_form_says_the_same(front, body):
    reply = front.post(PATH, body)
    assert (reply.status_code, reply.json()) == (200, {"predictions": [2.5, 2.5], "prediction_ids": ["a0", "a1"]})
    assert front.doors.asked[0][2] == TWO


@pytest.mark.parametrize(
    ("model", "prediction"),
    [
        ("demand", 2.5),
        ("churn", 0.75),
        ("taste", {"coffee": 0.25, "tea": 0.75}),
        ("spread", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        ("picks", ["p2", "p1"]),
    ],
)
def test_every_kind_of_answer_is_a_prediction(front, model, prediction):
    unit = front.doors.models[model].unit[0]
    assert front.post(f"/invocations?model={model}", {"inputs": {unit: ["u"]}}).json()["predictions"] == [prediction]


def test_csv_is_read_as_each_column_says(front):
    body = '\ufeffpayment_id,amount,share,online,country,due\r\n7,3,0.5,true,"DE, or so",\r\n8,,1,False,,2026-11-02\n'.encode()
    reply = only(front, fraud) and front.ask("POST", "/invocations", content=body, headers={"content-type": "text/csv; charset=utf-8"})
    assert reply.status_code == 200
    assert front.doors.asked[0][2] == [
        {"payment_id": "7", "amount": 3, "share": 0.5, "online": True, "country": "DE, or so", "due": None},
        {"payment_id": "8", "amount": None, "share": 1.0, "online": False, "country": None, "due": "2026-11-02"},
    ]


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"", 400, "it is empty"),
        (b"\xff", 400, "no CSV in UTF-8"),
        (b'payment_id\n"7', 400, "no CSV in UTF-8"),
        (b"payment_id\n" + b"x" * 200_000, 400, "no CSV in UTF-8"),
        (b"payment_id,payment_id\n1,2", 422, "twice"),
        (b"payment_id,amount\n1", 422, "Row 0 has 1 values and there are 2 columns"),
        (b"payment_id,amount\n1,nan", 422, "Row 0: amount is 'nan' and should be a whole number"),
        (b"payment_id,share\n1,inf", 422, "should be a number"),
        (b"payment_id,online\n1,perhaps", 422, "true or false"),
        (b"payment_id,amount\n1," + b"9" * 5000, 422, "should be a whole number"),
        (b"payment_id\n\"\"", 422, "Say who is asked about"),
        (b"payment_id\n" + b"1\n" * 1001, 413, "at most 1,000"),
        (b"paymnt_id\n1", 422, "Did you mean 'payment_id'"),
    ],
)  # fmt: skip
def test_csv_that_does_not_fit_is_refused_and_says_where(front, body, status, why):
    reply = only(front, fraud).ask("POST", "/invocations", content=body, headers={"content-type": "text/csv"})
    assert reply.status_code == status
    assert why in reply.json()["message"]
    assert front.doors.asked == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ([], "The body is a list"),
        ({}, "exactly one"),
        ({"inputs": {}, "instances": []}, "exactly one"),
        ({"dataframe_splot": {}}, "Did you mean 'dataframe_split'"),
        ({"dataframe_split": {"columns": ["a"]}}, 'orient="split"'),
        ({"dataframe_split": {"columns": ["a"], "data": [["p1"]], "name": 1}}, "has 'name' beside"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, "twice"),
        ({"dataframe_split": {"columns": [0], "data": []}}, "Name each column in text"),
        ({"dataframe_split": {"columns": ["product_id"], "data": [["p1", "p2"]]}}, "2 values and there are 1 columns"),
        ({"dataframe_records": {"product_id": "p1"}}, "holds an object"),
        ({"instances": [["p1"]]}, "by their names"),
        ({"instances": [None]}, "holds null"),
        ({"inputs": {"product_id": "p1"}}, "a list for each column"),
        ({"inputs": {"product_id": ["p1"], "x": []}}, "different lengths"),
        ({"inputs": {"product_id": [1]}}, "in quotes"),
    ],
)
def test_what_does_not_fit_is_refused_in_mlflows_words_and_asks_nobody(front, body, why):
    reply = front.post(PATH, body)
    assert (reply.status_code, reply.json()["error_code"]) == (422, "BAD_REQUEST")
    assert why in reply.json()["message"]
    assert front.doors.asked == []


def test_the_only_model_need_not_be_named_and_among_several_one_must(front):
    body = {"inputs": {"product_id": ["p1"]}}
    none = front.post("/invocations", body)
    assert none.status_code == 422
    assert none.json()["message"].startswith("Which model? Say /invocations?model=NAME. There is churn, demand")
    assert front.post("/invocations?modle=demand", body).status_code == 422
    assert front.post("/invocations?model=x", body).json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert only(front, demand).post("/invocations", body).status_code == 200


def test_no_rows_get_no_predictions(front):
    assert front.post(PATH, {"dataframe_records": []}).json() == {"predictions": [], "prediction_ids": []}


def test_where_nobody_could_answer_it_is_422_and_no_reason_to_ask_again(tmp_path):
    reply = Front(tmp_path, doors=FakeDoors(error="it raised")).post(PATH, {"instances": TWO[:1]})
    assert (reply.status_code, reply.json()["message"]) == (422, "Nobody could answer: it raised")
    assert "retry-after" not in reply.headers


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_who_can_answer_says_200_and_who_cannot_503(front, path):
    assert (front.get(path).status_code, front.get(path).text) == (200, "\n")
    front.doors.is_ready = Ready(False, "It is about to end.")
    assert front.get(path).status_code == 503


def test_the_version_is_text(front):
    assert front.get("/version").headers["content-type"].startswith("text/plain")
    assert front.get("/version").text[0].isdigit()
