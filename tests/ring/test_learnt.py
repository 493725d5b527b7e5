"""An edited definition stands beside the old one: a version goes on reading what it learnt by, whatever the reading is called."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from everloop.features.served import definitions, told
from everloop.loop.answers import answer_due, answer_one, answers_of
from everloop.loop.learnt import otherwise
from everloop.loop.skew import measure
from tests.ring.conftest import END, first_turn
from tests.ring.test_doors import doors, some_requests  # noqa: F401

LATER = END + timedelta(hours=1)


def said_otherwise(text, words):
    for old, new in words.items():
        assert old in text
        text = text.replace(old, new)
    return text


def named(text):
    words = {
        'orders.total("quantity", last=[days(7), days(28), days(56)])': 'orders.total("quantity", last=days(7)).named("sold")',
        "roll_out=[shadow(days(1)), canary(0.25, every=days(2))]": "roll_out=[]",
        'promote_when=beats_champion("wape", by=0.02)': "promote_when=[]",
    }
    return said_otherwise(text, words)


def edited(text):
    return text.replace('last=days(7)).named("sold")', 'last=days(56)).named("sold")')


@pytest.fixture
def learnt(opened, after):
    """A house whose champion has learnt, before and after its definition was edited; and what was answered before."""
    house, model = after(first_turn, "shop", named)
    key = [some_requests(house, model, 1)[0]["product_id"]]
    assert house.candidate(house.version(house.traffic(model).champion).candidate).format != "baseline"
    before = answer_one(house, model, key, LATER)
    house.store.close()
    return (*opened("shop", edited), key, before)


def test_a_version_answers_as_before_when_a_reading_is_edited_under_its_name(learnt, doors, monkeypatch):  # noqa: F811
    house, model, key, before = learnt
    again = answer_one(house, model, key, LATER)
    assert (again.version, again.value, again.features[0]) == (before.version, before.value, before.features[0])
    (over_http,) = doors(house).predict("demand", [{"product_id": key[0]}], LATER)
    assert over_http.value == before.value
    monkeypatch.setattr("everloop.loop.house.otherwise", lambda *_: {})
    assert answer_one(house, model, key, LATER).value != before.value


def test_an_answer_says_by_which_definition_it_was_read(learnt):
    house, model, key, _ = learnt
    answer_one(house, model, key, LATER + timedelta(hours=1))
    row = [row for row in answers_of(house, model).to_pylist() if row["arm"] == "champion"][-1]
    by = told(row["definition"], list(msgspec.json.decode(row["features"])))
    today = definitions(model)
    assert by["sold"] != today["sold"]
    assert {name: letters for name, letters in by.items() if name != "sold"} == {name: today[name] for name in by if name != "sold"}
    skew = {one.feature: one for one in measure(house, model, now=LATER + timedelta(hours=20), share=1.0).features}
    assert skew["sold"].clean
    assert skew["sold"].compared == 2


def test_the_next_candidate_is_judged_against_a_champion_that_reads_its_own(learnt):
    house, model, _, _ = learnt
    champion = house.champion(house.traffic(model))
    columns = otherwise(model, champion, house.project.sources)
    assert list(columns) == ["sold"]
    from everloop.features.as_of import live

    asked = live(model, house.tables(model), moment=LATER)
    own = house.with_columns_of(model, champion, asked, house.tables)
    assert own.drop_columns(["sold"]).equals(asked.drop_columns(["sold"]))
    assert sum(own["sold"].to_pylist()) < sum(asked["sold"].to_pylist())


def of_cards(text):
    words = {
        'payments.count(last=[hours(1), days(1)], per="card_id")': 'payments.count(last=days(56), per="card_id").named("paid")',
        'promote_when=[beats_champion("auc", by=0.02), answers_within(ms=100)]': "promote_when=[]",
        "roll_out=[shadow(days(1)), canary(0.1, 0.5, every=days(1))]": "roll_out=[]",
        'autonomy={"retrain": "act", "promote": "suggest", "roll_back": "act"}': 'autonomy="act"',
    }
    return said_otherwise(text, words)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace('last=days(56), per="card_id").named("paid")', 'last=hours(1), per="card_id").named("paid")'),
        lambda text: text.replace('        payments.count(last=days(56), per="card_id").named("paid"),\n', ""),
    ],
    ids=["edited", "dropped"],
)
def test_a_row_that_has_not_come_in_is_read_by_the_definition_the_version_learnt_by(opened, after, doors, edit):  # noqa: F811
    house, model = after(first_turn, "fraud", of_cards)
    (known, *_) = house.tables(model)["payments"].slice(0, 1).select(["card_id", "merchant_id"]).to_pylist()
    request = {"payment_id": "p-new", "amount": 1200, "online": True, **known}
    said = [f"{name}={value}" for name, value in request.items()]
    before = answer_one(house, model, said, LATER)
    assert dict(before.features)["paid"] > 0
    house.store.close()
    house, model = opened("fraud", edit)
    again = answer_one(house, model, said, LATER)
    assert (again.version, again.value) == (before.version, before.value)
    (over_http,) = doors(house).predict("fraud", [request], LATER)
    assert over_http.value == before.value
    assert answer_due(house, model, LATER) > 0
