"""Streams into a house and out of it, by real brokers: each message becomes rows once, whatever dies; what is no row says why."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import nats.errors
import pytest

from everloop.clock import wall
from everloop.connect.streams import KafkaLine, Message, NatsLine, line
from everloop.errors import Overtaken, StoreError
from everloop.lake import read_source, receive
from everloop.lake.arrive import Marks
from everloop.lake.take import look, take, taken
from everloop.loop.house import open_house, with_pause
from everloop.loop.project_file import project_of
from everloop.loop.streams import DEAD, Taking, dead_letter, dead_letters, take_stream
from everloop.settings import Stream, read_settings
from everloop.testing.stream_servers import kafka_server, nats_server
from tests.loop.houses import MODELS, NOW, orders
from tests.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore")
SUBJECT = "shop.orders"


def row(line_id, quantity=1):
    return {"line_id": line_id, "ordered_at": "2026-11-02T09:30:00Z", "product_id": "p1", "customer_id": "c1", "quantity": quantity}


def body(line_id, quantity=1):
    return json.dumps(row(line_id, quantity)).encode()


def house_with(folder, url, **streams):
    (folder / "everloop.toml").write_text(
        "\n".join(
            f'[streams.{name}]\nurl = "{url}"\n' + "\n".join(f'{k} = "{v}"' for k, v in said.items()) for name, said in streams.items()
        )
    )
    return open_house(project_of(*MODELS), settings=read_settings(folder, house=folder / "house"))


def orders_in(house):
    return read_source(house.lake, orders).select(["id", "version", "quantity"]).to_pylist()


def put(url, subject, messages):
    async def go():
        async with line(url) as broker:
            for one in messages:
                await broker.put(subject, one)

    asyncio.run(go())


def all_of(url, subject):
    async def go():
        async with line(url) as broker:
            await broker.begin(subject, {})
            found = []
            while some := await broker.take(500, 1.0):
                found += some
            return found

    return asyncio.run(go())


@contextmanager
def taking(house, name="till"):
    stop, told = threading.Event(), []
    thread = threading.Thread(target=take_stream, args=(house, name), kwargs={"stop": stop, "told": told.append}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


# -- how far a stream was taken, in the transaction of its rows --------------------------------------------------------------------------


def taking_by_hand(house, messages, before, after):
    return take(house.lake, orders, look(orders, messages), now=NOW, marks=Marks({"p": before}, {"p": after}))


def test_a_message_that_was_taken_is_not_taken_again_after_its_row_was_corrected(tmp_path):
    house = house_with(tmp_path, "nats://127.0.0.1:1")
    taking_by_hand(house, [[row("l1", 2)]], 0, 1)
    receive(house.lake, orders, row("l1", 3), now=NOW)
    with pytest.raises(Overtaken, match="somebody else took p further meanwhile, to 1"):
        taking_by_hand(house, [[row("l1", 2)]], 0, 1)
    assert [one["quantity"] for one in orders_in(house)] == [2, 3]


def test_the_same_message_without_how_far_the_stream_was_taken_would_bring_back_what_was_corrected(tmp_path):
    house = house_with(tmp_path, "nats://127.0.0.1:1")
    for quantity in (2, 3, 2):
        receive(house.lake, orders, row("l1", quantity), now=NOW)
    assert [one["quantity"] for one in orders_in(house)] == [2, 3, 2]


@pytest.mark.parametrize(("moment", "position"), [("arrived, not committed", 0), ("committed", 1)])
def test_how_far_a_stream_was_taken_stands_with_its_rows_or_neither_does(tmp_path, moment, position):
    def killed(at):
        if at == moment:
            raise StoreError("killed")

    house = house_with(tmp_path, "nats://127.0.0.1:1")
    with pytest.raises(StoreError):
        taking_by_hand(with_pause(house, killed), [[row("l1")]], 0, 1)
    assert dict(taken(house.lake, orders)).get("p", 0) == position == len(orders_in(house))


def test_how_far_a_stream_was_taken_outlives_what_comes_in_by_other_ways(tmp_path):
    house = house_with(tmp_path, "nats://127.0.0.1:1")
    taking_by_hand(house, [[row("l1")]], 0, 7)
    receive(house.lake, orders, row("l2"), now=NOW + timedelta(days=1))
    receive(house.lake, orders, [row("l3"), row("l4")], now=NOW + timedelta(days=2))
    taking_by_hand(house, [[row("l1")]], 7, 9)  # nothing of it is new
    assert dict(taken(house.lake, orders)) == {"p": 9}


def test_how_far_a_stream_was_taken_outlives_everybody_being_forgotten(tmp_path):
    house = house_with(tmp_path, "nats://127.0.0.1:1")
    taking_by_hand(house, [[row("l1")]], 0, 7)
    house.lake.log.emptied()
    assert dict(taken(house.lake, orders)) == {"p": 7}
    assert taking_by_hand(house, [[row("l1", "two")]], 7, 8)[1] == taken(house.lake, orders) == {"p": 8}
    taking_by_hand(house, [[row("l2")]], 8, 9)
    assert [one["id"] for one in orders_in(house)] == ["l2"]


# -- by brokers --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [nats_server, kafka_server])
def test_messages_become_rows_once_each_and_what_is_no_row_goes_to_the_dead_letters_with_the_reason(tmp_path, server):
    with server() as broker:
        house = house_with(tmp_path, broker.url, till={"subject": SUBJECT, "source": "orders"})
        several = json.dumps([row("l3"), row("l4", "two")]).encode()
        lines = Message(body("l5") + b"\n" + body("l6"), {"Content-Type": "application/x-ndjson"}, "m4")
        put(broker.url, SUBJECT, [Message(body("l1"), {}, "m1"), Message(b"{", {"Till": "3"}, "m2"), Message(several, {}, "m3"), lines])
        with taking(house) as told:
            until(lambda: len(orders_in(house)) == 4)
        put(broker.url, SUBJECT, [Message(body("l2"), {}, "m5")])
        with taking(house):
            until(lambda: len(orders_in(house)) == 5)
        assert sorted(one["id"] for one in orders_in(house)) == ["l1", "l2", "l3", "l5", "l6"]
        assert {one["version"] for one in orders_in(house)} == {0}
        dead = {one.body: one.headers for one in all_of(broker.url, SUBJECT + DEAD)}
        assert set(dead) == {b"{", several}
        assert dead[b"{"]["Till"] == "3"
        assert "it is no JSON" in dead[b"{"]["Everloop-Reason"]
        assert "quantity is 'two', no whole number" in dead[several]["Everloop-Reason"]
        assert told == []


@pytest.mark.slow
def test_a_broker_that_is_killed_and_comes_back_is_gone_on_with_and_nothing_is_taken_twice(tmp_path):
    with nats_server() as broker:
        house = house_with(tmp_path, broker.url, till={"subject": SUBJECT, "source": "orders"})
        with taking(house) as told:
            for round in range(3):
                put(broker.url, SUBJECT, [Message(body(f"l{round}-{n}"), {}, f"m{round}-{n}") for n in range(50)])
                until(lambda reached=50 * (round + 1): len(orders_in(house)) == reached)
                broker.kill()
                until(lambda: told and "cannot be gone on with now" in told[-1])
                broker.start()
            put(broker.url, SUBJECT, [Message(body("last"), {}, "last")])
            until(lambda: len(orders_in(house)) == 151)
        found = orders_in(house)
        assert len({one["id"] for one in found}) == len(found) == 151
        assert len(told) == len(set(told)) or len(told) <= 4


def test_a_house_that_is_restored_takes_again_what_came_since(tmp_path):
    with nats_server() as broker:
        put(broker.url, SUBJECT, [Message(body(f"l{n}"), {}, f"m{n}") for n in range(5)])
        for folder in (tmp_path / "one", tmp_path / "restored"):
            folder.mkdir()
            house = house_with(folder, broker.url, till={"subject": SUBJECT, "source": "orders"})
            with taking(house):
                until(lambda house=house: len(orders_in(house)) == 5)
            assert {one["id"] for one in orders_in(house)} == {f"l{n}" for n in range(5)}


def test_a_stream_that_is_made_anew_under_its_name_is_taken_from_its_beginning(tmp_path):
    async def deleted(url):
        async with line(url) as broker:
            await broker.begin(SUBJECT, {})
            await broker._client.jetstream().delete_stream("shop-orders")

    with nats_server() as broker:
        house = house_with(tmp_path, broker.url, till={"subject": SUBJECT, "source": "orders"})
        put(broker.url, SUBJECT, [Message(body(f"l{n}")) for n in range(5)])
        with taking(house):
            until(lambda: len(orders_in(house)) == 5)
        asyncio.run(deleted(broker.url))
        put(broker.url, SUBJECT, [Message(body("new"))])
        with taking(house):
            until(lambda: len(orders_in(house)) == 6)
        assert {one["id"] for one in orders_in(house)} == {*(f"l{n}" for n in range(5)), "new"}


class Broker:
    """A line that is no broker's: what it has to give, and what was put there."""

    def __init__(self):
        self.put_there = []

    async def put(self, subject, message):
        self.put_there.append((subject, message))


