"""Made-up shops in which the model's part is known: buyers who differ, tails of every weight, refunds that come weeks later,
cancellations, seasons, customers with a past and visitors without. Seeded; amounts in cents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.clock import microseconds
from everloop.connect.shopify.money import Met, Spans

BEGAN: Final = datetime(2026, 1, 5, tzinfo=UTC)
DAY: Final = 86_400_000_000
SPANS: Final = Spans()


@dataclass(frozen=True)
class Kind:
    """A kind of shop. ``orders`` is how many a unit makes in the span its money is counted over, ``tail`` the σ of a lognormal order value
    or, with ``pareto``, the exponent of its tail; ``loyal`` the share of units with a past, who differ by ``apart`` (the σ of
    their own level)."""

    name: str
    orders: float
    tail: float
    refunds: float = 0.1
    loyal: float = 0.3
    apart: float = 0.5
    control: float = 0.1
    pareto: bool = False
    season: float = 0.2


KINDS: Final = (
    Kind("fashion, a third comes back", 0.04, 0.9, refunds=0.33),
    Kind("grocer, nearly all return", 1.5, 0.7, refunds=0.03, loyal=0.9, apart=0.8),
    Kind("wholesale, a Pareto tail of 1.5", 0.15, 1.5, pareto=True, loyal=0.6),
    Kind("jewels, few and dear", 0.01, 1.6, refunds=0.15),
    Kind("half keeps the baseline", 0.06, 1.0, control=0.5),
    Kind("a twentieth keeps the baseline", 0.06, 1.0, control=0.05),
    Kind("flash sales", 0.08, 0.8, season=0.95),
    Kind("subscriptions", 0.9, 0.3, refunds=0.02, loyal=0.95, apart=0.6),
)


@dataclass(frozen=True)
class Simulated:
    """A shop as its house knows it at the end (``lines``: every version of every line), and who was met."""

    lines: pa.Table
    met: Met
    since: datetime
    until: datetime


def simulated(rng: np.random.Generator, kind: Kind, units: int, *, lift: float = 0.0, days: int = 120) -> Simulated:
    """A shop that meets so many units over so many days; ``lift`` is by how much more often a unit of the model buys."""
    at = np.sort(rng.integers(0, days * DAY, units))
    loyal = rng.random(units) < kind.loyal
    level = np.exp(rng.normal(0, kind.apart, units) - kind.apart**2 / 2) * np.where(loyal, 1.0, 0.7)
    kept = rng.random(units) < kind.control
    within = SPANS.within // timedelta(microseconds=1)
    wave = 1 + kind.season * np.sin(2 * np.pi * at / DAY / 28 + rng.random() * 6)
    rate = kind.orders * level * wave
    after = _orders(rng, np.arange(units), rate * np.where(kept, 1.0, 1 + lift), at, within)
    past = _orders(rng, np.flatnonzero(loyal), 2 * kind.orders * level[loyal], at[loyal] - 2 * within, 2 * within)
    # A shop has had customers before anybody was answered.
    early = _orders(rng, np.arange(units, 2 * units), np.full(units, kind.orders), np.full(units, -within), within)
    owner, moment = (np.concatenate(each) for each in zip(after, past, early, strict=True))
    value = _values(rng, kind, len(owner))
    start = microseconds(BEGAN)
    met = Met(_names(np.arange(units)), np.where(kept, "control", "champion").astype(object), start + at, kept, kind.control)
    return Simulated(_versions(rng, kind, owner, start + moment, value), met, BEGAN, BEGAN + timedelta(days=days + 60))


def _orders(
    rng: np.random.Generator, owner: NDArray[np.int64], rate: NDArray[np.float64], first: NDArray[np.int64], span: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    number = rng.poisson(rate)
    return np.repeat(owner, number), np.repeat(first, number) + rng.integers(0, span, int(number.sum()))


def _values(rng: np.random.Generator, kind: Kind, n: int) -> NDArray[np.int64]:
    """Net cents of each order; the median is about 40."""
    value = rng.pareto(kind.tail, n) + 1 if kind.pareto else np.exp(rng.normal(0, kind.tail, n))
    return np.rint(np.minimum(value * 4000, 1e10)).astype(np.int64)


def _versions(rng: np.random.Generator, kind: Kind, owner: NDArray[np.int64], at: NDArray[np.int64], value: NDArray[np.int64]) -> pa.Table:
    """Each order as it was bought, and again for what came back: within weeks, and now and then later than anybody waits."""
    n = len(owner)
    luck = rng.random(n)
    back = np.flatnonzero(luck < kind.refunds + 0.02)
    cancelled = luck[back] < 0.02
    delay = np.where(cancelled, rng.exponential(0.5, len(back)), rng.exponential(14.0, len(back)))
    left = np.where(cancelled | (rng.random(len(back)) < 0.7), 0, value[back] // 2)
    ids = _names(np.arange(n), "l")
    known = np.concatenate([at, at[back] + (delay * DAY).astype(np.int64)])
    order = np.argsort(known, kind="stable")
    through = np.where(rng.random(n) < 0.2, "recommend@1", None)
    which = np.concatenate([np.arange(n), back])
    columns = {
        "id": pa.array(np.concatenate([ids, ids[back]])[order], pa.string()),
        "version": pa.array(known[order]),
        "event_at": pa.array(at[which][order]),
        "known_at": pa.array(known[order]),
        "deleted": pa.array(np.concatenate([np.zeros(n, dtype=bool), cancelled])[order]),
        "unit": pa.array(_names(owner)[which][order], pa.string()),
        "net": pa.array(np.concatenate([value, left])[order]),
        "currency": pa.array(["EUR"] * len(which), pa.string()),
        "arm": pa.array(through[which][order], pa.string()),
    }
    return pa.table({"seq": pa.array(np.arange(1, len(which) + 1)), **columns})


def _names(numbers: NDArray[np.int64], letter: str = "c") -> NDArray[np.object_]:
    return np.array([*(f"{letter}{number}" for number in numbers.tolist()), None], dtype=object)[:-1]
