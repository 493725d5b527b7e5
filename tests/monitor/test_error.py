"""The realised error: when it slipped, since when and where; and that one bad week is no slip."""

from datetime import timedelta

import numpy as np
import pytest
from tests.stats.shop import DAY, numbers, shop, words

from everloop.monitor.error import by_period, slip, where_worst
from everloop.monitor.seen import Answered
from everloop.stats.measures import measure

WAPE, WEEK = measure("wape"), timedelta(days=7)


def table(pair, factor=None):
    """The champion's answers of a shop; ``factor`` says by what they are off, week by week (0…) and department."""
    weeks = pair.moments // (7 * DAY)
    off = 1.0 if factor is None else np.array([factor(w, d) for w, d in zip(weeks, pair.groups["department"], strict=True)])
    return Answered(
        version="v",
        units=pair.units,
        moments=pair.moments,
        truth=pair.truth,
        answers=numbers(pair.champion.value * off),
        groups=pair.groups,
    )


def year(factor=None, *, promised=4, weeks=16, units=300, seed=0):
    """What was promised in the contest, and what became true since."""
    whole = table(shop(units, promised + weeks, seed=seed), factor)
    before = whole.moments < promised * 7 * DAY
    return whole.take(before), whole.take(~before)


def slipped(promised, since, by=0.1, seed=0):
    return slip(WAPE, promised, since, by=by, span=WEEK, seed=seed)


def test_an_error_that_stays_has_not_slipped():
    assert [slipped(*year(seed=s), by=0.4, seed=s).outcome for s in range(5)] == ["failed"] * 5
    assert "passed" not in [slipped(*year(seed=s), seed=s).outcome for s in range(5)]


