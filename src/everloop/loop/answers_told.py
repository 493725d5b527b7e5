"""Answers put into a stream: each as it was replied over HTTP, once it is in the lake. In: a house, one of its streams. Out: messages.

At least once each: how far it came is noted after the broker has kept them, so what was under way when this died is put there again,
under the same id (the answer's own). What nobody was given (shadows) is not told.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import EPOCH, microseconds, said, wall
from everloop.connect.streams import Line, Message, kept_up, line
from everloop.loop.answers import TABLE
from everloop.loop.house import House, untold
from everloop.serving.answered import SCHEMA, predictions
from everloop.serving.asks import answer_of
from everloop.settings import Stream

LOOK_EVERY: Final = 1.0
TOGETHER: Final = 200
LATEST: Final = timedelta(days=1)
"""How much later than others an answer may reach the lake: what is older was there before the table was rewritten."""
_encode = msgspec.json.Encoder().encode


def tell_answers(house: House, name: str, *, stop: threading.Event, told: Callable[[str], object]) -> None:
    """Put answers into a stream of ``[streams]`` until ``stop``; what is wrong is ``told``, once until it is over. The first time it begins
    with what is answered from then on, and says so. Raises nothing."""
    stream = house.settings.streams[name]
    telling = Telling(house, name, stream, stop, told)
    kept_up(telling.go, stop, told, f"The stream {name} ({stream.subject})")


def noted_of(house: House, name: str) -> dict[str, Any] | None:
    """How far a stream of answers was told: the ``version`` of their table, and the newest instant (µs) of what was told, ``until``."""
    fact = house.facts.latest("", f"stream {name}")
    return None if fact is None else dict(fact.body)


@dataclass
class Telling:
    """One stream that answers are put into."""

    house: House
    name: str
    stream: Stream
    stop: threading.Event
    told: Callable[[str], object] = untold
    wall: Callable[[], datetime] = wall

    async def go(self, well: Callable[[], None]) -> None:
        """Put there what is answered, until ``stop``. Raises what a broker's library raises."""
        async with line(self.stream.url) as broker:
            while not self.stop.is_set():
                await self.once(broker)
                well()
                await asyncio.to_thread(self.stop.wait, LOOK_EVERY)

    async def once(self, broker: Line) -> int:
        """Put there what was answered since the last time; how many that is."""
        before = await asyncio.to_thread(self._noted)
        if before is None:
            before = await asyncio.to_thread(self._begun)
        version, rows = await asyncio.to_thread(self._since, before)
        messages = await asyncio.to_thread(self._said, rows)
        for first in range(0, len(messages), TOGETHER):
            await asyncio.gather(*(broker.put(self.stream.subject, one) for one in messages[first : first + TOGETHER]))
        if before["version"] != version:
            until = max([before["until"], *rows.column("answered_at").to_pylist()])
            await asyncio.to_thread(self._note, {**before, "version": version, "until": until})
        return len(messages)

    def _noted(self) -> dict[str, Any] | None:
        return noted_of(self.house, self.name)

    def _begun(self) -> dict[str, Any]:
        """From now on: what was answered before, and is sealed later, is not told."""
        now, version = self.wall(), self.house.lake.tables.version(TABLE)
        body = {"version": version, "until": microseconds(now), "since": microseconds(now)}
        self._note(body)
        self.told(f"The stream {self.name} ({self.stream.subject}) is told what is answered from {said(now)} on.")
        return body

    def _since(self, before: dict[str, Any]) -> tuple[int | None, pa.Table]:
        """The newest version of the answers, and what came since the one that was noted."""
        version, rows = self.house.lake.tables.added(TABLE, before["version"], SCHEMA)
        rows = rows.filter(pc.field("arm") != "shadow")
        # Of streams from before it was noted since when they are told, all there is.
        least = max(before["until"] - LATEST // timedelta(microseconds=1), before.get("since", 0))
        rows = rows.filter(pc.field("answered_at") >= least)
        return version, rows if self.stream.answers == "*" else rows.filter(pc.field("model") == self.stream.answers)

    def _note(self, body: dict[str, Any]) -> None:
        with self.house.store.transaction() as t:
            self.house.facts.put(t, "", f"stream {self.name}", EPOCH, body)

    def _said(self, rows: pa.Table) -> list[Message]:
        """Answers as they were replied, by version: the names and shapes of each are looked up once."""
        found: dict[str, tuple[str, Any, bool]] = {}
        messages = []
        for one in predictions(rows.sort_by([("answered_at", "ascending"), ("id", "ascending")])):
            if one.version not in found:
                version = self.house.version(one.version)
                candidate = self.house.candidate(version.candidate)
                found[one.version] = version.name, candidate.shape, candidate.format == "baseline"
            name, shape, baseline = found[one.version]
            each = self.house.project.model(one.model).each if shape.steps > 1 else None
            body = _encode(answer_of(shape, one, name, tuple(shape.labels), baseline=baseline, each=each))
            messages.append(Message(body, {"Content-Type": "application/json", "Everloop-Model": one.model}, one.id))
        return messages
