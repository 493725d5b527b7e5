"""Questions to people that the traffic has overtaken: an undo would by now take back another version than they were asked about, or a
candidate take the place of another champion than it was judged against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection

from everloop.records import Decision, Traffic

if TYPE_CHECKING:
    from everloop.loop.house import House


def taken_back(traffic: Traffic) -> tuple[str, ...]:
    """The ids of the versions that an undo takes back: the candidates while they are tested, else the champion."""
    return traffic.candidates if traffic.stage in ("shadow", "canary") else (traffic.champion,)


def asked_about(house: House, decision: Decision, traffic: Traffic, *, within: Connection) -> tuple[str, ...]:
    """Of the versions an undo would take back from this traffic those that a person was asked about; none where they are tested no more, or
    others answer by now."""
    found = (house.journal.find(id, within=within) for id in decision.made_from)
    then = next((record for record in found if isinstance(record, Traffic)), None)
    about = decision.drops or (taken_back(then) if then is not None else ())
    return tuple(version for version in taken_back(traffic) if version in about)


def withdraw_overtaken(house: House, t: Connection, traffic: Traffic) -> None:
    """Withdraw each question that this traffic, as it comes into force, leaves nothing of to say yes to."""
    for question in house.approvals.waiting(traffic.model, within=t):
        decision = house.journal.get(question.decision, within=t)
        why = _overtaken(house, decision, traffic, within=t) if isinstance(decision, Decision) else None
        if why is not None:
            house.approvals.withdraw(t, question.decision, reason=why, now=traffic.made_at)


def _overtaken(house: House, decision: Decision, traffic: Traffic, *, within: Connection) -> str | None:
    if decision.asks == "undo" and not asked_about(house, decision, traffic, within=within):
        return "what it was about is tested no more, or another version answers by now"
    if decision.asks == "promote":
        verdict = next((v for v in (house.verdict(id, within=within) for id in decision.made_from) if v is not None), None)
        champion = house.versions.get(traffic.champion, within=within)
        if verdict is not None and verdict.champion != champion.candidate:
            return "the candidate was judged against another champion than answers now"
    return None
