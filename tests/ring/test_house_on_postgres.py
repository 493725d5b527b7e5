"""A whole house on Postgres, served by real processes: a server that goes away, somebody who is forgotten, changes that are heard."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from everloop.clock import wall
from everloop.lake.receive import receive
from everloop.lake.snapshot import read_source
from everloop.loop.adopt import adopt
from everloop.loop.arrivals import ingest_files
from everloop.loop.control.changes import Changes
from everloop.loop.forget import forget
from everloop.loop.forget.everybody import empty
from everloop.loop.forget.looked import found_in
from everloop.loop.house import open_house
from everloop.loop.serve.routes import write_routes
from everloop.loop.start import start_project
from everloop.registry.leases import Leases
from everloop.registry.store import open_store
from everloop.serving.segment import segments
from everloop.testing.postgres_server import postgres_server
from tests.ring.conftest import END
from tests.ring.test_serving import asked, move, served, with_two_versions
from tests.waiting import until

__all__ = ["served"]
RARE = "marker-7f3a91c2"


@pytest.fixture
def server():
    with postgres_server() as server:
        yield server


@pytest.fixture
def on_postgres(tmp_path, server):
    """Open a house of a tiny project whose decisions and events are on Postgres, with its history in it: the house and its one model."""
    made = []

    def house(kind):
        path = tmp_path / kind
        start_project(kind, path, end=END)
        settings = path / "everloop.toml"
        where = f'registry = "{server.url}"\nevents = "{server.url}"\n'
        settings.write_text(where + settings.read_text() + "\n[training]\nchild = false\n")
        made.append(open_house(path / "project.py"))
        ingest_files(made[-1], None, [], now=END)
        return made[-1], next(iter(made[-1].project.models.values()))

    yield house
    for one in made:
        one.store.close()
        one.lake.log.close()


@pytest.mark.slow
def test_a_house_whose_postgres_goes_away_says_so_and_loses_nothing(on_postgres, server, served):
    house, model = on_postgres("shop")
    adopt(house, model, wall())
    write_routes(house)
    lines = house.project.sources["orders"]
    before = house.lake.log.counters("orders").last_seq
    running = served(house, "run")
    said, number, stopped, refused = [], 0, False, 0
    with running.client() as client:
        ends = time.monotonic() + 240
        while number < 250:
            assert time.monotonic() < ends, f"it never came back after {number} rows: {said[-1:]}"
            if number == 100 and not stopped:
                server.kill()
                stopped = True
            row = {"line_id": f"new-{number}", "ordered_at": wall().isoformat(), "product_id": "p01", "quantity": 1, "price": 100}
            reply = client.post("/v1/events/orders", json=row)
            if reply.status_code == 200:
                number += 1
                continue
            assert reply.status_code == 503, reply.text
            said.append(reply.text)
            refused += 1
            if refused == 20:
                server.start()
            time.sleep(0.05)
        answered = client.post("/v1/models/demand/predict", json={"product_id": "p01"})
        assert answered.status_code == 200, answered.text
        turned = client.post("/v1/turn", json={"model": "demand"})
        assert turned.status_code == 200, turned.text
    assert said
    assert all("The database of this house does not answer" in one and "Try again" in one for one in said), said[0]
    house = open_house(house.project.path)
    assert house.lake.log.counters("orders").last_seq == before + number
    rows = read_source(house.lake, lines)
    new = [id for id in rows.column("id").to_pylist() if id.startswith("new-")]
    assert new == [f"new-{n}" for n in range(number)]
    assert house.journal.verify().seq > 0
    house.store.close()


@pytest.mark.slow
def test_who_is_forgotten_is_nowhere_in_the_servers_tables(on_postgres, server):
    house, model = on_postgres("churn")
    orders = house.project.sources["orders"]
    receive(house.lake, orders, [{"order_id": f"o-{RARE}", "ordered_at": END, "customer_id": RARE, "amount": 900}], now=END)
    with house.store.transaction() as t:
        house.facts.put(t, model.name, "seen", END, {"unit": RARE})
    assert held(server, house, RARE)
    done = forget(house, "customer_id", RARE, by="Kim", reason="she asked", now=END + timedelta(hours=1))
    assert dict(done.rows) == {"events/orders": 1}
    assert held(server, house, RARE) == []
    assert list(found_in(house.settings.house, RARE)) == []
    assert any("write-ahead log of the Postgres server" in one for one in done.left)
    # And everybody: the tables are there, and there is nothing in them.
    empty(house, by="Kim", reason="the shop closes", now=END + timedelta(hours=2))
    assert house.lake.log.counters("orders").last_seq == 0
    assert read_source(house.lake, orders).num_rows == 0


def held(server, house, word):
    """The files of the server that hold a word, when all of it is on the disk; its write-ahead log left out."""
    with house.lake.log.connected() as connection:
        connection.execute("CHECKPOINT")
    return [path for path in (server.folder / "data" / "base").rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def test_changes_are_heard_and_not_asked_for(server):
    store, other = open_store(server.url), open_store(server.url)
    changes = Changes(store)
    assert changes.seen()
    assert not changes.seen()
    with other.transaction() as t:
        Leases(other).seize(t, "one", "somebody", seen=None, now=END, lasts=timedelta(seconds=1))
        assert not changes.seen()
    until(changes.seen, 5)
    assert not changes.seen()
    with other.reading():
        pass
    time.sleep(0.05)
    assert not changes.seen(), "who only reads changes nothing"
    server.kill()
    until(changes.seen, 5)
    server.start()
    until(changes.seen, 5)
    until(lambda: changes.listening is not None, 5)
    until(lambda: not changes.seen(), 5)
    with other.transaction() as t:
        Leases(other).seize(t, "two", "somebody", seen=None, now=END, lasts=timedelta(seconds=1))
    until(changes.seen, 5)
    changes.close()
    for one in (store, other):
        one.close()


def test_changes_of_a_file_are_seen_once(tmp_path):
    store, other = (open_store(f"sqlite:///{tmp_path / 'house.db'}") for _ in range(2))
    changes = Changes(store)
    assert changes.seen()
    assert not changes.seen()
    with other.transaction() as t:
        Leases(other).seize(t, "one", "somebody", seen=None, now=END, lasts=timedelta(seconds=1))
    assert changes.seen()
    assert not changes.seen()
    changes.close()
    for one in (store, other):
        one.close()


@pytest.mark.slow
def test_a_machine_that_only_answers_hears_who_answers_now_and_leaves_nothing_that_it_answered_in_its_folder(on_postgres, served, tmp_path):
    house, model = on_postgres("shop")
    _, second = with_two_versions(house, model)
    write_routes(house)
    project, given = house.project.path, []

    def answered(client):
        given.append(asked(client, "p01"))
        return given[-1]["version"]

    up = served(house, "serve")
    with up.client() as client:
        before = answered(client)
        elsewhere = open_house(project, settings=replace(house.settings, house=tmp_path / "elsewhere"))
        move(elsewhere, model, second.id, END + timedelta(hours=1))
        elsewhere.store.close()
        elsewhere.lake.log.close()
        until(lambda: answered(client) != before)
    up.end()
    assert up.process.returncode == 0
    house = open_house(project)
    sealed = house.lake.tables.read("answers").column("id").to_pylist()
    assert {answer["id"] for answer in given} <= set(sealed)
    assert list(segments(house.settings.answers)) == [], "the folder may go"
    house.store.close()
