"""A project that was moved: what it learnt where it lay before still answers."""

from __future__ import annotations

import shutil
import sys

from everloop.loop.house import open_house
from everloop.loop.turn import turn
from everloop.records import Candidate
from tests.ring.conftest import END

LEARNER = """

from sklearn.ensemble import HistGradientBoostingRegressor


class Trees(HistGradientBoostingRegressor):
    pass


prices = prices.but("prices", learner=make_pipeline(place_and_words, Trees(max_iter=5)))
"""


def test_a_class_of_the_project_file_is_found_wherever_the_project_lies_now(opened, tmp_path):
    house, model = opened("price", lambda text: text + LEARNER)
    turn(house, model, END)
    (learnt,) = (e.record for e in house.journal.read(kind=Candidate.__name__) if e.record.format != "baseline")
    assert any("Trees" in need for need in learnt.needs)
    house.store.close()
    moved = shutil.copytree(house.project.path.parent, tmp_path / "elsewhere")
    shutil.rmtree(house.project.path.parent)
    del sys.modules[house.project.module]
    there = open_house(moved / "project.py")
    predictor = there.predictor(there.candidate(learnt.id))
    assert type(predictor.fitted[-1]).__module__ == there.project.module


def test_a_process_whose_main_module_is_a_childs_keeps_it(opened, monkeypatch):
    from types import ModuleType

    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__mp_main__"))
    opened("price")
    assert sys.modules["__main__"].__name__ == "__mp_main__"
