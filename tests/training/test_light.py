"""Loading light: the compiled form where there is one that holds, the version as it was stored everywhere else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from training_tables import NOW, Shelf, number, table_of, training_set_of

from everloop.errors import ArtefactBroken
from everloop.training import Predictor, baseline, train
from everloop.training import light as loading
from everloop.training.baseline import Baseline
from everloop.training.compiled import Compiled, compiled, load_compiled
from everloop.training.light import Parity, compile_version, find_compiled, load_light, parity_of, path_of


def trained(learner):
    model, shelf = number(learner), Shelf()
    table = table_of(model)
    return train(model, table, training_set_of(table), seed=1, id="c1", now=NOW, save=shelf.save), shelf, table


@pytest.fixture(scope="module")
def boosted():
    return trained(HistGradientBoostingRegressor(max_iter=9))


def test_a_compiled_version_is_loaded_and_answers_as_the_stored_one(boosted, tmp_path):
    candidate, shelf, table = boosted
    path = compile_version(candidate, shelf.open, tmp_path)
    assert path == path_of(candidate, tmp_path)
    assert path.exists()
    light, whole = load_light(candidate, shelf.open, tmp_path), load_light(candidate, shelf.open, tmp_path / "nothing")
    assert isinstance(light, Compiled)
    assert isinstance(whole, Predictor)
    assert light.columns == whole.columns
    assert light.vocabulary == whole.vocabulary
    assert np.array_equal(light.answer(table).value, whole.answer(table).value)


def test_the_folder_may_go_at_any_time(boosted, tmp_path):
    candidate, shelf, _ = boosted
    compile_version(candidate, shelf.open, tmp_path / "compiled")
    shutil.rmtree(tmp_path / "compiled")
    assert isinstance(load_light(candidate, shelf.open, tmp_path / "compiled"), Predictor)
    assert compile_version(candidate, shelf.open, tmp_path / "compiled") is not None


@pytest.mark.parametrize("broken", [lambda body: body[:-9], lambda body: b"", lambda body: body.replace(b"f8", b"i4", 1)])
def test_a_broken_file_is_as_good_as_none_and_is_made_again(boosted, tmp_path, broken):
    candidate, shelf, _ = boosted
    path = compile_version(candidate, shelf.open, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(broken(whole))
    assert isinstance(load_light(candidate, shelf.open, tmp_path), Predictor)
    compile_version(candidate, shelf.open, tmp_path)
    assert path.read_bytes() == whole


def test_a_file_that_answers_golden_rows_otherwise_is_not_used(boosted, tmp_path):
    candidate, shelf, _ = boosted
    other, others, _ = trained(HistGradientBoostingRegressor(max_iter=3))
    wrong = compiled(loading.load_whole(other, others.open), artefact=candidate.artefact)
    path_of(candidate, tmp_path).write_bytes(wrong)
    assert find_compiled(candidate, tmp_path) is not None
    assert isinstance(load_light(candidate, shelf.open, tmp_path), Predictor)


def test_a_compiled_form_that_disagrees_is_not_kept(boosted, tmp_path, monkeypatch):
    candidate, shelf, _ = boosted

    def wrongly(predictor, *, artefact=""):
        other = HistGradientBoostingRegressor(max_iter=9, random_state=0).fit([[0.0, 0.0], [1.0, 1.0]] * 30, [0.0, 1.0] * 30)
        return compiled(replace(predictor, fitted=other), artefact=artefact)

    monkeypatch.setattr(loading, "compiled", wrongly)
    assert compile_version(candidate, shelf.open, tmp_path) is None
    assert find_compiled(candidate, tmp_path) is None


def test_what_is_not_known_stays_as_it_is_stored(tmp_path):
    candidate, shelf, table = trained(make_pipeline(SimpleImputer(), KNeighborsRegressor()))
    assert compile_version(candidate, shelf.open, tmp_path) is None
    assert compile_version(candidate, unread, tmp_path) is None  # it is remembered
    assert len(load_light(candidate, shelf.open, tmp_path).answer(table)) == len(table)


def test_rows_that_were_really_asked_are_counted_and_none_is_said_too(boosted, tmp_path):
    candidate, shelf, _ = boosted
    compile_version(candidate, shelf.open, tmp_path)
    assert parity_of(candidate, tmp_path) == Parity(True)
    assert "of rows that were really asked there were none" in str(parity_of(candidate, tmp_path))
    row = json.dumps(dict.fromkeys(candidate.columns, 1.5))
    assert compile_version(candidate, shelf.open, tmp_path, logged=[row, '{"other":1}'], at=NOW) is not None
    assert parity_of(candidate, tmp_path) == Parity(True, 1, NOW)
    assert "1 row that was really asked" in str(parity_of(candidate, tmp_path))


def test_a_form_that_serves_and_differs_on_a_row_really_asked_is_taken_away(boosted, tmp_path, monkeypatch):
    candidate, shelf, _ = boosted
    path = compile_version(candidate, shelf.open, tmp_path)
    monkeypatch.setattr(loading, "differs", lambda made, whole, golden, logged: "rows that were really asked" if len(logged) else "")
    row = json.dumps(dict.fromkeys(candidate.columns, 1.5))
    assert compile_version(candidate, shelf.open, tmp_path, logged=[row], at=NOW) is None
    assert not path.exists()
    assert parity_of(candidate, tmp_path) == Parity(False, 1, NOW, "rows that were really asked")
    assert compile_version(candidate, unread, tmp_path, logged=[row]) is None  # it is remembered
    assert isinstance(load_light(candidate, shelf.open, tmp_path), Predictor)


def unread(sha):
    raise AssertionError(f"{sha} was read")


def test_what_is_compiled_is_not_compiled_again(boosted, tmp_path):
    candidate, shelf, _ = boosted
    path = compile_version(candidate, shelf.open, tmp_path)
    assert compile_version(candidate, unread, tmp_path) == path


def test_a_baseline_is_loaded_as_it_is(tmp_path):
    model, shelf = number(HistGradientBoostingRegressor()), Shelf()
    table = table_of(model)
    candidate = baseline(model, table, training_set_of(table), id="b1", now=NOW, save=shelf.save)
    assert compile_version(candidate, shelf.open, tmp_path) is None
    assert isinstance(load_light(candidate, shelf.open, tmp_path), Baseline)


def test_no_room_for_a_compiled_form_is_no_error(boosted, tmp_path, monkeypatch):
    candidate, shelf, _ = boosted

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loading.os, "replace", full)
    compile_version(candidate, shelf.open, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert isinstance(load_light(candidate, shelf.open, tmp_path), Predictor)


def test_a_stored_version_that_is_broken_says_so(boosted, tmp_path):
    candidate, shelf, _ = boosted
    bodies = Shelf()
    bodies.bodies = {sha: body[:-1] if sha == candidate.artefact else body for sha, body in shelf.bodies.items()}
    with pytest.raises(ArtefactBroken):
        load_light(candidate, bodies.open, tmp_path)


def test_a_file_of_another_artefact_under_this_ones_name_is_not_used(boosted, tmp_path):
    candidate, shelf, _ = boosted
    body = compile_version(candidate, shelf.open, tmp_path).read_bytes()
    other = replace(candidate, artefact="f" * 64)
    path_of(other, tmp_path).write_bytes(body)
    assert load_compiled(body).artefact == candidate.artefact
    assert find_compiled(other, tmp_path) is None


# -- stand-ins: in a process of their own, where nothing has loaded a library yet ------------------------------------------------------

PROJECT = """
from prophet.base import Learner, Mixin
from prophet.trees import Boosting
from prophet import together, trees
import xgboost as xgb
import mine
class Own(Mixin, Learner):
    pass
