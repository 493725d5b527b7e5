"""Shortlists: candidates and what is known of them told from states, as the tables tell them; rules, carts and what is everybody's."""

from __future__ import annotations

import sqlite3
from random import Random

import pyarrow as pa
import pytest

from everloop import Model, Source, at_least, days, every, one_of
from everloop.features.online import catch_up
from everloop.features.plan import tell
from everloop.features.shortlist import Shortlists, allowed_by_tables, from_tables, online_readings, shared_lists
from everloop.features.states import states_of_all
from everloop.features.tiles import Tiles
from everloop.testing.plain import Said, event_table

DAY = 86_400_000_000
NOW = 200 * DAY


class Learner:
    def fit(self, rows, truth): ...

    def predict(self, rows): ...


products = Source("products", id="product", columns={"category": str, "for_sale": bool})
stock = Source("stock", id="product", columns={"available": int})
orders = Source("orders", id="line", time="at", columns={"customer": str, "product": str})
pair = ["customer", "product"]


def model(**words):
    said = {
        "predicts": orders.which("product", next=days(7), most=3),
        "per": "customer",
        "asked": every(days(7)),
        "candidates": [orders.which("product", most=5), orders.which("product", last=days(28), most=4, per=())],
        "knows": [
            orders.count(per=pair),
            orders.latest("at", per=pair),
            *orders.count(last=[days(7), days(28)], per="product"),
            orders.count(last=days(28)),
            products.latest("category"),
        ],
        "learner": Learner(),
        "fed_as": "arrow",
    }
    return Model("picks", **(said | words))


def tables(seed):
    rng = Random(seed)
    log = []
    for n in range(150):
        at = NOW - rng.randrange(1, 60 * DAY)
        deleted = rng.random() < 0.05
        customer, product = rng.choice(["ann", "bob", "eve"]), rng.choice("pqrstuvw")
        log.append(Said(f"l{n}", 0, at, at + rng.choice([0, 0, DAY // 2]), {"customer": customer, "product": product}))
        if deleted:
            log.append(Said(f"l{n}", 1, at, NOW - 5, {"customer": customer, "product": product}, deleted=True))
    log = [said for said in log if said.known_at < NOW]
    log.sort(key=lambda said: said.known_at)
    shelf = [Said(p, 0, 1, 1, {"product": p, "category": rng.choice(["tea", "cake"]), "for_sale": rng.random() < 0.8}) for p in "pqrstuv"]
    left = [Said(p, 0, 1, 1, {"product": p, "available": rng.choice([0, 1, 5])}) for p in "pqrstuvw"]
    return {"orders": event_table(orders, log), "products": event_table(products, shelf), "stock": event_table(stock, left)}


def told(declared, known, requests, carts=()):
    """The lists by states."""
    store = Tiles(sqlite3.connect(":memory:"))
    states = states_of_all([(declared, online_readings(declared))])
    catch_up(store, states, known)
    lists = Shortlists(declared, states)
    assert lists.able
    return lists.now(store, requests, NOW, shared_lists(declared, known, NOW), carts), lists, store


RULES = {
    "none": (),
    "in stock": at_least(stock.latest("available"), 1),
    "for sale": products.latest("for_sale"),
    "one shelf": one_of(products.latest("category"), "tea"),
    "both": [at_least(stock.latest("available"), 1), products.latest("for_sale")],
    "seen lately": orders.any(last=days(7), per="product"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(4))
def test_states_tell_the_lists_that_tables_tell(rule, seed):
    declared, known = model(among=RULES[rule]), tables(seed)
    requests = pa.table({"customer": ["ann", "eve", "nobody yet"]})
    (found, as_of), _, _ = told(declared, known, requests)
    due = from_tables(declared, known, requests, NOW)
    assert found.column_names == due.column_names
    for name in due.column_names:
        assert found[name].to_pylist() == due[name].to_pylist(), name
        assert found[name].type == due[name].type, name
    assert as_of["orders"].seq == known["orders"]["seq"][-1].as_py()


def test_a_key_that_is_looked_up_by_the_candidate_is_looked_up_in_states_too():
    affinity = Source("affinity", id="line", time="at", columns={"customer": str, "category": str})
    declared = model(knows=[orders.count(per=pair), affinity.count(per=["customer", "category"]), products.latest("category")])
    known = tables(1)
    known["affinity"] = event_table(affinity, [Said("a1", 0, 5, 5, {"customer": "ann", "category": "tea"})])
    requests = pa.table({"customer": ["ann"]})
    (found, _), _, _ = told(declared, known, requests)
    due = from_tables(declared, known, requests, NOW)
    name = declared.columns[1]
    assert found[name].to_pylist() == due[name].to_pylist()
    assert set(found[name].to_pylist()) == {0.0, 1.0}


@pytest.mark.parametrize("seed", range(3))
def test_what_lies_in_the_cart_is_no_candidate(seed):
    declared, known, requests = model(), tables(seed), pa.table({"customer": ["ann", "bob"]})
    cart = from_tables(declared, known, requests, NOW)["item"].to_pylist()[:2]
    (found, _), _, _ = told(declared, known, requests, [cart, []])
    due = from_tables(declared, known, requests, NOW, [cart, []])
    assert found["item"].to_pylist() == due["item"].to_pylist()
    mine = [item for q, item in zip(found["question"].to_pylist(), found["item"].to_pylist(), strict=True) if q == 0]
    assert not set(mine) & set(cart)
    assert mine


@pytest.mark.parametrize("rule", RULES)
def test_what_may_be_listed_at_all_is_the_same_by_states_and_tables(rule):
    declared, known = model(among=RULES[rule]), tables(2)
    _, lists, store = told(declared, known, pa.table({"customer": ["ann"]}))
    items = [*"pqrstuvw", "unheard of"]
    assert lists.among(store, items, NOW) == allowed_by_tables(declared, known, items, NOW)


def test_a_row_read_twice_is_told_once_until_it_or_the_edge_of_a_window_moves(monkeypatch):
    """A popular product is in everybody's list: its packed row is decoded for the first of them alone."""
    from everloop.features import steady

    told_of = []
    monkeypatch.setattr(steady, "tell", lambda piece, body, *rest: (told_of.append(body), tell(piece, body, *rest))[1])
    declared, known = model(knows=[orders.count(last=days(7), per="product")]), tables(3)
    store = Tiles(sqlite3.connect(":memory:"))
    states = states_of_all([(declared, online_readings(declared))])
    catch_up(store, states, known)
    lists, shared = Shortlists(declared, states), shared_lists(declared, known, NOW)
    for moment in (NOW, NOW + 1, NOW + DAY // 2, NOW + 3 * DAY, NOW + 90 * DAY):
        told_of.clear()
        requests = pa.table({"customer": ["ann", "bob", "ann"]})
        found, _ = lists.now(store, requests, moment, shared)
        due = from_tables(declared, known, requests, moment)
        name = declared.columns[0]
        ours = dict(zip(found["item"].to_pylist(), found[name].to_pylist(), strict=True))
        theirs = dict(zip(due["item"].to_pylist(), due[name].to_pylist(), strict=True))
        assert {item: theirs[item] for item in ours if item in theirs} == {item: n for item, n in ours.items() if item in theirs}
        assert len(told_of) == len(set(told_of))
    lists.now(store, requests, moment, shared)
    assert len([body for body in told_of if body is not None]) <= len({*found["item"].to_pylist()})