def test_a_house_that_is_busy_is_waited_for_and_nothing_is_passed_over(tmp_path):
    house, refusals = house_with(tmp_path, "nats://127.0.0.1:1"), iter([True, True, False])

    def busy(at):
        if at == "arrived, not committed" and next(refusals):
            raise StoreError("somebody else writes")

    told = []
    stream = Stream(url="nats://127.0.0.1:1", subject=SUBJECT, source="orders")
    work = Taking(with_pause(house, busy), stream, orders, threading.Event(), told.append)
    messages = [Message(body("l1"), {}, "m1", "p", 1), Message(b"x", {}, "m2", "p", 2)]
    broker = Broker()
    assert asyncio.run(work._kept(broker, messages, {})) == {"p": 2}
    assert [one["id"] for one in orders_in(house)] == ["l1"]
    assert told == ["orders: what the stream brings cannot be kept now, and waits: somebody else writes"]
    assert dead_letters(house, "")[0] == 1
    assert [(subject, one.body) for subject, one in broker.put_there] == [(SUBJECT + DEAD, b"x")]


# -- answers into a stream ---------------------------------------------------------------------------------------------------------------


def answered(house, model, n, at=NOW):
    """One more answer of a model, in the lake."""
    import pyarrow as pa

    from everloop.clock import microseconds
    from everloop.loop.adopt import adopt
    from everloop.loop.answers import TABLE
    from everloop.serving.answered import SCHEMA

    adopt(house, house.project.model(model), NOW)
    moment = microseconds(at) + n
    row = {"id": f"a{n}", "model": model, "version": house.pointers.current(model).champion, "arm": "shadow" if n == 3 else "champion",
           "unit": "p1", "moment": moment, "answered_at": moment, "answer": {"value": float(n), "values": None, "items": None},
           "microseconds": 5}  # fmt: skip
    house.lake.tables.append_once(TABLE, pa.Table.from_pylist([row], schema=SCHEMA), marker=f"answers:{n}", seq=1)


