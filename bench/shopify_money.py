"""Money, honestly: how often a shop in which the model brings nothing is told that it brings something, and how soon one in which it
does is told so. Two hundred and more made-up shops with refunds that come weeks later and tails of every weight; four rivals look on.

``python -m bench shopify money``; about four CPU minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from scipy.stats import norm

from bench.goal import Goal, at_least, at_most
from bench.shopify_world import DAY, KINDS, SPANS, Kind, Simulated, simulated
from everloop.clock import microseconds
from everloop.connect.shopify.ledger import Ledger
from everloop.connect.shopify.money import Settled, account, settled
from everloop.stats.evalue import arm_process, bounded
from everloop.stats.intervals import share_bounds
from everloop.stats.lift import after_each, brought, terms
from everloop.stats.sequences import difference
from everloop.stats.shapes import Floats

SHOPS = 200
UNITS = 6_000
NEEDS = 20.0
WITHIN = SPANS.within // timedelta(microseconds=1)


@dataclass(frozen=True)
class Looked:
    """What each judge said of one shop, having looked all the time."""

    more: float
    less: float
    covered: bool
    welch: bool
    once: bool
    anew: bool
    claimed: bool
    asymptotic: bool


def money() -> Iterator[Goal]:
    """All goals of this part."""
    yield from null_shops()
    yield from power()


def null_shops(shops: int = SHOPS, units: int = UNITS) -> Iterator[Goal]:
    """Shops in which the model brings nothing, looked at after every unit."""
    rng = np.random.default_rng(80)
    looked = [null_shop(simulated(rng, KINDS[n % len(KINDS)], units)) for n in range(shops)]

    def share(name: str, limit: float | None = None) -> float:
        return float(np.mean([getattr(one, name) if limit is None else getattr(one, name) >= limit for one in looked]))

    false, harmed = share("more", NEEDS), share("less", NEEDS)
    bound = share_bounds(round(false * shops), shops, 0.99)[1]
    beside = f"99 % bound {bound:.1%}; {shops} shops of {len(KINDS)} kinds, {units:,} units each; proven to bring less: {harmed:.1%}"
    yield at_most("null shops told that the model brings more", false, 0.05, "share", beside)
    yield at_least("null shops whose interval holds the truth at the end", share("covered"), 0.95, "share", f"{shops} shops")
    beside = (
        f"the same test looked at once, at the end: {share('once'):.0%}; asymptotic sequence: {share('asymptotic'):.0%}; "
        f"bets made anew whenever something is refunded: {share('anew'):.1%}"
    )
    yield at_least("null shops told so by Welch's test, looked at weekly", share("welch"), 0.15, "share", beside)
    yield at_least("null shops in which attribution claims money", share("claimed"), 1.0, "share", "what was bought from a list")


def null_shop(shop: Simulated) -> Looked:
    """What the judges say of one shop."""
    done = settled(shop.lines, shop.met, shop.until, since=shop.since)
    if done.cap is None or not len(done.values):
        return Looked(1.0, 1.0, True, False, False, False, True, False)
    more, less = after_each(done.values, done.model, done.share, most=done.cap, before=done.before)
    found = brought(done.values, done.model, done.share, most=done.cap, before=done.before)
    course = difference(done.values, done.model, done.share)
    weekly = [welch(values, arm) for values, arm in each_week(shop)]
    said = account("recommend", shop.lines, shop.met, shop.until, since=shop.since)
    return Looked(
        more=float(more.max()),
        less=float(less.max()),
        covered=found.low <= 0 <= found.high,
        welch=any(weekly),
        once=weekly[-1],
        anew=any(bet(values, arm, 1 - shop.met.control, done.cap) >= NEEDS for values, arm in each_week(shop, closed=True)),
        claimed=sum(arm.through for arm in said.arms) > 0,
        asymptotic=course is not None and bool((course.low > 0).any()),
    )


def each_week(shop: Simulated, *, closed: bool = False) -> Iterator[tuple[Floats, Floats]]:
    """Week by week what everybody met so far has bought, as it is known then; ``closed``: of those only whose span is over."""
    book, met = Ledger.of(shop.lines, shop.met.unit), shop.met
    for now in range(microseconds(shop.since) + 28 * DAY, microseconds(shop.until) + 1, 7 * DAY):
        there = met.at + (WITHIN if closed else 0) <= now
        yield book.of_units(met.at, met.at + WITHIN, known=np.full(len(met), now))[there], (~met.kept[there]).astype(np.float64)


def welch(values: Floats, arm: Floats) -> bool:
    """Whether the usual one-sided test calls the model's units better, at 5 %."""
    mine, others = values[arm > 0.5], values[arm < 0.5]
    if min(len(mine), len(others)) < 20:
        return False
    error = np.sqrt(mine.var(ddof=1) / len(mine) + others.var(ddof=1) / len(others))
    return bool(error > 0 and (mine.mean() - others.mean()) / error > norm.ppf(0.95))


