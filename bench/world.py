"""The figures of a house between real processes: the demo over HTTP, what kills leave behind, a disk that stalls, undo beside a training,
events by the second, and what an idle worker costs. Every figure is of whole processes on this machine, over loopback."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from bench.goal import Goal, at_least, at_most
from bench.load import load, post
from bench.running import Running, running
from bench.stall import stalled

NOW = datetime(2026, 11, 1, tzinfo=UTC)
WORKER_KILLS, CONTROLLER_KILLS = 100, 30
SLOW = '''

import time

from sklearn.ensemble import HistGradientBoostingRegressor as Trees


class Slow(Trees):
    """Learns as the other does, after a minute."""

    def fit(self, X, y):
        time.sleep(60)
        return super().fit(X, y)


slow = demand.but("slow", learner=Slow())
'''


def measure() -> Iterator[Goal]:
    yield from the_demo()
    with tempfile.TemporaryDirectory() as folder:
        shop = prepared(Path(folder) / "shop")
        yield from idle(shop)
        yield from events(shop)
        yield from undone(shop)
        yield from killed_workers(shop)
        yield from killed_controllers(prepared(Path(folder) / "new", learnt=False))
    yield from stalled()


def prepared(folder: Path, *, learnt: bool = True) -> Path:
    """The tiny shop with its history in; where something was ``learnt``, it is being rolled out."""
    from everloop.loop.arrivals import ingest_files
    from everloop.loop.house import open_house
    from everloop.loop.start import start_project
    from everloop.loop.turn import turn

    start_project("shop", folder, end=NOW)
    house = open_house(folder / "project.py", folder=folder / "house")
    ingest_files(house, None, [], now=NOW)
    if learnt:
        turn(house, house.project.model("demand"), NOW)
    house.store.close()
    return folder


def copied(shop: Path, folder: str) -> Path:
    """A shop of one's own."""
    return Path(shutil.copytree(shop, Path(folder) / "shop"))


# -- the demo ------------------------------------------------------------------------------------------------------------------


def the_demo() -> Iterator[Goal]:
    """The story over HTTP: how long it takes, and whether every decision is the one taken in one process."""
    from everloop.demo.shop import load as the_year
    from everloop.demo.story import PLANTS
    from everloop.demo.year import journalled, play

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "everloop", "demo", "--folder", f"{folder}/demo"], check=True, capture_output=True)
        took = time.perf_counter() - began
        near = Path(folder) / "near"
        near.mkdir()
        play(near, the_year(), PLANTS)
        one, other = journalled(Path(folder) / "demo" / "planted"), journalled(near)
        differing = sum(a != b for a, b in itertools.zip_longest(one, other))
    yield at_most("decisions over HTTP that differ from those in one process", differing, 0, "records", f"of {len(other)} records")
    yield at_most("the demo, over HTTP, its control year beside it", took, 180, "s")


# -- one worker ----------------------------------------------------------------------------------------------------------------


def idle(shop: Path) -> Iterator[Goal]:
    """From nothing to the first answer, and what an idle worker holds."""
    with tempfile.TemporaryDirectory() as folder:
        mine, firsts, sizes, shared = copied(shop, folder), [], [], []
        with running(mine, mine / "house", verb="serve"):
            time.sleep(10)  # what is known of every unit is put together once
        for _ in range(5):
            began = time.perf_counter()
            with running(mine, mine / "house", verb="serve") as house:
                said = house.post("/v1/models/demand/predict", {"product_id": "p01"})
                firsts.append(time.perf_counter() - began)
                said.raise_for_status()
                time.sleep(1)
                [worker] = house.workers()
                sizes.append(worker.memory_info().rss / 2**20)
                shared.append(worker.memory_full_info().pss / 2**20)
    yield at_most("everloop serve to its first answer", statistics.median(firsts), 1.5, "s", f"median of {len(firsts)}")
    yield at_most("an idle worker", max(sizes), 150, "MiB", f"resident; {max(shared):.0f} MiB with shared pages counted in part")
    yield at_most("ten no-op steps of a turn", ten_steps(), 100, "ms", "median of 9, kept and synced")


def ten_steps() -> float:
    """Milliseconds that ten steps which do nothing take, each kept in a transaction of its own."""
    from everloop.loop.house import open_house
    from everloop.loop.keep import Step
    from everloop.records import Snapshot

    def verb(number: int):  # type: ignore[no-untyped-def]
        def step(step: Step) -> Snapshot:
            return Snapshot(id=step.id, made_at=step.now, extents=())

        step.__name__ = f"nothing {number}"
        return step

    with tempfile.TemporaryDirectory() as folder:
        house = open_house(prepared(Path(folder) / "shop") / "project.py", folder=Path(folder) / "shop" / "house")
        took = []
        for day in range(1, 10):
            with house.keeping(house.project.model("demand"), NOW + timedelta(days=day), "bench") as keep:
                began = time.perf_counter()
                for number in range(10):
                    keep(verb(number))
                took.append(1000 * (time.perf_counter() - began))
        house.store.close()
    return statistics.median(took)


