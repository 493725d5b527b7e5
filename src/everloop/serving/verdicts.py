"""How a roll-out stands, for whoever rolls out by other means: Argo Rollouts' web metric reads it, Flagger's webhooks are gates of it.

In: what was concluded of a roll-out. Out: a reply, and whether a gate is open. No clock, no disk.

Argo asks by GET and reads fields of the reply (https://argo-rollouts.readthedocs.io/en/stable/analysis/web/): success while ``verdict`` is
*passed*, failure when it is *failed*, and what is neither is *inconclusive*, so that the roll-out there waits as it does here. Flagger asks
by POST and reads the status alone (https://docs.flagger.app/usage/webhooks): 2xx opens a gate, anything else keeps it shut, and the gate
called *rollback* takes the roll-out back as soon as it is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from everloop.records import Outcome, Says
from everloop.serving.queries import parameter
from everloop.serving.refused import RefusedError, short

Gate: TypeAlias = Literal["confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion", "rollback"]
GATES: Final[tuple[Gate, ...]] = get_args(Gate)
SHUT: Final = 412
"""Below 500, since Flagger's client asks again at once where the server seems to be broken."""
OUTCOMES: Final[Mapping[Says, Outcome]] = {
    "promote": "passed",
    "go on": "passed",
    "roll back": "failed",
    "not enough evidence": "not enough evidence",
}


class GuardReply(Struct, kw_only=True):
    """One figure by which the arms are held against each other: ``evidence`` is an e-value, ``p_anytime`` min(1, 1 / e). The candidate's
    rate lies between ``low`` and ``high`` times the champion's whenever one looks; null: no end is known."""

    what: str
    role: Literal["harm", "gain", "news"]
    evidence: float
    p_anytime: float
    low: float | None
    high: float | None
    proven: bool


class VerdictReply(Struct, kw_only=True):
    """How a roll-out stands. ``log_e`` is the natural logarithm of the evidence of harm, all figures together, and ``p_anytime`` the
    p-value that goes with it at any time; ``cs`` the confidence sequence of the figure that decides, null where nothing was counted yet.

    ``held`` says who put a stop to roll-outs, and why. ``as_of`` is the instant it was last looked at, ``signals`` the record it follows
    from, ``replays`` whether it does follow from that record's own figures."""

    rollout: str
    model: str
    stage: Literal["shadow", "canary", "bake", "over"]
    share: float
    held: str | None = None
    verdict: Outcome
    says: Says
    because: str
    log_e: float = 0.0
    p_anytime: float = 1.0
    cs: list[float | None] | None = None
    guards: list[GuardReply] = []
    as_of: datetime | None = None
    signals: str | None = None
    replays: bool = True


class GateAsk(Struct):
    """What Flagger says of its canary. Nothing of it decides; ``metadata`` is whatever stands there in the manifest."""

    name: str = ""
    namespace: str = ""
    phase: str = ""
    checksum: str = ""
    metadata: dict[str, str] | None = None


def gate(query: bytes) -> Gate:
    """``gate=rollback`` of a query. Raises RefusedError (422).

    >>> gate(b"gate=confirm-promotion")
    'confirm-promotion'
    """
    said = parameter(query, "gate", f"gate={GATES[0]}")
    for one in GATES:
        if said == one:
            return one
    what = "gate is not said" if said is None else f"gate is {short(said)}"
    raise RefusedError("invalid", f"{what}. Say gate= one of {', '.join(GATES)}.", field="gate")


def is_open(which: Gate, reply: VerdictReply) -> bool:
    """Whether a gate is open as a roll-out stands.

    What begins or goes on needs no proof, since without traffic there is none: it is shut by proven harm alone. A larger share and the
    promotion need a verdict that passed. A verdict that its own record does not bear out opens nothing.

    >>> found = VerdictReply(
    ...     rollout="demand@4", model="demand", stage="canary", share=0.1, verdict="failed", says="roll back", because="it fails"
    ... )
    >>> [which for which in GATES if is_open(which, found)]
    ['rollback']
    """
    if not reply.replays:
        return False
    if which == "rollback":
        return reply.says == "roll back"
    if reply.held is not None:
        return False
    if which in ("confirm-traffic-increase", "confirm-promotion"):
        return reply.verdict == "passed"
    return reply.says != "roll back"
