"""What sources that say ``arrives=`` had brought by an instant, and what of it a model's truth waits for. In: a house. Out: deliveries.

Only what came before the instant counts, as with rows: so the same is found whenever it is asked again, and what was decided replays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

import pyarrow.compute as pc

from everloop.clock import from_microseconds, microseconds, said
from everloop.features.delivered import Delivered
from everloop.features.moments import FOREVER
from everloop.lake.snapshot import read_source
from everloop.lake.tables import Delivery
from everloop.loop.arriving import DELIVERIES
from everloop.loop.expected import looked_at_since, missing_since
from everloop.loop.house import House
from everloop.project.model import Model
from everloop.project.reading import leaves
from everloop.project.resolve import readings_in
from everloop.project.source import Source

A_DAY = timedelta(days=1)


def brought(house: House, model: Model, now: datetime) -> dict[str, Delivered]:
    """By source, what had come before ``now`` (aware) of those that a model reads and that say when they arrive; without those of which
    nothing had come at all."""
    found = {}
    for source in model.sources:
        spans = _spans(house, source, now) if source.arrives is not None else []
        if spans:
            missing = missing_since(source, [at for span in spans for at in span], now)
            begins, ends = zip(*((microseconds(begin), microseconds(end)) for begin, end in spans), strict=True)
            found[source.name] = Delivered(begins, ends, FOREVER if missing is None else microseconds(missing.at))
    return found


def waited_for(house: House, model: Model, now: datetime) -> tuple[str, ...]:
    """What the truth of a model, or what voids it, waits for ``now``: a clause for each source that is overdue."""
    readings = (*leaves(model.predicts), *readings_in(model.void_when))
    sources = {reading.source.name: reading.source.base for reading in readings if reading.source.arrives is not None}
    found = []
    for source in sources.values():
        assert source.arrives is not None
        came = [at for span in _spans(house, source, now, since=looked_at_since(source.arrives, now)) for at in span]
        missing = missing_since(source, came, now)
        if missing is not None:
            found.append(f"{source.name} were due at {said(missing.at)} and have not come, and {model.name} learns from them what was true")
    return tuple(found)


def _spans(house: House, source: Source, now: datetime, *, since: datetime | None = None) -> list[tuple[datetime, datetime]]:
    """From when to when deliveries came before an instant, oldest first: a file at once, single rows over their day. Of those before
    ``since`` no more than one has to be there."""
    most = None if since is None else DELIVERIES
    while True:
        kept = house.lake.log.deliveries(source.name, newest=most)
        found = [one for one in kept if one.at < now and (one.withdrawn_at is None or one.withdrawn_at >= now)]
        if most is None or since is None or len(kept) < most or (found and found[0].at < since):
            break
        most *= 8
    spans = [(one.at, _through(one, found[number + 1 :], now)) for number, one in enumerate(found)]
    if found and found[-1].singles:
        spans[-1] = (found[-1].at, max(found[-1].at, _last_known(house, source, now)))
    return spans


def _through(one: Delivery, after: Sequence[Delivery], now: datetime) -> datetime:
    if not one.singles:
        return one.at
    over = datetime.combine(one.at.astimezone(UTC).date(), time(), tzinfo=UTC) + A_DAY
    return min([over, now, *(other.at for other in after[:1])])


def _last_known(house: House, source: Source, now: datetime) -> datetime:
    """When the newest row was known before an instant."""
    last = house.lake.log.counters(source.name).last_known
    if last >= microseconds(now):
        # Asked of the past: what came since is not to be known.
        last = pc.max(read_source(house.lake, source, known_before=now, columns=["known_at"]).column("known_at")).as_py()
    return now - A_DAY if last is None else from_microseconds(last)
