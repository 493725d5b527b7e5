"""Lean workers: the versions that serve are compiled, once, by whoever has what it takes to load them."""

from __future__ import annotations

from datetime import UTC, datetime

from everloop.loop.resume import go_round
from everloop.loop.serve import lean
from everloop.loop.serve.compiled import compile_served
from everloop.training import light
from everloop.training.compiled import Compiled
from everloop.training.light import load_light

END = datetime(2026, 11, 1, tzinfo=UTC)


def test_the_versions_in_the_traffic_are_compiled_once_and_answer_golden_rows(opened, monkeypatch):
    house, model = opened("shop")
    go_round(house, model, END)
    assert compile_served(house, END) == []
    candidate = house.candidate(house.version(house.traffic(model).candidate).candidate)
    found = load_light(candidate, house.blobs.read, house.settings.house / "compiled")
    assert isinstance(found, Compiled)

    def load_again(*_, **__):
        raise AssertionError("it was loaded again")

    house.predictors.clear()
    monkeypatch.setattr(light, "load_whole", load_again)
    assert compile_served(house, END) == []


OWN = "class Own(HistGradientBoostingRegressor):\n    pass\n\n\norders = Source("


def test_versions_that_cannot_be_compiled_are_named(opened):
    house, model = opened(
        "shop", lambda text: text.replace("orders = Source(", OWN).replace("learner=HistGradientBoostingRegressor", "learner=Own")
    )
    go_round(house, model, END)
    assert compile_served(house, END) == [house.traffic(model).candidate]


def test_the_environment_of_a_worker_is_text():
    assert all(isinstance(value, str) for pair in lean.LEAN.items() for value in pair)
