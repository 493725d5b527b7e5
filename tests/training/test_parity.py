"""Parity on rows that were really asked: what golden and made-up rows do not show is found by what people send."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor

from everloop.records import Shape
from everloop.stats.shapes import Answers
from everloop.training.compiled import Compiled, compiled, load_compiled
from everloop.training.feed import Feed, feed_of
from everloop.training.parity import asked_again, differs, questions
from everloop.training.predictor import Predictor

NUMBER = Shape(kind="number")
RARE = 7.125
"""A value that no golden row holds, and no made-up one."""


@dataclass(frozen=True)
class WrongOnce(Compiled):
    """A mutant: it answers one value of the first column by one bit too much."""

    def answer(self, features: pa.Table) -> Answers:
        said = super().answer(features)
        there = features.column(self.columns[0]).to_numpy(zero_copy_only=False) == RARE
        return replace(said, value=np.where(there, np.nextafter(said.value, np.inf), said.value))


def learnt(learner):
    rng = np.random.default_rng(1)
    rows = pa.table({"a": rng.gamma(2.0, 3.0, 120).round(2), "b": rng.normal(size=120)})
    x = np.column_stack([rows.column(name).to_numpy() for name in ("a", "b")])
    predictor = Predictor(NUMBER, feed_of(rows, ["a", "b"]), learner.fit(x, x @ [1.0, 2.0]))
    return predictor, load_compiled(compiled(predictor)), rows.slice(0, 12)


@pytest.fixture(scope="module")
def boosted():
    return learnt(HistGradientBoostingRegressor(max_iter=5))


def wrong(made):
    return WrongOnce(made.shape, made.feed, made.fitted)


def asked(made, *texts):
    return asked_again(texts, made.feed, made.shape)


def test_what_only_the_log_holds_shows_the_mutant(boosted):
    predictor, made, golden = boosted
    usual, rare = '{"a":1.5,"b":0.25}', f'{{"a":{RARE},"b":null}}'
    assert not differs(wrong(made), predictor, golden)
    assert not differs(wrong(made), predictor, golden, asked(made, usual))
    assert differs(wrong(made), predictor, golden, asked(made, usual, rare)) == "rows that were really asked"
    assert not differs(made, predictor, golden, asked(made, usual, rare))


def test_a_row_that_both_refuse_hides_no_other():
    predictor, made, golden = learnt(RandomForestRegressor(n_estimators=3, max_depth=3, random_state=0))
    rows = ['{"a":1e300,"b":1}', f'{{"a":{RARE},"b":1}}', '{"a":-1e300,"b":1}', '{"a":2,"b":1}']
    assert not differs(made, predictor, golden, asked(made, *rows))
    assert differs(wrong(made), predictor, golden, asked(made, *rows)) == "rows that were really asked"


def test_golden_and_made_up_rows_are_asked_first(boosted):
    predictor, made, golden = boosted
    other = learnt(HistGradientBoostingRegressor(max_iter=4))[1]
    assert differs(replace(made, fitted=other.fitted), predictor, golden) == "made-up rows"
    at = golden.set_column(0, "a", pa.array([RARE] * len(golden)))
    assert differs(wrong(made), predictor, at) in ("made-up rows", "golden rows")


def test_what_other_versions_were_asked_is_left_out():
    feed = Feed(("x", "kind"), "arrow", {"kind": ("tea",)})
    told = [
        '{"x":1,"kind":"mate"}',
        '{"x":1}',
        '{"x":"1","kind":"tea"}',
        '{"x":2,"kind":3}',
        '{"x":[1],"kind":["tea"]}',
        '{"kind":null,"x":true}',
    ]
    found = asked_again(told, feed, NUMBER)
    assert found.select(["x", "kind"]).to_pylist() == [{"x": 1.0, "kind": "mate"}, {"x": 1.0, "kind": None}]
    assert questions(found) == 2
    assert questions(asked_again([], feed, NUMBER)) == 0


def test_a_list_has_a_row_for_each_of_its_candidates():
    ranking, steps = Shape(kind="ranking"), Shape(kind="number", steps=2)
    told = ['{"x":[1,2,3]}', '{"x":[4,5]}', '{"x":[]}', '{"x":6}']
    assert asked_again(told, Feed(("x",)), ranking).column("question").to_pylist() == [0, 0, 0, 1, 1]
    assert asked_again(told, Feed(("x",)), steps).column("x").to_pylist() == [4.0, 5.0]
    assert asked_again(told, Feed(("x",)), ranking, most=1).column("x").to_pylist() == [1.0, 2.0, 3.0]
