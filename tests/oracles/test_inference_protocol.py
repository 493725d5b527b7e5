"""MLServer itself: one client of the Open Inference Protocol, which does not know whom it asks, asks both of us the same."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from bench.peers import apart, environment
from tests.oracles.inference_client import asked, by_its_own_word
from tests.oracles.test_feast import served
from tests.ring.test_doors import some_requests


@contextmanager
def mlserver():
    """MLServer with one model of that name, answering on this machine."""
    ports = [free() for _ in range(3)]
    command = [environment("mlserver"), Path(__file__).with_name("in_mlserver.py"), *map(str, ports)]
    process = subprocess.Popen(command, env=apart(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    url, until = f"http://127.0.0.1:{ports[0]}", time.monotonic() + 60
    try:
        while not up(f"{url}/v2/models/demand/ready"):
            assert process.poll() is None, process.stdout.read()[-3000:]
            assert time.monotonic() < until
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=20)


def up(url):
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def free():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_client_asks_this_house(opened, doors):
    house, model = opened("shop")
    units = [one["product_id"] for one in some_requests(house, model, 5)]
    with served(house, doors) as (url, _):
        version = httpx.get(f"{url}/v2/models/demand").json()["versions"][0]
        said = asked(url, "demand", "product_id", units, version)
    assert {"name": "product_id", "datatype": "BYTES", "shape": [-1, 1]} in said["inputs"]
    assert said["version"] == version


@pytest.mark.slow
def test_the_same_client_asks_mlserver():
    with mlserver() as url:
        said = asked(url, "demand", "product_id", ["p1", "p22"], "3")
    assert said["inputs"] == [{"name": "product_id", "datatype": "BYTES", "shape": [-1, 1]}]
    assert said["version"] == "3"


def test_the_client_asks_this_house_with_whatever_it_says_it_takes(opened, doors):
    house, _ = opened("fraud")
    with served(house, doors) as (url, _):
        said = by_its_own_word(url, "fraud", 7)
    assert {"BYTES", "BOOL"} < set(said.values()), said


@pytest.mark.slow
def test_the_same_client_asks_mlserver_with_whatever_it_says_it_takes():
    with mlserver() as url:
        assert by_its_own_word(url, "fraud", 7) == {"payment_id": "BYTES", "card_id": "BYTES", "amount": "INT64", "online": "BOOL"}
