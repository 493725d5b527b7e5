"""Which rows to learn from, compared on the same future: nothing is kept, nobody takes over."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from importlib import import_module

import pytest
from typer.testing import CliRunner

from everloop import days
from everloop.cli import app
from everloop.errors import EverloopError
from everloop.loop import strategies
from everloop.loop.adopt import adopt
from everloop.loop.steps import train_now
from everloop.loop.strategies import compare_strategies
from everloop.loop.turn import turn
from everloop.records import Decision
from tests.ring.conftest import END

GATE = 'promote_when=beats_champion("wape", by=0.02)'
QUICK = ("max_iter=60", "max_iter=12")


def quick(text):
    return text.replace(*QUICK)


@pytest.fixture(autouse=True)
def few_windows(monkeypatch):
    monkeypatch.setattr(strategies, "WINDOWS", (days(28), days(91)))


def by_name(found):
    return {one.says: one for one in found.tried}


def test_every_strategy_the_history_allows_answers_the_same_questions(opened):
    house, model = opened("shop", quick)
    adopt(house, model, END)
    before = len(house.journal.read())
    found = compare_strategies(house, model, END)
    tried = by_name(found)
    assert next(iter(tried)) == "everything"
    assert tried["everything"].declared
    assert {"days(28)", "days(91)", "since_change()", "only_new()"} <= set(tried)
    assert tried["days(28)"].rows < tried["days(91)"].rows < tried["everything"].rows
    assert all(one.value is not None for one in tried.values() if one.why_not is None)
    assert tried["days(28)"].low <= tried["days(28)"].effect <= tried["days(28)"].high
    assert (tried["since_change()"].why_not, tried["only_new()"].why_not) == (
        "no change was found so far", "nobody who answers has learnt yet",
    )  # fmt: skip
    assert len(house.journal.read()) == before, "nothing is kept"


def test_strategies_are_compared_by_the_scaled_error_where_the_gate_asks_for_it(opened):
    house, model = opened("shop", lambda text: quick(text).replace(GATE, 'promote_when=beats_champion("mase")'))
    adopt(house, model, END)
    found = compare_strategies(house, model, END)
    assert found.measure == "mase"
    assert all(one.value is not None for one in found.tried if one.why_not is None)


def test_the_strategy_the_file_says_is_the_one_others_are_held_against(opened):
    house, model = opened("shop", lambda text: quick(text).replace("holdout=days(21),", "holdout=days(21), learns_from=days(100),"))
    found = compare_strategies(house, model, END)
    tried = by_name(found)
    assert tried["days(100)"].declared
    assert not tried["everything"].declared
    assert tried["days(100)"].effect is None
    assert tried["everything"].effect is not None
    assert 0.95 < found.confidence < 1
    assert "days(100) (as declared)" in str(found)


def test_going_on_from_the_champion_is_compared_once_somebody_has_learnt(opened):
    house, model = opened(
        "shop", lambda text: quick(text).replace(GATE, "promote_when=[]").replace("shadow(days(1)), canary(0.25, every=days(2))", "")
    )
    turn(house, model, END - timedelta(days=60))
    traffic = house.traffic(model)
    assert house.champion(traffic).learnt_until is not None
    tried = by_name(compare_strategies(house, model, END))
    assert tried["only_new()"].why_not is None
    assert tried["only_new()"].since > house.champion(traffic).learnt_until
    assert tried["only_new()"].rows < tried["everything"].rows
    assert house.traffic(model) == traffic


def test_since_a_change_is_tried_where_a_decision_named_one(opened, monkeypatch):
    house, model = opened("shop", quick)
    changed = END - timedelta(days=70)
    monkeypatch.setattr(strategies, "newest_change", lambda *_, **__: changed)
    tried = by_name(compare_strategies(house, model, END))["since_change()"]
    assert tried.why_not is None
    assert tried.since >= changed


def test_the_newest_change_that_was_named_is_learnt_since(opened):
    house, model = opened(
        "shop",
        lambda text: (
            quick(text).replace("holdout=days(21),", "learns_from=since_change(),").replace("import (", "import (\n    since_change,", 1)
        ),
    )
    adopt(house, model, END - timedelta(days=3))
    changed = END - timedelta(days=60)
    named = Decision(
        id="d1", made_at=END - timedelta(days=2), model="demand", action="hold", because=("slipped",), cause="slip", learn_from=changed
    )
    with house.store.transaction() as t:
        house.journal.append(t, named, turn=None, verb="decide", back=timedelta(days=9))
    assert train_now(house, model, END).learnt_from >= changed


def test_before_anything_is_mature_nothing_is_compared(opened):
    house, model = opened("shop", quick)
    with pytest.raises(EverloopError, match="nothing with a mature truth is held out yet"):
        compare_strategies(house, model, END - timedelta(days=1000))


def test_a_table_for_people_and_data_for_machines(opened, monkeypatch):
    house, _ = opened("shop", quick)
    monkeypatch.setattr(strategies, "WINDOWS", (days(28),))
    words = ["judge", "demand", "--strategies", "--project", str(house.project.path), "--now", END.isoformat()]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("demand on the same ")
    assert lines[0].endswith("by WAPE (less is better):")
    assert lines[1].startswith("  everything (as declared)  ")
    assert "not tried: no change was found so far" in done.stdout
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert [one["says"] for one in told["tried"]] == ["everything", "days(28)", "since_change()", "only_new()"]


def by_heart(text):
    """A learner that knows what it has seen by heart."""
    text = text.replace('HistGradientBoostingRegressor(loss="absolute_error", max_iter=60)', "DecisionTreeRegressor()")
    return text.replace("from everloop import", "from sklearn.tree import DecisionTreeRegressor\nfrom everloop import", 1)


def test_a_strategy_that_looks_at_the_future_would_be_seen(opened, monkeypatch):
    """The mutant: rows of the holdout are learnt from. It is proven better, so the comparison can tell."""
    training_train = import_module("everloop.training.train")
    house, model = opened("shop", by_heart)
    monkeypatch.setattr(strategies, "WINDOWS", (days(28),))
    honest = by_name(compare_strategies(house, model, END))["days(28)"]
    learnable = training_train.learnable
    monkeypatch.setattr(
        training_train, "learnable", lambda table, ts, shape, since=None: table if since is not None else learnable(table, ts, shape)
    )
    leaked = by_name(compare_strategies(house, model, END))["days(28)"]
    assert leaked.effect > max(honest.effect, 0.2)
    assert replace(honest, seconds=0) != replace(leaked, seconds=0)
