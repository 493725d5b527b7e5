"""Events come in through the lake's own door and are folded in the transaction that keeps them: how fast, how soon seen, at what history.

The state is that of 18 windowed features. ``one`` is an event in a commit of its own; ``many`` are a hundred in one. Ten thousand events
after ten million of history say whether the cost follows what is new.
"""

from __future__ import annotations

import gc
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench import features_data as data
from bench.goal import Goal, at_least, at_most
from everloop import Source, days
from everloop.features.fold import Fold
from everloop.features.online import Online, catch_up
from everloop.features.states import states_of
from everloop.features.tiles import Tiles
from everloop.lake import Gathering, Lake, ingest, open_lake, read_source, receive
from everloop.lake.shape import Events
from everloop.settings import Durability

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE, MANY, TOGETHER, SEEN = 4_000, 20_000, 100, 500
WAVE = 2_000  # callers who do not wait for one another
HISTORY, MORE = 10_000_000, 10_000
CUSTOMERS = 10_000

payments = Source("purchases", id="purchase_id", time="at", columns={"customer_id": str, "amount": int, "sku": str}, late=days(40))


def instant(micros: int) -> datetime:
    """An instant as a caller says it."""
    return EPOCH + timedelta(microseconds=micros)


def rows(count: int, seed: int, start: int, step: int = 2_000) -> list[dict[str, object]]:
    """Purchases as they come in, each ``step`` microseconds after the one before."""
    rng = Random(seed)
    return [
        {
            "purchase_id": f"{seed}-{i}",
            "at": instant(start + i * step),
            "customer_id": f"c{rng.randrange(CUSTOMERS)}",
            "amount": rng.randrange(100_000),
            "sku": f"s{rng.randrange(50)}",
        }
        for i in range(count)
    ]


@contextmanager
def kept(durability: Durability) -> Iterator[tuple[Lake, Tiles, Online]]:
    """A lake that folds what arrives, in the same transaction."""
    with tempfile.TemporaryDirectory() as folder:
        lake = open_lake(Path(folder) / "lake", durability=durability)
        try:
            yield folding(lake)
        finally:
            lake.log.close()


def folding(lake: Lake) -> tuple[Lake, Tiles, Online]:
    """The same lake, with the state of 18 features in its log's own file, and how that is read."""
    model = data.model
    readings = [replace(reading, source=payments) for reading in data.WINDOWED]
    states = states_of(model, readings)
    tiles, fold = Tiles(lake.log.connection()), Fold(states)  # type: ignore[attr-defined]
    catch_up(tiles, states, {"purchases": read_source(lake, payments)})

    def also(connection: sqlite3.Connection, events: Events) -> None:
        if fold.take_in(Tiles(connection), events):
            raise RuntimeError("A state lacks rows before these.")

    return replace(lake, also=lambda source: also), tiles, Online(model, readings)


def rate(durability: Durability, together: int, count: int) -> float:
    """Events a second, so many in each commit, one caller after the other."""
    coming = rows(count, 1, data.START)
    with kept(durability) as (lake, _, _):
        receive(lake, payments, rows(TOGETHER, 0, data.START - data.DAY), now=instant(data.START))
        began = time.perf_counter()
        for start in range(0, count, together):
            some = coming[start : start + together]
            receive(lake, payments, some[0] if together == 1 else some, now=some[-1]["at"])  # type: ignore[arg-type]
        return count / (time.perf_counter() - began)


def gathered(durability: Durability, count: int) -> float:
    """Events a second, each a delivery of its own of callers that do not wait for one another."""
    coming = rows(count, 1, data.START)
    with kept(durability) as (lake, _, _), Gathering(lake) as gathering:
        began = time.perf_counter()
        for start in range(0, count, WAVE):
            told = [gathering.receive(payments, row, row["at"]) for row in coming[start : start + WAVE]]  # type: ignore[arg-type]
            for future in told:
                future.result()
        return count / (time.perf_counter() - began)


