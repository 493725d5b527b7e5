"""Ranges: every sum, extreme and number of different values is what walking through the range would give, at any size."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.features import ranges
from everloop.features.finalize import decimal_total_of

LIGHT = settings(max_examples=60, deadline=None)
whole = st.sampled_from([0, 1, -1, 7, 2**31, -(2**31), 2**62, -(2**62), 2**63 - 1, -(2**63)])
decimals = st.sampled_from([0.1, -0.1, 0.2, 1e-9, 3e10, -3e10, 2.0**76, -(2.0**76), 0.0])


@st.composite
def cut(draw, values):
    held = draw(st.lists(values, min_size=1, max_size=40))
    ends = draw(st.lists(st.tuples(st.integers(0, len(held)), st.integers(0, len(held))), min_size=1, max_size=8))
    first, last = (np.array(side, dtype=np.int64) for side in zip(*(sorted(end) for end in ends), strict=True))
    return held, first, last


@LIGHT
@given(cut(whole))
def test_whole_sums_are_exact_at_any_size(made):
    held, first, last = made
    found = ranges.whole_sums(np.array(held, dtype=np.int64), first, last)
    assert [int(s) for s in found] == [sum(held[a:b]) for a, b in zip(first, last, strict=True)]


@LIGHT
@given(cut(decimals))
def test_decimal_sums_are_rounded_once(made):
    held, first, last = made
    found = decimal_total_of(*ranges.decimal_sums(np.array(held), first, last))
    exact = [float(sum(map(Fraction, held[a:b]), Fraction(0))) for a, b in zip(first, last, strict=True)]
    assert found.tolist() == exact
    assert exact == [math.fsum(held[a:b]) for a, b in zip(first, last, strict=True)]


@LIGHT
@given(cut(whole), st.booleans())
def test_extremes_are_those_of_the_range(made, least):
    held, first, last = made
    found = ranges.extremes(np.array(held, dtype=np.int64), first, last, least=least)
    for value, a, b in zip(found.tolist(), first, last, strict=True):
        assert a == b or value == (min if least else max)(held[a:b])


@LIGHT
@given(cut(st.integers(0, 5)))
def test_different_values_are_counted_once(made):
    held, first, last = made
    group, starts = np.zeros(len(held), dtype=np.int64), np.array([0, len(held)])
    found = ranges.differing(group, starts, np.array(held), first, last)
    assert found.tolist() == [len(set(held[a:b])) for a, b in zip(first, last, strict=True)]
    wanted = np.full(len(first), 3)
    holds = ranges.holding(group, np.array(held), np.zeros(len(first), dtype=np.int64), wanted, first, last)
    assert holds.tolist() == [3 in held[a:b] for a, b in zip(first, last, strict=True)]


def test_a_plain_running_sum_would_lose_what_these_keep():
    held = np.array([2**62, 2**62, 2**62])
    assert ranges.whole_sums(held, np.array([0]), np.array([3])) == [3 * 2**62]
    assert int(np.cumsum(held)[-1]) != 3 * 2**62
    assert float(np.cumsum([0.1] * 10)[-1]) != decimal_total_of(*ranges.decimal_sums(np.full(10, 0.1), np.array([0]), np.array([10])))[0]


@pytest.mark.parametrize("empty", [np.array([], dtype=np.int64)], ids=["no rows"])
def test_no_rows_are_no_trouble(empty):
    nothing = np.array([0])
    assert ranges.whole_sums(empty, nothing, nothing).tolist() == [0]
    assert ranges.decimal_sums(empty.astype(np.float64), nothing, nothing) == ([0], [0])
    assert ranges.extremes(empty, nothing, nothing, least=True).tolist() == [0]
    assert ranges.differing(empty, np.array([0]), empty, nothing, nothing).tolist() == [0]
