"""One question answered without a table is answered as with one: the same rows, whoever fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from everloop_rows import DAY, NOW, churn, demand, traffic
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.clock import microseconds
from everloop.records import Shape
from everloop.serving import answer
from everloop.serving.answer import Read
from everloop.serving.answered import SCHEMA
from everloop.serving.one import Question, able, answer_one, shadow_one
from everloop.serving.payload import decoded, encoded_rows
from everloop.stats.shapes import Answers

COLUMNS = ("orders_quantity_total_last_7d", "orders_kind_latest", "orders_customer_latest")
SHAPES = {
    "number": Shape(kind="number"),
    "chance": Shape(kind="chance"),
    "shares": Shape(kind="shares", labels=("tea", "coffee")),
    "quantiles": Shape(kind="quantiles", levels=(0.1, 0.9)),
}


class Version:
    """Says a value, or raises; by table and by row."""

    columns = COLUMNS[:1]

    def __init__(self, kind, value, raises=False):
        self.shape, self.value, self.raises = SHAPES[kind], value, raises
        self.several = (value, 1 - value) if kind in ("shares", "quantiles") else ()

    def answer(self, features):
        if self.raises:
            raise ValueError("no such luck")
        values = np.array([self.several]) if self.several else None
        return Answers(self.shape, np.array([self.value]), values=values)

    def one(self, row):
        assert len(row) == 1
        if self.raises:
            raise ValueError("no such luck")
        return self.value, self.several


@st.composite
def asked(draw):
    kind = draw(st.sampled_from(sorted(SHAPES)))
    values = st.sampled_from([0.25, 0.5, 1.0, 7.0, -1.0, float("nan"), float("inf")])
    there = draw(st.sets(st.sampled_from(["v1", "v2", "v3", "v0"]))) | {"v1"}
    versions = {v: Version(kind, draw(values), draw(st.integers(0, 3)) == 0) for v in sorted(there)}
    stage = draw(st.sampled_from(["steady", "shadow", "canary", "bake"]))
    rolled = {"candidate": "v2", "share": 0.5} if stage in ("shadow", "canary") else {}
    how = traffic(stage, previous=draw(st.sampled_from([None, "v0"])) if stage != "bake" else "v0", **rolled)
    arms = ["champion", "candidate"] if stage == "canary" else ["champion"]
    if rolled and draw(st.booleans()):
        how, arms = replace(how, arms=("v2", "v3")), [*arms, *(["candidate-2"] if stage == "canary" else [])]
    features = {
        COLUMNS[0]: draw(st.sampled_from([None, 1.0, -2.5])),
        COLUMNS[1]: draw(st.sampled_from([None, "tea", 'a "quoted" word'])),
        COLUMNS[2]: draw(st.sampled_from([None, "Ann"])),
    }
    return kind, versions, how, draw(st.sampled_from(arms)), features


@settings(deadline=None)
@given(asked())
def test_the_rows_are_those_of_a_table(what):
    kind, versions, how, arm, features = what
    model = churn() if kind == "chance" else demand()
    question = Question("p1", DAY, features, '{"orders":3}', "abcdef", '{"more":1}')
    loaded = {v: able(model, one.shape, one.columns, one.one) for v, one in versions.items()}
    words = {"answered_at": microseconds(NOW), "private": {COLUMNS[2]}, "salt": "s"}
    said = answer_one(model, how, loaded, question, arm=arm, **words)
    mine = decoded(encoded_rows([*said, *shadow_one(model, how, loaded, question, said, **words)]))

    kinds = {COLUMNS[0]: pa.float64(), COLUMNS[1]: pa.string(), COLUMNS[2]: pa.string()}
    table = pa.table({"question": [0]} | {name: pa.array([features[name]], kinds[name]) for name in COLUMNS})
    questions = pa.table({"question": [0], "moment": [DAY], "product_id": ["p1"]})
    read = Read('{"orders":3}', "abcdef")
    theirs = answer(model, how, versions, questions, table, now=NOW, arm_of=lambda *_: arm, salt="s", read=read).table

    unlike = ["microseconds", "request"]  # what a request said is put beside by whoever asks
    assert mine.schema == SCHEMA
    assert mine.drop_columns(unlike).to_pylist() == theirs.drop_columns(unlike).to_pylist()
    assert set(mine["request"].to_pylist()) == {'{"more":1}'}


def test_a_version_that_is_not_loaded_is_answered_for():
    v1 = Version("number", 2.0)
    loaded = {"v1": able(demand(), v1.shape, v1.columns, v1.one)}
    question = Question("p1", DAY, dict.fromkeys(COLUMNS))
    said = answer_one(demand(), traffic("canary", candidate="v2", share=1.0), loaded, question, arm="candidate", answered_at=0)
    assert [(row.version, row.arm, row.error) for row in said] == [
        ("v1", "champion", None),
        ("v2", "candidate", "its predictor is not loaded"),
    ]


@pytest.mark.parametrize("columns", [(), ("a",), ("b", "a")])
def test_a_version_is_given_its_columns_in_its_order(columns):
    one = able(demand(), SHAPES["number"], columns, lambda row: (0.0, ()))
    assert tuple(one.row({"a": 1, "b": 2})) == tuple({"a": 1, "b": 2}[name] for name in columns)
