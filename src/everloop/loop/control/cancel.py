"""Cancelling: a person ends the turn under way, its training included, from any process, at once. What answers stays as it was.

One transaction marks the turn and journals who ended it and why; whoever turns it looks at that mark five times a second while a child
works, and in the transaction of every step, so nothing of a cancelled turn is kept afterwards.
"""

from __future__ import annotations

from everloop.clock import said, wall
from everloop.errors import EverloopError
from everloop.loop.house import House
from everloop.loop.keep import cancel_id, keep_record
from everloop.project.model import Model
from everloop.records import Decision


def cancel(house: House, model: Model, by: str, reason: str) -> str:
    """End the open turn of a model. Returns what happened, in a sentence.

    Raises EverloopError where no turn is under way, or without a name and a reason.
    """
    if not by.strip() or not reason.strip():
        raise EverloopError("Ending a turn needs a name and a reason. Say --by and --reason.")
    with house.store.transaction() as t:
        turn = house.turns.opened(model.name, within=t)
        if turn is None:
            raise EverloopError(f"No turn of {model.name} is under way, so there is nothing to cancel. See: everloop status")
        house.turns.finish(t, turn.id, at=wall(), state="cancelled")
        traffic = house.pointers.current(model.name, within=t)
        word = Decision(
            id=cancel_id(turn.id),
            made_at=turn.now,
            made_from=(traffic.id,) if traffic else (),
            model=model.name,
            action="hold",
            because=(f"{by} ended the turn: {reason}",),
            cause="cancelled",
            by=by,
        )
        keep_record(house, t, word, model=model, turn=turn.id, verb="cancel")
    return f"{model.name}: {by} ended the turn for {said(turn.now)}: {reason}. What answers stays as it was."