def events(shop: Path) -> Iterator[Goal]:
    """One event a request, 32 connections, one worker held to one core, the load on the other; then what is there is counted."""
    with tempfile.TemporaryDirectory() as folder:
        mine = copied(shop, folder)
        with running(mine, mine / "house", verb="serve") as house:
            [worker] = house.workers()
            cores = sorted(os.sched_getaffinity(0))
            worker.cpu_affinity(cores[:1])
            os.sched_setaffinity(0, cores[1:] or cores)
            try:
                spent = worker.cpu_times()
                sent = load(f"{house.url}", lines("e"), connections=32, seconds=15, keep=True)
                used = worker.cpu_times()
            finally:
                os.sched_setaffinity(0, cores)
            cpu = used.user + used.system - spent.user - spent.system
        there = rows_of(mine, "orders")
    kept = [f"e{key}" for key, status, _ in sent.replies if int.from_bytes(status) == 200]
    missing = sum(there[id] != 1 for id in kept)
    rate = len(kept) / sent.took
    p99 = f"p99 {1000 * sent.quantile(0.99):.0f} ms, {1e6 * cpu / max(1, len(kept)):.0f} µs CPU each"
    yield at_least("events, one a request, durability group, one core", rate, 2000, "events/s", p99)
    yield at_most("acknowledged events not there exactly once", missing, 0, "events", f"of {len(kept):,}")


def lines(prefix: str) -> Iterator[tuple[int, bytes]]:
    """Order lines, one a request, for ever."""
    for number in itertools.count():
        row = {"line_id": f"{prefix}{number}", "ordered_at": "2026-10-31T10:00:00Z", "product_id": f"p{number % 9 + 1:02}", "quantity": 1}
        yield number, post("/v1/events/orders", row | {"price": 100})


def rows_of(shop: Path, source: str) -> Counter[str]:
    """How many rows of each id a source has."""
    from everloop.lake.snapshot import read_source
    from everloop.loop.house import open_house

    house = open_house(shop / "project.py", folder=shop / "house")
    found = Counter(read_source(house.lake, house.project.source(source)).column("id").to_pylist())
    house.store.close()
    return found


# -- undo ----------------------------------------------------------------------------------------------------------------------


def undone(shop: Path) -> Iterator[Goal]:
    """``everloop undo`` from a shell while a training runs and 10,000 requests are answered."""
    with tempfile.TemporaryDirectory() as folder:
        mine = copied(shop, folder)
        project = mine / "project.py"
        project.write_text(project.read_text() + SLOW)
        with running(mine, mine / "house", "--workers", "2") as house:
            threading.Thread(target=lambda: house.post("/v1/turn", {"model": "slow", "retrain": True}), daemon=True).start()
            wait_until(lambda: training(house), 60)
            took: list[str] = []

            def undo() -> None:
                time.sleep(1)
                command = [sys.executable, "-m", "everloop", "undo", "demand", "-p", str(mine), "--house", str(mine / "house")]
                took.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

            taking = threading.Thread(target=undo)
            taking.start()
            asked = ((n, post("/v1/models/demand/predict", {"product_id": f"p{n % 9 + 1:02}"})) for n in range(10_000))
            sent = load(house.url, asked, connections=16)
            taking.join()
            still = training(house)
        milliseconds = float(took[0].split(" ms")[0].split()[-1])
    yield at_least("trainings that went on beside the undo", float(still), 1, "trainings")
    yield at_most("undo beside a training, in force in every worker", milliseconds, 300, "ms")
    yield at_most("requests that failed meanwhile", sent.failed + sent.broken, 0, "requests", f"of {sent.count:,}")


def training(house: Running) -> bool:
    """Whether a child of the controller is learning."""
    controller = house.controller()
    return controller is not None and any("forkserver" in " ".join(c.cmdline()) for c in controller.children(recursive=True))


