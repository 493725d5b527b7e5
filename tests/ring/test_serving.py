"""A house served by real processes over HTTP: what was acknowledged is there exactly once, and who is killed takes nobody with them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise

import httpx
import pytest

from everloop.clock import wall
from everloop.lake.snapshot import read_source
from everloop.loop.adopt import adopt
from everloop.loop.answers import answer_one, answers_of
from everloop.loop.serve.routes import workers, write_routes
from everloop.rollout import begin
from tests.ring.conftest import END
from tests.waiting import until

JSON = {"content-type": "application/json"}


class Served:
    """``everloop serve`` (or run) of one house, in processes of its own."""

    def __init__(self, folder, *words):
        self.folder = folder
        self.said = (folder / "said").open("w")
        command = [sys.executable, "-m", "everloop", *(words or ("serve",)), "--project", str(folder), "--port", "0", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.said)
        line = self.process.stdout.readline()
        assert line, (folder / "said").read_text()
        self.url = json.loads(line)["url"]

    def client(self):
        return httpx.Client(base_url=self.url, timeout=60, headers=JSON)

    def pids(self):
        return json.loads((self.folder / ".everloop" / "serving.json").read_text())["workers"]

    def end(self):
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.said.close()


@pytest.fixture
def served(opened):
    made = []

    def serve(house, *words):
        house.store.close()
        made.append(Served(house.project.path.parent, *words))
        return made[-1]

    yield serve
    for one in made:
        one.end()


def asked(client, product):
    """An answer about a product. Where this machine is so busy that its disk seems to stall, the house says so, and is asked again."""
    for _ in range(20):
        reply = client.post("/v1/models/demand/predict", json={"product_id": product})
        if reply.status_code != 503:
            break
        time.sleep(0.5)
    assert reply.status_code == 200, reply.text
    return reply.json()


def with_two_versions(house, model):
    """A second version, of the same baseline under another name, beside the first; it answers everybody, and undo goes back."""
    from dataclasses import replace

    from everloop.loop.keep import keep_record
    from everloop.records import Version

    adopt(house, model, END)
    first = house.traffic(model)
    candidate = replace(house.champion(first), id="again", definition="again")
    version = Version(id="second", made_at=END, made_from=("again",), model=model.name, number=0, candidate="again")
    with house.store.transaction() as t:
        house.journal.append(t, candidate)
        version = keep_record(house, t, version, model=model, turn=None, verb="admit")
    return first, version


def move(house, model, version, at):
    """The version answers everybody, by a generation of its own; returns the traffic now in force."""
    from everloop.loop.keep import keep_record
    from everloop.rollout import step

    moved = begin(house.traffic(model), version, [], now=at, id=f"{at.timestamp()}b")
    with house.store.transaction() as t:
        keep_record(house, t, moved, model=model, turn=None, verb="begin")
    steady = step(moved, [], now=at, id=f"{at.timestamp()}s")
    with house.store.transaction() as t:
        keep_record(house, t, steady, model=model, turn=None, verb="advance")
    return steady


def test_a_fresh_house_is_served_at_once_and_answers_as_it_would_itself(opened, served):
    house, model = opened("shop")
    product = house.tables(model)["orders"]["product_id"][0].as_py()
    up = served(house, "serve", "--workers", "2")
    with up.client() as client:
        assert client.get("/health/ready").json()["ready"]
        given = asked(client, product)
        assert given["version"] == "demand@0"
        due = answer_one(house, model, [product], datetime.fromisoformat(given["moment"]))
        assert (given["value"], given["id"]) == (due.value, due.id)
        assert client.post("/v1/models/demand/predict", json={"product_id": "nobody"}).status_code == 404
        assert client.get("/metrics").status_code == 200
    assert len(workers(house.settings.house)) == 2
    up.end()
    assert workers(house.settings.house) == {}
    assert up.process.returncode == 0


def test_an_event_is_seen_by_the_next_read_of_any_worker(opened, served):
    house, model = opened("shop")
    product = house.tables(model)["orders"]["product_id"][0].as_py()
    up = served(house, "serve", "--workers", "2")
    values = []
    for number in range(12):
        # A connection of its own each time, so that either worker may get it.
        with up.client() as client:
            row = {"line_id": f"new{number}", "ordered_at": wall().isoformat(), "product_id": product, "quantity": 1000, "price": 5}
            kept = client.post("/v1/events/orders", json=row)
            assert kept.json()["kept"] == 1, kept.text
        with up.client() as client:
            values.append(asked(client, product)["value"])
    assert [later - value for value, later in pairwise(values)] == [1000.0] * 11


def load(up, product, stop, answered, kept, failed):
    """One caller who asks and tells until stopped; connections that broke are counted apart from replies that say no."""
    number = 0
    while not stop.is_set():
        try:
            with up.client() as client:
                while not stop.is_set():
                    number += 1
                    reply = client.post("/v1/models/demand/predict", json={"product_id": product})
                    (answered if reply.status_code == 200 else failed).append(reply.json().get("id") or reply.text)
                    line = f"{threading.current_thread().name}-{number}"
                    row = {"line_id": line, "ordered_at": wall().isoformat(), "product_id": product, "quantity": 1, "price": 5}
                    reply = client.post("/v1/events/orders", json=row)
                    (kept if reply.status_code == 200 else failed).append(line if reply.status_code == 200 else reply.text)
        except httpx.TransportError:
            continue  # the worker at the other end was killed: nothing was acknowledged


def kill_under_load(up, house, model, kills):
    product = house.tables(model)["orders"]["product_id"][0].as_py()
    stop, answered, kept, failed = threading.Event(), [], [], []
    threads = [threading.Thread(target=load, args=(up, product, stop, answered, kept, failed), name=f"caller{n}") for n in range(4)]
    for thread in threads:
        thread.start()
    for kill in range(kills):
        count = len(answered) + len(kept)
        until(lambda count=count: len(answered) + len(kept) >= count + 20)
        pids = until(lambda: (p := up.pids()) and None not in p and p)
        with suppress(ProcessLookupError):
            os.kill(pids[kill % len(pids)], signal.SIGKILL)
        until(lambda pids=pids: up.pids() != pids and None not in up.pids())
    stop.set()
    for thread in threads:
        thread.join()
    up.end()
    ids = answers_of(house, model).column("id").to_pylist()
    lines = read_source(house.lake, house.project.sources["orders"]).column("line_id").to_pylist()
    assert not failed
    assert set(answered) <= set(ids)
    assert len(ids) == len(set(ids))
    assert set(kept) <= set(lines)
    assert len(lines) == len(set(lines))
    return len(answered), len(kept)


def test_a_worker_that_is_killed_loses_nothing_it_acknowledged(opened, served):
    house, model = opened("shop")
    answered, kept = kill_under_load(served(house, "serve", "--workers", "2"), house, model, 3)
    assert answered + kept >= 3 * 20


@pytest.mark.slow
def test_twenty_kills_lose_nothing(opened, served):
    """A hundred are killed in the bench."""
    house, model = opened("shop")
    answered, kept = kill_under_load(served(house, "serve", "--workers", "2"), house, model, 20)
    assert answered + kept >= 20 * 20


def swap_under_load(up, house, model, first, second, swaps):
    """Move the traffic to and fro under load: every reply is one of the two versions, and never the old one once all confirmed."""
    product = house.tables(model)["orders"]["product_id"][0].as_py()
    stop, wrong, given, shed = threading.Event(), [], [], []

    def ask():
        with up.client() as client:
            while not stop.is_set():
                before = in_force[0]
                reply = client.post("/v1/models/demand/predict", json={"product_id": product})
                if reply.status_code == 503:
                    shed.append(reply.text)
                    continue
                given.append(reply.status_code)
                said = reply.json().get("version")
                if reply.status_code != 200 or said not in names or (before == in_force[0] and before is not None and said != before):
                    wrong.append((reply.status_code, reply.text, before))

    names, in_force = {"demand@0", second.name}, [None]
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    took = []
    for swap in range(swaps):
        in_force[0] = None
        version = second if swap % 2 == 0 else first
        began = time.monotonic()
        moved = move(house, model, version.id, END + timedelta(minutes=swap + 1))
        write_routes(house)
        until(
            lambda moved=moved: all(
                w and w.generations.get("demand", 0) >= moved.generation for w in workers(house.settings.house).values()
            )
        )
        took.append(time.monotonic() - began)
        in_force[0] = version.name
        count = len(given)
        until(lambda count=count: len(given) >= count + 6)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    print(f"{len(shed)} of {len(given) + len(shed)} replies were 503")
    return sorted(took), len(given)


def test_swaps_under_load_fail_no_request_and_never_go_back(opened, served):
    house, model = opened("shop")
    traffic, second = with_two_versions(house, model)
    up = served(house, "serve", "--workers", "2")
    took, given = swap_under_load(up, house, model, house.version(traffic.champion), second, 8)
    assert (len(took), given >= 8 * 6) == (8, True)


@pytest.mark.slow
def test_two_hundred_swaps_under_load(opened, served):
    house, model = opened("shop")
    traffic, second = with_two_versions(house, model)
    up = served(house, "serve", "--workers", "2")
    took, given = swap_under_load(up, house, model, house.version(traffic.champion), second, 200)
    assert (len(took), given >= 200 * 6) == (200, True)
    print(f"{given} requests, swap p50 {took[100] * 1000:.0f} ms, p99 {took[197] * 1000:.0f} ms")


def test_undo_from_another_shell_is_confirmed_by_every_worker(opened, served):
    house, model = opened("shop")
    _, second = with_two_versions(house, model)
    move(house, model, second.id, END + timedelta(minutes=1))
    up = served(house, "serve", "--workers", "2")
    product = house.tables(model)["orders"]["product_id"][0].as_py()
    with up.client() as client:
        assert asked(client, product)["version"] == second.name
        command = [
            sys.executable,
            "-m",
            "everloop",
            "undo",
            "demand",
            "--by",
            "Kim",
            "--reason",
            "no good",
            "--project",
            str(up.folder),
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        print(said)
        assert "Both workers answer by it after" in said
        for _ in range(6):
            with up.client() as other:
                assert asked(other, product)["version"] == "demand@0"
