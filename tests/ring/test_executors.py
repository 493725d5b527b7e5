"""What goes through an executor comes out as it did in one process: settings found, training sets, profiles, batches, a model for each."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from everloop import lake
from everloop.errors import CodeChanged, LearnerFailed
from everloop.loop import executors, profiles, training_sets
from everloop.loop.answers import answer_due, answers_of
from everloop.loop.batch.score import Batch, score
from everloop.loop.executors import Opened, executor_of
from everloop.loop.project_file import open_project
from everloop.loop.steps import train_now
from everloop.settings import Executor
from everloop.training.child import called
from everloop.training.processes import Processes
from everloop.training.sent import done, outcome_of, packed, work_of
from tests.ring.conftest import END, first_turn
from tests.ring.test_tuning import TUNE, learnt, opened_anew, tuned

SAID = 'learner=HistGradientBoostingRegressor(loss="absolute_error", max_iter=60),'
EACH = 'learner=Each(LinearRegression(), by="sold", least=30), fed_as="arrow",'


class Travelling:
    """As one that does its work elsewhere, but here: everything is packed and unpacked on its way, and counted."""

    def __init__(self):
        self.names = []

    def map(self, fn, items):
        work = work_of(fn)
        found = []
        for item in items:
            self.names.append(work.name)
            outcome = outcome_of(done(work, packed(item, "it")))
            if outcome.error is not None:
                raise outcome.error
            found.append(outcome.result)
        return found


@pytest.fixture
def spread(monkeypatch):
    """The same house, whose pieces of work travel; and the names of those that did."""

    def spreading(house):
        travelling = Travelling()
        monkeypatch.setattr(executors, "executor_of", lambda *_, **__: travelling)
        return replace(house), travelling.names

    return spreading


def in_processes(house, workers=2):
    return replace(house, settings=replace(house.settings, executor=Executor(url="processes", workers=workers), child=True))


def test_a_house_that_names_no_executor_has_none(opened):
    house, _ = opened("shop")
    assert house.executor is None
    assert type(in_processes(house).executor) is Processes
    assert in_processes(house, 3).executor.workers == 3


def test_a_training_set_by_parts_is_the_one_in_one_piece(opened, spread, monkeypatch):
    house, model = opened("shop")
    monkeypatch.setattr(training_sets, "EVENTS", 8_000)
    (there, names), words = spread(house), {"now": END, "id": "ts", "save": house.blobs.save, "max_questions": 900, "seed": 5}
    whole = training_sets.put_together(house, model, house.tables(model), **words)
    assert training_sets.put_together(there, model, house.tables(model), **words) == whole
    assert whole.rows > 500
    assert names.count("Asking") == names.count("featured") >= 3


def test_a_small_training_set_is_put_together_here(opened, spread):
    house, model = opened("shop")
    there, names = spread(house)
    training_sets.put_together(there, model, house.tables(model), now=END, id="ts", save=house.blobs.save)
    assert names == []


@pytest.mark.slow
def test_settings_are_found_wherever_they_are_tried(opened, spread):
    pytest.importorskip("optuna")
    house, model = opened("shop", tuned(TUNE.format(1)))
    here = json.loads(learnt(house, model).parameters)["settings"]
    house, model = opened_anew(opened)
    there, names = spread(house)
    assert json.loads(train_now(there, model, END + timedelta(seconds=1)).parameters)["settings"] == here
    assert names.count("attempted") == 2 * 3


def test_a_batch_is_the_same_file_wherever_it_was_answered(opened, spread, tmp_path):
    house, model = opened("shop")
    there, names = spread(house)
    score(house, Batch(model, tmp_path / "here.parquet", at_said=True), END, size=7)
    score(there, Batch(model, tmp_path / "there.parquet", at_said=True), END, size=7)
    assert pq.read_table(tmp_path / "there.parquet").equals(pq.read_table(tmp_path / "here.parquet"))
    assert set(names) == {"Scoring"}
    assert len(names) >= 6


@pytest.mark.slow
def test_windows_of_answers_are_counted_alike(after, spread, monkeypatch):
    house, model = after(first_turn, "shop")
    for day in range(1, 4):
        answer_due(house, model, END + timedelta(days=day))
    candidate = train_now(house, model, END + timedelta(days=3))
    reference = profiles.reference_of(house, model, candidate)
    given = profiles.in_windows(model, answers_of(house, model))
    here = profiles.windows_of(house, model, candidate, reference, given)
    with house.store.transaction() as t:
        t.exec_driver_sql("DELETE FROM facts WHERE name LIKE 'seen%'")
    monkeypatch.setattr(profiles, "MANY", 10)
    monkeypatch.setattr(profiles, "PIECE", 9)
    there, names = spread(house)
    counted = profiles.windows_of(there, model, candidate, reference, given)
    assert [one.to_plain() for one in counted] == [one.to_plain() for one in here]
    assert len(names) > 3


def of_each(text):
    assert SAID in text
    text = text.replace(SAID, EACH).replace('orders.latest("price")', 'orders.latest("price"), orders.latest("product_id").named("sold")')
    imports = "from sklearn.linear_model import LinearRegression\nfrom everloop.training.each import Each\n"
    return text.replace("from everloop import", f"{imports}from everloop import", 1)


@pytest.mark.slow
def test_in_processes_of_this_machine_a_turn_comes_out_as_in_one(opened, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.setattr(training_sets, "EVENTS", 8_000)
    house, model = opened("shop", tuned(TUNE.format(3)))
    here = learnt(house, model)
    house, model = opened_anew(opened)
    spreading = in_processes(house)
    mapped, as_ever = [], Processes.map
    monkeypatch.setattr(Processes, "map", lambda self, fn, items: mapped.append(called(fn)) or as_ever(self, fn, items))
    there = train_now(spreading, model, END + timedelta(seconds=1))
    assert json.loads(there.parameters)["settings"] == json.loads(here.parameters)["settings"]
    assert house.table(spreading.learnt_from(there)).equals(house.table(house.learnt_from(here)))
    assert {"attempted", "Asking", "featured"} <= set(mapped)


@pytest.mark.slow
def test_what_a_project_file_declares_is_found_in_processes_and_on_machines_without_it(opened, tmp_path):
    house, model = opened("shop")
    opening = Opened(house.project.path, house.project.path.read_bytes(), house.project.code)
    elsewhere, older = (replace(opening, path=tmp_path / folder / "project.py") for folder in ("nowhere", "older"))
    older.path.parent.mkdir()
    older.path.write_bytes(older_file(opening.text))
    for first in (opening, elsewhere, older):
        made = Processes(1, first=first)
        try:
            (found,) = made.map(named, [model])
        finally:
            made.end()
        assert found == (model.name, repr(model.learner))


def older_file(text):
    return text + b"\nraise SystemExit('the older file was opened')\n"


def test_on_a_machine_with_an_older_file_the_one_that_was_sent_is_opened(opened, tmp_path):
    house, _ = opened("shop")
    opening = executors.opened(house.project.path, house.project.code)
    there = replace(opening, path=tmp_path / "project.py")
    there.path.write_bytes(older_file(opening.text))
    with pytest.raises(SystemExit):
        open_project(there.path)
    there()


def test_on_a_machine_with_other_code_beside_the_file_nothing_is_done(opened, tmp_path):
    path = opened("shop")[0].project.path
    path.with_name("beside_it.py").write_text("rows = 2\n")
    path.write_text(path.read_text().replace("from everloop", "import beside_it\nfrom everloop", 1))
    opening = executors.opened(path, open_project(path).code)
    there = replace(opening, path=tmp_path / "project.py")
    there.path.write_bytes(opening.text)
    there.path.with_name("beside_it.py").write_text("rows = 1\n")
    with pytest.raises(CodeChanged, match=r"project\.py, or what it imports, is not on this machine what it was"):
        there()
    with pytest.raises(LearnerFailed, match=r"named was not done: project\.py, or what it imports"):
        raise outcome_of(done(work_of(named, there), packed(None, "it"))).error


def named(model):
    return model.name, repr(model.learner)


def test_settings_name_each_executor(opened):
    house, _ = opened("shop")
    kinds = {}
    for url in ("processes", "ray", "ray://head:10001", "ray+node://head:6379", "dask://head:8786"):
        made = executor_of(replace(house.settings, executor=Executor(url=url, workers=3)))
        kinds[url] = (type(made).__name__, made.workers)
    assert [kind for kind, _ in kinds.values()] == ["Processes", "Ray", "Ray", "Ray", "Dask"]
    assert {count for _, count in kinds.values()} == {3}


def test_a_model_for_each_product_is_learnt_stored_answered_and_made_again(opened):
    house, model = opened("shop", of_each)
    candidate = learnt(house, model)
    fitted = house.predictor(candidate).fitted
    assert len(fitted.models_) == 40
    table = house.table(house.learnt_from(candidate))
    answers = house.predictor(candidate).answer(table.slice(0, 50))
    assert answers.value.shape == (50,)
    assert (answers.value == answers.value).all()


def test_events_that_do_not_go_into_memory_are_parts_in_files_and_the_bytes_are_the_same(opened, spread, monkeypatch):
    house, model = opened("shop")
    snapshot = lake.snapshot(house.lake, model.sources, now=END, id="snap")
    words = {"now": END, "id": "ts", "save": house.blobs.save}
    whole = training_sets.of_snapshot(house, model, snapshot, **words)
    monkeypatch.setattr(training_sets, "HELD", 1_000)
    monkeypatch.setattr(training_sets, "OF_A_FILE", 8_000)
    there, names = spread(house)
    monkeypatch.setattr(type(house), "read", None)
    assert training_sets.of_snapshot(there, model, snapshot, **words) == whole
    assert names.count("featured") > 3
    assert list(house.settings.house.glob("parts-*")) == []
