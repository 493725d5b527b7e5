"""The nouns that travel from stage to stage, in the order in which they flow; frozen. Standard library only.

Every record carries ``id``, ``made_at`` (UTC, business time) and ``made_from`` (the ids of its parents): lineage is a walk along
``made_from``. Records are small and go into the journal as JSON; what is large is a *body* in the blob store, named by its SHA-256.
A number that could not be worked out is ``None``, never NaN.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["passed", "failed", "not enough evidence"]
Action: TypeAlias = Literal["hold", "retrain", "advance", "promote", "undo", "ask"]
Stage: TypeAlias = Literal["steady", "shadow", "canary", "bake"]
Says: TypeAlias = Literal["roll back", "go on", "promote", "not enough evidence"]
Cause: TypeAlias = Literal["data", "change", "service", "truth", "release"]
Severity: TypeAlias = Literal["info", "warning", "critical"]
Kind: TypeAlias = Literal["number", "chance", "shares", "quantiles", "ranking"]


def identity(*parts: object) -> str:
    """A short stable id from what something is made of: the first 16 hex digits of SHA-256 over the parts.

    >>> identity("demand", 3) == identity("demand", 3) != identity("demand", "3x")
    True
    """
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a step of a turn took, its child processes included: CPU seconds, and the bytes that were read and written by it.

    ``money`` is in whatever currency ``[prices]`` of everloop.toml is; None where nobody said a price. Bytes are None where the system does
    not count them.
    """

    cpu_seconds: float
    bytes_read: int | None = None
    bytes_written: int | None = None
    money: float | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """Whatever the loop remembers. ``cost`` is known of the steps of a turn."""

    id: str
    made_at: datetime
    made_from: tuple[str, ...] = ()
    cost: Cost | None = field(default=None, compare=False, metadata={"empty": "left out"})

    def _repr_markdown_(self) -> str:
        """How a record shows itself in a notebook: a table of what it says."""
        rows = [(f.name, getattr(self, f.name)) for f in fields(self)]
        lines = [f"| {name} | {_in_a_cell(value)} |" for name, value in rows if value not in (None, (), "")]
        return "\n".join([f"**{type(self).__name__}**", "", "| | |", "|---|---|", *lines])


def _in_a_cell(value: object) -> str:
    if isinstance(value, tuple):
        return "<br>".join(_in_a_cell(v) for v in value)
    told = getattr(value, "sentence", None) or (f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value))
    return str(told).replace("|", "\\|").replace("<br>", "\0").replace("<", "&lt;").replace("\0", "<br>").replace("\n", " ")


# -- what happened -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Received:
    """What became of a delivery: rows kept, rows already known, rows refused (with at most five examples)."""

    source: str
    kept: int
    duplicates: int
    refused: int
    examples: tuple[str, ...] = ()
    through_seq: int


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How far one source is read: the Delta version and the last sequence number of it that counts."""

    source: str
    version: int
    through_seq: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Snapshot(Record):
    """What had happened as the lake knew it; can be read again, row for row in sequence order, by these extents."""

    extents: tuple[Extent, ...]

    def extent(self, source: str) -> Extent | None:
        return next((e for e in self.extents if e.source == source), None)


# -- is it fit to learn from? ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One condition on one source: how many rows break it. ``share`` is the share of rows that must meet it, ``met`` the share that do."""

    source: str
    clause: str
    outcome: Outcome
    rows: int
    broken: int
    met: float | None
    share: float
    sentence: str
    examples: tuple[str, ...] = ()
    season: float | None = None  # how many times the usual a year ago was, where that explains what is found


@dataclass(frozen=True, kw_only=True)
class Report(Record):
    """Whether a snapshot is fit to learn from."""

    model: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(f.outcome == "passed" for f in self.findings)


# -- learning ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TrainingSet(Record):
    """Questions with their features and mature truths. ``body`` is a Parquet file (see docs/features.md) ordered by moment, then unit.

    Rows with ``moment < learn_until`` are learnt from; rows with ``moment >= judge_from`` are the holdout; between them lies the gap
    as long as a truth takes.
    """

    model: str
    body: str
    columns: tuple[str, ...]
    rows: int
    learn_rows: int
    judge_rows: int
    first_at: datetime | None
    learn_until: datetime | None
    judge_from: datetime | None
    last_at: datetime | None
    truths_known_at: datetime
    immature: int = 0
    void: int = 0


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


