"""Watching: one signal for each condition, with a sentence; what cannot be judged says so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from tests.stats.shop import DAY, chances, numbers, shop, words

from everloop import (
    Model,
    Source,
    as_good_as_champion,
    at_least,
    at_most,
    beats_champion,
    days,
    drifted,
    every,
    fair_across,
    new_truths,
    slipped,
    worse_than_champion,
)
from everloop.monitor import ANSWERS, Answered, Seen, describe, profile, watch
from everloop.monitor.schedule import next_due
from everloop.records import Traffic
from everloop.stats.shapes import Paired

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = EPOCH + timedelta(days=7 * 21)
orders = Source("orders", id="line_id", time="ordered_at", columns={"product_id": str, "quantity": int, "department": str})


def learn(rows):
    """Stands in for a learner; watching never calls it."""


def model(**words):
    said = {
        "predicts": orders.total("quantity", next=days(7)),
        "per": "product_id",
        "asked": every(days(7)),
        "knows": orders.count(last=days(7)),
        "learner": learn,
        "promote_when": beats_champion("wape"),
        "roll_back_when": worse_than_champion("wape"),
        "retrain_when": (),
    }
    return Model("demand", **(said | words))


STEADY = Traffic(id="t", made_at=NOW, model="demand", generation=3, stage="steady", champion="v1", since=NOW)
SHADOW = replace(STEADY, stage="shadow", candidate="v2")
BAKE = replace(STEADY, stage="bake", champion="v2", previous="v1")


def seen(**words):
    return Seen(**words)


def signals(what, traffic=STEADY, now=NOW, **words):
    return watch(model(**words), traffic, what, now=now, id="s", made_from=("x",))


def signal(what, traffic=STEADY, now=NOW, **words):
    found = signals(what, traffic, now, **({"roll_back_when": ()} | words)).signals
    assert len(found) == 1
    return found[0]


def year(factor=lambda w, d: 1.0, *, promised=4, weeks=16, units=300):
    pair = shop(units, promised + weeks)
    off = np.array([factor(w, d) for w, d in zip(pair.moments // (7 * DAY), pair.groups["department"], strict=True)])
    whole = Answered(
        version="v1",
        units=pair.units,
        moments=pair.moments,
        truth=pair.truth,
        answers=numbers(pair.champion.value * off),
        groups=pair.groups,
    )
    before = whole.moments < promised * 7 * DAY
    return {"promised": whole.take(before), "answered": whole.take(~before), "coverage": 0.9}


def test_every_condition_gets_one_signal_and_a_clause_said_twice_but_one():
    found = signals(
        seen(),
        roll_back_when=[worse_than_champion("wape"), at_least("errors", 0.01)],
        retrain_when=[drifted(), slipped("wape"), new_truths(10), every(days(7))],
        tell_when=[worse_than_champion("wape"), at_least("p99_ms", 25), drifted("answers")],
    )
    assert [s.clause for s in found.signals] == [
        "worse_than_champion('wape')", "at_least('errors', 0.01)", "drifted()", "slipped('wape')", "new_truths(10)", "every(days(7))",
        "at_least('p99_ms', 25)", "drifted('answers')",
    ]  # fmt: skip
    assert (found.model, found.until, found.made_from) == ("demand", NOW, ("t", "x"))
    assert all(s.sentence for s in found.signals)


def test_of_nothing_seen_nothing_is_known_but_that_it_was_never_trained():
    found = signals(seen(), retrain_when=[drifted(), slipped(), new_truths(10), every(days(7)), at_least("wape", 0.5)])
    assert [s.clause for s in found.fired()] == ["every(days(7))"]
    undecided = {s.clause for s in found.signals if s.outcome == "not enough evidence"}
    assert undecided == {"worse_than_champion('wape')", "drifted()", "slipped()", "at_least('wape', 0.5)"}


# -- slips ---------------------------------------------------------------------------------------------------------------------------


def test_a_slip_says_how_much_since_when_and_where():
    one = signal(seen(**year(lambda w, d: 1.9 if w >= 16 and d == "grocery" else 1.0)), retrain_when=slipped("wape", by=0.1))
    assert (one.kind, one.fired, one.outcome, one.measure, one.coverage) == ("slip", True, "passed", "wape", 0.9)
    assert abs(one.since - (EPOCH + timedelta(days=7 * 16))) <= timedelta(days=7)
    assert one.sentence.startswith("WAPE 0.")
    assert " since 1970-04-2" in one.sentence
    assert "more than 10 % is proven; most of it where department is grocery" in one.sentence
    assert one.about == "department=grocery"


def test_an_error_that_stays_is_judged_and_does_not_fire():
    one = signal(seen(**year()), retrain_when=slipped("wape", by=0.4))
    assert (one.fired, one.outcome) == (False, "failed")


# -- two versions side by side -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("traffic", [SHADOW, BAKE])
def test_a_harmful_version_is_stopped_in_its_first_week(traffic):
    one = signals(seen(live=shop(1303, 1, factor=1.5)), traffic, roll_back_when=worse_than_champion("wape", by=0.1)).fired("worse")
    assert [s.about for s in one] == ["v2"]
    assert one[0].high < -0.1
    assert "% worse" in one[0].sentence
    assert "more than 10 % worse is proven" in one[0].sentence


def test_a_twin_is_neither_worse_nor_better():
    pair = shop(1303, 1)
    twin = replace(pair, candidate=pair.champion)
    assert signals(seen(live=twin), SHADOW).fired("worse", "better") == ()


def test_a_version_that_is_worse_by_bad_luck_is_not_stopped():
    unlucky = stopped = 0
    for seed in range(30):
        one = signals(seen(live=shop(200, 1, seed=seed)), SHADOW).signals[0]
        unlucky += one.value < 0
        stopped += one.fired
    assert unlucky > 8
    assert stopped <= 3


def test_while_a_candidate_answers_beside_the_champion_what_promotes_is_watched_too():
    better = shop(1303, 1, champion=0.6, candidate=0.2)
    found = signals(seen(live=better), SHADOW, promote_when=[beats_champion("wape", by=0.02), as_good_as_champion("wape", margin=0.01)])
    assert [s.clause for s in found.fired("better")] == ["beats_champion('wape', by=0.02)", "as_good_as_champion('wape', margin=0.01)"]
    assert not found.fired("worse")
    assert signals(seen(live=better), BAKE).fired("better") == ()


def test_a_measure_that_does_not_add_up_is_judged_by_its_interval():
    pair = shop(600, 3, factor=2.0)
    assert signals(seen(live=pair), SHADOW, roll_back_when=worse_than_champion("rmse", by=0.05)).fired("worse")
    twins = shop(600, 3)
    assert not signals(seen(live=twins), SHADOW, roll_back_when=worse_than_champion("rmse", by=0.05)).fired("worse")


def test_a_candidate_better_than_one_answer_for_everybody_is_told_to_be_no_more_than_that():
    rng = np.random.default_rng(1)
    yes = (rng.random(2000) < 0.3).astype(float)
    sides = chances(np.full(2000, 0.3)), chances(0.3 + 0.3 * (yes - 0.3))
    live = Paired(words(range(2000)), np.zeros(2000, dtype=np.int64), yes, *sides)
    said = {"predicts": orders.none(next=days(7)), "roll_back_when": worse_than_champion("logloss")}
    (one,) = signals(seen(live=live), SHADOW, promote_when=(), **said).signals
    assert "better" in one.sentence
    assert one.sentence.endswith("; the champion answers the same to everybody, so that any signal passes")
    (one,) = signals(seen(live=replace(live, champion=sides[1], candidate=sides[0])), SHADOW, promote_when=(), **said).signals
    assert "any signal" not in one.sentence


def test_nothing_beside_it_is_not_enough_evidence():
    one = signals(seen()).signals[0]
    assert (one.outcome, one.sentence) == ("not enough evidence", "no other version answers beside it")
    waiting = signals(seen(live=shop(20, 1).take(np.zeros(20, dtype=bool))), BAKE).signals[0]
    assert "mature" in waiting.sentence


# -- drift ---------------------------------------------------------------------------------------------------------------------------


def profiles(shift, windows=12, at=9, feature="price"):
    rng = np.random.default_rng(0)
    reference = {"price": rng.normal(0, 1, 20_000), "stock": rng.normal(0, 1, 20_000), ANSWERS: rng.normal(0, 1, 20_000)}
    spec = describe(reference)
    said = []
    for w in range(windows):
        table = {f: rng.normal(rng.normal(0, 0.03) + (shift if f == feature and w >= at else 0), 1, 2000) for f in reference}
        said.append(profile(spec, table, np.array([w * 7 * DAY])))
    return {"reference": profile(spec, reference), "windows": tuple(said)}


def test_a_drifted_input_is_named_with_its_figures_and_its_first_window():
    one = signal(seen(**profiles(0.8)), retrain_when=drifted())
    assert (one.fired, one.about, one.measure) == (True, "price", "psi")
    assert one.since == EPOCH + timedelta(days=7 * 9)
    assert one.sentence.startswith("price drifted: PSI 0.")


def test_inputs_and_answers_are_watched_apart():
    what = seen(**profiles(0.8, feature=ANSWERS))
    assert signal(what, retrain_when=drifted()).outcome == "failed"
    assert signal(what, retrain_when=drifted("answers")).about == ANSWERS


def test_one_reading_is_watched_by_its_column():
    reading = orders.count(last=days(7)).named("price")
    assert signal(seen(**profiles(0.8)), retrain_when=drifted(reading)).fired
    unknown = signal(seen(**profiles(0.8)), retrain_when=drifted(orders.count(last=days(7))))
    assert unknown.outcome == "not enough evidence"


def test_data_that_came_apart_is_a_signal_of_its_own():
    what = profiles(0.0)
    empty = profile(what["reference"].spec, {"price": np.full(2000, np.nan), "stock": np.zeros(2000), ANSWERS: np.zeros(2000)})
    found = signals(seen(reference=what["reference"], windows=(*what["windows"], empty))).fired("data")
    assert [(s.about, s.value) for s in found] == [("price", 1.0)]
    assert "100 % of values are empty, against 0 %" in found[0].sentence


# -- serving -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("failed", "outcome"), [(50, "passed"), (1, "failed"), (11, "not enough evidence")])
def test_failing_answers_are_counted_with_their_doubt(failed, outcome):
    one = signal(seen(answers=1000, failed=failed), roll_back_when=at_least("errors", 0.01))
    assert (one.outcome, one.kind, one.fired) == (outcome, "errors", outcome == "passed")


@pytest.mark.parametrize(("slow", "outcome"), [(100, "passed"), (0, "failed"), (11, "not enough evidence")])
def test_latency_is_judged_on_the_share_of_slow_answers(slow, outcome):
    times = np.concatenate([np.full(1000 - slow, 5_000), np.full(slow, 40_000)])
    one = signal(seen(microseconds=times), tell_when=at_least("p99_ms", 25))
    assert (one.outcome, one.kind) == (outcome, "latency")


def test_a_metric_of_truth_is_held_against_its_bound():
    what = seen(**year())
    assert signal(what, tell_when=at_least("wape", 0.05)).fired
    assert signal(what, tell_when=at_least("wape", 5.0)).outcome == "failed"
    assert signal(what, tell_when=at_most("wape", 5.0)).fired


def test_truths_and_clocks_fire_when_they_are_due():
    trained = {"last_trained_at": NOW - timedelta(days=8), "truths_since_training": 99}
    assert signal(seen(**trained), retrain_when=every(days(7))).fired
    assert not signal(seen(**trained), retrain_when=every(days(14))).fired
    assert not signal(seen(**trained), retrain_when=new_truths(100)).fired
    assert signal(seen(**trained), retrain_when=new_truths(99)).fired


def test_a_clock_with_a_time_of_day_strikes_in_its_zone():
    clock = every(days(7), at="03:00", zone="Europe/Berlin")
    assert next_due(clock, datetime(2026, 10, 20, 1, 5, tzinfo=UTC)) == datetime(2026, 10, 27, 2, 0, tzinfo=UTC)  # summer ended between


def test_a_group_served_badly_is_a_reason_to_go_back():
    what = year(lambda w, d: 2.2 if d == "grocery" else 1.0)
    condition = fair_across(orders.latest("department"), on="wape")
    for table in ("promised", "answered"):
        what[table] = replace(what[table], groups={condition.reading.name: what[table].groups["department"]})
    one = signal(seen(**what), roll_back_when=condition)
    assert (one.fired, one.kind) == (True, "worse")
    assert one.sentence.startswith("grocery gets ")
    assert signal(seen(**year()), roll_back_when=condition).outcome == "not enough evidence"


def test_truths_that_stop_coming_are_told():
    stopped = year()
    late = NOW + timedelta(days=60)
    assert signals(seen(**stopped, promoted_at=EPOCH, answers=10), now=late).fired("outage")
    assert not signals(seen(**stopped, promoted_at=EPOCH, answers=10)).fired("outage")
    assert not signals(seen(promoted_at=NOW, answers=10), now=NOW + timedelta(days=5)).fired("outage")
    assert signals(seen(promoted_at=NOW, answers=10), now=late).fired("outage")


def test_the_same_sight_always_gives_the_same_signals():
    what = seen(**year(), **profiles(0.8), live=shop(200, 2))
    said = {"retrain_when": [drifted(), slipped("wape")]}
    one, other = (signals(what, SHADOW, **said) for _ in range(2))
    assert one == other


def test_unknown_truths_among_the_seen_decide_nothing():
    what = year(lambda w, d: 3.0)
    blank = replace(what["answered"], truth=np.full(len(what["answered"]), np.nan))
    assert signal(seen(promised=what["promised"], answered=blank), retrain_when=slipped("wape")).outcome == "not enough evidence"
