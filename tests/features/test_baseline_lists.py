"""What a baseline lists: its past in order, without what is no candidate, and only then cut; by states as by tables, with a cart too."""

from __future__ import annotations

import sqlite3

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.test_shortlist import DAY, NOW, RULES, model, orders, products, stock, tables

from everloop import at_least, days
from everloop.features.candidates import first_among
from everloop.features.compile import features
from everloop.features.online import catch_up
from everloop.features.shortlist import Shortlists, from_tables, online_readings, shared_lists
from everloop.features.states import states_of_all
from everloop.features.tiles import Tiles
from everloop.testing.plain import Said, event_table

IN_STOCK = at_least(stock.latest("available"), 1)


def by_states(declared, known, requests, carts=()):
    store, states = Tiles(sqlite3.connect(":memory:")), states_of_all([(declared, online_readings(declared))])
    catch_up(store, states, known)
    return Shortlists(declared, states).now(store, requests, NOW, shared_lists(declared, known, NOW), carts)[0]


def bought(often):
    """Ann bought each of these so often; what is below nothing is sold out."""
    log = [
        Said(f"{p}{n}", 0, NOW - 9 * DAY + n, NOW - 9 * DAY + n, {"customer": "ann", "product": p})
        for p, times in often.items()
        for n in range(abs(times))
    ]
    log.sort(key=lambda said: said.known_at)
    shelf = [Said(p, 0, 1, 1, {"product": p, "category": "tea", "for_sale": True}) for p in often]
    left = [Said(p, 0, 1, 1, {"product": p, "available": int(times > 0)}) for p, times in often.items()]
    return {"orders": event_table(orders, log), "products": event_table(products, shelf), "stock": event_table(stock, left)}


@pytest.mark.parametrize("told", [by_states, from_tables])
def test_what_is_sold_out_or_in_the_cart_takes_nobodys_place(told):
    declared = model(among=IN_STOCK, predicts=orders.which("product", next=days(7), most=2))
    known = bought({"p": -5, "q": 4, "r": 3, "s": 2, "t": 1})
    asked = pa.table({"customer": ["ann", "ann"]})
    carts = [[], ["q", "s"]]
    found = told(declared, known, asked, carts) if told is by_states else told(declared, known, asked, NOW, carts)
    lists = {row["question"]: row["baseline"] for row in found.to_pylist()}
    assert lists == {0: ["q", "r"], 1: ["r", "t"]}


def in_order(declared, known, requests, past):
    asked = requests.append_column("moment", pa.array([NOW] * len(requests), pa.int64()))
    return features([past], asked, known, model=declared).column(0).to_pylist()


@pytest.mark.parametrize("carts", [(), [["p", "q"], ["r"], []]])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(2))
def test_a_baseline_lists_the_first_of_its_past_that_are_candidates(rule, seed, carts):
    declared, known = model(among=RULES[rule]), tables(seed)
    requests = pa.table({"customer": ["ann", "eve", "nobody yet"]})
    ever = in_order(declared, known, requests, orders.which("product", most=1000))
    due = from_tables(declared, known, requests, NOW, carts)
    assert by_states(declared, known, requests, carts)["baseline"].to_pylist() == due["baseline"].to_pylist()
    for at, past in enumerate(ever):
        rows = [row for row in due.to_pylist() if row["question"] == at]
        items = {row["item"] for row in rows}
        assert [row["baseline"] for row in rows] == [[item for item in past if item in items][:3]] * len(rows)


@pytest.mark.parametrize("most", [2, None])
def test_everybodys_past_is_cut_after_the_rules_too(most):
    shared = orders.which("product", last=days(28), most=most, per=())
    declared, known = model(among=IN_STOCK, baseline=shared), bought({"p": -5, "q": 4, "r": 3, "s": 2, "t": 1})
    requests = pa.table({"customer": ["ann", "eve"]})
    ever = in_order(declared, known, requests, orders.which("product", last=days(28), most=1000, per=()))
    due = from_tables(declared, known, requests, NOW, [["r"], []])
    assert due["question"].unique().to_pylist() == [0, 1]
    for row in due.to_pylist():
        items = {other["item"] for other in due.to_pylist() if other["question"] == row["question"]}
        assert row["baseline"] == [item for item in ever[row["question"]] if item in items][:most]


WORDS = st.lists(st.sampled_from("abcdefg"), unique=True)


@given(st.lists(WORDS, min_size=1, max_size=3), st.lists(st.tuples(st.integers(0, 2), WORDS), max_size=5), st.integers(0, 4))
def test_the_first_among_candidates_are_those_a_loop_finds(lists, questions, most):
    of = np.array([at % len(lists) for at, _ in questions], dtype=np.int64)
    pairs = [(question, item) for question, (_, items) in enumerate(questions) for item in sorted(items)]
    made = pa.table({"question": pa.array([q for q, _ in pairs], pa.int64()), "item": pa.array([item for _, item in pairs], pa.string())})
    found = first_among(made, pa.array(lists, pa.list_(pa.string())), of, most)
    due = [[item for item in lists[of[at]] if item in items][:most] for at, (_, items) in enumerate(questions)]
    assert found.to_pylist() == due
