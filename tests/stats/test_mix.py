"""A change split into mix and within: the terms add up, and the segment that did it is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.stats.mix import Side, drill, split

RNG = np.random.default_rng(11)
SHOPS = np.array(["a", "b", "c", "d"], dtype=object)


def side(rates, shares, rows, rng):
    shop = rng.choice(4, rows, p=shares)
    channel = rng.choice(np.array(["web", "shop"], dtype=object), rows)
    return Side((rng.random(rows) < np.array(rates)[shop]).astype(float), np.ones(rows), {"shop": SHOPS[shop], "channel": channel})


amounts = st.floats(-1e6, 1e6, allow_nan=False)
weights = st.just(0.0) | st.floats(1e-9, 1e3)
"""An amount over a weight near the least float there is would be larger than any."""
rows = st.lists(st.tuples(amounts, weights, st.sampled_from("abcd")), min_size=1, max_size=30)


def made(drawn):
    amount, weight, group = zip(*drawn, strict=True)
    return Side(np.array(amount), np.array(weight), {"g": np.array(group, dtype=object)})


@given(rows, rows)
@settings(max_examples=60, deadline=None)
def test_the_terms_add_up_to_the_change(one, other):
    before, now = made(one), made(other)
    for found in (split(before, now, "g"), drill(before, now)):
        if found is None:
            assert before.ratio is None or now.ratio is None
            continue
        size = sum(abs(p.mix) + abs(p.within) for p in found.parts) + abs(found.before) + abs(found.now)
        assert abs(sum(p.total for p in found.parts) - found.change) <= 1e-9 * size + 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_the_segment_that_got_worse_is_named_and_it_is_within(seed):
    rng = np.random.default_rng(seed)
    before = side([0.1, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], 4000, rng)
    now = side([0.1, 0.1, 0.3, 0.1], [0.4, 0.3, 0.2, 0.1], 4000, rng)
    first = drill(before, now).parts[0]
    assert (first.name, first.value) == ("shop", "c")
    assert abs(first.within) > 5 * abs(first.mix)


def test_a_segment_there_is_more_of_is_mix():
    rng = np.random.default_rng(3)
    before = side([0.1, 0.1, 0.1, 0.6], [0.4, 0.3, 0.2, 0.1], 4000, rng)
    now = side([0.1, 0.1, 0.1, 0.6], [0.3, 0.2, 0.1, 0.4], 4000, rng)
    first = drill(before, now).parts[0]
    assert (first.name, first.value) == ("shop", "d")
    assert abs(first.mix) > 5 * abs(first.within)


def test_a_new_segment_is_all_mix_and_a_change_of_all_alike_has_no_segment():
    rng = np.random.default_rng(5)
    before = side([0.1, 0.1, 0.1, 0.6], [0.5, 0.3, 0.2, 0.0], 4000, rng)
    now = side([0.1, 0.1, 0.1, 0.6], [0.3, 0.2, 0.1, 0.4], 4000, rng)
    first = drill(before, now).parts[0]
    assert (first.value, first.within, first.before) == ("d", 0.0, None)
    everybody = side([0.2, 0.2, 0.2, 0.2], [0.4, 0.3, 0.2, 0.1], 4000, rng)
    flat = side([0.1, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], 4000, rng)
    assert [p.name for p in drill(flat, everybody).parts] == [""]


def test_weights_that_are_nothing_leave_the_terms_whole():
    before = Side(np.array([1.0, 2.0]), np.array([0.0, 4.0]), {"g": np.array(["x", "y"], dtype=object)})
    now = Side(np.array([3.0, 2.0]), np.array([0.0, 4.0]), {"g": np.array(["x", "y"], dtype=object)})
    found = split(before, now, "g")
    assert found.change == pytest.approx(0.5) == sum(p.total for p in found.parts)
    assert drill(Side(np.zeros(2), np.zeros(2), {}), now) is None
