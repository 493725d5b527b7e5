"""A roll-out that people stop by a flag of their own: undone once, journalled, and nothing else with it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from everloop.connect.openfeature import EverloopProvider
from everloop.errors import Overtaken
from everloop.loop.flags import obey_flags
from everloop.loop.people import undo
from everloop.loop.serve.routes import write_routes
from tests.ring.conftest import END

LATER = END + timedelta(hours=2)


@pytest.fixture
def switched():
    def client(on):
        api.set_provider_and_wait(InMemoryProvider({"model:prices": InMemoryFlag("set", {"set": on})}), "team")
        return api.get_client("team")

    yield client
    api.clear_providers()


def test_a_flag_that_is_off_takes_the_candidate_back_once(rolling, switched):
    house, model = rolling
    before = house.traffic(model)
    assert obey_flags(house, switched(True), LATER) == []
    assert house.traffic(model) == before
    (told,) = obey_flags(house, switched(False), LATER)
    after = house.traffic(model)
    assert (after.stage, after.champion, after.generation) == ("steady", before.champion, before.generation + 1)
    assert model.name in told
    decision = next(e.record for e in house.journal.read(kind="Decision", newest_first=True))
    assert (decision.action, decision.by, decision.because) == ("undo", "openfeature", (f"the flag model:{model.name} is off",))
    assert obey_flags(house, switched(False), LATER) == []
    assert house.traffic(model) == after


def test_only_the_roll_out_that_was_asked_about_is_undone(rolling):
    house, model = rolling
    seen = house.traffic(model).generation
    undo(house, model, by="Kim", reason="first", now=LATER, generation=seen)
    after = house.traffic(model)
    with pytest.raises(Overtaken, match="of generation"):
        undo(house, model, by="Ann", reason="second", now=LATER, generation=seen)
    assert house.traffic(model) == after


def test_whoever_was_first_is_left_alone(rolling, switched):
    house, model = rolling

    class Slow:
        """A flag service that answers after somebody undid by hand."""

        def get_boolean_details(self, *words):
            undo(house, model, by="Kim", reason="by hand", now=LATER)
            return switched(False).get_boolean_details(*words)

    assert obey_flags(house, Slow(), LATER) == []
    assert house.traffic(model).stage == "steady"
    assert len([e for e in house.journal.read(kind="Decision") if e.record.action == "undo"]) == 1


def test_the_provider_reads_the_routes_a_house_writes(rolling):
    house, model = rolling
    write_routes(house)
    provider = EverloopProvider(house.settings.house / "routes.json")
    traffic = house.traffic(model)
    names = {"champion": house.version(traffic.champion).name, "candidate": house.version(traffic.candidate).name}
    seen = set()
    for n in range(100):
        said = provider.resolve_string_details(f"model:{model.name}", "?", EvaluationContext(str(n)))
        assert said.value == names[said.variant]
        seen.add(said.variant)
    assert seen == {"champion", "candidate"}