# -- who answers whom --------------------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, kw_only=True)
class Traffic(Record):
    """Who is answered by whom. The pointer to the newest of these, per model, is what ``undo`` and ``step`` move by compare-and-set.

    ``candidate`` answers a ``share`` of the units (0 in shadow); in ``bake`` the new champion answers everybody and ``previous``
    goes on answering in shadow. ``salt`` makes the split of one rollout independent of every other. ``control`` is the share of units
    that ``baseline``, version number zero, answers for good; ``share`` is one of all the others.

    Where several candidates are tested at once, ``arms`` are they, in the order in which units are drawn for them, and have equal parts of
    the ``share``; None stands for one that was dropped, whose units the champion answers. ``candidate`` is then the first still there.
    """

    model: str
    generation: int
    stage: Stage
    champion: str  # version ids
    previous: str | None = None
    candidate: str | None = None
    share: float = 0.0
    step: int = 0
    since: datetime
    salt: str = ""
    because: str = ""
    control: float = 0.0
    baseline: str | None = None
    arms: tuple[str | None, ...] = ()

    @property
    def rolling(self) -> bool:
        return self.stage != "steady"

    @property
    def candidates(self) -> tuple[str, ...]:
        """Every candidate that is being rolled out; none, one, or those still there of several."""
        return tuple(version for version in self.arms or (self.candidate,) if version is not None)

    @cached_property
    def by_arm(self) -> Mapping[str, str]:
        """The version behind each arm that is there: the champion's, each candidate's, and the baseline's of a control.

        >>> at = datetime(2026, 11, 2)
        >>> four = ("b", None, "d")
        >>> Traffic(
        ...     id="t", made_at=at, since=at, model="m", generation=2, stage="canary", champion="a", candidate="b", share=0.5, arms=four
        ... ).by_arm
        {'champion': 'a', 'candidate': 'b', 'candidate-3': 'd'}
        """
        drawn = zip(candidate_arms(len(self.arms or (None,))), self.arms or (self.candidate,), strict=True)
        named = {"champion": self.champion, **dict(drawn), "control": self.baseline}
        return {arm: version for arm, version in named.items() if version is not None}

    @property
    def versions(self) -> tuple[str, ...]:
        """Whoever may have to answer, each once: champion, candidates, the one before, the baseline of a control."""
        named = (self.champion, *self.candidates, self.previous, self.baseline)
        return tuple(dict.fromkeys(version for version in named if version is not None))

    @cached_property
    def propensities(self) -> Mapping[str, float]:
        """By arm, how likely a unit was to get it when its arm was drawn; an arm that nobody can get is left out.

        >>> at = datetime(2026, 11, 2)
        >>> half = Traffic(id="t", made_at=at, since=at, model="m", generation=2, stage="canary", champion="a", candidate="b", share=0.25)
        >>> half.propensities
        {'champion': 0.75, 'candidate': 0.25}
        """
        each = self.share / len(self.arms or (self.candidate,)) if self.stage == "canary" else 0.0
        rest, drawn = 1 - self.control, [arm for arm in self.by_arm if arm.startswith("candidate")]
        given = dict.fromkeys(drawn, rest * each)
        chances = {"champion": rest * (1 - each * len(drawn)), **given, "control": self.control}
        return {arm: chance for arm, chance in chances.items() if chance > 0}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What an answer looks like. ``labels`` for chances and shares, ``levels`` and ``steps`` for quantiles, ``most`` for rankings."""

    kind: Kind
    labels: tuple[str, ...] = ()
    levels: tuple[float, ...] = ()
    steps: int = 1
    most: int = 0
    yes_above: float | None = None


Arm: TypeAlias = Literal["champion", "candidate", "candidate-2", "candidate-3", "candidate-4", "candidate-5", "control", "shadow"]

MOST_CANDIDATES = 5
"""That one test can hold."""


def candidate_arms(number: int) -> tuple[str, ...]:
    """What the arms of so many candidates are called.

    >>> candidate_arms(3)
    ('candidate', 'candidate-2', 'candidate-3')
    """
    return ("candidate", *(f"candidate-{place}" for place in range(2, number + 1)))


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One answer as given. Exactly one of the four shapes is filled: ``value`` (a number, or the chance of yes), ``values`` (class
    shares by label; quantiles row by row, a row for each step), or ``items`` with ``values`` as their scores, best first."""

    id: str
    model: str
    version: str
    arm: Arm
    unit: str
    moment: datetime
    value: float | None = None
    values: tuple[float, ...] = ()
    items: tuple[str, ...] = ()
    says: str | None = None  # yes or no, or the likeliest label
    features: tuple[tuple[str, float | str | None], ...] = ()
    microseconds: int = 0
    error: str | None = None
    propensity: float | None = None  # how likely the unit was to get its arm, when that was drawn; of shadows, and in old logs, none


