"""The Admin API, asked politely: no faster than the shop gives points back, and every no by its own name.

A shop gives an app a bucket of points; each query takes what it costs, and points come back at a steady rate. Who asks with an empty bucket
is answered THROTTLED, with HTTP status 200. https://shopify.dev/docs/api/usage/limits
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from everloop.clock import monotonic
from everloop.connect.shopify import documents
from everloop.connect.shopify.bucket import Bucket
from everloop.connect.shopify.house import Refused, Row, Unreachable
from everloop.connect.shopify.place import Place
from everloop.errors import EverloopError, SettingsError
from everloop.settings import Settings

SECONDS = 30.0
PATIENCE = 600.0
"""For how many seconds a throttled call is asked again."""
TRIES = 6
LONGEST_PAUSE = 20.0
_AGAIN = (429, 430, 500, 502, 503, 504)
_NEXT_STEP = {
    401: "The token is not taken: was the app uninstalled, or its secret changed? everloop shopify import says what is granted.",
    402: "The shop is frozen until its owner pays.",
    403: "The app may not do that in this shop: install it again with the scopes of app/shopify.app.toml.",
    404: "Is [shopify] shop right, and admin, if it is said?",
    423: "The shop is locked. Its owner hears from Shopify.",
}


class UserErrors(EverloopError):  # noqa: N818 - named by what happened, as those of errors.py
    """The shop understood and would not: ``errors`` are its rows of ``field``, ``message`` and, where it says one, ``code``."""

    def __init__(self, document: str, errors: Sequence[Row]) -> None:
        self.document, self.errors = document, tuple(errors)
        said = "; ".join(f"{'.'.join(map(str, e.get('field') or ())) or 'all of it'}: {e.get('message')}" for e in errors)
        super().__init__(f"The shop does not do {document}: {said}")

    @property
    def codes(self) -> frozenset[str]:
        """Shopify's words for what is wrong, such as STALE_OBJECT."""
        return frozenset(str(e["code"]) for e in self.errors if e.get("code"))


class Throttled(EverloopError):  # noqa: N818
    """The shop gave no points for a long time; somebody else spends them. What was to be said is said later."""


class TooCostly(EverloopError):  # noqa: N818
    """One query of more points than any may cost (MAX_COST_EXCEEDED). It is never done: ask for smaller pages."""


class Shop(Protocol):
    """A shop that is asked: ``Admin``, or whoever stands before it."""

    def ask(self, document: str, /, **variables: Any) -> Row:
        """The data of a document of ``documents/``."""
        ...


class Token(Protocol):
    """Who says which token opens the shop."""

    def said(self) -> str:
        """A token that is good now. Raises Unreachable or Refused."""
        ...

    def instead_of(self, refused: str) -> str:
        """Another one: the shop did not take this. Raises Refused where there is none."""
        ...


