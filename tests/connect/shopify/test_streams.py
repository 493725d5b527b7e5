"""What comes into one door's inbox goes by a stream into another's, by a real nats-server: once each, also
what came while it was down, and whoever was restarted meanwhile."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.connect.shopify.forged import SHOP
from tests.waiting import until

from everloop.clock import wall
from everloop.connect.shopify import inbox
from everloop.connect.shopify.beside import Beside
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.streams import Stream, headers
from everloop.connect.streams import Message
from everloop.settings import Streams
from everloop.testing.stream_servers import kafka_server, nats_server

pytestmark = pytest.mark.filterwarnings("ignore")


LATELY = wall().replace(microsecond=250_000)


def delivery(n, topic="orders/create", at=LATELY):
    return Delivery(f"w-{n}", topic, SHOP, at, "2026-10", b'{"id":%d}' % n, f"e-{n}")


def opened(folder):
    place = Place(folder / "shopify.db")
    inbox.open_inbox(place)
    return place


@contextmanager
def carried(*streams):
    threads = [Beside(f"stream {n}", one.carry) for n, one in enumerate(streams)]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        for one in threads:
            one.stop()


def published_to(url):
    return Streams(url=url)


def taken_from(url):
    return Streams(url=url, publish=False, consume=True)


@pytest.mark.parametrize("server", [nats_server, kafka_server])
def test_deliveries_go_through_a_stream_and_arrive_once_each_as_they_were(tmp_path, server):
    here, there = opened(tmp_path / "here"), opened(tmp_path / "there")
    inbox.keep(here, [delivery(n) for n in range(20)], wall())
    with server() as broker:
        out, into = Stream(here, published_to(broker.url), SHOP), Stream(there, taken_from(broker.url), SHOP)
        with carried(out, into):
            inbox.keep(here, [delivery(n) for n in range(20, 40)], wall())
            until(lambda: out.published() == 40 and inbox.figures(there).waiting == 40)
    assert {one.delivery for one in inbox.waiting(there, wall())} == {delivery(n) for n in range(40)}


@pytest.mark.slow
def test_a_broker_that_is_killed_again_and_again_loses_no_delivery_and_brings_none_twice(tmp_path):
    here, there = opened(tmp_path / "here"), opened(tmp_path / "there")
    with nats_server() as broker:
        out, into = Stream(here, published_to(broker.url), SHOP), Stream(there, taken_from(broker.url), SHOP)
        with carried(out, into):
            for round in range(3):
                inbox.keep(here, [delivery(n) for n in range(20 * round, 20 * round + 20)], wall())
                until(lambda reached=20 * round + 20: inbox.figures(there).waiting >= reached)
                broker.kill()
                time.sleep(0.5)
                broker.start()
            inbox.keep(here, [delivery(99)], wall())
            until(lambda: inbox.figures(there).waiting == 61)
    with Place(there.file).transaction(write=False) as t:
        # Every message was looked at once: the numbers of an inbox go on also for what it knew already.
        assert t.execute("select seq from streamed").fetchall() == [(61,)]


def test_a_thread_that_takes_from_a_broker_that_has_gone_ends_when_it_is_told_to(tmp_path):
    stop, there = threading.Event(), opened(tmp_path)
    with nats_server() as broker:
        into = Stream(there, taken_from(broker.url), SHOP)
        thread = threading.Thread(target=into.carry, args=(stop,), daemon=True)
        thread.start()
        time.sleep(1)
        broker.kill()
        time.sleep(1)
        stop.set()
        thread.join(15)
        assert not thread.is_alive()


def test_how_far_was_published_stands_beside_the_metafields_that_were(tmp_path):
    from everloop.connect.shopify.metafields import Metafields

    here = opened(tmp_path)
    Metafields(None, here)
    assert Stream(here, Streams(url="nats://127.0.0.1:1"), SHOP).published() == 0


def test_what_came_while_the_stream_was_down_is_published_once_it_is_back(tmp_path):
    here = opened(tmp_path)
    inbox.keep(here, [delivery(n) for n in range(20)], wall())
    with nats_server() as broker:
        broker.kill()
        out = Stream(here, published_to(broker.url), SHOP)
        with carried(out):
            time.sleep(1)
            assert out.published() == 0
            broker.start()
            until(lambda: out.published() == 20)


def test_what_is_older_than_the_inbox_remembers_is_dropped_and_told_but_for_what_was_asked_about_people(tmp_path, caplog):
    there = opened(tmp_path)
    into, old = Stream(there, taken_from("nats://127.0.0.1:1"), SHOP), LATELY - timedelta(days=8)
    came = [delivery(1), delivery(2, at=old), delivery(3, "customers/redact", old)]
    into._keep([Message(one.body, headers(one), one.id, "deliveries@2026", n) for n, one in enumerate(came, start=1)])
    assert [one.delivery.id for one in inbox.waiting(there, wall())] == ["w-1", "w-3"]
    assert "1 deliveries of the stream shopify are over 7 days old and are dropped" in caplog.text
    assert into._reached() == {"from deliveries@2026": 3}
