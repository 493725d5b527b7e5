"""One transaction for everything that belongs together; several processes on one house."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from everloop.errors import HouseBusy, Overtaken
from everloop.records import Alert
from everloop.registry.journal import Journal
from everloop.registry.outbox import Outbox
from everloop.registry.store import open_store
from everloop.registry.traffic import Pointers
from everloop.testing.registry import MONDAY, traffic


def keep(store, generation, champion="v0"):
    """What the loop does when it moves a pointer: record, pointer and alert in one commit."""
    moved = traffic(generation, champion=champion)
    with store.transaction() as t:
        Journal(store).append(t, moved)
        Outbox(store).put(t, Alert(model="demand", severity="info", sentence=f"{champion} answers", key=moved.id), at=MONDAY)
        Pointers(store).move(t, moved, expected_generation=generation - 1)


def test_record_pointer_and_alert_are_one_commit(store):
    keep(store, 1)
    before = Journal(store).head()
    with pytest.raises(Overtaken):
        keep(store, 1, champion="late")
    assert Journal(store).head() == before
    assert [kept.alert.sentence for kept in Outbox(store).waiting()] == ["v0 answers"]
    assert Pointers(store).current("demand").champion == "v0"


def test_readers_do_not_wait_for_a_writer(store, tmp_path):
    keep(store, 1)
    other = open_store(f"sqlite:///{tmp_path / 'house.db'}", busy_seconds=0.1)
    with store.transaction() as t:
        Pointers(store).move(t, traffic(2), expected_generation=1)
        assert Pointers(other).current("demand").generation == 1
    assert Pointers(other).current("demand").generation == 2
    other.close()


def test_a_writer_that_waits_too_long_says_who_to_look_for(store, tmp_path):
    other = open_store(f"sqlite:///{tmp_path / 'house.db'}", busy_seconds=0.1)
    with store.transaction(), pytest.raises(HouseBusy, match="Another process"), other.transaction():
        pass
    with other.transaction():
        pass
    other.close()


PRELUDE = """
import sys, json
from datetime import timedelta
from everloop.errors import Overtaken
from everloop.registry.journal import Journal
from everloop.registry.store import open_store
from everloop.registry.traffic import Pointers
from everloop.testing.registry import MONDAY, decision, traffic
url, me = sys.argv[1:]
"""


def process(folder, script, me):
    """Another process on the house in this folder."""
    code = PRELUDE + textwrap.dedent(script)
    command = [sys.executable, "-c", code, f"sqlite:///{folder / 'house.db'}", me]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_two_processes_on_one_house_promote_once(tmp_path):
    script = """
        store = open_store(url)
        print("ready", flush=True)
        sys.stdin.readline()
        won = []
        for generation in range(1, 31):
            try:
                with store.transaction() as t:
                    moved = traffic(generation, champion=me)
                    Journal(store).append(t, moved, back=timedelta.max)
                    Pointers(store).move(t, moved, expected_generation=generation - 1)
                    won.append(generation)
            except Overtaken:
                won = [g for g in won if g != generation]
        print(json.dumps(won), flush=True)
        """
    both = [process(tmp_path, script, me) for me in ("one", "two")]
    for child in both:  # both have opened (and one of them made) the house before either begins
        assert child.stdout.readline() == "ready\n"
    for child in both:
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [child.communicate(timeout=60)[0] for child in both]
    won = [json.loads(answer) for answer in answers]
    assert sorted(won[0] + won[1]) == list(range(1, 31)), "a generation was won twice, or by nobody"
    store = open_store(f"sqlite:///{tmp_path / 'house.db'}")
    assert Journal(store).verify().seq == 30
    assert Pointers(store).current("demand").generation == 30
    assert [e.record.generation for e in Journal(store).read(kind="Traffic")] == list(range(1, 31))
    store.close()


def test_a_process_that_is_killed_leaves_whole_transactions(tmp_path):
    script = """
        store = open_store(url)
        for number in range(100_000):
            with store.transaction() as t:
                for part in range(5):
                    Journal(store).append(t, decision(number, id=f"{number}-{part}"))
            print(number, flush=True)
        """
    child = process(tmp_path, script, "me")
    acknowledged = [int(child.stdout.readline()) for _ in range(20)]
    os.kill(child.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in child.communicate()[0].split()]
    store = open_store(f"sqlite:///{tmp_path / 'house.db'}")
    head = Journal(store).verify()
    assert head.seq % 5 == 0
    assert head.seq // 5 >= len(acknowledged), "an acknowledged record was lost"
    store.close()
