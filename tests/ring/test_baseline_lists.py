"""A product that is sold out is among the five a customer bought most: the baseline lists five others, judged and served alike."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from everloop.clock import microseconds
from everloop.features.as_of import live
from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.backup.drill import ask_again
from everloop.loop.skew import measure
from everloop.loop.steps import training_table
from everloop.loop.turn import turn
from tests.ring.conftest import END
from tests.ring.test_doors import doors  # noqa: F401

LATER = END + timedelta(hours=1)
MOST = 5
STOCK = """
stock = Source("stock", id="product_id", time="counted_at", known="counted_at", columns={"available": int})
pair ="""


def with_stock(text):
    text = text.replace("import Model", "import Model, at_least").replace("\npair =", STOCK)
    return text.replace("among=orders.any(last=days(56))", 'among=at_least(stock.latest("available", per="product_id"), 1)')


@pytest.fixture
def shop(opened):
    """The tiny recommend project with stock, of which what is bought most is sold out ever since: the house, its model and what is."""
    house, model = opened("recommend", with_stock)
    sold = house.tables(model)["orders"]["product_id"].value_counts().to_pylist()
    best = [row["values"] for row in sorted(sold, key=lambda row: -row["counts"])]
    stock = next(source for source in model.sources if source.name == "stock")
    counted = (END - timedelta(days=900)).isoformat()
    rows = [{"product_id": item, "counted_at": counted, "available": int(item not in best[:3])} for item in best]
    receive(house.lake, stock, rows, now=END)
    return house, model, set(best[:3])


def by_hand(house):
    """What a customer bought most before a moment, by how often, then the newest."""
    orders = defaultdict(list)
    for row in house.tables(house.project.model("recommend"))["orders"].to_pylist():
        orders[row["customer_id"]].append(row)

    def best(who, moment):
        had = defaultdict(list)
        for row in orders[who]:
            if max(row["known_at"], row["event_at"]) < moment:
                had[row["product_id"]].append((row["event_at"], row["id"]))
        return sorted(had, key=lambda item: (len(had[item]), max(had[item])), reverse=True)

    return best


def test_the_door_and_the_tables_list_what_is_found_by_hand(shop, doors):  # noqa: F811
    house, model, out = shop
    adopt(house, model, LATER)
    door, best = doors(house), by_hand(house)
    units = sorted(set(house.tables(model)["orders"]["customer_id"].to_pylist()))[:12]
    short = 0
    for who in units:
        ever = best(who, microseconds(LATER))
        due = [item for item in ever if item not in out]
        short += bool(set(ever[:MOST]) & out)
        assert list(door.predict(model.name, [{"customer_id": who}], LATER)[0].items) == due[:MOST]
        given = door.predict(model.name, [{"customer_id": who, "cart": due[:2]}], LATER + timedelta(minutes=1))[0]
        assert list(given.items) == due[2 : 2 + MOST]
        told = live(model, house.tables(model), moment=LATER, units=pa.table({"customer_id": [who]}))
        assert told["baseline"][0].as_py() == due[:MOST]
    assert short > len(units) / 2
    again = ask_again(house, model)
    assert (again.same, again.other) == (2 * len(units), ())
    assert measure(house, model, now=LATER + timedelta(hours=1), since=END, share=1.0).clean


def test_the_champion_is_judged_by_the_lists_it_would_have_given(shop):
    house, model, out = shop
    turn(house, model, END)
    contest, learnt = (next(e.record for e in house.journal.read(kind=kind, newest_first=True)) for kind in ("Contest", "TrainingSet"))
    best, right, cut = by_hand(house), {}, {}
    for row in training_table(house, model, END).to_pylist():
        if row["moment"] < microseconds(learnt.judge_from) or row["question"] in right or not row["truth"]:
            continue
        ever, truth = best(row["customer_id"], row["moment"]), set(row["truth"])
        due = [item for item in ever if item not in out][:MOST]
        assert row["baseline"] == due
        right[row["question"]] = len(truth & set(due)) / MOST
        cut[row["question"]] = len(truth & set(ever[:MOST]) - out) / MOST
    mine = next(one for one in contest.lists if (one.side, one.over) == ("champion", "all"))
    assert mine.questions == len(right)
    assert mine.precision == pytest.approx(np.mean(list(right.values())))
    assert np.mean(list(cut.values())) < mine.precision - 0.01
