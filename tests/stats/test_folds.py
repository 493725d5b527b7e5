"""Folds of the past: what judges lies after what was learnt from, with a truth's length between."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from everloop.stats.folds import folds_by_unit, folds_in_time

moments = st.lists(st.integers(0, 10_000), min_size=1, max_size=300).map(lambda m: np.sort(np.array(m, dtype=np.int64)))


@given(moments, st.integers(0, 3_000), st.integers(1, 4))
def test_the_truth_of_every_row_learnt_from_is_mature_before_the_first_that_judges(asked, gap, folds):
    for fold in folds_in_time(asked, gap, folds=folds, least=1):
        assert not (fold.learn & fold.judge).any()
        assert asked[fold.learn].max() + gap <= asked[fold.judge].min()
        assert asked[fold.learn].max() < asked[fold.judge].min()


@given(moments, st.integers(0, 3_000))
def test_no_row_judges_twice_and_later_folds_learn_from_more(asked, gap):
    folds = folds_in_time(asked, gap, least=1)
    assert (sum((fold.judge.astype(int) for fold in folds), np.zeros(len(asked), int)) <= 1).all()
    assert [f.learn.sum() for f in folds] == sorted(f.learn.sum() for f in folds)


def test_too_short_a_past_has_no_folds():
    assert folds_in_time(np.arange(400), 1_000) == []
    assert folds_in_time(np.arange(20), 0) == []


def test_without_a_time_every_unit_judges_once():
    units = [f"u{i % 70}" for i in range(700)]
    folds = folds_by_unit(units)
    assert (sum(fold.judge.astype(int) for fold in folds) == 1).all()
    for fold in folds:
        judged = {u for u, j in zip(units, fold.judge, strict=True) if j}
        assert not judged & {u for u, learn in zip(units, fold.learn, strict=True) if learn}
