"""Evidently itself draws the two windows; nothing is fetched, and what cannot be compared is said in a sentence."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from bench.peers import ROOT, apart, environment

from everloop.errors import Missing
from everloop.loop.compared import to_evidently, two_windows
from everloop.monitor.profile import ANSWERS


@pytest.mark.slow
def test_the_page_shows_the_columns_and_what_cannot_be_compared_is_said():
    command = [environment("evidently"), Path(__file__).with_name("in_evidently.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, env=apart() | {"PYTHONPATH": str(ROOT / "src")}, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    said = json.loads(done.stdout)
    assert said["size"] > 100_000
    assert said["has"] == [True, True, True]
    assert said["refused"].startswith("There is nothing to compare: 0 rows before and 0 now")


def at_once(text):
    """Whatever is learnt answers everybody."""
    return re.sub(r"roll_out=.*", "roll_out=[],", re.sub(r"promote_when=.*", "promote_when=[],", text))


@pytest.mark.slow
def test_the_two_windows_are_those_of_drift(opened, tmp_path):
    from tests.ring.conftest import END

    from everloop.loop.answers import answer_due
    from everloop.loop.turn import turn

    house, model = opened("churn", at_once)
    turn(house, model, END)
    answer_due(house, model, END)
    before, newest = two_windows(house, model, END)
    assert before.column_names == [*model.columns, ANSWERS]
    assert len(newest) > 10
    assert set(newest.column_names) <= set(before.column_names)
    with pytest.raises(Missing, match=r"everloop\[evidently\]"):
        to_evidently(house, model, tmp_path / "report.html", END)
