"""What a source calls private stands on no page: not in the unit that was asked about, nor in what drifted."""

import re
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from tests.console.test_records_pages import read
from tests.loop.houses import NOW, Mean, demand, house_at, leaves, likes, orders, spread

from everloop import Model, Source, days
from everloop.console import pane, why
from everloop.console.page import Asking, Person
from everloop.console.routes import NAVIGATION, ROUTES
from everloop.console.shown import Around, page
from everloop.lake.receive import receive
from everloop.loop.answers import answer_one, find_answer
from everloop.loop.profiles import as_logged
from everloop.serving.answered import hashed, veiled

ANN = "ann@shop.example"


@pytest.fixture
def house(tmp_path):
    """A house that knows what ann bought."""
    opened = house_at(tmp_path)
    line = {"product_id": "p1", "customer_id": ANN, "quantity": 1, "price": 100}
    rows = [{"line_id": f"l{n}", "ordered_at": NOW - timedelta(days=2, hours=n), **line} for n in range(9)]
    receive(opened.lake, orders, pa.Table.from_pylist(rows), now=NOW - timedelta(hours=1), known_after=timedelta(0))
    yield opened
    opened.store.close()


def told(house, module, **query):
    asking = Asking(house, Person("Ada", "admin"), NOW, {}, query)
    return page(module.ROUTES[0].does(asking), Around("shop", Person("Ada", "admin"), ROUTES, NAVIGATION, "x"))


@pytest.mark.parametrize("model", [leaves, likes, spread], ids=lambda model: model.name)
def test_a_unit_that_is_private_is_a_hash_on_the_page_why(house, model):
    given = answer_one(house, model, [{"customer_id": ANN, "product_id": "p1"}[column] for column in model.unit], NOW)
    assert ANN in given.unit
    said = told(house, why, id=given.id)
    assert ANN not in said
    assert read(said).count(hashed(ANN, house.salt)) == 2, "in the sentence, and where it says who was asked about"
    assert (f"p1, {hashed(ANN, house.salt)}" in read(said)) == (model is spread), "what is not private stays as it is"
    assert ANN not in told(house, pane, model=model.name, until="2026-11-03")


def test_a_unit_that_is_not_private_is_read_as_it_is(house):
    given = answer_one(house, demand, ["p1"], NOW)
    assert re.search(r"Asked about p1 at ", read(told(house, why, id=given.id)))


def test_items_that_are_private_are_hashes_and_of_a_model_that_is_no_more_the_whole_unit_is(house):
    whom = likes.but(
        "whom",
        predicts=orders.which("customer_id", next=days(14), most=3),
        per="product_id",
        candidates=orders.which("customer_id", last=days(9), most=9),
    )
    given = replace(find_answer(house, answer_one(house, demand, ["p1"], NOW).id), items=(ANN,))
    assert veiled(given, whom, house.salt).items == (hashed(ANN, house.salt),)
    assert veiled(given, whom, house.salt).unit == "p1"
    assert veiled(given, likes, house.salt).items == (ANN,), "which are products there"
    assert veiled(given, None, house.salt).unit == hashed("p1", house.salt)


def test_what_was_learnt_from_is_compared_by_hashes_where_it_is_private(house):
    """Else a page on drift says a value that answers are remembered without, and every private column has drifted by nature."""
    people = Source("people", id="who", columns={"mail": str, "income": int, "town": str}, private=("mail", "income"))
    model = Model(
        "kind",
        predicts=people.outcome("town"),
        per=people,
        knows=[people.given("mail"), people.given("income")],
        learner=Mean(),
        fed_as="arrow",
    )
    rows = pa.table({"mail": [ANN, None], "income": [3.0, 4.0], "town": ["Ulm", "Bonn"]})
    seen = as_logged(house, model, rows)
    assert seen.to_pydict() == {"mail": [hashed(ANN, house.salt), None], "town": ["Ulm", "Bonn"]}, "the hash of a number lies nowhere"
    assert as_logged(house, model, rows.set_column(0, "mail", rows.column("mail").dictionary_encode())).equals(seen)
