"""Streams into a house: each message becomes rows of its source once, in order. In: a house, one of its streams. Out: rows, dead letters.

A message that is no row of its source goes to the same subject with ``.dead`` behind it, with the reason, before what came after it is
kept: so it is in one place or the other, whenever this dies. What could not be kept because the house is busy or full waits, and
everything behind it: nothing is passed over.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from everloop.clock import EPOCH, wall
from everloop.connect.streams import Line, Message, kept_up, line
from everloop.errors import Overtaken, StoreError
from everloop.lake.arrive import Marks
from everloop.lake.take import Looked, look, take, taken
from everloop.loop.house import House
from everloop.loop.news.alerts import went_unread
from everloop.loop.news.put import put_news
from everloop.project.source import Source
from everloop.serving.bodies import NDJSON, json_rows, ndjson_rows
from everloop.serving.refused import RefusedError
from everloop.settings import Stream

MOST: Final = 500
"""Messages that are kept in one transaction."""
WAIT: Final = 0.5
AGAIN: Final = 1.0
"""Seconds after which a house that was busy or full is tried again."""
DEAD: Final = ".dead"
LONGEST_REASON: Final = 500


def take_stream(house: House, name: str, *, stop: threading.Event, told: Callable[[str], object]) -> None:
    """Take a stream of ``[streams]`` into its source until ``stop``; what is wrong is ``told``, once until it is over.

    A broker that is not there is waited for. Raises nothing.
    """
    said = house.settings.streams[name]
    taking = Taking(house, said, house.project.source(said.source or ""), stop, told, name=name)
    kept_up(taking.go, stop, told, f"The stream {name} ({said.subject})")


@dataclass
class Taking:
    """One stream on its way into one source."""

    house: House
    stream: Stream
    source: Source
    stop: threading.Event
    told: Callable[[str], object]
    wall: Callable[[], datetime] = wall
    name: str = ""

    async def go(self, well: Callable[[], None]) -> None:
        """Take what comes, from where the rows end, until ``stop``. Raises what a broker's library raises."""
        async with line(self.stream.url) as broker:
            marks = await asyncio.to_thread(taken, self.house.lake, self.source)
            for sentence in await broker.begin(self.stream.subject, marks):
                await asyncio.to_thread(self._lost, sentence)
            well()
            while not self.stop.is_set():
                if some := await broker.take(MOST, WAIT):
                    marks = await self._kept(broker, some, marks)

    async def _kept(self, broker: Line, some: Sequence[Message], marks: Mapping[str, int]) -> Mapping[str, int]:
        looked = await asyncio.to_thread(read, self.source, some)
        for number, why in sorted(looked.bad.items()):
            await broker.put(self.stream.subject + DEAD, dead_letter(some[number], why))
        before = {one.partition: marks.get(one.partition, 0) for one in some}
        after = {one.partition: one.position for one in some}
        keep = partial(take, self.house.lake, self.source, looked, marks=Marks(before, after))
        kept = {**marks, **await self._patiently(keep)}
        if looked.bad:
            await asyncio.to_thread(self._note_dead, len(looked.bad))
        return kept

    async def _patiently(self, keep: Callable[..., Any]) -> Mapping[str, int]:
        said = False
        while True:
            try:
                _, marks = await asyncio.to_thread(keep, now=self.wall())
                return dict(marks)
            except Overtaken:
                raise
            except StoreError as error:
                if not said:
                    self.told(f"{self.source.name}: what the stream brings cannot be kept now, and waits: {error}")
                said = True
                if self.stop.is_set():
                    raise
                await asyncio.sleep(AGAIN)

    def _note_dead(self, bad: int) -> None:
        """How many messages could not be read, for who looks at the house. Why not each tells where it was put; it may name people."""
        with suppress(StoreError), self.house.store.transaction() as t:
            fact = self.house.facts.latest("", dead_fact(self.name), within=t)
            before = int(fact.body["count"]) if fact is not None else 0
            body = {"count": before + bad, "at": self.wall().isoformat()}
            self.house.facts.put(t, "", dead_fact(self.name), EPOCH, body)

    def _lost(self, sentence: str) -> None:
        self.told(f"{self.source.name}: {sentence}")
        now = self.wall()
        put_news(self.house, went_unread(self.source.name, sentence, now), now)


def dead_fact(name: str) -> str:
    """The fact that says of how many messages of a stream dead letters were made."""
    return f"stream {name} dead"


def dead_letters(house: House, name: str) -> tuple[int, datetime | None]:
    """How many messages of a stream could not be read so far, and when the last of them came."""
    fact = house.facts.latest("", dead_fact(name))
    return (0, None) if fact is None else (int(fact.body["count"]), datetime.fromisoformat(fact.body["at"]))


def read(source: Source, messages: Sequence[Message]) -> Looked:
    """Messages as rows of their source: one JSON object, or a list of them; or one to a line, where the content type says so.

    >>> orders = Source("orders", id="line_id", columns={"quantity": int})
    >>> found = read(orders, [Message(b'{"line_id": "l1", "quantity": 2}'), Message(b"{"), Message(b'{"line_id": "l2", "quantity": "x"}')])
    >>> found.good, sorted(found.bad)
    ((0, 2), [1, 2])
    """
    rows: list[list[dict[str, Any]]] = []
    unread: dict[int, str] = {}
    for number, one in enumerate(messages):
        try:
            rows.append(rows_of(one))
        except RefusedError as error:
            unread[number] = str(error)
    places = [number for number in range(len(messages)) if number not in unread]
    found = look(source, rows)
    bad = {places[number]: why for number, why in found.bad.items()}
    return Looked(tuple(places[number] for number in found.good), found.kept, {**unread, **bad})


def rows_of(message: Message) -> list[dict[str, Any]]:
    """The rows a message holds. Raises RefusedError for one that holds none that can be read."""
    kind = next((value for name, value in message.headers.items() if name.lower() == "content-type" and value), "")
    return ndjson_rows(message.body) if kind.partition(";")[0].strip().lower() in NDJSON else json_rows(message.body)


def dead_letter(message: Message, why: str) -> Message:
    """A message that cannot be read, with why, and where it stood; the same each time it is put there.

    >>> dead_letter(Message(b"{", {"till": "3"}, "m-1", "shop@2026", 7), "it is no JSON").headers
    {'till': '3', 'Everloop-Reason': 'it is no JSON', 'Everloop-From': 'shop@2026:7'}
    """
    reason = "".join(letter if letter.isprintable() else " " for letter in why)[:LONGEST_REASON]
    # What NATS is told by headers was meant for where the message came to: there it expects, schedules or purges.
    ours = ("nats-", "everloop-reason", "everloop-from")
    kept = {name: value for name, value in message.headers.items() if not name.lower().startswith(ours)}
    headers = {**kept, "Everloop-Reason": reason, "Everloop-From": f"{message.partition}:{message.position}"}
    return Message(message.body, headers, f"dead:{message.partition}:{message.position}")
