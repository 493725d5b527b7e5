"""Concept drift: how far the detectors had come in the last turn, and what those of another library say of the same losses."""

from __future__ import annotations

import numpy as np

from everloop.connect.river import first_rise
from everloop.errors import Missing
from everloop.loop.house import House
from everloop.monitor.detector import LEAST, cap_of, in_order, losses_of
from everloop.monitor.error import judged
from everloop.monitor.seen import Alarm, Answered
from everloop.project.conditions import slipped
from everloop.project.metrics import name_of
from everloop.project.model import Model
from everloop.records import Followed, Signals, Traffic
from everloop.stats.measures import measure


def followed_before(house: House, model: Model, traffic: Traffic) -> dict[str, Followed]:
    """The detectors as the newest turn that was kept left them, by clause; only those of who is champion now."""
    for entry in house.journal.read(kind="Signals", model=model.name, newest_first=True, limit=1):
        if isinstance(entry.record, Signals):
            return {one.clause: one for one in entry.record.followed if one.version == traffic.champion}
    return {}


def alarms(model: Model, promised: Answered | None, answered: Answered | None) -> dict[str, Alarm]:
    """What river says of each ``slipped(…, detector="adwin")`` and "page_hinkley", by clause: on the contest and what matured since."""
    conditions = [c for c in (*model.retrain_when, *model.tell_when) if isinstance(c, slipped) and c.detector in ("adwin", "page_hinkley")]
    if promised is None or answered is None or not conditions:
        return {}
    before, since = judged(promised), judged(answered)
    return {repr(c): _alarm(model, c, before, since) for c in conditions if len(before) >= LEAST}


def _alarm(model: Model, condition: slipped, before: Answered, since: Answered) -> Alarm:
    one = measure(name_of(condition.on, model.metric))
    cap = cap_of(one, before)
    lot = since.take(in_order(since))
    losses = np.concatenate([losses_of(one, before.take(in_order(before)), cap), losses_of(one, lot, cap)])
    try:
        found = first_rise(str(condition.detector), losses, after=len(before))
    except Missing as missing:
        return Alarm(len(since), why_silent=str(missing))
    return Alarm(len(since), None if found is None else int(lot.moments[found - len(before)]))
