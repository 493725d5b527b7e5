"""The hand on a roll-out: a person puts a stop to it, lets it go on, sets its share, or hurries it a step on; with actor and reason, in
the journal.

A hold is the kill switch: it waits for no turn, wins over every one under way (whose fence it moves), and stands in house.db until
somebody releases it. Each is one transaction, and then spread to the workers; each raises ClockWentBack for a ``now`` before the traffic
in force.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from everloop import rollout
from everloop.errors import EverloopError
from everloop.loop.adopt import adopt
from everloop.loop.house import House
from everloop.loop.keep import keep_record
from everloop.loop.people import take_back, unmoved
from everloop.loop.serve.routes import spread
from everloop.project.model import Model
from everloop.records import HELD, Action, Decision, Traffic, identity
from everloop.rollout.plan import steps


class Move(Protocol):
    """From the traffic in force to the next, by a person's word."""

    def __call__(self, traffic: Traffic, *, by: str, reason: str, now: datetime, id: str, made_from: tuple[str, ...]) -> Traffic: ...


def hold(house: House, model: Model, *, by: str, reason: str, now: datetime) -> str:
    """No candidate answers anybody, and nothing is rolled out until somebody releases it. A candidate in shadow or canary is taken back as
    by an undo; questions that wait are withdrawn with it. Returns what happened, in sentences: also how many workers answer by it, and
    after how long.

    Raises EverloopError without a name and a reason, and where it is held already.
    """
    if house.pointers.current(model.name) is None:
        adopt(house, model, now)

    def free(t: Connection, traffic: Traffic) -> Traffic:
        tested = traffic.stage in ("shadow", "canary")
        return take_back(house, t, model, by=by, reason=reason, now=now) if tested else traffic

    return _moved(house, model, "hold", rollout.hold, by=by, reason=reason, now=now, first=free)


def release(house: House, model: Model, *, by: str, reason: str, now: datetime, generation: int | None = None) -> str:
    """Roll-outs may begin and go on again; who was dropped does not come back by itself. Returns what happened, in sentences. With
    ``generation`` only a hold on the traffic of that generation is released.

    Raises EverloopError without a name and a reason, and where nobody holds it; Overtaken for another generation.
    """
    return _moved(house, model, "release", rollout.release, by=by, reason=reason, now=now, generation=generation)


def set_share(
    house: House, model: Model, share: float | None, *, by: str, reason: str, now: datetime, generation: int | None = None
) -> str:
    """The candidates of a canary answer this share of the units (above 0, up to 1) from now on; None: as the plan says. Returns what
    happened, in sentences. With ``generation`` only that of the traffic of that generation is set.

    Raises EverloopError without a name and a reason, and for what ``rollout.set_share`` refuses; Overtaken for another generation.
    """

    def moved(traffic: Traffic, **words: object) -> Traffic:
        return rollout.set_share(traffic, share, model.roll_out, **words)  # type: ignore[arg-type]

    return _moved(house, model, "share", moved, by=by, reason=reason, now=now, generation=generation)


def go_on(house: House, model: Model, *, by: str, reason: str, now: datetime, generation: int | None = None) -> str:
    """The next step of a roll-out now, not when the plan says: a larger share, or after the last one the candidate takes over. Returns what
    happened, in sentences. With ``generation`` only from the step of that generation, so that whoever says it twice goes one step.

    Raises EverloopError without a name and a reason, where nothing is in shadow or canary, where the step is a test, which cannot be
    hurried, and where a person has set the share; Overtaken while one holds the model, and for another generation.
    """

    def moved(traffic: Traffic, *, by: str, reason: str, now: datetime, id: str, made_from: tuple[str, ...]) -> Traffic:
        rollout.require_released(traffic)
        if traffic.stage not in ("shadow", "canary"):
            raise EverloopError(f"{model.name} has nothing in shadow or canary, so there is no step to take. See: everloop status")
        row = steps(model.roll_out)
        if traffic.step < len(row) and row[traffic.step].test:
            raise EverloopError(
                f"{model.name} is in a test, and a test that is ended early has proven nothing. Let it end, or take it back: "
                f"everloop undo {model.name}"
            )
        return rollout.step(traffic, model.roll_out, now=now, id=id, because=f"{by}: {reason}", made_from=made_from)

    return _moved(house, model, "advance", moved, by=by, reason=reason, now=now, cause="demand", generation=generation)


def _as_it_is(_within: Connection, traffic: Traffic) -> Traffic:
    return traffic


def _moved(
    house: House,
    model: Model,
    action: Action,
    move: Move,
    *,
    by: str,
    reason: str,
    now: datetime,
    first: Callable[[Connection, Traffic], Traffic] = _as_it_is,
    cause: str = HELD,
    generation: int | None = None,
) -> str:
    """Move the traffic by a person's word, in one transaction, and tell the workers."""
    if not by.strip() or not reason.strip():
        raise EverloopError("A word on a roll-out needs a name and a reason. Say --by and --reason.")
    with house.store.transaction() as t:
        there = house.pointers.current(model.name, within=t)
        if there is None:
            raise EverloopError(f"{model.name} has not begun. Begin with: everloop turn {model.name}")
        unmoved(model, there, generation)
        house.not_before(there, now)
        traffic = first(t, there)
        id = identity(action, model.name, traffic.generation, now.isoformat())
        moved = move(traffic, by=by, reason=reason, now=now, id=identity(id, "traffic"), made_from=(id,))
        said = f"{_shares(traffic, moved)}{reason}"
        word = Decision(id=id, made_at=now, made_from=(traffic.id,), model=model.name, action=action, because=(said,), cause=cause, by=by)
        keep_record(house, t, word, model=model, turn=id, verb=action)
        keep_record(house, t, moved, model=model, turn=id, verb=action)
    return " ".join(filter(None, (f"{model.name}: {house.named(moved)}", spread(house, model.name, moved.generation))))


def _shares(before: Traffic, after: Traffic) -> str:
    return f"{100 * after.share:.4g} % instead of {100 * before.share:.4g} %, " if before.share != after.share else ""
