"""What to order, as somebody asks for it in a terminal: a shop with offers, stock-outs and new products, learnt and asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv
from pyarrow import parquet as pq
from typer.testing import CliRunner

from everloop.cli import app
from everloop.features.as_of import as_of
from everloop.loop.house import open_house
from everloop.registry.blobs import Blobs

END = datetime(2026, 10, 26, tzinfo=UTC)
WEEKS, FAST, SLOW = 30, ("milk", "rice", "soap", "tea"), ("lamp", "rope")
PROJECT = """
from everloop import Model, Source, at_least, at_most, beats_champion, days, every
from everloop.training.demand import Demand

products = Source("products", id="product_id", columns={"category": str})
lines = Source("lines", id="line_id", time="ordered_at", of=products, columns={"product_id": str, "quantity": int})
shelf = Source("shelf", id=["product_id", "counted_at"], time="counted_at", columns={"product_id": str, "available": int})
offers = Source(
    "offers", id="offer_id", time=["starts_at", "ends_at"], known="announced_at", columns={"product_id": str, "discount": float}
)
in_stock = shelf.where(at_least("available", 1))
week, month, sold = lines.total("quantity", last=[days(7), days(28), days(56)])
alike, others = lines.total("quantity", last=days(56), per="category"), lines.distinct("product_id", last=days(56), per="category")
usual = (sold + alike / others / 56) / (in_stock.count(last=days(56)) + 1) * 56

