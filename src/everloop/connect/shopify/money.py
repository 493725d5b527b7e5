"""What a model brought in money: net revenue of the units it answers against that of units a control keeps on the baseline. Pure.

A unit is who was answered: a customer, or the anonymous token of a browser, which its orders carry (``orders.UNIT``). What it bought in the
span after it was first met is its money: after discounts, refunds, cancellations and taxes, without shipping. Its bet is made once, when
that span and the time for returns are over, on what was known then; what comes back later moves the figures of today, and no evidence that
was there already. A bet that is made anew whenever a refund comes in could be won by waiting for a good moment.

Whose a unit is follows from its hash, never from what it saw or clicked. What passed through a list (``orders.CARRIER``) is told beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import microseconds
from everloop.connect.shopify.ledger import Flags, Instants, Ledger
from everloop.errors import EverloopError
from everloop.stats.lift import Brought, brought
from everloop.stats.shapes import Floats

QUANTILE: Final = 0.995
"""Of what a buyer spent in such a span before the start: what lies above counts as this."""
ENOUGH: Final = 50
"""Buyers it takes to say what is much."""
CONTROL: Final = "control"
"""The arm that keeps what the shop shows without us: what it buys from a list, it buys from the shop's own."""


@dataclass(frozen=True)
class Met:
    """Units in the order in which they were first answered: ``unit`` (n,) text, ``arm`` (n,) of that answer, ``at`` (n,) µs UTC, ``kept``
    (n,) whether the control has it. ``control`` is the share it has of all."""

    unit: NDArray[np.object_]
    arm: NDArray[np.object_]
    at: Instants
    kept: Flags
    control: float

    @classmethod
    def of(cls, met: pa.Table, control: float) -> Met:
        """From what ``loop.lift.first_met`` tells: ``unit``, ``arm``, ``answered_at`` and ``kept``."""
        unit, arm = (np.array([*met.column(name).to_pylist(), None], dtype=object)[:-1] for name in ("unit", "arm"))
        return cls(unit, arm, met.column("answered_at").to_numpy().astype(np.int64), met.column("kept").to_numpy().astype(bool), control)

    def __len__(self) -> int:
        return len(self.unit)


@dataclass(frozen=True)
class Spans:
    """How long after it was met what a unit buys counts, and how long after that something may still come back."""

    within: timedelta = timedelta(days=14)
    settles: timedelta = timedelta(days=30)


@dataclass(frozen=True)
class Settled:
    """What is bet on: a number for each unit that is settled, in order, as it was known when it was; fixed for ever then.

    ``counts`` (m,) says which of those met they are; ``values``, ``model`` (1 or 0), ``share`` and ``before`` (n,) are those of
    ``stats.lift.brought``, in minor units; ``cap`` is None while nothing says what is much.
    """

    counts: Flags
    values: Floats
    model: Floats
    share: Floats
    before: Floats
    cap: float | None
    waiting: int
    fixing: int


@dataclass(frozen=True)
class Arm:
    """What the settled units of one arm come to as it is known today, uncapped, in minor units: ``net`` of all, ``through`` what of it was
    bought from a list."""

    name: str
    units: int
    buyers: int
    net: int
    through: int


@dataclass(frozen=True)
class Account:
    """What a model brought, in minor units of ``currency``. ``found`` is of units that are settled, as known when each was; the arms are as
    known today. Money of units that were never met, and of lines in another currency, is compared with nobody."""

    model: str
    currency: str
    since: datetime
    until: datetime
    spans: Spans
    control: float
    confidence: float
    cap: float | None
    found: Brought | None
    arms: tuple[Arm, ...] = ()
    waiting: int = 0
    fixing: int = 0
    """Units that only said what is much, since nobody had bought before."""
    above_cap: float = 0.0
    """The share of the settled units' money that lies above the cap."""
    came_back_late: int = 0
    """What was refunded after its unit was settled."""
    elsewhere: int = 0
    """Net of units that were never met."""
    foreign: int = 0
    """Lines in another currency than most."""

    @property
    def says(self) -> str:
        """*brings more*, *brings less* or *not enough evidence*."""
        needs = 1 / (1 - self.confidence)
        if self.found is None or max(self.found.more, self.found.less) < needs:
            return "not enough evidence"
        return "brings more" if self.found.more >= needs else "brings less"


