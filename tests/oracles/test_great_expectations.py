"""Great Expectations itself runs a suite it saved, through everloop.connect: its verdicts become findings; what is no suite is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from bench.peers import ROOT, apart, environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def told():
    command = [environment("great_expectations"), Path(__file__).with_name("in_great_expectations.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, env=apart() | {"PYTHONPATH": str(ROOT / "src")}, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout)


def test_each_expectation_is_a_finding_with_the_rows_that_break_it(told):
    found = {(name, outcome): (rows, broken, examples) for name, outcome, rows, broken, examples, _ in told["found"]}
    assert len(told["found"]) == 8
    assert found["expect_column_values_to_not_be_null", "failed"] == (4, 1, ["b: empty"])
    assert found["expect_column_values_to_be_between", "passed"] == (4, 1, [])  # three of four are enough
    assert found["expect_column_values_to_be_between", "failed"] == (4, 1, ["b: 0"])
    assert found["expect_column_values_to_be_unique", "passed"] == (4, 0, [])
    assert found["expect_table_row_count_to_be_between", "failed"][0] == 4
    assert ("expect_column_mean_to_be_between", "passed") in found


def test_what_is_private_is_not_shown(told):
    (mail,) = (one for one in told["found"] if one[0] == "expect_column_values_to_match_regex")
    assert mail[1:5] == ["failed", 4, 2, ["d: private", "b: private"]]


def test_an_expectation_that_raises_and_rows_there_are_none_of_are_not_enough_evidence(told):
    (colour,) = (one for one in told["found"] if "colour" in one[5])
    assert colour[1] == "not enough evidence"
    assert "does not exist" in colour[5]
    assert set(told["empty"]) == {"not enough evidence"}


def test_what_is_no_suite_is_refused(told):
    assert len(told["refused"]) == 4
    assert all(said.startswith("suite.json is no suite of Great Expectations 1.x: ") for said in told["refused"])


def test_a_turn_learns_where_the_suite_holds_and_not_where_it_does_not(told):
    fit, unfit = told["fit"], told["unfit"]
    assert (fit["passed"], fit["wrong"]) == (True, [])
    assert fit["candidates"] > unfit["candidates"], "the baseline is a candidate too"
    assert unfit["passed"] is False
    assert any("quantity" in sentence for sentence in unfit["wrong"])