demand = Model(
    "demand",
    predicts=PREDICTS,
    per="product_id",
    asked=every(days(7), at="00:00", zone="UTC"),
    VOID
    knows=[
        usual.named("usual"),
        (sold / usual).named("sold"),
        (week / usual).named("week"),
        (month / usual).named("month"),
        offers.planned("discount"),
    ],
    learner={q: Demand(q, usual="usual", rounds=60, rows=5) for q in (0.1, 0.5, 0.9)},
    learns_from=days(140),
    promote_when=beats_champion("pinball"),
    roll_out=[],
    autonomy="act",
)
"""
WHOLE = 'lines.total("quantity", next=days(7)) * 7 / in_stock.count(next=days(7))'
PLAIN = 'lines.total("quantity", next=days(7))'


def sold(folder, rng):
    """Thirty weeks of a shop: ten a day of what sells fast, three times as much on offer, nothing on days out of stock; and one new product
    in the last week, of a category that sells fast."""
    begin = END - timedelta(days=7 * WEEKS)
    lines, shelf, offers = [], [], []
    for name in (*FAST, *SLOW, *(f"more{n}" for n in range(40))):
        size = 0.1 if name in SLOW else 10.0
        for week in range(WEEKS + 1):
            monday = begin + timedelta(days=7 * week)
            on_offer = (rng.random() < 0.2 and name != "milk") or (name == "tea" and week == WEEKS)
            if on_offer:
                until = monday + timedelta(days=7)
                offers.append(
                    (f"{name}-{week}", monday.isoformat(), until.isoformat(), (monday - timedelta(days=21)).isoformat(), name, 0.3)
                )
            out = 3 if rng.random() < 0.3 else 0
            for day in range(7):
                at = monday + timedelta(days=day, hours=1)
                if at >= END:
                    break
                shelf.append((name, at.isoformat(), 0 if day < out else 9))
                units = 0 if day < out else int(rng.poisson(size * (3 if on_offer else 1)))
                if units:
                    lines.append((f"{name}-{at:%m%d}", (at + timedelta(hours=9)).isoformat(), name, units))
    lines.append(("new-1", (END - timedelta(days=3)).isoformat(), "new", 3))
    names = sorted({row[2] for row in lines})
    tables = {
        "lines": (("line_id", "ordered_at", "product_id", "quantity"), lines),
        "shelf": (("product_id", "counted_at", "available"), shelf),
        "offers": (("offer_id", "starts_at", "ends_at", "announced_at", "product_id", "discount"), offers),
        "products": (("product_id", "category"), [(name, "slow" if name in SLOW else "fast") for name in names]),
    }
    for name, (columns, rows) in tables.items():
        csv.write_csv(pa.table(dict(zip(columns, zip(*rows, strict=True), strict=True))), folder / f"{name}.csv")


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reorder")
    sold(folder, np.random.default_rng(4))
    (folder / "project.py").write_text(PROJECT.replace("PREDICTS", WHOLE).replace("    VOID\n", ""))
    (folder / "everloop.toml").write_text("[training]\nchild = false\n")
    for source in ("products", "lines", "shelf", "offers"):
        history = () if source == "offers" else ("--known-after", "0")  # an offer says itself when it was announced
        run("ingest", source, folder / f"{source}.csv", *history, "--now", END.isoformat(), "-p", folder)
    run("turn", "demand", "--now", END.isoformat(), "-p", folder)
    return folder


def asked(shop, *words):
    return json.loads(run("reorder", "demand", "--lead", "7d", *words, "--now", END.isoformat(), "-p", shop, "--json"))


def by_unit(found):
    return {line["unit"]: line for line in found["lines"]}


def test_the_learner_is_let_in_and_stands_beside_the_simple_rules(shop):
    said = run("history", "demand", "-p", shop)
    assert "demand@1" in said
    why = run("why", "demand@1", "-p", shop)
    assert "better than the mean of eight weeks" in why
    assert "better than the seasonal naive forecast" in why


def test_what_sells_ten_a_day_is_ordered_at_about_seventy_and_an_offer_announced_raises_it(shop):
    lines = by_unit(asked(shop))
    assert 65 < lines["milk"]["reorder_point"] < 110
    assert lines["tea"]["reorder_point"] > 1.8 * lines["milk"]["reorder_point"]
    assert lines["lamp"]["reorder_point"] < 8
    assert lines["milk"]["quantity"] is None  # nobody said what is there


def test_a_product_that_is_new_is_known_by_its_category(shop):
    assert by_unit(asked(shop))["new"]["usual"] > 5


def test_more_service_a_longer_lead_and_a_review_raise_the_point(shop):
    points = [
        by_unit(asked(shop, *words))["milk"]["reorder_point"]
        for words in (("--service", "0.5"), ("--service", "0.9"), ("--service", "0.9", "--review", "7d"))
    ]
    assert points == sorted(points)
    assert points[2] > 1.8 * points[0]


def test_a_unit_whose_stock_is_left_empty_is_ordered_nothing_of(shop, tmp_path):
    stock = tmp_path / "stock.csv"
    stock.write_text("product_id,on_hand\nmilk,\nrice,0\n")
    found = by_unit(asked(shop, "--stock", stock))
    assert (found["milk"]["position"], found["milk"]["quantity"]) == (None, None)
    assert found["rice"]["quantity"] > 0


def test_what_is_there_is_told_in_a_file_and_what_is_to_order_comes_in_another(shop, tmp_path):
    stock, to = tmp_path / "stock.csv", tmp_path / "orders.csv"
    stock.write_text("product_id,on_hand,on_order,pack,lead_days\nmilk,12,0,24,\nrice,500,0,24,\nlamp,0,0,,21\n")
    found = by_unit(asked(shop, "--stock", stock, "--cover", "7d", "--to", to))
    assert list(found) == ["milk", "rice", "lamp"]
    assert found["milk"]["quantity"] % 24 == 0
    assert found["milk"]["quantity"] >= found["milk"]["up_to"] - 12 > 0
    assert found["rice"]["quantity"] == 0
    assert csv.read_csv(to).column("quantity").to_pylist() == [line["quantity"] for line in found.values()]
    said = run("reorder", "demand", "--lead", "7d", "--stock", stock, "--now", END.isoformat(), "-p", shop)
    assert "milk: order" in said
    assert "have enough, by demand@1" in said


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--service", "0.99"), "Say a service they hold"),
        (("--service", "95"), "is no share"),
        (("--pack", "0"), "pack 0"),
    ],
)
def test_what_cannot_be_ordered_like_this_is_told(shop, words, what):
    with pytest.raises(Exception, match=what):
        run("reorder", "demand", "--lead", "7d", *words, "--now", END.isoformat(), "-p", shop)


def test_a_stock_file_that_says_something_else_is_refused(shop, tmp_path):
    stock = tmp_path / "stock.csv"
    for text, what in (
        ("product_id,onhand\nmilk,3\n", "onhand"),
        ("product_id\nmilk\n", "lacks on_hand"),
        ("product_id,on_hand\nmilk,many\n", "no number"),
    ):
        stock.write_text(text)
        with pytest.raises(Exception, match=what):
            asked(shop, "--stock", stock)


# -- days out of stock ------------------------------------------------------------------------------------------------------------------


def truths(shop, tmp_path, predicts, void=""):
    """The truths of what sells ten a day and is never on offer, week by week."""
    (tmp_path / "project.py").write_text(PROJECT.replace("PREDICTS", predicts).replace("    VOID\n", void))
    house = open_house(tmp_path / "project.py", folder=shop / ".everloop")
    model = house.project.model("demand")
    made = as_of(model, house.tables(model), now=END, id="t", save=(blobs := Blobs(tmp_path)).save)
    table = pq.read_table(pa.BufferReader(blobs.read(made.body)))
    house.store.close()
    began = int((END - timedelta(days=7 * WEEKS)).timestamp()) * 1_000_000  # an offer is announced before anything is sold
    return table.filter((pc.field("product_id") == "milk") & (pc.field("moment") >= began)).column("truth").to_numpy()


def test_days_out_of_stock_are_no_days_without_demand(shop, tmp_path):
    plain = truths(shop, tmp_path, PLAIN)
    whole = truths(shop, tmp_path, WHOLE)
    left_out = truths(shop, tmp_path, PLAIN, "    void_when=shelf.where(at_most('available', 0)).any(next=days(7)),\n")
    assert plain.mean() < left_out.mean() - 3  # every third week lacks three days
    assert 66 < whole.mean() < 74
    assert 66 < left_out.mean() < 74
    assert len(left_out) < len(whole) == len(plain)