def account(
    model: str, lines: pa.Table, met: Met, now: datetime, *, since: datetime, spans: Spans | None = None, confidence: float = 0.95
) -> Account:
    """The account of a model at an instant.

    ``lines`` is the event table of ``sources.order_lines`` with every version of every line (``id``, ``version``, ``seq``, ``event_at`` and
    ``known_at`` in µs UTC, ``deleted``, ``unit``, ``customer_id``, ``net`` in minor units, ``currency``, ``arm``); ``since`` when the units
    began to be counted. The cap is fixed by what buyers spent before; where fewer than ``ENOUGH`` did, by the first of those met, who
    count no more.

    Raises EverloopError where the lines are in several currencies and none has most of them.
    """
    spans = spans or Spans()
    currency, kept_lines, foreign = _in_one_currency(lines)
    book, until = Ledger.of(kept_lines, met.unit), microseconds(now)
    done = _settled(book, met, until, microseconds(since), spans)
    found = None
    if done.cap is not None and len(done.values):
        found = brought(done.values, done.model, done.share, most=done.cap, before=done.before, confidence=confidence)
    last, known = met.at + _us(spans.within), np.full(len(met), until)
    newest, through = book.of_units(met.at, last, known=known), book.of_units(met.at, last, known=known, through=True)
    total, capped = float(done.values.sum()), float(np.minimum(done.values, np.inf if done.cap is None else done.cap).sum())
    return Account(
        model=model, currency=currency, since=since, until=now, spans=spans, control=met.control, confidence=confidence, cap=done.cap,
        found=found, arms=_arms(met, done.counts, newest, through), waiting=done.waiting, fixing=done.fixing,
        above_cap=1 - capped / total if total > 0 else 0.0,
        came_back_late=int(np.maximum(done.values - newest[done.counts], 0.0).sum()),
        elsewhere=book.elsewhere(microseconds(since), until), foreign=foreign,
    )  # fmt: skip


def settled(lines: pa.Table, met: Met, now: datetime, *, since: datetime, spans: Spans | None = None) -> Settled:
    """What is bet on, unit by unit; the arguments are those of ``account``."""
    return _settled(Ledger.of(_in_one_currency(lines)[1], met.unit), met, microseconds(now), microseconds(since), spans or Spans())


def _settled(book: Ledger, met: Met, until: int, since: int, spans: Spans) -> Settled:
    at, within, settles = met.at, _us(spans.within), _us(spans.settles)
    over = at + within + settles <= until
    then = book.of_units(at, at + within, known=at + within + settles)
    cap, fixing = _cap(book, since, within), np.zeros(len(met), dtype=bool)
    if cap is None:
        buyers = np.flatnonzero(over & (then > 0))[:ENOUGH]
        if len(buyers) == ENOUGH:
            cap = float(np.quantile(then[buyers], QUANTILE))
            fixing[: buyers[-1] + 1] = True
    counts = over & ~fixing
    past = np.where(book.heard_of(at - within, known=at), book.of_units(at - within, at, known=at), np.nan)
    return Settled(
        counts=counts, values=then[counts], model=(~met.kept[counts]).astype(np.float64), share=np.full(int(counts.sum()), 1 - met.control),
        before=past[counts], cap=cap, waiting=int((~over).sum()), fixing=int(fixing.sum()),
    )  # fmt: skip


def _arms(met: Met, counts: Flags, net: Floats, through: Floats) -> tuple[Arm, ...]:
    names = sorted(set(met.arm[counts].tolist()), key=lambda name: (name == CONTROL, name))
    found = []
    for name in names:
        mine = counts & (met.arm == name)
        found.append(Arm(name, int(mine.sum()), int((net[mine] > 0).sum()), int(net[mine].sum()), int(through[mine].sum())))
    return tuple(found)


def _cap(book: Ledger, since: int, within: int) -> float | None:
    """What a buyer's span counts for at most, from the spans that ended before the start; None where too few bought."""
    spent = book.spent_before(since, within)
    return float(np.quantile(spent, QUANTILE)) if len(spent) >= ENOUGH else None


def _in_one_currency(lines: pa.Table) -> tuple[str, pa.Table, int]:
    said = pc.value_counts(lines.column("currency").drop_null())
    if not len(said):
        return "", lines, 0
    counts = sorted(((one["counts"].as_py(), one["values"].as_py()) for one in said), reverse=True)
    if len(counts) > 1 and counts[0][0] == counts[1][0]:
        raise EverloopError(f"As many order lines are in {counts[0][1]} as in {counts[1][1]}; money is told in the shop's one currency.")
    mine = lines.filter(pc.or_kleene(pc.is_null(lines.column("currency")), pc.equal(lines.column("currency"), counts[0][1])))
    return counts[0][1], mine, len(lines) - len(mine)


def _us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
