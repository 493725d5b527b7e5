"""The model card says where a version comes from, and cannot be broken by what it says."""

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest
import yaml

from everloop.records import Candidate, Opinion, Shape, TrainingSet, Verdict, Version
from everloop.registry.card import card, hub, interval, markdown, page
from everloop.stats.summary import summaries
from everloop.testing.registry import MONDAY

CANDIDATE = Candidate(
    id="c1", made_at=MONDAY, model="demand", artefact="a" * 64, format="skops", columns=("x",), shape=Shape(kind="number"),
    learner="Ridge()", parameters='{"alpha": 1}', learnt_from=MONDAY - timedelta(days=365), learnt_until=MONDAY - timedelta(days=30),
    rows=12_345, environment=(("scikit-learn", "1.9"),), commit="abc", knows=("orders.total('quantity', last=days(7))",), seed=7,
)  # fmt: skip
LEARNT = TrainingSet(
    id="t1", made_at=MONDAY, made_from=("s1",), model="demand", body="b" * 64, columns=("x",), rows=15_000,
    learn_rows=12_345, judge_rows=2_000,
    first_at=MONDAY - timedelta(days=365), learn_until=MONDAY - timedelta(days=30), judge_from=MONDAY - timedelta(days=23),
    last_at=MONDAY - timedelta(days=8), truths_known_at=MONDAY, immature=600, void=55,
)  # fmt: skip
OPINION = Opinion(
    clause="beats_champion('wape', by=0.02)", outcome="passed", sentence="its wape is 3.1 % better", measure="wape",
    champion=0.4321, candidate=0.4187, effect=0.031, low=0.021, high=0.041, rows=2000,
)  # fmt: skip
VERDICT = Verdict(id="vd", made_at=MONDAY, model="demand", candidate="c1", champion="v0", opinions=(OPINION,), outcome="passed")
VERSION = Version(id="v1", made_at=MONDAY, model="demand", number=1, candidate="c1", verdict="vd")


def whole(**words):
    said = {"verdict": VERDICT, "explained": "demand predicts what sells.\nIt is asked every day.", "head": "41:" + "f" * 64} | words
    return card(VERSION, CANDIDATE, said.pop("verdict"), LEARNT, **said)


def test_a_card_says_what_a_stranger_would_ask():
    text = markdown(whole())
    for said in (
        "# demand@1", "> demand predicts what sells.", "12,345", "2025-11-02 00:00 UTC", "2,000 questions from 2026-10-10 00:00 UTC",
        "alpha=1", "+3.1 % (+2.1 % to +4.1 %)", "- its wape is 3.1 % better", "**passed**", "a" * 64, "s1", "41:ffff", "abc",
        "scikit-learn",
    ):  # fmt: skip
        assert said in text, said


def test_a_card_of_a_version_from_elsewhere_says_what_is_only_of_here():
    text, here = markdown(whole(learnt_here=False)), markdown(whole())
    learnt, tried = text.index("## What it learnt from"), text.index("## What it was tried on here")
    assert learnt < text.index("12,345") < tried < text.index("2,000 questions from")
    assert "What letting it in took" in text
    assert "tried on here" not in here
    assert "What learning it took" in here


def test_a_card_is_plain_data_too():
    assert json.loads(json.dumps(whole())) == whole()
    assert whole()["lineage"]["snapshot"] == ["s1"]


def test_a_baseline_has_a_card_with_neither_verdict_nor_training_set():
    baseline = Candidate(
        id="c0", made_at=MONDAY, model="demand", artefact="a", format="baseline", columns=(), shape=Shape(kind="number"),
        learner="own past",
        parameters="",
    )  # fmt: skip
    text = markdown(card(VERSION, baseline, None, None, explained=""))
    assert "the floor every candidate has to beat" in text
    assert "not anchored" in text
    assert "None" not in text


def test_a_persons_override_is_on_the_card():
    verdict = Verdict(
        id="vd", made_at=MONDAY, model="demand", candidate="c1", champion="v0", opinions=(), outcome="failed", by="Ada", reason="now"
    )
    assert "Let in past the gate by Ada: now" in markdown(whole(verdict=verdict))


def test_hostile_words_do_not_break_the_layout():
    hostile = Opinion(clause="x|y\n# boo", outcome="failed", sentence="<script>alert(1)</script>\n\n| a |")
    verdict = Verdict(id="vd", made_at=MONDAY, model="demand", candidate="c1", champion="v0", opinions=(hostile,), outcome="failed")
    text = markdown(whole(verdict=verdict))
    assert "<script>" not in text.replace("\\<", "")
    assert "\n# boo" not in text
    rows = [line for line in text.splitlines() if "boo" in line and line.startswith("|")]
    assert [row.replace("\\|", "").count("|") for row in rows] == [7]


def test_an_interval_says_what_is_not_known():
    assert interval(Opinion(clause="", outcome="passed", sentence="")) == "—"
    assert interval(Opinion(clause="", outcome="passed", sentence="", effect=-0.5)) == "-50.0 %"
    assert interval(Opinion(clause="", outcome="passed", sentence="", effect=0.1, low=0.01)) == "+10.0 % (+1.0 % to unbounded)"


SHEET = summaries(pa.table({"x": [1.0, 2.0, None], "town": ["Bonn", "Bonn", "Köln"]}), ["x", "town"])


def test_a_card_tells_its_data_column_by_column_and_what_moves_its_answers():
    text = markdown(whole(sheet=SHEET, moves={"town": 0.2, "x": 0.8}, worth=["revenue: 12.5 a unit"]))
    assert "| x | double | 66.7% | 2 | 1 | 1.5 | 2 | — |" in text
    assert "Bonn (66.7%)" in text
    assert text.index("| x | 80.0% |") < text.index("| town | 20.0% |")
    assert "- revenue: 12.5 a unit" in text
    assert "What moves" not in markdown(whole())


@pytest.mark.parametrize(
    ("scale", "line"),
    [
        ("answer", "- **1.5**: of nobody in particular 1; town = Bonn (+0.75); x = nothing (-0.5); everything else +0.25"),
        ("log", "- **4.482**, whose logarithm is 1.5: of nobody in particular 1;"),
        ("log-odds", "- **81.8%**, as log-odds 1.5: of nobody in particular 1;"),
    ],
)
def test_a_card_shows_answers_and_what_made_them_so(scale, line):
    example = SimpleNamespace(top=(("town", "Bonn", 0.75), ("x", None, -0.5)), base=1.0, others=0.25, scale=scale)
    assert line in markdown(whole(examples=[example]))
    assert "Answers, and what made them so" not in markdown(whole())


def test_the_hub_reads_its_metadata():
    _, front, text = hub(whole()).split("---\n", 2)
    told = yaml.safe_load(front)
    assert told["library_name"] == "sklearn"
    (entry,) = told["model-index"]
    (result,) = entry["results"]
    assert result["task"]["type"] == "tabular-regression"
    assert result["metrics"] == [{"type": "wape", "value": 0.4187}]
    assert text.strip().startswith("# demand@1")


def test_the_page_draws_the_contest_and_lets_no_html_through():
    hostile = replace(VERDICT, by="Kim", reason="<script>alert(1)</script>", outcome="passed")
    text = page(whole(verdict=hostile, explained="<img src=x onerror=alert(1)>"))
    assert "<svg" in text
    assert "<table>" in text
    assert "<script>" not in text
    assert "<img" not in text
