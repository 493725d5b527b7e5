"""Laws of what lasts, of what is planned, of paths and of shops kept apart: each is what the plain reader says, step by step."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from everloop import Model, Source, at_least, days, every, hours, minutes
from everloop.features import window
from everloop.features.compile import features
from everloop.features.steps import stepped
from everloop.features.truth import truths
from everloop.testing.plain import Said, event_table, plain

STEP = 300_000_000
HOUR = 12 * STEP
SMALL = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
SEARCH = settings(max_examples=400, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)


class Learner:
    def fit(self, rows, truth):
        return self

    def predict(self, rows):
        return rows[:, 0]


span = {"time": ["starts_at", "ends_at"]}
promotions = Source("promotions", id="promotion_id", **span, known="told_at", apart="shop", columns={"product_id": str, "discount": float})
products = Source("products", id="product_id", apart="shop", columns={"brand": str})
orders = Source("orders", id="line_id", time="at", apart="shop", of=products, columns={"product_id": str, "quantity": int})
large = promotions.where(at_least("discount", 0.2))
PATH = orders.total("quantity", next=hours(3), each=hours(1))
PLANNED = [promotions.planned(), promotions.planned("discount"), large.planned("discount"), promotions.planned("product_id")]
BACK = [
    promotions.count(last=hours(1)),
    promotions.count(last=hours(1), ago=minutes(30)),
    promotions.total("discount", last=hours(2)),
    promotions.highest("discount"),
    promotions.latest("discount"),
    promotions.distinct("discount", last=hours(1)),
    large.any(last=minutes(10)),
    orders.count(last=hours(1), per="brand"),
    orders.latest("brand"),
]
WHOLE = Model(
    "whole",
    predicts=orders.total("quantity", next=hours(2)),
    per="product_id",
    asked=every(days(1)),
    knows=[BACK[0], PLANNED[0]],
    learner=Learner(),
)
path = Model("path", predicts=PATH, per="product_id", asked=every(days(1)), knows=[BACK[0], PLANNED[0]], learner=Learner())
stopped = Model("stopped", predicts=PATH, per="product_id", asked=every(days(1)), knows=BACK[0], learner=Learner(),
    void_when=promotions.any(next=hours(3), each=hours(1)))  # fmt: skip

instants = st.builds(lambda k, edge: k * STEP + edge, st.integers(-18, 40), st.sampled_from([-1, 0, 0, 1]))
shops = st.sampled_from(["north", "south"])
units = st.sampled_from(["a", "b"])


@st.composite
def histories(draw):
    """Promotions that may be told long before they begin, orders and products of two shops, with ids that are the same in both."""
    told, lines, goods = [], [], []
    for number in range(draw(st.integers(0, 6))):
        shop, known = draw(shops), draw(instants)
        for version in range(draw(st.sampled_from([1, 1, 2]))):
            begins = known + draw(st.sampled_from([-HOUR, 0, 1, STEP, HOUR, 3 * HOUR]))
            ends = draw(st.sampled_from([None, begins - 5, begins, begins + 1, begins + STEP, begins + HOUR, begins + 40 * STEP]))
            values = {"promotion_id": f"p{number % 3}", "shop": shop, "starts_at": begins, "ends_at": ends, "product_id": draw(units)}
            values["discount"] = draw(st.sampled_from([0.1, 0.2, 0.5, None]))
            told.append(
                Said(f"{shop}\x1fp{number}", version, min(begins, known), known, values, draw(st.sampled_from([False] * 4 + [True])))
            )
            known += draw(st.sampled_from([1, STEP, HOUR]))
    for number in range(draw(st.integers(0, 6))):
        shop, at = draw(shops), draw(instants)
        values = {"line_id": f"o{number}", "shop": shop, "product_id": draw(units), "quantity": draw(st.integers(0, 3))}
        lines.append(Said(f"{shop}\x1fo{number}", 0, at, at + draw(st.sampled_from([0, 0, STEP])), values))
    for shop, unit in draw(st.lists(st.tuples(shops, units), unique=True)):
        at = draw(st.sampled_from([-62_135_596_800_000_000, 0]))
        goods.append(Said(f"{shop}\x1f{unit}", 0, at, at, {"product_id": unit, "shop": shop, "brand": draw(st.sampled_from(["n", "m"]))}))
    by_known = {"key": lambda said: said.known_at}
    edges = sorted({said.values[end] for said in told for end in ("starts_at", "ends_at") if said.values[end] is not None})
    moments = instants | st.sampled_from([at - hop for at in edges for hop in (0, HOUR // 2)]) if edges else instants
    asked = draw(st.lists(st.tuples(moments, shops, units), min_size=1, max_size=5))
    return {"promotions": sorted(told, **by_known), "orders": sorted(lines, **by_known), "products": goods}, asked


def tables_of(logs):
    return {source.name: event_table(source, logs[source.name]) for source in (promotions, orders, products)}


def questions_of(asked):
    columns = {"moment": pa.array([m for m, _, _ in asked], pa.int64())}
    columns |= {name: pa.array([q[i] for q in asked], pa.string()) for i, name in ((1, "shop"), (2, "product_id"))}
    return pa.table({"question": list(range(len(asked))), **columns})


def whose(logs, reading, moment, shop, unit):
    own = {"shop": shop, "product_id": unit}
    if reading.per == ("brand",):
        brand = products.latest("brand")
        return {"shop": shop, "brand": plain(logs, brand, {brand: own}, moment)}
    return own


def said(logs, reading, at, question, known_at=None):
    _, shop, unit = question
    return plain(logs, reading, {reading: whose(logs, reading, question[0], shop, unit)}, at, known_at=known_at)


def differences(history):
    logs, asked = history
    found = features(BACK + PLANNED, questions_of(asked), tables_of(logs), model=WHOLE)
    expected = {r.name: [said(logs, r, q[0], q) for q in asked] for r in BACK}
    expected |= {r.name: [said(logs, replace(r, next=hours(2)), q[0], q) for q in asked] for r in PLANNED}
    return [(name, i) for name in expected for i, value in enumerate(found[name].to_pylist()) if value != expected[name][i]]


@SMALL
@given(histories())
def test_what_lasts_and_what_is_planned_is_what_the_plain_reader_says(history):
    assert differences(history) == []


@pytest.mark.slow
@settings(SMALL, max_examples=300)
@given(histories())
def test_what_lasts_and_what_is_planned_is_what_the_plain_reader_says_at_length(history):
    assert differences(history) == []


MUTANTS = [
    ("OVERLAPS", "v.ends_at >= {start}"),
    ("KNOWN", "v.known_at <= {at}"),
    ("KNOWN", "v.event_at < {at}"),
]


@pytest.mark.parametrize(("name", "mutant"), MUTANTS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(MUTANTS)])
def test_one_wrong_character_about_what_lasts_is_found_out(monkeypatch, name, mutant):
    monkeypatch.setattr(window, name, mutant)
    assert find(histories(), lambda history: differences(history) != [], settings=SEARCH, random=Random(1))


@SMALL
@given(histories(), instants)
def test_a_path_is_true_step_by_step(history, until):
    logs, asked = history
    found = truths(PATH, stepped(stopped, questions_of(asked)), tables_of(logs), model=stopped, known_at=until)
    hour, stop = replace(PATH, next=hours(1), each=None), replace(stopped.void_when[0], next=hours(1), each=None)
    for row, (question, step) in enumerate((q, i) for q in asked for i in range(3)):
        at = question[0] + step * HOUR
        mature = until >= at + HOUR
        void = mature and said(logs, stop, at, question, until) == 1.0
        assert (bool(found.mature[row]), bool(found.void[row])) == (mature, void)
        assert found.truth[row].as_py() == (said(logs, hour, at, question, until) if mature and not void else None)


@SMALL
@given(histories())
def test_each_step_knows_what_is_planned_for_it_and_looks_back_from_the_moment(history):
    logs, asked = history
    past = path.baseline_reading
    found = features([*BACK, *PLANNED, past], stepped(path, questions_of(asked)), tables_of(logs), model=path)
    for row, (question, step) in enumerate((q, i) for q in asked for i in range(3)):
        for reading in BACK:
            assert found[reading.name][row].as_py() == said(logs, reading, question[0], question)
        for reading in PLANNED:
            expected = said(logs, replace(reading, next=hours(1)), question[0] + step * HOUR, question, question[0])
            assert found[reading.name][row].as_py() == expected
        back = replace(past, last=hours(1), ago=hours(2), each=None)
        assert found[past.name][row].as_py() == said(logs, back, question[0] + step * HOUR, question, question[0])


@pytest.mark.parametrize(("until", "there"), [(window.UNTIL, 0.0), ("v.event_at <= {stop}", 1.0)], ids=["as it is", "one character off"])
def test_what_begins_at_the_moment_has_not_begun(monkeypatch, until, there):
    monkeypatch.setattr(window, "UNTIL", until)
    values = {"promotion_id": "p", "shop": "north", "product_id": "a", "starts_at": 9, "ends_at": 12, "discount": 0.5}
    tables = tables_of({"promotions": [Said("north\x1fp", 0, 1, 1, values)], "orders": [], "products": []})
    found = features([promotions.count(last=hours(1))], questions_of([(9, "north", "a")]), tables, model=WHOLE)
    assert found.column(0).to_pylist() == [there]


def test_nothing_of_one_shop_is_ever_read_for_another():
    at = {"starts_at": 0, "ends_at": None, "discount": 0.5}
    logs = {"promotions": [Said("north\x1fp", 0, 0, 0, {"promotion_id": "p", "shop": "north", "product_id": "a", **at})]}
    logs["orders"] = [Said("south\x1fo", 0, 1, 1, {"line_id": "o", "shop": "south", "product_id": "a", "quantity": 1})]
    logs["products"] = [Said("north\x1fa", 0, 0, 0, {"product_id": "a", "shop": "north", "brand": "n"})]
    readings = [promotions.count(), orders.count(), orders.latest("brand"), promotions.planned()]
    found = features(readings, questions_of([(9, "north", "a"), (9, "south", "a")]), tables_of(logs), model=WHOLE)
    assert [column.to_pylist() for column in found.columns] == [[1.0, 0.0], [0.0, 1.0], [None, None], [1.0, 0.0]]
