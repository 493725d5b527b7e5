"""Going on: a turn that was killed is finished, as the same turn, before another one begins. It surrounds ``turn``, and never enters it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from everloop.errors import CodeChanged, LearnerFailed, Overtaken, StoreError
from everloop.loop.govern import WATCH
from everloop.loop.house import House
from everloop.loop.keep import Cancelled, turn_id
from everloop.loop.serve.compiled import compile_served
from everloop.loop.serve.routes import write_routes
from everloop.loop.turn import turn
from everloop.project.model import Model
from everloop.records import Decision

OF_THE_RING = ("schedule", "demand", "approved", WATCH)
NEXT = timedelta(microseconds=1)


def go_round(house: House, model: Model, now: datetime, cause: str = "schedule") -> Decision:
    """Once round the ring; first what a process that died left open, at its own moment and for its own cause.

    What was begun by another state of the project file is not gone on with: that turn ends as it is, and another begins a microsecond
    later. Raises HouseBusy where another process turns the model.
    """
    left = house.turns.opened(model.name)
    try:
        if left is not None and left.cause in OF_THE_RING and left.id != turn_id(model, now, cause):
            with suppress(Cancelled, LearnerFailed, Overtaken):  # how it ends is in the journal, and no matter of the new one
                turn(house, model, left.now, left.cause)
        return _as_it_is_now(house, model, now, cause)
    finally:
        # What was decided is decided, also where workers cannot be told now: the controller tells them again.
        with suppress(StoreError):
            compile_served(house, now)
            write_routes(house)


def _as_it_is_now(house: House, model: Model, now: datetime, cause: str) -> Decision:
    """The turn of this moment, or of the next one where this one belongs to other code."""
    while True:
        begun = house.turns.find(turn_id(model, now, cause))
        try:
            return turn(house, model, now, cause)
        except CodeChanged:
            if begun is None or begun.code == house.project.code:
                raise  # the file was changed under this process, not before it
            now += NEXT
