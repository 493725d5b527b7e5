"""Reasons and versions of a house as a worker tells them: of the answers that were given, by whoever gave them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from everloop.errors import EverloopError
from everloop.loop.resume import go_round
from everloop.loop.serve.compiled import compile_served
from everloop.serving.answered import private_columns
from everloop.serving.asks import Because
from everloop.serving.doors import InForce
from tests.ring.conftest import END
from tests.ring.test_doors import doors, some_requests  # noqa: F401

LATER = END + timedelta(hours=1)


def gone_round(house, model):
    go_round(house, model, END)


@pytest.fixture
def rolling(after):
    """A house whose candidate answers half of the units."""
    house, model = after(
        gone_round,
        "shop",
        lambda text: text.replace("roll_out=[shadow(days(1)), canary(0.25, every=days(2))]", "roll_out=[canary(0.5, every=days(2))]"),
    )
    compile_served(house, END)
    assert house.traffic(model).stage == "canary"
    return house, model


def test_an_answer_of_trees_is_explained_to_its_last_digit_and_a_baselines_is_not(rolling, doors):  # noqa: F811
    house, model = rolling
    door = doors(house)
    given = door.predict(model.name, some_requests(house, model, 30), LATER)
    told = list(zip(given, door.because(model.name, given), strict=True))
    assert {answer.arm for answer in given} == {"champion", "candidate"}
    for answer, why in told:
        if answer.arm == "champion":
            assert why == "Only trees are explained, and this version is the baseline."
            continue
        assert isinstance(why, Because), why
        assert 0 < len(why.top) <= 5
        assert why.base + why.others + sum(added for _, _, added in why.top) == pytest.approx(answer.value, rel=1e-6)
        assert all(dict(answer.features)[name] == value for name, value, _ in why.top)


def test_who_is_in_force_and_who_answers_each_unit_is_what_they_are_then_answered_by(rolling, doors):  # noqa: F811
    house, model = rolling
    door, requests = doors(house), some_requests(house, model, 30)
    assert door.in_force(model.name) == InForce(house.version(house.traffic(model).champion).name, "demand@1")
    given = door.predict(model.name, requests, LATER)
    assert list(door.assigned(model.name, requests)) == [door.named(answer.version) for answer in given]


def test_a_private_column_is_not_explained(rolling, doors, monkeypatch):  # noqa: F811
    import everloop.loop.serve.explained as of_explained

    house, model = rolling
    door = doors(house)
    given = [one for one in door.predict(model.name, some_requests(house, model, 30), LATER) if one.arm == "candidate"]
    assert private_columns(model) == frozenset()
    monkeypatch.setattr(of_explained, "private_columns", lambda model: frozenset(model.columns[:1]))
    assert {str(why).partition(" is private")[0] for why in door.because(model.name, given)} == {model.columns[0]}


def test_a_model_that_has_not_begun_has_nobody_in_force(opened, doors):  # noqa: F811
    house, model = opened("shop")
    with pytest.raises(EverloopError, match="has not begun"):
        doors(house).in_force(model.name)
