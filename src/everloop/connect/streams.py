"""Streams: messages of NATS JetStream and Kafka, taken in order from where one was, and put there. In: a URL. Out: a line to the broker.

How far a stream was taken is remembered by whoever takes it, not by the broker: a line begins after the position it is told, so after a
restart of either side, or a house restored from a backup, it goes on where the rows end. FastStream opens the connections and publishes,
here and nowhere else. Its own loop over pulled messages is not used: it knows no position of ours, and on a connection that has closed it
spins without ever giving way (faststream 0.7: ``_consume_pull`` passes over ``ConnectionClosedError``, which is raised at once).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from everloop.clock import monotonic
from everloop.errors import EverloopError, Missing, SettingsError

CONNECT_SECONDS: Final = 5
SHORTEST, LONGEST = 1.0, 60.0
"""Seconds between two tries to reach a broker that is not there: twice as many each time."""
REMEMBERED: Final = 3600
"""Seconds for which a stream that is made here knows a message again by its id."""
IDLE: Final = 10.0
"""Seconds without a message after which Kafka is asked whether it is there."""


@dataclass(frozen=True)
class Message:
    """A message: its bytes, and what was said beside them. ``id`` is the same when it is put once more. Of one that was taken, where it
    stands: ``position`` counts up in its ``partition``, which no other stream shares."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    partition: str = ""
    position: int = 0


