"""Do pages slow answers? The house of ``bench.serving`` answers a steady stream of questions while people ask its console for pages without
end; the same stream without them stands beside it.

In: nothing. Out: goals. Each round asks both ways, in turn; what is told is the median of the rounds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx

from bench.goal import Goal, at_least, at_most
from bench.load import post
from bench.running import running
from everloop.console.sessions import Letting
from everloop.loop import let_in
from everloop.loop.house import open_house
from everloop.loop.turn import turn

ROUNDS, SECONDS, RATE, READERS = 5, 6.0, 100, 4


def answers() -> Iterator[Goal]:
    """p99 of answers at a steady rate with pages and without; pages served meanwhile; answers that failed."""
    with (
        tempfile.TemporaryDirectory() as root,
        house(Path(root)) as (folder, cookie, products),
        running(folder / "project.py", folder / ".everloop") as runs,
    ):
        request = [post("/v1/models/demand/predict", {"product_id": product}) for product in products]
        with httpx.Client(base_url=runs.url, cookies=cookie, timeout=60) as client:
            client.get("/console/people").raise_for_status()  # its process has started
        alone: list[float] = []
        beside: list[float] = []
        pages: list[int] = []
        failed = asked = 0
        for number in range(ROUNDS):
            for with_pages in (False, True) if number % 2 == 0 else (True, False):
                with reading(runs.url, cookie) if with_pages else silence() as served:
                    seconds, bad = steady(runs.url, request)
                (beside if with_pages else alone).append(1e3 * sorted(seconds)[int(0.99 * len(seconds))])
                pages += [len(served)] if with_pages else []
                failed, asked = failed + bad, asked + len(seconds)
    told = f"{statistics.median(beside):.2f} ms against {statistics.median(alone):.2f} ms, {RATE} questions a second, {READERS} readers"
    yield at_most(
        "p99 of answers while pages are asked for without end, over none",
        statistics.median(beside) / statistics.median(alone),
        2,
        "times",
        told,
    )
    yield at_most("answers that failed while pages were asked for", failed, 0, "answers", f"of {asked:,}")
    yield at_least("pages a second meanwhile", statistics.median(pages) / SECONDS, 5, "pages/s")


@contextmanager
def house(root: Path) -> Iterator[tuple[Path, dict[str, str], list[str]]]:
    """A shop that was turned once, with somebody who is signed in: its folder, their cookie, and products to ask about."""
    folder = root / "shop"
    subprocess.run([sys.executable, "-m", "everloop", "init", "shop", str(folder)], check=True, capture_output=True)
    now = datetime.now(UTC)
    opened = open_house(folder / "project.py", ingest=now)
    for model in opened.project.models.values():
        turn(opened, model, now)
    let_in.add(opened, "Ada", "admin", by="Ada", now=now)
    letting = Letting(opened)
    cookie = {letting.cookie: letting.begin("Ada", now)}
    opened.store.close()
    yield folder, cookie, [f"p{n:02d}" for n in range(10)]


def steady(url: str, requests: list[bytes]) -> tuple[list[float], int]:
    """Questions at a steady rate, each at its own time whether the one before was answered or not: seconds from then, and the failed."""
    return asyncio.run(_steady(url, requests))


async def _steady(url: str, requests: list[bytes]) -> tuple[list[float], int]:
    host, port = url.removeprefix("http://").split(":")
    took: list[float] = []
    failed = 0
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def one(request: bytes, due: float) -> None:
        nonlocal failed
        reader, writer = free.pop() if free else await asyncio.open_connection(host, int(port))
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        took.append(time.perf_counter() - due)
        failed += int(head[9:12]) >= 300
        free.append((reader, writer))

    tasks, began = [], time.perf_counter() + 0.2
    for n in range(int(SECONDS * RATE)):
        due = began + n / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(requests[n % len(requests)], due)))
    await asyncio.gather(*tasks)
    for _, writer in free:
        writer.close()
    return took, failed


@contextmanager
def silence() -> Iterator[list[int]]:
    """Nobody reads."""
    yield []


@contextmanager
def reading(url: str, cookie: dict[str, str]) -> Iterator[list[int]]:
    """Readers who ask for the next page when they have the last, in a process of their own: who measures must not wait for them. What is
    given is filled at the end, with a number for each page."""
    spawn = multiprocessing.get_context("spawn")
    over, given, served = spawn.Event(), spawn.Value("i", 0), list[int]()
    process = spawn.Process(target=read_on, args=(url, cookie, over, given), daemon=True)
    process.start()
    while given.value < READERS and process.is_alive():  # they have begun
        time.sleep(0.01)
    before = given.value
    try:
        yield served
    finally:
        served.extend(range(given.value - before))
        over.set()
        process.join()


def read_on(url: str, cookie: dict[str, str], over: Event, given: Synchronized[int]) -> None:
    """``READERS`` threads that ask for pages until it is over, and count those they were given."""

    def read() -> None:
        with httpx.Client(base_url=url, cookies=cookie, timeout=60) as client:
            while not over.is_set():
                client.get("/console/people").raise_for_status()
                with given.get_lock():
                    given.value += 1

    threads = [threading.Thread(target=read) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
