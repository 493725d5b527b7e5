"""Composing: an alert, or many at once, as a message a person reads on a telephone. Reads the journal; sends nothing, reads no clock."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from everloop.clock import said
from everloop.connect.message import Fact, Message
from everloop.errors import EverloopError
from everloop.loop.spoken import spoken_record
from everloop.records import Alert, Decision, Incident, Record, identity
from everloop.registry.outbox import Kept
from everloop.settings import SEVERITIES

if TYPE_CHECKING:
    from everloop.loop.house import House
    from everloop.loop.news.round import Outgoing

HOUSE = "everloop"
"""What news of no model is titled by."""
LONGEST = 2_000
"""Letters of a sentence; what is longer is cut, since some services refuse it whole."""


def composed(house: House, outgoing: Outgoing) -> Message:
    """The message of one alert, or of many: title, sentence, the next command to type, and where the journal ended."""
    return _one(house, outgoing.key, outgoing.news[0]) if len(outgoing.news) == 1 else _many(outgoing.key, outgoing.news)


def standing(house: House, incident: Incident) -> tuple[Kept, Message]:
    """An incident as it stands, as an alert and its message, whether or not its last change was news."""
    model = house.project.models.get(incident.model)
    owner = model.owner if model is not None else None
    sentence = f"{incident.model}: {spoken_record(incident)}"
    alert = Alert(model=incident.model, severity=incident.severity, sentence=sentence, owner=owner, key=incident.id)
    kept = Kept(alert, incident.made_at, None, None)
    return kept, _one(house, identity("again", incident.id), kept)


def _one(house: House, key: str, kept: Kept) -> Message:
    alert = kept.alert
    sentence = alert.sentence if len(alert.sentence) <= LONGEST else alert.sentence[: LONGEST - 1] + "…"
    about: dict[str, Fact] = {"model": alert.model, "alerts": [alert.key], "head": kept.head or "", "raised_at": kept.raised_at.isoformat()}
    record = _found(house, kept)
    if isinstance(record, Incident):
        about |= _facts_of(record)
    return Message(
        key=key,
        severity=alert.severity,
        title=f"{alert.model or HOUSE}: {alert.severity}",
        body=_lines(sentence, f"Next: {_next(alert, record)}", kept),
        facts=about,
    )


def _facts_of(incident: Incident) -> dict[str, Fact]:
    """An incident for whoever reads data; the same at its beginning and at its end, but for how it stands."""
    ends = {"resolved_at": incident.resolved_at.isoformat()} if incident.resolved_at is not None else {}
    began = (incident.fired_at or incident.opened_at).isoformat()
    return {
        "incident": incident.incident,
        "cause": incident.cause,
        "urgency": incident.severity,
        "state": incident.state,
        "fired_at": began,
        **ends,
    }


def _many(key: str, news: tuple[Kept, ...]) -> Message:
    first, last = news[0], news[-1]
    worst = max((kept.alert.severity for kept in news), key=SEVERITIES.index)
    urgent = Counter(kept.alert.severity for kept in news)
    models = Counter(kept.alert.model or HOUSE for kept in news)
    how = ", ".join(f"{urgent[s]} {s}" for s in reversed(SEVERITIES) if urgent[s])
    who = ", ".join(f"{model} {count}" for model, count in models.most_common(10)) + (", …" if len(models) > 10 else "")
    sentence = f"{len(news):,} more since {said(first.raised_at)}, too many to tell one by one: {how}. Of {who}."
    about: dict[str, Fact] = {"alerts": [kept.alert.key for kept in news], "head": last.head or "", "raised_at": last.raised_at.isoformat()}
    return Message(
        key=key, severity=worst, title=f"{len(news):,} more: {worst}", body=_lines(sentence, "Next: everloop status", last), facts=about
    )


def _lines(sentence: str, next: str, kept: Kept) -> str:
    return "\n".join([sentence, next, *([f"Journal: {kept.head}"] if kept.head else [])])


def _next(alert: Alert, record: Record | None) -> str:
    if isinstance(record, Decision) and record.asks:
        return f"everloop why {record.id}, then everloop approve {alert.model} or everloop reject {alert.model}"
    if isinstance(record, Incident) and record.open:
        return f"everloop why {record.id}, then everloop acknowledge {record.incident}"
    return f"everloop why {record.id}" if record is not None else "everloop status"


def _found(house: House, kept: Kept) -> Record | None:
    """The record an alert is about."""
    try:
        return house.journal.find(kept.alert.key)
    except EverloopError:  # a broken journal is no reason not to tell anybody
        return None
