"""Incidents: what is wrong with which model, since when, and who is at it; to be acknowledged, or snoozed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from everloop.clock import said
from everloop.console.page import Asking, Done, Route, Shown
from everloop.console.shown import MOUNT
from everloop.loop import incidents as there
from everloop.loop.house import House
from everloop.project.spoken_values import spoken_span
from everloop.records import Incident

SCREEN = 25


@dataclass(frozen=True)
class Trouble:
    """One incident as it stands. ``took``: how long from its first firing to its end."""

    incident: str
    record: str
    model: str
    state: str
    severity: str
    cause: str
    because: str
    since: datetime
    began: datetime | None
    over: datetime | None
    took: timedelta | None
    symptoms: tuple[str, ...]
    also: tuple[str, ...]
    mended: tuple[str, ...]
    acknowledged_by: str | None
    snoozed_until: datetime | None
    reason: str | None

    @property
    def open(self) -> bool:
        return self.state != "resolved"


def open_now(house: House, now: datetime, *, model: str | None = None) -> tuple[Trouble, ...]:
    """What is wrong now: critical first, then the oldest; what is snoozed stands last."""
    order = {"critical": 0, "warning": 1, "info": 2}
    found = house.incidents.open(model)

    def place(one: Incident) -> tuple[bool, int, datetime]:
        return (one.snoozed_until is not None and one.snoozed_until > now, order[one.severity], one.opened_at)

    return tuple(_trouble(one) for one in sorted(found, key=place))


def over(house: House, *, model: str | None = None, limit: int = SCREEN) -> tuple[Trouble, ...]:
    """What is over, what ended last first."""
    found = house.incidents.all(model, limit=4 * limit)
    return tuple(_trouble(one) for one in found if not one.open)[:limit]


def _trouble(incident: Incident) -> Trouble:
    since = {"pending": incident.opened_at, "firing": incident.fired_at, "resolved": incident.resolved_at}[incident.state]
    fired, ended = incident.fired_at, incident.resolved_at
    return Trouble(
        incident.incident,
        incident.id,
        incident.model,
        incident.state,
        incident.severity,
        incident.cause,
        incident.because,
        since or incident.opened_at,
        incident.since,
        ended,
        ended - fired if ended is not None and fired is not None else None,
        incident.shown,
        incident.also,
        incident.mended,
        incident.acknowledged_by,
        incident.snoozed_until,
        incident.reason,
    )


def roughly(span: timedelta) -> str:
    """How long something lasted, to the minute.

    >>> roughly(timedelta(hours=2, seconds=31))
    '2 hours and 1 minute'
    """
    return spoken_span(timedelta(minutes=round(span.total_seconds() / 60)))


def shown(asking: Asking) -> Shown:
    """The page."""
    model = asking.query.get("model", "").strip() or None
    if model is not None:
        asking.house.project.model(model)
    now = open_now(asking.house, asking.now, model=model)
    start = asking.number("from", 0)
    values = {
        "now": now[start : start + SCREEN],
        "open": len(now),
        "start": start,
        "more": start + SCREEN if start + SCREEN < len(now) else None,
        "over": over(asking.house, model=model) if not start else (),
        "took": roughly,
        "model": model,
    }
    return Shown("Incidents", "incidents.html", values)


def acknowledge(asking: Asking, form: Mapping[str, str]) -> Done:
    """Somebody is at it."""
    words = {"by": asking.person.name, "reason": form.get("reason", ""), "now": asking.now}
    word = there.acknowledge(asking.house, asking.path["incident"], **words)  # type: ignore[arg-type]
    return Done(f"{MOUNT}/incidents", f"{word.model}: {word.acknowledged_by} is at it.")


def snooze(asking: Asking, form: Mapping[str, str]) -> Done:
    """Nobody is told of it before a moment."""
    words = {"by": asking.person.name, "reason": form.get("reason", ""), "now": asking.now}
    word = there.snooze(asking.house, asking.path["incident"], form.get("until", ""), **words)  # type: ignore[arg-type]
    until = f" before {said(word.snoozed_until)}" if word.snoozed_until else ""
    return Done(f"{MOUNT}/incidents", f"{word.model}: nobody is told of it{until}.")


ROUTES: tuple[Route, ...] = (
    Route("/incidents", shown, "viewer", name="incidents"),
    Route("/incidents/{incident}/acknowledge", acknowledge, "operator", "POST", name="acknowledge"),
    Route("/incidents/{incident}/snooze", snooze, "operator", "POST", name="snooze"),
)
