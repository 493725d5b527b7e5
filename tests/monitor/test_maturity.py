from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from everloop.clock import from_microseconds
from everloop.monitor.maturity import NEVER, curve_of, maturity, outage_of

DAY = 86_400_000_000
SPAN = timedelta(days=1)


def told(days=120, each=50, never=0.1, median=7.0, until=None, stops=None, seed=5):
    """Questions each day, their truths after log-normal delays; nothing comes after ``stops``."""
    rng = np.random.default_rng(seed)
    asked = np.repeat(np.arange(days), each) * DAY
    known = asked + (rng.lognormal(np.log(median), 0.6, len(asked)) * DAY).astype(np.int64)
    known[rng.random(len(asked)) < never] = NEVER
    if stops is not None:
        known[known >= stops * DAY] = NEVER
    until = days if until is None else until
    known[known >= until * DAY] = NEVER
    seen = asked < until * DAY
    return asked[seen], known[seen], from_microseconds(until * DAY)


def test_a_window_is_mature_once_nine_in_ten_of_what_will_ever_come_are_there():
    asked, known, now = told()
    found = maturity(asked, known, now=now, span=SPAN, wait=timedelta(0))
    assert not found.mature[-10:].any()
    assert found.mature[:90].mean() > 0.9
    assert found.coverage == pytest.approx((known < NEVER).mean())
    assert found.outage is None
    # Taking coverage itself for maturity would call most finished windows immature: a tenth never comes.
    assert (found.came[:90] / found.asked[:90] >= 0.9).mean() < 0.8


def test_before_the_curve_can_be_told_the_project_file_decides():
    asked, known, now = told(days=5)
    found = maturity(asked, known, now=now, span=SPAN, wait=timedelta(days=3))
    assert found.mature.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("seed", range(5))
def test_an_outage_is_found_within_two_windows_and_nothing_is_cried_before(seed):
    days = []
    for day in range(60, 90):
        asked, known, now = told(until=day, stops=80, seed=seed)
        days += [day] if outage_of(asked, known, now=now, span=SPAN) else []
    assert days
    assert 80 < days[0] <= 82
    assert days == list(range(days[0], 90))


def test_truths_that_come_once_a_month_are_no_outage_in_between():
    asked, known, _ = told(days=300)
    known = np.where(known < NEVER, -(-known // (30 * DAY)) * 30 * DAY, NEVER)
    for day in range(150, 300, 7):
        so_far = np.where(known < day * DAY, known, NEVER)
        before = asked < day * DAY
        assert outage_of(asked[before], so_far[before], now=from_microseconds(day * DAY), span=SPAN) is None


def test_the_curve_as_of_then_knows_nothing_of_now():
    asked, known, _ = told(days=60)
    then = 30 * DAY
    early = curve_of(asked, known, then)
    late = curve_of(asked[asked < then], np.where(known < then, known, NEVER)[asked < then], then)
    assert early is not None
    assert late is not None
    assert early.by(asked).tolist() == late.by(asked).tolist()


def test_nothing_asked_is_nothing():
    none = np.zeros(0, dtype=np.int64)
    found = maturity(none, none, now=from_microseconds(0), span=SPAN, wait=SPAN)
    assert (found.coverage, found.of_expected, found.immature, found.outage) == (None, None, 0, None)
