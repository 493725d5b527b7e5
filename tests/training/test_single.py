"""One row, one answer: the same as the table's to the last bit, whatever the row; and what is left to the table."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.errors import LearnerFailed
from everloop.records import Shape
from everloop.training.baseline import Baseline
from everloop.training.compiled import Compiled
from everloop.training.feed import Feed
from everloop.training.masks import masks_of
from everloop.training.parity import alone_agrees
from everloop.training.plain import Mean, Plain, Sum
from everloop.training.trees import Trees

NUMBER, CHANCE, QUANTILES = Shape(kind="number"), Shape(kind="chance"), Shape(kind="quantiles", levels=(0.1, 0.5, 0.9))


def grown(seed, trees=7, leaves=12, columns=3, codes=0):
    """Trees at random: each leaf in turn becomes a node with two leaves; the last column holds categories where there are ``codes``."""
    rng = np.random.default_rng(seed)
    roots, kids, column, threshold, category, lefts = [], [], [], [], [], []
    for _ in range(trees):
        start = len(kids)
        roots.append(start)
        kids.append([start, start])
        for _ in range(int(rng.integers(0, leaves))):
            ends = [n for n in range(start, len(kids)) if kids[n][0] == n]
            here = ends[int(rng.integers(len(ends)))]
            kids[here] = [len(kids), len(kids) + 1]
            kids += [[len(kids)] * 2, [len(kids) + 1] * 2]
    for _ in kids:
        column.append(int(rng.integers(columns)))
        threshold.append(float(rng.integers(-4, 5)) / 2)
        by_code = codes > 0 and column[-1] == columns - 1
        category.append(len(lefts) if by_code else -1)
        if by_code:
            lefts.append(rng.integers(0, 2, codes + 1))
    return Trees(
        roots=np.array(roots, np.int32),
        kids=np.array(kids, np.int32),
        column=np.array(column, np.int32),
        threshold=np.array(threshold),
        lost=rng.integers(0, 2, len(kids)).astype(np.uint8),
        value=rng.normal(size=(len(kids), 1)),
        category=np.array(category, np.int32),
        lefts=np.array(lefts, np.uint8).reshape(len(lefts), codes + 1),
    )


NUMBERS = st.one_of(st.sampled_from([-2.5, -2.0, -1.5, -0.0, 0.0, 0.5, 1.0, 2.0, np.nan, np.inf, -np.inf]), st.floats(-5, 5))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    leaves=st.sampled_from([1, 3, 31, 33, 64, 65, 150]),
    codes=st.sampled_from([0, 4]),
    rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=8),
)
def test_masks_find_the_leaves_that_a_walk_ends_in(seed, leaves, codes, rows):
    trees = grown(seed, leaves=leaves, codes=codes)
    masks = masks_of(trees)
    found = [masks.nodes[masks.bits(row)].tolist() for row in rows]
    assert found == trees.leaves(np.array(rows)).T.tolist()


@pytest.mark.parametrize("body", [lambda t: Sum(np.array([0.25]), t), Mean, lambda t: Sum(np.array([0.5]), replace_value(t))])
def test_sums_are_taken_in_the_same_order(body):
    made = Compiled(NUMBER, Feed(("a", "b", "c")), Plain((), body(grown(3, trees=90, leaves=31))))
    rng = np.random.default_rng(0)
    assert alone_agrees(made, pa.table({name: rng.normal(size=40) * 2 for name in "abc"}))


def replace_value(trees):
    """The same trees, whose leaves say numbers so far apart that any other order of adding them shows."""
    rng = np.random.default_rng(1)
    return Trees(
        trees.roots,
        trees.kids,
        trees.column,
        trees.threshold,
        trees.lost,
        rng.normal(size=trees.value.shape) * 10.0 ** rng.integers(-12, 12, trees.value.shape),
        trees.category,
        trees.lefts,
    )


def test_trees_that_are_no_trees_are_walked():
    trees = grown(3)
    shared = trees.kids.copy()
    inner = np.flatnonzero(~trees.leaf)
    shared[inner[0], 1] = shared[inner[0], 0]
    looped = Trees(trees.roots, shared, trees.column, trees.threshold, trees.lost, trees.value, trees.category, trees.lefts)
    assert masks_of(looped) is None
    assert alone_agrees(
        Compiled(NUMBER, Feed(("a", "b", "c")), Plain((), Sum(np.zeros(1), looped))), pa.table({name: [1.0] for name in "abc"})
    )


def test_masks_that_would_take_too_much_are_not_made(monkeypatch):
    monkeypatch.setattr("everloop.training.masks.MOST_BYTES", 100)
    trees = grown(3)
    assert masks_of(trees) is None
    made = Compiled(NUMBER, Feed(("a", "b", "c")), Plain((), Sum(np.zeros(1), trees)))
    assert alone_agrees(made, pa.table({name: [1.0, -1.0] for name in "abc"}))


def test_an_empty_feature_is_missing_and_a_strange_one_is_refused():
    made = Compiled(NUMBER, Feed(("a", "b", "c")), Plain((), Sum(np.zeros(1), grown(3))))
    assert made.one([None, True, 3]) == made.one([float("nan"), 1.0, np.float32(3.0)])
    for strange in ("1.5", b"1", [1.0], 1j, 10**400, object()):
        with pytest.raises(LearnerFailed, match="is no number"):
            made.one([0.0, strange, 0.0])
    for row in ([], [1.0] * 2, [1.0] * 4):
        with pytest.raises(LearnerFailed, match="the version knows 3: a, b, c"):
            made.one(row)


def test_large_whole_numbers_are_rounded_as_the_table_rounds_them():
    trees = grown(3)
    edge = Trees(trees.roots, trees.kids, trees.column, trees.threshold * 0 + 2.0**53, trees.lost, trees.value, trees.category, trees.lefts)
    made = Compiled(NUMBER, Feed(("a", "b", "c")), Plain((), Sum(np.zeros(1), edge)))
    assert alone_agrees(made, pa.table({name: pa.array([2**53 + 1], pa.int64()) for name in "abc"}))


def test_a_category_is_a_string_or_empty():
    feed = Feed(("a", "b", "kind"), "arrow", {"kind": ("chai", "coffee", "mate", "tea")})
    made = Compiled(NUMBER, feed, Plain((), Sum(np.zeros(1), grown(5, codes=4))))
    rows = pa.table({"a": [0.1] * 4, "b": [1.0] * 4, "kind": ["chai", "tea", "nobody has seen this", None]})
    assert alone_agrees(made, rows)
    assert made.one([0.1, 1.0, float("nan")]) == made.one([0.1, 1.0, None]) == made.one([0.1, 1.0, "unheard of"])
    with pytest.raises(LearnerFailed, match="kind is a category, and '3' is none"):
        made.one([0.1, 1.0, 3])


def test_a_question_of_several_rows_has_no_single_answer():
    line = Plain((), Sum(np.zeros(1), grown(3)))
    several = replace(QUANTILES, steps=3)
    for shape, fitted in ((Shape(kind="ranking", most=3), line), (several, dict.fromkeys(QUANTILES.levels, line))):
        assert not hasattr(Compiled(shape, Feed(("a", "b", "c")), fitted), "one")
        assert not hasattr(Baseline(shape, "past"), "one")


def test_what_has_answered_alone_can_still_be_sent_elsewhere():
    made = Compiled(NUMBER, Feed(("a", "b", "c")), Plain((), Sum(np.zeros(1), grown(3))))
    said = made.one([1.0, 2.0, 3.0])
    assert pickle.loads(pickle.dumps(made)).one([1.0, 2.0, 3.0]) == said
    simple = Baseline(NUMBER, "past")
    simple.one([1.0])
    assert pickle.loads(pickle.dumps(simple)) == simple


BASELINES = {
    "the past": Baseline(NUMBER, "past"),
    "a calibrated past": Baseline(CHANCE, "past", (0.3,), ((0.0, 0.1), (2.0, 0.4), (7.0, 0.9))),
    "the usual chance": Baseline(CHANCE, "past", (0.3,)),
    "a past with a spread": Baseline(QUANTILES, "past", (-3.0, 0.5, 2.0), least=0.0),
    "a past that may be negative": Baseline(QUANTILES, "past", (-3.0, 0.5, 2.0)),
    "a bare past": Baseline(QUANTILES, "past"),
    "the average": Baseline(NUMBER, "average", (2.5,)),
    "no average": Baseline(NUMBER, "average"),
    "average shares": Baseline(Shape(kind="shares", labels=("p", "q")), "average", (0.25, 0.75)),
    "average quantiles": Baseline(QUANTILES, "average", (1.0, 2.0, 3.0)),
    "the last one": Baseline(NUMBER, "last", units={"1.0": 4.0, "2.0": np.inf}),
}


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("value", [1.0, 0.0, -2.0, 3.3, 100.0, None, np.nan, np.inf, -np.inf])
def test_a_baseline_answers_one_row_as_it_answers_a_table(name, value):
    simple = BASELINES[name]
    given = None if value is None else str(value) if simple.way == "last" else value
    table = pa.table({"baseline": pa.array([value], pa.float64()), "unit": pa.array([given if simple.way == "last" else "u"], pa.string())})
    due = simple.answer(table)
    found, more = simple.one([given] if simple.columns else [])
    assert np.array_equal([found], due.value, equal_nan=True)
    assert np.array_equal(more, () if due.values is None else due.values[0], equal_nan=True)
