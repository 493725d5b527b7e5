"""The split: the newest judges, and no truth that was learnt from reaches into what judges."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from everloop.features.split import picked_by_id, split_by_time

DAY = 86_400_000_000


@given(
    st.lists(st.integers(-300, 300), min_size=1, max_size=60), st.integers(0, 40), st.one_of(st.none(), st.integers(-300, 300)),
    st.one_of(st.none(), st.integers(1, 100).map(lambda d: timedelta(days=d)), st.floats(0.05, 0.9)),
)  # fmt: skip
def test_truths_learnt_from_are_over_before_judging_begins_and_judging_begins_after_the_champion(on, gap, after, holdout):
    moments = np.array(on, dtype=np.int64) * DAY
    made = split_by_time(moments, holdout, gap * DAY, None if after is None else after * DAY)
    learnt, judged = moments[moments < made.learn_until], moments[moments >= made.judge_from]
    assert not len(learnt) or learnt.max() + gap * DAY < made.judge_from
    assert after is None or made.judge_from >= (after + gap) * DAY
    assert not len(learnt) or not len(judged) or learnt.max() < judged.min()


def test_a_fifth_of_the_time_judges_if_nothing_is_said_and_a_span_counts_back_from_the_newest():
    moments = np.arange(101) * DAY
    assert split_by_time(moments, None, 7 * DAY, None).judge_from == 81 * DAY
    assert split_by_time(moments, timedelta(days=21), 7 * DAY, None) == split_by_time(moments, 0.21, 7 * DAY, None)
    assert split_by_time(moments, timedelta(days=21), 7 * DAY, None).learn_until == 73 * DAY


def test_one_moment_alone_is_learnt_from_and_no_moment_is_no_split():
    made = split_by_time(np.array([5, 5]), None, 10, None)
    assert made.learn_until == 6
    assert made.judge_from == 16
    assert split_by_time(np.array([], dtype=np.int64), None, 0, None) is None


def test_units_picked_by_id_stay_picked_whoever_else_is_there():
    units = [f"h{i}" for i in range(2000)]
    picked = picked_by_id(units, 0.25)
    assert 430 < picked.sum() < 570
    assert picked_by_id(units[::-1], 0.25).tolist() == picked.tolist()[::-1]
    assert (picked_by_id(units, 0.5) | ~picked).all()  # a larger share keeps those of a smaller one