def telling_once(house, broker):
    from everloop.loop.answers_told import Telling

    work = Telling(house, "out", house.settings.streams["out"], threading.Event(), wall=lambda: NOW)
    return asyncio.run(work.once(broker))


def test_each_answer_is_put_into_the_stream_as_it_was_replied_and_begins_with_what_is_answered_from_now_on(tmp_path):
    house, broker = house_with(tmp_path, "nats://127.0.0.1:1", out={"subject": "shop.answers", "answers": "demand"}), Broker()
    receive(house.lake, orders, row("l1"), now=NOW)
    answered(house, "demand", 0)
    assert telling_once(house, broker) == 0
    for n in (1, 2, 3):
        answered(house, "demand", n)
    answered(house, "leaves", 4)
    assert [telling_once(house, broker) for _ in range(2)] == [2, 0]
    assert [one.id for _, one in broker.put_there] == ["a1", "a2"]
    said = json.loads(broker.put_there[0][1].body)
    assert {name: said[name] for name in ("model", "version", "arm", "unit", "value", "baseline")} == {
        "model": "demand", "version": "demand@0", "arm": "champion", "unit": "p1", "value": 1.0, "baseline": True,
    }  # fmt: skip


def test_what_was_answered_before_the_stream_began_is_not_told_though_it_is_sealed_later(tmp_path):
    from everloop.loop.answers_told import Telling

    house, broker, told = house_with(tmp_path, "nats://127.0.0.1:1", out={"subject": "shop.answers", "answers": "*"}), Broker(), []
    receive(house.lake, orders, row("l1"), now=NOW)
    begun = NOW + timedelta(microseconds=5)
    work = Telling(house, "out", house.settings.streams["out"], threading.Event(), told.append, wall=lambda: begun)
    assert asyncio.run(work.once(broker)) == 0
    assert told == ["The stream out (shop.answers) is told what is answered from 2026-11-02 12:00 UTC on."]
    for n in (4, 6):  # one was unsealed when the stream began
        answered(house, "demand", n)
    assert asyncio.run(work.once(broker)) == 1
    assert [one.id for _, one in broker.put_there] == ["a6"]
    assert len(told) == 1


