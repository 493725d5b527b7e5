"""The queue of a house, and its streams, for people and for Prometheus: what waits, what is under way, what was given up, how far each
stream has come. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from everloop.clock import from_microseconds, said
from everloop.lake.take import taken
from everloop.loop.house import House
from everloop.registry.errands import Errands
from everloop.serving.metrics import series
from everloop.settings import Stream


@dataclass(frozen=True)
class Queue:
    """How many errands wait (and which has the longest, since when), are under way, and were given up since workers died over them."""

    waiting: int
    under_way: int
    dead: int
    oldest: str = ""
    since: datetime | None = None

    def __str__(self) -> str:
        """It in a sentence; nothing where there is nothing to tell.

        >>> noon = datetime.fromisoformat("2026-11-02T12:00Z")
        >>> print(Queue(2, 1, 0, "the turn of demand", noon))
        2 errands wait, the oldest (the turn of demand) since 2026-11-02 12:00 UTC; 1 is under way.
        >>> print(Queue(0, 0, 1))
        No errand waits; 1 was given up, since workers died over it again and again.
        >>> print(Queue(0, 0, 0))
        <BLANKLINE>
        """
        if not (self.waiting or self.under_way or self.dead):
            return ""
        parts = [f"{self.waiting} errand{'s wait' if self.waiting > 1 else ' waits'}" if self.waiting else "No errand waits"]
        if self.since is not None:
            parts[0] += f", the oldest ({self.oldest}) since {said(self.since)}"
        parts += [f"{self.under_way} {'are' if self.under_way > 1 else 'is'} under way"] if self.under_way else []
        parts += (
            [f"{self.dead} {'were' if self.dead > 1 else 'was'} given up, since workers died over it again and again"] if self.dead else []
        )
        return "; ".join(parts) + "."


def queue_of(house: House) -> Queue:
    """What waits in a house to be carried out, and what is."""
    errands = Errands(house.store)
    with house.store.reading() as t:
        there, dead = errands.unfinished(within=t), errands.given_up(within=t)
    waiting = [one for one in there if one.state == "waiting"]
    first = waiting[0] if waiting else None
    oldest, since = (f"the {first.verb} of {first.model}", first.asked_at) if first is not None else ("", None)
    return Queue(len(waiting), len(there) - len(waiting), dead, oldest, since)


@dataclass(frozen=True)
class Streamed:
    """One stream of ``[streams]``: how far each partition was taken into its source, or until when answers are told; and what could not be
    read, ``dead`` messages of it, the last at ``dead_at``."""

    name: str
    stream: Stream
    positions: Mapping[str, int]
    told_until: datetime | None = None
    dead: int = 0
    dead_at: datetime | None = None

    def __str__(self) -> str:
        """It in a sentence.

        >>> till = Stream(url="nats://till", subject="shop.orders", source="orders")
        >>> print(Streamed("till", till, {"shop-orders@1": 1204}, dead=2))
        The stream till (shop.orders): orders are taken to shop-orders@1:1,204; 2 messages could not be read: shop.orders.dead has them.
        """
        head = f"The stream {self.name} ({self.stream.subject})"
        if self.stream.source is None:
            return f"{head}: answers are told until {said(self.told_until)}." if self.told_until else f"{head}: no answer was told yet."
        far = ", ".join(f"{partition}:{position:,}" for partition, position in sorted(self.positions.items()))
        line = f"{head}: {self.stream.source} are taken to {far}" if far else f"{head}: nothing was taken yet"
        if not self.dead:
            return f"{line}."
        from everloop.loop.streams import DEAD

        one, last = "message" if self.dead == 1 else "messages", f" (the last {said(self.dead_at)})" if self.dead_at else ""
        return f"{line}; {self.dead:,} {one} could not be read{last}: {self.stream.subject}{DEAD} has them."


def streams_of(house: House) -> list[Streamed]:
    """Every stream that settings name, as far as it has come."""
    return [_streamed(house, name, one) for name, one in house.settings.streams.items()]


def _streamed(house: House, name: str, stream: Stream) -> Streamed:
    from everloop.loop.answers_told import noted_of
    from everloop.loop.streams import dead_letters

    if stream.source is None:
        noted = noted_of(house, name)
        return Streamed(name, stream, {}, None if noted is None else from_microseconds(int(noted["until"])))
    dead, at = dead_letters(house, name)
    source = house.project.sources.get(stream.source)
    return Streamed(name, stream, taken(house.lake, source) if source is not None else {}, dead=dead, dead_at=at)


def queue_gauges(house: House, now: datetime) -> Iterator[tuple[str, float]]:
    """The same, as Prometheus reads it; ``now`` is aware."""
    queue = queue_of(house)
    for state, count in (("waiting", queue.waiting), ("taken", queue.under_way), ("dead", queue.dead)):
        yield series("everloop_errands", (state,)), float(count)
    waits = (now - queue.since).total_seconds() if queue.since is not None else 0.0
    yield series("everloop_errands_oldest_seconds", ()), max(0.0, waits)
    for one in streams_of(house):
        for partition, position in one.positions.items():
            yield series("everloop_stream_position", (one.name, partition)), float(position)
        if one.stream.source is not None:
            yield series("everloop_stream_dead_letters", (one.name,)), float(one.dead)
        if one.told_until is not None:
            yield series("everloop_stream_told_seconds", (one.name,)), one.told_until.timestamp()
