"""Names counted in a bounded number of counters."""

from functools import reduce
from operator import add

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from everloop.stats.frequent import LONGEST, MOST, Frequent


def test_few_names_are_counted_exactly_however_they_are_cut():
    parts = [{"a": 3, "b": 1}, {"b": 4}, {"c": 2, "a": 1}]
    assert reduce(add, map(Frequent.of, parts)) == reduce(add, map(Frequent.of, parts[::-1])) == Frequent({"b": 5, "a": 4, "c": 2}, 0)
    assert Frequent().first is None
    assert list(Frequent.of({"x" * 99: 1}).counts) == ["x" * LONGEST]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=300), st.integers(1, 9))
def test_what_comes_often_is_there_and_counted_nearly_right(values, parts):
    names = [f"n{v * v // 60}" for v in values]
    cut = [dict(zip(*(x.tolist() for x in np.unique(names[i::parts], return_counts=True)), strict=True)) for i in range(parts)]
    found = reduce(add, map(Frequent.of, cut))
    true = {name: names.count(name) for name in names}
    assert len(found.counts) <= MOST
    assert found.lost * (MOST + 1) <= len(names)
    assert all(true[n] - found.lost <= c <= true[n] for n, c in found.counts.items())
    assert {n for n, c in true.items() if c > len(names) / (MOST + 1)} <= set(found.counts)
