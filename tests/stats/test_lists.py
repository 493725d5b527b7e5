"""Lists measured: what is found, of repeats and of what is new, against sums written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.records import Shape
from everloop.stats.lists import apart, found, only
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers

ITEMS = "abcdefgh"
rows = st.lists(
    st.tuples(st.permutations(ITEMS).flatmap(lambda p: st.integers(0, 8).map(lambda n: p[:n])), st.sets(st.sampled_from(ITEMS))), min_size=1
)


def as_answers(lists, k):
    answered = tuple(tuple(one[:k]) for one in lists)
    value = np.array([float(len(one)) if one else np.nan for one in answered])
    return Answers(Shape(kind="ranking", most=k), value, items=answered, scores=tuple(tuple(0.0 for _ in one) for one in answered))


@given(rows, st.integers(1, 5))
def test_figures_are_those_of_the_measures_by_the_same_names(pairs, k):
    there = [(listed, truth) for listed, truth in pairs if listed]  # a question nobody answered counts in no measure
    lists, truths = [one for one, _ in there], [truth for _, truth in there]
    said = found(lists, truths, k, len(ITEMS))
    if not there:
        return
    due = np.empty(len(truths), dtype=object)
    due[:] = [tuple(truth) for truth in truths]
    for name in ("precision", "hit_rate", "ndcg"):
        value, other = getattr(said, name), measure(name).value(due, as_answers(lists, k))
        assert (value is None) == (other is None)
        assert value is None or math.isclose(value, other, abs_tol=1e-12)


def test_a_question_that_had_nothing_to_find_counts_in_nothing_but_the_coverage():
    said = found([["a", "b"], ["c"]], [{"a"}, set()], 2, 4)
    assert (said.questions, said.precision, said.coverage) == (1, 0.5, 0.75)


def test_of_nobody_there_is_no_figure():
    said = found([], [], 3, 0)
    assert (said.precision, said.hit_rate, said.ndcg, said.coverage) == (None, None, None, None)


def test_an_item_said_twice_is_found_once():
    assert found([["a", "a", "b"]], [{"a", "b"}], 2, 2).precision == 1.0


def test_repeats_and_what_is_new_are_looked_at_in_lists_and_truths_alike():
    lists, truths, had = [["old", "new", "other"]], [{"old", "new"}], [{"old"}]
    said = apart(lists, truths, had, 1, 3)
    assert said["repeat"].precision == 1.0
    assert said["explore"].precision == 1.0  # the first of what was never had is "new", which came up
    assert said["all"].precision == 1.0
    assert apart([["old", "other", "new"]], truths, had, 1, 3)["explore"].precision == 0.0


@given(rows)
def test_repeat_and_explore_share_what_there_is(pairs):
    lists, had = [one for one, _ in pairs], [mine for _, mine in pairs]
    repeat, explore = only(lists, had, repeat=True), only(lists, had, repeat=False)
    for one, old, new in zip(lists, repeat, explore, strict=True):
        assert sorted(one) == sorted(old + new)
        assert [item for item in one if item in old] == old


def test_a_list_of_repeats_alone_finds_nobody_anything_new():
    said = apart([["a", "b"]] * 2, [{"a", "z"}, {"b"}], [{"a", "b"}] * 2, 2, 3)
    assert said["all"].precision == pytest.approx(0.5)
    assert said["explore"].precision == 0.0
    assert said["explore"].questions == 1
