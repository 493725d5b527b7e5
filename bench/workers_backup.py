"""Backups beside a plain copy of the folder: how long a decision waits meanwhile, what the next one costs, and how soon a house is back.

A house with a million rows, most of them sealed. One thread writes decisions all the while, each a short transaction, and times them.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bench.goal import Goal, at_most

if TYPE_CHECKING:
    from everloop.loop.house import House

ROWS, MORE = 1_000_000, 1_000
BEGIN = datetime(2026, 9, 1, tzinfo=UTC)


def backups() -> Iterator[Goal]:
    """Waits, bytes and seconds."""
    from everloop.lake.receive import receive
    from everloop.loop.backup.drill import drill
    from everloop.loop.backup.take import take

    with tempfile.TemporaryDirectory(prefix="everloop-bench-backup-") as name:
        folder = Path(name)
        house = lived_in(folder)
        source = house.project.sources["orders"]
        now = BEGIN + timedelta(days=400)
        quiet = longest_of(house, lambda: time.sleep(3.0))
        began = time.perf_counter()
        waited = longest_of(house, lambda: take(house, str(folder / "to")))
        first = time.perf_counter() - began
        began = time.perf_counter()
        shutil.copytree(house.settings.house, folder / "plain")
        plain = time.perf_counter() - began
        beside = f"{quiet * 1e3:,.0f} ms with no backup"
        yield at_most("longest wait of a decision while a house is backed up", waited * 1e3, 100, "ms", beside)
        receive(house.lake, source, rows(MORE, ROWS), now=now)
        began = time.perf_counter()
        second = take(house, str(folder / "to"))
        again = time.perf_counter() - began
        size = second.manifest.size
        share = 100 * second.new / size
        yield at_most("of a second backup new bytes, after 1,000 rows of a million", share, 40, "%", f"{size / 1e6:,.0f} MB in all")
        yield at_most(
            "seconds of a second backup", again, first, "s", f"the first {first:.2f}; a plain copy, which is of no one instant, {plain:.2f}"
        )
        done = drill(house, str(folder / "to"), now=now)
        yield at_most("seconds to restore it, proven", done.seconds, 30, "s", f"{size / 1e6 / done.seconds:,.0f} MB/s")
        yield at_most("answers that differ in the restored house", float(sum(len(m.other) for m in done.models)), 0, "answers")
        house.lake.log.close()
        house.store.close()


def lived_in(folder: Path) -> House:
    """A house with a million rows, and answers about some of its units."""
    from everloop.lake.receive import receive
    from everloop.lake.seal import seal
    from everloop.loop.answers import answer_one
    from everloop.loop.house import open_house
    from everloop.settings import read_settings

    (folder / "project.py").write_text(PROJECT)
    settings = replace(read_settings(folder, house=folder / "house", environ={}), child=False)
    house = open_house(folder / "project.py", settings=settings, turned=True)
    source, model = house.project.sources["orders"], house.project.model("spends")
    now = BEGIN + timedelta(days=399)
    receive(house.lake, source, rows(ROWS, 0), now=now)
    seal(house.lake, source)
    receive(house.lake, source, rows(MORE, 2 * ROWS), now=now + timedelta(hours=1))
    for unit in range(50):
        answer_one(house, model, [f"c{unit}"], now + timedelta(hours=2))
    return house


def rows(many: int, first: int) -> pa.Table:
    """Orders of a thousand units over a year."""
    rng = np.random.default_rng(first)
    at = BEGIN + timedelta(days=1)
    micros = int(at.timestamp() * 1e6) + np.sort(rng.integers(0, 390 * 86_400_000_000, many))
    return pa.table(
        {
            "order_id": pa.array(np.char.add("o", (np.arange(many) + first).astype(str))),
            "ordered_at": pa.array(micros, pa.timestamp("us", "UTC")),
            "customer_id": pa.array(np.char.add("c", rng.integers(0, 1_000, many).astype(str))),
            "amount": pa.array(rng.integers(1, 100, many)),
        }
    )


def longest_of(house: House, work: Callable[[], object]) -> float:
    """Seconds the longest of many short decisions took while something else was done."""
    ended, longest = threading.Event(), [0.0]

    def deciding() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            began = time.perf_counter()
            with house.store.transaction() as t:
                house.facts.put(t, "spends", "beat", BEGIN, {"number": number})
            longest[0] = max(longest[0], time.perf_counter() - began)
            time.sleep(0.002)

    thread = threading.Thread(target=deciding)
    thread.start()
    try:
        work()
    finally:
        ended.set()
        thread.join()
    return longest[0]


PROJECT = """
import numpy as np
from everloop import Model, Source, days, every, slipped

orders = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str, "amount": int})


class Little:
    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.nan_to_num(np.asarray(X, dtype=float)[:, 0]) / 1_000


spends = Model(
    "spends", predicts=orders.total("amount", next=days(1)), per="customer_id", asked=every(days(1), at="00:00", zone="UTC"),
    knows=orders.total("amount", last=days(7)), learner=Little(), promote_when=[], retrain_when=slipped("mae", by=0.2),
)
"""
