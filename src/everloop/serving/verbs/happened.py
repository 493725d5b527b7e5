"""What happened: events, truths, outcomes, and answers another service gave. In: rows. Out: how many of them were kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from everloop.errors import Unknown
from everloop.records import Received
from everloop.serving import asks
from everloop.serving.bodies import json_rows, rows_of
from everloop.serving.desk import Ask, Desk, Reply, told
from everloop.serving.notices import notices
from everloop.serving.queries import known_after


async def events(desk: Desk, ask: Ask) -> Reply:
    """Rows of a source, kept together with others' that come at the same time."""
    if ask.name not in desk.doors.sources:
        raise Unknown("source", ask.name[:60], sorted(desk.doors.sources))
    after = known_after(ask.query)
    rows = await desk.read(ask, rows_of, ask.content_type, ask.body)
    with desk.under_way:
        kept = desk.doors.receive(ask.name, rows, ask.now, after)
        # Whoever hangs up does not take back what others' rows are being kept with.
        received = await asyncio.shield(asyncio.wrap_future(kept))
    return _received(desk, "everloop_events_total", ask.name, received)


async def truths(desk: Desk, ask: Ask) -> Reply:
    """Truths that are no event."""
    return await _told(desk, "truths", desk.doors.truths, ask)


async def outcomes(desk: Desk, ask: Ask) -> Reply:
    """Named outcomes of a unit or an answer."""
    return await _told(desk, "outcomes", desk.doors.outcomes, ask)


async def predictions(desk: Desk, ask: Ask) -> Reply:
    """Answers another service gave."""
    return await _told(desk, "predictions", desk.doors.predictions, ask)


async def arrivals(desk: Desk, ask: Ask) -> Reply:
    """Objects that were written to a store: those that lie where a source's files arrive are fetched and taken in."""
    said = await desk.read(ask, notices, ask.body)
    with desk.under_way:
        received = await desk.in_thread(desk.telling, desk.doors.arrived, said, ask.now)
    for one in received:
        _counted(desk, "everloop_events_total", one.source, one)
    return told(asks.arrivals_reply(received, len(said.written)))


async def _told(desk: Desk, noun: str, door: Callable[..., Received], ask: Ask) -> Reply:
    rows = await desk.read(ask, json_rows, ask.body)
    with desk.under_way:
        received = await desk.in_thread(desk.telling, door, rows, ask.now)
    return _received(desk, "everloop_told_total", noun, received)


def _counted(desk: Desk, family: str, name: str, received: Received) -> None:
    for outcome, count in (("kept", received.kept), ("duplicate", received.duplicates), ("refused", received.refused)):
        if count:
            desk.metrics.add(family, name, outcome, count=count)


def _received(desk: Desk, family: str, name: str, received: Received) -> Reply:
    _counted(desk, family, name, received)
    nothing = received.refused and not received.kept and not received.duplicates
    return told(asks.received_reply(received), 422 if nothing else 200)
