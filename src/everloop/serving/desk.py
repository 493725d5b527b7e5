"""The desk: what every verb of the app works at. In: an ``Ask``, let in and read. Out: a ``Reply``.

Here are the doors of the house behind, the threads for doors that block, and the places of those under way. What is asked and what is
replied is ``verbs/``'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

import msgspec

from everloop.errors import Unknown
from everloop.project.model import Model
from everloop.serving import asks
from everloop.serving.arriving import FEW
from everloop.serving.bodies import JSON, json_value
from everloop.serving.doors import Doors
from everloop.serving.fits import Fit, fit_of
from everloop.serving.forms import Form, form_of
from everloop.serving.metrics import Metrics
from everloop.serving.refused import RefusedError, later
from everloop.serving.verdicts import GateAsk
from everloop.spans import carried

T = TypeVar("T")

IN_LINE = 2_048  # requests answered on the event loop that may wait for the log at once: each is a row, and a row is written soon
TURNS = 4  # turns and scores that may be waited for at once
encode = msgspec.json.Encoder().encode


class Ask(NamedTuple):
    """One request, let in and read: the name in its path, its body, when it happens."""

    name: str
    body: bytes
    content_type: str
    query: bytes
    now: datetime
    version: str = ""


class Reply(NamedTuple):
    """What is sent back."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()


def told(said: object, status: int = 200) -> Reply:
    """A reply that is one JSON value."""
    return Reply(status, encode(said))


AGAIN = [(b"retry-after", b"1")]


class Places:
    """How many may be at the doors at once; who comes when all are taken is told to come again."""

    def __init__(self, most: int, called: str = "requests", again: int = 1) -> None:
        self.most, self.called, self.again, self.taken = most, called, again, 0

    def __enter__(self) -> None:
        if self.taken >= self.most:
            raise later(
                "overloaded", f"{self.most} {self.called} are under way, which is all this worker takes at once. Try again.", self.again
            )
        self.taken += 1

    def __exit__(self, *_: object) -> None:
        self.taken -= 1


class Desk:
    """What verbs work at. ``in_flight``: how many requests may be at the doors at once, health and people's words not counted."""

    def __init__(self, doors: Doors, metrics: Metrics, in_flight: int) -> None:
        self.doors, self.metrics, self.stopping = doors, metrics, False
        self.under_way, self.turns, self.in_line = Places(in_flight), Places(TURNS, "turns and scores", 10), Places(IN_LINE)
        # Threads of their own: whatever else is under way, and whoever looks on, an undo finds one free.
        self.answering = ThreadPoolExecutor(min(8, in_flight), "everloop-answers")
        self.telling = ThreadPoolExecutor(4, "everloop-told")
        self.turning = ThreadPoolExecutor(TURNS, "everloop-turns")
        self.looking = ThreadPoolExecutor(4, "everloop-looking")
        self.people = ThreadPoolExecutor(8, "everloop-people")
        self._forms: dict[str, tuple[Fit, Form | None]] = {}
        self._described: tuple[object, object, Mapping[str, Any]] | None = None

    def close(self) -> None:
        """Take nothing more on; what is under way goes on."""
        self.stopping = True
        for pool in (self.answering, self.telling, self.turning, self.looking, self.people):
            pool.shutdown(wait=False)

    def ready(self) -> bool:
        """Whether this worker can answer."""
        return self.doors.ready().ready and not self.stopping

    async def in_thread(self, pool: ThreadPoolExecutor, door: Callable[..., T], *given: object) -> T:
        """A door that blocks, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(pool, carried(partial(_through, door, *given)))

    async def read(self, ask: Ask, reader: Callable[..., T], *given: object) -> T:
        """A body's meaning; one that is not small is read beside the event loop."""
        return reader(*given) if len(ask.body) <= FEW else await self.in_thread(self.telling, reader, *given)

    def model(self, name: str) -> Model:
        """The model of this name. Raises Unknown."""
        model = self.doors.models.get(name)
        if model is None:
            raise Unknown("model", name[:60], sorted(self.doors.models))
        return model

    def form(self, model: Model) -> tuple[Fit, Form | None]:
        """What fits a model, and the form in which most requests come."""
        made = self._forms.get(model.name)
        if made is None or made[0].model is not model:
            fit = fit_of(model)
            made = self._forms[model.name] = (fit, form_of(fit))
        return made

    def fit(self, model: Model) -> Fit:
        """What fits a model."""
        return self.form(model)[0]

    def description(self) -> Mapping[str, Any]:
        """The OpenAPI document of this house, made when it is first asked for."""
        from everloop.serving.openapi import document

        models, sources = self.doors.models, self.doors.sources
        if self._described is None or self._described[0] is not models or self._described[1] is not sources:
            self._described = (models, sources, document(models, sources, turned=self.doors.turned))
        return self._described[2]


@cache
def release() -> str:
    """Everloop's version. What reads it takes as long to load as a fifth of a worker, and few ask."""
    from importlib.metadata import version

    return version("everloop")


A = TypeVar(
    "A",
    asks.ForgetAsk,
    asks.PersonAsk,
    asks.TurnAsk,
    asks.ScoreAsk,
    asks.WordAsk,
    asks.SnoozeAsk,
    asks.OnlineFeaturesAsk,
    asks.BesideAsk,
    GateAsk,
)


def meant(body: bytes, kind: type[A]) -> A:
    """A body as the record it should be; none at all is an empty object. Raises RefusedError (400, 422)."""
    value = json_value(body) if body else {}
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        field = where.strip(".`") or (what.split("`")[1] if "`" in what and "field" in what else None)
        raise RefusedError("invalid", f"{what}. See {kind.__name__} in GET /docs.", field=field) from None


def _through(door: Callable[..., T], *given: object) -> T:
    """What a door gives; a StopIteration no future can hold, and whoever waits for it would wait for ever."""
    try:
        return door(*given)
    except StopIteration as error:
        raise RuntimeError("a door raised StopIteration") from error
