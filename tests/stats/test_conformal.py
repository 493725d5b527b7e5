"""Conformal calibration keeps its promise, whatever the quantiles were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.stats.conformal import moved_by, rows_needed

LEVELS = st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])


def share_below(level, calibration, rounds=4000, move=moved_by):
    """How often the next of rows that come alike lies at or below (below 0.5: strictly below) the moved quantile 0."""
    rng = np.random.default_rng(7)
    rows = rng.gamma(0.5, 4.0, (rounds, calibration + 1))
    moved = np.array([move(row[:-1], level) for row in rows])
    return float((rows[:, -1] <= moved).mean() if level >= 0.5 else (rows[:, -1] < moved).mean())


@pytest.mark.parametrize("level", [0.1, 0.25, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("calibration", [19, 40])
def test_a_moved_quantile_keeps_its_promise_on_few_rows(level, calibration):
    found, error = share_below(level, calibration), 3 * np.sqrt(level * (1 - level) / 4000)
    assert (found >= level - error) if level >= 0.5 else (found <= level + error)
    assert abs(found - level) <= 1 / (calibration + 1) + error


def test_the_plain_quantile_of_few_rows_does_not():
    """The mutant that leaves out the one more row: on 9 rows its 90 % are hardly 85."""
    assert share_below(0.9, 9, move=lambda rows, level: float(np.quantile(rows, level))) < 0.87
    assert share_below(0.9, 9) >= 0.9 - 0.015


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), LEVELS)
def test_what_is_added_is_one_of_the_errors_and_rises_with_the_level(errors, level):
    short = np.array(errors)
    assert moved_by(short, level) in errors
    assert moved_by(short, 0.05) <= moved_by(short, level) <= moved_by(short, 0.95)


def test_missing_errors_are_left_out_and_nothing_is_no_reason_to_move():
    assert moved_by(np.array([np.nan, 3.0]), 0.5) == 3.0
    assert moved_by(np.array([np.nan]), 0.9) == 0.0


def test_as_many_rows_are_needed_as_make_the_outermost_place_one_of_them():
    for level in (0.05, 0.1, 0.5, 0.9, 0.99):
        enough = rows_needed(level)
        assert round((enough + 1) * max(level, 1 - level), 9) <= enough
        assert round(enough * max(level, 1 - level), 9) > enough - 1
