"""Webhooks and events as Shopify sends them: signed, at least once, in no order, again for four hours when nobody takes them, and now and
then never.

Shopify promises 8 more tries over 4 hours, farther apart each time, and does not say when; here each pause is twice the one before.
https://shopify.dev/docs/apps/build/webhooks/best-practices
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx

from everloop.clock import monotonic
from everloop.connect.shopify.sandbox.signatures import body_signature

RETRIES: Final = 8
OVER: Final = 4 * 3600.0
PAUSES: Final = tuple(OVER / (2**RETRIES - 1) * 2**i for i in range(RETRIES))
"""Seconds before each try again, 4 hours in all."""
SECONDS: Final = 5.0


@dataclass(frozen=True)
class Chaos:
    """What goes wrong on the way, by shares 0 to 1: deliveries that come twice, that never come, that come late. None of it unless said."""

    repeats: float = 0.0
    drops: float = 0.0
    delays: float = 0.0
    longest: float = 0.5
    """The longest delay, in seconds of the machine; each delayed one waits up to so long, which also puts it out of order."""
    seed: int = 0


@dataclass
class Sent:
    """What became of the deliveries so far. ``given_up`` were tried nine times; of those ``waiting`` nothing is known yet."""

    emitted: int = 0
    delivered: int = 0
    repeated: int = 0
    dropped: int = 0
    retried: int = 0
    given_up: int = 0
    waiting: int = 0


@dataclass(frozen=True, order=True)
class _Due:
    at: float
    number: int
    headers: Mapping[str, str] = field(compare=False)
    body: bytes = field(compare=False)
    tried: int = field(default=0, compare=False)
    again: bool = field(default=False, compare=False)


class Emitter:
    """Sends webhooks of one shop to ``address``. Time is ``speed`` times as quick for retries: by 3600, four hours are four seconds."""

    def __init__(
        self,
        address: str,
        secret: str,
        domain: str,
        *,
        version: str = "2026-10",
        chaos: Chaos = Chaos(),
        speed: float = 3600.0,
        workers: int = 4,
    ) -> None:
        self.address, self.domain, self.version, self.chaos, self.speed = address, domain, version, chaos, speed
        self._secret, self._random = secret, random.Random(chaos.seed)
        self.sent = Sent()
        self._due: list[_Due] = []
        self._numbers = itertools.count()
        self._changed, self._ended = threading.Condition(), False
        self._client = httpx.Client(timeout=SECONDS, limits=httpx.Limits(max_connections=workers, max_keepalive_connections=workers))
        self._threads = [threading.Thread(target=self._deliver, daemon=True, name="webhooks") for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def __call__(self, topic: str, payload: Mapping[str, Any], at: datetime) -> None:
        """Something happened in the shop at this instant (UTC); it is on its way when this returns."""
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        self._say(self.headers(topic, body, at), body)

    def event(self, of: Mapping[str, str], body: bytes, at: datetime) -> None:
        """A Next-Gen Event is on its way when this returns; ``of`` says its topic, action and handle."""
        said = {"shop-domain": self.domain, "api-version": self.version, "webhook-id": str(uuid.uuid4()), **of}
        said |= {"hmac-sha256": body_signature(body, self._secret), "triggered-at": _instant(at)}
        self._say({"Content-Type": "application/json"} | {f"shopify-{name}": value for name, value in said.items()}, body)

    def _say(self, headers: Mapping[str, str], body: bytes) -> None:
        with self._changed:
            self.sent.emitted += 1
            if self._random.random() < self.chaos.drops:
                self.sent.dropped += 1
                return
            self._add(headers, body)
            if self._random.random() < self.chaos.repeats:
                self.sent.repeated += 1
                self._add(headers, body, again=True)
            self._changed.notify_all()

    def headers(self, topic: str, body: bytes, at: datetime) -> dict[str, str]:
        """The headers of a classic webhook with this body, signed; ids are no matter of the seed: a shop started again has others."""
        return {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": body_signature(body, self._secret),
            "X-Shopify-Shop-Domain": self.domain,
            "X-Shopify-API-Version": self.version,
            "X-Shopify-Webhook-Id": str(uuid.uuid4()),
            "X-Shopify-Event-Id": str(uuid.uuid4()),
            "X-Shopify-Triggered-At": _instant(at),
        }

    def finish(self, seconds: float = 60.0) -> Sent:
        """Wait until everything is delivered, dropped or given up, or so many seconds are over."""
        last = monotonic() + seconds
        with self._changed:
            while self.sent.waiting and monotonic() < last:
                self._changed.wait(0.2)
        return self.sent

    def end(self) -> None:
        """Send no more; what waits is lost."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(SECONDS + 1)
        self._client.close()

    def _add(self, headers: Mapping[str, str], body: bytes, again: bool = False) -> None:
        late = self._random.random() < self.chaos.delays or (again and self.chaos.delays > 0)
        wait = self._random.uniform(0, self.chaos.longest) if late else 0.0
        self.sent.waiting += 1
        heapq.heappush(self._due, _Due(monotonic() + wait, next(self._numbers), headers, body, again=again))

    def _next(self) -> _Due | None:
        with self._changed:
            while not self._ended:
                if self._due and self._due[0].at <= monotonic():
                    return heapq.heappop(self._due)
                self._changed.wait(min(0.5, max(0.001, self._due[0].at - monotonic())) if self._due else 0.5)
        return None

    def _deliver(self) -> None:
        while (one := self._next()) is not None:
            try:
                taken = self._client.post(self.address, content=one.body, headers=dict(one.headers)).is_success
            except (httpx.HTTPError, RuntimeError):
                taken = False
            with self._changed:
                if taken:
                    self.sent.delivered += not one.again
                elif one.tried < RETRIES:
                    self.sent.retried += 1
                    at = monotonic() + PAUSES[one.tried] / self.speed
                    heapq.heappush(self._due, _Due(at, one.number, one.headers, one.body, one.tried + 1, one.again))
                else:
                    self.sent.given_up += not one.again
                if taken or one.tried >= RETRIES:
                    self.sent.waiting -= 1
                self._changed.notify_all()


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z"
