"""Letting in what was learnt and judged here one step at a time, as ``turn`` does by itself: the last step of a pipeline elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from everloop.errors import Unknown
from everloop.loop import wiring as do
from everloop.loop.house import House
from everloop.loop.steps import newest_candidate
from everloop.project.model import Model
from everloop.records import Candidate, Decision, Verdict, Version
from everloop.rollout import joinable


@dataclass(frozen=True)
class LetIn:
    """What became of a judged candidate: the version it is now, or None and why it is none."""

    model: str
    candidate: str
    verdict: str
    version: str | None
    because: str

    def __str__(self) -> str:
        return f"{self.model}: {self.version} was let in." if self.version and not self.because else f"{self.model}: {self.because}"


def let_in_judged(house: House, model: Model, candidate: str | None, now: datetime) -> LetIn:
    """A candidate of this house (by its id; the newest if none is named) becomes a version if its newest verdict and the model's autonomy
    let it, and its roll-out begins. One that is in already is told as it is.

    Raises Unknown where nobody judged it yet, Overtaken where it was judged against another champion than today's.
    """
    found = newest_candidate(house, model, candidate)
    verdict = newest_verdict(house, model, found)
    if (already := _version_of(house, model, found)) is not None:
        return LetIn(model.name, found.id, verdict.id, already.name, f"{already.name} was let in before.")
    traffic = house.traffic(model)
    if verdict.passed and traffic.rolling and not joinable(traffic, model.roll_out):
        why = f"another roll-out is in {traffic.stage}; it ends first, or is taken back: everloop undo {model.name}"
        return LetIn(model.name, found.id, verdict.id, None, why)
    with house.keeping(model, now, f"admit {verdict.id}") as keep:
        decision = keep(do.permit, verdict)
        version = keep(do.admit, found, verdict) if decision.advances else None
        if version is not None:
            keep(do.begin, traffic, version)
    return LetIn(model.name, found.id, verdict.id, version.name if version else None, "" if version else _why(decision, model))


def newest_verdict(house: House, model: Model, candidate: Candidate) -> Verdict:
    """What was last found of a candidate. Raises Unknown where nobody judged it."""
    for entry in house.journal.read(kind="Verdict", model=model.name, newest_first=True):
        if isinstance(entry.record, Verdict) and entry.record.candidate == candidate.id:
            return entry.record
    raise Unknown("verdict on", candidate.id, next=f"Judge it first: everloop judge {model.name} {candidate.id}")


def _version_of(house: House, model: Model, candidate: Candidate) -> Version | None:
    return next((version for version in house.versions.all(model.name) if version.candidate == candidate.id), None)


def _why(decision: Decision, model: Model) -> str:
    because = "; ".join(decision.because)
    if decision.asks:
        return f"{because}; it waits for a yes: everloop approve {model.name} --by … --reason …"
    return f"it is not let in: {because}."
