"""What a table of runs must be able to do, as tests to inherit; see ``testing.registry``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from everloop.records import Candidate, Opinion, Shape, Verdict
from everloop.registry.runs import Runs, terms_of
from everloop.registry.store import open_store
from everloop.testing.registry import MONDAY, Transactions


def run_of(number: int, **words: Any) -> Candidate:
    """A candidate that was learnt at the ``number``-th hour of a Monday, with its ``number`` as a parameter.

    >>> run_of(3).id
    'run-3'
    """
    told = f'{{"depth": {number}, "loss": "{"mae" if number % 2 else "mse"}"}}'
    said: dict[str, Any] = {"id": f"run-{number}", "made_at": MONDAY + timedelta(hours=number), "model": "demand", "artefact": "a"}
    said |= {"format": "skops", "columns": ("x",), "shape": Shape(kind="number"), "learner": f"Learner{number % 2}", "parameters": told}
    return Candidate(**{**said, **words})


class RunSuite:
    """Runs are found by what they were given and what they came to, whatever database keeps them."""

    def open(self, folder: Path) -> tuple[Transactions, Runs]:
        store = open_store(f"sqlite:///{folder / 'house.db'}")
        return store, Runs(store)

    def _with(self, folder: Path) -> tuple[Transactions, Runs]:
        store, runs = self.open(folder)
        with store.transaction() as t:
            for number in range(1, 5):
                runs.learnt(t, run_of(number))
            for number, value in ((1, 0.5), (2, 0.3)):
                opinion = Opinion(clause="c", outcome="passed", sentence="s", measure="wape", candidate=value)
                said: dict[str, Any] = {"id": f"verdict-{number}", "made_at": MONDAY, "model": "demand", "opinions": (opinion,)}
                runs.judged(t, Verdict(**said, candidate=f"run-{number}", champion="b", outcome="passed"))
        return store, runs

    def _found(self, folder: Path, text: str, **words: Any) -> list[str]:
        _, runs = self._with(folder)
        return [run.candidate for run in runs.page(terms_of(text), **words)]

    def test_the_newest_comes_first(self, tmp_path: Path) -> None:
        assert self._found(tmp_path, "") == ["run-4", "run-3", "run-2", "run-1"]

    def test_numbers_are_compared_as_numbers_and_texts_as_texts(self, tmp_path: Path) -> None:
        assert self._found(tmp_path, "depth>=3 loss=mae") == ["run-3"]
        assert self._found(tmp_path, "loss>3") == []

    def test_a_measure_is_found_and_what_has_none_is_not(self, tmp_path: Path) -> None:
        assert self._found(tmp_path, "wape<0.4") == ["run-2"]
        assert self._found(tmp_path, "wape!=0.3") == ["run-1"]

    def test_they_are_ordered_by_a_measure_or_a_parameter(self, tmp_path: Path) -> None:
        assert self._found(tmp_path, "", by="wape") == ["run-2", "run-1"]

    def test_a_word_is_looked_for_whatever_its_case(self, tmp_path: Path) -> None:
        assert self._found(tmp_path, "learner1") == ["run-3", "run-1"]

    def test_a_name_that_looks_like_a_query_finds_nothing(self, tmp_path: Path) -> None:
        assert self._found(tmp_path, """"x') OR 1=1 --"=1""") == []
