"""How long it takes until nothing is known of a customer: a house of a million order lines, learnt from and answered from.

Beside it, as a floor, what the events' table alone takes to be rid of them with the Delta library's own words.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.ensemble import HistGradientBoostingRegressor

from bench.goal import Goal, at_least, at_most
from everloop import Model, Source, canary, days, every, money
from everloop.lake.ingest import ingest
from everloop.lake.place import table_of
from everloop.loop.answers import answer_due
from everloop.loop.forget import forget
from everloop.loop.forget.looked import found_in
from everloop.loop.house import House, open_house
from everloop.loop.online import online_of
from everloop.loop.project_file import project_of
from everloop.loop.serve.known import Known
from everloop.loop.turn import turn
from everloop.settings import read_settings

ROWS, CUSTOMERS, PRODUCTS, SPAN = 1_000_000, 50_000, 2_000, 365
NOW = datetime(2026, 11, 1, tzinfo=UTC)
WHO = "7310029418731"
WORDS = {"by": "Shopify", "reason": "customers/redact"}

lines = Source(
    "order_lines",
    id="line_id",
    time="ordered_at",
    columns={"customer_id": str, "product_id": str, "quantity": int, "net": money("EUR")},
    private="customer_id",
)
weekly, daily = every(days(7), at="00:00", zone="UTC"), every(days(1), at="00:00", zone="UTC")
spends = Model(
    "spends",
    predicts=lines.total("net", next=days(28)),
    per="customer_id",
    asked=weekly,
    among=lines.any(last=days(91)),
    knows=[lines.count(last=[days(28), days(91)]), lines.total("net", last=days(91)), lines.latest("net")],
    learner=HistGradientBoostingRegressor(max_iter=60),
    learns_from=days(91),
    promote_when=[],
    roll_out=canary(0.5, every=days(7)),
    autonomy="act",
)
demand = Model(
    "demand",
    predicts=lines.total("quantity", next=days(7)),
    per="product_id",
    asked=daily,
    knows=lines.total("quantity", last=[days(7), days(28)]),
    learner=HistGradientBoostingRegressor(max_iter=60),
    learns_from=days(91),
    promote_when=[],
    autonomy="act",
)


def privacy() -> Iterator[Goal]:
    """A customer of 40 lines goes; every other line, answer and training row stays as it was."""
    with tempfile.TemporaryDirectory() as folder:
        house = lived_in(Path(folder))
        alone = deleted_alone(house, Path(folder) / "alone")
        size = sum(path.stat().st_size for path in house.settings.house.rglob("*") if path.is_file())
        before = _of_others(house)
        process, began = psutil.Process(), time.perf_counter()
        done = forget(house, "customer_id", WHO, now=NOW, **WORDS)
        took = time.perf_counter() - began
        rows = dict(done.rows)
        beside = f"{rows['events/order_lines']} of {ROWS:,} lines, a house of {size / 1e6:,.0f} MB; Delta's delete and vacuum {alone:.1f} s"
        yield at_most("a customer redacted in a house of a million events", took, 60.0, "s", beside)
        left = len(list(found_in(house.settings.house, WHO)))
        yield at_most(
            "files that still have a redacted customer", left, 0, "files", f"{rows['bodies']} training rows, {rows['answers']} answers"
        )
        yield at_least("rows of other customers as they were", float(_of_others(house) == before), 1, "share")
        yield at_least("versions named that had learnt from them", len(done.versions), 1, "versions", ", ".join(done.versions))
        yield at_most("memory of a redaction", process.memory_info().rss / 1e6, 3_000, "MB")


def lived_in(folder: Path) -> House:
    """A house of a million lines that two models have learnt from and one has answered from, its online state made."""
    settings = replace(read_settings(folder, house=folder / "house"), child=False)
    house = open_house(project_of(spends, demand), settings=settings, turned=True)
    ingest(house.lake, lines, _orders(folder), now=NOW - timedelta(hours=1), known_after=timedelta(0))
    for model in (spends, demand):
        turn(house, model, NOW)
        answer_due(house, model, NOW)
    known = Known(house.lake, [spends, demand], online_of(house.lake, house.settings), turned=True)
    known.fold()
    known.close()
    return house


def _orders(folder: Path) -> Path:
    import pyarrow.parquet as pq

    rng = np.random.default_rng(7)
    whose = rng.zipf(1.6, ROWS) % CUSTOMERS
    at = np.sort(rng.integers(0, SPAN * 86_400, ROWS)) * 1_000_000 + int((NOW - timedelta(days=SPAN, hours=2)).timestamp()) * 1_000_000
    names = np.array([f"73{n:011d}" for n in range(CUSTOMERS)])
    customer = names[whose].astype(object)
    customer[rng.choice(ROWS, 40, replace=False)] = WHO
    customer[-3:] = WHO  # lately, too: they are asked about
    table: dict[str, Any] = {
        "line_id": pa.array([str(n) for n in range(ROWS)]),
        "ordered_at": pa.array(at, pa.timestamp("us", "UTC")),
        "customer_id": pa.array(customer.tolist(), pa.string()),
        "product_id": pa.array([f"p{n}" for n in rng.zipf(1.4, ROWS) % PRODUCTS]),
        "quantity": pa.array(rng.integers(1, 4, ROWS)),
        "net": pa.array(rng.integers(200, 9_000, ROWS)),
    }
    path = folder / "orders.parquet"
    pq.write_table(pa.table(table), path)
    return path


def deleted_alone(house: House, folder: Path) -> float:
    """Seconds that the table of events alone takes with the Delta library's own delete and vacuum: no index, no answers, no bodies, and
    the log goes on telling the least and greatest ids there were."""
    from deltalake import DeltaTable

    shutil.copytree(Path(house.settings.lake) / table_of("order_lines"), folder)
    began = time.perf_counter()
    DeltaTable(str(folder)).delete(f"customer_id = '{WHO}'")
    DeltaTable(str(folder)).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    return time.perf_counter() - began


def _of_others(house: House) -> tuple[object, ...]:
    """What is kept of everybody else: how many lines, what they come to, and what was answered."""
    events = house.lake.tables.read(table_of("order_lines")).filter(pc.field("customer_id") != WHO)
    answers = house.lake.tables.read("answers").filter(pc.field("unit") != WHO)
    return (
        events.num_rows,
        pc.sum(events["net"]).as_py(),
        hash(tuple(events["line_id"].to_pylist())),
        sorted(zip(answers["id"].to_pylist(), (a["value"] for a in answers["answer"].to_pylist()), strict=True)),
    )
