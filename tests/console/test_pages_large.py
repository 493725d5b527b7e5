"""No page does more for a house three times as large: what the database does for each is counted, not timed."""

import asyncio
import re
from datetime import UTC, datetime

import bench.console_house as large
import bench.console_pages as pages
import httpx
import pytest
from sqlalchemy import event

from everloop.console.app import console
from everloop.console.sessions import Letting
from everloop.loop import let_in

pytestmark = pytest.mark.slow

CYCLES = 12
MORE = 1.6
"""Trees grow a little with what hangs in them; what is read row by row would be three times as much."""
LEAST = 40
"""Hundreds of steps of SQLite below which nothing is compared: they are what opening a page takes."""


class Counted:
    """How many hundreds of its own steps SQLite takes, on all connections of a house."""

    def __init__(self, house):
        self.steps = 0
        event.listen(house.store.engine, "checkout", self._watch)

    def _watch(self, connection, *_):
        connection.set_progress_handler(self._step, 100)

    def _step(self):
        self.steps += 1
        return 0


def work(folder, models, monkeypatch):
    """What the database does for each page, by its address; each was asked once before."""
    for module in (large, pages):
        monkeypatch.setattr(module, "MODELS", models)
        monkeypatch.setattr(module, "CYCLES", CYCLES)
    folder.mkdir()
    house = large.large_house(folder)
    assert house.journal.verify().seq == models * (3 + 10 * CYCLES)
    assert house.runs.count() == models * CYCLES
    let_in.add(house, "Ada", "admin", by="Ada", now=large.NOW)
    letting = Letting(house)
    cookies = {letting.cookie: letting.begin("Ada", datetime.now(UTC))}
    counted, found = Counted(house), {}

    async def ask():
        transport = httpx.ASGITransport(console(house), client=("127.0.0.1", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=cookies) as client:
            for address in pages.addresses(house):
                await client.get(f"/console{address}")
                counted.steps = 0
                got = await client.get(f"/console{address}")
                assert got.status_code in (200, 404, 409), (address, got.text[-500:])
                found[re.sub(r"model_\d+", "MODEL", address)] = counted.steps

    asyncio.run(ask())
    house.store.close()
    return found


#: Ordering all runs by a measure is asked for; an instant is found by walking the index of instants; words that nobody said are looked
#: for in 20,000 records.
ASKED_FOR = {"/runs?by=wape", "/journal?kind=Version&until=2026-09-01", "/journal?text=nobody+said+this"}


def test_what_is_not_shown_is_not_read(tmp_path, monkeypatch):
    small, threefold = (work(tmp_path / str(models), models, monkeypatch) for models in (300, 900))
    grown = {address: (small[address], steps) for address, steps in threefold.items() if steps > LEAST and steps > MORE * small[address]}
    assert grown.keys() <= ASKED_FOR, grown
    assert "/runs?by=wape" in grown, "ordering by a measure reads every run: the count tells"
