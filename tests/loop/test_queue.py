"""What waits in a house, what was given up, and how far its streams have come is said in its status and in its metrics."""

from __future__ import annotations

from datetime import timedelta

from everloop.clock import EPOCH, microseconds
from everloop.lake.arrive import Marks
from everloop.lake.take import look, take
from everloop.loop.control.errands import ask
from everloop.loop.control.gauges import house_gauges
from everloop.loop.control.queue import queue_of, streams_of
from everloop.loop.house import open_house
from everloop.loop.project_file import project_of
from everloop.loop.streams import dead_fact
from everloop.registry.claims import Claims
from everloop.registry.errands import ERRANDS, MOST_TAKEOVERS
from everloop.settings import read_settings
from tests.loop.houses import MODELS, NOW, house_at, orders

STREAMS = """
[streams.till]
url = "nats://broker:4222"
subject = "shop.orders"
source = "orders"

[streams.out]
url = "nats://broker:4222"
subject = "shop.answers"
answers = "demand"
"""
ROW = {"line_id": "l1", "ordered_at": NOW, "product_id": "p1", "customer_id": "c1", "quantity": 1}


def gauges(house):
    return {name: value for name, value in house_gauges(house, NOW + timedelta(minutes=9)) if "errands" in name or "stream" in name}


def test_errands_that_wait_are_taken_or_dead_are_counted_apart(tmp_path):
    house = house_at(tmp_path)
    assert str(queue_of(house)) == ""
    for model in ("demand", "leaves", "likes"):
        ask(house, "turn", model, NOW)
    with house.store.transaction() as t:
        (taken,) = Claims(house.store).take(t, "me", most=1)
        last = ERRANDS.c.model == "likes"
        t.execute(ERRANDS.update().where(last).values(state="failed", takeovers=MOST_TAKEOVERS))
        t.execute(ERRANDS.update().where(ERRANDS.c.model == "leaves").values(asked_at=microseconds(NOW)))
    assert taken.model == "demand"
    said = "1 errand waits, the oldest (the turn of leaves) since 2026-11-02 12:00 UTC; 1 is under way; "
    assert str(queue_of(house)) == said + "1 was given up, since workers died over it again and again."
    assert gauges(house) == {
        'everloop_errands{state="waiting"}': 1.0, 'everloop_errands{state="taken"}': 1.0, 'everloop_errands{state="dead"}': 1.0,
        "everloop_errands_oldest_seconds": 540.0,
    }  # fmt: skip


def test_an_errand_that_failed_of_itself_is_not_one_that_workers_died_over(tmp_path):
    house = house_at(tmp_path)
    ask(house, "turn", "demand", NOW)
    with house.store.transaction() as t:
        t.execute(ERRANDS.update().values(state="failed", takeovers=MOST_TAKEOVERS - 1))
    assert queue_of(house).dead == 0


def test_a_stream_says_how_far_it_has_come_and_what_could_not_be_read(tmp_path):
    (tmp_path / "everloop.toml").write_text(STREAMS)
    house = open_house(project_of(*MODELS), settings=read_settings(tmp_path, house=tmp_path / "house"))
    assert [str(one) for one in streams_of(house)] == [
        "The stream till (shop.orders): nothing was taken yet.", "The stream out (shop.answers): no answer was told yet.",
    ]  # fmt: skip
    take(house.lake, orders, look(orders, [[ROW]]), now=NOW, marks=Marks({"p": 0}, {"p": 1204}))
    with house.store.transaction() as t:
        house.facts.put(t, "", dead_fact("till"), EPOCH, {"count": 2, "at": NOW.isoformat()})
        house.facts.put(t, "", "stream out", EPOCH, {"version": 3, "until": microseconds(NOW)})
    dead = "2 messages could not be read (the last 2026-11-02 12:00 UTC): shop.orders.dead has them."
    assert [str(one) for one in streams_of(house)] == [
        f"The stream till (shop.orders): orders are taken to p:1,204; {dead}",
        "The stream out (shop.answers): answers are told until 2026-11-02 12:00 UTC.",
    ]
    told = gauges(house)
    assert told['everloop_stream_position{stream="till",partition="p"}'] == 1204.0
    assert told['everloop_stream_dead_letters{stream="till"}'] == 2.0
    assert told['everloop_stream_told_seconds{stream="out"}'] == NOW.timestamp()
