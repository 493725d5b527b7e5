"""The inbox as a stream: every delivery published to NATS JetStream or Kafka, or taken from there, by FastStream. Off unless said.

The inbox stays what counts: a delivery is published after it is on the disk, in the order it came, until the stream has taken it; one
that is taken from a stream is thanked for once it is on the disk, in whatever order. At least once each way; its id tells a repeat. The
message is Shopify's own body, its headers are Shopify's own, so that anybody reads it as they read a webhook.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import Any, Final, Protocol

import everloop.clock as clock
from everloop.connect.shopify import envelopes, inbox
from everloop.connect.shopify.inbox import Delivery, refusing
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.said import text
from everloop.connect.shopify.verify import NotFromShopify
from everloop.errors import Missing
from everloop.settings import Streams

LOOKED_EVERY: Final = 0.25
LONGEST: Final = 60.0
"""Seconds between two tries to reach a stream that is not there."""
_TABLE = "create table if not exists streamed (name text primary key, seq integer not null) without rowid"
_log = logging.getLogger("everloop.shopify")


class Broker(Protocol):
    """What is used of FastStream's brokers."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def ping(self, timeout: float | None) -> bool: ...

    async def publish(self, message: bytes, subject: str, **said: Any) -> Any: ...


class Stream:
    """Who publishes what comes into the inbox, or puts into it what comes from a stream: ``carry`` for a thread beside the door."""

    def __init__(self, place: Place, settings: Streams, shop: str) -> None:
        self.place, self.settings, self.shop = place, settings, shop
        with refusing(), place.transaction() as t:
            t.execute(_TABLE)

    def carry(self, stop: threading.Event) -> None:
        """Publish, or take in, until ``stop``."""
        asyncio.run(self._carried(stop))

    def published(self) -> int:
        """Through which delivery of the inbox (its number) all were published."""
        with refusing(), self.place.transaction(write=False) as t:
            found = t.execute("select seq from streamed where name = ?", (self.settings.subject,)).fetchone()
        return int(found[0]) if found else 0

    async def _carried(self, stop: threading.Event) -> None:
        wait = 1.0
        while not stop.is_set():
            broker = self._broker()
            try:
                await broker.start()
                wait = 1.0
                while not stop.is_set():
                    if not (self.settings.publish and await self._publish(broker)):
                        await asyncio.sleep(LOOKED_EVERY)
                        if not await broker.ping(timeout=5.0):
                            raise ConnectionError("it does not answer")
            except Exception as error:
                # Whatever a broker's library raises: the inbox keeps, and it is tried again.
                _log.warning("The stream %s cannot be reached now: %s", self.settings.subject, error or type(error).__name__)
                await asyncio.to_thread(stop.wait, wait)
                wait = min(LONGEST, wait * 2)
            finally:
                with suppress(Exception):
                    await asyncio.wait_for(broker.stop(), 5)

    async def _publish(self, broker: Broker) -> bool:
        """Publish some of what came since; whether there was anything."""
        some = await asyncio.to_thread(inbox.after, self.place, self.published())
        for one in some:
            await self._one(broker, one.delivery)
        if some:
            await asyncio.to_thread(self._told, some[-1].seq)
        return bool(some)

    def _told(self, seq: int) -> None:
        with refusing(), self.place.transaction() as t:
            t.execute("insert or replace into streamed values (?, ?)", (self.settings.subject, seq))

    async def _one(self, broker: Broker, delivery: Delivery) -> None:
        if self.settings.url.startswith("kafka://"):
            await broker.publish(delivery.body, self.settings.subject, key=delivery.id.encode(), headers=headers(delivery))
        else:
            said = {**headers(delivery), "Nats-Msg-Id": delivery.id}
            await broker.publish(delivery.body, f"{self.settings.subject}.deliveries", headers=said, stream=self.settings.subject)

    def _broker(self) -> Any:
        """A broker of FastStream's that puts what it hears into the inbox, where it is to hear anything."""
        try:
            return self._kafka() if self.settings.url.startswith("kafka://") else self._nats()
        except ImportError:
            raise Missing("faststream", "streams", "A stream beside the inbox") from None

    def _nats(self) -> Any:
        from faststream import AckPolicy
        from faststream.nats import JStream, NatsBroker, PullSub

        # Its own reconnecting would hide from us that nothing goes out.
        broker = NatsBroker(self.settings.url, allow_reconnect=False, connect_timeout=5, logger=None)
        name = self.settings.subject
        stream = JStream(name, subjects=[f"{name}.>"], duplicate_window=3600, declare=True)
        if self.settings.consume:
            reads = broker.subscriber(
                f"{name}.deliveries", stream=stream, durable=f"{name}-inbox", pull_sub=PullSub(batch_size=50, timeout=1.0),
                decoder=self._read, ack_policy=AckPolicy.NACK_ON_ERROR,
            )  # fmt: skip
            reads(self._keep)
        else:
            broker.publisher(f"{name}.deliveries", stream=stream)
        return broker

    def _kafka(self) -> Any:
        from faststream import AckPolicy
        from faststream.kafka import KafkaBroker

        broker = KafkaBroker(self.settings.url.removeprefix("kafka://"), acks="all", enable_idempotence=True, logger=None)
        if self.settings.consume:
            reads = broker.subscriber(
                self.settings.subject, group_id=f"{self.settings.subject}-inbox", auto_offset_reset="earliest", decoder=self._read,
                ack_policy=AckPolicy.NACK_ON_ERROR,
            )  # fmt: skip
            reads(self._keep)
        return broker

    async def _read(self, message: Any) -> Any:
        try:
            said = {name: value.decode() if isinstance(value, bytes) else value for name, value in dict(message.headers).items()}
            return envelopes.delivery(self.shop, said, message.body, None)
        except (NotFromShopify, UnicodeDecodeError) as error:
            # It will not become one by coming again.
            _log.warning("What came from the stream %s is no delivery: %s", self.settings.subject, error)
            return None

    async def _keep(self, delivery: Any) -> None:
        if delivery is not None:
            await asyncio.to_thread(inbox.keep, self.place, [delivery], clock.wall())


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
