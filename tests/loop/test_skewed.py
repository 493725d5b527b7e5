"""Skew as news: told to the owner once, kept for status, looked for once a day; and what the meter leaves alone."""

from __future__ import annotations

import json
from datetime import timedelta

import pyarrow as pa
import pytest

from everloop import Model
from everloop.features.served import definition_of, definitions, told
from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.answers import answer_due, answer_one, answers_of
from everloop.loop.control.chores import look_for_skew
from everloop.loop.look import status
from everloop.loop.skew import as_plain, measure, sentence
from everloop.loop.skewed import SKEW, keep, look_daily
from everloop.loop.tell.told import tell_predictions
from everloop.monitor.skew import Skew
from everloop.records import Alert
from everloop.serving.log import AnswersLog
from tests.loop.houses import NOW, Mean, daily, demand, house_at, leaves, likes, orders, spread, tickets, topics

A_DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def lines(n, unit="p1", at=NOW - timedelta(days=2), first=0):
    return [
        {"line_id": f"l{i}", "product_id": unit, "customer_id": f"c{i % 3}", "ordered_at": at.isoformat(), "quantity": i + 1, "price": 100}
        for i in range(first, first + n)
    ]


@pytest.fixture
def house(tmp_path):
    made = house_at(tmp_path)
    receive(made.lake, orders, lines(4), now=NOW - A_DAY)
    return made


def answered(house, model=demand, now=NOW, **change):
    """An answer in the log, its features changed as a fault would have."""
    adopt(house, model, now - A_DAY)
    keys = {"demand": ["p1"], "leaves": ["c1"], "likes": ["c1"], "spread": ["p1", "c1"]}[model.name]
    given = answer_one(house, model, keys, now)
    if change:
        row = answers_of(house, model).filter(pa.compute.equal(answers_of(house, model)["id"], given.id)).to_pylist()[0]
        row |= {"id": f"{given.id}x", "moment": row["moment"] + 1, "features": json.dumps(json.loads(row["features"]) | change)}
        with AnswersLog(house.settings.answers) as log:
            log.write(pa.Table.from_pylist([row], schema=answers_of(house, model).schema))
    return given


class Zero:
    def predict(self, X):
        return [0.0] * len(X)


NAME = "orders_quantity_total_last_7d"


@pytest.mark.parametrize("model", [demand, leaves, likes, spread], ids=lambda model: model.name)
def test_answers_of_every_shape_are_read_again_as_they_were_served(house, model):
    answered(house, model)
    answer_due(house, model, NOW + A_DAY)
    receive(house.lake, orders, lines(3, first=10), now=NOW + A_DAY + SECOND)
    found = measure(house, model, now=NOW + 2 * A_DAY, since=NOW, share=1.0)
    assert found.clean, str(found)
    assert found.answers >= 1
    assert found.values >= len(model.columns)


def test_rows_of_a_source_are_asked_again_by_what_the_request_said(tmp_path):
    house = house_at(tmp_path)
    adopt(house, topics, NOW)
    answer_one(house, topics, ["ticket_id=t1", "urgent=yes"], NOW + SECOND)
    row = answers_of(house, topics).to_pylist()[0]
    assert json.loads(row["request"]) == {"urgent": True}
    # The row itself arrives afterwards, and says otherwise.
    receive(house.lake, tickets, [{"ticket_id": "t1", "opened_at": NOW.isoformat(), "urgent": False, "topic": "x"}], now=NOW + 2 * SECOND)
    found = measure(house, topics, now=NOW + A_DAY, share=1.0)
    assert (found.answers, found.clean) == (1, True)
    answer_due(house, topics, NOW + A_DAY)
    found = measure(house, topics, now=NOW + A_DAY, since=NOW, share=1.0)
    assert (found.answers, found.clean) == (2, True), str(found)


def test_an_answer_notes_how_far_each_source_was_read_and_by_which_definitions(house):
    answered(house)
    row = answers_of(house, demand).to_pylist()[0]
    assert json.loads(row["as_of"]) == {"orders": 4}
    assert row["definition"] == definition_of(demand)
    assert row["request"] is None
    assert told(row["definition"], list(json.loads(row["features"]))) == definitions(demand)


