"""Drift: habit is told from change, and the rule everybody uses is not good enough."""

import numpy as np
import pytest
from scipy.stats import ks_2samp
from tests.stats.shop import words

from everloop.monitor.drift import broken, drifts, moved
from everloop.monitor.profile import profile
from everloop.monitor.spec import describe

FEATURES = [f"x{i}" for i in range(12)]


def world(seed, windows, *, rows=1000, wobble=0.05, shift=0.0, at=10**9, feature="x0"):
    """Windows whose days wobble, as days do; from window ``at`` on one feature is shifted by ``shift`` standard deviations."""
    rng = np.random.default_rng(seed)
    for w in range(windows):
        off = rng.normal(0, wobble, len(FEATURES))
        table = {f: rng.normal(off[i] + (shift if f == feature and w >= at else 0), 1, rows) for i, f in enumerate(FEATURES)}
        yield table


def watched(seed, **how):
    rng = np.random.default_rng(seed + 1000)
    reference = {f: rng.normal(0, 1, 20_000) for f in FEATURES}
    spec = describe(reference)
    tables = list(world(seed, **how))
    return profile(spec, reference), [profile(spec, t, np.array([w])) for w, t in enumerate(tables)], reference, tables


def test_a_world_that_only_wobbles_has_not_drifted_though_ks_says_so_every_time():
    alarms = ks_alarms = looks = 0
    for seed in range(4):
        reference, windows, raw, tables = watched(seed, windows=24, rows=3000)
        for end in range(8, 25, 2):
            alarms += any(d.drifted for d in drifts(reference, windows[:end], FEATURES))
            looks += 1
        ks_alarms += sum(min(ks_2samp(raw[f], t[f]).pvalue for f in FEATURES) < 0.01 for t in tables[-4:])
    assert alarms / looks <= 0.03
    assert ks_alarms / 16 > 0.8


def test_a_shift_of_a_third_of_a_standard_deviation_is_found_in_two_windows_and_named():
    found = []
    for seed in range(6):
        reference, windows, *_ = watched(seed, windows=22, shift=0.35, at=20, rows=2000)
        gone = [d for d in drifts(reference, windows, FEATURES) if d.drifted]
        found.append([d.feature for d in gone] == ["x0"] and gone[0].since == 20)
    assert sum(found) >= 5


def test_one_strange_window_is_not_a_drift():
    reference, windows, *_ = watched(3, windows=21, shift=0.5, at=20)
    found = drifts(reference, windows, FEATURES)
    assert not any(d.drifted for d in found)
    strange = next(d for d in found if d.feature == "x0")
    assert strange.now.d > strange.habit
    assert strange.but == "no drift yet: that takes two of the three newest windows on the same side, or a PSI of 0.25"
    assert all(not d.but for d in found if d.now.d <= d.habit)


def test_without_a_habit_yet_only_what_is_large_counts():
    for shift, drifted in ((0.1, False), (0.6, True)):
        reference, windows, *_ = watched(4, windows=4, shift=shift, at=1)
        assert any(d.drifted for d in drifts(reference, windows, FEATURES)) is drifted


def test_a_drift_that_lasts_never_becomes_the_habit():
    reference, windows, *_ = watched(5, windows=40, shift=0.6, at=15)
    assert [d.feature for d in drifts(reference, windows, FEATURES) if d.drifted] == ["x0"]


def test_a_floor_in_psi_is_kept():
    reference, windows, *_ = watched(6, windows=24, shift=0.35, at=20)
    assert any(d.drifted for d in drifts(reference, windows, FEATURES))
    assert not any(d.drifted for d in drifts(reference, windows, FEATURES, floor_psi=0.5))


def test_windows_too_small_to_say_anything_are_passed_over():
    reference, windows, *_ = watched(7, windows=5, rows=40)
    assert drifts(reference, windows, FEATURES) == []


def test_one_outlier_neither_hides_nor_makes_a_drift():
    rng = np.random.default_rng(8)
    reference = {"x": rng.normal(0, 1, 5000)}
    spec = describe(reference)
    shifted = rng.normal(2, 1, 5000)
    plain, outlier = (moved(profile(spec, reference), profile(spec, {"x": x}))["x"] for x in (shifted, np.append(shifted, 1e6)))
    assert outlier.psi == pytest.approx(plain.psi, rel=0.01)
    assert outlier.d == pytest.approx(plain.d, rel=0.01)


def test_a_category_that_grows_is_named():
    rng = np.random.default_rng(9)
    reference = {"k": words(rng.choice(["a", "b", "c"], 3000, p=[0.5, 0.3, 0.2]))}
    spec = describe(reference)
    now = {"k": words(rng.choice(["a", "b", "c"], 3000, p=[0.3, 0.5, 0.2]))}
    found = moved(profile(spec, reference), profile(spec, now))["k"]
    assert found.most in ("a", "b")
    assert found.d == pytest.approx(0.2, abs=0.04)
    assert found.p < 1e-6


def test_a_profile_is_no_distance_from_itself():
    reference, *_ = watched(1, windows=0)
    assert {(m.d, m.psi) for m in moved(reference, reference).values()} == {(0.0, 0.0)}


def test_data_that_came_apart_is_told_from_data_that_moved():
    rng = np.random.default_rng(10)
    reference = {"x": rng.normal(0, 1, 3000), "k": words(rng.choice(["a", "b"], 3000))}
    spec = describe(reference)
    before = profile(spec, reference)
    empty = reference["x"].copy()
    empty[::4] = np.nan
    renamed = words(np.where(reference["k"] == "a", "A", reference["k"]))
    cents = reference["x"] * 100
    assert [(b.feature, b.what) for b in broken(before, profile(spec, {"x": empty, "k": renamed}))] == [("x", "empty"), ("k", "unseen")]
    assert {b.what for b in broken(before, profile(spec, {"x": cents, "k": reference["k"]}))} == {
        "below anything seen",
        "above anything seen",
    }
    for shift in (0.5, 1.5):  # a world that moves is a drift, not a fault
        assert broken(before, profile(spec, {"x": reference["x"] + shift, "k": reference["k"]})) == []
    assert broken(before, profile(spec, {"x": np.array([]), "k": words([])})) == []
