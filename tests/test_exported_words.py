"""The words of a project file: the list is the truth, and importing them is light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import everloop

GRAMMAR = """
    Model Source text money unit minutes hours days every calendar always at_least at_most one_of fresh meets usual_volume
    beats_champion as_good_as_champion worse_than_champion fair_across answers_within cost shadow canary ab bandit
    drifted slipped new_truths yes_above quantiles search only_new since_change outcome explain note
"""
HEAVY = ("numpy", "scipy", "duckdb", "pyarrow", "sklearn", "pandas", "sqlalchemy", "deltalake", "skops")


def test_the_list_is_the_grammar_and_sorted() -> None:
    assert set(everloop.__all__) == set(GRAMMAR.split())
    assert list(everloop.__all__) == sorted(everloop.__all__)
    assert len(everloop.__all__) == 38


@pytest.mark.parametrize("word", sorted(GRAMMAR.split()))
def test_every_word_is_there_under_its_own_name(word: str) -> None:
    said = getattr(everloop, word)
    assert said.__name__ == word
    assert said.__module__.startswith("everloop.project.")
    assert said.__doc__


def test_a_word_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'everloop' has no attribute 'predict'"):
        everloop.predict


def test_dir_names_every_word() -> None:
    assert set(everloop.__all__) <= set(dir(everloop))


def test_what_type_checkers_see_is_what_there_is() -> None:
    import ast

    tree = ast.parse(Path(everloop.__file__).read_text(encoding="utf-8"))
    seen = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names} - {
        "annotations", "import_module", "TYPE_CHECKING",
    }  # fmt: skip
    assert seen == set(everloop.__all__)


@pytest.mark.parametrize("says", ["import everloop", "from everloop import *"])
def test_importing_is_light(says: str) -> None:
    script = f"{says}\nimport sys, json\nprint(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
    assert not set(HEAVY) & set(loaded)


def test_no_word_is_loaded_before_it_is_used() -> None:
    asks = "print('everloop.project.model' in sys.modules)"
    script = f"import everloop, sys; {asks}; everloop.Model; {asks}"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "True"]