# -- watching and deciding ---------------------------------------------------------------------------------------------------------


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

    ``epochs`` are the units met under each share, ``limit`` is the share of failing answers that is too many, ``ends_at`` when a test is
    over. An e-value of ``mismatch`` up to ``freezes`` lets the roll-out go on, and so with the other thresholds.

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
    here. ``cap`` and ``mean`` were fixed when it began; windows up to ``through`` (µs) are counted, but for those still ``waiting``.
    """

    clause: str
    version: str
    cap: float
    mean: float
    target: float = 100_000.0
    through: int = -(2**63)
    waiting: tuple[int, ...] = ()
    rows: int = 0
    wealth: tuple[float, ...] = (0.0,) * 6
    longest: tuple[float, ...] = (1.0,) * 6
    began: tuple[int, ...] = (0,) * 6
    began_at: tuple[int, ...] = (0,) * 6
    alarm: int | None = None
    change: int | None = None
    changed_at: datetime | None = None

    @property
    def evidence(self) -> float:
        return sum(self.wealth) / len(self.wealth)


@dataclass(frozen=True, kw_only=True)
class Signals(Record):
    """Everything watching found in one turn; with the ``trial`` of the candidate, where one is rolled out (and those of the candidates
    ``beside`` it, where several are), what the model has brought, where some units keep the baseline, and how far the detectors of concept
    drift have ``followed`` the champion's losses.

    ``fresh`` counts the truths that matured of questions nobody has learnt from, since the newest candidate; None where nothing was
    answered, so that there is nothing to count.
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

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trial of every candidate that is being rolled out."""
        return (*((self.trial,) if self.trial is not None else ()), *self.beside)

    def fired(self, *kinds: str) -> tuple[Signal, ...]:
        return tuple(s for s in self.signals if s.fired and (not kinds or s.kind in kinds))


@dataclass(frozen=True, kw_only=True)
class Decision(Record):
    """What is to be done about one model, and why. ``asks`` names the action that waits for a person; ``drops`` the versions that an undo
    takes back, where it leaves other candidates of the same test alone."""

    model: str
    action: Action
    because: tuple[str, ...]
    cause: str  # schedule, demand, truths, arrival, drift, slip, rollout, override …
    asks: Action | None = None
    learn_from: datetime | None = None  # a change point: older rows are not learnt from
    by: str | None = None
    drops: tuple[str, ...] = ()

    @property
    def undoes(self) -> bool:
        return self.action == "undo"

    @property
    def advances(self) -> bool:
        return self.action in ("advance", "promote")

    @property
    def retrains(self) -> bool:
        return self.action == "retrain"


@dataclass(frozen=True, kw_only=True)
class Approval(Record):
    """A person's word on a waiting decision."""

    model: str
    decision: str
    approved: bool
    by: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """One thing an incident shows: which condition fired, about what, and which way. ``also``: it is put down to the incident's cause, and
    does not keep the incident open by itself."""

    clause: str
    kind: str  # of the signal; or contract: a condition on the data itself
    about: str | None = None
    direction: str = ""
    sentence: str
    since: datetime | None = None
    also: bool = False

    def fingerprint(self, model: str) -> str:
        """The same condition of the same model about the same thing in the same direction has the same."""
        return identity(model, self.clause, self.about, self.direction)


@dataclass(frozen=True, kw_only=True)
class Incident(Record):
    """Something wrong with a model, as it stands after one change of it; ``incident`` names it through all its changes.

    *pending*: it may be, and nobody is told; *firing*: it is; *resolved*: it is over. ``news``: people are told this change.
    """

    model: str
    incident: str
    change: int
    cause: Cause
    state: Literal["pending", "firing", "resolved"]
    severity: Severity
    symptoms: tuple[Symptom, ...]
    opened_at: datetime
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    told_at: datetime | None = None  # when people were first told
    news: bool = False
    because: str = ""
    acknowledged_by: str | None = None
    snoozed_until: datetime | None = None
    by: str | None = None
    reason: str | None = None

    @property
    def open(self) -> bool:
        return self.state != "resolved"

    @property
    def since(self) -> datetime | None:
        """Since when it does harm, where watching can tell."""
        return min((s.since for s in self.symptoms if s.since is not None and not s.also), default=None)


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A sentence for a person, kept in the outbox until delivered. ``key`` makes the same news one piece of news."""

    model: str
    severity: Severity
    sentence: str
    owner: str | None = None
    key: str = ""


Span: TypeAlias = timedelta
