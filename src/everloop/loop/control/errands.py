"""Errands of a house: ask its workers for a turn or for answers, wait until it has done so, and what doing so is.

In: a house, a verb, a model's name, business time. Out: an ``Errand``, and what came of it. Asking and waiting work in any process;
``carry_out`` is a worker's. Reads the wall clock (when it was asked) and the monotonic one (how long to wait).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from everloop import errors
from everloop.clock import monotonic, utc, wall
from everloop.errors import EverloopError, HouseBusy, UnderWay, Unknown
from everloop.loop.house import House
from everloop.records import Decision, Report, Verdict, Version
from everloop.registry.errands import Errand, Errands, Verb, errand_id, once_id
from everloop.registry.leases import Lease, Leases

CONTROLLER = "controller"
"""The lease that whoever leads a house holds."""
ASKED = "asked"
"""The cause of an errand that is a turn as of the schedule, and that somebody asked for."""
NOBODY = "Nobody turns this house: start everloop run, or everloop worker."
LOOK_EVERY = 0.02
LOOK_FOR_A_LEADER_EVERY = 0.2
GIVE_UP = 30.0
"""Seconds without a controller after which nobody is waited for: longer than a lease lasts and a takeover takes."""
SIMPLE = (
    "Overtaken",
    "CodeChanged",
    "HouseBusy",
    "HouseFull",
    "ClockWentBack",
    "LearnerFailed",
    "ArtefactBroken",
    "SettingsError",
    "StoreError",
)


def ask(
    house: House,
    verb: Verb,
    model: str,
    now: datetime,
    cause: str = "demand",
    *,
    once: str | None = None,
    joins: bool = False,
    within: Connection | None = None,
) -> Errand:
    """Wish for a turn of a model, or for its answers that are due (``score``), at ``now``; the same wish twice is one errand.

    Who cannot say the same ``now`` twice names the wish: with the same ``once`` it is the errand it was the first time, at the moment it
    was first asked for. A wish that ``joins`` is one with any like it that nobody has begun. Raises Unknown for a model nobody declared,
    EverloopError for a ``now`` without a zone.
    """
    house.project.model(model)
    now = utc(now)
    id = _id(verb, model, now, cause, once)
    wish = Errand(id=id, verb=verb, model=model, now=now, cause=cause, asked_at=wall())
    if within is not None:
        return Errands(house.store).ask(within, wish, joins=joins)
    with house.store.transaction() as t:
        return Errands(house.store).ask(t, wish, joins=joins)


def asked_before(house: House, verb: Verb, model: str, now: datetime, cause: str, once: str | None = None) -> bool:
    """Whether this very wish was asked before, whatever came of it."""
    return Errands(house.store).find(_id(verb, model, utc(now), cause, once)) is not None


def _id(verb: Verb, model: str, now: datetime, cause: str, once: str | None) -> str:
    return errand_id(verb, model, now, cause) if once is None else once_id(verb, model, cause, once)


def awaited(house: House, id: str, timeout: float, *, ends: Callable[[], bool] = lambda: False) -> Errand:
    """The errand when it has ended; looked at 50 times a second for at most ``timeout`` seconds, and until ``ends`` says so.

    Raises UnderWay after ``timeout``, where nobody turns the house any more or where this process ends, Unknown.
    """
    until, next_look, alone_since = monotonic() + timeout, 0.0, None
    while True:
        errand = Errands(house.store).find(id)
        if errand is None:
            raise Unknown("errand", id, where="this house")
        if errand.ended:
            return errand
        if monotonic() >= next_look:
            next_look = monotonic() + 1.0
            if controller_of(house) is not None:
                alone_since = None
            elif alone_since is None:
                alone_since = monotonic()  # it is starting, or it died and another one is
            elif monotonic() - alone_since > GIVE_UP:
                raise UnderWay(f"{NOBODY} The {errand.verb} of {errand.model} asked for is {errand.state}; whoever comes carries it out.")
        if monotonic() >= until:
            raise UnderWay(
                f"The {errand.verb} of {errand.model} asked for was not done within {timeout:g} seconds; it is {errand.state}. "
                f"It will be carried out all the same: everloop status"
            )
        if ends():
            raise UnderWay(f"This process ends. The {errand.verb} of {errand.model} is carried out all the same: everloop status")
        time.sleep(LOOK_EVERY)


def led(house: House, *, ends: Callable[[], bool] = lambda: False) -> None:
    """Wait until somebody turns the house, at most ``GIVE_UP`` seconds: what is asked only then is not left behind where nobody does.

    Raises EverloopError where nobody does by then, HouseBusy where this process ends.
    """
    until = monotonic() + GIVE_UP
    while controller_of(house) is None:
        if ends():
            raise HouseBusy("This process ends; nothing was asked of the house. Ask again.")
        if monotonic() >= until:
            raise EverloopError(NOBODY)
        time.sleep(LOOK_FOR_A_LEADER_EVERY)


def controller_of(house: House) -> Lease | None:
    """Who leads those that turn this house now: the holder of the controller's lease, by the wall clock; None where nobody does."""
    return Leases(house.store).held(CONTROLLER, now=wall())


