"""The arithmetic of skew: which values are the same, how many are not, and who is looked at."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.monitor.skew import Skew, compare, differing, one_feature, picked


def counted(served, offline):
    skew = one_feature("x", pa.array(served), pa.array(offline), [f"a{n}" for n in range(len(served))])
    return skew.mismatch, skew.missing, skew.extra


@pytest.mark.parametrize(
    ("served", "offline", "found"),
    [
        ([1.0], [1.0], (0, 0, 0)),
        ([0.1 + 0.2], [0.3], (1, 0, 0)),
        ([0.0], [-0.0], (1, 0, 0)),
        ([float("nan")], [float("nan")], (0, 0, 0)),
        ([float("nan")], [1.0], (0, 1, 0)),
        ([1.0], [float("nan")], (0, 0, 1)),
        ([float("inf")], [float("inf")], (0, 0, 0)),
        ([5e-324], [0.0], (1, 0, 0)),
        (["tea"], ["tea"], (0, 0, 0)),
        (["tea"], ["Tea"], (1, 0, 0)),
        ([""], ["tea"], (1, 0, 0)),
        (["1.0"], [1.0], (1, 0, 0)),
        ([["a", "b"]], [["a", "b"]], (0, 0, 0)),
        ([["a", "b"]], [["b", "a"]], (1, 0, 0)),
        ([[]], [["a"]], (1, 0, 0)),
    ],
    ids=range(15),
)
def test_values_are_the_same_if_every_bit_is(served, offline, found):
    assert counted(served, offline) == found


def test_empty_is_empty_however_it_is_written():
    assert counted([None, 1.0, None, 2.0], [float("nan"), None, 3.0, 2.0]) == (0, 1, 1)
    assert counted([None, "x"], ["y", None]) == (0, 1, 1)
    assert not differing(pa.nulls(2), pa.array([None, float("nan")])).any()
    assert differing(pa.nulls(2), pa.array(["x", None])).tolist() == [True, False]


def test_the_first_answer_and_the_largest_difference_are_named():
    skew = one_feature("x", pa.array([1.0, 2.0, 9.0]), pa.array([1.0, 2.5, 6.0]), ["a", "b", "c"])
    assert (skew.first, skew.largest, skew.rate) == ("b", 3.0, 2 / 3)
    assert one_feature("x", pa.array([], pa.float64()), pa.array([], pa.float64()), []).clean


def test_another_definition_is_no_wrong_value_but_counts_in_the_rate():
    skew = one_feature("x", pa.array([1.0]), pa.array([1.0]), ["a"], other=["b"])
    assert (skew.differ, skew.other, skew.first, skew.rate, skew.clean) == (0, 1, "b", 0.5, False)
    assert Skew("x", 0).rate == 0.0


def test_a_column_nobody_read_again_is_extra_and_tables_of_unlike_length_are_refused():
    assert compare(pa.table({"x": [1.0, None]}), pa.table({"y": [1.0, 2.0]}), ["a", "b"])[0].extra == 1
    with pytest.raises(ValueError, match="not the same questions"):
        compare(pa.table({"x": [1.0]}), pa.table({"x": [1.0, 2.0]}), ["a"])


def test_of_a_unit_all_answers_are_looked_at_or_none():
    units = [f"u{n % 2_000}" for n in range(6_000)]
    looked = picked(units, 0.1)
    assert {unit for unit, there in zip(units, looked, strict=True) if there}.isdisjoint(
        unit for unit, there in zip(units, looked, strict=True) if not there
    )
    assert 0.08 < looked.mean() < 0.12
    assert not (picked(units, 0.05) & ~looked).any()  # a larger share looks at the same units and more
    assert picked([], 0.5).tolist() == []


values = st.one_of(st.none(), st.floats(allow_nan=True), st.just(-0.0), st.just(0.0))


@given(st.lists(st.tuples(values, values), max_size=30))
def test_what_is_counted_is_what_a_loop_over_the_values_counts(pairs):
    def empty(value):
        return value is None or math.isnan(value)

    left, right = ([pair[side] for pair in pairs] for side in (0, 1))
    unlike = sum(not empty(a) and not empty(b) and np.float64(a).tobytes() != np.float64(b).tobytes() for a, b in pairs)
    missing, extra = sum(empty(a) and not empty(b) for a, b in pairs), sum(empty(b) and not empty(a) for a, b in pairs)
    skew = one_feature("x", pa.array(left, pa.float64()), pa.array(right, pa.float64()), ["a"] * len(pairs))
    assert (skew.mismatch, skew.missing, skew.extra) == (unlike, missing, extra)
    same = one_feature("x", pa.array(left, pa.float64()), pa.array(left, pa.float64()), ["a"] * len(pairs))
    assert same.clean


def rounded_to_six(served, offline):
    return [round(a, 6) == round(b, 6) for a, b in zip(served, offline, strict=True)]


def test_a_meter_that_rounds_would_call_a_sum_in_another_order_the_same():
    forwards, backwards = sum([0.1, 0.2, 0.3]), sum([0.3, 0.2, 0.1])
    assert rounded_to_six([forwards], [backwards]) == [True]
    assert counted([forwards], [backwards]) == (1, 0, 0)
