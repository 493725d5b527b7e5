"""Recipients: who is told an alert, by its owner and the people of everloop.toml. Pure: no clock, no network, no disk.

An alert whose owner is not among the people, or that has none, goes to ``everybody``; where nobody is called so, it waits in the outbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from everloop.connect.message import masked
from everloop.records import Alert, identity
from everloop.settings import SEVERITIES, Address, Settings

EVERYBODY = "everybody"


@dataclass(frozen=True)
class Recipient:
    """One address of one person. ``id`` stands for the URL where it is kept: the URL itself may hold secrets."""

    id: str
    person: str
    url: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.person} ({masked(self.url)})"


def recipients(alert: Alert, people: Mapping[str, tuple[Address, ...]], salt: str) -> tuple[Recipient, ...] | None:
    """Whoever is told this alert, each address once; nobody where all of its owner's want more urgent news; None where there is no owner.

    >>> people = {"ada": (Address("json://a"), Address("json://b", "critical")), "everybody": (Address("json://c"),)}
    >>> [r.url for r in recipients(Alert(model="demand", severity="warning", sentence="it drifted", owner="ada"), people, "salt")]
    ['json://a']
    >>> [r.person for r in recipients(Alert(model="demand", severity="warning", sentence="it drifted", owner="bob"), people, "salt")]
    ['everybody']
    >>> recipients(Alert(model="demand", severity="warning", sentence="it drifted"), {}, "salt") is None
    True
    """
    person = alert.owner if alert.owner is not None and alert.owner in people else EVERYBODY
    if person not in people:
        return None
    urgent = SEVERITIES.index(alert.severity)
    wanted = [address for address in people[person] if urgent >= SEVERITIES.index(address.least)]
    return tuple(recipient(person, url, salt) for url in dict.fromkeys(address.to for address in wanted))


def recipient(person: str, url: str, salt: str) -> Recipient:
    """One address of one person, under an id that tells nobody the URL."""
    return Recipient(identity("address", salt, person, url), person, url)


def check_people(settings: Settings) -> list[str]:
    """What is wrong with the addresses in [people], with the cure, before anybody needs them. Sends nothing.

    >>> from everloop.settings import read_settings
    >>> check_people(read_settings("/nowhere", environ={}))
    []
    """
    if not settings.people:
        return []
    from everloop.loop.news.lines import mistake

    return [
        f"everloop.toml: people.{person}: {wrong}"
        for person, addresses in settings.people.items()
        for address in addresses
        if (wrong := mistake(address.to))
    ]
