"""The month of a loop: what it has cost is what its records cost, and what it will have cost holds as often as it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.loop.control.gauges import Gauges
from everloop.loop.look import status
from everloop.loop.month import DAY, LEAST, LONGEST, Month, month_by, month_of, spoken_month
from everloop.records import Cost
from everloop.registry.costs import money_spent
from everloop.registry.turns import Turn
from everloop.testing.registry import decision
from tests.loop.houses import demand, house_at

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
daily = st.lists(st.floats(0, 1e3), min_size=10, max_size=80)


def each_day(costs, until):
    """Costs of the days before an instant, the last one of the list yesterday; in the middle of each day."""
    return [(until.replace(hour=12) - (len(costs) - n) * DAY, cost) for n, cost in enumerate(costs)]


def test_the_month_is_what_was_spent_in_it_and_the_days_before_count_for_the_days_to_come():
    spent = each_day([2.0] * 30, NOON)  # from 22 October on
    found = month_by([*spent, (NOON, 1.0)], NOON)
    assert (found.spent, found.days) == (20 * 2.0 + 1.0, 30)
    assert found.expected == pytest.approx(41.0 + 9.5 * 2.0), "half of today and nine days are left"
    assert found.low == pytest.approx(found.high) == pytest.approx(found.expected), "days that are all alike leave no doubt"


def test_a_december_ends_with_its_year_and_a_february_when_it_does():
    for until, left in ((datetime(2026, 12, 31, tzinfo=UTC), 1), (datetime(2028, 2, 28, tzinfo=UTC), 2)):
        found = month_by(each_day([1.0] * 40, until), until)
        assert found.expected == pytest.approx(until.day - 1 + left)


def test_a_day_without_a_turn_cost_nothing_and_counts():
    dear = month_by(each_day([7.0, 0, 0, 0, 0, 0, 0] * 4, NOON), NOON)
    assert dear.expected - dear.spent == pytest.approx(9.5 * 1.0)


def test_too_few_days_say_what_was_spent_and_no_more():
    few = month_by(each_day([1.0] * (LEAST - 1), NOON), NOON)
    assert (few.expected, few.low, few.high) == (None, None, None)
    assert spoken_month(few).endswith(f"once {LEAST} whole days are known ({LEAST - 1} are)")
    assert month_by(each_day([1.0] * LEAST, NOON), NOON).expected is not None


def test_what_is_long_over_says_nothing_of_the_days_to_come():
    found = month_by(each_day([1e6] * 30 + [1.0] * LONGEST, NOON), NOON)
    assert (found.days, found.expected - found.spent) == (LONGEST, pytest.approx(9.5))


@given(daily, st.integers(0, 23))
def test_less_than_is_spent_it_never_becomes_and_the_expected_lies_between(costs, hour):
    found = month_by(each_day(costs, NOON), NOON.replace(hour=hour))
    assert found.spent <= sum(costs) + 1e-6
    if found.expected is not None:
        assert found.spent - 1e-6 <= found.low <= found.expected + 1e-6 <= found.high + 2e-6


@given(daily, st.floats(0.001, 1000))
def test_another_currency_changes_the_figures_and_nothing_else(costs, rate):
    one, other = month_by(each_day(costs, NOON), NOON), month_by(each_day([c * rate for c in costs], NOON), NOON)
    if one.expected is not None:
        assert [other.expected, other.low, other.high] == pytest.approx([x * rate for x in (one.expected, one.low, one.high)], abs=1e-6)


def test_one_dear_day_makes_the_days_to_come_doubtful_and_earns_nothing_back():
    found = month_by(each_day([0.0] * 20 + [100.0] + [0.0] * 10, NOON), NOON)
    assert (found.spent, found.low) == (100.0, 100.0)
    assert found.high > found.expected > 100.0


def test_a_house_says_it_from_its_records(tmp_path):
    house = house_at(tmp_path, (demand,))
    assert month_of(house, "demand", NOON) is None
    with house.store.transaction() as t:
        for n in range(20):
            at = NOON - (20 - n) * DAY
            priced = Cost(cpu_seconds=9, money=1.0 + n % 2) if n != 3 else Cost(cpu_seconds=9)
            house.journal.append(t, replace(decision(n), id=f"d{n}", model="demand", made_at=at, cost=priced), back=timedelta(days=99))
        turn = Turn(id="t", model="demand", now=NOON, cause="schedule", started_at=NOON)
        house.turns.finish(t, house.turns.open(t, turn).id, at=NOON)
    found = month_of(house, "demand", NOON)
    assert (found.spent, found.days) == (28.0, 20)
    assert len(money_spent(house.store, "demand", since=NOON - 2 * DAY, until=NOON - DAY)) == 2
    assert status(house)[0].month == found
    assert spoken_month(found).startswith("November has cost 28.0 by [prices], and will have cost ")
    told = Gauges(house).look(NOON)
    assert told['everloop_month_money{model="demand"}'] == 28.0
    bounds = [told[f'everloop_month_end_money{{model="demand",bound="{bound}"}}'] for bound in ("low", "expected", "high")]
    assert bounds == [found.low, found.expected, found.high] == sorted(bounds)


WORLDS = {
    "every day alike, give or take": lambda rng, n: rng.normal(1.0, 0.2, n).clip(0),
    "a training a week": lambda rng, n: 0.02 + (np.arange(n) % 7 == rng.integers(7)),
    "trainings by chance, one in a week": lambda rng, n: 0.02 + rng.poisson(1 / 7, n),
    "a heavy tail": lambda rng, n: rng.lognormal(0, 0.8, n),
}


def coverage(world, days, *, rounds=2000, month=month_by):
    """How often what the month costs in the end lies in the interval told after so many days."""
    rng, hits = np.random.default_rng(7), 0
    until = datetime(2026, 11, 16, tzinfo=UTC)
    for _ in range(rounds):
        costs = WORLDS[world](rng, days + 15)
        found: Month = month(each_day(costs[:days].tolist(), until), until)
        hits += found.low - 1e-9 <= found.spent + costs[days:].sum() <= found.high + 1e-9
    return hits / rounds


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_the_interval_holds_what_comes_about_as_often_as_it_says(world):
    assert coverage(world, 42) >= 0.92


@pytest.mark.slow
def test_an_interval_that_forgets_that_the_mean_is_not_known_would_be_found():
    def mutant(spent, until):
        found = month_by(spent, until)
        days = [money for _, money in spent][-LONGEST:]
        half = 1.96 * np.std(days, ddof=1) * 15**0.5
        return replace(found, low=found.expected - half, high=found.expected + half)

    assert coverage("every day alike, give or take", 14, month=mutant) < 0.85
    assert coverage("every day alike, give or take", 14) >= 0.93
