"""The model card says where a version comes from, and cannot be broken by what it says."""

import json
from datetime import timedelta

from everloop.records import Candidate, Opinion, Shape, TrainingSet, Verdict, Version
from everloop.registry.card import card, interval, markdown
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
    said = {"version": VERSION, "candidate": CANDIDATE, "verdict": VERDICT, "training_set": LEARNT} | words
    return card(*said.values(), explained="demand predicts what sells.\nIt is asked every day.", head="41:" + "f" * 64)


def test_a_card_says_what_a_stranger_would_ask():
    text = markdown(whole())
    for said in (
        "# demand@1", "> demand predicts what sells.", "12,345", "2025-11-02 00:00 UTC", "2,000 questions from 2026-10-10 00:00 UTC",
        '{"alpha": 1}', "+3.1 % (+2.1 % to +4.1 %)", "- its wape is 3.1 % better", "**passed**", "a" * 64, "s1", "41:ffff", "abc",
        "scikit-learn",
    ):  # fmt: skip
        assert said in text, said


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
