"""Incidents in a house: what a record that is being kept opens, moves or ends; what people say about them; and what there is.

``monitor/incident.py`` has the rules. A change is kept in the transaction of the record that causes it, so that there is never an incident
without its cause, nor twice; a person's word is a record of its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection

from everloop.clock import instant, said
from everloop.errors import EverloopError, SettingsError
from everloop.monitor.deployed import GUARDRAIL
from everloop.monitor.incident import Stands, after_look, after_release, after_report, said_already, said_by, symptoms_of
from everloop.project.model import Model
from everloop.records import Decision, Incident, Record, Report, Signals, Traffic
from everloop.registry.sentences import clause
from everloop.settings import span

if TYPE_CHECKING:
    from everloop.loop.house import House

LOOKS = 60
"""How many looks back it is looked whether an incident has been calm."""
A_DAY = timedelta(days=1)
LONGEST_SAID = 60
"""Letters of what somebody said that an error repeats."""


def incidents_by(house: House, t: Connection, record: Record, model: Model) -> list[Incident]:
    """The changes of incidents that a record causes; called while it is being kept, before its pointer moves."""
    if isinstance(record, Signals):
        opened = house.incidents.open(model.name, within=t)
        if not opened and not symptoms_of(record):
            return []
        return after_look(_stands(house, t, model), record, _before(house, t, model, record) if opened else [])
    if isinstance(record, Report):
        return after_report(_stands(house, t, model), record)
    if isinstance(record, Traffic) and record.generation > 1:
        return _by_traffic(house, t, record, model)
    return []


def _by_traffic(house: House, t: Connection, record: Traffic, model: Model) -> list[Incident]:
    opened = house.incidents.open(model.name, within=t)
    if not opened:
        return []
    before = house.pointers.current(model.name, within=t)
    other = before is not None and before.champion != record.champion
    name = house.versions.get(record.champion, within=t).name if other else None
    stands = Stands(model=model.name, incidents=tuple(opened), window=window_of(model))
    return after_release(stands, record, undone=_undoes(house, t, record), champion=name)


def window_of(model: Model) -> timedelta:
    """How long a window of a model is: from one time it is asked to the next; a day where it is asked whenever something happens."""
    return model.asked.span if model.asked is not None else A_DAY


def _stands(house: House, t: Connection, model: Model) -> Stands:
    traffic = house.pointers.current(model.name, within=t)
    tells = {repr(c) for c in model.tell_when}
    if traffic is None or not (traffic.rolling or traffic.previous):
        # There is nothing to take back, so no decision will tell of it.
        tells |= {GUARDRAIL, *(repr(c) for c in model.roll_back_when)}
    return Stands(
        model=model.name,
        incidents=_known(house, t, model),
        released_at=_released_at(house, t, model),
        rolling=traffic is not None and traffic.rolling and traffic.stage != "bake",
        window=window_of(model),
        tells=frozenset(tells),
    )


def _known(house: House, t: Connection, model: Model) -> tuple[Incident, ...]:
    """The newest incidents, and every one that is open however long ago it changed; newest change first."""
    newest = house.incidents.all(model.name, limit=20, within=t)
    known = {incident.incident: incident for incident in (*newest, *house.incidents.open(model.name, within=t))}
    return tuple(sorted(known.values(), key=lambda incident: incident.made_at, reverse=True))


def _released_at(house: House, t: Connection, model: Model) -> datetime | None:
    """When a version last took over from another; an undo is no release."""
    lived = [e.record for e in house.journal.read(kind="Traffic", model=model.name, newest_first=True, limit=20, within=t)]
    traffics = [r for r in lived if isinstance(r, Traffic)]
    for newer, older in pairwise(traffics):
        if newer.champion != older.champion:
            return None if _undoes(house, t, newer) else newer.made_at
    return None


def _undoes(house: House, t: Connection, traffic: Traffic) -> bool:
    causes = (house.journal.find(id, within=t) for id in traffic.made_from)
    return any(isinstance(cause, Decision) and cause.undoes for cause in causes)


def _before(house: House, t: Connection, model: Model, look: Signals) -> list[Signals]:
    entries = house.journal.read(kind="Signals", model=model.name, newest_first=True, limit=LOOKS, within=t)
    return [e.record for e in entries if isinstance(e.record, Signals) and e.record.id != look.id]


# -- what people say -----------------------------------------------------------------------------------------------------------------


def acknowledge(house: House, id: str, *, by: str, reason: str, now: datetime) -> Incident:
    """A person's word, journalled, that somebody is at an incident. ``id``: the incident, or the first letters of it.

    Raises Unknown; Overtaken where somebody else said something at the same moment; EverloopError without a name and a reason, and for an
    incident that is over.
    """
    return _say_of(house, id, "acknowledge", by=by, reason=reason, now=now)


def snooze(house: House, id: str, until: str, *, by: str, reason: str, now: datetime) -> Incident:
    """A person's word, journalled, that nobody is to be told of an incident before ``until``: a span from now (``6h``), or an instant.

    Raises as ``acknowledge`` does, and EverloopError for what is no such text and for a snooze that ends before it begins.
    """
    end = snoozed_until(now, until)
    if end <= now:
        raise EverloopError(f"A snooze has to end later than now ({said(now)}), and {until!r} does not. Say 6h, 2d, or an instant.")
    return _say_of(house, id, "snooze", by=by, reason=reason, now=now, until=end)


def snoozed_until(now: datetime, text: str) -> datetime:
    """The instant that is said, or the one after ``now`` by the span that is said.

    >>> snoozed_until(datetime.fromisoformat("2026-11-02T00:00Z"), "6h").hour
    6

    Raises EverloopError for text that is neither.
    """
    try:
        return now + span(text)
    except OverflowError:
        raise EverloopError(f"{text!r} from now is past the last instant there is. Say 6h, 2d, or an instant.") from None
    except SettingsError:
        pass
    try:
        return instant(text)
    except EverloopError:
        shown = text if len(text) <= LONGEST_SAID else f"{text[:LONGEST_SAID]}…"
        raise EverloopError(f"{shown!r} is neither a span nor an instant. Say 6h, 2d, or 2026-11-02T14:03Z.") from None


def _say_of(
    house: House,
    id: str,
    what: Literal["acknowledge", "snooze"],
    *,
    by: str,
    reason: str,
    now: datetime,
    until: datetime | None = None,
) -> Incident:
    if not by.strip() or not reason.strip():
        raise EverloopError(f"Say who and why: everloop {what} {id} --by … --reason …")
    with house.store.transaction() as t:
        there = house.incidents.named(id, within=t)
        if not there.open:
            raise EverloopError(f"The incident {there.incident} of {there.model} is over. See: everloop incidents --all")
        if said_already(there, what, by=by, reason=reason, until=until):
            return there
        word = said_by(there, what, by=by, reason=reason, now=now, until=until)
        house.journal.append(t, word, verb=what, back=timedelta.max)
        return house.incidents.move(t, word)


# -- what there is -------------------------------------------------------------------------------------------------------------------


def incidents_of(house: House, model: str | None = None, *, every: bool = False, at: datetime | None = None) -> list[Incident]:
    """What is wrong now, the oldest first; ``every``: also what is over, what changed last first. Of one model or of all. ``at``: as
    they stood at an instant of business time.

    Raises Unknown.
    """
    name = house.project.model(model).name if model else None
    if at is None:
        return house.incidents.all(name) if every else house.incidents.open(name)
    stood: dict[str, Incident] = {}
    for entry in house.journal.read(kind="Incident", model=name, until=at):
        if isinstance(entry.record, Incident):
            stood[entry.record.incident] = entry.record
    if every:
        return sorted(stood.values(), key=lambda incident: incident.made_at, reverse=True)
    return sorted((one for one in stood.values() if one.open), key=lambda incident: (incident.opened_at, incident.incident))


def spoken_incidents(incidents: list[Incident]) -> str:
    """Incidents, each in two lines; a sentence where there is none."""
    return "\n".join(map(spoken_incident, incidents)) or "No incident."


def spoken_incident(incident: Incident) -> str:
    """One incident: what state it is in since when, and what it shows."""
    since = {"pending": incident.opened_at, "firing": incident.fired_at, "resolved": incident.resolved_at}[incident.state]
    parts = [f"{incident.model}: {incident.state} since {said(since or incident.opened_at)} ({incident.cause}, {incident.severity})"]
    parts += [f"acknowledged by {incident.acknowledged_by}"] if incident.acknowledged_by else []
    parts += [f"snoozed until {said(incident.snoozed_until)}"] if incident.snoozed_until else []
    return f"{', '.join(parts)}  [{incident.incident}]\n  {clause(incident)}"
