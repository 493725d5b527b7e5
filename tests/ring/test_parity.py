"""Compiled forms and what was really asked: one that answers a logged row otherwise stops serving, and somebody is told."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from everloop.loop.house import open_house
from everloop.loop.look import why
from everloop.loop.people import answer_question
from everloop.loop.serve.compiled import AGAIN, compile_served, really_asked
from everloop.loop.serve.routes import composed
from everloop.loop.turn import turn
from everloop.training import light
from everloop.training.compiled import Compiled, load_compiled
from everloop.training.light import Parity, parity_of
from tests.ring.test_doors import doors

__all__ = ["doors"]

END = datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 1, 2, tzinfo=UTC)
RARE = 4711.125


@dataclass(frozen=True)
class WrongOnce(Compiled):
    """A mutant: one area, which nobody learnt from, is answered by one bit too much."""

    def answer(self, features):
        said = super().answer(features)
        there = features.column("area").to_numpy(zero_copy_only=False) == RARE
        return replace(said, value=np.where(there, np.nextafter(said.value, np.inf), said.value))


def mutant(data, *, artefact=None):
    made = load_compiled(data, artefact=artefact)
    return WrongOnce(made.shape, made.feed, made.fitted, made.artefact)


@pytest.fixture(scope="module")
def begun(prepared, tmp_path_factory):
    """The folder of a house whose model, without the adverts' words, is in a canary."""
    folder = tmp_path_factory.mktemp("parity") / "price"
    shutil.copytree(prepared("price"), folder)
    project = folder / "project.py"
    said = project.read_text().replace('    (TfidfVectorizer(max_features=50), "advert"),\n', "").replace(', "advert")', ")")
    project.write_text(said)
    house = open_house(project)
    (model,) = house.project.models.values()
    turn(house, model, END)
    answer_question(house, model, True, by="Kim", reason="looks right", now=END + timedelta(hours=1))
    house.store.close()
    return folder


@pytest.fixture
def asked(begun, doors, tmp_path):
    """A house that is in a canary and was asked about such areas; its model, and the candidate."""
    shutil.copytree(begun, tmp_path / "price")
    house = open_house(tmp_path / "price" / "project.py")
    (model,) = house.project.models.values()
    shutil.rmtree(house.settings.compiled, ignore_errors=True)

    door = doors(house)

    def ask(*areas):
        for n, area in enumerate(areas):
            door.predict(model.name, [{"house_id": f"new{n}", "area": area, "rooms": 3, "zip": "1010"}], NOW)
        return house, model, house.candidate(house.version(house.traffic(model).candidate).candidate)

    yield ask
    house.store.close()


def alerts(house):
    return [kept.alert.sentence for kept in house.outbox.waiting()]


def test_a_form_that_is_wrong_only_on_what_the_log_holds_does_not_serve(asked, monkeypatch):
    house, model, candidate = asked(80.0, RARE)
    monkeypatch.setattr(light, "load_compiled", mutant)
    left = compile_served(house, NOW + timedelta(minutes=1))
    assert house.traffic(model).candidate in left
    parity = parity_of(candidate, house.settings.compiled)
    assert (parity.agrees, parity.differs) == (False, "rows that were really asked")
    named = composed(house).models[model.name].versions
    assert any(one.whole for one in named.values())
    (told,) = [one for one in alerts(house) if "compiled form" in one]
    assert "rows that were really asked" in told
    compile_served(house, NOW + timedelta(hours=3))
    assert len([one for one in alerts(house) if "compiled form" in one]) == 1


def test_the_same_form_serves_where_nobody_asked_such_a_thing(asked, monkeypatch):
    house, model, candidate = asked(80.0, 90.0)
    monkeypatch.setattr(light, "load_compiled", mutant)
    compile_served(house, NOW + timedelta(minutes=1))
    assert parity_of(candidate, house.settings.compiled) == Parity(True, 2, NOW + timedelta(minutes=1))
    assert not any("compiled form" in one for one in alerts(house))
    assert any("2 rows that were really asked" in line for line in why(house, f"{model.name}@1")[0])


def test_what_is_asked_later_is_looked_at_later(asked, monkeypatch):
    house, _, candidate = asked()
    compile_served(house, NOW)
    assert parity_of(candidate, house.settings.compiled) == Parity(True, 0, NOW)
    asked(RARE)
    monkeypatch.setattr(light, "load_compiled", mutant)
    compile_served(house, NOW + AGAIN / 2)
    assert parity_of(candidate, house.settings.compiled) == Parity(True, 0, NOW)
    compile_served(house, NOW + AGAIN)
    assert parity_of(candidate, house.settings.compiled).differs


def test_each_set_of_features_is_asked_once(asked):
    house, model, _ = asked(80.0, 80.0, 90.0)
    assert len(really_asked(house, model, NOW + timedelta(minutes=1))) == 2
    assert len(really_asked(house, model, NOW + timedelta(minutes=1), most=1)) == 1
    assert really_asked(house, model, NOW + timedelta(days=40)) == []
