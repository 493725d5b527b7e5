"""Processes keep every promise of an executor, also to a learner that takes its process with it, and leave none behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from everloop.errors import LearnerFailed
from everloop.testing.executor import DyingSuite, ExecutorSuite
from everloop.training.executor import doing, here, map_in_batches
from everloop.training.processes import Processes
from everloop.training.sent import done, outcome_of, packed, work_of
from everloop.training.usage import Usage


@pytest.fixture(scope="module")
def processes():
    made = Processes(2)
    yield made
    made.end()


class TestProcesses(ExecutorSuite, DyingSuite):
    @pytest.fixture(autouse=True)
    def _made(self, processes):
        self.made = processes

    def executor(self):
        return self.made


def test_an_item_that_fails_ends_what_comes_after_it_and_nothing_before(processes, tmp_path):
    with pytest.raises(ValueError, match="not 2"):
        processes.map(_noted_and_refused, [(str(tmp_path), item) for item in range(200)])
    begun = {int(path.name) for path in tmp_path.iterdir()}
    assert {0, 1, 2} <= begun
    assert len(begun) < 50


def _noted_and_refused(given):
    folder, item = given
    (Path(folder) / str(item)).touch()
    if item >= 2:
        raise ValueError(f"not {item}")
    return item


def test_what_each_item_took_is_told_and_the_first_word_is_said_once_in_each_process(tmp_path):
    spent: list[Usage] = []
    made = Processes(2, first=Noted(str(tmp_path)), spent=spent.append)
    try:
        made.map(busy, range(6))
        made.map(busy, range(6))
    finally:
        made.end()
    assert len(spent) == 12
    assert sum(usage.cpu_seconds for usage in spent) > 12 * 0.02
    assert 1 <= len(list(tmp_path.iterdir())) <= 2


class Noted:
    def __init__(self, folder):
        self.folder = folder

    def __call__(self):
        path = Path(self.folder) / str(os.getpid())
        assert not path.exists()
        path.touch()


def busy(_item):
    until = time.process_time() + 0.03
    while time.process_time() < until:
        pass


def test_work_that_must_end_ends_its_processes(processes):
    asked = []

    def still():
        asked.append(1)
        if len(asked) > 20:
            raise LearnerFailed("told to end")

    made = Processes(1, still=still)
    with pytest.raises(LearnerFailed, match="told to end"):
        made.map(sleeps, [60])
    assert made._pools == []


def sleeps(seconds):
    time.sleep(seconds)


def test_what_cannot_travel_is_told_with_a_cure(processes):
    with pytest.raises(LearnerFailed, match=r"cannot be sent to another process: .* put the learner in a module"):
        processes.map(_locked(), [1])
    with pytest.raises(LearnerFailed, match=r"What made_lock made cannot be sent"):
        processes.map(made_lock, [1])


def _locked():
    import threading

    held = threading.Lock()
    return lambda item: held and item


def made_lock(_item):
    import threading

    return threading.Lock()


def test_batches_give_what_items_one_by_one_give(processes):
    assert map_in_batches(processes, abs, [3, -4, 5, -6, 7], 2) == [3, 4, 5, 6, 7]


def test_who_asks_for_the_executor_of_the_work_under_way_gets_it(processes):
    assert type(here()).__name__ == "Serial"
    with doing(processes):
        assert here() is processes
    assert type(here()).__name__ == "Serial"


def test_no_process_outlives_the_one_that_began_it():
    code = (
        "import os, signal, sys, threading, time\n"
        "from everloop.training.processes import Processes\n"
        "made = Processes(2)\n"
        "print(*made.map(abs, [1, 2]), flush=True)\n"
        "print(*made.pool()._processes, flush=True)\n"
        "threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGKILL]).start()\n"
        "made.map(time.sleep, [60, 60])\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    children = [int(pid) for pid in ran.stdout.splitlines()[1].split()]
    assert len(children) == 2
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in children if psutil.pid_exists(pid)], timeout=10)
    assert alive == []


def test_a_machine_with_another_release_refuses_the_work():
    sent = replace(work_of(abs), release="0.0.1")
    with pytest.raises(LearnerFailed, match=r"abs was sent by Everloop 0\.0\.1 to a machine that has .* Install the same there"):
        raise outcome_of(done(sent, packed(-1, "it"))).error