@dataclass
class Admin:
    """The Admin API of one shop at ``url`` (no path), asked for ``version``. Threads may share one."""

    url: str
    version: str
    token: Token = field(repr=False)
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=SECONDS), repr=False)
    bucket: Bucket = field(default_factory=Bucket, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=monotonic, repr=False)
    patience: float = PATIENCE
    served: str | None = field(default=None, init=False)
    """The version that answered last; Shopify answers an outdated one by the oldest it still has."""
    costs: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    """What each document was said to cost when it was asked last."""

    def ask(self, document: str, /, **variables: Any) -> Row:
        """The ``data`` of this document (a file of ``documents/``, without .graphql), asked with these variables.

        Raises UserErrors, Throttled, TooCostly, Unreachable where there is no answer, and Refused for every other no (``code`` is
        Shopify's, such as ACCESS_DENIED). A change that may have been heard is not said again unless that is harmless: then Unreachable.
        """
        data = self.said(document, documents.text(document), variables, again=documents.harmless_again(document))
        wrong = [e for payload in data.values() if isinstance(payload, Mapping) for e in payload.get("userErrors") or ()]
        if wrong:
            raise UserErrors(document, wrong)
        return data

    def said(self, name: str, text: str, variables: Row, *, again: bool = True) -> Row:
        """The data of any text; ``name`` is what its cost is remembered by, ``again`` whether it may be asked twice."""
        until, failed = self.clock() + self.patience, 0
        while True:
            points = self.costs.get(name, 10.0)
            self.sleep_for(self.bucket.taken(points))
            status: Row | None = None
            try:
                reply = self._posted(text, variables)
                body = _read(reply)
                cost = (body.get("extensions") or {}).get("cost") or {}
                status = cost.get("throttleStatus")
                self.costs[name] = float(cost.get("requestedQueryCost") or points)
            except httpx.HTTPError as error:
                heard = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
                failed += 1
                if failed >= TRIES or (heard and not again):
                    raise Unreachable(
                        f"The shop does not answer at {self.url}: {error or type(error).__name__}. It is tried again later."
                    ) from None
                self.sleep_for(_pause(failed))
                continue
            finally:
                self.bucket.told(points, status)
            if reply.status_code in _AGAIN:
                failed += 1
                if failed >= TRIES or (reply.status_code >= 500 and not again):
                    raise Unreachable(f"The shop answered {reply.status_code} {failed} times at {self.url}. It is tried again later.")
                self.sleep_for(_asked_to_wait(reply) or _pause(failed))
                continue
            if _throttled(body):
                if self.clock() >= until:
                    raise Throttled(f"The shop gave no points for {name} in {self.patience:g} s: what else of this app asks so much?")
                self.sleep_for(_until_there(cost) * random.uniform(1.0, 1.1))
                continue
            _raise_for(name, reply.status_code, body)
            self.served = reply.headers.get("x-shopify-api-version") or self.version
            data: Row = body["data"]
            return data

    def _posted(self, text: str, variables: Row) -> httpx.Response:
        token = self.token.said()
        reply = self._once(token, text, variables)
        if reply.status_code == 401:
            reply = self._once(self.token.instead_of(token), text, variables)
        return reply

    def _once(self, token: str, text: str, variables: Row) -> httpx.Response:
        return self.client.post(
            f"{self.url}/admin/api/{self.version}/graphql.json",
            json={"query": text, "variables": dict(variables)},
            headers={"X-Shopify-Access-Token": token},
        )

    def sleep_for(self, seconds: float) -> None:
        if seconds > 0:
            self.sleep(seconds)


def _read(reply: httpx.Response) -> dict[str, Any]:
    try:
        body = reply.json()
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"errors": reply.text[:200] or f"status {reply.status_code}"}


def _errors(body: Row) -> list[Row]:
    """The errors as rows; Shopify says a text instead where the request itself is wrong."""
    errors = body.get("errors") or []
    return [e if isinstance(e, Mapping) else {"message": str(e)} for e in (errors if isinstance(errors, list) else [errors])]


def _codes(body: Row) -> list[str]:
    return [str((e.get("extensions") or {}).get("code") or "") for e in _errors(body)]


def _throttled(body: Row) -> bool:
    return "THROTTLED" in _codes(body)


def _raise_for(name: str, status: int, body: Row) -> None:
    errors = _errors(body)
    if status < 400 and not errors and isinstance(body.get("data"), dict):
        return
    said = "; ".join(str(e.get("message")) for e in errors) or "no data"
    code = next(filter(None, _codes(body)), "")
    if code == "MAX_COST_EXCEEDED":
        raise TooCostly(f"{name} costs more than one query may: {said} Ask for smaller pages.")
    step = _NEXT_STEP.get(status) or (_NEXT_STEP[403] if code == "ACCESS_DENIED" else "")
    raise Refused(status, code or f"http_{status}", f"The shop refuses {name}: {said} {step}".rstrip())


def _until_there(cost: Row) -> float:
    """How long until what was asked can be paid, by what the refusal says; a second where it says nothing."""
    status = cost.get("throttleStatus")
    if status is None or not cost.get("requestedQueryCost"):
        return 1.0
    lacking = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
    return max(0.05, lacking / max(1.0, float(status["restoreRate"])))


def _asked_to_wait(reply: httpx.Response) -> float:
    try:
        return min(60.0, max(0.0, float(reply.headers.get("retry-after", ""))))
    except ValueError:
        return 0.0


def _pause(failed: int) -> float:
    """Twice as long each time, and never two callers at the same moment."""
    return min(LONGEST_PAUSE, 0.25 * 2.0**failed) * random.uniform(0.5, 1.0)


def opened(settings: Settings) -> Admin:
    """The Admin API of the shop these settings name. Raises SettingsError where they name none."""
    from everloop.connect.shopify.tokens import Tokens

    if settings.shopify is None:
        raise SettingsError("everloop.toml names no shop. Say [shopify] with shop, client_id and secret (docs/shopify.md).")
    shop = settings.shopify
    return Admin(shop.admin, shop.api_version, Tokens(shop, Place(settings.house / "shopify.db")))
