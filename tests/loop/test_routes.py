"""Routes: a copy of house.db that is whole, never older than what it copies, and healed where it is lost; and who answers by it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from everloop import Model, Source, days, every, rollout
from everloop.errors import HouseBusy, StoreError
from everloop.loop.adopt import adopt
from everloop.loop.house import open_house
from everloop.loop.people import undo
from everloop.loop.project_file import project_of
from everloop.loop.serve import routes as spoken
from everloop.loop.serve.routes import Living, acknowledged, read_routes, spread, told, workers, write_routes
from everloop.settings import read_settings

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ORDERS = Source("orders", id="order_id", time="at", columns={"customer_id": str})
CHURN = Model(
    "churn",
    predicts=ORDERS.none(next=days(28)),
    per="customer_id",
    asked=every(days(7)),
    knows=ORDERS.count(last=days(28)),
    learner=print,
)


@pytest.fixture
def house(tmp_path):
    made = open_house(project_of(CHURN), settings=read_settings(tmp_path, environ={}))
    adopt(made, CHURN, NOW)
    yield made
    made.store.close()


def moved(house, generation, at=NOW):
    """The same traffic, one generation on, as a roll-out that ended would leave it."""
    before = house.traffic(CHURN)
    version = before.champion
    after = rollout.first("churn", version, now=at, id=f"t{generation}", because="moved")
    object.__setattr__(after, "generation", generation)
    object.__setattr__(after, "previous", version)
    with house.store.transaction() as t:
        house.journal.append(t, after, back=timedelta(days=1))
        house.pointers.move(t, after, expected_generation=generation - 1)
    return after


def test_routes_say_what_house_db_says(house):
    written = write_routes(house)
    assert read_routes(house.settings.house / "routes.json") == written
    route = written.models["churn"]
    assert route.traffic == house.traffic(CHURN)
    assert [(named.name, named.candidate.format) for named in route.versions.values()] == [("churn@0", "baseline")]
    assert written.salt == house.salt


def test_what_is_written_already_is_left_as_it_is(house):
    first, file = write_routes(house), house.settings.house / "routes.json"
    before = file.stat()
    assert write_routes(house) == first
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    moved(house, 2)
    assert write_routes(house).number == first.number + 1


def test_who_is_late_never_overwrites_who_is_later(house, monkeypatch):
    """A writer that is held up after reading holds the lock, so the other one reads afterwards. Without the lock the older one wins."""
    compose, reading, go_on = spoken.composed, threading.Event(), threading.Event()

    def slowly(house):
        found = compose(house)
        if threading.current_thread().name == "late":
            reading.set()
            go_on.wait(5)
        return found

    monkeypatch.setattr(spoken, "composed", slowly)
    late = threading.Thread(target=write_routes, args=(house,), name="late")
    late.start()
    reading.wait(5)
    moved(house, 2)
    later = threading.Thread(target=write_routes, args=(house,))
    later.start()
    later.join(0.1)
    go_on.set()
    late.join()
    later.join()
    assert read_routes(house.settings.house / "routes.json").models["churn"].traffic.generation == 2


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"form":2}', b'{"form":1,"number":1}', b"\x00" * 100, b'{"form":1,"number":"x","salt":"","models":{}}']
)
def test_a_file_that_is_no_routes_is_refused_and_written_anew(house, body):
    file = house.settings.house / "routes.json"
    written = write_routes(house)
    file.write_bytes(body)
    with pytest.raises(StoreError, match="holds no routes"):
        read_routes(file)
    assert write_routes(house).models == written.models
    assert read_routes(file).models == written.models


def test_nothing_is_left_behind_where_the_file_cannot_be_written(house, monkeypatch):
    monkeypatch.setattr(spoken.json, "dump", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StoreError, match="No space left"):
        write_routes(house)
    assert not [p for p in house.settings.house.iterdir() if p.name.endswith(".part")]


# -- who answers by it -------------------------------------------------------------------------------------------------------------


def test_a_worker_counts_from_when_it_lives_and_confirms_by_what_it_says(house):
    one, two = Living(house.settings.house, 101), Living(house.settings.house, 102)
    assert acknowledged(house, "churn", 1) == ((), (101, 102))
    one.say(1, {"churn": 1}, {})
    two.say(2, {"churn": 2}, {"v": "it is broken"})
    assert acknowledged(house, "churn", 1) == ((101, 102), (101, 102))
    assert acknowledged(house, "churn", 2) == ((102,), (101, 102))
    assert workers(house.settings.house)[102].failed == {"v": "it is broken"}
    two.close()
    assert acknowledged(house, "churn", 2) == ((), (101,))
    one.close()
    assert list((house.settings.house / "workers").iterdir()) == []


def test_a_process_that_opens_its_doors_twice_is_told_so_and_the_first_go_on(house):
    one = Living(house.settings.house)
    one.say(1, {"churn": 1}, {})
    with pytest.raises(HouseBusy, match=r"already, and one process answers once.*close them"):
        Living(house.settings.house, patience=0.02)
    assert workers(house.settings.house)[one.pid].generations == {"churn": 1}
    one.close()
    Living(house.settings.house, patience=0.02).close()


def test_a_worker_that_was_killed_is_waited_for_by_nobody(house):
    code = (
        "import sys, time; from pathlib import Path; from everloop.loop.serve.routes import Living\n"
        "living = Living(Path(sys.argv[1])); living.say(1, {'churn': 9}, {}); print('lives', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(house.settings.house)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"lives\n"
    assert acknowledged(house, "churn", 9) == ((process.pid,), (process.pid,))
    process.kill()
    process.communicate()
    assert acknowledged(house, "churn", 9) == ((), ())
    assert list((house.settings.house / "workers").iterdir()) == []


def test_spreading_waits_for_the_slowest_and_says_how_long_it_took(house):
    living = Living(house.settings.house, 101)
    threading.Timer(0.1, living.say, (2, {"churn": 1}, {})).start()
    said = spread(house, "churn", 1)
    assert said.startswith("The worker answers by it after ")
    assert 90 <= int(said.split()[-2]) < 2000
    living.close()


def test_spreading_gives_up_on_one_that_says_nothing(house):
    living = Living(house.settings.house, 101)
    began = time.monotonic()
    said = spread(house, "churn", 1, patience=0.05)
    assert said.startswith("0 of 1 workers answer by it")
    assert time.monotonic() - began < 2
    living.close()


def test_where_nobody_serves_nothing_is_said_of_workers(house):
    moved(house, 2)
    assert "worker" not in undo(house, CHURN, by="Kim", reason="no good", now=NOW)
    assert read_routes(house.settings.house / "routes.json").models["churn"].traffic == house.traffic(CHURN)


def test_an_undo_stands_where_the_workers_cannot_be_told(house, monkeypatch):
    moved(house, 2)

    def full(_house):
        raise StoreError("the disk is full.")

    monkeypatch.setattr(spoken, "write_routes", full)
    assert "cannot be told yet: the disk is full" in undo(house, CHURN, by="Kim", reason="no good", now=NOW)
    assert house.traffic(CHURN).generation == 3


def test_the_file_is_for_nobody_else_to_read(house):
    write_routes(house)
    assert (house.settings.house / "routes.json").stat().st_mode & 0o077 == 0
    assert json.loads((house.settings.house / "routes.json").read_bytes())["form"] == 1


def test_sentences_about_many_workers():
    assert told(3, 3, 0.01) == "All 3 workers answer by it after 10 ms."
