"""Nouns of watching: what was measured, tested and followed up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from everloop.records.data import Outcome
from everloop.records.record import Record

Says: TypeAlias = Literal["roll back", "go on", "promote", "not enough evidence"]
Cause: TypeAlias = Literal["data", "change", "service", "truth", "release"]
Severity: TypeAlias = Literal["info", "warning", "critical"]


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What watching found about one condition. ``fired`` only where it is proven; ``outcome`` says whether it could be judged at all."""

    clause: str
    kind: Literal[
        "drift",
        "slip",
        "worse",
        "better",
        "errors",
        "latency",
        "truths",
        "schedule",
        "data",
        "volume",
        "season",
        "figure",
        "outage",
        "estimate",
        "calibration",
    ]
    fired: bool
    outcome: Outcome
    sentence: str
    measure: str | None = None
    about: str | None = None  # a feature, "answers", a version
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int = 0
    coverage: float | None = None  # share of the window's questions whose truth is mature
    since: datetime | None = None  # since when, where watching can tell
    wealth: tuple[tuple[float, ...], ...] = ()  # where bets decide: the logarithm of each one's wealth after each period
    between: tuple[float, float] | None = None  # of two versions on the same questions: the mean difference of their losses, at every look
    as_of: datetime | None = None  # of figures that rest on truth: by what was known then
    causes: tuple[str, ...] = ()  # what may be behind it, likeliest first


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """How sure one version was of its answers in the newest window: the mean share it gave the answer it holds likeliest."""

    version: str
    at: datetime
    mean: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Units first met while one share was in force, by arm, and what befell them: how many had the event, or their amounts added up, each
    as a share of the cap. ``chance``: of being the candidate's, among the units compared."""

    generation: int
    chance: float
    candidate: int
    champion: int
    candidate_events: float = 0.0
    champion_events: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Guard:
    """One figure by which the arms of a split are held against each other. It bets that the candidate's units have more (or fewer: not
    ``more``) events than ``margin`` times the champion's; an ``evidence`` of ``needs`` proves it.

    *harm* counts in the weighted mean by its ``weight``, a *gain* has to be proven before anything is promoted, *news* is only told.
    The candidate's rate lies between ``low`` and ``high`` (None: no end) times the champion's, whenever one looks.
    """

    name: str  # errors, slow, odd; or the condition as said
    what: str  # as it is said aloud
    role: Literal["harm", "gain", "news"]
    weight: float = 0.0
    margin: float = 1.0
    more: bool = True
    needs: float = 20.0
    level: float | None = None  # of a gain: what its test may be wrong by; an evidence of 1 / level proves it
    bound: float | None = None  # fixed before the start: the cap of an amount, the milliseconds from which an answer is slow
    epochs: tuple[Epoch, ...] = ()
    wealth: tuple[float, ...] = ()  # of each bet, as a logarithm, where events are amounts; of plain events the counts are enough
    waiting: int = 0  # units whose window is still open; they decide nothing
    late: int = 0  # outcomes that were told after their window had closed; they decide nothing either
    proven: bool | None = None  # of what is judged on the same questions instead, by its interval, and so has no epochs
    paired: tuple[tuple[float, ...], ...] = ()  # of what is bet on the same questions instead: the wealth of each bet after each period
    effect: float | None = None  # of the same: by what share of the champion's value the candidate is better so far
    why_silent: str | None = None
    evidence: float = 1.0
    low: float | None = None
    high: float | None = None
    worth: float = 0.0  # of amounts: how many plain events they tell as much as
    needed: int | None = None  # how many more units it takes at least, about, to tell a difference of 5 %, or that it is as good


