"""A messy log: everything that goes wrong between a till and a table, seeded, and questions that stand on its edges.

In: how much, and a seed. Out: event tables and questions, the same for the same seed. Of a hundred rows some are late by up to 40 days,
corrected once or twice, moved to another customer, taken back, arrive after what corrects them, or are ahead of the clock. Numbers are
empty, not a number, infinite, minus nothing, tiny, or so large that their sums leave 64 bits. Absent: clock, disk.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.project.columns import money
from everloop.project.conditions import at_least, one_of
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Reading, calendar, leaves
from everloop.project.source import Source
from everloop.project.spans import days, every, hours, minutes
from everloop.testing.plain import Answer, Log, Logs, Said, event_table, plain

DAY: Final = 86_400_000_000
#: Half of it happens before 1970, where a remainder has a sign.
FIRST: Final = -60 * DAY
LAST: Final = 60 * DAY
HOUR: Final = DAY // 24
#: When truths are known: some questions are not mature then.
UNTIL: Final = 40 * DAY
WORDS: Final = ("tea", "coffee", "it's", "c\\o$fee", "müsli", "")

tiers = Source("tiers", id="tier_id", columns={"rate": float, "label": str, "since": datetime})
sales = Source(
    "sales",
    id="sale_id",
    time="at",
    of=tiers,
    columns={
        "shop": str, "customer": int, "tier_id": str, "sku": str,
        "amount": money("EUR"), "weight": float, "gift": bool, "paid_at": datetime,
    },
)  # fmt: skip
_week = sales.total("amount", last=days(7))


class _Learner:
    def fit(self, rows: object, truth: object) -> None: ...

    def predict(self, rows: object) -> object: ...


#: What running sums tell and what is joined: every verb, over exact, sawtooth and lifelong windows.
READINGS: Final[tuple[AnyReading, ...]] = (
    sales.count(last=minutes(11)),
    _week,
    sales.total("weight", last=days(7)),
    sales.mean("weight"),
    sales.mean("amount", last=hours(24), ago=days(3)),
    sales.distinct("sku", last=days(28)),
    sales.distinct("weight"),
    sales.lowest("weight", last=days(7)),
    sales.highest("amount"),
    sales.lowest("weight"),
    sales.latest("sku"),
    sales.latest("weight", last=days(28)),
    sales.latest("gift", last=hours(5)),
    sales.latest("paid_at"),
    sales.which("sku", last=days(28), most=3),
    sales.any(last=hours(1)),
    sales.none(last=days(91)),
    sales.where(at_least("amount", 1_000)).count(last=days(28)),
    sales.where(one_of("sku", "it's", "c\\o$fee", "")).total("amount"),
    (_week / sales.count(last=days(7))).named("each"),
    calendar("weekday", "hour", zone="Europe/Berlin"),
)
#: What is taken over from another source's rows, or looked up in them.
INHERITED: Final[tuple[AnyReading, ...]] = (
    sales.mean("rate", last=days(28)),
    sales.which("label"),
    sales.where(one_of("label", "gold")).count(last=days(7)),
)
#: What came of it.
AHEAD: Final[tuple[Reading, ...]] = (
    sales.total("weight", next=days(7)),
    sales.distinct("sku", next=days(28)),
    sales.none(next=hours(5)),
    sales.which("sku", next=days(7)),
    sales.highest("amount", next=days(7)),
    sales.latest("sku", next=days(7)),
)
model = Model(
    "spending", predicts=AHEAD[0], per=("shop", "customer"), asked=every(days(1)), knows=sales.count(last=days(7)), learner=_Learner()
)


def logs(rows: int, keys: int, seed: int = 0) -> dict[str, list[Said]]:
    """So many rows of so many customers, each with all its versions, in the order in which they became known; and a few tiers."""
    rng = np.random.default_rng(seed)
    event_at = _instants(rng, rows)
    made = [said for number in range(rows) for said in _versions(rng, number, int(event_at[number]), keys)]
    made.sort(key=lambda said: said.known_at)
    return {"sales": made, "tiers": list(_tiers(rng))}


def _instants(rng: np.random.Generator, rows: int) -> NDArray[np.int64]:
    """Instants, half of them a microsecond before, at or after a whole hour."""
    at = rng.integers(FIRST, LAST, rows)
    return np.where(rng.random(rows) < 0.5, at // HOUR * HOUR + rng.integers(-1, 2, rows), at)


def _versions(rng: np.random.Generator, number: int, event_at: int, keys: int) -> Iterator[Said]:
    chance = rng.random()
    known_at = event_at + (int(rng.integers(1, 40 * DAY)) if chance < 0.1 else int(rng.integers(0, 3)))
    # A till whose clock runs ahead is believed no further than when its row arrived.
    event_at = min(event_at + (HOUR if 0.1 <= chance < 0.13 else 0), known_at)
    customer, version, values = int(rng.integers(0, keys)), 0, _values(rng)
    while True:
        shop = None if rng.random() < 0.01 else f"s{customer % 3}"
        yield Said(f"r{number}", version, event_at, known_at, {**values, "shop": shop, "customer": customer}, rng.random() < 0.03)
        if version == 2 or rng.random() >= 0.12:
            return
        # Corrected at the same instant, a microsecond or days later, or told before what it corrects.
        known_at += int(rng.choice([0, 1, HOUR, 9 * DAY, -1, -HOUR]))
        event_at, version, values = min(event_at, known_at), version + 1, _values(rng)
        customer = int(rng.integers(0, keys)) if rng.random() < 0.2 else customer


def _values(rng: np.random.Generator) -> dict[str, float | str | None]:
    weights = (0.1, 0.2, 0.3, -0.0, 0.0, 1e-3, -2.5, 3e10, 7e22, -7e22, 7.5e22, 2.0**-60, float("nan"), float("inf"), None)
    return {
        "tier_id": ("t0", "t1", "t2", "t3", None)[rng.integers(5)],
        "sku": (*WORDS, None)[rng.integers(len(WORDS) + 1)],
        "amount": (0, 1, 999, 1_000, -5, 2**62, -(2**62), 2**63 - 1, None)[rng.integers(9)],
        "weight": weights[rng.integers(len(weights))],
        "gift": (True, False, None)[rng.integers(3)],
        "paid_at": None if rng.random() < 0.1 else int(rng.integers(FIRST, LAST)),
    }


def _tiers(rng: np.random.Generator) -> Iterator[Said]:
    for number in range(3):
        at = -62_135_596_800_000_000 if number else FIRST + 20 * DAY
        for version in range(4):
            values = {"rate": (0.1, 0.7, None, -3.25)[rng.integers(4)], "label": ("gold", "tin", None)[rng.integers(3)], "since": 5}
            yield Said(f"t{number}", version, at, at, values, rng.random() < 0.1)
            at = max(at, FIRST) + int(rng.integers(0, 30 * DAY))


def tables(said: dict[str, list[Said]]) -> dict[str, pa.Table]:
    """The event tables of such logs."""
    return {source.name: event_table(source, said[source.name]) for source in (sales, tiers)}


def questions(rows: int, keys: int, log: Log, seed: int = 1) -> pa.Table:
    """So many questions, about strangers too, duplicates among them; half stand where a row becomes known or leaves a window, ±1 µs."""
    rng = np.random.default_rng(seed)
    moment, customer = _instants(rng, rows), rng.integers(0, keys + 2, rows)
    seen = [log[at] for at in rng.integers(0, len(log), rows // 2)]
    spans = (0, 0, 660_000_000, HOUR, 5 * HOUR, DAY, 3 * DAY, 7 * DAY, 28 * DAY)
    for i, said in enumerate(seen):
        hop = int(rng.choice([1, HOUR, DAY]))
        since = said.known_at if rng.random() < 0.5 else said.event_at // hop * hop + (hop if hop > 1 else 0)
        moment[i] = since + int(rng.choice(spans)) + int(rng.integers(-1, 2))
        customer[i] = int(said.values["customer"] or 0)
    twice = rng.integers(0, rows, rows // 50)
    moment[-len(twice) :], customer[-len(twice) :] = moment[twice], customer[twice]
    shop = [None if chance < 0.01 else f"s{c % 3}" for c, chance in zip(customer.tolist(), rng.random(rows).tolist(), strict=True)]
    return pa.table({"moment": pa.array(moment), "shop": pa.array(shop, pa.string()), "customer": pa.array(customer)})


def plainly(readings: Iterable[AnyReading], logs: Logs, asked: pa.Table, *, known_at: int | None = None) -> dict[str, list[Answer]]:
    """What the plain reader says of each question: it is given only the rows that were ever about the question's customer."""
    of_key: dict[tuple[str | None, int], list[str]] = {}
    of_id: dict[str, list[Said]] = {}
    for said in logs["sales"]:
        of_id.setdefault(said.id, []).append(said)
        of_key.setdefault((said.values["shop"], said.values["customer"]), []).append(said.id)  # type: ignore[index, arg-type]
    single = [reading for reading in readings if not isinstance(reading, calendar)]
    made: dict[str, list[Answer]] = {reading.name: [] for reading in single}
    rows = zip(asked["moment"].to_pylist(), asked["shop"].to_pylist(), asked["customer"].to_pylist(), strict=True)
    for moment, shop, customer in rows:
        mine = [said for id in dict.fromkeys(of_key.get((shop, customer), ())) for said in of_id[id]]
        keys = {"shop": shop, "customer": str(customer)}
        for reading in single:
            whose = dict.fromkeys(leaves(reading), keys)
            made[reading.name].append(plain({**logs, "sales": mine}, reading, whose, moment, known_at=known_at))
    return made


def differences(found: pa.Table, expected: Mapping[str, list[Answer]]) -> list[tuple[str, int]]:
    """Which column at which row is not what was expected, to the last bit; minus nothing is never an answer."""
    return [
        (name, i)
        for name, values in expected.items()
        for i, (one, other) in enumerate(zip(found[name].to_pylist(), values, strict=True))
        if one != other or (one == 0 and math.copysign(1.0, one) < 0)
    ]
