"""Seasons: Saturdays are held against Saturdays, and nothing against a sum it is part of."""

from datetime import timedelta

import numpy as np

from everloop.monitor.drift import drifts
from everloop.monitor.profile import Profile, profile
from everloop.monitor.rhythm import Season, names_of, reference_for, seasons_of
from everloop.monitor.spec import describe

DAY, HOUR = 86_400_000_000, 3_600_000_000
A_DAY = timedelta(days=1)


def days_of(seed, count, *, shift=0.0, at=10**9, rows=1500, first=4):
    """Days from a Monday on; weekends lie half a standard deviation higher."""
    rng = np.random.default_rng(seed)
    for day in range(count):
        off = rng.normal(0, 0.03) + 0.5 * (day % 7 >= 5) + (shift if day >= at else 0.0)
        yield (first + day) * DAY, {"x": rng.normal(off, 1, rows)}


def learnt(seed, days=56, **how):
    tables = list(days_of(seed, days + 12, at=days, **how))
    reference = {"x": np.concatenate([t["x"] for _, t in tables[:days]])}
    spec = describe(reference)
    windows = [profile(spec, t, np.array([at])) for at, t in tables]
    whole = sum(windows[1:days], windows[0])
    return whole, windows, seasons_of(windows[:days], A_DAY)


def test_windows_of_a_day_have_weekdays_and_shorter_ones_their_four_hours_by_the_clocks_of_their_zone():
    assert names_of(4 * DAY, A_DAY) == ("Monday", "working day")
    assert names_of(4 * DAY + 5 * HOUR, timedelta(minutes=10)) == ("Monday 04-08", "working day 04-08", "04-08")
    assert names_of(4 * DAY, A_DAY, "America/New_York") == ("Sunday", "weekend")
    assert names_of(4 * DAY, timedelta(days=7)) == ()


def test_a_weekend_is_no_drift_and_a_shift_that_hides_behind_it_is():
    whole, windows, seasons = learnt(1)
    for end in range(57, 66):
        assert not drifts(whole, windows[:end], ["x"], seasons=seasons, span=A_DAY)[0].drifted
    whole, windows, seasons = learnt(2, shift=-0.4)
    matched = [drifts(whole, windows[:end], ["x"], seasons=seasons, span=A_DAY)[0].drifted for end in range(57, 66)]
    assert matched.index(True) <= 2
    [found] = drifts(whole, windows[:60], ["x"], seasons=seasons, span=A_DAY)
    assert (found.drifted, found.since) == (True, 56)
    assert found.score > 4


def test_the_narrowest_season_with_four_windows_is_taken_and_a_part_is_taken_out():
    whole, windows, seasons = learnt(3, days=21)
    assert {s.names[0]: s.windows for s in seasons}["Monday"] == 3
    monday = reference_for(("Monday", "working day"), seasons, whole)
    assert monday.rows == 15 * 1500  # three Mondays are too few: all working days
    part = reference_for(("Monday", "working day"), seasons, whole, part=windows[0])
    assert part.rows == 14 * 1500
    assert reference_for(("New Year", "holiday"), seasons, whole).rows == whole.rows
    assert reference_for((), seasons, whole, part=windows[0]).rows == whole.rows - 1500


def test_seasons_travel_as_plain_values():
    whole, _, seasons = learnt(4, days=7)
    back = Season.from_plain(seasons[0].to_plain(), whole.spec)
    assert (back.names, back.windows, back.profile.rows) == (seasons[0].names, 1, 1500)
    assert isinstance(back.profile, Profile)


def test_with_few_windows_those_drawn_from_the_blocks_of_what_was_learnt_stand_in():
    for shift, drifted in ((0.0, False), (0.1, False), (0.7, True)):
        whole, windows, _ = learnt(5, days=6, shift=shift)
        found = [drifts(whole, windows[:end], ["x"], span=A_DAY)[0].drifted for end in (8, 9)]
        assert any(found) is drifted
