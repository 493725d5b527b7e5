"""A controller that is killed, wherever it was: the next one finishes its turn, one promotion or none, and no orphan publishes anything."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from everloop.loop.control.errands import CONTROLLER, ask
from everloop.loop.house import open_house
from everloop.registry.errands import Errands
from everloop.registry.leases import Leases
from tests.ring.conftest import END
from tests.ring.test_cancel import slow
from tests.ring.test_controller import HOUR
from tests.waiting import until

LONG = 180  # seconds, on a machine that has other things to do
CONTROLLER_PROCESS = """
import signal, sys, threading
from everloop.loop.control.controller import control
from everloop.loop.house import open_house, with_pause

def say(moment):
    print(moment, flush=True)

if __name__ == "__main__":
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    control(with_pause(open_house(sys.argv[1], turned=True), say), stop=stop, told=lambda line: print("told:", line, flush=True))
    print("stopped", flush=True)
"""


@pytest.fixture
def controllers(tmp_path):
    """Start a controller of a house in a process of its own; none is left behind."""
    script = tmp_path / "controller_process.py"
    script.write_text(CONTROLLER_PROCESS)
    started = []

    def start(house):
        process = subprocess.Popen([sys.executable, str(script), str(house.project.path)], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def with_children(house):
    settings = house.project.path.with_name("everloop.toml")
    settings.write_text(settings.read_text().replace("child = false", "child = true"))
    house.store.close()
    return open_house(house.project.path, turned=True)


def heard(process):
    """What it has said since one last looked."""
    os.set_blocking(process.stdout.fileno(), False)
    return (os.read(process.stdout.fileno(), 65536) or b"").decode() if select.select([process.stdout], [], [], 0)[0] else ""


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def holder(house):
    """The process that turns the house, or did last."""
    there = Leases(house.store).there(CONTROLLER)
    return int(there.holder.split(":")[1]) if there and there.holder else None


def check(house, model, errands):
    house.journal.verify()
    versions = [e.record for e in house.journal.read(kind="Version") if e.record.number > 0]
    assert len(versions) <= 1
    ids = [e.record.id for e in house.journal.read()]
    assert len(ids) == len(set(ids))
    found = [Errands(house.store).find(errand.id) for errand in errands]
    assert [e.state for e in found] == ["done"] * len(errands), [e.said for e in found]
    assert house.turns.opened(model.name) is None
    return len(versions)


@pytest.mark.slow
def test_a_controller_killed_again_and_again_promotes_once(opened, controllers):
    house, kills = with_children(opened("shop")[0]), 8
    model = house.project.model("demand")
    draw = random.Random(kills)
    days, done = 0, 0
    while done < kills:
        errands = [ask(house, verb, model.name, END + days * 24 * HOUR) for verb in ("turn", "score")]
        days += 1
        for _ in range(min(2, kills - done)):
            process, lines, last = controllers(house), 0, draw.randint(1, 30)
            while lines < last and not all(Errands(house.store).find(e.id).ended for e in errands):
                lines += heard(process).count("\n")
                time.sleep(0.002)
            time.sleep(draw.choice([0.0, 0.003, 0.03, 0.3]))
            kill(process)
            done += 1
        whole = controllers(house)
        until(lambda pid=whole.pid: holder(house) == pid, LONG)
        for errand in errands:
            until(lambda id=errand.id: Errands(house.store).find(id).ended, LONG)
        whole.terminate()
        assert whole.wait(LONG) == 0
        check(house, model, errands)
    assert check(house, model, []) == 1


def test_after_a_kill_the_next_controller_begins_at_once_and_finishes_what_was_taken(opened, controllers):
    house, model = opened("shop")
    house.store.close()
    house = open_house(house.project.path, turned=True)
    errand = ask(house, "turn", model.name, END)
    first = controllers(house)
    for line in first.stdout:
        if line.startswith("kept train"):
            break
    kill(first)
    dead = Leases(house.store).there(CONTROLLER)
    assert holder(house) == first.pid
    second = controllers(house)
    until(lambda: Errands(house.store).find(errand.id).ended, LONG)
    assert Leases(house.store).there(CONTROLLER).fence == dead.fence + 1
    assert check(house, model, [errand]) == 1
    assert Errands(house.store).find(errand.id).taken == 2
    trained = [e for e in house.journal.read(kind="Candidate") if e.record.format != "baseline"]
    assert len(trained) == 1
    second.terminate()
    said = second.stdout.read()
    assert "before train" not in said  # what was kept is read back
    assert "sign of life" not in said  # and the lease of the dead one was not waited for
    assert said.endswith("stopped\n")


def test_an_orphaned_trainer_dies_with_its_controller_and_publishes_nothing(opened, controllers):
    house = with_children(opened("shop", slow)[0])
    model = house.project.model("demand")
    training = house.project.path.with_name("training")
    ask(house, "turn", model.name, END)
    process = controllers(house)
    until(training.exists, LONG)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) > 1
    before, blobs = house.journal.head(), sorted(Path(house.settings.blobs).rglob("*"))
    kill(process)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert house.journal.head() == before == house.journal.verify()
    assert sorted(Path(house.settings.blobs).rglob("*")) == blobs
