"""Spark: local PySpark, in an environment of its own, gives the columns DuckDB gives; what it cannot read it says."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from bench import messy, spark

from everloop.features.compile import features
from everloop.features.truth import truths

ROWS, KEYS, QUESTIONS = 12_000, 1_000, 20_000
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What came of everything ``in_spark.py`` asks, and what DuckDB says of the same."""
    folder = tmp_path_factory.mktemp("spark")
    spark.answered_by_spark(folder, "tests.connect.in_spark")
    logs = messy.logs(60, 4)
    tables, asked = messy.tables(logs), messy.questions(60, 4, logs["sales"])
    own, inherited = messy.READINGS, messy.INHERITED
    readings = (own[1], own[3], own[5], messy.sales.latest("sku"), inherited[0], own[-1])
    expected = features(readings, asked, tables, model=messy.model).to_pylist()
    ahead = truths(messy.AHEAD[3], asked, tables, model=messy.model, known_at=messy.UNTIL)
    return SimpleNamespace(said=json.loads((folder / "told.json").read_text()), expected=expected, ahead=ahead)


@slow
def test_a_messy_log_is_read_on_spark_as_on_duckdb(tmp_path):
    logs = messy.logs(ROWS, KEYS)
    tables, asked = messy.tables(logs), messy.questions(QUESTIONS, KEYS, logs["sales"])
    spark.answered_by_spark(spark.given(tmp_path, tables, asked))
    expected = features(messy.READINGS + messy.INHERITED, asked, tables, model=messy.model)
    assert messy.differences(spark.answer(tmp_path / "features"), expected.to_pydict()) == []
    found, ahead = spark.answer(tmp_path / "truths"), truths(messy.AHEAD[0], asked, tables, model=messy.model, known_at=messy.UNTIL)
    assert found["truth"].to_pylist() == ahead.truth.to_pylist()
    assert found["mature"].to_pylist() == ahead.mature.tolist()
    assert 0 < ahead.mature.sum() < QUESTIONS


@slow
@pytest.mark.parametrize("how", ["one statement", "given as Arrow", "asked by timestamps, of a Delta table"])
def test_however_it_is_given_the_answer_is_the_same(told, how):
    assert told.said[how] == told.expected


@slow
def test_a_withdrawn_file_of_a_delta_table_is_not_read(told):
    live, there = told.said["files"]
    assert live < there


@slow
def test_truths_wait_until_they_are_mature(told):
    both = [{"truth": t, "mature": m} for t, m in zip(told.ahead.truth.to_pylist(), told.ahead.mature.tolist(), strict=True)]
    assert told.said["truths"] == both


@slow
def test_the_session_is_left_as_it_was(told):
    assert told.said["names left behind"] == []
    assert told.said["time zone afterwards"] == "America/New_York"


@slow
def test_questions_keep_their_numbers(told):
    assert told.said["numbers"] == list(range(100, 160))
    assert told.said["nobody asked"] == 0


@slow
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no number", "Unknown: There is no column 'question' in the questions."),
        ("a number twice", "ValueError: Of 120 questions 60 have no number of their own."),
        ("no moment", "ValueError: Of 60 questions 60 have no moment."),
        ("no table", "Unknown: There is no table of source 'tiers'."),
        ("no column", "Unknown: There is no column 'sku' in the table of sales."),
        ("no path", "Unknown: There is no table at"),
        ("ahead", "Unknown: There is no moment at which to know"),
    ],
)
def test_what_cannot_be_read_is_named(told, what, said):
    assert told.said[what].startswith(said)


@slow
def test_the_example_of_the_page_runs(told):
    assert [list(row.values()) for row in told.said["the page's example"]] == [[1, 30.0], [2, 61.0], [3, 0.0]]


@slow
def test_a_java_needs_no_root(tmp_path, monkeypatch):
    python = spark.environment("spark")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    home = Path(spark.java(python)["JAVA_HOME"])
    monkeypatch.undo()
    assert spark.version_of(str(home / "bin" / "java"), "--add-modules=jdk.incubator.vector") >= spark.OLDEST_JAVA


def test_spark_is_read_without_being_imported():
    """The module is there for those who never install it: its words import, and name what is missing when they are called."""
    assert importlib.util.find_spec("everloop.connect.spark") is not None
    import everloop.connect.spark as module

    assert module.features.__doc__ is not None
