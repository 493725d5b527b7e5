"""Prometheus' Alertmanager as one more address: ``alertmanager://host:9093``, or ``alertmanagers://`` where it speaks TLS.

In: a URL and a message. Out: nothing where it was taken, else why not, in words that hold no secret. It speaks version 2 of its API
(``POST /api/v2/alerts``). An incident is one alert there from its beginning to its end: its labels never change, and when it is over it is
sent again with the instant of its end. Alertmanager keeps alerts in its memory alone, so whoever uses this tells it again what is still so.
News that is no incident has no end, so that Alertmanager lets it go by itself.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from everloop.clock import wall
from everloop.connect.message import Message, masked, without_secrets
from everloop.errors import SettingsError

SCHEMES = ("alertmanager", "alertmanagers")
SECONDS = 5.0
PORT = 9093
HELD = timedelta(days=1)
"""How long an incident fires there after it was last told: without an end Alertmanager would take it for over after some minutes, and an
end far away would hold for ever what nobody could tell the end of."""
_TAKEN = range(200, 300)


def is_alertmanager(url: str) -> bool:
    """Whether an address is one of these.

    >>> is_alertmanager("alertmanager://127.0.0.1:9093"), is_alertmanager("slack://T1/B1/x")
    (True, False)
    """
    return url.partition("://")[0].lower() in SCHEMES


class Alertmanager:
    """An open line to one Alertmanager.

    >>> Alertmanager("alertmanager://")
    Traceback (most recent call last):
    everloop.errors.SettingsError: alertmanager://… is no address: say alertmanager://host:9093, or alertmanagers:// where it speaks TLS.
    """

    def __init__(self, url: str) -> None:
        """Raises SettingsError for what is no address, with the cure."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or PORT
        except ValueError:
            host, port, parts = None, PORT, urlsplit("")
        if not host:
            raise SettingsError(f"{masked(url)} is no address: say alertmanager://host:9093, or alertmanagers:// where it speaks TLS.")
        self._url, self._host, self._port = url, host, port
        self._tls = parts.scheme.lower() == "alertmanagers"
        self._path = f"{parts.path.rstrip('/')}/api/v2/alerts"
        self._headers = {"Content-Type": "application/json", "User-Agent": "everloop"}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"

    def send(self, message: Message) -> str | None:
        """None where it was taken, else why not. Raises nothing."""
        return self.tell([message])

    def tell(self, messages: Sequence[Message]) -> str | None:
        """Several at once: None where they were taken, else why not. Raises nothing."""
        now = wall()
        body = json.dumps([alert_of(message, now) for message in messages]).encode()
        key = {"Idempotency-Key": messages[0].key} if len(messages) == 1 else {}
        connection: http.client.HTTPConnection | None = None
        try:
            kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
            connection = kind(self._host, self._port, timeout=SECONDS)
            connection.request("POST", self._path, body, {**self._headers, **key})
            reply = connection.getresponse()
            said = reply.read(2_000).decode("utf-8", "replace")
        except Exception as error:  # whatever the network does, this recipient was not reached
            return without_secrets(f"{type(error).__name__}: {error}", self._url)
        finally:
            if connection is not None:
                connection.close()
        return None if reply.status in _TAKEN else without_secrets(f"{reply.status} {reply.reason}: {said}", self._url)


def alert_of(message: Message, now: datetime) -> dict[str, Any]:
    """A message as Alertmanager takes it at ``now`` (aware, wall time).

    >>> now = datetime.fromisoformat("2026-11-02T14:03Z")
    >>> alert_of(Message(key="k", severity="info", title="everloop: info", body="hello\\nNext: everloop status"), now)["labels"]
    {'alertname': 'EverloopNews', 'severity': 'info', 'news': 'k'}
    """
    facts = message.facts
    first = message.body.partition("\n")[0]
    notes = {"summary": first, "description": message.body, "title": message.title, "journal": _text(facts, "head")}
    alert: dict[str, Any] = {"annotations": {name: text for name, text in notes.items() if text}}
    if not _text(facts, "incident"):
        labels = {"alertname": "EverloopNews", "severity": message.severity, "news": message.key, "model": _text(facts, "model")}
    else:
        # The same labels all its life: another label would be another alert.
        labels = {"alertname": "EverloopIncident", "severity": _text(facts, "urgency"), "model": _text(facts, "model")}
        labels |= {"cause": _text(facts, "cause"), "incident": _text(facts, "incident")}
        began, over = _text(facts, "fired_at"), _text(facts, "resolved_at")
        alert |= {"startsAt": began, "endsAt": over or (max(datetime.fromisoformat(began), now) + HELD).isoformat()}
    return {"labels": {name: text for name, text in labels.items() if text}, **alert}


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name, "")
    return value if isinstance(value, str) else " ".join(value)
