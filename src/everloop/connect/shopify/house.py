"""What the shop's door asks of a house: six things, over HTTP. In: plain data. Out: plain data. No decision is made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from everloop.errors import EverloopError

Row = Mapping[str, Any]
SECONDS = 10.0
A_TURN = 6 * 3600.0
"""A turn replies when it is done, its training included."""
LONG = ("turn", "forget", "known")


class Unreachable(EverloopError):  # noqa: N818 - named by what happened, as those of errors.py
    """No answer: the house is down, stopping, or elsewhere. What was to be said is said later."""


class Refused(EverloopError):  # noqa: N818
    """The house answered, and said no. ``status`` is HTTP's, ``code`` its word for it, such as ``unknown``."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code = status, code
        super().__init__(message)


class House(Protocol):
    """A house as a shop sees it. Every method raises Unreachable or Refused."""

    def receive(self, source: str, rows: Sequence[Row]) -> Row:
        """Tell what happened; returns once the rows are kept: ``kept``, ``duplicates``, ``refused``, ``examples``. Again is harmless."""
        ...

    def answer(self, model: str, request: Row) -> Row:
        """What the model answers now, with ``version`` and ``arm``."""
        ...

    def outcomes(self, rows: Sequence[Row]) -> Row:
        """Tell what came of answers: ``prediction`` or ``model`` and ``unit``; ``name``, ``value``, ``at``, ``event_id``."""
        ...

    def since(self, after: int | None) -> Row:
        """What the journal kept beyond a number, as ``entries``, and ``through``, the number to go on from; without one only that."""
        ...

    def standing(self) -> Sequence[Row]:
        """Each model: who answers whom, what it waits for."""
        ...

    def operate(self, path: str, said: Row) -> Row:
        """Say something a person may say, such as ``turn`` or ``models/recommend/undo``; ``by`` and ``reason`` go into the journal."""
        ...


@dataclass(frozen=True)
class Asked:
    """A house that is asked over HTTP, at ``url`` (no path), showing ``key`` where it is not on this machine."""

    url: str
    key: str | None = field(default=None, repr=False)
    seconds: float = SECONDS
    """How long a reply is waited for, that of a turn aside."""
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=SECONDS), repr=False, compare=False)

    def receive(self, source: str, rows: Sequence[Row]) -> Row:
        return self._said("POST", f"v1/events/{source}", list(rows))

    def answer(self, model: str, request: Row) -> Row:
        return self._said("POST", f"v1/models/{model}/predict", request)

    def outcomes(self, rows: Sequence[Row]) -> Row:
        return self._said("POST", "v1/outcomes", list(rows))

    def since(self, after: int | None) -> Row:
        return self._said("GET", "v1/history" if after is None else f"v1/history?after={after}")

    def standing(self) -> Sequence[Row]:
        models: Sequence[Row] = self._said("GET", "v1/status")["models"]
        return models

    def operate(self, path: str, said: Row) -> Row:
        return self._said("POST", f"v1/{path}", said, seconds=A_TURN if path in LONG else None)

    def _said(self, method: str, path: str, body: object = None, seconds: float | None = None) -> Row:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            reply = self.client.request(method, f"{self.url}/{path}", json=body, headers=headers, timeout=seconds or self.seconds)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"The house does not answer at {self.url}: {error or type(error).__name__}. Is it running? everloop run"
            ) from None
        try:
            said: Row = reply.json()
        except ValueError:
            said = {"error": "unreadable", "message": f"{self.url} answered {reply.status_code} and no JSON: is it a house?"}
        if reply.status_code >= 500 or ("error" in said and reply.status_code < 400):
            raise Unreachable(str(said.get("message", f"The house at {self.url} answered {reply.status_code}.")))
        if reply.status_code >= 400:
            raise Refused(reply.status_code, str(said.get("error")), str(said.get("message")))
        return said
