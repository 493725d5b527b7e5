"""The data of the features bench, the same for every side: purchases of many customers, questions about them, and what is asked.

In: how many keys, a seed. Out: Arrow tables; the same bytes every time. ``wide`` is 10,000 customers with 100 purchases each, ``deep`` is
1,000 with 1,000 each, over 90 days. Not ``clean``, of a hundred purchases two are late by up to 40 days, one is corrected and of a
thousand two are taken back. ``python -m bench.features_data FOLDER`` writes both as Parquet.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from everloop import Model, Source, days, every, hours
from everloop.project.reading import Reading

DAY: Final = 86_400_000_000
START: Final = 1_767_225_600_000_000  # 2026-01-01
SPAN: Final = 90 * DAY
EVENTS: Final = 1_000_000
QUESTIONS: Final = 100_000
WIDE: Final = 10_000
DEEP: Final = 1_000
VALUES: Final = ("v0", "v1", "v2", "v3", "v4")

purchases = Source(
    "purchases",
    id="purchase_id",
    time="at",
    late=days(40),
    columns={"customer_id": str, "amount": int, "weight": float, "sku": str, **dict.fromkeys(VALUES, float)},
)


class Learner:
    """A learner nobody asks."""

    def fit(self, rows: object, truth: object) -> None: ...

    def predict(self, rows: object) -> object: ...


#: Goal 4: the newest five doubles of each customer, not older than 30 days.
LOOKUP: Final[list[Reading]] = [purchases.latest(column, last=days(30)) for column in VALUES]

#: Goal 5: six verbs in three windows.
WINDOWED: Final[list[Reading]] = [
    reading
    for window in (hours(1), days(7), days(30))
    for reading in (
        purchases.total("amount", last=window),
        purchases.count(last=window),
        purchases.lowest("amount", last=window),
        purchases.highest("amount", last=window),
        purchases.latest("amount", last=window),
        purchases.distinct("sku", last=window),
    )
]

model = Model(
    "spending",
    predicts=purchases.total("amount", next=days(7)),
    per="customer_id",
    asked=every(days(1)),
    knows=WINDOWED,
    learner=Learner(),
)


def events(keys: int = WIDE, *, rows: int = EVENTS, clean: bool = False, seed: int = 1) -> pa.Table:
    """The event table of ``purchases``, sorted by ``seq``: ``rows`` versions in all, the same number for each key on average."""
    rng = np.random.default_rng(seed)
    at = np.sort(START + rng.integers(0, SPAN, rows))
    version, deleted = np.zeros(rows, np.int64), np.zeros(rows, bool)
    number, known = np.arange(rows, dtype=np.int64), at.copy()
    if not clean:
        late = rng.random(rows) < 0.02
        known = np.where(late, at + rng.integers(1, 40 * DAY, rows), at)
        again = np.flatnonzero(rng.random(rows) < 0.012)
        first = (again * rng.random(len(again))).astype(np.int64)
        # A correction takes a place in the log of its own, and says something of a row that is none itself.
        again, first = again[~np.isin(first, again)], first[~np.isin(first, again)]
        number[again], at[again], version[again] = first, at[first], again
        known[again] = np.maximum(known[again], known[first] + 1)
        deleted[again] = rng.random(len(again)) < 1 / 6
    customer = rng.integers(0, keys, rows)[number]
    order = np.argsort(known, kind="stable")
    columns: dict[str, pa.Array] = {
        "seq": pa.array(np.arange(1, rows + 1)),
        "id": pa.array(np.char.add("p", number[order].astype(str))),
        "version": pa.array(version[order]),
        "event_at": pa.array(at[order]),
        "known_at": pa.array(known[order]),
        "deleted": pa.array(deleted[order]),
    }
    columns |= {"purchase_id": columns["id"], "at": columns["event_at"]}
    columns["customer_id"] = pa.array(np.char.add("c", customer[order].astype(str)))
    columns["amount"] = pa.array(rng.integers(-500, 100_000, rows))
    columns["weight"] = pa.array(np.round(rng.lognormal(0, 1, rows), 3))
    columns["sku"] = pa.array(np.char.add("s", rng.integers(0, 50, rows).astype(str)))
    columns |= {name: pa.array(rng.normal(size=rows)) for name in VALUES}
    return pa.table(columns)


def questions(keys: int = WIDE, *, rows: int = QUESTIONS, seed: int = 2) -> pa.Table:
    """Questions about customers at any moment after the first 30 days, in no order, one in a hundred of them twice."""
    rng = np.random.default_rng(seed)
    moment = START + rng.integers(30 * DAY, SPAN + DAY, rows)
    customer = rng.integers(0, keys, rows)
    twice = rng.integers(0, rows, rows // 100)
    moment[: len(twice)], customer[: len(twice)] = moment[twice], customer[twice]
    return pa.table({"moment": pa.array(moment), "customer_id": pa.array(np.char.add("c", customer.astype(str)))})


def write(folder: Path) -> None:
    """Both shapes as Parquet, clean ones too, for whoever reads them in another process."""
    folder.mkdir(parents=True, exist_ok=True)
    for shape, keys in (("wide", WIDE), ("deep", DEEP)):
        pq.write_table(events(keys), folder / f"{shape}.parquet")
        pq.write_table(events(keys, clean=True), folder / f"{shape}-clean.parquet")
        pq.write_table(questions(keys), folder / f"{shape}-questions.parquet")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