def folds(count: int) -> float:
    """Events a second, folded alone, each in a commit of its own: without the log."""
    from everloop.sql.wal import write_ahead

    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "tiles.db", isolation_level=None)
        write_ahead(connection, 1.0)
        connection.execute("PRAGMA synchronous = NORMAL")
        readings = [replace(reading, source=payments) for reading in data.WINDOWED]
        states, tiles = states_of(data.model, readings), Tiles(connection)
        events = _events(rows(count, 1, data.START))
        catch_up(tiles, states, {"purchases": pa.table({n: pa.array([e[n] for e in events]) for n in events[0]}).slice(0, 0)})
        fold = Fold(states)
        began = time.perf_counter()
        for event in events:
            fold.take_in(tiles, [event])
        took = time.perf_counter() - began
        connection.close()
        return count / took


def _events(said: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    made = []
    for i, row in enumerate(said):
        at = (row["at"] - EPOCH) // timedelta(microseconds=1)  # type: ignore[operator]
        made.append(
            {**row, "seq": i + 1, "id": row["purchase_id"], "version": 0, "event_at": at, "known_at": at, "deleted": False, "at": at}
        )
    return made


def unseen(count: int) -> int:
    """How many of so many events the very next read does not see."""
    missed, counts = 0, dict[str, float]()
    with kept("process") as (lake, tiles, online):
        place = online.names.index("purchases_count_last_30d")
        for row in rows(count, 5, data.START):
            receive(lake, payments, row, now=row["at"])  # type: ignore[arg-type]
            moment = lake.log.counters("purchases").last_known + 1
            customer = str(row["customer_id"])
            counts[customer] = counts.get(customer, 0.0) + 1
            missed += online.read(tiles, [{"customer_id": customer}], moment).values[0][place] != counts[customer]
    return missed


def after_a_history(history: int) -> tuple[float, float, float]:
    """Seconds that ten thousand more events take after so many, in batches of a thousand; and what the history took: ingested, built."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lake = open_lake(folder / "lake", durability="process")
        began = time.perf_counter()
        part, made = history // 5, 0
        for _ in range(5):
            _history(folder / "history.parquet", made, part)
            ingest(lake, payments, folder / "history.parquet", now=instant(data.START + data.SPAN), known_after=timedelta(0))
            made += part
        ingested = time.perf_counter() - began
        began = time.perf_counter()
        lake, _, _ = folding(lake)
        built = time.perf_counter() - began
        coming = rows(MORE, 9, data.START + data.SPAN + data.DAY)
        began = time.perf_counter()
        for start in range(0, MORE, 1000):
            receive(lake, payments, coming[start : start + 1000], now=coming[start + 999]["at"])  # type: ignore[arg-type]
        took = time.perf_counter() - began
        lake.log.close()
    return took, ingested, built


def _history(path: Path, first: int, count: int) -> None:
    rng = np.random.default_rng(first)
    at = data.START + np.sort(rng.integers(0, data.SPAN // 5, count)) + first * (data.SPAN // 5) // count
    numbers = pa.array(np.arange(first, first + count)).cast(pa.string())
    table = {
        "purchase_id": numbers,
        "at": pa.array(at).cast(pa.timestamp("us", "UTC")),
        "customer_id": pa.array(np.char.add("c", rng.integers(0, CUSTOMERS, count).astype(str))),
        "amount": rng.integers(0, 100_000, count),
        "sku": pa.array(np.char.add("s", rng.integers(0, 50, count).astype(str))),
    }
    pq.write_table(pa.table(table), path)


def flow() -> Iterator[Goal]:
    """The rates of each durability, what the next read sees, and a long history."""
    gc.freeze()  # as a worker does when it has begun
    one = {name: rate(name, 1, ONE if name == "process" else ONE // 4) for name in ("process", "group", "sync")}
    many = {name: rate(name, TOGETHER, MANY) for name in ("process", "group", "sync")}
    said = f"group {one['group']:,.0f}, sync {one['sync']:,.0f}; folded alone, without the log, {folds(ONE):,.0f}"
    yield at_least("events kept and folded, one a commit, durability process", one["process"], 5_000, "events/s", said)
    together = f"group {many['group']:,.0f}, sync {many['sync']:,.0f}; single callers gathered {gathered('process', MANY):,.0f}"
    yield at_least("events kept and folded, a hundred a commit, durability process", many["process"], 15_000, "events/s", together)
    yield at_most("events the very next read does not see", unseen(SEEN), 0, "events", f"of {SEEN:,}")
    took, ingested, built = after_a_history(HISTORY)
    history = f"the history ingested in {ingested:,.0f} s, its state built in {built:,.0f} s"
    yield at_most("10k new events after 10M, kept and folded", took, 2, "s", history)
