"""A roll-out that people stop by a flag of their own: undone once, journalled, and nothing else with it."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from everloop.connect.openfeature import EverloopProvider
from everloop.errors import Overtaken
from everloop.loop.flags import obey_flags
from everloop.loop.house import open_house
from everloop.loop.people import answer_question, undo
from everloop.loop.serve.routes import write_routes
from everloop.loop.turn import turn
from tests.ring.conftest import END

LATER = END + timedelta(hours=2)


@pytest.fixture(scope="module")
def begun(prepared, tmp_path_factory):
    """The folder of a house whose one model is in a canary."""
    folder = tmp_path_factory.mktemp("begun") / "price"
    shutil.copytree(prepared("price"), folder)
    house = open_house(folder / "project.py")
    (model,) = house.project.models.values()
    turn(house, model, END)
    answer_question(house, model, True, by="Kim", reason="looks right", now=END + timedelta(hours=1))
    house.store.close()
    return folder


@pytest.fixture
def rolling(begun, tmp_path):
    shutil.copytree(begun, tmp_path / "price")
    house = open_house(tmp_path / "price" / "project.py")
    (model,) = house.project.models.values()
    assert house.traffic(model).stage == "canary"
    yield house, model
    house.store.close()


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
