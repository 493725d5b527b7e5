"""The simple rules every forecast is judged beside: what they say, and that they know nothing of the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
import training_learners as learners
from hypothesis import given
from hypothesis import strategies as st
from training_tables import Shelf, number, table_of, training_set_of

from everloop.clock import microseconds
from everloop.records import Shape
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers
from everloop.training import Side, beside, read_paired, rehearse
from everloop.training.baseline import Baseline
from everloop.training.rivals import EIGHT, SEASONAL, eight_week_mean, naive_error, rivals, seasonal_naive

DAY = 86_400_000_000
WEEK = timedelta(days=7)


def told(truths, every=7, unit="a"):
    """Questions ``every`` so many days with these truths."""
    return pa.table({"moment": np.arange(len(truths)) * every * DAY, "unit": [unit] * len(truths), "truth": pa.array(truths, pa.float64())})


def test_the_mean_of_eight_weeks_is_of_eight_weeks():
    said = eight_week_mean(told([*range(1, 12)]), told([*range(1, 12)]), WEEK)
    assert np.isnan(said[0])
    assert said[1:4].tolist() == [1.0, 1.5, 2.0]
    assert said[10] == np.mean([3, 4, 5, 6, 7, 8, 9, 10])


def test_the_seasonal_naive_forecast_of_a_day_is_that_of_the_same_weekday():
    days = told(range(20), every=1)
    said = seasonal_naive(days, days, timedelta(days=1))
    assert np.isnan(said[:7]).all()
    assert said[7:].tolist() == list(range(13))


def test_four_weeks_ahead_the_newest_truth_that_is_mature_counts():
    weeks = told(range(10))
    assert seasonal_naive(weeks, weeks, 4 * WEEK)[6:].tolist() == [2, 3, 4, 5]


def test_a_week_in_which_the_clocks_are_moved_is_a_week():
    here = ZoneInfo("America/New_York")
    days = [(10, 19), (10, 26), (11, 2), (11, 9), (11, 16)]
    moments = [microseconds(datetime(2026, month, day, tzinfo=here)) for month, day in days]
    table = pa.table({"moment": moments, "unit": ["a"] * 5, "truth": [1.0, 2.0, 3.0, 4.0, 5.0]})
    assert seasonal_naive(table, table, WEEK)[1:].tolist() == [1, 2, 3, 4]


@given(st.integers(0, 400), st.sampled_from([1, 7, 28]), st.integers(0, 10**6))
def test_no_rule_changes_when_the_future_does(seed, waits, cut):
    rng = np.random.default_rng(seed)
    n = 40
    moments = np.sort(rng.integers(0, 120, n)) * DAY
    units = rng.choice(["a", "b", "c"], n)
    truth = rng.poisson(5, n).astype(float)
    at = int(moments[cut % n])
    changed = np.where(moments + waits * DAY > at, truth + 100, truth)
    one, other = (pa.table({"moment": moments, "unit": units.tolist(), "truth": t}) for t in (truth, changed))
    asked = one.filter(pa.array(moments == at))
    for rule in (seasonal_naive, eight_week_mean):
        said = [rule(asked, table, timedelta(days=waits)) for table in (one, other)]
        assert np.array_equal(*said, equal_nan=True)


def test_a_rule_that_takes_truths_before_they_are_mature_is_found_out():
    weeks = told(range(10))
    assert eight_week_mean(weeks, weeks, timedelta(0))[5] == 2.5  # its own truth among them
    assert eight_week_mean(weeks, weeks, WEEK)[5] == 2.0


def test_quantiles_of_a_rule_lie_around_what_it_says():
    rng = np.random.default_rng(1)
    weeks = pa.concat_tables([told(rng.poisson(9, 30).tolist(), unit=f"u{i}") for i in range(30)])
    shape = Shape(kind="quantiles", levels=(0.1, 0.5, 0.9))
    said = rivals(weeks, weeks, weeks, shape, WEEK)[EIGHT]
    truth = weeks.column("truth").to_numpy()
    there = np.isfinite(said.value)
    covered = (said.values[there, 0] <= truth[there]) & (truth[there] <= said.values[there, 2])
    assert 0.75 < covered.mean() < 0.9


def test_mase_is_one_for_the_naive_forecast_where_it_was_learnt_from():
    rng = np.random.default_rng(2)
    weeks = pa.concat_tables([told((rng.poisson(9, 30) * size).tolist(), unit=f"u{size}") for size in (1, 10, 100)])
    truth, naive = weeks.column("truth").to_numpy(), seasonal_naive(weeks, weeks, WEEK)
    answers = Answers(Shape(kind="number"), naive, scale=naive_error(weeks, weeks, WEEK))
    assert measure("mase").value(truth, answers) == pytest.approx(1.0)
    assert measure("mase").value(truth, Answers(Shape(kind="number"), naive)) is None


def test_a_unit_whose_past_never_changed_does_not_count_in_mase():
    scale = naive_error(told([5.0] * 4), told([5.0] * 4), WEEK)
    assert measure("mase").value(np.full(4, 5.0), Answers(Shape(kind="number"), np.full(4, 6.0), scale=scale)) is None


def test_a_contest_keeps_what_the_rules_would_have_answered():
    model, shelf = number(learners.Mean()), Shelf()
    table = table_of(model)
    made = training_set_of(table)
    side = Side("c1", Baseline(model.shape, "average", (2.0,)))
    _, body = rehearse(
        side, side, table, model="demand", id="t", now=datetime(2026, 11, 2, tzinfo=UTC), save=shelf.save,
        beside=model.columns[:1], **beside(table, table, made, model.shape, WEEK),
    )  # fmt: skip
    paired = read_paired(body)
    assert set(paired.rivals) == {SEASONAL, EIGHT}
    assert set(paired.rivals[EIGHT].beside) == set(paired.candidate.beside) == set(model.columns[:1])
    assert np.array_equal(paired.rivals[EIGHT].value, eight_week_mean(table, table, WEEK), equal_nan=True)
    assert np.array_equal(paired.candidate.scale, paired.champion.scale, equal_nan=True)
    assert len(paired.take(np.arange(5)).rivals[EIGHT]) == 5
    assert paired.take(np.arange(5)).candidate.scale.shape == (5,)
