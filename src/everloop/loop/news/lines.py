"""Lines: how an address is written to, by what kind of address it is. The libraries are loaded when an address needs them."""

from __future__ import annotations

from typing import Protocol

from everloop.connect.alertmanager import Alertmanager, is_alertmanager
from everloop.connect.message import Message
from everloop.errors import SettingsError


class SendsTo(Protocol):
    """An open line to one address: says why a message was not taken, or None."""

    def send(self, message: Message) -> str | None: ...


def opened(url: str) -> SendsTo:
    """An open line to this address. Raises SettingsError for what is no address, with the cure."""
    if is_alertmanager(url):
        return Alertmanager(url)
    from everloop.connect.apprise import Line

    return Line(url)


def mistake(url: str) -> str | None:
    """What is wrong with an address, and the cure; None where it can be written to. Sends nothing.

    >>> mistake("alertmanager://127.0.0.1:9093")
    """
    if not is_alertmanager(url):
        from everloop.connect.apprise import mistake as wrong

        return wrong(url)
    try:
        Alertmanager(url)
    except SettingsError as error:
        return str(error)
    return None
