"""The ring, once round, for one model. Resumability, retries, schedules, leases and locks surround this; they never enter it."""

from __future__ import annotations

from datetime import datetime

from everloop.loop import wiring as do
from everloop.loop.house import House
from everloop.project.model import Model
from everloop.records import Decision


def turn(house: House, model: Model, now: datetime, cause: str = "schedule") -> Decision:
    """Go once round the ring for one model; every step's record is kept in the journal, once.

    ``now`` is business time (aware). Called again with the same ``now``, steps already kept are read back instead of done again.
    """
    with house.keeping(model, now, cause) as keep:
        traffic = house.traffic(model)
        signals = keep(do.watch, traffic)
        decision = keep(do.decide, traffic, signals)
        if decision.undoes:
            keep(do.undo, traffic, decision)
        elif decision.advances:
            keep(do.advance, traffic, decision)
        elif decision.retrains or decision.rehearses:
            snapshot = keep(do.snapshot)
            if keep(do.check, snapshot).passed and (training_set := keep(do.as_of, snapshot, decision)).learn_rows:
                candidate = keep(do.train, training_set)
                contest = keep(do.rehearse, traffic, candidate, training_set)  # both answer the same moments, each with its own features
                verdict = keep(do.judge, contest)
                if keep(do.permit, verdict).advances:
                    keep(do.begin, traffic, keep(do.admit, candidate, verdict))
    return decision