learner = together.make_pipeline(Boosting(rounds=3))
"""
OPEN = """
import sys, importlib.util
from everloop.training.stand_in import is_stand_in, opened, really
sys.path.insert(0, {folder!r})
def open():
    spec = importlib.util.spec_from_file_location("a_project", {folder!r} + "/a_project.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["a_project"] = module
    spec.loader.exec_module(module)
    return module
made = opened(open)
"""
LIBRARY = {
    "prophet/__init__.py": "",
    "prophet/base.py": "class Learner:\n    pass\nclass Mixin:\n    pass\n",
    "prophet/trees.py": "from prophet.base import Learner\nclass Boosting(Learner):\n    def __init__(self, rounds=1):\n"
    "        self.rounds = rounds\n",
    "prophet/together.py": "def make_pipeline(*parts):\n    return parts[-1]\n",
    "xgboost.py": "",
    "mine.py": "from prophet.trees import Boosting\nclass Mine(Boosting):\n    pass\n",
}


def run(tmp_path, script, project=PROJECT):
    """A project that learns with libraries that are quickly loaded, under names that are stood in for."""
    for name, text in {**LIBRARY, "a_project.py": project}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    whole = OPEN.format(folder=str(tmp_path)) + script
    return subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True).stdout.split()


LOADED = "print([name for name in sys.modules if name.split('.')[0] in ('prophet', 'xgboost')])\n"


def test_a_project_that_only_names_learners_is_read_without_their_library(tmp_path):
    assert run(tmp_path, LOADED + "print(is_stand_in(made.learner), callable(made.learner.fit))") == ["[]", "True", "True"]


def test_what_was_read_so_is_read_for_real_when_it_is_needed(tmp_path):
    said = run(
        tmp_path,
        "real = really()\n"
        "print(type(real.learner).__module__, real.learner.rounds, real.mine.Mine.__mro__[1].__module__, really())\n"
        "import mine, a_project\n"
        "print(mine is real.mine, a_project is real, is_stand_in(real.learner))\n",
    )
    assert said == ["prophet.trees", "3", "prophet.trees", "None", "True", "True", "False"]


@pytest.mark.parametrize("line", ["more = trees.Boosting().rounds + 1", "some = together.make_pipeline(1) * 2"])
def test_a_project_that_does_more_than_name_a_library_is_read_for_real(tmp_path, line):
    said = run(tmp_path, "print(is_stand_in(made.learner), made.mine.Mine.__mro__[1].__name__)", PROJECT + line)
    assert said == ["False", "Boosting"]


def test_an_error_of_the_project_itself_is_raised(tmp_path):
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run(tmp_path, "", PROJECT + "raise ValueError('mine')")
    assert "ValueError: mine" in failed.value.stderr


def test_pyarrow_is_kept_from_loading_pandas_and_still_can(tmp_path):
    script = (
        "import sys, pyarrow as pa\nfrom everloop.loop.serve.lean import without_pandas\nwithout_pandas()\n"
        "table = pa.table({'x': [1, 2]})\nprint('pandas' in sys.modules)\nprint(table.to_pandas().shape[0], 'pandas' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert said == ["False", "2", "True"]
