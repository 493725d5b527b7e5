"""What a learner notes is kept by name, plain and bounded, and never fails a learner."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop import note
from everloop.project.noted import LONGEST, MOST, noted


def test_the_last_word_counts_and_nothing_is_kept_where_nobody_learns():
    note(loss=1)
    with noted() as found:
        note(loss=1, why="a try")
        note(loss=np.float32(0.5))
    note(loss=3)
    assert found == {"loss": 0.5, "why": "a try"}


@given(
    st.dictionaries(
        st.text(min_size=1), st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.lists(st.integers()))
    )
)
def test_whatever_is_noted_can_be_kept(said):
    with noted() as found:
        note(**said)
    for value in found.values():
        assert isinstance(value, str) or math.isfinite(value)
        assert not isinstance(value, str) or len(value) <= LONGEST


def test_at_most_so_many_names_are_kept_and_known_ones_still_move():
    with noted() as found:
        for i in range(3 * MOST):
            note(**{f"n{i}": i})
        note(n0=-1)
    assert len(found) == MOST
    assert found["n0"] == -1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None])
def test_what_is_no_finite_number_is_kept_as_a_word(value):
    with noted() as found:
        note(x=value)
    assert found == {"x": str(value)}
