"""The inbox as a stream: every delivery published to NATS JetStream or Kafka, or taken from there. Off unless said.

The inbox stays what counts: a delivery is published after it is on the disk, in the order it came, until the stream has taken it; one
that is taken from a stream is in the inbox in one transaction with how far the stream was taken. Its id tells a repeat. The message is
Shopify's own body, its headers are Shopify's own, so that anybody reads it as they read a webhook.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import everloop.clock as clock
from everloop.connect.shopify import envelopes, inbox
from everloop.connect.shopify.about_people import TOPICS
from everloop.connect.shopify.inbox import REMEMBERED, Delivery, refusing
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.said import text
from everloop.connect.shopify.verify import NotFromShopify
from everloop.connect.streams import Line, Message, kept_up, line
from everloop.settings import Streams

LOOKED_EVERY: Final = 0.25
MOST: Final = 100
_TABLE = "create table if not exists streamed (name text primary key, seq integer not null) without rowid"
_FROM = "from "
"""Before the name of a partition that deliveries are taken from; the subject alone is what is published to."""
_log = logging.getLogger("everloop.shopify")


class Stream:
    """Who publishes what comes into the inbox, or puts into it what comes from a stream: ``carry`` for a thread beside the door."""

    def __init__(self, place: Place, settings: Streams, shop: str) -> None:
        self.place, self.settings, self.shop = place, settings, shop
        with refusing(), place.transaction() as t:
            t.execute(_TABLE)

    @property
    def subject(self) -> str:
        """Where deliveries are, at the broker."""
        kafka = self.settings.url.startswith("kafka")
        return self.settings.subject if kafka else f"{self.settings.subject}.deliveries"

    def carry(self, stop: threading.Event) -> None:
        """Publish, or take in, until ``stop``; a broker that is not there, or was restarted, is gone on with where it was."""

        async def go(well: Callable[[], None]) -> None:
            work = [self._publish] * self.settings.publish + [self._consume] * self.settings.consume
            async with line(self.settings.url) as broker, asyncio.TaskGroup() as group:
                for one in work:
                    group.create_task(one(broker, stop, well))

        kept_up(go, stop, _log.warning, f"The stream {self.settings.subject}")

    def published(self) -> int:
        """Through which delivery of the inbox (its number) all were published."""
        return self._reached().get(self.settings.subject, 0)

    def _reached(self) -> dict[str, int]:
        with refusing(), self.place.transaction(write=False) as t:
            return {str(name): int(seq) for name, seq in t.execute("select name, seq from streamed")}

    async def _publish(self, broker: Line, stop: threading.Event, well: Callable[[], None]) -> None:
        while not stop.is_set():
            some = await asyncio.to_thread(inbox.after, self.place, self.published(), MOST)
            for one in some:
                await broker.put(self.subject, Message(one.delivery.body, headers(one.delivery), one.delivery.id))
            if some:
                await asyncio.to_thread(self._told, some[-1].seq)
                well()
            else:
                await asyncio.sleep(LOOKED_EVERY)

    def _told(self, seq: int) -> None:
        with refusing(), self.place.transaction() as t:
            t.execute("insert or replace into streamed values (?, ?)", (self.settings.subject, seq))

    async def _consume(self, broker: Line, stop: threading.Event, well: Callable[[], None]) -> None:
        there = await asyncio.to_thread(self._reached)
        taken = {name.removeprefix(_FROM): seq for name, seq in there.items() if name.startswith(_FROM)}
        for sentence in await broker.begin(self.subject, taken):
            _log.error(sentence)
        well()
        while not stop.is_set():
            if some := await broker.take(MOST, LOOKED_EVERY):
                await asyncio.to_thread(self._keep, some)

    def _keep(self, some: Sequence[Message]) -> None:
        now = clock.wall()
        read = [one for message in some if (one := self._read(message)) is not None]
        # Whether one this old was told before is not remembered; what was asked about people is, for ever.
        fresh = [one for one in read if one.triggered_at >= now - REMEMBERED or one.topic in TOPICS]
        if len(fresh) < len(read):
            days, gone = REMEMBERED.days, len(read) - len(fresh)
            _log.error("%d deliveries of the stream %s are over %d days old and are dropped", gone, self.settings.subject, days)
        with refusing(), self.place.transaction() as t:
            inbox.put(t, fresh, now)
            reached = {one.partition: one.position for one in some}
            t.executemany("insert or replace into streamed values (?, ?)", [(_FROM + name, at) for name, at in reached.items()])

    def _read(self, message: Message) -> Delivery | None:
        try:
            return envelopes.delivery(self.shop, said(message.headers), message.body, None)
        except (NotFromShopify, UnicodeDecodeError) as error:
            # It will not become one by coming again.
            _log.warning("What came from the stream %s is no delivery: %s", self.settings.subject, error)
            return None


def said(headers: Mapping[str, str]) -> dict[str, str]:
    """What Shopify said of a message; brokers and libraries say more beside it.

    >>> said({"X-Shopify-Topic": "orders/create", "content-type": ""})
    {'X-Shopify-Topic': 'orders/create'}
    """
    return {name: value for name, value in headers.items() if name.lower().startswith("x-shopify-")}


def headers(delivery: Delivery) -> dict[str, str]:
    """A delivery's headers, as Shopify says them.

    >>> from everloop.clock import instant
    >>> headers(Delivery("b5", "orders/create", "beans.myshopify.com", instant("2026-11-02"), "2026-10", b"{}"))["X-Shopify-Topic"]
    'orders/create'
    """
    said = {
        "X-Shopify-Topic": delivery.topic,
        "X-Shopify-Webhook-Id": delivery.id,
        "X-Shopify-Shop-Domain": delivery.shop,
        "X-Shopify-API-Version": delivery.api_version,
        "X-Shopify-Triggered-At": text(delivery.triggered_at) or "",
        "X-Shopify-Event-Id": delivery.event_id or "",
    }
    return {name: value for name, value in said.items() if value}
