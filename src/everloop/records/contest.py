"""Nouns of learning and judging: a candidate, its contest, the verdict, a version."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    notes: tuple[tuple[str, float | str], ...] | None = field(default=None, metadata={"empty": "left out"})  # by its learner
    stored: str | None = field(default=None, metadata={"empty": "left out"})  # how, of a baseline that another model learnt


@dataclass(frozen=True, kw_only=True)
class Listed:
    """How well one side of a contest lists, and by which protocol: the first ``k`` places, of ``questions`` that had something to find
    among ``items`` that could be listed; over all of them, those the unit had before (``repeat``), or those it never had (``explore``)."""

    side: Literal["champion", "candidate"]
    over: Literal["all", "repeat", "explore"]
    k: int
    questions: int
    items: int
    precision: float | None = None
    hit_rate: float | None = None
    ndcg: float | None = None
    coverage: float | None = None


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
    milliseconds: tuple[float, ...] = ()  # one answer of the candidate each, measured in a child
    features_read: bool = False  # whether those include reading the features from where they are read in service
    why_empty: str | None = None
    number: int = 1  # which contest it is against this champion, counted since it first had one
    shaken: Shaken | None = field(default=None, metadata={"empty": "left out"})
    alone: tuple[Alone, ...] = ()  # best first
    lists: tuple[Listed, ...] = ()  # of rankings: how well each side lists, with the protocol


@dataclass(frozen=True, kw_only=True)
class Shaken:
    """How far answers of the candidate moved where what they were made from did, each as a share of how far answers lie apart (their mean
    distance from their median): by one step of floating point up or down, the least a number can change, and by one percent of noise.
    ``jumped`` is the share of questions whose answer moved by more than a tenth of that for the least step.
    """

    rows: int
    least: float
    noise: float
    jumped: float


@dataclass(frozen=True, kw_only=True)
class Alone:
    """What one column says of the truth by itself, of ``rows`` questions: AUC of a yes or no, of a number the lesser of
    R² and the R² of ranks."""

    column: str
    measure: Literal["auc", "r2"]
    value: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What one condition says. ``champion`` and ``candidate`` are values of the metric ``measure``, or without one of what the clause says,
    such as a ratio of groups. ``effect`` is a share of the champion's value in the good direction, with its interval."""

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
    confidence: float | None = field(default=None, metadata={"empty": "left out"})  # of the interval, two-sided
    needed: int | None = field(default=None, metadata={"empty": "left out"})  # about how many questions would settle it


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
    beside: tuple[Opinion, ...] = ()  # how the candidate stands beside simple rules; decides nothing

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
