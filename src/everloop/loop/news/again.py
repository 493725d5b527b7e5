"""Again: what is wrong is told every Alertmanager over and over, as Prometheus tells it, since it keeps no alert beyond its own end.

In: the incidents as they stand. Out: one request to each address with all that is for it, whatever the outbox has told it before: an
incident is the same alert there however often it comes. So an Alertmanager that was started anew, or that missed a message (a storm
was summed up, the address wanted only what is critical, a snooze kept an end from being news), knows what is so after ``EVERY``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from everloop.connect.alertmanager import Alertmanager, is_alertmanager
from everloop.connect.message import Message
from everloop.errors import EverloopError
from everloop.loop.house import House
from everloop.loop.news.compose import standing
from everloop.loop.news.deliver import within_time
from everloop.loop.news.recipients import Recipient, recipients
from everloop.records import Incident
from everloop.registry.outbox import Kept

EVERY = timedelta(minutes=5)
OVER_FOR = timedelta(days=1)
"""How long after its end an incident's end is told again."""
MOST = 100
"""Incidents told again, those that changed last."""


class TellsAll(Protocol):
    """An open line to one Alertmanager: says why messages were not taken, or None."""

    def tell(self, messages: Sequence[Message]) -> str | None: ...


def tell_again(house: House, now: datetime, *, opens: Callable[[str], TellsAll] = Alertmanager) -> int:
    """Tell each Alertmanager in [people] what people were told of and is not over, or not for long; how many alerts were taken.

    ``now`` is wall time. Raises EverloopError, once all were tried, where one could not be reached.
    """
    taken, troubles = 0, []
    for to, messages in _wanted(house, now).items():
        why = within_time(lambda to=to, messages=messages: opens(to.url).tell(messages), name=f"everloop tells {to.id} again")
        if why is None:
            taken += len(messages)
        else:
            troubles.append(f"{to}: {why}")
    if troubles:
        raise EverloopError("; ".join(troubles))
    return taken


def _wanted(house: House, now: datetime) -> dict[Recipient, list[Message]]:
    """What each Alertmanager is told."""
    people = house.settings.people
    if not any(is_alertmanager(address.to) for addresses in people.values() for address in addresses):
        return {}
    wanted: dict[Recipient, list[Message]] = {}
    for incident in house.incidents.all(limit=MOST):
        if not _is_told(incident, now):
            continue
        kept, message = standing(house, incident)
        for to in _of(kept, house):
            wanted.setdefault(to, []).append(message)
    return wanted


def _is_told(incident: Incident, now: datetime) -> bool:
    return incident.told_at is not None and (incident.resolved_at is None or now - incident.resolved_at < OVER_FOR)


def _of(kept: Kept, house: House) -> list[Recipient]:
    found = recipients(kept.alert, house.settings.people, house.salt) or ()
    return [to for to in found if is_alertmanager(to.url)]
