"""``POST /get-online-features``: the way in and out. What is meant, and the reply's own shape, are tests/connect/test_feast.py's."""

from __future__ import annotations

import pytest
from everloop_front import FakeDoors, Front

from everloop.errors import Unknown
from everloop.serving.asks import OnlineFeaturesAsk
from everloop.serving.keys import new_key

PATH = "/get-online-features"
ASKED = {"feature_service": "churn", "entities": {"customer_id": ["c1", "c2"]}}


def test_what_is_asked_reaches_the_door_and_its_reply_comes_back_in_feasts_shape(tmp_path):
    front = Front(tmp_path)
    said = front.post(PATH, ASKED | {"full_feature_names": True})
    assert said.status_code == 200
    assert said.json() == {
        "metadata": {"feature_names": ["customer_id"]},
        "results": [{"values": [None] * 2, "statuses": ["NOT_FOUND"] * 2, "event_timestamps": ["1970-01-01T00:00:00Z"] * 2}],
    }
    [(door, asked, _)] = front.doors.asked
    wanted = OnlineFeaturesAsk(entities={"customer_id": ["c1", "c2"]}, feature_service="churn", full_feature_names=True)
    assert (door, asked) == ("online_features", wanted)


def test_numbers_stay_what_they_are(tmp_path):
    front = Front(tmp_path)
    front.post(PATH, {"features": ["fraud:amount"], "entities": {"amount": [1, 1.0, 2**62, None, True, "1"]}})
    values = front.doors.asked[0][1].entities["amount"]
    assert [(value, type(value)) for value in values] == [
        (1, int), (1.0, float), (2**62, int), (None, type(None)), (True, bool), ("1", str),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"feature_service": "churn"}, "entities"),
        (ASKED | {"entities": {"customer_id": "c1"}}, "entities"),
        (ASKED | {"entities": {"customer_id": [["c1"]]}}, "entities"),
        (ASKED | {"entities": [{"customer_id": "c1"}]}, "entities"),
        (ASKED | {"features": "churn:n"}, "features"),
        (ASKED | {"full_feature_name": True}, "full_feature_name"),
        (ASKED | {"full_feature_names": 1}, "full_feature_names"),
    ],
    ids=["no entities", "no list", "a list in it", "rows", "no list of features", "mistyped", "not yes or no"],
)
def test_what_has_another_shape_is_refused_and_says_where(tmp_path, body, field):
    front = Front(tmp_path)
    said = front.post(PATH, body)
    assert said.status_code == 422
    assert field in said.json()["message"] or said.json()["field"].startswith(field)
    assert front.doors.asked == []


def test_a_name_nobody_knows_is_404_with_the_near_ones(tmp_path):
    said = Front(tmp_path, doors=FakeDoors(fails={"online_features": Unknown("feature service", "chrun", ["churn"])})).post(PATH, ASKED)
    assert said.status_code == 404
    assert "Did you mean 'churn'?" in said.json()["message"]


def test_it_needs_a_key_that_may_ask(tmp_path):
    (may, secret), (may_not, other) = new_key("till", ["predict"]), new_key("feed", ["ingest"])
    front = Front(tmp_path, keys=(may, may_not))
    assert front.post(PATH, ASKED).status_code == 401
    assert front.post(PATH, ASKED, headers={"authorization": f"Bearer {other}"}).status_code == 403
    assert front.post(PATH, ASKED, headers={"authorization": f"Bearer {secret}"}).status_code == 200


def test_a_body_that_is_too_large_or_another_kind_is_refused(tmp_path):
    front = Front(tmp_path, largest_body=200)
    assert front.post(PATH, ASKED | {"features": ["x" * 300]}).status_code == 413
    assert front.ask("POST", PATH, content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    assert front.ask("GET", PATH).status_code == 405
