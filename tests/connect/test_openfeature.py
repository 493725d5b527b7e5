"""The flags ``model:NAME``, asked of the real OpenFeature SDK: who answers a unit, why, and what is said where nobody can tell."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from queue import SimpleQueue

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.exception import ErrorCode, ParseError, ProviderNotReadyError
from openfeature.flag_evaluation import Reason
from openfeature.provider import ProviderStatus
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from everloop.connect.openfeature import EverloopProvider, stopped
from everloop.records import Traffic
from everloop.registry.written import as_data
from everloop.rollout.assign import arm_of, compared
from everloop.testing.registry import traffic

NAMES = {"v0": "demand@0", "v1": "demand@1", "v2": "demand@2"}


def canary(share=0.2, generation=2):
    return replace(traffic(generation, stage="canary", candidate="v1", share=share, salt="s"), champion="v0", model="demand")


def put(path, *models: Traffic, form=1):
    versions = {id: {"name": name, "candidate": {"anything": 1}} for id, name in NAMES.items()}
    routes = {one.model: {"traffic": as_data(one), "versions": versions} for one in models}
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"form": form, "number": 1, "salt": "x", "keys": [], "models": routes}))
    part.replace(path)


@pytest.fixture
def routes(tmp_path):
    path = tmp_path / "routes.json"
    put(path, canary())
    return path


@pytest.fixture
def client(routes):
    api.set_provider_and_wait(EverloopProvider(routes), "everloop")
    yield api.get_client("everloop")
    api.clear_providers()


def unit(key):
    return EvaluationContext(targeting_key=key)


def test_a_flag_is_the_version_that_answers_the_unit_and_its_arm_is_the_variant(client):
    seen = set()
    for n in range(300):
        said = client.get_string_details("model:demand", "?", unit(str(n)))
        arm = arm_of(str(n), canary())
        assert (said.value, said.variant, said.error_code) == ("demand@1" if arm == "candidate" else "demand@0", arm, None)
        assert said.reason == (Reason.SPLIT if compared(str(n), canary()) else Reason.DEFAULT)
        assert said.flag_metadata == {"stage": "canary", "share": 0.2, "generation": 2, "compared": compared(str(n), canary())}
        seen.add((said.variant, said.reason))
    assert seen == {("champion", Reason.DEFAULT), ("champion", Reason.SPLIT), ("candidate", Reason.SPLIT)}


def test_of_several_candidates_each_unit_is_told_its_own(client, routes):
    several = replace(canary(0.7), arms=("v1", None, "v2"))
    put(routes, several)
    seen = set()
    for n in range(300):
        said = client.get_string_details("model:demand", "?", unit(str(n)))
        assert (said.variant, said.value) == (arm_of(str(n), several), NAMES[several.by_arm[said.variant]])
        seen.add(said.variant)
    assert seen == {"champion", "candidate", "candidate-3"}


def test_asked_for_an_object_it_tells_all_of_it(client):
    said = client.get_object_details("model:demand", {}, unit("1"))
    arm = arm_of("1", canary())
    assert said.value == {
        "version": "demand@1" if arm == "candidate" else "demand@0",
        "arm": arm,
        "stage": "canary",
        "share": 0.2,
        "generation": 2,
        "compared": compared("1", canary()),
    }
    assert said.variant == arm


@pytest.mark.parametrize("stage", ["steady", "shadow", "bake"])
def test_outside_a_canary_nobody_has_to_say_a_unit(stage, client, routes):
    put(routes, replace(canary(), stage=stage))
    said = client.get_string_details("model:demand", "?")
    assert (said.value, said.variant, said.reason) == ("demand@0", "champion", Reason.STATIC)


def test_asked_without_waiting_it_says_the_same(client):
    told = asyncio.run(client.get_string_value_async("model:demand", "?", unit("1")))
    assert told == client.get_string_value("model:demand", "?", unit("1"))


@pytest.mark.parametrize(
    ("flag", "context", "code", "told"),
    [
        ("model:demand", None, ErrorCode.TARGETING_KEY_MISSING, "say the unit"),
        ("model:demand", unit(""), ErrorCode.TARGETING_KEY_MISSING, "say the unit"),
        ("model:demand", unit(7), ErrorCode.INVALID_CONTEXT, "is int, and a unit is a text"),
        ("model:churn", unit("1"), ErrorCode.FLAG_NOT_FOUND, "There are: model:demand."),
        ("demand", unit("1"), ErrorCode.FLAG_NOT_FOUND, "demand is no flag"),
        ("", unit("1"), ErrorCode.FLAG_NOT_FOUND, "is no flag"),
    ],
)
def test_what_cannot_be_told_is_the_default_with_the_code_of_the_specification(flag, context, code, told, client):
    said = client.get_string_details(flag, "mine", context)
    assert (said.value, said.reason, said.error_code) == ("mine", Reason.ERROR, code)
    assert told in said.error_message


def test_a_version_is_no_switch_and_no_number(client):
    for said in (
        client.get_boolean_details("model:demand", False, unit("1")),
        client.get_integer_details("model:demand", 3, unit("1")),
        client.get_float_details("model:demand", 0.5, unit("1")),
    ):
        assert (said.value in (False, 3, 0.5), said.error_code) == (True, ErrorCode.TYPE_MISMATCH)
    assert client.get_boolean_details("model:churn", False).error_code == ErrorCode.FLAG_NOT_FOUND


def test_traffic_that_moved_is_followed_and_told(client, routes):
    changed = SimpleQueue()
    client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, lambda details: changed.put(details.flags_changed))
    assert client.get_object_value("model:demand", {}, unit("1"))["share"] == 0.2
    put(routes, canary(1.0, 3), replace(canary(), model="churn"))
    assert client.get_string_value("model:demand", "?", unit("1")) == "demand@1"
    assert client.get_string_value("model:demand", "?", unit("1")) == "demand@1"
    assert changed.get(timeout=5) == ["model:churn", "model:demand"]
    assert changed.empty()


@pytest.mark.parametrize("torn", [None, b"", b'{"form": 1, "mod', b"[]", b"\xff\xfe", b'{"form": 2, "models": {}}'])
def test_while_the_file_cannot_be_read_the_last_routes_are_told_as_stale(torn, client, routes):
    before = client.get_string_details("model:demand", "?", unit("1"))
    events = SimpleQueue()
    for event in (ProviderEvent.PROVIDER_STALE, ProviderEvent.PROVIDER_READY):
        client.add_handler(event, lambda _, event=event: events.put(event))
    assert events.get(timeout=5) is ProviderEvent.PROVIDER_READY  # a handler is told at once that all is well
    routes.unlink()
    if torn is not None:
        routes.write_bytes(torn)
    for _ in range(2):
        said = client.get_string_details("model:demand", "?", unit("1"))
        assert (said.value, said.reason, said.error_code) == (before.value, Reason.STALE, None)
    assert client.get_provider_status() is ProviderStatus.STALE
    assert events.get(timeout=5) is ProviderEvent.PROVIDER_STALE
    put(routes, canary())
    assert client.get_string_details("model:demand", "?", unit("1")).reason == before.reason
    assert client.get_provider_status() is ProviderStatus.READY
    assert events.get(timeout=5) is ProviderEvent.PROVIDER_READY
    assert events.empty()


def test_a_house_that_never_wrote_routes_is_not_ready_until_it_does(tmp_path):
    path = tmp_path / "routes.json"
    with pytest.raises(ProviderNotReadyError, match="everloop run"):
        api.set_provider_and_wait(EverloopProvider(path), "late")
    client = api.get_client("late")
    assert client.get_string_details("model:demand", "mine", unit("1")).error_code == ErrorCode.PROVIDER_NOT_READY
    path.write_text("{")
    assert client.get_string_details("model:demand", "mine", unit("1")).error_code == ErrorCode.PARSE_ERROR
    with pytest.raises(ParseError, match="holds no routes"):
        EverloopProvider(path).initialize(EvaluationContext())
    put(path, canary(1.0))
    assert client.get_string_value("model:demand", "mine", unit("1")) == "demand@1"
    assert client.get_provider_status() is ProviderStatus.READY
    api.clear_providers()


# -- the other way round -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def switches():
    """A client of a team's own flag service, which has these flags."""

    def made(flags):
        api.set_provider_and_wait(InMemoryProvider(flags), "team")
        return api.get_client("team")

    yield made
    api.clear_providers()


