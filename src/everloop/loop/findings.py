"""What is wrong with the events as they are now: every ``must=``, and the volume of sources that do not ask for it. Keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import pyarrow as pa

from everloop import checks, lake
from everloop.checks.volume import volume, volume_finding
from everloop.loop.arriving import arrived
from everloop.loop.expected import overdue_finding
from everloop.loop.house import House
from everloop.monitor.unfit import stands_in_the_way
from everloop.project.conditions import usual_volume
from everloop.project.model import Model
from everloop.project.resolve import awaited
from everloop.records import Finding, Snapshot


def findings_now(house: House, model: Model, now: datetime) -> tuple[Finding, ...]:
    """What a check of everything known would find, before anybody wishes to learn; nothing is sealed for it."""
    tables = house.tables(model)
    deliveries = [d for source in model.sources for d in lake.deliveries(house.lake, source)]
    everything = Snapshot(id="now", made_at=now, extents=())
    report = checks.check(
        everything, tables, model, deliveries=deliveries, since_seq=house.last_fit(model),
        awaited=awaited(house.project.models.values()), now=now, id="now",
    )  # fmt: skip
    return (*report.findings, *overdue_now(house, model, now), *_volumes_unasked(model, tables, now))


def stopped(model: Model, tables: Mapping[str, pa.Table], now: datetime) -> tuple[Finding, ...]:
    """Sources of which next to nothing happened in the last day, though they do not say ``usual_volume()``: a turn learns nothing from such
    data, so no check calls it fit. ``tables`` has the event table of each source."""
    return tuple(finding for finding in _volumes_unasked(model, tables, now) if stands_in_the_way(model, finding))


def _volumes_unasked(model: Model, tables: Mapping[str, pa.Table], now: datetime) -> Iterator[Finding]:
    usual = usual_volume()
    for source in model.sources:
        if source.time and not any(isinstance(c, usual_volume) for c in source.must):
            yield volume_finding(usual, source, volume(tables[source.name], now, late=source.late, by=usual.by))


def overdue_now(house: House, model: Model, now: datetime) -> tuple[Finding, ...]:
    """What sources that a model reads were due to bring, and have not."""
    found = (overdue_finding(s, arrived(house, s), now) for s in model.sources if s.arrives is not None)
    return tuple(finding for finding in found if finding is not None)