def carry_out(house: House, errand: Errand) -> str:
    """Do what an errand wishes; returns what came of it as JSON.

    A turn says ``{"decision", "action", "sentence", "turn"}`` and, as far as it came, ``fit`` (was the data fit to learn from?),
    ``verdict`` and ``version`` (what was let in); a score ``{"answers"}``. Raises what a turn or an answer raises.
    """
    model = house.project.model(errand.model)
    if errand.verb == "score":
        from everloop.loop.answers import answer_due

        return json.dumps({"answers": answer_due(house, model, errand.now)})
    from everloop.loop.keep import turn_id
    from everloop.loop.resume import go_round
    from everloop.loop.spoken import story

    cause = "schedule" if errand.cause == ASKED else errand.cause
    last = house.turns.last(model.name)
    if cause == "schedule" and last is not None and last.now > errand.now:
        return json.dumps({"sentence": f"{errand.model} was turned later than that already."})
    decision = go_round(house, model, errand.now, cause)
    sentence = story(house, decision)
    turn = turn_id(model, errand.now, cause)
    told = {"decision": decision.id, "action": decision.action, "sentence": sentence, "turn": turn} | _how_far(house, decision)
    return json.dumps(told, ensure_ascii=False)


def line_of(errand: Errand, said: str) -> str | None:
    """What a turn came to, in one line for whoever reads logs; None for what was no turn.

    >>> made = Errand(id="e", verb="turn", model="demand", now=wall(), cause="schedule", asked_at=wall())
    >>> line_of(made, '{"action": "hold", "sentence": "demand: Nothing to do:   nothing fired."}')
    'demand turned (schedule), hold: Nothing to do: nothing fired.'
    """
    told = json.loads(said)
    if "action" not in told:
        return None
    sentence = " ".join(told["sentence"].split()).removeprefix(f"{errand.model}: ")
    return f"{errand.model} turned ({errand.cause}), {told['action']}: {sentence}"


def _how_far(house: House, decision: Decision) -> dict[str, Any]:
    """What a turn's own records say of it, each only where it came so far."""
    told: dict[str, Any] = {}
    for record in house.kept_in_turn(decision.id):
        if isinstance(record, Report):
            told["fit"] = record.passed
        elif isinstance(record, Verdict):
            told["verdict"] = record.outcome
        elif isinstance(record, Version):
            told["version"] = record.name
    return told


def said_of(error: Exception) -> str:
    """A failure as an errand remembers it.

    >>> said_of(errors.HouseBusy("Another process is turning demand."))
    '{"error": "HouseBusy", "message": "Another process is turning demand."}'
    """
    aloud = {"aloud": error.aloud} if isinstance(error, errors.HouseBusy) and error.aloud else {}
    return json.dumps({"error": type(error).__name__, "message": str(error)} | aloud, ensure_ascii=False)


def came_of(errand: Errand) -> Mapping[str, Any]:
    """What an errand that has ended says. What it failed with is raised again, as the error it was."""
    said: dict[str, Any] = json.loads(errand.said or "{}")
    if errand.state == "done":
        return said
    message = str(said.get("message") or f"The {errand.verb} of {errand.model} is {errand.state}.")
    # Whoever cancelled it was faster than who asked for it.
    kind = "Overtaken" if errand.state == "cancelled" else said.get("error") if said.get("error") in SIMPLE else "EverloopError"
    raise getattr(errors, str(kind))(message, **({"aloud": said["aloud"]} if kind == "HouseBusy" and "aloud" in said else {}))
