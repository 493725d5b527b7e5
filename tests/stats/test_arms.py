"""A few integers say all that the events said, and can be added."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.stats.arms import ArmCounts, counted
from everloop.stats.evalue import arm_events, ratio_between

COUNTS = st.lists(st.tuples(st.sampled_from([0.01, 0.05, 0.5]), st.integers(0, 99), st.integers(0, 99)), max_size=4).map(
    lambda rows: ArmCounts(tuple(rows))
)


def events(seed=1, n=700):
    rng = np.random.default_rng(seed)
    share = np.repeat([0.01, 0.05, 0.25, 0.5], n // 4)
    return (rng.random(len(share)) < share).astype(float), share


def test_counts_judge_as_the_events_do():
    arm, share = events()
    kept = counted(arm, share)
    assert kept.events == len(arm)
    for more in (True, False, None):
        assert np.allclose(kept.evidence(margin=1.1, more=more).wealth, arm_events(arm, share, margin=1.1, more=more).wealth, atol=1e-9)
    assert kept.ratio() == pytest.approx(ratio_between(arm, share), rel=1e-6)


def test_workers_add_up_exactly():
    arm, share = events()
    worker = np.random.default_rng(2).integers(7, size=len(arm))
    assert sum((counted(arm[worker == w], share[worker == w]) for w in range(7)), ArmCounts()) == counted(arm, share)


@given(COUNTS, COUNTS, COUNTS)
def test_adding_does_not_mind_the_order(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert (a + b).events == a.events + b.events


def test_pooled_counts_would_be_something_else():
    """The rival forgets under which share an event came: at 1 % three events of the candidate's are many, at 50 % they are few."""
    apart, pooled = ArmCounts(((0.01, 1, 99), (0.5, 100, 100))), ArmCounts(((0.255, 101, 199),))
    low, high = apart.ratio()
    assert low < 1 < high
    assert abs(np.log(pooled.ratio()[0] / low)) > 0.3


@pytest.mark.parametrize("row", [(0.0, 1, 1), (1.0, 1, 1), (float("nan"), 1, 1), (0.5, -1, 1), (0.5, 1, -1)])
def test_what_is_no_count_is_refused(row):
    with pytest.raises(ValueError, match="no count of events"):
        ArmCounts((row,))
