"""Writers and sealers are killed at random moments; every answer that was acknowledged is in the table once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def killed(folder, seed, rounds, *words):
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(seed), str(rounds), *words], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return [int(n) for n in done.stdout.split()]


def test_killed_at_random_every_acknowledged_answer_is_in_the_table_once(tmp_path):
    acknowledged, there, twice, left, damaged = killed(tmp_path, 1, 10)
    assert acknowledged > 100
    assert there == acknowledged
    assert (twice, left, damaged) == (0, 0, 0)


def test_a_table_that_keeps_no_markers_would_hold_answers_twice(tmp_path):
    """The mutant: killed between append and removal, the segment is appended again."""
    assert killed(tmp_path, 1, 8, "forgetful")[2] > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_hundred_rounds_of_kills_lose_and_double_nothing(tmp_path, seed):
    acknowledged, there, twice, left, damaged = killed(tmp_path, seed, 150)
    assert acknowledged > 1_000
    assert there == acknowledged
    assert (twice, left, damaged) == (0, 0, 0)
