"""When is a model due to be turned? Pure: a model, the last tick it was turned for, and now. Reads no clock.

It ticks when its questions are asked (``asked=``), every hour where it is asked about the rows of a source, and while something is rolled
out also when the step of the roll-out ends. After an absence only the newest tick that was missed is due: one turn sees what all of them
would have seen.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from everloop.features.moments import ticks
from everloop.project.model import Model
from everloop.project.shape import bakes_for
from everloop.project.spans import every
from everloop.records import Traffic
from everloop.rollout.plan import steps

HOURLY = every(timedelta(hours=1))


def due(model: Model, last: datetime | None, now: datetime, *, traffic: Traffic | None = None) -> datetime | None:
    """The tick a turn is due for at ``now``: the newest one after ``last`` and not after ``now``; None if there is none.

    All instants are aware. ``last`` is the tick that was turned last, None if none ever was; ``traffic`` the one in force. Where the
    clock was set back before ``last``, nothing is due until it has passed it again.

    >>> from datetime import UTC
    >>> from everloop import Model, Source, days, every
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str})
    >>> churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(1), at="02:00", zone="UTC"),
    ...               knows=orders.count(last=days(28)), learner=print)
    >>> monday = datetime(2026, 11, 2, 2, tzinfo=UTC)
    >>> due(churn, monday, monday + timedelta(hours=23)) is None
    True
    >>> due(churn, monday, monday + timedelta(days=5, hours=3)).isoformat()
    '2026-11-07T02:00:00+00:00'
    """
    found = [tick for tick in (_newest(model.asked or HOURLY, now), step_ends(model, traffic)) if tick is not None and tick <= now]
    newest = max(found, default=None)
    return newest if newest is not None and (last is None or newest > last) else None


def coming(model: Model, now: datetime, *, traffic: Traffic | None = None) -> tuple[datetime, str]:
    """The next instant after ``now`` at which a turn will be due by itself, and why then, in a few words.

    >>> from datetime import UTC
    >>> from everloop import Model, Source, days, every
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str})
    >>> churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(1), at="02:00", zone="UTC"),
    ...               knows=orders.count(last=days(28)), learner=print)
    >>> at, why = coming(churn, datetime(2026, 11, 2, 3, tzinfo=UTC))
    >>> at.isoformat(), why
    ('2026-11-03T02:00:00+00:00', 'its questions are asked')
    """
    clock = model.asked or HOURLY
    asked = next(tick for tick in ticks(clock, now, now + 2 * clock.span + (timedelta(days=2) if clock.at else timedelta(0))) if tick > now)
    ends = step_ends(model, traffic)
    if ends is not None and now < ends < asked:
        return ends, "the step of its roll-out ends"
    return asked, "its questions are asked" if model.asked else "it is looked at every hour"


def step_ends(model: Model, traffic: Traffic | None) -> datetime | None:
    """When the step of a roll-out ends that a traffic is in: when the plan, or the bake, says something is to be done."""
    if traffic is None or not traffic.rolling:
        return None
    if traffic.stage == "bake":
        return traffic.since + bakes_for(model)
    row = steps(model.roll_out)
    # A plan that was shortened meanwhile is over.
    return traffic.since + (row[traffic.step].lasts if traffic.step < len(row) else timedelta(0))


def _newest(clock: every, now: datetime) -> datetime | None:
    # Two spans and two days hold a tick for certain, whatever a change of clocks does to a day.
    found = ticks(clock, now - 2 * clock.span - (timedelta(days=2) if clock.at else timedelta(0)), now)
    return found[-1] if found else None
