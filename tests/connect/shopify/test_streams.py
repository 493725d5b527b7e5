"""What comes into one door's inbox goes by a stream into another's, by a real nats-server: once each, also
what came while it was down."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest
from tests.connect.shopify.forged import SHOP

from everloop.clock import instant, wall
from everloop.connect.shopify import inbox
from everloop.connect.shopify.beside import Beside
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.place import Place
from everloop.settings import Streams

pytest.importorskip("faststream", reason="pip install 'everloop[streams]'")
NATS = shutil.which("nats-server")
pytestmark = [
    pytest.mark.skipif(NATS is None, reason="nats-server is not installed: apt-get install nats-server"),
    pytest.mark.filterwarnings("ignore"),
]


@contextmanager
def nats(folder, port):
    assert NATS is not None
    server = subprocess.Popen([NATS, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(folder)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port))
        yield
    finally:
        server.terminate()
        server.wait(10)


def listens(port):
    with socket.socket() as one:
        return not one.connect_ex(("127.0.0.1", port))


def until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def delivery(n):
    return Delivery(f"w-{n}", "orders/create", SHOP, instant("2026-11-02T09:30:01.250Z"), "2026-10", b'{"id":%d}' % n, f"e-{n}")


def opened(folder):
    place = Place(folder / "shopify.db")
    inbox.open_inbox(place)
    return place


def test_deliveries_go_through_a_stream_and_arrive_once_each_as_they_were(tmp_path):
    from everloop.connect.shopify.streams import Stream

    port = free_port()
    here, there = opened(tmp_path / "here"), opened(tmp_path / "there")
    inbox.keep(here, [delivery(n) for n in range(20)], wall())
    out = Stream(here, Streams(url=f"nats://127.0.0.1:{port}"), SHOP)
    into = Stream(there, Streams(url=f"nats://127.0.0.1:{port}", publish=False, consume=True), SHOP)
    with nats(tmp_path / "js", port):
        threads = [Beside("out", out.carry), Beside("into", into.carry)]
        for one in threads:
            one.start()
        inbox.keep(here, [delivery(n) for n in range(20, 40)], wall())
        until(lambda: out.published() == 40 and inbox.figures(there).waiting == 40)
        for one in threads:
            one.stop()
    assert {one.delivery for one in inbox.waiting(there, wall())} == {delivery(n) for n in range(40)}


def test_how_far_was_published_stands_beside_the_metafields_that_were(tmp_path):
    from everloop.connect.shopify.metafields import Metafields
    from everloop.connect.shopify.streams import Stream

    here = opened(tmp_path)
    Metafields(None, here)
    assert Stream(here, Streams(url="nats://127.0.0.1:1"), SHOP).published() == 0


def test_what_came_while_the_stream_was_down_is_published_once_it_is_back(tmp_path):
    from everloop.connect.shopify.streams import Stream

    port, here = free_port(), opened(tmp_path)
    inbox.keep(here, [delivery(n) for n in range(20)], wall())
    out = Stream(here, Streams(url=f"nats://127.0.0.1:{port}"), SHOP)
    thread = Beside("out", out.carry)
    thread.start()
    time.sleep(1)
    assert out.published() == 0
    with nats(tmp_path / "js", port):
        until(lambda: out.published() == 20)
        thread.stop()
