"""Asking again for what failed or was given up: by a person, from any process, journalled with the name and the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from everloop.clock import said, wall
from everloop.errors import EverloopError, Unknown
from everloop.loop.house import House
from everloop.records import Decision, identity
from everloop.registry.errands import Errand, Errands


def ask_again(house: House, errand: str, *, by: str, reason: str, now: datetime) -> Errand:
    """An errand that failed waits again, for the same moment; the errand as it waits now.

    Raises Unknown, and EverloopError for one that has not failed, or without a name and a reason.
    """
    if not by.strip() or not reason.strip():
        raise EverloopError("Asking again needs a name and a reason.")
    errands = Errands(house.store)
    with house.store.transaction() as t:
        there = errands.find(errand, within=t)
        if there is None:
            raise Unknown("errand", errand, where="this house")
        if there.state != "failed":
            raise EverloopError(
                f"The {there.verb} of {there.model} for {said(there.now)} is {there.state}; only what failed is asked again."
            )
        waits = errands.ask(t, replace(there, asked_at=wall()))
        word = Decision(
            id=identity("again", errand, by, wall().isoformat()),
            made_at=now,
            model=there.model,
            action="hold",
            because=(f"{by} asked again for the {there.verb} for {said(there.now)}, which had failed: {reason}",),
            cause="asked again",
            by=by,
        )
        house.journal.append(t, word, verb="again", back=timedelta.max)
    return waits
