"""A search for settings in a turn: on folds of the past, gone on with after a kill, told, recorded, and made again."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.errors import EverloopError
from everloop.loop import tuning
from everloop.loop.house import open_house
from everloop.loop.reproduce import reproduce
from everloop.loop.steps import train_now
from everloop.loop.turn import turn
from everloop.records import Candidate, TrainingSet
from everloop.testing.executor import ExecutorSuite
from everloop.training import trials
from tests.ring.conftest import END

pytest.importorskip("optuna")

SAID = 'learner=HistGradientBoostingRegressor(loss="absolute_error", max_iter=60),'
TUNE = "search({}, max_leaf_nodes=(2, 31), learning_rate=(0.002, 0.5), l2_regularization=[0.0, 10.0])"
SEARCH = TUNE.format(10)


def tuned(search=SEARCH, learner='HistGradientBoostingRegressor(loss="absolute_error", max_iter=8)'):
    def changed(text):
        assert SAID in text
        text = text.replace(SAID, f"learner={learner}, tune={search},")
        text = text.replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]")
        return text.replace("from everloop import", "from everloop import search\nfrom everloop import", 1)

    return changed


def learnt(house, model):
    candidate = train_now(house, model, END)
    assert isinstance(candidate, Candidate)
    return candidate


def test_a_candidate_learns_with_the_best_settings_and_says_how_they_were_found(opened):
    house, model = opened("shop", tuned())
    told = []
    candidate = learnt(replace(house, told=told.append), model)
    said = json.loads(candidate.parameters)
    assert said["settings"]
    assert said["search"]["tried"] == 10
    assert said["search"]["folds"] == 3
    assert said["search"]["best"] < said["search"]["declared"]
    assert "the best of 10 settings on 3 folds of the past: wape " in candidate.learner
    assert told[-1].startswith("demand: 10 of 10 settings tried; best so far setting ")
    assert len(told) == 4, "the learner as declared, then four, four and two settings"


def test_settings_are_compared_by_the_scaled_error_where_the_gate_asks_for_it(opened):
    house, model = opened(
        "shop", lambda text: tuned(TUNE.format(2))(text).replace("promote_when=[]", 'promote_when=beats_champion("mase")')
    )
    said = json.loads(learnt(house, model).parameters)["search"]
    assert 0 < said["best"] <= said["declared"] < 2


def test_the_settings_are_on_the_learner_that_was_stored(after):
    house, _ = after(learnt, "shop", tuned())
    (entry,) = house.journal.read(kind="Candidate", newest_first=True, limit=1)
    candidate = entry.record
    fitted = house.predictor(candidate).fitted
    settings = json.loads(candidate.parameters)["settings"]
    assert settings
    for name, value in settings.items():
        assert repr(fitted.get_params()[name]) == value


class Killed(BaseException):
    pass


def killed_after(lots, monkeypatch):
    """The process dies once so many lots of trials are kept."""
    kept, keep = [], tuning._keep

    def dying(*words):
        keep(*words)
        kept.append(words)
        if len(kept) == lots:
            raise Killed

    monkeypatch.setattr(tuning, "_keep", dying)
    return kept


@pytest.mark.parametrize("lots", [1, 2, 3])
def test_a_search_that_was_killed_goes_on_and_ends_where_it_would_have_ended(opened, kept, monkeypatch, lots):
    whole = learnt_in(kept(learnt, "shop", tuned()))
    house, model = opened("shop", tuned())
    with monkeypatch.context() as patched, pytest.raises(Killed):
        killed_after(lots, patched)
        train_now(house, model, END)
    tried = []
    monkeypatch.setattr(tuning, "attempted", counted(tried))
    again = learnt(house, model)
    assert (json.loads(again.parameters)["settings"], again.golden) == (json.loads(whole.parameters)["settings"], whole.golden)
    assert len(tried) < 11 * 3 - (1 + 4 * (lots - 1)) * 2, "what was kept is not tried again"


def learnt_in(folder):
    """The candidate of a house in which one search went through, undisturbed."""
    house = open_house(folder / "project.py")
    (entry,) = house.journal.read(kind="Candidate", newest_first=True, limit=1)
    house.store.close()
    return entry.record


def counted(tried):
    def attempted(attempt, **words):
        tried.append(attempt)
        return trials.attempted(attempt, **words)

    return attempted


def opened_anew(opened):
    """The same project and history in a house of its own, where nothing was tried before."""
    house, model = opened("shop")
    with house.store.transaction() as t:
        t.exec_driver_sql("delete from facts where name like 'trials %'")
    return house, model


def leaking(monkeypatch):
    """The mutant: folds of all rows, those that judge among them."""
    monkeypatch.setattr(trials, "learnable", lambda table, training_set, shape: table)
    monkeypatch.setattr(tuning, "learnable", lambda table, training_set, shape: table)
    trials._read.cache_clear()


@pytest.mark.parametrize("leaks", [False, True])
def test_what_judges_the_candidate_later_is_never_looked_at(opened, monkeypatch, leaks):
    """With every truth of the holdout a million the same settings lose the same; the mutant that looks at them is found out."""
    house, model = opened("shop", tuned(TUNE.format(2)))
    if leaks:
        leaking(monkeypatch)
    table, training_set = training_set_of(house, model)
    found = []
    for spoil in (False, True):
        shown = spoilt_truths(table, training_set) if spoil else table
        trials._read.cache_clear()
        read = {training_set.body: parquet(shown)}.__getitem__
        attempts = [trials.Attempt({}, fold) for fold in range(3)]
        found.append([trials.attempted(a, model=model, open=Reading(read), training_set=training_set, seed=1).loss for a in attempts])
    trials._read.cache_clear()
    assert (found[0] == found[1]) is not leaks


class Reading:
    def __init__(self, read):
        self.read = read

    def __call__(self, sha):
        return self.read(sha)


def training_set_of(house, model):
    train_now(house, model, END)
    entry = house.journal.read(kind="TrainingSet", model=model.name, newest_first=True)[0]
    assert isinstance(entry.record, TrainingSet)
    return house.table(entry.record), entry.record


def spoilt_truths(table, training_set):
    judges = pc.greater_equal(table["moment"], int(training_set.judge_from.timestamp() * 1e6))
    spoilt = pc.if_else(judges, pa.scalar(1e6), table["truth"])
    return table.set_column(table.column_names.index("truth"), "truth", spoilt)


def parquet(table):
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


def test_a_version_learnt_with_found_settings_is_made_again_to_the_last_bit(opened):
    house, model = opened("shop", tuned(TUNE.format(4)))
    turn(house, model, END)
    again = reproduce(house, model, "demand@1")
    assert (again.same, again.differing) == (True, 0)


def test_a_budget_in_seconds_ends_a_search_without_trials(opened):
    house, model = opened("shop", tuned("search(seconds=0.001, max_leaf_nodes=(2, 31))"))
    assert json.loads(learnt(house, model).parameters)["search"]["tried"] == 0


def test_a_budget_in_money_takes_a_price(opened):
    house, model = opened("shop", tuned("search(money=0.000001, max_leaf_nodes=(2, 31))"))
    with pytest.raises(EverloopError, match="nothing has a price"):
        train_now(house, model, END)
    priced = replace(house, settings=replace(house.settings, prices={"cpu_hour": 100.0}))
    assert json.loads(learnt(priced, model).parameters)["search"]["tried"] == 0


def test_settings_no_learner_takes_are_told_before_anything_is_learnt(opened):
    from everloop.errors import ProjectError

    with pytest.raises(ProjectError, match=r"has no max_leaves to search over\. Did you mean 'max_leaf_nodes'"):
        opened("shop", tuned("search(3, max_leaves=(2, 31))"))


def test_where_nothing_can_be_learnt_with_it_is_said_why(opened):
    from everloop.errors import LearnerFailed

    house, model = opened("shop", tuned(TUNE.format(2), 'HistGradientBoostingRegressor(loss="no loss")'))
    with pytest.raises(LearnerFailed, match=r"None of 3 settings could be learnt with, nor the learner as declared"):
        train_now(house, model, END)


def test_a_training_begun_anew_on_the_same_rows_goes_on_with_the_same_search(opened, monkeypatch):
    house, model = opened("shop", tuned(TUNE.format(4)))
    first = learnt(house, model)
    tried = []
    monkeypatch.setattr(tuning, "attempted", counted(tried))
    again = train_now(house, model, END.replace(minute=5))
    assert tried == []
    assert again.id != first.id
    assert json.loads(again.parameters)["settings"] == json.loads(first.parameters)["settings"]


def in_children(house):
    return replace(house, settings=replace(house.settings, child=True))


def test_children_find_what_this_process_finds(opened):
    house, model = opened("shop", tuned(TUNE.format(3)))
    here = learnt(house, model)
    house, model = opened_anew(opened)
    there = train_now(in_children(house), model, END.replace(second=1))
    assert json.loads(there.parameters)["settings"] == json.loads(here.parameters)["settings"]


class TestInChild(ExecutorSuite):
    @pytest.fixture(autouse=True)
    def house(self, opened):
        self.opened = in_children(opened("shop")[0])

    def executor(self):
        return tuning.InChild(self.opened)


def test_a_person_sees_how_far_the_search_is(opened, monkeypatch):
    house, _ = opened("shop", tuned(TUNE.format(5)))
    done = CliRunner().invoke(app, ["train", "demand", "--project", str(house.project.path), "--now", END.isoformat()])
    assert done.exit_code == 0, done.output
    assert "demand: 5 of 5 settings tried; best so far" in done.stderr
    assert "learnt from" in done.stdout
    assert "settings tried" not in done.stdout
