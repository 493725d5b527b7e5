"""What a roll-out has come to, as the journal has it: for controllers elsewhere that go by it. Reads; judges nothing anew.

The verdict is the one of the newest look that was kept. It is worked out once more from what that record counted (``rollout.again``), and
where it does not come out the same nobody is told to go on by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from everloop.errors import Unknown
from everloop.loop.house import House
from everloop.records import Guard, Record, Says, Signals, Traffic, Trial, Version
from everloop.registry.history import backwards, history
from everloop.rollout.again import differences
from everloop.rollout.verdict import is_proven
from everloop.serving.verdicts import OUTCOMES, GuardReply, VerdictReply

Where: TypeAlias = Literal["shadow", "canary", "bake", "over"]
MOST = math.log(1e300)
"""The largest logarithm of evidence that is told: what is beyond it is as good as proven, and JSON has no infinity."""


@dataclass(frozen=True)
class Concluded:
    """How a roll-out stands: whose it is, where it is, what is concluded and why, and the look that was concluded from (None: nobody
    has looked since it began). ``held``: who put a stop to roll-outs, and why. ``differs``: what of that look does not follow from its own
    figures."""

    version: Version
    stage: Where
    share: float
    says: Says
    because: str
    trial: Trial | None = None
    signals: str | None = None
    held: str | None = None
    differs: tuple[str, ...] = ()

    @property
    def as_of(self) -> datetime | None:
        return None if self.trial is None else self.trial.until

    @property
    def log_e(self) -> float:
        """The natural logarithm of the evidence of harm, never below nothing at all and never beyond ``MOST``."""
        return 0.0 if self.trial is None else log_of(self.trial.evidence)

    @property
    def p_anytime(self) -> float:
        return 1.0 if self.trial is None else p_of(self.trial.evidence)

    @property
    def decides(self) -> Guard | None:
        """The figure the verdict hangs on: of what has to be proven the least proven; where nothing has, the harm with most evidence."""
        guards = () if self.trial is None else self.trial.guards
        gains = [guard for guard in guards if guard.role == "gain"]
        if gains:
            return min(gains, key=lambda guard: guard.evidence)
        return max((guard for guard in guards if guard.role == "harm"), key=lambda guard: guard.evidence, default=None)

    def proven(self, guard: Guard) -> bool:
        """Whether a guard has proven its point by itself."""
        return self.trial is not None and is_proven(guard, self.trial)


def log_of(evidence: float) -> float:
    """
    >>> log_of(1.0), log_of(0.0), round(log_of(20.0), 3)
    (0.0, -690.776, 2.996)
    """
    return round(min(MOST, max(-MOST, math.log(evidence) if evidence > 0 else -math.inf)), 3)


def p_of(evidence: float) -> float:
    """The p-value that holds whenever one looks, which is what Ville's inequality makes of an e-value.

    >>> p_of(20.0), p_of(0.5), p_of(0.0)
    (0.05, 1.0, 1.0)
    """
    return 1.0 if evidence <= 1 else 1 / evidence


def concluded(house: House, rollout: str) -> Concluded:
    """How a roll-out stands. It is called by its model (the one under way, else the newest), by its version (``demand@4``), or by the id
    of that version.

    Raises Unknown for what was never rolled out.
    """
    version, lived = _found(house, rollout)
    last = max(place for place, traffic in enumerate(lived) if _about(traffic, version.id))
    now = lived[last]
    trial, signals = _looked(house, version, lived)
    says: Says = "not enough evidence" if trial is None else trial.says
    because = "nobody has looked since it began" if trial is None else trial.because
    stage: Where = "over"
    if last + 1 == len(lived) and now.stage != "steady" and version.id in _rolled(now):
        stage = now.stage
    else:
        says, because = _ended(version.id, lived, last)
    share = now.share if stage != "over" else 0.0
    differs = tuple(differences(trial)) if trial is not None else ()
    return Concluded(version, stage, share, says, because, trial, signals, lived[-1].held, differs)


def _ended(version: str, lived: list[Traffic], last: int) -> tuple[Says, str]:
    """What came of a roll-out that is over: its version took over (whoever followed it), or it was taken back; and why.

    ``last`` is the last traffic that knew it."""
    took_over = lived[last].champion == version
    followed = last + 1 == len(lived) or lived[last + 1].stage == "bake"
    if took_over and followed:
        return "promote", next(t.because for t in lived if t.champion == version and t.stage in ("bake", "steady"))
    return "roll back", lived[min(last + 1, len(lived) - 1)].because or "it was taken back"


def _found(house: House, rollout: str) -> tuple[Version, list[Traffic]]:
    """The version a roll-out is called by, and every traffic of its model since it was let in, oldest first."""
    if rollout in house.project.models:
        rolled = (id for entry in backwards(house.journal, "Traffic", rollout) for id in _rolled(entry.record))
        newest = next(rolled, None)
        if newest is None:
            raise Unknown("roll-out of", rollout, next="None has begun yet. See: everloop status")
        version = house.version(newest)
        return version, _lived(house, version)
    known: Sequence[str] = ()
    try:
        version = house.versions.named(rollout)
        lived = _lived(house, version) if version.model in house.project.models else []
        if any(version.id in _rolled(traffic) for traffic in lived):
            return version, lived
        known = [one.name for one in house.versions.all(version.model)] if lived else ()
    except Unknown as unknown:
        known = unknown.known
    here = known or sorted(house.project.models)
    raise Unknown("roll-out", rollout[:80], here, next="Say a model, or a version that was rolled out, such as demand@4.")


def _lived(house: House, version: Version) -> list[Traffic]:
    return history(house.journal, version.model, since=version.made_at)


def _rolled(traffic: Record) -> tuple[str, ...]:
    """The versions a traffic rolls out."""
    if not isinstance(traffic, Traffic):
        return ()
    return traffic.candidates or ((traffic.champion,) if traffic.stage == "bake" else ())


def _about(traffic: Traffic, version: str) -> bool:
    return version in _rolled(traffic) or traffic.champion == version


def _looked(house: House, version: Version, lived: list[Traffic]) -> tuple[Trial | None, str | None]:
    """The newest trial of a version that was kept since its last roll-out began, and the record it is in."""
    split = [traffic for traffic in lived if traffic.salt and version.id in traffic.candidates]
    if not split:
        return None, None  # its plan has no step, so nobody was held against anybody
    salt = split[-1].salt
    began = next(traffic.made_at for traffic in split if traffic.salt == salt)
    for entry in backwards(house.journal, "Signals", version.model, since=began):
        for trial in entry.record.trials if isinstance(entry.record, Signals) else ():
            if (trial.candidate, trial.salt) == (version.id, salt):
                return trial, entry.record.id
    return None, None


def reply(found: Concluded) -> VerdictReply:
    """How a roll-out stands, as HTTP says it."""
    guards = () if found.trial is None else found.trial.guards
    told = [
        GuardReply(
            what=guard.what,
            role=guard.role,
            evidence=math.exp(log_of(guard.evidence)),
            p_anytime=p_of(guard.evidence),
            low=guard.low,
            high=guard.high,
            proven=found.proven(guard),
        )
        for guard in guards
    ]
    return VerdictReply(
        rollout=found.version.name,
        model=found.version.model,
        stage=found.stage,
        share=found.share,
        held=found.held,
        verdict=OUTCOMES[found.says],
        says=found.says,
        because=found.because,
        log_e=found.log_e,
        p_anytime=found.p_anytime,
        cs=None if found.decides is None else [found.decides.low, found.decides.high],
        guards=told,
        as_of=found.as_of,
        signals=found.signals,
        replays=not found.differs,
    )
