"""JUnit's XML, the comment and the metrics say what the records say, whatever is in their sentences."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from everloop.connect.comment import comment, metrics
from everloop.connect.junit import Case, junit, of_report, of_verdict
from everloop.records import Finding, Opinion, Report, Verdict

AT = datetime(2026, 11, 2, tzinfo=UTC)


def verdict(outcome="failed", sentence="WAPE 0.3 against 0.2", **words):
    better = Opinion(
        clause="beats_champion('wape', by=0.02)", outcome=outcome, sentence=sentence, measure="wape",
        champion=0.268, candidate=0.216, effect=0.196, low=0.099, high=0.28, rows=840,
    )  # fmt: skip
    quick = Opinion(clause="answers_within(ms=30)", outcome="passed", sentence="4 ms")
    return Verdict(id="v1", made_at=AT, model="demand", candidate="c1", champion="c0", opinions=(better, quick), outcome=outcome, **words)


def test_each_condition_is_a_test_case_and_what_is_no_pass_a_failure():
    root = ET.fromstring(junit("everloop judge", [("demand", of_verdict(verdict("not enough evidence")))]))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    (failure,) = root.iter("failure")
    assert failure.get("type") == "not enough evidence"
    assert failure.get("message") == "WAPE 0.3 against 0.2"


def test_what_a_check_found_has_its_examples():
    finding = Finding(
        source="orders",
        clause="always('id')",
        outcome="failed",
        rows=9,
        broken=2,
        met=0.7,
        share=1.0,
        sentence="2 of 9",
        examples=("row 3", "row <4>"),
    )
    report = Report(id="r", made_at=AT, model="demand", findings=(finding,))
    (failure,) = ET.fromstring(junit("everloop check", [("demand", of_report(report))])).iter("failure")
    assert failure.text == "row 3\nrow <4>"


def test_an_override_is_a_case_of_its_own():
    root = ET.fromstring(junit("x", [("demand", of_verdict(verdict("passed", by="Kim", reason="campaign")))]))
    assert [case.get("name") for case in root.iter("testcase")][-1] == "override"


@given(st.text(max_size=40), st.sampled_from(["passed", "failed"]))
def test_any_sentence_makes_xml_that_can_be_read(text, outcome):
    root = ET.fromstring(junit(text, [(text, [Case(text, text, outcome, text, (text,))])]))
    assert root.get("tests") == "1"


def test_a_comment_says_the_verdict_and_nothing_said_elsewhere_breaks_its_table():
    text = comment(verdict(sentence="a | b\n@everybody <script>"))
    assert text.startswith("<!-- everloop demand -->\n### demand failed against the champion\n")
    assert "+19.6% (+9.9% … +28.0%)" in text
    assert "- a \\| b @\u200beverybody &lt;script>" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {7}


def test_metrics_are_numbers_by_condition():
    found = json.loads(metrics(verdict("passed")))
    assert found["passed"] == 1
    assert found["beats_champion('wape', by=0.02)"]["effect"] == 0.196
    assert "answers_within(ms=30)" not in found
