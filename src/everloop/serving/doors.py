"""The doors: what the app asks of the house behind it. A Protocol; the one implementation is ``loop/serve/doors.py``.

Every door is called in a worker thread unless it says otherwise, with ``now`` as business time (aware). What could not be done is raised as
one of ``errors.py``: Unknown, EverloopError, Overtaken, ClockWentBack, HouseBusy, HouseFull, StoreError; the app turns that into a status.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import Prediction, Received
from everloop.serving.asks import Because, OnlineFeaturesAsk, OnlineFeaturesReply
from everloop.serving.notices import Notices
from everloop.serving.verdicts import VerdictReply

Row: TypeAlias = Mapping[str, object]


@dataclass(frozen=True)
class Ready:
    """Whether this worker may be sent requests, and if not, why. ``generations``: which traffic it answers by, model by model."""

    ready: bool
    why: str = ""
    generations: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class InForce:
    """Who answers for a model now, as people say versions: the champion; the candidate where a roll-out gives it units (of several the
    first, and all of them by their arms in ``several``); and the baseline where some units keep it."""

    champion: str
    candidate: str | None = None
    control: str | None = None
    several: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Each version that answers somebody, the champion first."""
        return tuple(
            dict.fromkeys(name for name in (self.champion, self.candidate, *self.several.values(), self.control) if name is not None)
        )

    def of(self, arm: str) -> str:
        """The version of an arm; the champion where nobody else has it."""
        return {"candidate": self.candidate, "control": self.control, **self.several}.get(arm) or self.champion


class Doors(Protocol):
    """One house as the app sees it."""

    turned: bool
    """Whether the house was opened with ``--turned-clock``: only then may a request say ``Everloop-Now``, and then it must."""

    models: Mapping[str, Model]
    sources: Mapping[str, Source]

    def predict(self, model: str, requests: Sequence[Row], now: datetime) -> Sequence[Prediction]:
        """One answer for each request (unit columns and what is given; or ``features``: all columns by name), in the log before given."""
        ...

    def answer_soon(self, model: str, request: Row, now: datetime) -> Awaitable[Prediction] | None:
        """The answer to one request that says itself what is known of it, in the log when awaited; None where ``predict`` has to be asked.

        Called on the event loop, returns at once. Raises as ``predict`` does.
        """
        ...

    def because(self, model: str, given: Sequence[Prediction]) -> Sequence[Because | str]:
        """Why each of these answers is what it is; or, in words, why that cannot be told."""
        ...

    def beside(self, model: str, items: Sequence[str], most: int | None, now: datetime) -> tuple[str, Sequence[tuple[str, float]]]:
        """What goes with these items, best first with scores, and the version that says so. Raises EverloopError where none can."""
        ...

    def in_force(self, model: str) -> InForce:
        """Who answers for a model. Called on the event loop; does no I/O. Raises Unknown, and what ``predict`` would."""
        ...

    def assigned(self, model: str, requests: Sequence[Row]) -> Sequence[str]:
        """The version that answers each request, as people say it. Called on the event loop; does no I/O."""
        ...

    def online_features(self, asked: OnlineFeaturesAsk, now: datetime) -> OnlineFeaturesReply:
        """What models know of units at this moment, asked and told as Feast's feature server is and does."""
        ...

    def named(self, version: str) -> str:
        """A version's id as people say it: ``demand@3``. Called on the event loop; does no I/O."""
        ...

    def labels(self, version: str) -> Sequence[str]:
        """The labels a version's class shares stand for, in order; none where its answers are no shares. On the event loop; no I/O."""
        ...

    def is_baseline(self, version: str) -> bool:
        """Whether a version is a baseline, which answers until something better is proven. On the event loop; no I/O."""
        ...

    def receive(self, source: str, rows: Sequence[Row] | pa.Table, now: datetime, known_after: timedelta | None) -> Future[Received]:
        """Rows of a source. Called on the event loop, returns at once; the future is done when the rows are kept."""
        ...

    def truths(self, told: Sequence[Row], now: datetime) -> Received:
        """Truths that are no event: each names a prediction, or model, unit and moment, and says the truth (null: taken back)."""
        ...

    def outcomes(self, told: Sequence[Row], now: datetime) -> Received:
        """Named outcomes of a unit or a prediction: click, order, rating, retention."""
        ...

    def predictions(self, told: Sequence[Row], now: datetime) -> Received:
        """Answers that another service gave, so that they can be watched."""
        ...

    def arrived(self, notices: Notices, now: datetime) -> Sequence[Received]:
        """Objects that were written to a store: what became of each that is of a source, once it was fetched and taken in."""
        ...

    def turn(self, model: str | None, now: datetime, cause: str, once: str | None = None) -> list[Mapping[str, Any]]:
        """Go round the ring (one model or all), in the controller; returns when that is done: decision, sentence, turn id for each.

        Asked again with the same ``once`` it is the same turn, at the moment it was first asked for."""
        ...

    def score(self, model: str | None, now: datetime) -> Mapping[str, int]:
        """Answer every question that has come due, in the controller; how many answers, by model."""
        ...

    def undo(self, model: str, by: str, reason: str, now: datetime) -> str:
        """The version before answers again, at once. A sentence."""
        ...

    def approve(self, model: str, yes: bool, by: str, reason: str, now: datetime, question: str | None = None) -> str:
        """A person's word on what the model waits for, or on this question alone. A sentence."""
        ...

    def hold(self, model: str, by: str, reason: str, now: datetime) -> str:
        """No candidate answers anybody, and nothing is rolled out, until it is released. A sentence."""
        ...

    def release(self, model: str, by: str, reason: str, now: datetime) -> str:
        """Roll-outs may go on. A sentence."""
        ...

    def share(self, model: str, share: float | None, by: str, reason: str, now: datetime) -> str:
        """The share of the units that a canary's candidate answers; None: as its plan says. A sentence."""
        ...

    def cancel(self, model: str, by: str, reason: str) -> str:
        """End the turn under way, its training included; what answers stays as it was. A sentence."""
        ...

    def forget(self, column: str, value: str, everybody: bool, by: str, reason: str, now: datetime) -> tuple[str, Mapping[str, Any]]:
        """Erase one person, or everybody. A sentence, and the record."""
        ...

    def known_of(self, column: str, value: str) -> Mapping[str, Any]:
        """Everything that is kept of one person."""
        ...

    def status(self) -> list[Mapping[str, Any]]:
        """Each model's standing, as ``everloop status --json`` says it."""
        ...

    def verdict(self, rollout: str) -> VerdictReply:
        """How a roll-out stands, called by its model, its version or that version's id. Raises Unknown for what was never rolled out."""
        ...

    def history(self, after: int | None) -> tuple[Sequence[Mapping[str, Any]], int]:
        """What the journal kept beyond a number of who answers whom and of incidents, oldest first, and the number to go on from."""
        ...

    def incidents(self, model: str | None, every: bool) -> list[Mapping[str, Any]]:
        """What is wrong now, the oldest first, as ``everloop incidents --json`` says it; ``every``: also what is over."""
        ...

    def acknowledge(self, incident: str, by: str, reason: str, now: datetime) -> tuple[str, Mapping[str, Any]]:
        """Somebody is at an incident. A sentence, and the incident as that left it."""
        ...

    def snooze(self, incident: str, until: str, by: str, reason: str, now: datetime) -> tuple[str, Mapping[str, Any]]:
        """Nobody is told of an incident before ``until`` (a span from now, or an instant). A sentence, and the incident."""
        ...

    def ready(self) -> Ready:
        """Whether this worker can answer. Called on the event loop; does no I/O."""
        ...