def bet(values: Floats, arm: Floats, share: float, cap: float) -> float:
    """The rival that bets on what is known today, refunds of old units included."""
    found, bound = terms(values, arm, np.full(len(values), share), most=cap)
    return bounded(found, bound).value


def power(shops: int = 20) -> Iterator[Goal]:
    """Shops in which the model brings something: how many are told so, and after how many units."""
    rng = np.random.default_rng(81)
    grocer, fashion, half, dear = KINDS[1], KINDS[0], KINDS[4], KINDS[3]

    def told(kind: Kind, units: int, lift: float) -> tuple[float, str]:
        found = [first_proof(simulated(rng, kind, units, lift=lift)) for _ in range(shops)]
        took = [units_ for units_, _ in found if units_ is not None]
        without = np.mean([other for _, other in found])
        middle = f"median {int(np.median(took)):,} settled units" if took else "none"
        beside = (
            f"{middle}; bet on events alone, nothing foreseen: {without:.0%}; {shops} shops of {units:,} units, control {kind.control:g}"
        )
        return len(took) / shops, beside

    share, beside = told(grocer, 30_000, 0.1)
    yield at_least("a lift of 10 % is proven: grocer, nearly all return", share, 0.8, "share", beside)
    share, beside = told(grocer, 100_000, 0.05)
    yield at_least("a lift of 5 % is proven: grocer, nearly all return", share, 0.8, "share", beside)
    share, beside = told(half, 100_000, 0.2)
    yield at_least("a lift of 20 % is proven: half keeps the baseline", share, 0.8, "share", beside)
    # Told, and no goal: what a control of a tenth cannot find.
    share, beside = told(fashion, 100_000, 0.2)
    yield at_least("a lift of 20 % is proven: fashion, a third comes back", share, 0.0, "share", beside)
    share, beside = told(dear, 100_000, 0.2)
    yield at_least("a lift of 20 % is proven: jewels, few and dear", share, 0.0, "share", beside)


def first_proof(shop: Simulated) -> tuple[int | None, bool]:
    """After how many settled units it was proven, if it was; and whether bets on events alone would have."""
    done = settled(shop.lines, shop.met, shop.until, since=shop.since)
    if done.cap is None:
        return None, False
    more, _ = after_each(done.values, done.model, done.share, most=done.cap, before=done.before)
    reached = np.flatnonzero(more >= NEEDS)
    return (int(reached[0]) + 1 if len(reached) else None), by_events(done) >= NEEDS


def by_events(done: Settled) -> float:
    """The largest evidence of ``evalue.arm_process``, which roll-outs are judged by."""
    assert done.cap is not None
    bought = done.values > 0
    weight = np.minimum(done.values[bought] / done.cap, 1.0)
    return float(arm_process(done.model[bought], done.share[bought], weight).max(initial=1.0))
