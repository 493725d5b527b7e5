"""What happened, told over HTTP; and the verbs of whoever runs the house."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from everloop_front import JSON, FakeDoors, Front, stream

from everloop.errors import RowsRefused
from everloop.records import Received
from everloop.serving.bodies import ARROW

ROW = {"line_id": "l1", "ordered_at": "2026-11-02T09:30Z", "quantity": 2}
WORD = {"by": "ann", "reason": "it slipped"}


@pytest.fixture
def front(tmp_path):
    return Front(tmp_path)


def received(kept=0, duplicates=0, refused=0):
    return Received(source="orders", kept=kept, duplicates=duplicates, refused=refused, examples=("row 1: quantity",), through_seq=9)


def test_rows_that_say_they_happened_after_they_were_known_are_told_in_the_reply(front):
    front.doors.received = replace(received(kept=3), ahead=2)
    reply = front.ask("POST", "/v1/events/orders", json=ROW)
    assert reply.json()["doubt"].startswith("2 rows say they happened after they were known;")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"line_id":"l1","ordered_at":"2026-11-02T09:30Z","quantity":2}', "application/json"),
        (b'[{"line_id":"l1","ordered_at":"2026-11-02T09:30Z","quantity":2}]', "application/json; charset=utf-8"),
        (b'{"line_id":"l1","ordered_at":"2026-11-02T09:30Z","quantity":2}\n', "application/x-ndjson"),
        (stream(pa.Table.from_pylist([ROW])), ARROW),
    ],
    ids=["object", "list", "lines", "arrow"],
)
def test_rows_come_in_four_ways(front, content, kind):
    reply = front.ask("POST", "/v1/events/orders", content=content, headers={"content-type": kind})
    assert (reply.status_code, reply.json()) == (200, {"kept": 1, "duplicates": 0, "refused": 0, "examples": [], "through_seq": 1})
    _, source, rows, _, known_after = front.doors.asked[0]
    assert (source, known_after) == ("orders", None)
    assert (rows.to_pylist() if isinstance(rows, pa.Table) else rows) == [ROW]


@pytest.mark.parametrize(("said", "span"), [("0", timedelta(0)), ("1h", timedelta(hours=1)), ("90s", timedelta(seconds=90))])
def test_history_says_how_soon_it_was_known(front, said, span):
    assert front.post(f"/v1/events/orders?known_after={said}", ROW).status_code == 200
    assert front.doors.asked[0][4] == span


@pytest.mark.parametrize(
    "query",
    [
        "known_after=soon",
        "known_after=",
        "known_after=-1h",
        "known_afer=1h",
        "known_after=1h&known_after=2h",
        "x=1",
        "%ff",
        "known_after=9999999999999d",
    ],
)
def test_a_query_that_means_nothing_is_422_and_nothing_is_taken(front, query):
    assert front.post(f"/v1/events/orders?{query}", ROW).status_code == 422
    assert front.doors.asked == []


@pytest.mark.parametrize(
    ("what", "status"), [(received(1, 0, 2), 200), (received(0, 1, 2), 200), (received(0, 0, 3), 422), (received(), 200)]
)
def test_422_only_where_every_row_was_refused(front, what, status):
    front.doors.received = what
    for path in ("/v1/events/orders", "/v1/truth", "/v1/outcomes", "/v1/predictions"):
        reply = front.post(path, [ROW])
        assert (reply.status_code, reply.json()["examples"]) == (status, ["row 1: quantity"])


def test_rows_refused_all_together_say_why(tmp_path):
    front = Front(tmp_path, doors=FakeDoors(fails={"receive": RowsRefused("orders", 2, 2, ["row 1: quantity is text"])}))
    reply = front.post("/v1/events/orders", [ROW])
    assert (reply.status_code, reply.json()["examples"]) == (422, ["row 1: quantity is text"])


def test_an_unknown_source_is_404(front):
    reply = front.post("/v1/events/order", ROW)
    assert (reply.status_code, reply.json()["error"]) == (404, "unknown")
    assert "Did you mean 'orders'?" in reply.json()["message"]


@pytest.mark.parametrize(("path", "door"), [("/v1/truth", "truths"), ("/v1/outcomes", "outcomes"), ("/v1/predictions", "predictions")])
def test_what_is_told_is_one_or_a_list_of_objects(front, path, door):
    assert front.post(path, {"a": 1}).json()["kept"] == 1
    assert front.post(path, [{"a": 1}, {"b": None}]).json()["kept"] == 2
    assert [asked[:2] for asked in front.doors.asked] == [(door, [{"a": 1}]), (door, [{"a": 1}, {"b": None}])]
    refused = front.post(path, [{"a": 1}, 5])
    assert (refused.status_code, refused.json()["field"]) == (422, "[1]")
    assert f'everloop_told_total{{noun="{door}",outcome="kept"}} 3' in front.metrics.said()


def test_rows_are_counted_by_what_became_of_them(front):
    front.doors.received = received(2, 3, 4)
    front.post("/v1/events/orders", [ROW])
    said = front.metrics.said()
    for outcome, count in (("kept", 2), ("duplicate", 3), ("refused", 4)):
        assert f'everloop_events_total{{source="orders",outcome="{outcome}"}} {count}' in said


def test_a_large_delivery_is_read_beside_the_event_loop(front):
    rows = [ROW | {"line_id": f"l{n}"} for n in range(5_000)]
    assert front.post("/v1/events/orders", rows).json()["kept"] == 5_000


# -- operating -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (b"", (None, "schedule")),
        ({}, (None, "schedule")),
        ({"model": "churn"}, ("churn", "schedule")),
        ({"model": "churn", "retrain": True}, ("churn", "demand")),
        ({"retrain": False}, (None, "schedule")),
    ],
)
def test_a_turn_is_for_one_model_or_all_and_may_be_told_to_learn(front, body, asked):
    reply = front.post("/v1/turn", body)
    assert reply.json() == {"turns": [{"decision": "d1", "action": "hold", "sentence": "nothing fired"}]}
    assert (front.doors.asked[0][1], front.doors.asked[0][3]) == asked


def test_a_score_says_how_many_by_model(front):
    assert front.post("/v1/score", {"model": "demand"}).json() == {"answers": {"demand": 12}}


@pytest.mark.parametrize(
    ("verb", "asked", "sentence"),
    [
        ("undo", ("undo", "churn", "ann", "it slipped"), "demand@2 answers again."),
        ("approve", ("approve", "churn", True, "ann", "it slipped", None), "So be it."),
        ("reject", ("approve", "churn", False, "ann", "it slipped", None), "So be it."),
        ("hold", ("hold", "churn", "ann", "it slipped"), "demand is held."),
        ("release", ("release", "churn", "ann", "it slipped"), "demand may go on."),
        ("cancel", ("cancel", "churn", "ann", "it slipped"), "The turn has ended."),
    ],
)
def test_a_person_says_who_and_why(front, verb, asked, sentence):
    assert front.post(f"/v1/models/churn/{verb}", WORD).json() == {"sentence": sentence}
    assert front.doors.asked[0][: len(asked)] == asked


@pytest.mark.parametrize("share", [0.1, 1, None])
def test_a_share_is_a_number_or_the_plans(front, share):
    reply = front.post("/v1/models/churn/share", WORD | {"share": share})
    assert reply.json() == {"sentence": "demand@3 answers a tenth."}
    assert front.doors.asked[0][:5] == ("share", "churn", share, "ann", "it slipped")


def test_an_answer_may_name_the_question_it_is_to(front):
    front.post("/v1/models/churn/approve", WORD | {"question": "5d1f"})
    assert front.doors.asked[0][:6] == ("approve", "churn", True, "ann", "it slipped", "5d1f")


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/v1/models/churn/share", WORD, 422, "share"),
        ("/v1/models/churn/share", WORD | {"share": "plan"}, 422, "share"),
        ("/v1/models/churn/share", WORD | {"share": 0.1, "by": ""}, 422, "by"),
        ("/v1/models/churn/hold", {"by": "ann"}, 422, "reason"),
        ("/v1/models/churn/approve", WORD | {"question": 5}, 422, "question"),
        ("/v1/turn", {"model": "chrun"}, 404, None),
        ("/v1/turn", {"model": 5}, 422, "model"),
        ("/v1/turn", {"retrain": "yes"}, 422, "retrain"),
        ("/v1/turn", {"retrian": True}, 422, "retrian"),
        ("/v1/turn", [], 422, None),
        ("/v1/score", {"model": "x"}, 404, None),
        ("/v1/models/chrun/undo", WORD, 404, None),
        ("/v1/models/churn/undo", {}, 422, "by"),
        ("/v1/models/churn/undo", {"by": "ann"}, 422, "reason"),
        ("/v1/models/churn/undo", {"by": " ", "reason": "x"}, 422, "by"),
        ("/v1/models/churn/undo", {"by": "ann", "reason": "x" * 2001}, 422, "reason"),
        ("/v1/models/churn/undo", {"by": 5, "reason": "x"}, 422, "by"),
        ("/v1/models/churn/approve", WORD | {"why": 1}, 422, "why"),
    ],
)
def test_what_is_not_meant_is_named_and_nothing_is_done(front, path, body, status, field):
    reply = front.post(path, body)
    assert (reply.status_code, reply.json().get("field")) == (status, field), reply.text
    assert front.doors.asked == []


def test_status_is_each_models_standing(front):
    assert front.get("/v1/status").json() == {"models": [{"model": "demand", "champion": "demand@3"}]}


def test_a_key_said_in_a_header_only_is_enough(front):
    assert front.ask("POST", "/v1/score", content=b"", headers=JSON).status_code == 200
