"""Nouns of learning and judging: a candidate, its contest, the verdict, a version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from everloop.records.data import Outcome
from everloop.records.record import Record
from everloop.records.shape import Shape


@dataclass(frozen=True, kw_only=True)
class Candidate(Record):
    """A trained model that nobody has judged yet. ``artefact`` and ``golden`` (rows with the answers they must get) are bodies."""

    model: str
    artefact: str
    format: Literal["baseline", "skops", "lightgbm", "xgboost", "onnx", "pickle", "elsewhere"]  # elsewhere: without an artefact
    needs: tuple[str, ...] = ()  # types the artefact may build when it is loaded
    columns: tuple[str, ...]
    shape: Shape
    learner: str
    parameters: str
    golden: str | None = None
    seed: int = 0
    learnt_from: datetime | None = None
    learnt_until: datetime | None = None
    rows: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    environment: tuple[tuple[str, str], ...] = ()
    commit: str | None = None
    dirty: str | None = None  # hash of the uncommitted difference, where there is one
    definition: str = ""  # identity of the model as declared
    knows: tuple[str, ...] = ()  # the readings behind the columns, as said


@dataclass(frozen=True, kw_only=True)
class Contest(Record):
    """Champion and candidate on the same moments, each with its own features. ``body`` holds the paired answers and the truths."""

    model: str
    champion: str
    candidate: str
    body: str | None
    rows: int
    first_at: datetime | None
    last_at: datetime | None
    milliseconds: tuple[float, ...] = ()  # one answer of the candidate each, features included, measured in a child
    why_empty: str | None = None


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What one condition says. ``effect`` is a share of the champion's value in the good direction, with its interval."""

    clause: str
    outcome: Outcome
    sentence: str
    measure: str | None = None
    champion: float | None = None
    candidate: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int = 0


@dataclass(frozen=True, kw_only=True)
class Verdict(Record):
    """Whether a candidate may replace the champion, and why. ``by`` and ``reason`` are set where a person overrode it."""

    model: str
    candidate: str
    champion: str
    opinions: tuple[Opinion, ...]
    outcome: Outcome
    by: str | None = None
    reason: str | None = None

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


@dataclass(frozen=True, kw_only=True)
class Version(Record):
    """A candidate that was let in. ``number`` counts per model; the baseline is number zero. It is called ``demand@3``."""

    model: str
    number: int
    candidate: str
    verdict: str | None = None

    @property
    def name(self) -> str:
        return f"{self.model}@{self.number}"
