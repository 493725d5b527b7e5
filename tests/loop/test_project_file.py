"""A project file that cannot be meant: the mistakes of all its models are told at once, each where it was said."""

from __future__ import annotations

import pytest

from everloop.errors import EverloopError, ProjectError
from everloop.loop.project_file import open_project

HEAD = """
from sklearn.ensemble import HistGradientBoostingRegressor
from everloop import Model, Source, days, every

orders = Source("orders", id="line_id", time="ordered_at", columns={"product_id": str, "quantity": int})
"""
DEMAND = """
demand = Model(
    "demand",
    predicts=orders.total("quantity", next=days(7)),
    per="product",
    asked=every(days(1)),
    knows=orders.total("quantity", last=days(7)),
    learner=HistGradientBoostingRegressor(),
)
"""
WEEKLY = """
weekly = Model(
    "weekly",
    predicts=orders.total("quantity", next=days(7)),
    per="product_id",
    asked=every(days(7)),
    knows=orders.total("quantity", last=days(7)),
    learner=HistGradientBoostingRegressor(),
    holdout=2,
    fed_as="paper",
)
"""


@pytest.fixture
def told(tmp_path):
    def mistakes(*parts):
        (tmp_path / "project.py").write_text("".join((HEAD, *parts)))
        with pytest.raises(ProjectError) as found:
            open_project(tmp_path / "project.py")
        return [mistake.line for mistake in found.value.mistakes]

    return mistakes


def line_of(words, *parts):
    return next(n for n, line in enumerate("".join((HEAD, *parts)).splitlines(), 1) if words in line)


def test_the_mistakes_of_every_model_are_told_at_once(told):
    lines = told(DEMAND, WEEKLY)
    assert line_of('per="product"', DEMAND, WEEKLY) in lines
    assert {line_of("holdout=2", DEMAND, WEEKLY), line_of("paper", DEMAND, WEEKLY)} <= set(lines)


def test_what_is_said_like_a_mistaken_model_tells_its_mistake_once(told):
    assert told(DEMAND, 'other = demand.but("other", learns_from=days(28))\n') == [line_of('per="product"', DEMAND)]


def test_what_follows_from_a_mistake_is_not_told(told):
    assert told(DEMAND, "print(demand.no_such_word)\n") == [line_of('per="product"', DEMAND)]


def test_a_word_that_is_wrong_in_itself_is_told_with_the_mistakes_so_far(told):
    wrong = 'totals = orders.total("quantty", last=days(7))\n'
    assert set(told(DEMAND, wrong)) == {line_of('per="product"', DEMAND, wrong), line_of("quantty", DEMAND, wrong)}


def test_a_file_that_breaks_without_a_mistake_says_how_it_broke(tmp_path):
    (tmp_path / "project.py").write_text(HEAD + "1 / 0\n")
    with pytest.raises(EverloopError, match="ZeroDivisionError"):
        open_project(tmp_path / "project.py")


def test_a_model_outside_a_project_file_is_told_of_at_once():
    from everloop import Model, Source, days

    orders = Source("orders", id="line_id", time="ordered_at", columns={"quantity": int})
    with pytest.raises(ProjectError):
        Model("demand", predicts=orders.total("quantity", next=days(7)), per="line_id", knows=(), learner=print)


def test_whoever_is_leaned_on_must_be_bound_to_a_name(told):
    said = DEMAND.replace('"product"', '"product_id"')
    hidden = '\nother = demand.but("other", baseline=demand.but("hidden"))\n'
    assert told(said, hidden) == [line_of("hidden", said, hidden)]
    assert told(said, 'seen = demand.but("seen", baseline=demand)\n', hidden) == [line_of("hidden", said, hidden) + 1]
