"""When to order, and how much: against a simulated shelf, by hand, and at the edges."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from everloop.errors import EverloopError
from everloop.stats.stock import Supply, at_level, in_packs, mean_of, over, suggested

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
DEMAND = st.lists(st.floats(0, 1e4), min_size=5, max_size=5).map(sorted)


def shelf(supply, days=7, weeks=6000, seed=3, size=20.0):
    """A shelf that is looked after every ``review`` days by what is suggested: the share of order cycles in which nothing runs out."""
    rng = np.random.default_rng(seed)
    daily = rng.negative_binomial(3, 3 / (3 + size / 7), weeks * 7).astype(float)
    sums = np.convolve(daily, np.ones(days), "valid")
    levels = np.linspace(0.02, 0.98, 49)
    told = np.quantile(sums, levels)
    on_hand, coming, fine, cycles = 60.0, [], 0, 0
    lead, review = int(supply.lead), int(supply.review)
    for day in range(len(daily) - lead - review):
        on_hand += sum(units for when, units in coming if when == day)
        coming = [(when, units) for when, units in coming if when > day]
        if day % review == 0:
            position = on_hand + sum(units for _, units in coming)
            wanted = suggested(levels, told, days, supply, position).quantity
            coming += [(day + lead, wanted)] if wanted else []
            need = daily[day : day + lead + review].sum()
            fine, cycles = fine + (position + wanted >= need), cycles + 1
        on_hand -= daily[day]
    return fine / cycles


@pytest.mark.parametrize("service", [0.8, 0.9, 0.95])
def test_a_shelf_kept_by_the_suggestions_runs_out_as_rarely_as_asked(service):
    found = shelf(Supply(lead=7, review=7, cover=0, service=service))
    assert service - 0.02 <= found <= service + 0.06


def test_a_shelf_protected_over_the_lead_alone_does_not():
    """The mutant that forgets that nobody looks before the next review."""
    assert shelf(Supply(lead=7, review=7, service=0.9)) - protected_over_the_lead(0.9) > 0.2


def protected_over_the_lead(service):
    class Forgets(Supply):
        protects = property(lambda self: self.lead)

    return shelf(Forgets(lead=7, review=7, service=service))


@given(DEMAND, st.floats(0, 1e4), st.floats(0.5, 60), st.sampled_from([1.0, 6.0, 0.25]), st.floats(0, 500))
def test_an_order_is_whole_packs_reaches_its_mark_and_is_no_larger_than_it_must_be(demand, position, lead, pack, minimum):
    found = suggested(LEVELS, demand, 7, Supply(lead=lead, service=0.9, cover=14, pack=pack, minimum=minimum), position)
    if position > found.reorder_point:
        assert found.quantity == 0
    elif found.quantity:
        assert found.quantity / pack == pytest.approx(round(found.quantity / pack), abs=1e-6)
        assert position + found.quantity >= found.up_to - 1e-6 * max(1, found.up_to)
        assert found.quantity >= minimum - 1e-6
        assert found.quantity - pack < max(found.up_to - position, minimum) + 1e-6 * max(1, found.up_to)


@given(DEMAND, st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_more_service_never_means_to_order_later(demand, one, other):
    low, high = sorted((one, other))
    points = [suggested(LEVELS, demand, 7, Supply(lead=14, service=s)).reorder_point for s in (low, high)]
    assert points[0] <= points[1] + 1e-9


@given(DEMAND)
def test_over_the_span_that_was_predicted_a_quantile_is_itself(demand):
    assume(demand[-1] > 0)
    found = suggested(LEVELS, demand, 7, Supply(lead=5, review=2, service=0.95))
    assert found.reorder_point == pytest.approx(demand[-1])


def test_independent_weeks_add_up_as_normal_demand_does():
    """Four weeks of a normal demand of 100 and 20: 400 + 1.645 x 40."""
    assert over(100.0, 100 + 1.6449 * 20, 4.0) == pytest.approx(400 + 1.6449 * 40)


def test_a_slow_seller_sells_something_on_average():
    assert mean_of((0.1, 0.5, 0.9), (0.0, 0.0, 2.0)) > 0


@pytest.mark.parametrize("level", [0.01, 0.99])
def test_nothing_is_made_up_beyond_the_levels(level):
    with pytest.raises(EverloopError, match="let the model answer with"):
        at_level((0.1, 0.5, 0.9), (1.0, 2.0, 3.0), level)


@pytest.mark.parametrize("words", [{"lead": -1}, {"lead": 0}, {"lead": 7, "service": 1.0}, {"lead": 7, "pack": 0}, {"lead": float("nan")}])
def test_goods_that_cannot_come_like_this_are_refused(words):
    with pytest.raises(EverloopError):
        Supply(**words)


def test_three_tenths_of_a_kilo_are_three_packs_of_a_tenth():
    assert in_packs(0.3, 0.1) == pytest.approx(0.3)
