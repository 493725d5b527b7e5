"""The alarm rule: quiet where days only wobble, whatever their size; two windows where one feature of fifty moves."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from bench.monitor_alarms import LEARNT, WORLDS, World, began, incidents, ks_alarms, past, windows

from everloop.monitor.habit import HABIT, Past, alarms, judge
from everloop.monitor.quiet import quiet_year

AGES = 150


def seen(seed, world=WORLDS[1], rows=10_000, ages=AGES, **shift):
    return past(windows(np.random.default_rng([7, seed]), world, rows, LEARNT + ages, **shift), world)


@pytest.mark.parametrize(("world", "rows"), [(WORLDS[0], 1_000), (WORLDS[2], 10_000), (WORLDS[3], 10_000)], ids=lambda x: str(x)[:30])
def test_where_nothing_happens_there_is_at_most_one_incident_in_a_hundred_windows_and_a_test_alarms_in_every_fifth(world, rows):
    counts = windows(np.random.default_rng([8, rows]), world, rows, LEARNT + AGES)
    assert incidents(judge(past(counts, world))) <= 1
    assert ks_alarms(counts) > 0.2


def test_a_quarter_of_a_standard_deviation_on_one_of_fifty_features_is_told_in_three_windows():
    took = []
    for seed in range(6):
        alarm = judge(seen(seed, ages=12, shift=0.25)).alarm[LEARNT:]
        took.append(alarm[:, 0].argmax() + 1 if alarm[:, 0].any() else 99)
        assert not alarm[:3, 1:].any()
    assert np.median(took) <= 3
    assert max(took) <= 12


def test_weekdays_held_against_all_days_together_see_nothing_of_it():
    """The rival: the same habit without seasons has to be as wide as the weekend is far."""
    world = World("weekly", 0.03, weekends=0.4)
    counts = windows(np.random.default_rng(3), world, 5_000, LEARNT + 8, shift=-0.25)
    matched = judge(past(counts, world)).alarm[LEARNT:, 0]
    whole = counts[:LEARNT].sum(axis=0)
    pooled = past(counts, world)
    far = np.abs(np.cumsum(counts / 5_000 - whole / whole.sum(axis=1, keepdims=True), axis=2)).max(axis=2)
    assert matched[:4].any()
    assert not judge(replace(pooled, d=far, psi_raw=far**2, psi=np.zeros_like(far))).alarm[LEARNT : LEARNT + 4, 0].any()


def few(some):
    """Its first ten features."""
    d, raw, psi, side, rows = (of[:, :10] for of in (some.d, some.psi_raw, some.psi, some.side, some.rows))
    return replace(some, d=d, psi_raw=raw, psi=psi, side=side, rows=rows)


def test_a_feature_that_half_of_a_window_has_is_allowed_the_noise_of_that_half():
    d = np.full((20, 2), 0.03)
    d[-1] = 0.13
    rows, learnt = np.full((20, 2), 200.0), np.arange(20) < 19
    rows[:, 1] = 100.0
    found = judge(Past(d, np.zeros_like(d), np.zeros_like(d), np.ones(d.shape, dtype=np.int64), rows, learnt))
    assert found.beyond[-1].tolist() == [True, False]


def test_two_of_three_windows_on_the_same_side_or_one_by_far_are_an_alarm():
    beyond = np.array([[1, 1, 0, 1, 0, 0, 1]], dtype=bool).T
    near = np.zeros(beyond.shape, dtype=bool)
    same, other = np.ones(beyond.shape, dtype=np.int64), np.array([[1, -1, 1, 1, 1, 1, 1]]).T
    assert alarms(beyond, same, near)[:, 0].tolist() == [False, True, True, True, False, False, False]
    assert alarms(beyond, other, near)[:, 0].tolist() == [False, False, False, False, False, False, False]
    assert alarms(beyond, other, ~near)[:, 0].tolist() == beyond[:, 0].tolist()


def test_a_drift_never_becomes_the_habit_nor_does_what_was_strange_while_it_was_learnt():
    later = judge(seen(4, ages=60, shift=0.4)).alarm[LEARNT + 3 :, 0]
    assert later.mean() > 0.9
    strange = seen(5, ages=6, shift=0.4)
    strange.d[[3, 9], 0], strange.psi_raw[[3, 9], 0] = 0.6, 3.0  # two holidays
    assert judge(strange).alarm[LEARNT + 2 :, 0].all()


def test_a_small_window_after_large_ones_is_not_strange_for_being_small():
    rng, world = np.random.default_rng(6), WORLDS[0]
    counts = windows(rng, world, 20_000, LEARNT + 20)
    counts[-4:] = windows(rng, world, 500, LEARNT + 4)[-4:]
    assert not judge(past(counts, world)).alarm.any()


def test_a_window_that_was_matched_before_has_its_rank_once_a_hundred_are_known():
    calm = seen(9, ages=120)
    calm.d[-1, 0], calm.psi_raw[-1, 0] = np.sort(calm.d[:-1, 0])[-2], 0.0
    assert not judge(calm).beyond[-1, 0]


def test_without_windows_enough_those_drawn_stand_in_and_only_what_is_large_counts():
    some = seen(10, ages=5).take(np.arange(LEARNT, LEARNT + 5))
    drawn = seen(11, ages=99).take(np.arange(LEARNT, LEARNT + 99))
    assert len(some.rows) < HABIT
    far = replace(some, d=np.where(np.arange(50) == 0, 0.3, some.d), psi_raw=np.where(np.arange(50) == 0, 0.2, some.psi_raw))
    assert not judge(far, cold=drawn).alarm.any()
    far = replace(far, psi=np.where(np.arange(50) == 0, 0.19, some.psi))
    assert judge(far, cold=drawn).alarm[-1].nonzero()[0].tolist() == [0]
    assert not judge(far, cold=drawn, floor_psi=0.5).alarm.any()


def test_a_quiet_year_is_told_from_the_rules_own_past():
    found = quiet_year(few(seen(12, ages=4)), timedelta(days=1))
    assert found.windows >= 55
    assert 0 <= found.expected <= found.most <= 40
    assert "A quiet year costs" in str(found)
    assert quiet_year(seen(12, ages=1).take(np.arange(10)), timedelta(days=1)) is None
    # A habit of two minds costs more than a calm one.
    torn = few(seen(12, ages=4))
    torn.d[::9] *= 4
    torn.psi_raw[::9] *= 16
    assert quiet_year(torn, timedelta(days=1)).most >= found.most


def test_of_a_feature_nobody_filled_nothing_is_said():
    some = seen(14, ages=20)
    some.d[:, 3] = some.psi_raw[:, 3] = some.psi[:, 3] = np.nan
    judged = judge(some)
    assert not judged.beyond[:, 3].any()
    assert began(judged.alarm[LEARNT:].any(axis=1)) == 0


def test_a_past_knows_its_windows():
    some = seen(15, ages=1)
    assert isinstance(some.take(np.array([0, 2])), Past)
    assert len(some.take(np.array([0, 2])).rows) == 2
