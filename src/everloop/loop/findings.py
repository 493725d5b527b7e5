"""What is wrong with the events as they are now: every ``must=``, and the volume of sources that do not ask for it. Keeps nothing."""

from __future__ import annotations

from datetime import datetime

from everloop import checks, lake
from everloop.checks.volume import volume, volume_finding
from everloop.loop.arriving import arrived
from everloop.loop.expected import overdue_finding
from everloop.loop.house import House
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
    unasked = [s for s in model.sources if s.time and not any(isinstance(c, usual_volume) for c in s.must)]
    usual = usual_volume()
    return (
        *report.findings,
        *overdue_now(house, model, now),
        *(volume_finding(usual, s, volume(tables[s.name], now, late=s.late, by=usual.by)) for s in unasked),
    )


def overdue_now(house: House, model: Model, now: datetime) -> tuple[Finding, ...]:
    """What sources that a model reads were due to bring, and have not."""
    found = (overdue_finding(s, arrived(house, s), now) for s in model.sources if s.arrives is not None)
    return tuple(finding for finding in found if finding is not None)
