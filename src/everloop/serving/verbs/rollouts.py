"""Roll-outs, for controllers that roll out by other means: how one stands, and the gates Flagger asks at. See ``serving/verdicts.py``."""

from __future__ import annotations

from everloop.serving import verdicts
from everloop.serving.desk import Ask, Desk, Reply, meant, told


async def verdict(desk: Desk, ask: Ask) -> Reply:
    """How a roll-out stands; 200 whatever is concluded, since that something could be concluded is what a status says."""
    return told(await _stands(desk, ask))


async def gate(desk: Desk, ask: Ask) -> Reply:
    """Whether a gate is open: 200, or 412 with the same words, of which Flagger notes what was said."""
    which = verdicts.gate(ask.query)
    await desk.read(ask, meant, ask.body, verdicts.GateAsk)
    reply = await _stands(desk, ask)
    return told(reply, 200 if verdicts.is_open(which, reply) else verdicts.SHUT)


async def _stands(desk: Desk, ask: Ask) -> verdicts.VerdictReply:
    return await desk.in_thread(desk.looking, desk.doors.verdict, ask.name)
