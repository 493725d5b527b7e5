"""How long the server takes for each page of a large house, and how much goes over the wire for it."""

from __future__ import annotations

import asyncio
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin

import httpx

from bench.console_house import CYCLES, MODELS, NOW, large_house
from bench.goal import Goal, at_most
from everloop.console.app import console
from everloop.console.routes import ROUTES
from everloop.console.sessions import Letting
from everloop.loop import let_in
from everloop.loop.house import House

AGAIN = 7
FIRST = "/"


@dataclass(frozen=True)
class Asked:
    """One page: milliseconds of the server (the middle of several, and the longest after the first), and bytes of the page and of all that
    it loads, uncompressed."""

    address: str
    milliseconds: float
    longest: float
    whole: int
    page: int


def pages() -> Iterator[Goal]:
    """Every page, asked as a browser asks."""
    with tempfile.TemporaryDirectory(prefix="console-") as folder:
        house = large_house(Path(folder))
        try:
            found = asyncio.run(_all(house))
        finally:
            house.store.close()
    first, others = found[0], found[1:]
    slowest, heaviest = max(others, key=lambda one: one.milliseconds), max(found, key=lambda one: one.whole)
    told = ", ".join(f"{one.address} {one.milliseconds:.0f}" for one in sorted(others, key=lambda one: -one.milliseconds)[:8])
    yield at_most(
        "the first page, 1,000 models, 100,000 runs, 1M records",
        first.milliseconds,
        300,
        "ms",
        f"{first.address}; the longest of {AGAIN}: {first.longest:.0f}",
    )
    yield at_most("what the first page transfers", first.whole / 1000, 200, "kB", f"uncompressed; the page itself {first.page / 1000:.0f}")
    yield at_most("the slowest other page of that house", slowest.milliseconds, 300, "ms", told)
    yield at_most("what the heaviest page of that house transfers", heaviest.whole / 1000, 200, "kB", heaviest.address)


def addresses(house: House) -> list[str]:
    """The first page, every other one that is got, and some of them with filters; of one model where they are of one."""
    name, last = list(house.project.models)[MODELS // 2], CYCLES
    words = {"model": name, "run": f"{name}-c{last}", "source": "orders", "id": f"{name}-cont{last}"}
    said = [re.sub(r"\{(\w+)(?::path)?\}", lambda found: words[found[1]], route.path) for route in ROUTES if route.method == "GET"]
    more = [
        f"/why?id={name}@{last}", f"/why?model={name}&at=2026-10-01", "/runs?q=wape%3C0.25", f"/runs?q=model%3D{name}&by=wape",
        "/runs?by=wape", f"/runs/beside?run.{name}-c{last - 1}=1&run.{name}-c{last}=1", "/journal?kind=Verdict", f"/journal?model={name}",
        "/journal?kind=Version&until=2026-09-01", "/journal?text=nobody+said+this", f"/cost?model={name}", f"/features?model={name}",
        "/incidents?model=model_000", f"/pane?model={name}&span=90d", "/delivery?page=50",
    ]  # fmt: skip
    first = FIRST if any(route.path == FIRST for route in ROUTES) else "/journal"
    return list(dict.fromkeys([first, *said, *more]))


async def _all(house: House) -> list[Asked]:
    let_in.add(house, "Ada", "admin", by="Ada", now=NOW)
    letting = Letting(house)
    cookies = {letting.cookie: letting.begin("Ada", datetime.now(UTC))}
    transport = httpx.ASGITransport(console(house, clock=lambda: datetime.now(UTC)), client=("127.0.0.1", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=cookies) as client:
        return [await _asked(client, address) for address in addresses(house)]


async def _asked(client: httpx.AsyncClient, address: str) -> Asked:
    took, got = [], None
    for _ in range(AGAIN):
        began = time.perf_counter()
        got = await client.get(f"/console{address}")
        took.append((time.perf_counter() - began) * 1000)
        if got.status_code in (404, 409):
            break
    assert got is not None
    assert got.status_code in (200, 404, 409), (address, got.status_code, got.text[-600:])
    loads = set(re.findall(r'<(?:link|script|img)[^>]+?(?:href|src)="([^"]+)"', got.text))
    beside = 0
    for one in sorted(loads):
        beside += len((await client.get(urljoin("/console/", one))).content)
    return Asked(address, statistics.median(took), max(took[1:] or took), len(got.content) + beside, len(got.content))
