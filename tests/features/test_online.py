"""Online: which values are there, which have passed, how far sources were read, and what is left to the tables."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from everloop import Model, Source, at_least, at_most, calendar, days, every, hours, one_of
from everloop.errors import Unknown
from everloop.features.compile import features
from everloop.features.fold import Fold, fold
from everloop.features.online import Online, catch_up
from everloop.features.packed import kept_number, number
from everloop.features.served import definition_of
from everloop.features.states import Kept, Part, keys_told, states_of, states_of_all
from everloop.features.store import Mark
from everloop.features.tiles import Tiles
from everloop.testing.plain import Said, event_table

HOUR, DAY = 3_600_000_000, 86_400_000_000


class Learner:
    def fit(self, rows, truth): ...

    def predict(self, rows): ...


people = Source("people", id="customer_id", columns={"country": str})
orders = Source(
    "orders", id="order_id", time="at", of=people, columns={"customer_id": str, "amount": int, "note": str, "due": datetime, "big": bool}
)
week = orders.total("amount", last=days(7))
theirs = orders.total("amount", last=days(7), per="customer_id")
churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)), knows=week, learner=Learner())
fraud = Model("fraud", predicts=orders.outcome("big"), per=orders, knows=[orders.given("amount"), theirs], learner=Learner())


def said(id, at, customer="ada", **values):
    return Said(id, 0, at, at, {"customer_id": customer, **values})


def kept(model, readings, log):
    store, table = Tiles(sqlite3.connect(":memory:")), event_table(orders, log)
    states = states_of(model, readings)
    catch_up(store, states, {"orders": table.slice(0, 0)})
    fold(store, states, table)
    return store


def never():
    raise AssertionError("the tables were asked")


def test_a_value_is_present_missing_or_has_passed():
    readings = [orders.latest("note", last=days(1)), orders.lowest("amount", last=hours(1)), orders.latest("due"), week]
    store = kept(churn, readings, [said("o1", HOUR, amount=3, note="n"), said("o2", HOUR, customer="eve")])
    online, requests = Online(churn, readings), [{"customer_id": name} for name in ("ada", "eve", "bob", None)]
    soon, later = online.read(store, requests, HOUR + 1), online.read(store, requests, 9 * DAY)
    assert soon.values == [["n", 3.0, None, 3.0], [None, None, None, 0.0], [None, None, None, 0.0], [None, None, None, 0.0]]
    assert list(map(list, soon.statuses)) == [["present", "present", "missing", "present"], *([["missing"] * 3 + ["present"]] * 3)]
    assert [list(row) for row in later.statuses[:2]] == [["expired", "expired", "missing", "present"]] * 2
    assert list(later.statuses[2]) == ["missing"] * 3 + ["present"]


def test_what_has_passed_is_known_also_when_its_tiles_are_forgotten():
    readings = [orders.latest("note", last=days(1))]
    store = kept(churn, readings, [said("o1", HOUR, note="n")])
    fold(store, states_of(churn, readings), event_table(orders, [said("o1", HOUR), said("o2", 90 * DAY)]).slice(1))
    answer = Online(churn, readings).read(store, [{"customer_id": "ada"}], 200 * DAY)
    assert (answer.values, answer.statuses) == ([[None]], [["expired"]])


def test_a_row_forgotten_with_its_tile_and_deleted_later_is_as_if_it_had_never_been():
    readings = [orders.latest("note", last=days(1))]
    log = [said("o1", HOUR, note="n"), said("o2", 90 * DAY, note="m"), Said("o1", 1, HOUR, 91 * DAY, {"customer_id": "ada"}, deleted=True)]
    store = kept(churn, readings, [*log, Said("o2", 1, 90 * DAY, 92 * DAY, {"customer_id": "ada"}, deleted=True)])
    assert Online(churn, readings).read(store, [{"customer_id": "ada"}], 200 * DAY).statuses == [["missing"]]


def test_arithmetic_has_passed_where_a_part_of_it_has():
    ratio = (orders.mean("amount", last=hours(1)) / week).named("ratio")
    store = kept(churn, [ratio, week], [said("o1", HOUR, amount=3)])
    answer = Online(churn, [ratio, week]).read(store, [{"customer_id": "ada"}, {"customer_id": "bob"}], 3 * DAY)
    assert (answer.values, answer.statuses) == ([[None, 3.0], [None, 0.0]], [["expired", "present"], ["missing", "present"]])


def test_an_answer_says_how_far_each_source_was_read_and_by_which_definitions():
    store = kept(churn, [week], [said("o1", 5), said("o2", 7)])
    online = Online(churn)
    assert online.read(store, [{"customer_id": "ada"}], 8).as_of == {"orders": Mark(2, 7)}
    assert online.now(store, pa.table({"customer_id": ["ada"]}), 8).as_of == {"orders": 2}
    assert online.definitions != Online(churn, [orders.total("amount", last=days(8))]).definitions


def test_a_row_asked_about_never_counts_in_what_is_known_of_it():
    log = [said("o1", 5, amount=3), said("o2", 7, amount=4)]
    store, tables = kept(fraud, fraud.knows, log), {"orders": event_table(orders, log)}
    requests = [{"order_id": "o2", "row": "o2", "customer_id": "ada", "amount": 4}]
    online = Online(fraud)
    assert online.names == ("amount", theirs.name)
    own = online.read(store, requests, HOUR, tables=lambda: tables)
    questions = pa.Table.from_pylist(requests).append_column("moment", pa.array([HOUR], pa.int64()))
    assert [own.values[0]] == [list(row.values()) for row in features(fraud.knows, questions, tables, model=fraud).to_pylist()]
    new = online.read(store, [{"order_id": "o3", "row": "o3", "customer_id": "ada", "amount": 9}], HOUR, tables=never)
    assert new.values[0][0] == 9.0


def test_a_moment_that_is_not_later_than_everything_folded_is_read_from_the_tables():
    log = [said("o1", 5, amount=3), said("o2", 7, amount=4)]
    store, tables = kept(churn, [week], log), {"orders": event_table(orders, log)}
    answer = Online(churn).read(store, [{"customer_id": "ada"}], 7, tables=lambda: tables)
    assert (answer.values, answer.as_of) == ([[3.0]], {})
    with pytest.raises(Unknown, match="Give tables="):
        Online(churn).read(store, [{"customer_id": "ada"}], 7)


def test_what_requests_say_is_read_as_training_reads_it():
    readings = [orders.given(column) for column in ("amount", "note", "due", "big")]
    at = datetime(2026, 11, 2, tzinfo=UTC)
    plain = [{"amount": 3, "note": "é", "due": 5, "big": True}, {"amount": None, "note": None, "due": None, "big": None}]
    odd = [{"amount": 2.5, "note": 7, "due": at, "big": 1}, {"amount": 4, "note": None, "due": None, "big": 0}]
    for requests in (plain, odd):
        requests = [{"order_id": "o1", "customer_id": "ada", "row": "o1", **said} for said in requests]
        store = kept(fraud, [theirs], [])
        questions = pa.Table.from_pylist(requests).append_column("moment", pa.array([DAY] * 2, pa.int64()))
        expected = [list(row.values()) for row in features(readings, questions, {}, model=fraud).to_pylist()]
        assert Online(fraud, readings).read(store, requests, DAY, tables=never).values == expected


def test_a_calendar_is_read_in_its_zone():
    readings = [calendar("hour", "weekday", zone="America/New_York")]
    answer = Online(churn, readings).read(Tiles(sqlite3.connect(":memory:")), [{"customer_id": "ada"}], 0)
    assert (answer.values, answer.statuses) == ([[19.0, 2.0]], [("present", "present")])


def test_a_state_that_was_never_made_is_unknown():
    with pytest.raises(Unknown, match="Make it first"):
        Online(churn).read(Tiles(sqlite3.connect(":memory:")), [{"customer_id": "ada"}], 0)


def test_nobody_asked_is_nobody_answered():
    answer = Online(churn).read(Tiles(sqlite3.connect(":memory:")), [], 0)
    assert (answer.values, answer.statuses) == ([], [])


def test_states_keep_only_what_is_read_and_an_edited_definition_is_another_one():
    several = [week, orders.mean("amount", last=days(3)), orders.which("note", last=days(7)), orders.distinct("note", last=days(6))]
    (state,) = states_of(churn, several)
    parts = (Part("n", "amount"), Part("total", "amount"), Part("seen", "note"))
    assert state.tiles == (Kept(HOUR, 7 * DAY, parts),)
    assert state.id == states_of(churn, several[::-1])[0].id
    assert len({states_of(churn, several[:n])[0].id for n in (1, 2, 3)}) == 3


def test_models_that_read_the_same_keys_share_a_state_and_each_reads_its_own():
    count = orders.count(last=days(1))
    shared = states_of_all([(churn, [week]), (churn, [count])])
    assert len(shared) == 1
    store, table = Tiles(sqlite3.connect(":memory:")), event_table(orders, [said("o1", 5, amount=3)])
    catch_up(store, shared, {"orders": table})
    for reading, value in ((week, 3.0), (count, 1.0)):
        assert Online(churn, [reading], shared).read(store, [{"customer_id": "ada"}], 6).values == [[value]]


def test_what_is_inherited_is_left_to_the_tables():
    assert keys_told(churn, orders.latest("country")) is None
    assert keys_told(churn, orders.latest("note")) == ("customer_id",)


def test_rows_without_a_column_that_is_read_are_refused():
    store, table = kept(churn, [week], []), event_table(orders, [said("o1", 5)])
    for rows in (table.drop_columns(["amount"]), table.drop_columns(["amount"]).to_pylist()):
        with pytest.raises(Unknown, match="amount"):
            Fold(states_of(churn)).take_in(store, rows)


def test_states_of_several_sources_are_not_folded_together():
    with pytest.raises(ValueError, match="one source"):
        Fold([*states_of(churn), *states_of(churn, [people.count(per=())])])


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**200, -(2**200)])
def test_whole_numbers_of_any_size_are_kept(value):
    assert number(kept_number(value)) == value


def test_words_that_are_planned_are_told_as_in_training():
    offers = Source("offers", id="offer_id", time=["begins", "ends"], known="told", columns={"customer_id": str, "kind": str})
    model = churn.but("planned", fed_as="arrow", knows=[week, offers.planned("kind"), offers.planned()])
    told = Said("a", 0, HOUR, HOUR, {"customer_id": "ada", "begins": 2 * DAY, "ends": 9 * DAY, "kind": "half"})
    tables = {"orders": event_table(orders, [said("o1", HOUR, amount=3)]), "offers": event_table(offers, [told])}
    store, asked = Tiles(sqlite3.connect(":memory:")), pa.table({"customer_id": ["ada", "bob"], "moment": pa.array([DAY] * 2, pa.int64())})
    catch_up(store, states_of(model), tables)
    now = Online(model).now(store, asked.select(["customer_id"]), DAY, tables=lambda: tables)
    then = features(model.knows, asked, tables, model=model)
    assert now.columns["offers_kind_planned"].to_pylist() == ["half", None] == then["offers_kind_planned"].to_pylist()
    assert all(now.columns[name].to_pylist() == then[name].to_pylist() for name in then.column_names)


def test_a_column_of_another_kind_is_another_state_and_another_definition():
    def of(kind, key=str):
        source = Source("o", id="oid", time="at", columns={"shop": key, "q": kind})
        knows = source.where(at_least("q", 1)).count(last=days(7))
        return Model("m", predicts=source.none(next=days(7)), per="shop", asked=every(days(7)), knows=knows, learner=Learner())

    models = [of(int), of(float), of(int, int)]
    assert len({state.id for model in models for state in states_of(model)}) == 3
    assert len({definition_of(model) for model in models}) == 3
    assert definition_of(of(int)) == definition_of(models[0])


def test_the_time_predicted_belongs_to_the_definition_of_what_is_planned():
    offers = Source("offers", id="offer_id", time=["begins", "ends"], known="told", columns={"customer_id": str, "price": float})
    models = [churn.but("m", predicts=orders.none(next=days(n)), knows=[offers.planned("price"), week]) for n in (7, 14)]
    short, long = (definition_of(model) for model in models)
    assert short[:6] != long[:6]
    assert short[6:12] == long[6:12]


@pytest.mark.parametrize(
    ("kind", "condition", "value", "counts"),
    [
        (int, at_most("q", 2.0**53), 2**53 + 1, 1), (int, at_most("q", 2**53), 2**53 + 1, 0), (int, at_least("q", 2.0**53), 2**53 - 1, 0),
        (float, at_least("q", 2**53 + 1), 2.0**53, 1), (int, one_of("q", 2.0**53), 2**53 + 1, 1), (int, one_of("q", 2**53), 2**53 + 1, 0),
        (float, one_of("q", 2**53 + 1), 2.0**53, 1),
    ],
)  # fmt: skip
def test_conditions_on_numbers_no_float_can_tell_apart_are_met_as_in_training(kind, condition, value, counts):
    source = Source("o", id="oid", time="at", columns={"customer_id": str, "q": kind})
    reading = source.where(condition).count(last=days(7))
    model = Model("m", predicts=source.none(next=days(7)), per="customer_id", asked=every(days(7)), knows=reading, learner=Learner())
    table = event_table(source, [Said("o1", 0, HOUR, HOUR, {"customer_id": "ada", "q": value})])
    asked = pa.table({"customer_id": ["ada"], "moment": pa.array([2 * HOUR], pa.int64())})
    then = features(model.knows, asked, {"o": table}, model=model).column(0).to_pylist()
    stores = [Tiles(sqlite3.connect(":memory:")) for _ in range(2)]
    catch_up(stores[0], states_of(model), {"o": table})
    catch_up(stores[1], states_of(model), {"o": table.slice(0, 0)})
    fold(stores[1], states_of(model), table)
    now = [Online(model).read(store, [{"customer_id": "ada"}], 2 * HOUR).values[0] for store in stores]
    assert [then, *now] == [[float(counts)]] * 3
