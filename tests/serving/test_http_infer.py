"""The Open Inference Protocol over the app: its shapes, its errors, and what reaches the house."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from everloop_front import FakeDoors, Front, spread

from everloop.errors import HouseBusy
from everloop.records import Prediction
from everloop.serving import inference
from everloop.serving.asks import answer_of
from everloop.serving.doors import InForce, Ready
from everloop.serving.fits import fit_of
from everloop.serving.inference import DATATYPE
from everloop.serving.keys import new_key

INFER = "/v2/models/demand/infer"


def tensor(name="product_id", data=("p1", "p2"), shape=None, datatype="BYTES", **more):
    return {"name": name, "shape": [len(data), 1] if shape is None else shape, "datatype": datatype, "data": list(data)} | more


def ask(*tensors, **more):
    return {"inputs": list(tensors or [tensor()])} | more


@pytest.fixture
def front(tmp_path):
    return Front(tmp_path)


def out(reply, name="value"):
    return next(one for one in reply.json()["outputs"] if one["name"] == name)


# -- the server and its models ---------------------------------------------------------------------------------------------------------


def test_the_server_lives_is_ready_and_says_who_it_is(front):
    assert front.get("/v2/health/live").json() == {"live": True}
    assert front.get("/v2/health/ready").json() == {"ready": True, "live": True}
    said = front.get("/v2").json()
    assert (said["name"], said["extensions"]) == ("everloop", [])
    assert said["version"][0].isdigit()


def test_who_is_not_ready_says_so_with_400_as_the_protocol_wants(tmp_path):
    front = Front(tmp_path)
    front.doors.is_ready = Ready(False, "It is about to end.")
    for path in ("/v2/health/ready", "/v2/models/demand/ready"):
        assert (front.get(path).status_code, front.get(path).json()["ready"]) == (400, False)
    assert front.get("/v2/health/live").status_code == 200


def test_a_model_says_what_it_takes_and_gives(front):
    said = front.get("/v2/models/fraud").json()
    assert (said["name"], said["versions"], said["platform"]) == ("fraud", ["3"], "everloop")
    assert {one["name"]: one["datatype"] for one in said["inputs"]} == {
        "payment_id": "BYTES", "amount": "INT64", "share": "FP64", "country": "BYTES", "online": "BOOL", "due": "BYTES",
        "seen": "BYTES",
    }  # fmt: skip
    assert all(one["shape"] == [-1, 1] for one in said["inputs"])
    assert [one["name"] for one in said["outputs"]] == ["value", "version", "arm", "prediction_id"]


@pytest.mark.parametrize("model", FakeDoors().models)
def test_every_kind_of_answer_comes_as_its_model_says(front, model):
    unit = front.doors.models[model].unit[0]
    said = front.get(f"/v2/models/{model}").json()
    reply = front.post(f"/v2/models/{model}/infer", ask(tensor(unit)))
    assert reply.status_code == 200
    for told, given in zip(said["outputs"], reply.json()["outputs"], strict=True):
        assert (told["name"], told["datatype"], len(told["shape"])) == (given["name"], given["datatype"], len(given["shape"]))
        assert math.prod(given["shape"]) == len(given["data"])
        assert all(wide in (-1, due) for wide, due in zip(told["shape"], given["shape"], strict=True))


def test_a_model_nobody_knows_is_404_with_the_near_ones(front):
    for reply in (front.get("/v2/models/chrun"), front.get("/v2/models/chrun/ready"), front.post("/v2/models/chrun/infer", ask())):
        assert (reply.status_code, set(reply.json())) == (404, {"error"})
        assert "Did you mean 'churn'?" in reply.json()["error"]


def test_a_model_that_is_being_loaded_is_not_ready(tmp_path):
    front = Front(tmp_path, doors=FakeDoors(fails={"in_force": HouseBusy("it is being loaded")}))
    assert front.get("/v2/models/demand/ready").json() == {"name": "demand", "ready": False}
    reply = front.post(INFER, ask())
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")


# -- versions --------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rolling(front):
    front.doors.force = InForce("demand@3", "demand@4")
    return front


def test_versions_in_force_are_known_by_number_or_name_and_others_are_404(rolling):
    assert rolling.get("/v2/models/demand").json()["versions"] == ["3", "4"]
    for version in ("3", "4", "demand@4"):
        assert rolling.get(f"/v2/models/demand/versions/{version}/ready").json() == {"name": "demand", "ready": True}
    for reply in (
        rolling.get("/v2/models/demand/versions/2"),
        rolling.get("/v2/models/demand/versions/2/ready"),
        rolling.post("/v2/models/demand/versions/2/infer", ask()),
    ):
        assert reply.status_code == 404
        assert "In force: 3 and 4" in reply.json()["error"]
    assert rolling.doors.asked == []


def test_a_version_answers_only_whom_the_roll_out_gives_it_and_nobody_is_asked_otherwise(rolling):
    reply = rolling.post("/v2/models/demand/versions/4/infer", ask(tensor(data=["new", "p1"])))
    assert reply.status_code == 404
    assert "Row 1 is answered by version 3 of demand, not by 4" in reply.json()["error"]
    assert [asked[0] for asked in rolling.doors.asked] == ["assigned"]
    assert rolling.post("/v2/models/demand/versions/4/infer", ask(tensor(data=["new"]))).status_code == 200


def test_an_answer_that_another_version_gave_in_the_end_is_not_the_one_that_was_asked_for(rolling):
    rolling.doors.assigned = lambda model, requests: ["demand@4"] * len(requests)
    reply = rolling.post("/v2/models/demand/versions/4/infer", ask(tensor(data=["p1"])))
    assert reply.status_code == 404
    assert "Row 0 is answered by version 3 of demand, not by 4" in reply.json()["error"]


# -- asking ----------------------------------------------------------------------------------------------------------------------------


def test_the_id_comes_back_and_without_one_none_does(front):
    assert front.post(INFER, ask(id="42")).json()["id"] == "42"
    assert "id" not in front.post(INFER, ask()).json()


def test_nested_and_flat_data_and_both_shapes_are_one_thing(front):
    for said in (
        tensor(), tensor(shape=[2]), tensor(data=[["p1"], ["p2"]]), tensor(parameters={"content_type": "str"}),
    ):  # fmt: skip
        reply = front.post(INFER, ask(said))
        assert out(reply) == {"name": "value", "shape": [2, 1], "datatype": "FP64", "data": [2.5, 2.5]}
        assert front.doors.asked[-1][2] == [{"product_id": "p1"}, {"product_id": "p2"}]


def test_who_answered_is_said_for_each_row_and_where_it_is_one_also_for_all(rolling):
    one = rolling.post(INFER, ask(tensor(data=["p1"]))).json()
    assert (one["model_name"], one["model_version"]) == ("demand", "3")
    assert one["parameters"] == {"arm": "champion", "rollout": "4", "prediction_id": "a0"}
    both = rolling.post(INFER, ask())
    assert both.json()["parameters"] == {"arm": "champion", "rollout": "4"}
    assert out(both, "prediction_id")["data"] == ["a0", "a1"]


def test_outputs_choose_and_one_there_is_not_is_refused(front):
    said = front.post(INFER, ask(outputs=[{"name": "arm"}])).json()
    assert [one["name"] for one in said["outputs"]] == ["arm"]
    reply = front.post(INFER, ask(outputs=[{"name": "vale"}]))
    assert (reply.status_code, front.doors.asked[1:]) == (422, [])
    assert "Did you mean 'value'?" in reply.json()["error"]


def test_the_models_own_columns_are_its_features_all_or_none(front):
    own = [tensor("orders_quantity_total_last_7d", [3.0, 4], datatype="FP64"), tensor("orders_kind_latest", ["tea", None])]
    assert front.post(INFER, ask(tensor(), *own)).status_code == 200
    assert front.doors.asked[-1][2] == [
        {"product_id": "p1", "features": {"orders_quantity_total_last_7d": 3.0, "orders_kind_latest": "tea"}},
        {"product_id": "p2", "features": {"orders_quantity_total_last_7d": 4, "orders_kind_latest": None}},
    ]
    half = front.post(INFER, ask(tensor(), own[0]))
    assert half.status_code == 422
    assert "lacks orders_kind_latest" in half.json()["error"]


@pytest.mark.parametrize(
    ("datatype", "good", "bad"),
    [
        ("BOOL", True, 1),
        *((f"UINT{bits}", 2**bits - 1, -1) for bits in (8, 16, 32, 64)),
        *((f"INT{bits}", -(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in (8, 16, 32, 64)),
        *((f"FP{bits}", 2.5, "2.5") for bits in (16, 32, 64)),
        ("BYTES", "x", 1),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else "",
)
def test_every_datatype_holds_what_it_says_and_nothing_else(front, datatype, good, bad):
    name = {"BOOL": "online", "BYTES": "country", "FP": "share"}.get(datatype if datatype[0] == "B" else datatype[:2], "share")
    path, unit = "/v2/models/fraud/infer", tensor("payment_id", ["1"])
    assert front.post(path, ask(unit, tensor(name, [good], datatype=datatype))).status_code in (200, 422 if datatype == "UINT64" else 200)
    reply = front.post(path, ask(unit, tensor(name, [bad], datatype=datatype)))
    assert reply.status_code == 422
    assert f"{name!r} is {datatype}" in reply.json()["error"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no JSON"),
        (b'{"inputs": [NaN]}', "no JSON"),
        ([], "Expected `object`"),
        ({}, "missing required field `inputs`"),
        ({"inputs": []}, "there are none"),
        ({"inputs": [{}]}, "missing required field"),
        (ask(id=5), "Expected `str`"),
        (ask(tensor(), tensor()), "comes twice"),
        (ask(tensor(shape=[2, 2])), r"of the shape \[n\] or \[n, 1\]"),
        (ask(tensor(shape=[-1, 1])), "of the shape"),
        (ask(tensor(shape=[])), "of the shape"),
        (ask(tensor(shape=[3, 1])), "2 values"),
        (ask(tensor(data=[["p1", "p2"], ["p3", "p4"]])), "holds a list that is none"),
        (ask(tensor(datatype="STRING")), "There is BOOL"),
        (ask(tensor(), tensor("orders_kind_latest", ["tea"])), "of one length"),
        (ask(tensor("produkt_id")), "Did you mean 'product_id'"),
        (ask(tensor("orders_kind_latest", ["tea"])), "lacks orders_quantity|product_id is missing"),
        (ask(tensor(data=[None])), "Say who is asked about"),
        (ask(tensor(data=[1], datatype="INT64")), "should be text"),
        (ask(tensor(data=["p"] * 1001)), "at most 1,000"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_refused_in_the_protocols_own_shape_and_asks_nobody(front, body, why):
    reply = front.post(INFER, body)
    assert 400 <= reply.status_code < 500
    assert set(reply.json()) == {"error"}
    import re

    assert re.search(why, reply.json()["error"]), reply.json()
    assert front.doors.asked == []


def test_no_rows_get_no_answers(front):
    reply = front.post(INFER, ask(tensor(data=[], shape=[0, 1])))
    assert (reply.status_code, out(reply)["shape"], front.doors.asked) == (200, [0, 1], [])
    assert "model_version" not in reply.json()


def test_where_one_row_has_no_answer_there_is_no_half_a_tensor(tmp_path):
    reply = Front(tmp_path, doors=FakeDoors(error="the learner raised")).post(INFER, ask())
    assert (reply.status_code, "retry-after" in reply.headers) == (422, False)
    assert reply.json() == {"error": "Nobody could answer 2 of 2 rows; row 0: the learner raised"}


def test_it_needs_a_key_that_may_ask_and_says_so_in_its_own_shape(tmp_path):
    key, secret = new_key("till", ["predict"])
    front = Front(tmp_path, keys=(key,))
    assert (front.post(INFER, ask()).status_code, set(front.post(INFER, ask()).json())) == (401, {"error"})
    assert front.get("/v2/models/demand").status_code == 401
    assert front.post(INFER, ask(), headers={"authorization": f"Bearer {secret}"}).status_code == 200


def test_every_plain_kind_has_a_datatype_of_the_protocol():
    assert set(DATATYPE.values()) == {"BYTES", "BOOL", "INT64", "FP64"}


def test_a_path_has_a_second_dimension_of_steps(front):
    reply = front.post("/v2/models/spread/infer", ask(tensor("customer_id", ("c1", "c2"))))
    outputs = {one["name"]: one for one in reply.json()["outputs"]}
    assert outputs["quantiles"]["shape"] == [2, 2, 3]
    assert outputs["quantiles"]["data"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] * 2
    walk = spread.but("walk", answers=None)
    said = Prediction(
        id="a", model="walk", version="v", arm="champion", unit="c1", moment=datetime(2026, 11, 2, tzinfo=UTC), value=5.0, values=(2.0, 3.0)
    )
    told = answer_of(walk.shape, said, "walk@1", (), each=walk.each)
    reply = inference.reply(fit_of(walk), inference.InferAsk([]), [told, told], InForce("walk@1"))
    given = {one.name: one for one in reply.outputs}
    assert (given["value"].shape, given["value"].data) == ([2, 2], [2.0, 3.0, 2.0, 3.0])
    shown = {one.name: one.shape for one in inference.metadata(fit_of(walk), InForce("walk@1")).outputs}
    assert shown["value"] == [-1, 2]
