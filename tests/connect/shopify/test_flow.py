"""Flow asks for a retraining: once, whatever is sent again; and hears what came of it in the words its schema has."""

from __future__ import annotations

import threading
import time

import pytest
from graphql import GraphQLEnumType, GraphQLNonNull, build_schema
from hypothesis import given
from hypothesis import strategies as st
from tests.connect.shopify.fronts import Played, flow, opened

from everloop.connect.shopify.appfiles import app_files
from everloop.connect.shopify.house import Unreachable
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.runs import Run, Runs, came_of, status_of

SCHEMA = build_schema(app_files()["extensions/retrain-model/schema.graphql"] + "\ntype Query { it: Retraining }")


def fits(value):
    """Whether a value is of the type the extension promises: every field of it and none besides, as graphql-core serializes them."""
    fields = SCHEMA.get_type("Retraining").fields
    assert set(value) == set(fields)
    for name, field in fields.items():
        kind = field.type
        if isinstance(kind, GraphQLNonNull):
            assert value[name] is not None, name
            kind = kind.of_type
        if value[name] is not None:
            assert value[name] in kind.values if isinstance(kind, GraphQLEnumType) else kind.serialize(value[name]) == value[name]


@pytest.fixture
def door(tmp_path):
    house = Played()
    made, client = opened(tmp_path, house)
    yield house, made, client
    for one in made.beside:
        one.stop()


def until_done(client, **said):
    until = time.monotonic() + 20
    while (reply := flow(client, **said)).status_code == 202 and time.monotonic() < until:
        time.sleep(0.01)
    return reply


def test_a_run_is_under_way_until_it_is_done_and_then_says_what_came_of_it(door):
    house, made, client = door
    begun, gone_on = threading.Event(), threading.Event()
    turned = house.operate

    def slow(path, said):
        begun.set()
        gone_on.wait(10)
        return turned(path, said)

    house.operate = slow
    made.beside[1].start()
    assert [flow(client).status_code for _ in range(3)] == [202] * 3
    assert begun.wait(10)
    assert flow(client).status_code == 202
    gone_on.set()
    said = until_done(client)
    assert said.status_code == 200
    fits(said.json()["return_value"])
    assert said.json()["return_value"]["status"] == "LET_IN"
    assert flow(client).json() == said.json()
    assert house.turns == [("turn", {"model": "recommend", "retrain": True, "once": "flow run-0000-1"})]


def test_another_body_under_the_same_id_is_refused_for_good_and_changes_nothing(door):
    house, made, client = door
    assert flow(client).status_code == 202
    assert flow(client, model="demand").status_code == 409
    made.beside[1].start()
    assert until_done(client).json()["return_value"]["model"] == "recommend"
    assert len(house.turns) == 1


def test_what_a_dead_door_left_open_is_asked_for_by_the_same_name(tmp_path):
    house = Played()
    house.down = True
    _, client = opened(tmp_path, house)
    assert flow(client).status_code == 202
    again, client = opened(tmp_path, house)
    again.beside[1].start()
    while not house.turns:
        time.sleep(0.01)
    house.down = False
    assert until_done(client).status_code == 200
    again.beside[1].stop()
    assert {said["once"] for _, said in house.turns} == {"flow run-0000-1"}


def test_a_model_nobody_knows_is_told_to_the_merchant_for_good(door):
    house, made, client = door
    house.refuses = (404, "unknown", "There is no model chrun. Did you mean 'churn'?")
    made.beside[1].start()
    reply = until_done(client)
    assert (reply.status_code, reply.json()) == (422, {"error": "There is no model chrun. Did you mean 'churn'?"})


@pytest.mark.parametrize(
    "other", [{"action_run_id": None}, {"action_run_id": "a b"}, {"handle": "else"}, {"properties": {"model": "{{ x }}"}}]
)
def test_what_is_no_run_of_ours_is_refused(door, other):
    house, _, client = door
    assert flow(client, **other).status_code == 422
    assert flow(client, run="another", secret="other").status_code == 401
    assert house.turns == []


@pytest.mark.parametrize(
    ("refused", "status"),
    [((409, "overtaken", "Ann ended it"), "CANCELLED"), ((422, "invalid", "The learner failed."), "FAILED")],
)
def test_what_the_house_could_not_do_is_said_and_not_asked_again(refused, status):
    house = Played()
    house.refuses = refused
    state, said = came_of(Run("r", "recommend", None, "open", {}), house)
    assert (state, said["status"]) == ("done", status)
    fits(said)


@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_key_that_is_not_let_in_ends_no_run(status):
    house = Played()
    house.refuses = (status, "no_key", "a key is needed")
    with pytest.raises(Unreachable):
        came_of(Run("r", "recommend", None, "open", {}), house)


@given(
    st.fixed_dictionaries(
        {"action": st.sampled_from(["hold", "retrain", "rehearse", "advance", "promote", "undo", "ask"])},
        optional={
            "fit": st.booleans(),
            "verdict": st.sampled_from(["passed", "failed", "not enough evidence"]),
            "version": st.just("m@2"),
            "sentence": st.text(),
        },
    )
)
def test_every_turn_there_can_be_is_said_in_a_word_the_schema_has(turn):
    house = Played()
    house.turned = turn
    _, said = came_of(Run("r", "m", None, "open", {}), house)
    fits(said)
    assert (said["status"] == "LET_IN") == (turn["action"] in ("retrain", "rehearse") and turn.get("fit") is not False
                                            and turn.get("verdict") == "passed" and "version" in turn)  # fmt: skip
    assert status_of(turn) == said["status"]


def test_what_is_said_is_short_enough_for_a_workflow(tmp_path):
    house = Played()
    house.turned = house.turned | {"sentence": "é" * 60_000}
    runs = Runs(Place(tmp_path / "shopify.db"))
    _, said = came_of(Run("r", "m", None, "open", {}), house)
    assert len(str(said).encode()) < 50_000
    assert runs.open() == []