class Line(Protocol):
    """A connection to a broker, on the event loop it was opened on. Once it has raised, it is to be opened anew."""

    async def begin(self, subject: str, taken: Mapping[str, int]) -> Sequence[str]:
        """Take from now on what comes after these positions of the subject's partitions; what is not among them from its beginning.

        Returns sentences for people: where messages went before they could be taken."""
        ...

    async def take(self, most: int, wait: float) -> Sequence[Message]:
        """The next messages, those of one partition in order; none where none come within so many seconds."""
        ...

    async def put(self, subject: str, message: Message) -> None:
        """Put a message there; the broker has kept it when this returns."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


@asynccontextmanager
async def line(url: str) -> AsyncIterator[Line]:
    """A line to the broker of a URL: ``nats://``, ``tls://`` (NATS by TLS), ``kafka://`` and ``kafkas://`` (by TLS), several hosts between
    commas, and ``user:password@`` before the first where the broker asks for them.

    Raises Missing without FastStream, SettingsError for another URL, and what a broker's library raises where it is not there.
    """
    scheme = url.partition("://")[0]
    if scheme not in ("nats", "tls", "kafka", "kafkas"):
        raise SettingsError('A stream is at "nats://127.0.0.1:4222", or at kafka:// and where it is.')
    try:
        opened: Line = _kafka(url) if scheme.startswith("kafka") else _nats(url)
    except ImportError:
        raise Missing("faststream", "streams", "A stream") from None
    try:
        yield opened
    finally:
        with suppress(Exception):
            await asyncio.wait_for(opened.close(), CONNECT_SECONDS)


def kept_up(
    work: Callable[[Callable[[], None]], Awaitable[object]], stop: threading.Event,
    told: Callable[[str], object], about: str, *, shortest: float = SHORTEST,
) -> None:  # fmt: skip
    """Do work on an event loop of its own until ``stop``. Where it ends by an exception, whatever a broker's library raises, that is
    ``told`` once until it is over, and the work begun anew after 1, 2, 4 … seconds, a minute at most. The work is given what it calls
    when it is well.

    >>> stop, ends = threading.Event(), iter(["refused", "refused", None])
    >>> async def work(well):
    ...     if (why := next(ends)) is not None:
    ...         raise ConnectionError(why)
    ...     stop.set()
    >>> kept_up(work, stop, print, "The stream shop", shortest=0)
    The stream shop cannot be gone on with now (refused). It is tried again.
    """
    said, wait = "", shortest

    def well() -> None:
        nonlocal said, wait
        said, wait = "", shortest

    async def begun() -> None:
        await work(well)

    while not stop.is_set():
        try:
            asyncio.run(begun())
        except Exception as error:
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            why = "it did not answer in time" if isinstance(error, TimeoutError) else str(error).rstrip(".") or type(error).__name__
            if why != said:
                told(f"{about} cannot be gone on with now ({why}). It is tried again.")
            said = why
            stop.wait(wait)
            wait = min(LONGEST, wait * 2)


# -- NATS --------------------------------------------------------------------------------------------------------------------------------


class NatsLine:
    """A line to NATS JetStream. A subject that no stream holds gets one of its own. A partition is a stream, with the instant it was made,
    so that one made anew under its name is another."""

    def __init__(self, broker: Any) -> None:
        self.broker = broker
        self._client: Any = None
        self._streams: dict[str, str] = {}
        self._reads: Any = None
        self._partition, self._came = "", 0

    async def begin(self, subject: str, taken: Mapping[str, int]) -> Sequence[str]:
        """See ``Line``. Raises EverloopError for a stream that lets go of messages once they are taken: who takes them has to say so, and
        here the rows alone do."""
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy

        stream = await self._stream(subject)
        info = await self._client.jetstream().stream_info(stream)
        if info.config.retention not in (None, RetentionPolicy.LIMITS, "limits"):
            cure = "Let it keep messages by limits (age, size), or mirror it into one that does"
            raise EverloopError(f"The stream {stream} lets go of messages once somebody has taken them. {cure}.")
        self._partition = f"{stream}@{info.created.isoformat() if info.created else ''}"
        after = taken.get(self._partition, 0)
        # No acknowledgement: what is not in the log is read again from there. Ours alone, and gone a minute after us.
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after + 1, ack_policy=AckPolicy.NONE, inactive_threshold=60.0,
            mem_storage=True,
        )  # fmt: skip
        self._reads, self._came = await self._client.jetstream().pull_subscribe(subject, stream=stream, config=config), 0
        gone = info.state.first_seq - 1 - after
        return [_went(subject, gone)] if after and gone > 0 else []

    async def take(self, most: int, wait: float) -> Sequence[Message]:
        """See ``Line``."""
        try:
            found = await self._reads.fetch(most, timeout=wait)
        except TimeoutError:  # where nothing came the client raises a kind of its own, and now and then the plain one
            if not self._client.is_connected:
                raise ConnectionError("the connection broke") from None
            return ()
        return [self._taken(one) for one in found]

    def _taken(self, one: Any) -> Message:
        place = one.metadata.sequence
        self._came += 1
        if place.consumer != self._came:
            raise ConnectionError("messages were lost on the way; they are read again")
        headers = dict(one.headers or {})
        id = headers.get("Nats-Msg-Id") or f"{self._partition}:{place.stream}"
        return Message(one.data, headers, id, self._partition, place.stream)

    async def put(self, subject: str, message: Message) -> None:
        """See ``Line``."""
        stream = await self._stream(subject)
        said = {**message.headers, **({"Nats-Msg-Id": message.id} if message.id else {})}
        await self.broker.publish(message.body, subject, headers=said, stream=stream, timeout=CONNECT_SECONDS)

    async def close(self) -> None:
        """See ``Line``."""
        if self._client is not None and not self._client.is_closed:
            await self._client.close()
        await self.broker.stop()

    async def _stream(self, subject: str) -> str:
        """The stream that holds a subject, made where there is none."""
        from nats.js.errors import NotFoundError

        if self._client is None:
            try:
                await asyncio.wait_for(self.broker.start(), CONNECT_SECONDS)
            except TimeoutError:
                raise ConnectionError("nothing answers there") from None
            self._client = await self.broker.connect()
        if subject not in self._streams:
            stream = self._client.jetstream()
            try:
                self._streams[subject] = await stream.find_stream_name_by_subject(subject)
            except NotFoundError:
                name = subject.replace(".", "-")
                await stream.add_stream(name=name, subjects=[subject], duplicate_window=REMEMBERED)
                self._streams[subject] = name
        return self._streams[subject]


def _nats(url: str) -> NatsLine:
    from faststream.nats import NatsBroker

    scheme, _, hosts = url.partition("://")
    servers = [f"{scheme}://{host}" for host in hosts.rstrip("/").split(",")]
    # Its own reconnecting would hide from us that what was under way is lost.
    return NatsLine(NatsBroker(servers, allow_reconnect=False, connect_timeout=CONNECT_SECONDS, logger=None))


# -- Kafka -------------------------------------------------------------------------------------------------------------------------------


class KafkaLine:
    """A line to Kafka. A partition is the cluster, the topic and its number; a position is the offset after the message."""

    def __init__(self, broker: Any) -> None:
        self.broker = broker
        self._cluster: str | None = None
        self._reads: Any = None
        self._reached: dict[Any, int] = {}
        self._heard = 0.0

    async def begin(self, subject: str, taken: Mapping[str, int]) -> Sequence[str]:
        """See ``Line``."""
        await self._start()
        # Of no group: all partitions are ours, and no offset but ours counts.
        reads = self.broker.subscriber(subject, batch=True, auto_offset_reset="earliest")
        await asyncio.wait_for(reads.start(), 2 * CONNECT_SECONDS)
        self._reads, told = reads.consumer, []
        there = list(self._reads.assignment())
        begins, ends = await self._reads.beginning_offsets(there), await self._reads.end_offsets(there)
        for one in there:
            position = taken.get(self._called(one), 0)
            if position > ends[one]:
                told.append(
                    f"The partition {one.partition} of {subject} was made anew since it was last taken; it is read from its beginning."
                )
                position = begins[one]
            elif position and position < begins[one]:
                told.append(_went(subject, begins[one] - position))
            self._reached[one] = max(position, begins[one])
            self._reads.seek(one, self._reached[one])
        self._heard = monotonic()
        return told

    async def take(self, most: int, wait: float) -> Sequence[Message]:
        """See ``Line``."""
        found = await self._reads.getmany(timeout_ms=int(wait * 1000), max_records=most)
        if found:
            self._heard = monotonic()
        elif monotonic() - self._heard > IDLE:
            if not await self.broker.ping(timeout=float(CONNECT_SECONDS)):
                raise ConnectionError("it does not answer")
            self._heard = monotonic()
        return [self._taken(at, record) for at, records in found.items() for record in records]

    def _taken(self, at: Any, record: Any) -> Message:
        # A topic that is given more partitions is begun anew by the client from the first message of each.
        if record.offset < self._reached.get(at, 0):
            raise ConnectionError("its partitions have changed; it is gone on with where it was")
        self._reached[at] = record.offset + 1
        headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
        id = headers.get("id") or f"{self._called(at)}:{record.offset}"
        return Message(record.value or b"", headers, id, self._called(at), record.offset + 1)

    async def put(self, subject: str, message: Message) -> None:
        """See ``Line``."""
        await self._start()
        said = {**message.headers, **({"id": message.id} if message.id else {})}
        await self.broker.publish(message.body, subject, key=message.id.encode() or None, headers=said)

    async def close(self) -> None:
        """See ``Line``."""
        await self.broker.stop()

    def _called(self, partition: Any) -> str:
        return f"{self._cluster}/{partition.topic}/{partition.partition}"

    async def _start(self) -> None:
        if self._cluster is None:
            await asyncio.wait_for(self.broker.start(), 2 * CONNECT_SECONDS)
            self._cluster = str((await self.broker.config.admin_client.describe_cluster()).get("cluster_id") or "kafka")


def _kafka(url: str) -> KafkaLine:
    quiet = logging.getLogger("aiokafka")
    if not quiet.handlers:
        # It says every half second what is raised here once.
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
    from faststream.kafka import KafkaBroker
    from faststream.security import BaseSecurity, SASLPlaintext

    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2].split(",")
    context = None
    if parts.scheme == "kafkas":
        import ssl

        context = ssl.create_default_context()
    security: Any = BaseSecurity(ssl_context=context) if context else None
    if parts.username:
        security = SASLPlaintext(unquote(parts.username), unquote(parts.password or ""), ssl_context=context)
    # What is put twice after a break is told apart by its id, as everywhere; not every broker numbers its producers.
    return KafkaLine(KafkaBroker(hosts, acks="all", security=security, logger=None))


def _went(subject: str, messages: int) -> str:
    return f"Up to {messages:,} messages of {subject} went from the broker before they were taken: it keeps them for too short a time."
