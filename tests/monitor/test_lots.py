"""Small windows: looked at together when they are the rule, judged when their time is over, and otherwise told what is waited for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from everloop.clock import microseconds
from everloop.monitor.drift import drifts, judged
from everloop.monitor.lots import lots_of
from everloop.monitor.profile import profile
from everloop.monitor.spec import describe

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONDAY = datetime(2026, 8, 3, tzinfo=UTC)
RNG = np.random.default_rng(4)
LEARNT = {"x": RNG.normal(size=4000)}
SPEC = describe(LEARNT)


def window(at, rows, shift=0.0, rng=RNG):
    values = {"x": rng.normal(shift, 1, rows)}
    return profile(SPEC, values, np.full(rows, microseconds(at)))


def days(count, rows, *, since=MONDAY, shift=lambda day: 0.0, seed=0):
    rng = np.random.default_rng(seed)
    return [window(since + n * DAY, rows, shift(n), rng) for n in range(count)]


def new(windows):
    return [True] * len(windows)


def test_large_windows_stay_as_they_are_and_a_small_newest_one_is_told():
    windows = [*days(5, 80), window(MONDAY + 5 * DAY, 12)]
    found = lots_of(windows, new(windows), DAY)
    assert (len(found.windows), found.span, found.first) == (5, DAY, (0, 1, 2, 3, 4))
    assert str(found.waiting) == "low information: the window of 2026-08-08 00:00 UTC has 12 answers, and it takes 50"


def test_small_days_are_judged_week_by_week_once_a_week_is_over():
    windows = days(17, 20)
    found = lots_of(windows, new(windows), DAY)
    assert [w.rows for w in found.windows] == [140, 140]
    assert (found.first, found.span) == ((0, 7), 7 * DAY)
    assert (found.waiting.rows, found.waiting.until) == (60, microseconds(MONDAY + 21 * DAY))
    assert "so 7 days are looked at together; those since 2026-08-17 00:00 UTC, 60 so far, are judged after 2026-08-24" in str(
        found.waiting
    )
    whole = lots_of(days(21, 20), new(range(21)), DAY)
    assert (len(whole.windows), whole.waiting) == (3, None)


def test_hours_are_added_up_to_four_and_the_clocks_of_a_zone_say_which():
    at = datetime(2026, 8, 2, 22, tzinfo=UTC)  # midnight in Berlin
    windows = [window(at + n * HOUR, 15) for n in range(14)]
    found = lots_of(windows, new(windows), HOUR, "Europe/Berlin")
    assert [w.rows for w in found.windows] == [60, 60, 60]
    assert found.waiting.until == microseconds(at + 16 * HOUR)
    assert "so 4 hours are looked at together" in str(found.waiting)


@pytest.mark.parametrize(("count", "words"), [(40, "not even 28 days of them hold 50; nothing can be said of drift"), (9, "it takes 50")])
def test_what_never_holds_enough_says_so_and_what_may_yet_waits(count, words):
    windows = days(count, 1)
    found = lots_of(windows, new(windows), DAY)
    assert found.windows == ()
    assert words in str(found.waiting)


def test_what_was_learnt_from_is_no_news():
    reference = profile(SPEC, LEARNT, np.linspace(microseconds(MONDAY), microseconds(MONDAY + 20 * DAY), 4000).astype(np.int64))
    windows = [*days(20, 200), *days(2, 9, since=MONDAY + 22 * DAY)]
    assert judged(reference, windows, DAY, None).windows == ()
    assert drifts(reference, windows, ["x"], span=DAY) == []


def test_a_shift_in_a_shop_of_twenty_questions_a_day_is_found_and_quiet_ones_are_quiet():
    reference = profile(SPEC, LEARNT)
    late = 0
    for seed in range(6):
        quiet = days(91, 20, seed=seed)
        late += any(d.drifted for d in drifts(reference, quiet, ["x"], span=DAY))
        moved = days(91, 20, seed=seed, shift=lambda n: 1.0 if n >= 77 else 0.0)
        [found] = drifts(reference, moved, ["x"], span=DAY)
        assert found.drifted
        assert found.since == 77
        assert not drifts(reference, days(91, 20, seed=seed, shift=lambda n: 1.0 if n >= 77 else 0.0), ["x"])  # the rival: day by day
    assert late == 0
