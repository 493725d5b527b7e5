"""Floats are made in one place: exact sums, rounded once, in whatever order the rows come."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from everloop.features.finalize import days_before, decimal_sum, divided, mean_of, split_decimal, total_of, whole

decimals = st.floats(-1e20, 1e20, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-14)


@given(st.lists(decimals, max_size=30))
def test_decimal_sums_are_exact_and_rounded_once_in_any_order(values):
    parts = [split_decimal(v) for v in values]
    assert decimal_sum(sum(p[0] for p in parts), sum(p[1] for p in parts)) == math.fsum(values)


def test_a_plain_sum_would_have_depended_on_the_order():
    values = [1e16, 1.0, -1e16]
    assert sum(values) != sum(sorted(values)) or sum(values) != 1.0
    parts = [split_decimal(v) for v in values]
    assert decimal_sum(sum(p[0] for p in parts), sum(p[1] for p in parts)) == 1.0


def test_what_is_not_finite_or_too_large_is_not_summed():
    assert [split_decimal(v) for v in (math.nan, math.inf, -math.inf, 1e23)] == [None] * 4


@given(st.lists(st.integers(-(2**100), 2**100), min_size=1, max_size=5))
def test_whole_sums_leave_the_engine_exactly_also_beyond_64_bits(values):
    column = pa.array(values, pa.decimal128(38, 0))
    assert [int(v) for v in whole(column)] == values
    assert [int(v) for v in whole(column.slice(1))] == values[1:]
    assert total_of(whole(column)).tolist() == [float(v) for v in values]


def test_nothing_divided_by_nothing_is_empty_and_never_infinite():
    assert np.isnan(divided(np.array([0.0, 1.0, 1e308, np.nan]), np.array([0.0, 0.0, 1e-308, 2.0]))).all()
    assert mean_of(np.array([7.0]), np.array([2])).tolist() == [3.5]


def test_days_before_a_moment_are_negative_for_what_comes_later_and_empty_for_what_is_no_instant():
    moments, instants = np.array([0, 0, 0, 0]), np.array([86_400_000_000, -43_200_000_000, 2**62, 5])
    found = days_before(moments, instants, np.array([True, True, True, False]))
    assert found[:2].tolist() == [-1.0, 0.5]
    assert np.isnan(found[2:]).all()