def wait_until(true: object, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        if time.monotonic() > until:
            raise RuntimeError("waited too long")
        time.sleep(0.05)


# -- kills ---------------------------------------------------------------------------------------------------------------------


def killed_workers(shop: Path, kills: int = WORKER_KILLS, seed: int = 0) -> Iterator[Goal]:
    """Two workers under load, one of them killed again and again; every answer and event that was acknowledged is counted."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        mine = copied(shop, folder)
        hit: list[int] = []
        with running(mine, mine / "house", "--workers", "2") as house:
            done = threading.Event()

            def kill() -> None:
                while len(hit) < kills:
                    time.sleep(rng.uniform(0.05, 0.6))
                    if len(there := house.workers()) < 2:
                        continue
                    victim = rng.choice(there)
                    victim.kill()
                    hit.append(victim.pid)
                done.set()

            threading.Thread(target=kill, daemon=True).start()

            def asked() -> Iterator[tuple[int, bytes]]:
                for (number, line), turn in zip(lines("k"), itertools.cycle((True, False)), strict=False):
                    if done.is_set():
                        return
                    yield number, line if turn else post("/v1/models/demand/predict", {"product_id": f"p{number % 9 + 1:02}"})

            sent = load(house.url, asked(), connections=8, keep=True)
        good = [(key, body) for key, status, body in sent.replies if int.from_bytes(status) == 200]
        there, answers = rows_of(mine, "orders"), answers_in(mine)
        lines_kept = [f"k{key}" for key, _ in good if key % 2 == 0]
        answers_given = [json.loads(body)["id"] for key, body in good if key % 2 == 1]
    yield at_least("workers killed under load", len(hit), kills, "kills", f"{sent.broken:,} connections broke, {sent.count:,} requests")
    lost = sum(there[id] != 1 for id in lines_kept)
    yield at_most("acknowledged events not there exactly once, kills", lost, 0, "events", f"of {len(lines_kept):,}")
    lost = sum(answers[id] != 1 for id in answers_given)
    yield at_most("acknowledged answers not there exactly once, kills", lost, 0, "answers", f"of {len(answers_given):,}")


def answers_in(shop: Path) -> Counter[str]:
    """How often each answer is remembered, sealed or not."""
    from everloop.loop.answers import seal_answers
    from everloop.loop.house import open_house

    house = open_house(shop / "project.py", folder=shop / "house")
    seal_answers(house)
    found = Counter(house.lake.tables.read("answers").column("id").to_pylist())
    house.store.close()
    return found


def killed_controllers(shop: Path, kills: int = CONTROLLER_KILLS, seed: int = 0) -> Iterator[Goal]:
    """A turn is asked for, the controller is killed somewhere in it, and the next one goes on. A turn that was done before is no kill, and
    another is asked for."""
    rng = random.Random(seed)
    hit, tried, wrong, orphans, broken, promoted = 0, 0, 0, 0, 0, 0
    while hit < kills and tried < 2 * kills:
        tried += 1
        with tempfile.TemporaryDirectory() as folder:
            mine = copied(shop, folder)
            before = promotions(mine)
            # The shop's history ends at NOW: a turn asked for weeks later would find that nothing was sold since, and promote nothing.
            with running(mine, mine / "house", "--turned-clock") as house:
                children = killed_in_a_turn(house, rng.uniform(0.05, 5.0))
                hit += bool(children is not None)
                time.sleep(0.5)
                orphans += sum(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in children or [])
            begun, sound = promotions(mine) - before, verified(mine)
            wrong += begun not in (0, 1)
            promoted += begun
            broken += not sound
    yield at_least("controllers killed in a turn", hit, kills, "kills", "at a random moment of its five seconds")
    yield at_most("turns with more than one promotion, or journals broken", wrong + broken, 0, "turns", f"{promoted} promoted once")
    yield at_least(
        "turns that promoted in the end", promoted, tried, "turns", "each was asked for once; the next controller went on with it"
    )
    yield at_most("trainers that outlived their controller", orphans, 0, "processes")


def killed_in_a_turn(house: Running, after: float) -> list[psutil.Process] | None:
    """Ask for a turn, kill the controller ``after`` so many seconds, and wait until the turn is done; what its children were."""
    done: list[int] = []
    turn, now = {"model": "demand", "retrain": True}, NOW.isoformat()
    asking = threading.Thread(target=lambda: done.append(house.post("/v1/turn", turn, now=now).status_code))
    asking.start()
    time.sleep(after)
    controller, children = house.controller(), None
    if controller is not None and not done:
        children = controller.children(recursive=True)
        controller.kill()
    asking.join()
    return children


def promotions(shop: Path) -> int:
    from everloop.loop.house import open_house

    house = open_house(shop / "project.py", folder=shop / "house")
    found = sum(e.verb == "begin" for e in house.journal.read())
    house.store.close()
    return found


def verified(shop: Path) -> bool:
    from everloop.errors import EverloopError
    from everloop.loop.house import open_house

    house = open_house(shop / "project.py", folder=shop / "house")
    try:
        house.journal.verify()
    except EverloopError:
        return False
    finally:
        house.store.close()
    return True
