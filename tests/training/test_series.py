"""statsforecast's models as learners; each compiles itself for seconds, so they are among the slow tests."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from everloop.errors import LearnerFailed, Missing, Unknown
from everloop.training.series import Series

NAMES = tuple(f"week_{n}" for n in range(12, 0, -1))
ROWS = np.random.default_rng(3).poisson(20, (6, 12)).astype(float)


def test_a_column_that_is_not_there_is_told():
    with pytest.raises(LearnerFailed, match="no column 'week_99'"):
        Series("AutoETS", columns=("week_99",)).fit(ROWS, ROWS[:, 0], names=NAMES)


def test_without_the_library_the_extra_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "statsforecast", None)
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    with pytest.raises(Missing, match=r"everloop\[forecast\]"):
        Series("AutoETS").fit(ROWS, ROWS[:, 0])


@pytest.mark.slow
def test_each_row_is_answered_as_its_own_series_is():
    from statsforecast.models import SimpleExponentialSmoothing

    said = Series("SimpleExponentialSmoothing", settings={"alpha": 0.3}).fit(ROWS, ROWS[:, 0], names=NAMES).predict(ROWS)
    due = [SimpleExponentialSmoothing(alpha=0.3).forecast(y=row, h=1)["mean"][0] for row in ROWS]
    assert said == pytest.approx(due)


@pytest.mark.slow
def test_quantiles_lie_around_the_mean_and_what_is_not_known_is_no_answer():
    low, middle, high = (Series("AutoETS", at=at).fit(ROWS, ROWS[:, 0]).predict(ROWS) for at in (0.1, "mean", 0.9))
    assert (low < middle).all()
    assert (middle < high).all()
    empty = np.full((1, 12), np.nan)
    assert np.isnan(Series("Naive").fit(ROWS, ROWS[:, 0]).predict(empty)).all()
    later = np.r_[np.full(9, np.nan), 3.0, 4.0, 5.0][None]
    assert Series("Naive").fit(ROWS, ROWS[:, 0]).predict(later) == pytest.approx([5.0])


@pytest.mark.slow
def test_a_model_there_is_none_of_is_told():
    with pytest.raises(Unknown):
        Series("AutoMagic").fit(ROWS, ROWS[:, 0])