@dataclass(frozen=True, kw_only=True)
class Part:
    """How many units (k,) each arm of a test of several met, while their chances (k,) were these; the champion's first."""

    chances: tuple[float, ...]
    units: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a roll-out's verdict rests on, whole: ``rollout.verdict.replay`` comes to the same verdict from nothing else.

    ``epochs`` are the units met under each share, ``limit`` is the share of failing answers that is too many (what the champion does in the
    roll-out may lift it above ``limit_before``, as it was fixed at the start), ``ends_at`` when a test is over. An e-value of
    ``mismatch`` up to ``freezes`` lets the roll-out go on, and so with the other thresholds.

    ``test`` is which test of its model this is, from 1 on (0: none, or one that stands alone), and ``found`` how many of those before
    promoted their candidate: they say at what level its gains are judged.

    Of a test of several candidates each has a trial of its own against the champion. ``among`` is how many of them it began with, which
    that level is divided by, and ``parts`` how many units all their arms met, so that the sizes of all are judged at once.
    """

    candidate: str  # version ids
    champion: str
    salt: str
    began_at: datetime
    until: datetime
    ends_at: datetime | None = None
    answers: int = 0  # of the candidate, seen or not
    failed: int = 0
    limit: float = 0.005
    limit_before: float = 0.005
    lowest: float | None = None  # answers beyond these are odd
    highest: float | None = None
    epochs: tuple[Epoch, ...] = ()
    guards: tuple[Guard, ...] = ()
    test: int = 0
    found: int = 0
    among: int = 1
    parts: tuple[Part, ...] = ()
    rolls_back: float = 20.0
    breaks: float = 1000.0
    freezes: float = 1000.0
    warns: float = 5.0
    beyond: float = 1.0
    mismatch: float = 1.0
    evidence: float = 1.0
    says: Says = "go on"
    because: str = ""

    @property
    def frozen(self) -> bool:
        """The arms are not of the sizes the split makes, so nothing can be concluded from holding them against each other."""
        return self.says == "not enough evidence" and self.mismatch >= self.freezes


@dataclass(frozen=True, kw_only=True)
class Lift:
    """One figure by the units the model answers, and by those a control keeps on the baseline: the mean of a unit of each. Between ``low``
    and ``high`` lies by how much the first exceeds the second; none of both while too few had any of it."""

    what: str  # as it is said aloud
    model: float
    control: float
    units: int
    kept: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Followed:
    """How far a detector has come with the losses of one version (``stats.shiryaev.Detector``), whole, so that the next turn goes on from
    here. ``cap``, ``mean``, ``means``, ``worth`` and ``stakes`` were fixed when it began; windows up to ``through`` (µs) are counted, but
    for those still ``waiting``. ``evidence`` is what it takes ``target`` of.
    """

    clause: str
    version: str
    cap: float
    mean: float
    target: float = 1_000_000.0
    through: int = -(2**63)
    waiting: tuple[int, ...] = ()
    rows: int = 0
    means: tuple[float, ...] = ()
    worth: tuple[float, ...] = ()
    stakes: tuple[float, ...] = ()
    wealth: tuple[float, ...] = ()
    longest: tuple[float, ...] = (1.0,) * 6
    began: tuple[int, ...] = (0,) * 6
    began_at: tuple[int, ...] = (0,) * 6
    evidence: float = 0.0
    alarm: int | None = None
    change: int | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Signals(Record):
    """Everything watching found in one turn; with the ``trial`` of the candidate, where one is rolled out (and those of the candidates
    ``beside`` it, where several are), what the model has brought, where some units keep the baseline, and how far the detectors of concept
    drift have ``followed`` the champion's losses.

    ``fresh`` counts the truths that matured of questions nobody has learnt from, since the newest candidate; None where nothing was
    answered, so that there is nothing to count. ``overdue``: what the truth waits for, a clause for each source (``arrives=``).
    """

    model: str
    until: datetime
    signals: tuple[Signal, ...]
    trial: Trial | None = None
    lifts: tuple[Lift, ...] = ()
    followed: tuple[Followed, ...] = ()
    fresh: int | None = None
    confidence: tuple[Confidence, ...] = ()
    beside: tuple[Trial, ...] = ()
    overdue: tuple[str, ...] | None = field(default=None, metadata={"empty": "left out"})

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trial of every candidate that is being rolled out."""
        return (*((self.trial,) if self.trial is not None else ()), *self.beside)

    def fired(self, *kinds: str) -> tuple[Signal, ...]:
        return tuple(s for s in self.signals if s.fired and (not kinds or s.kind in kinds))
