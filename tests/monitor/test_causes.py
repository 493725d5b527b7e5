"""Causes: the planted culprit is named first, what is broken before what moved, what happened near the change and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from everloop.monitor.causes import causes, suspects, with_causes
from everloop.monitor.hints import Hints, Nearby
from everloop.monitor.profile import profile
from everloop.monitor.rhythm import seasons_of
from everloop.monitor.seen import Answered, Seen
from everloop.monitor.spec import describe
from everloop.monitor.units import quantiles
from everloop.records import Shape, Signal
from everloop.stats.mix import Side
from everloop.stats.shapes import Answers

FEATURES, WINDOWS, ROWS, DAY = 50, 14, 1_000, timedelta(days=1)
NOW = datetime(2026, 11, 2, tzinfo=UTC)
NAMES = [f"f{i}" for i in range(FEATURES)]


def world(seed, *, shift=0.5, wobble=0.05, culprit=None):
    """A reference, windows whose days wobble, one feature shifted in the newest; importances fall off as they do in life."""
    rng = np.random.default_rng(seed)
    learnt = {n: rng.normal(size=3 * ROWS) for n in NAMES}
    spec = describe(learnt)
    found = int(rng.integers(FEATURES // 2)) if culprit is None else culprit
    windows = []
    for w in range(WINDOWS):
        moved = {n: rng.normal(wobble * rng.normal(), 1, ROWS) for n in NAMES}
        if w == WINDOWS - 1:
            moved[NAMES[found]] += shift
        windows.append(profile(spec, moved))
    weight = 1 / np.sqrt(np.arange(1, FEATURES + 1))
    return profile(spec, learnt), windows, dict(zip(NAMES, (weight / weight.sum()).tolist(), strict=True)), NAMES[found]


def test_the_planted_culprit_is_first_of_fifty_in_nine_of_ten_worlds():
    hits = rival = 0
    for seed in range(12):
        reference, windows, importance, culprit = world(seed)
        found = suspects(reference, windows, Hints(importance=importance))
        hits += found[0].feature == culprit
        # The rival ranks by importance alone, as a list of the features that matter does.
        rival += max(importance, key=importance.get) == culprit
    assert hits >= 11
    assert rival <= 3


def test_a_feature_no_answer_hangs_on_is_no_suspect_however_far_it_went():
    reference, windows, _, culprit = world(1, shift=3.0)
    hints = Hints(importance={n: 0.0 if n == culprit else 1 / 49 for n in NAMES})
    assert suspects(reference, windows, hints)[0].feature != culprit
    assert suspects(reference, windows, Hints())[0].feature == culprit
    assert all(
        f"{culprit}," not in c.sentence
        for c in causes(Seen(reference=reference, windows=tuple(windows), hints=hints), since=None, span=DAY)
    )


def test_before_there_is_a_habit_chance_says_what_is_far():
    reference, windows, importance, culprit = world(2, shift=1.0)
    assert suspects(reference, windows[-1:], Hints(importance=importance))[0].feature == culprit
    assert max(s.z for s in suspects(reference, windows[:1], Hints())) < 12  # days wobble, which chance knows nothing of
    assert suspects(reference, [], Hints()) == []


def drifted_signal(**said):
    return Signal(clause="drifted()", kind="drift", fired=True, outcome="passed", sentence="f3 drifted", **said)


def test_a_change_of_unit_comes_first_and_is_in_the_sentence():
    rng = np.random.default_rng(0)
    learnt = {"price": rng.lognormal(3, 0.5, 5000), "age": rng.normal(40, 9, 5000)}
    spec = describe(learnt)
    now = {"price": 100 * rng.lognormal(3, 0.5, 1000), "age": rng.normal(48, 9, 1000)}
    hints = Hints(
        importance={"price": 0.3, "age": 0.7},
        quantiles={n: quantiles(v) for n, v in now.items()},
        nearby=(Nearby(NOW, "version", "demand@3 answers everybody"),),
    )
    seen = Seen(reference=profile(spec, learnt), windows=(profile(spec, now),), hints=hints)
    found = causes(seen, since=NOW, span=DAY)
    assert [c.kind for c in found] == ["unit", "version", "feature", "feature"]
    told = with_causes(drifted_signal(about="price"), seen, span=DAY)
    assert "about 100 times what they were: a change of unit (cents for euros)?" in told.sentence
    assert told.causes[0].startswith("price: its values are about 100 times")
    assert with_causes(replace(drifted_signal(), fired=False), seen, span=DAY).causes == ()


def test_only_what_happened_within_a_window_of_the_change_is_near():
    hints = Hints(nearby=tuple(Nearby(NOW + d * DAY, "definition", f"edited {d}") for d in (-3, -1, 0, 2)))
    found = causes(Seen(hints=hints), since=NOW, span=DAY)
    assert [c.sentence.split(" (")[0] for c in found] == ["edited 0", "edited -1"]


def test_where_several_drifted_the_signal_is_about_the_one_that_matters():
    rng = np.random.default_rng(0)
    learnt = {"a": rng.normal(size=5000), "b": rng.normal(size=5000)}
    spec = describe(learnt)
    windows = tuple(profile(spec, {n: rng.normal(s, 1, 1000) for n, s in (("a", 1.0), ("b", 0.8))}) for _ in range(3))
    seen = Seen(reference=profile(spec, learnt), windows=windows, hints=Hints(importance={"a": 0.02, "b": 0.98}))
    told = with_causes(drifted_signal(about="a"), seen, span=DAY)
    assert told.about == "b"
    assert "what matters most is b, " in told.sentence
    assert with_causes(drifted_signal(about="answers"), seen, span=DAY).about == "answers"


def answered(rates, rng, rows=3000):
    region = rng.choice(np.array(["north", "south"], dtype=object), rows)
    truth = (rng.random(rows) < np.where(region == "north", *rates)).astype(float)
    units = np.array([f"u{i}" for i in range(rows)], dtype=object)
    answers = Answers(Shape(kind="chance"), np.full(rows, 0.1))
    return Answered(
        version="v", units=units, moments=np.full(rows, int(NOW.timestamp() * 1e6)), truth=truth, answers=answers, groups={"region": region}
    )


def test_a_slip_is_split_by_segments_and_a_drift_of_answers_too():
    rng = np.random.default_rng(8)
    seen = Seen(promised=answered((0.1, 0.1), rng), answered=answered((0.4, 0.1), rng))
    slip = Signal(clause="slipped('brier')", kind="slip", fired=True, outcome="passed", sentence="worse", measure="brier", since=NOW)
    (told,) = with_causes(slip, seen, span=DAY).causes
    assert "of the change of brier lies where region is north: it changed there" in told
    sides = tuple(
        Side(rng.normal(m, 1, 1000), np.ones(1000), {"region": np.repeat(np.array(["n", "s"], dtype=object), [k, 1000 - k])})
        for m, k in ((5.0, 500), (5.0, 900))
    )
    sides[1].amount[:900] += 3
    sides[0].amount[:500] += 3
    (told,) = causes(Seen(hints=Hints(answers=sides)), since=None, span=DAY)
    assert "there is" in told.sentence
    assert "of the change of the answers lies where region is" in told.sentence
    # AUC is no ratio of two sums: nothing is said rather than something wrong.
    assert with_causes(replace(slip, measure="auc"), seen, span=DAY).causes == ()


def test_a_saturday_is_held_against_saturdays_here_too():
    rng, monday = np.random.default_rng(5), datetime(2026, 8, 3, tzinfo=UTC)

    def window(n, **shift):
        at = np.full(1000, int((monday + n * DAY).timestamp() * 1e6))
        values = {x: rng.normal(shift.get(x, 0.0), 1, 1000) for x in ("weekly", "other")}
        values["weekly"] += 0.8 * ((monday + n * DAY).weekday() >= 5)
        return values, at

    days = [window(n) for n in range(56)]
    learnt = {x: np.concatenate([values[x] for values, _ in days]) for x in ("weekly", "other")}
    spec = describe(learnt)
    reference = profile(spec, learnt, np.concatenate([at for _, at in days]))
    seasons = seasons_of([profile(spec, *day) for day in days], DAY)
    windows = [profile(spec, *window(n, weekly=0.3 * (n == 68))) for n in range(56, 69)]  # the last is a Saturday, and unlike others
    matched = {s.feature: s.z for s in suspects(reference, windows, Hints(), seasons=seasons, span=DAY)}
    pooled = {s.feature: s.z for s in suspects(reference, windows, Hints())}
    assert matched["weekly"] > 3 > max(pooled["weekly"], matched["other"])