def test_a_slip_is_found_within_three_weeks_and_dated():
    promised, since = year(lambda w, d: 1.8 if w >= 14 else 1.0)
    found = [slipped(promised, since.take(since.moments < week * 7 * DAY)) for week in (14, 15, 16, 17)]
    assert found[0].outcome != "passed"
    assert "passed" in {f.outcome for f in found[1:]}
    assert found[-1].outcome == "passed"
    assert abs(found[-1].since // (7 * DAY) - 14) <= 1


def test_one_bad_week_is_not_a_slip_and_by_units_alone_it_would_be():
    promised, since = year(lambda w, d: 1.6 if w == 19 else 1.0 + 0.15 * (w % 3 == 0))
    assert slipped(promised, since).outcome != "passed"
    last = since.take(since.moments == since.moments.max())
    from everloop.monitor.error import _change

    assert _change(WAPE, promised, last, 0.99, 0).high < -0.1  # the rival: everybody agrees that this week was bad


def test_weeks_that_wobble_seldom_slip_in_a_year_of_looks():
    rng, alarms = np.random.default_rng(5), 0
    for seed in range(8):
        wobble = np.exp(rng.normal(0, 0.12, 30))
        promised, since = year(lambda w, d, wobble=wobble: wobble[w], units=150, weeks=26, seed=seed)
        alarms += any(slipped(promised, since.take(since.moments < w * 7 * DAY), seed=seed).outcome == "passed" for w in range(6, 30, 2))
    assert alarms <= 1


def test_what_is_within_the_allowance_is_no_slip():
    promised, since = year(lambda w, d: 1.8 if w >= 8 else 1.0)
    assert slipped(promised, since, by=0.1).outcome == "passed"
    assert slipped(promised, since, by=3.0).outcome == "failed"


def test_with_one_period_or_no_promise_nothing_is_decided():
    promised, since = year(lambda w, d: 3.0 if w >= 4 else 1.0)
    assert slipped(promised, since.take(since.moments < 5 * 7 * DAY)).outcome == "not enough evidence"
    assert slipped(promised.take(np.zeros(len(promised), dtype=bool)), since).outcome == "not enough evidence"
    few = since.take(np.isin(since.units, words(range(5))))
    assert slipped(promised, few).outcome == "not enough evidence"


def test_with_a_short_promise_three_bad_weeks_in_a_row_are_needed():
    promised, since = year(lambda w, d: 2.0 if w >= 1 else 1.0, promised=1, weeks=3)
    assert slipped(promised, since.take(since.moments < 3 * 7 * DAY)).outcome == "not enough evidence"
    assert slipped(promised, since).outcome == "passed"


def daily(factor, *, days=54, promised=28, units=60, seed=0):
    """Answers day by day that are off by 20 % at weekends and by 60 % on working days, and by ``factor(day, weekend)`` more than that; and
    how many of the days were promised."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), units)
    weekend = (day + 3) % 7 >= 5  # 1 January 1970 was a Thursday
    off = np.where(weekend, 0.2, 0.6) * np.array([factor(d, w) for d, w in zip(day, weekend, strict=True)])
    truth = rng.gamma(4, 3, len(day))
    said = numbers(truth * (1 + off * rng.choice([-1, 1], len(day)) * rng.uniform(0.5, 1.5, len(day))))
    whole = Answered(version="v", units=words(np.tile(np.arange(units), days)), moments=day * DAY, truth=truth, answers=said)
    return whole.take(day < promised), whole.take(day >= promised)


def test_a_weekend_as_bad_as_a_working_day_has_slipped_and_among_all_days_it_would_not():
    promised, since = daily(lambda d, weekend: 3.0 if weekend and d >= 49 else 1.0, days=53)
    found = slip(WAPE, promised, since, by=0.1, span=timedelta(days=1), zone="UTC", seed=0)
    assert (found.outcome, found.seasonal, found.since // DAY) == ("passed", True, 51)
    every = np.concatenate([by_period(WAPE, side, timedelta(days=1)).values for side in (promised, since)])
    assert every[-2:].max() <= every[:-2].max()  # the rival: among all days these are nothing out of the ordinary


def test_days_of_the_week_that_differ_as_promised_are_no_slip():
    for seed in range(5):
        promised, since = daily(lambda d, weekend: 1.0, seed=seed)
        found = slip(WAPE, promised, since.take(since.moments >= 47 * DAY), by=0.1, span=timedelta(days=1), seed=seed)
        assert found.outcome != "passed"
        assert abs(found.change.effect) < 0.1  # like with like, though the days since are another mix


def test_a_measure_that_is_better_when_higher_slips_downwards():
    rng = np.random.default_rng(0)
    n, weeks = 300, 12
    yes = (rng.random(n * weeks) < 0.4).astype(float)
    week = np.repeat(np.arange(weeks), n)
    knows = np.where(week < 8, 2.0, 0.3)
    from tests.stats.shop import chances

    said = chances(1 / (1 + np.exp(-(yes * knows + rng.normal(0, 1, len(yes))))))
    whole = Answered(version="v", units=words(np.tile(np.arange(n), weeks)), moments=week * 7 * DAY, truth=yes, answers=said)
    before = whole.moments < 4 * 7 * DAY
    found = slip(measure("auc"), whole.take(before), whole.take(~before), by=0.05, span=WEEK, seed=0)
    assert found.outcome == "passed"
    assert abs(found.since // (7 * DAY) - 8) <= 1
    assert slip(
        measure("auc"), whole.take(before), whole.take(~before & (whole.moments < 8 * 7 * DAY)), by=0.05, span=WEEK, seed=0
    ).outcome == ("failed")


def test_where_it_went_wrong_is_named():
    promised, since = year(lambda w, d: 1.9 if w >= 14 and d == "grocery" else 1.0)
    place = where_worst(WAPE, promised, since.take(since.moments >= 14 * 7 * DAY), seed=0)
    assert (place.name, place.value) == ("department", "grocery")
    assert place.now > place.before
    assert 0 < place.low < place.high
    assert place.excess > 0.6


def test_where_nothing_went_wrong_no_place_is_named():
    promised, since = year()
    assert where_worst(WAPE, promised, since, seed=0) is None
    bare = Answered(version="v", units=since.units, moments=since.moments, truth=since.truth, answers=since.answers)
    assert where_worst(WAPE, promised, bare, seed=0) is None


def test_errors_by_period_leave_out_what_is_not_known():
    _, since = year()
    truth = since.truth.copy()
    truth[since.moments == since.moments.min()] = np.nan
    series = by_period(WAPE, Answered(version="v", units=since.units, moments=since.moments, truth=truth, answers=since.answers), WEEK)
    assert len(series) == 15
    assert series.rows.sum() == 15 * 300
    assert series.values[0] == pytest.approx(WAPE.value(truth[300:600], since.answers.take(np.arange(300, 600))))