def test_answers_that_a_broker_did_not_keep_are_put_there_again(tmp_path):
    class Breaks(Broker):
        async def put(self, subject, message):
            if message.id == "a2" and not any(one.id == "a2" for _, one in self.put_there):
                self.put_there.append((subject, message))
                raise ConnectionError("it broke off")
            await super().put(subject, message)

    house, broker = house_with(tmp_path, "nats://127.0.0.1:1", out={"subject": "shop.answers", "answers": "*"}), Breaks()
    receive(house.lake, orders, row("l1"), now=NOW)
    telling_once(house, broker)
    for n in (1, 2):
        answered(house, "demand", n)
    with pytest.raises(ConnectionError):
        telling_once(house, broker)
    telling_once(house, broker)
    assert {one.id for _, one in broker.put_there} == {"a1", "a2"}
    assert telling_once(house, broker) == 0


def test_answers_older_than_a_rewrite_are_not_told_again(tmp_path):
    from everloop.loop.answers import TABLE

    house, broker = house_with(tmp_path, "nats://127.0.0.1:1", out={"subject": "shop.answers", "answers": "*"}), Broker()
    receive(house.lake, orders, row("l1"), now=NOW)
    telling_once(house, broker)
    a_week = 7 * 86_400_000_000
    for n in (1, 2, a_week):
        answered(house, "demand", n)
    telling_once(house, broker)
    house.lake.tables.rewrite(TABLE, lambda piece: piece.filter(__import__("pyarrow").compute.field("id") != "a2"))
    broker.put_there.clear()
    assert telling_once(house, broker) == 1  # the newest day, under ids that are known
    assert [one.id for _, one in broker.put_there] == [f"a{a_week}"]


def test_a_stream_of_what_the_project_does_not_have_is_told_of_and_left_alone(tmp_path):
    from everloop.loop.control.streaming import stream_all

    streams = {"a": {"subject": "a", "source": "ordres"}, "b": {"subject": "b", "answers": "nobody"}}
    house, told = house_with(tmp_path, "nats://127.0.0.1:1", **streams), []
    stream_all(house, told.append, lambda: True)
    assert [one.split(".")[0] for one in told] == [
        "The stream a is left alone: There is no source 'ordres'",
        "The stream b is left alone: There is no model 'nobody'",
    ]


@pytest.mark.slow
def test_a_controller_takes_a_stream_and_puts_answers_into_another(tmp_path):
    from everloop.loop.control.streaming import stream_all

    with nats_server() as broker:
        house = house_with(
            tmp_path, broker.url, till={"subject": SUBJECT, "source": "orders"}, out={"subject": "shop.answers", "answers": "demand"}
        )
        over, told = threading.Event(), []
        thread = threading.Thread(target=stream_all, args=(house, told.append, over.is_set), daemon=True)
        thread.start()
        put(broker.url, SUBJECT, [Message(body("l1"))])
        until(lambda: len(orders_in(house)) == 1 and house.facts.latest("", "stream out") is not None)
        answered(house, "demand", 1, at=wall())
        until(lambda: any(one.id == "a1" for one in all_of(broker.url, "shop.answers")))
        over.set()
        thread.join(10)
        assert not thread.is_alive()
        assert not [one for one in told if "left alone" in one]


@pytest.mark.parametrize("silence", [TimeoutError, nats.errors.TimeoutError])
def test_silence_is_no_trouble_whichever_way_the_client_tells_it(silence):
    async def fetch(_most, timeout):
        raise silence

    quiet = NatsLine.__new__(NatsLine)
    quiet._reads, quiet._client = SimpleNamespace(fetch=fetch), SimpleNamespace(is_connected=True)
    assert asyncio.run(quiet.take(10, 0.1)) == ()
    quiet._client = SimpleNamespace(is_connected=False)
    with pytest.raises(ConnectionError):
        asyncio.run(quiet.take(10, 0.1))


def test_a_header_without_a_value_is_an_empty_one():
    from aiokafka import TopicPartition

    record = SimpleNamespace(offset=0, headers=[("till", None), ("shop", b"beans")], value=b"{}")
    assert KafkaLine(None)._taken(TopicPartition("orders", 0), record).headers == {"till": "", "shop": "beans"}


def test_a_dead_letter_tells_the_broker_nothing_that_its_message_was_to_tell_it():
    told = {"Nats-Expected-Last-Sequence": "3", "NATS-Rollup": "all", "nats-msg-id": "m-1", "till": "3"}
    letter = dead_letter(Message(b"{", told, "m-1", "shop@2026", 7), "it is no JSON")
    assert set(letter.headers) == {"till", "Everloop-Reason", "Everloop-From"}
