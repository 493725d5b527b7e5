"""The doors of a house in this process: what is answered over HTTP is what the house itself would answer, to the last digit."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pytest

from everloop.errors import EverloopError, HouseBusy, Unknown
from everloop.features.as_of import live
from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.answers import answer_one, answers_of
from everloop.loop.control import errands
from everloop.loop.online import online_of
from everloop.loop.serve.known import Known
from everloop.loop.serve.routes import write_routes
from everloop.loop.serve.supervised import Told
from everloop.loop.serve.worker import opened as open_doors
from everloop.loop.spoken import spoken_answer
from everloop.registry.errands import Errands
from everloop.rollout.assign import arm_of
from everloop.serving.asks import answer_of
from everloop.serving.refused import refusal

END = datetime(2026, 11, 1, tzinfo=UTC)
KINDS = ("shop", "churn", "fraud", "price", "recommend")


@pytest.fixture
def doors():
    """The doors of a house, as a worker opens them."""
    with ExitStack() as stack:

        def doors_of(house, turned=True):
            write_routes(house)
            told = Told(house.project.path, None, None, turned, None, None, None)
            return open_doors(told, house.project, house.settings, stack)

        yield doors_of


def known_of(house, *models, turned=False):
    """What a process knows of a house."""
    return Known(house.lake, models, online_of(house.lake, house.settings), turned=turned)


def some_requests(house, model, count=5):
    """Requests about units there are: of the rows of a source, rows that have not come yet, made of ones that have."""
    events = house.tables(model)[model.per.name if hasattr(model.per, "name") else next(iter(house.tables(model)))]
    if not hasattr(model.per, "name"):
        source = next(t for t in house.tables(model).values() if set(model.unit) <= set(t.column_names))
        rows = source.select(list(model.unit)).group_by(list(model.unit)).aggregate([]).slice(0, count).to_pylist()
        return [dict(row) for row in rows]
    found = events.slice(max(0, len(events) - count)).to_pylist()
    return [{name: f"new-{row[name]}" if name in model.unit else row[name] for name in model.request} for row in found]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_known_now_is_what_training_reads(opened, kind):
    house, model = opened(kind)
    known = known_of(house, model, turned=True)
    table = pa.Table.from_pylist(some_requests(house, model))
    for moment in (END + timedelta(seconds=1), END + timedelta(days=3, hours=5)):
        found, due = known.features(model, table, moment), live(model, house.tables(model), moment=moment, units=table)
        assert found.column_names == due.column_names
        for name in due.column_names:
            assert found[name].to_pylist() == due[name].to_pylist(), name
            assert found[name].type == due[name].type, name
    known.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_door_answers_as_the_house_does(opened, doors, kind):
    house, model = opened(kind)
    now = END + timedelta(hours=1)
    adopt(house, model, now)
    request = some_requests(house, model, 1)[0]
    given = doors(house).predict(model.name, [request], now)[0]
    keys = list(map(str, request.values())) if not hasattr(model.per, "name") else [f"{k}={v}" for k, v in request.items() if v is not None]
    due = answer_one(house, model, keys, now)
    assert (given.id, given.value, given.values, given.items) == (due.id, due.value, due.values, due.items)
    assert given.features == due.features
    assert given.id in answers_of(house, model).column("id").to_pylist()


def test_a_unit_nobody_has_heard_of_is_unknown_and_leaves_nothing_in_the_log(opened, doors):
    house, model = opened("shop")
    adopt(house, model, END)
    with pytest.raises(Unknown, match="nobody"):
        doors(house).predict("demand", [{"product_id": "nobody"}], END + timedelta(hours=1))
    assert len(answers_of(house, model)) == 0


def test_requests_that_carry_different_columns_are_each_answered_in_their_place(opened, doors):
    house, model = opened("fraud")
    adopt(house, model, END)
    one, two, three = some_requests(house, model, 3)
    bare = {name: two[name] for name in model.unit} | {"card_id": two["card_id"]}
    both = doors(house)
    now = END + timedelta(hours=1)
    given = both.predict(model.name, [one, bare, three], now)
    assert [p.unit for p in given] == ["\x1f".join(str(r[u]) for u in model.unit) for r in (one, bare, three)]
    assert given[2].features == both.predict(model.name, [three], now + timedelta(microseconds=1))[0].features


def test_what_a_request_leaves_out_of_a_row_nobody_has_heard_of_is_said_at_both_doors(opened, doors):
    house, model = opened("fraud")
    adopt(house, model, END)
    (whole,) = some_requests(house, model, 1)
    arrived, now = house.tables(model)["payments"].column("id")[0].as_py(), END + timedelta(hours=1)
    requests = [{"payment_id": "nobody"}, {"payment_id": "new", "card_id": "k1", "amount": 5}, whole, {"payment_id": arrived}]
    left = [("card_id", "merchant_id", "amount", "online"), ("merchant_id", "online"), (), ()]
    door = doors(house)
    assert [p.left_out for p in door.predict(model.name, requests, now)] == left
    at = [now + timedelta(minutes=n) for n in range(1, 5)]
    assert [door.predict(model.name, [one], when)[0].left_out for one, when in zip(requests, at, strict=True)] == left
    asked = [[f"{name}={value}" for name, value in request.items()] for request in requests]
    told = [answer_one(house, model, keys, when + timedelta(seconds=1)) for keys, when in zip(asked, at, strict=True)]
    assert [p.left_out for p in told] == left
    assert told[0].value is not None
    said = [spoken_answer(house, prediction) for prediction in told]
    assert "Nobody has heard of nobody, and card_id, merchant_id, amount and online were not said" in said[0]
    assert not any("Nobody" in line for line in said[2:])
    reply = answer_of(model.shape, told[1], "fraud@0", ())
    assert msgspec.to_builtins(reply)["left_out"] == ["merchant_id", "online"]
    assert "left_out" not in msgspec.to_builtins(answer_of(model.shape, told[2], "fraud@0", ()))


def test_features_that_a_request_brings_are_answered_as_they_are(opened, doors):
    house, model = opened("shop")
    adopt(house, model, END)
    opened_doors = doors(house)
    brought = dict.fromkeys(model.columns, 2.5)
    given = opened_doors.predict("demand", [{"product_id": "new", "features": brought}], END + timedelta(hours=1))[0]
    assert dict(given.features).items() >= brought.items()
    with pytest.raises(Unknown, match="prise"):
        opened_doors.predict("demand", [{"product_id": "new", "features": brought | {"prise": 1}}], END + timedelta(hours=1))
    with pytest.raises(EverloopError, match="text in one question and a number in another"):
        some = [{"product_id": f"new {value}", "features": brought | {model.columns[0]: value}} for value in ("a", 1.0)]
        opened_doors.predict("demand", some, END + timedelta(hours=1))


def new_row(house, model, number, now):
    row = house.tables(model)["orders"].slice(0, 1).to_pylist()[0]
    return {"line_id": f"new{number}", "ordered_at": now, "product_id": row["product_id"], "quantity": 1000, "price": row["price"]}


def test_an_event_that_was_acknowledged_is_seen_by_the_next_read_of_whichever_worker(opened):
    house, model = opened("shop")
    one, other = (known_of(house, model) for _ in range(2))
    row = new_row(house, model, 0, END)
    asked = pa.table({"product_id": [row["product_id"]]})
    name = "orders_quantity_total_last_56d"
    before = one.features(model, asked, END)[name][0].as_py()
    for number in range(4):
        at = END + timedelta(minutes=number + 1)
        receive(house.lake, house.project.sources["orders"], new_row(house, model, number, at), now=at)
        reader = (one, other)[number % 2]
        assert reader.features(model, asked, at + timedelta(microseconds=1))[name][0].as_py() == before + 1000 * (number + 1)
    one.close(), other.close()


def test_where_the_clock_is_not_turned_an_event_of_the_very_instant_is_seen(opened):
    house, model = opened("shop")
    row = new_row(house, model, 0, END)
    asked, name = pa.table({"product_id": [row["product_id"]]}), "orders_quantity_total_last_56d"
    at = END + timedelta(hours=1)
    for turned, seen in ((True, 0), (False, 1000)):
        known = known_of(house, model, turned=turned)
        before = live(model, house.tables(model), moment=at, units=asked)[name][0].as_py()
        if turned:
            receive(house.lake, house.project.sources["orders"], new_row(house, model, 0, at), now=at)
        assert known.features(model, asked, at)[name][0].as_py() == before + seen
        known.close()


def test_many_readers_fold_each_event_once(opened):
    house, model = opened("shop")
    readers = [known_of(house, model) for _ in range(3)]
    row = new_row(house, model, 0, END)
    asked, name = pa.table({"product_id": [row["product_id"]]}), "orders_quantity_total_last_56d"
    before = readers[0].features(model, asked, END)[name][0].as_py()
    rows, found = 30, []

    def read(known):
        found.append(known.features(model, asked, END + timedelta(hours=2))[name][0].as_py())

    for number in range(rows):
        at = END + timedelta(minutes=number)
        receive(house.lake, house.project.sources["orders"], new_row(house, model, number, at), now=at)
        threads = [threading.Thread(target=read, args=(known,)) for known in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(found) == {before + 1000 * (number + 1)}
        found.clear()
    for known in readers:
        known.close()


def test_tiles_nobody_can_read_are_made_anew_and_nobody_notices(opened):
    house, model = opened("shop")
    asked = pa.table({"product_id": [house.tables(model)["orders"]["product_id"][0].as_py()]})
    now = END + timedelta(hours=1)
    due = live(model, house.tables(model), moment=now, units=asked).to_pylist()
    known = known_of(house, model, turned=True)
    known.fold()
    assert known.features(model, asked, now).to_pylist() == due
    for spoil in ("UPDATE online_packed SET body = x'c1'", "UPDATE online_packed SET body = x''", "DELETE FROM online_states"):
        with house.lake.log.connection() as connection:
            connection.execute(spoil)
        assert known.features(model, asked, now).to_pylist() == due
        if known._folding is not None:
            known._folding.join()
        known.fold()
        assert known.features(model, asked, now).to_pylist() == due
        with known._state.reading() as tiles:
            assert tiles.marks()
    known.close()


def test_what_arrives_is_folded_in_the_transaction_it_arrives_in(opened, monkeypatch):
    house, model = opened("shop")
    known = known_of(house, model)
    known.fold()
    monkeypatch.setattr(Known, "fold", None)  # nobody brings them up any more
    row, name = new_row(house, model, 0, END), "orders_quantity_total_last_56d"
    asked = pa.table({"product_id": [row["product_id"]]})
    before = known.features(model, asked, END)[name][0].as_py()
    for number in range(3):
        at = END + timedelta(minutes=number + 1)
        receive(house.lake, house.project.sources["orders"], new_row(house, model, number, at), now=at)
        assert known.features(model, asked, at + timedelta(microseconds=1))[name][0].as_py() == before + 1000 * (number + 1)
    known.close()


def test_a_fold_that_fails_refuses_no_row_and_is_caught_up_by_the_next_reader(opened, monkeypatch, caplog):
    house, model = opened("shop")
    known = known_of(house, model)
    known.fold()
    row, name = new_row(house, model, 0, END), "orders_quantity_total_last_56d"
    asked = pa.table({"product_id": [row["product_id"]]})
    before = known.features(model, asked, END)[name][0].as_py()
    with monkeypatch.context() as broken:
        broken.setattr("everloop.features.fold.Fold.take_in", lambda *_: 1 / 0)
        at = END + timedelta(minutes=1)
        assert receive(house.lake, house.project.sources["orders"], new_row(house, model, 1, at), now=at).kept == 1
        assert "was not folded" in caplog.text
    assert known.features(model, asked, at + timedelta(microseconds=1))[name][0].as_py() == before + 1000
    known.close()


def test_a_unit_asked_about_twice_and_differently_is_refused(opened, doors):
    house, model = opened("shop")
    adopt(house, model, END)
    both = [{"product_id": "new", "features": dict.fromkeys(model.columns, value)} for value in (1.0, 2.0)]
    with pytest.raises(EverloopError, match="twice in one list"):
        doors(house).predict("demand", both, END + timedelta(hours=1))


def test_the_doors_know_whose_answers_are_the_baselines(opened, doors):
    house, model = opened("shop")
    adopt(house, model, END)
    opened_doors = doors(house)
    (given,) = opened_doors.predict("demand", some_requests(house, model, 1), END)
    assert opened_doors.is_baseline(given.version)
    assert not opened_doors.is_baseline("another")


def test_a_list_is_told_to_whom_nobody_has_heard_of_where_that_is_said(opened, doors):
    house, model = opened("recommend")
    now = END + timedelta(hours=1)
    adopt(house, model, now)
    door, (key,) = doors(house), model.unit
    with pytest.raises(Unknown):
        door.predict(model.name, [{key: "nobody-yet"}], now)
    (given,) = door.predict(model.name, [{key: "nobody-yet", "newcomer": True, "cart": []}], now)
    assert given.unit == "nobody-yet"
    assert given.arm == arm_of("nobody-yet", house.traffic(model))
    assert given.error == "it gave no item"  # nothing was learnt: the baseline lists what one had


def test_a_turn_that_is_asked_for_is_told_as_that_and_the_request_says_which_trace_it_is(opened, doors, monkeypatch):
    from contextlib import nullcontext
    from types import SimpleNamespace

    from everloop.clock import wall
    from everloop.loop.control.errands import carry_out, line_of
    from everloop.loop.keep import turn_id
    from everloop.spans import collected, trace_of

    house, model = opened("shop")
    lines, known = [], {}

    def at_once(of, id, *_words, **_more):
        errand = Errands(of.store).find(id)
        said = carry_out(of, errand)
        lines.append(line_of(errand, said))
        with of.store.transaction() as t:
            return Errands(of.store).finish(t, id, "done", said, wall())

    monkeypatch.setattr("everloop.loop.control.errands.awaited", at_once)
    monkeypatch.setattr("everloop.loop.control.errands.controller_of", lambda _house: "somebody")
    with collected(SimpleNamespace(begin=lambda *_: nullcontext(), learn=known.update, now=dict)):
        (told,) = doors(house).turn(model.name, END, "schedule")
    assert lines[0].startswith("demand turned (asked), ")
    assert told["turn"] == turn_id(model, END, "schedule")  # the turn itself is the one a schedule would have had
    assert known == {"turn": told["turn"], "turn_trace": trace_of(told["turn"])}


@pytest.mark.parametrize("cause", ["schedule", "demand"])
@pytest.mark.parametrize("turned", [False, True])
def test_equal_wishes_for_a_turn_are_one_while_it_waits_and_on_a_turned_clock_each_its_own(opened, doors, monkeypatch, cause, turned):
    house, model = opened("shop")
    house = replace(house, turned=turned)
    opened_doors, awaited = doors(house, turned), []

    def at_once(of, id, *_words, **_more):
        awaited.append(id)
        return replace(Errands(of.store).find(id), state="done", said="{}")

    monkeypatch.setattr("everloop.loop.control.errands.awaited", at_once)
    monkeypatch.setattr("everloop.loop.control.errands.controller_of", lambda _house: "somebody")
    moments = [END + timedelta(hours=number) for number in range(3)]
    for moment in moments:
        opened_doors.turn(model.name, moment, cause)
    waiting = Errands(house.store).unfinished()
    assert [errand.now for errand in waiting] == (moments if turned else moments[-1:])
    assert awaited == ([errand.id for errand in waiting] if turned else [waiting[0].id] * 3)
    opened_doors.turn(model.name, END, cause, once="by name")
    assert len(Errands(house.store).unfinished()) == len(waiting) + 1


def test_a_wish_that_nobody_takes_is_refused_and_leaves_nothing_to_be_done_later(opened, doors, monkeypatch):
    house, model = opened("shop")
    opened_doors = doors(house)
    monkeypatch.setattr(errands, "GIVE_UP", 0.05)
    for wish in (lambda: opened_doors.turn(None, END, "schedule"), lambda: opened_doors.score(model.name, END)):
        with pytest.raises(EverloopError, match="Nobody turns this house") as refused:
            wish()
        assert refusal(refused.value).status == 422
    assert Errands(house.store).unfinished() == []
    opened_doors.draining = True
    with pytest.raises(HouseBusy, match="nothing was asked"):
        opened_doors.turn(model.name, END, "schedule")
