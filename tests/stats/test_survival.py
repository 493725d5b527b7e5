from __future__ import annotations

import numpy as np
import pytest

from everloop.stats.survival import kaplan_meier


def test_what_is_still_open_is_neither_lost_nor_counted_as_never():
    rng = np.random.default_rng(4)
    delays = rng.lognormal(np.log(7.0), 0.6, 20_000)
    delays[rng.random(20_000) < 0.1] = np.inf
    watched = rng.uniform(0, 60, 20_000)
    came = delays <= watched
    curve = kaplan_meier((np.minimum(delays, watched) * 1000).astype(np.int64), came)
    due = [float((delays <= age).mean()) for age in (3, 7, 14, 30)]
    assert curve.by(np.array([3000, 7000, 14_000, 30_000])) == pytest.approx(due, abs=0.02)
    naive = float((came & (delays <= 14)).mean())
    assert abs(naive - due[2]) > 0.05  # who takes what is open for what never comes is far off
    assert curve.ever == pytest.approx(0.9, abs=0.02)
    assert curve.settled


def test_a_curve_that_still_rises_is_not_settled():
    assert not kaplan_meier(np.arange(1, 101), np.ones(100, dtype=bool)).settled
    assert not kaplan_meier(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)).settled
    assert not kaplan_meier(np.full(100, 5), np.zeros(100, dtype=bool)).settled


def test_it_is_the_curve_of_the_textbook():
    # Freireich's leukaemia trial, 6-MP arm (Cox and Oakes 1984): S(6) = 0.857, S(10) = 0.753, S(23) = 0.448.
    weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    came = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    curve = kaplan_meier(np.array(weeks), np.array(came, dtype=bool))
    assert 1 - curve.share[np.searchsorted(curve.ages, [6, 10, 23])] == pytest.approx([0.857, 0.753, 0.448], abs=5e-4)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="negative"):
        kaplan_meier(np.array([-1]), np.array([True]))
    with pytest.raises(ValueError, match="one for each"):
        kaplan_meier(np.array([1, 2]), np.array([True]))