def test_a_value_that_differs_is_told_to_the_owner_once_a_day_and_stands_in_status(house):
    answered(house, **{NAME: 11.0})
    found = look_daily(house, demand, NOW + SECOND) or measure(house, demand, now=NOW + SECOND)
    assert found.answers == 0  # one unit in a hundred is looked at, and this one is not
    found = measure(house, demand, now=NOW + A_DAY / 2, share=1.0)
    assert [(s.feature, s.mismatch, s.compared) for s in found.skewed] == [(NAME, 1, 2)]
    for _ in range(2):
        keep(house, demand, found)
    news = [kept.alert for kept in house.outbox.waiting() if "/skew/" in kept.alert.key]
    assert [(alert.owner, alert.severity) for alert in news] == [("shop", "critical")]
    assert isinstance(news[0], Alert)
    assert NAME in news[0].sentence
    [standing] = [s for s in status(house) if s.model == "demand"]
    assert standing.skewed == NAME
    assert f"everloop skew {demand.name}" in str(standing)


def test_it_is_looked_for_once_a_day_and_what_is_mended_leaves_status(house):
    answered(house, **{NAME: 11.0})
    keep(house, demand, measure(house, demand, now=NOW + SECOND, share=1.0))
    assert look_daily(house, demand, NOW + A_DAY) is None
    assert look_daily(house, demand, NOW + 3 * A_DAY) is not None
    assert [s.skewed for s in status(house) if s.model == "demand"] == [None]
    look_for_skew(house, NOW + 5 * A_DAY)
    assert house.facts.latest("demand", SKEW).at == NOW + 5 * A_DAY
    assert house.facts.latest("leaves", SKEW) is None  # it has not begun


def test_brought_features_and_answers_of_other_services_cannot_be_read_again(house):
    adopt(house, demand, NOW - A_DAY)
    told = [{"model": "demand", "product_id": "p1", "moment": NOW.isoformat(), "version": "v1", "value": 3.0, "features": {NAME: 1.0}}]
    tell_predictions(house, told, NOW)
    found = measure(house, demand, now=NOW + SECOND, share=1.0)
    assert (found.answers, found.unread, found.clean) == (0, 1, True)
    assert "cannot be read again" in str(found)


def test_a_version_served_by_another_definition_than_it_learnt_by_is_named(house, tmp_path):
    week, month = (orders.total("quantity", last=timedelta(days=n)).named("sold") for n in (7, 28))

    def selling(reading):
        return Model("sales", predicts=demand.predicts, per="product_id", asked=daily, knows=reading, learner=Mean(), baseline=Zero())

    learnt = definitions(selling(week))["sold"]
    assert learnt != definitions(selling(month))["sold"]
    from everloop.loop.reread import Served
    from everloop.loop.skew import _Meter

    model = selling(month)
    meter = _Meter(house, model, {("sold", definitions(model)["sold"]): month}, {"v1": {"sold": learnt}})
    rows = [
        Served(v, v, "p1", int(NOW.timestamp()) * 1_000_000, {"sold": 10.0}, {"orders": 4}, definition_of(model), {}) for v in ("v1", "v2")
    ]
    for row in rows:
        meter.add([row], house.tables(demand))
    [skew] = meter.features(house.tables(demand))
    assert (skew.other, skew.compared, skew.differ, skew.first) == (1, 1, 0, "v1")


def test_what_was_found_can_be_said_and_written(house):
    answered(house, **{NAME: None})
    found = measure(house, demand, now=NOW + SECOND, share=1.0)
    assert "1 missing" in str(found)
    plain = as_plain(found)
    assert plain["clean"] is False
    assert json.loads(json.dumps(plain, default=str))["features"][0]["rate"] == 0.5
    assert sentence(Skew("x", 4, extra=1, first="a")).startswith("x: 25 % differ (1 that should be empty, first in answer a)")
    assert "no answer" in str(measure(house, demand, now=NOW + SECOND, since=NOW + SECOND))


def test_a_share_of_nothing_looks_at_nobody(house):
    answered(house)
    assert measure(house, demand, now=NOW + SECOND, share=0.0).answers == 0
