"""Features of a house in Feast's shape: the values a model would have been told, of the same units at the same moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from everloop.connect.feast.online import features_of
from everloop.features.as_of import live
from everloop.lake.receive import receive
from everloop.loop.serve.looked import looked_up
from everloop.project.spans import days
from everloop.serving.asks import OnlineFeaturesAsk
from tests.ring.conftest import END
from tests.ring.test_doors import doors, known_of, new_row, some_requests  # noqa: F401

LATER = END + timedelta(hours=1)


def ask(model, requests, **words):
    entities = {name: [request[name] for request in requests] for name in requests[0]}
    return OnlineFeaturesAsk(entities=entities, feature_service=model.name, **words)


@pytest.mark.parametrize("kind", ["shop", "churn", "fraud", "price"])
def test_the_door_tells_what_training_reads(opened, doors, kind):  # noqa: F811
    house, model = opened(kind)
    requests = some_requests(house, model)
    plain = [{name: value for name, value in r.items() if value is None or isinstance(value, str | int | float | bool)} for r in requests]
    said = doors(house).online_features(ask(model, plain), LATER)
    due = live(model, house.tables(model), moment=LATER, units=plain)
    by_name = dict(zip(said.metadata.feature_names, said.results, strict=True))
    for name in features_of(model):
        assert by_name[name].values == due[name].to_pylist(), name
        assert set(by_name[name].event_timestamps) == {"2026-11-01T01:00:00Z"}
        assert [status == "PRESENT" for status in by_name[name].statuses] == due[name].is_valid().to_pylist()
    assert any(status == "PRESENT" for name in features_of(model) for status in by_name[name].statuses)


def test_of_a_unit_nobody_has_heard_of_nothing_is_known_not_even_a_count(opened, doors):  # noqa: F811
    house, model = opened("shop")
    known = some_requests(house, model, 1)
    said = doors(house).online_features(ask(model, [*known, {"product_id": "nobody"}]), LATER)
    for vector in said.results[1:]:
        assert (vector.values[1], vector.statuses[1], vector.event_timestamps[1]) == (None, "NOT_FOUND", "1970-01-01T00:00:00Z")
    assert said.results[0].values == [known[0]["product_id"], "nobody"]


def test_units_may_come_twice_and_in_any_order_and_not_at_all(opened, doors):  # noqa: F811
    house, model = opened("shop")
    one, other = some_requests(house, model, 2)
    door = doors(house)
    there, back = door.online_features(ask(model, [one, other, one]), LATER), door.online_features(ask(model, [other, one]), LATER)
    for first, second in zip(there.results, back.results, strict=True):
        assert first.values == [second.values[1], second.values[0], second.values[1]]
    none = door.online_features(OnlineFeaturesAsk(entities={"product_id": []}, feature_service="demand"), LATER)
    assert [vector.values for vector in none.results] == [[]] * len(none.results)


def test_an_event_is_seen_by_the_next_reading(opened):
    house, model = opened("shop")
    known = known_of(house, model)
    row = new_row(house, model, 0, END)
    asked = [{"product_id": row["product_id"]}]
    before = looked_up(known, model, asked, LATER).values["orders_quantity_total_last_7d"][0]
    receive(house.lake, model.sources[0], [row], now=END + timedelta(minutes=1))
    assert looked_up(known, model, asked, LATER).values["orders_quantity_total_last_7d"] == [before + 1000]
    known.close()


def test_a_value_that_has_passed_is_told_as_older_than_it_may_be(opened):
    house, model = opened("shop")
    orders = house.project.source("orders")
    lasting = model.but("lasting", knows=[orders.latest("price", last=days(7)), orders.latest("price")])
    known = known_of(house, lasting)
    known.fold()
    request = some_requests(house, model, 1)
    found = [looked_up(known, lasting, request, LATER + timedelta(days=later)) for later in (0, 100)]
    assert [[one[0] for one in said.statuses.values()] for said in found] == [["present", "present"], ["expired", "present"]]
    known.close()
