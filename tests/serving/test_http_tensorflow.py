"""``/v1/models/{model}:predict`` and ``/v1/models/{model}``: the ways clients of TensorFlow Serving and of KServe's first protocol ask.

Bodies and replies are those of TensorFlow Serving's page of its REST API, with a model's own columns.
"""

from __future__ import annotations

import pytest
from everloop_front import Front

PATH = "/v1/models/demand:predict"
TWO = [{"product_id": "p1"}, {"product_id": "p2"}]


@pytest.fixture
def front(tmp_path):
    return Front(tmp_path)


def test_rows_are_told_as_predictions_and_columns_as_outputs(front):
    rows = front.post(PATH, {"signature_name": "serving_default", "instances": TWO})
    assert (rows.status_code, rows.json()) == (200, {"prediction_ids": ["a0", "a1"], "predictions": [2.5, 2.5]})
    columns = front.post(PATH, {"inputs": {"product_id": ["p1", "p2"]}}).json()
    assert (columns["outputs"], "predictions" in columns) == ([2.5, 2.5], False)
    assert [asked[2] for asked in front.doors.asked] == [TWO, TWO]


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({"instances": TWO, "inputs": TWO}, 422, "Say exactly one"),
        ({"instances": [["p1"]]}, 422, "a model here knows columns by their names"),
        ({"dataframe_records": TWO}, 422, "Say instances, inputs"),
        ({"signature_name": "regress", "instances": TWO}, 422, "There is no signature 'regress'"),
        ({"instances": [{"product": "p1"}]}, 422, "has no column 'product'"),
        ([], 422, "Say an object with one of instances, inputs"),
    ],
)
def test_what_cannot_be_read_is_told_as_tensorflow_serving_tells_it(front, body, status, why):
    reply = front.post(PATH, body)
    assert reply.status_code == status
    assert list(reply.json()) == ["error"]
    assert why in reply.json()["error"]


def test_a_model_there_is_not_is_404_and_another_verb_no_path(front):
    assert front.post("/v1/models/nothing:predict", {"instances": TWO}).status_code == 404
    assert "error" in front.post("/v1/models/nothing:predict", {"instances": TWO}).json()
    assert front.post("/v1/models/demand:explain", {"instances": TWO}).status_code in (404, 405)
    assert front.post("/v1/models/demand/predict", TWO[0]).status_code == 200, "our own path is as it was"


def test_the_versions_in_force_are_told_by_number(front):
    said = front.ask("GET", "/v1/models/demand").json()
    assert (said["name"], said["ready"]) == ("demand", True)
    assert said["model_version_status"][0] == {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
