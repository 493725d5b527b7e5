"""Operating: turns and scores asked for, people's words, and how things stand. Each waits in a thread for what the house behind does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from everloop.serving import asks
from everloop.serving.desk import Ask, Desk, Reply, meant, told
from everloop.serving.queries import after, which_incidents
from everloop.serving.refused import RefusedError

LONGEST_WORD = 2_000  # characters of by= and reason=
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
S = TypeVar("S", asks.WordAsk, asks.SnoozeAsk, asks.AnswerAsk, asks.ShareAsk, asks.ForgetAsk)


async def turn(desk: Desk, ask: Ask) -> Reply:
    """Once round the ring; replies when that is done."""
    said = await desk.read(ask, meant, ask.body, asks.TurnAsk)
    model = None if said.model is None else desk.model(said.model).name
    with desk.turns:
        turns = await desk.in_thread(desk.turning, desk.doors.turn, model, ask.now, "demand" if said.retrain else "schedule", said.once)
    return told(asks.TurnsReply([dict(turn) for turn in turns]))


async def score(desk: Desk, ask: Ask) -> Reply:
    """Every question that has come due, answered."""
    said = await desk.read(ask, meant, ask.body, asks.ScoreAsk)
    model = None if said.model is None else desk.model(said.model).name
    with desk.turns:
        answers = await desk.in_thread(desk.turning, desk.doors.score, model, ask.now)
    return told(asks.ScoreReply(dict(answers)))


async def undo(desk: Desk, ask: Ask) -> Reply:
    """The version before answers again."""
    model, said = await _word(desk, ask)
    return await _done(desk, desk.doors.undo, model, said.by, said.reason, ask.now)


async def approve(desk: Desk, ask: Ask) -> Reply:
    """A yes to what a model waits for."""
    model, said = desk.model(ask.name).name, await _signed(desk, ask, asks.AnswerAsk)
    # A yes to a retraining takes as long as that does: it is no word that others should wait behind.
    sentence = await desk.in_thread(desk.turning, desk.doors.approve, model, True, said.by, said.reason, ask.now, said.question)
    return told(asks.SentenceReply(sentence))


async def reject(desk: Desk, ask: Ask) -> Reply:
    """A no to it."""
    model, said = desk.model(ask.name).name, await _signed(desk, ask, asks.AnswerAsk)
    return await _done(desk, desk.doors.approve, model, False, said.by, said.reason, ask.now, said.question)


async def hold(desk: Desk, ask: Ask) -> Reply:
    """No candidate answers anybody, until it is released."""
    model, said = await _word(desk, ask)
    return await _done(desk, desk.doors.hold, model, said.by, said.reason, ask.now)


async def release(desk: Desk, ask: Ask) -> Reply:
    """Roll-outs may go on."""
    model, said = await _word(desk, ask)
    return await _done(desk, desk.doors.release, model, said.by, said.reason, ask.now)


async def share(desk: Desk, ask: Ask) -> Reply:
    """The share of the units a canary's candidate answers."""
    model, said = desk.model(ask.name).name, await _signed(desk, ask, asks.ShareAsk)
    return await _done(desk, desk.doors.share, model, said.share, said.by, said.reason, ask.now)


async def cancel(desk: Desk, ask: Ask) -> Reply:
    """The end of the turn under way."""
    model, said = await _word(desk, ask)
    return await _done(desk, desk.doors.cancel, model, said.by, said.reason)


async def forget(desk: Desk, ask: Ask) -> Reply:
    """One person is forgotten, or everybody."""
    said = await _signed(desk, ask, asks.ForgetAsk)
    if said.everybody == bool(said.column or said.value):
        raise RefusedError("invalid", "Say whom: a column and a value; or everybody, and then nobody in particular.", field="column")
    with desk.turns:
        sentence, record = await desk.in_thread(
            desk.turning, desk.doors.forget, said.column, said.value, said.everybody, said.by, said.reason, ask.now
        )
    return told(asks.ForgetReply(sentence, dict(record)))


async def known(desk: Desk, ask: Ask) -> Reply:
    """Everything that is kept of one person."""
    said = await desk.read(ask, meant, ask.body, asks.PersonAsk)
    return told(asks.KnownReply(dict(await desk.in_thread(desk.turning, desk.doors.known_of, said.column, said.value))))


async def status(desk: Desk, ask: Ask) -> Reply:
    """Each model's standing."""
    standing = await desk.in_thread(desk.looking, desk.doors.status)
    return told(asks.StatusReply([dict(one) for one in standing]))


async def history(desk: Desk, ask: Ask) -> Reply:
    """What the journal kept after a number; with no ``after``, only how far it goes."""
    entries, through = await desk.in_thread(desk.looking, desk.doors.history, after(ask.query))
    return told(asks.HistoryReply([dict(one) for one in entries], through))


async def incidents(desk: Desk, ask: Ask) -> Reply:
    """What is wrong now, the oldest first; with ``all=true`` also what is over."""
    name, every = which_incidents(ask.query)
    model = None if name is None else desk.model(name).name
    there = await desk.in_thread(desk.looking, desk.doors.incidents, model, every)
    return told(asks.IncidentsReply([dict(one) for one in there]))


async def acknowledge(desk: Desk, ask: Ask) -> Reply:
    """Somebody is at an incident."""
    said = await _signed(desk, ask, asks.WordAsk)
    sentence, there = await desk.in_thread(desk.people, desk.doors.acknowledge, ask.name, said.by, said.reason, ask.now)
    return told(asks.IncidentReply(sentence, dict(there)))


async def snooze(desk: Desk, ask: Ask) -> Reply:
    """Nobody is told of an incident before a moment."""
    said = await _signed(desk, ask, asks.SnoozeAsk)
    sentence, there = await desk.in_thread(desk.people, desk.doors.snooze, ask.name, said.until, said.by, said.reason, ask.now)
    return told(asks.IncidentReply(sentence, dict(there)))


async def metrics(desk: Desk, ask: Ask) -> Reply:
    """What all workers count, as Prometheus reads it."""
    return Reply(200, (await desk.in_thread(desk.looking, desk.metrics.said)).encode(), PROMETHEUS)


async def _word(desk: Desk, ask: Ask) -> tuple[str, asks.WordAsk]:
    return desk.model(ask.name).name, await _signed(desk, ask, asks.WordAsk)


async def _signed(desk: Desk, ask: Ask, kind: type[S]) -> S:
    said: S = await desk.read(ask, meant, ask.body, kind)
    for field, text in (("by", said.by), ("reason", said.reason)):
        if not text.strip() or len(text) > LONGEST_WORD:
            what = "is empty" if not text.strip() else f"has more than {LONGEST_WORD:,} characters"
            raise RefusedError("invalid", f"{field} {what}. The journal wants to know who says so, and why.", field=field)
    return said


async def _done(desk: Desk, door: Callable[..., str], *given: object) -> Reply:
    return told(asks.SentenceReply(await desk.in_thread(desk.people, door, *given)))