def flag(value, **words):
    return InMemoryFlag("set", {"set": value}, **words)


@pytest.mark.parametrize(
    ("flags", "stop"),
    [
        ({"model:demand": flag(False)}, True),
        ({"model:demand": flag(True)}, False),
        ({"model:demand": flag("false")}, False),
        ({"model:demand": flag(0)}, False),
        ({"model:churn": flag(False)}, False),
        ({}, False),
    ],
)
def test_only_a_flag_that_is_there_and_says_false_stops(flags, stop, switches):
    assert stopped(switches(flags), canary()) is stop


def test_a_flag_service_that_fails_stops_nobody(switches):
    client = switches({})
    client.provider.resolve_boolean_details = lambda *a, **k: 1 / 0
    assert not stopped(client, canary())


def test_what_the_flag_service_is_told_can_decide(switches):
    def above_a_tenth(flag, context):
        from openfeature.flag_evaluation import FlagResolutionDetails

        assert context.targeting_key == "demand"
        return FlagResolutionDetails(context.attributes["share"] <= 0.1, reason=Reason.TARGETING_MATCH)

    client = switches({"model:demand": flag(True, context_evaluator=above_a_tenth)})
    assert (stopped(client, canary(0.05)), stopped(client, canary(0.2))) == (False, True)


def test_the_house_s_own_provider_is_no_switch(client):
    assert not stopped(client, canary())
