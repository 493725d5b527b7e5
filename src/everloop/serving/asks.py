"""What may be asked and what is replied, as records: the one source of the replies on the wire and of their description in OpenAPI.

A reply's shape is the same for every model of a kind; what a request may say depends on the model and is in ``fits.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from everloop.records import Arm, Prediction, Received, Shape

Scale: TypeAlias = Literal["answer", "log-odds", "log"]
"""Where contributions add up: to the answer itself, to its log-odds, or to its logarithm."""

# -- answers -------------------------------------------------------------------------------------------------------------------------


class Contribution(Struct):
    """What one column added to an answer, and what it held."""

    column: str
    value: float | str | None
    contribution: float


class Answered(Struct, kw_only=True):
    """What every answer says: its id, who answered (``version`` as people say it, ``arm``), about whom, when; ``error`` if nobody could.
    ``baseline`` is there, and true, where the baseline answers: nothing better is proven yet, or the unit keeps it.
    ``left_out`` names what the request of a row did not say where that row has not arrived either: it counted as empty.

    Where that was asked, ``because`` has the columns that moved it most; ``base``, their contributions and ``others`` add up to the answer
    on ``scale``, and ``unusual`` has what of the question is no category learnt from or outside the source's ``must``. ``unexplained``
    says why there is none.
    """

    id: str
    model: str
    version: str
    arm: Arm
    unit: str
    moment: datetime
    baseline: bool | UnsetType = UNSET
    left_out: list[str] | UnsetType = UNSET
    error: str | UnsetType = UNSET
    because: list[Contribution] | UnsetType = UNSET
    base: float | UnsetType = UNSET
    others: float | UnsetType = UNSET
    scale: Scale | UnsetType = UNSET
    unusual: list[str] | UnsetType = UNSET
    unexplained: str | UnsetType = UNSET


class NumberAnswer(Answered, kw_only=True):
    """A number."""

    value: float | None


class ChanceAnswer(Answered, kw_only=True):
    """The chance of yes, from 0 to 1; ``says`` is yes or no where the model says from where on."""

    value: float | None
    says: Literal["yes", "no"] | None


class SharesAnswer(Answered, kw_only=True):
    """Shares by label, which add up to 1; ``says`` is the likeliest label."""

    shares: dict[str, float] | None
    says: str | None


class QuantilesAnswer(Answered, kw_only=True):
    """Quantiles: a list of one list, in the order of ``levels``."""

    quantiles: list[list[float]] | None
    levels: list[float]


class Step(Struct, kw_only=True):
    """One step of a path: its number from 1, the time it is about, and what is said of it: a number or a chance (``says`` is yes or no,
    where the model says from where on), or quantiles in the order of the path's ``levels``."""

    step: int
    begins: datetime
    ends: datetime
    value: float | UnsetType = UNSET
    says: Literal["yes", "no"] | UnsetType = UNSET
    quantiles: list[float] | UnsetType = UNSET


class PathAnswer(Answered, kw_only=True):
    """A path: one answer for each step ahead, the nearest first. ``levels`` are those of quantiles."""

    steps: list[Step] | None
    levels: list[float] | UnsetType = UNSET


class Item(Struct):
    """One item of a ranking."""

    item: str
    score: float | None


class RankingAnswer(Answered, kw_only=True):
    """Items, best first."""

    items: list[Item] | None


Answer: TypeAlias = NumberAnswer | ChanceAnswer | SharesAnswer | QuantilesAnswer | RankingAnswer | PathAnswer
ANSWERS: dict[str, type[Answered]] = {
    "number": NumberAnswer,
    "chance": ChanceAnswer,
    "shares": SharesAnswer,
    "quantiles": QuantilesAnswer,
    "ranking": RankingAnswer,
    "path": PathAnswer,
}


def reply_of(shape: Shape) -> type[Answered]:
    """What answers of this shape are replied as."""
    return ANSWERS["path" if shape.steps > 1 else shape.kind]


def answer_of(
    shape: Shape, given: Prediction, version: str, labels: tuple[str, ...], *, baseline: bool = False, each: timedelta | None = None
) -> Answered:
    """An answer as it is replied. ``version`` is its name; ``labels`` are those of class shares, in the order of the shares; ``each`` is
    how long a step is, where an answer has several.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    >>> given = Prediction(id="a1", model="demand", version="v", arm="champion", unit="p1", moment=noon, value=2.5)
    >>> from msgspec.json import encode
    >>> encode(answer_of(Shape(kind="number"), given, "demand@3", ()))[:62]
    b'{"id":"a1","model":"demand","version":"demand@3","arm":"champi'
    """
    error: str | UnsetType = UNSET if given.error is None else given.error
    who = (given.id, given.model, version, given.arm, given.unit, given.moment)
    said: dict[str, Any] = dict(zip(("id", "model", "version", "arm", "unit", "moment"), who, strict=True), error=error)
    if baseline:
        said["baseline"] = True
    if given.left_out:
        said["left_out"] = [*given.left_out]
    there = given.error is None
    if each is not None:
        levels = list(shape.levels) if shape.levels else UNSET
        return PathAnswer(**said, steps=_steps(shape, given, each) if there else None, levels=levels)
    if shape.kind == "number":
        return NumberAnswer(**said, value=given.value if there else None)
    if shape.kind == "chance":
        return ChanceAnswer(**said, value=given.value if there else None, says=given.says if there else None)  # type: ignore[arg-type]
    if shape.kind == "shares":
        if there and len(labels) != len(given.values):
            said["error"], there = f"{version} gave {len(given.values)} shares and names {len(labels)} labels.", False
        return SharesAnswer(
            **said, shares=dict(zip(labels, given.values, strict=True)) if there else None, says=given.says if there else None
        )
    if shape.kind == "quantiles":
        return QuantilesAnswer(**said, quantiles=[list(given.values)] if there else None, levels=list(shape.levels))
    items = [Item(*pair) for pair in zip(given.items, given.values, strict=True)]
    return RankingAnswer(**said, items=items if there else None)


def _steps(shape: Shape, given: Prediction, each: timedelta) -> list[Step]:
    width, found = max(1, len(shape.levels)), list[Step]()
    for number, at in enumerate(range(0, len(given.values), width), 1):
        begins, said = given.moment + (number - 1) * each, given.values[at : at + width]
        step = Step(step=number, begins=begins, ends=begins + each)
        if shape.levels:
            step.quantiles = list(said)
        else:
            step.value = said[0]
        if shape.kind == "chance" and shape.yes_above is not None:
            step.says = "yes" if said[0] > shape.yes_above else "no"
        found.append(step)
    return found


@dataclass(frozen=True)
class Because:
    """Why an answer is what it is: ``top`` are the columns that moved it most, with what each held and what that added.

    ``base`` is what would be said of nobody in particular; base, all that ``top`` adds and ``others`` add up to the answer on its
    ``scale``: the answer itself, its log-odds or its logarithm. ``unusual``: what of the question its version has never met.
    """

    top: tuple[tuple[str, float | str | None, float], ...]
    base: float
    others: float
    scale: Scale
    unusual: tuple[str, ...] = ()


def explain(answer: Answered, because: Because | str) -> None:
    """Put into an answer why it is what it is, or why that cannot be told."""
    if isinstance(because, str):
        answer.unexplained = because
    else:
        answer.because = [Contribution(*one) for one in because.top]
        answer.base, answer.others, answer.scale = because.base, because.others, because.scale
        if because.unusual:
            answer.unusual = list(because.unusual)


# -- what goes with what --------------------------------------------------------------------------------------------------------------


class BesideAsk(Struct, kw_only=True, forbid_unknown_fields=True):
    """What goes with these: one product, or all that lies in a cart; ``most`` of them (by default as many as the model lists)."""

    items: Annotated[list[Annotated[str, Meta(max_length=1024)]], Meta(min_length=1, max_length=1000)]
    most: Annotated[int, Meta(ge=1, le=1000)] | None = None


class BesideReply(Struct, kw_only=True):
    """Who answered, and what goes with what was said, best first; it is about nobody, so it is not remembered."""

    model: str
    version: str
    items: list[Item]


# -- features, as Feast is asked ------------------------------------------------------------------------------------------------------


class OnlineFeaturesAsk(Struct, kw_only=True, forbid_unknown_fields=True):
    """What Feast's feature server is asked: a ``feature_service`` (a model), or ``features`` said as ``model:feature``; ``entities`` has
    a list for each column of the unit, all of one length."""

    entities: dict[str, list[str | int | float | bool | None]]
    feature_service: str | None = None
    features: list[str] = []
    full_feature_names: bool = False
    include_feature_view_version_metadata: bool = False


class FeatureView(Struct):
    """A feature view that was read."""

    name: str


class FeatureNames(Struct, omit_defaults=True):
    """What each of the results is: first the entities, then the features."""

    feature_names: list[str]
    feature_view_metadata: list[FeatureView] = []


class FeatureVector(Struct):
    """One column: for each row that was asked its value, what became of it, and the instant it is as of."""

    values: list[Any]
    statuses: list[Literal["PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"]]
    event_timestamps: list[str]


class OnlineFeaturesReply(Struct):
    """What Feast's feature server replies."""

    metadata: FeatureNames
    results: list[FeatureVector]


# -- what happened -------------------------------------------------------------------------------------------------------------------


class ReceivedReply(Struct, kw_only=True):
    """What became of a delivery: rows kept, known already, refused (with at most five examples of why); and what is odd about the kept."""

    kept: int
    duplicates: int
    refused: int
    examples: list[str]
    through_seq: int
    doubt: str | UnsetType = UNSET


def received_reply(received: Received) -> ReceivedReply:
    return ReceivedReply(
        kept=received.kept,
        duplicates=received.duplicates,
        refused=received.refused,
        examples=list(received.examples[:5]),
        through_seq=received.through_seq,
        doubt=received.doubt or UNSET,
    )


class ArrivalsReply(Struct, kw_only=True):
    """What became of objects that were told of: how many were ``taken`` in, or ``passed_over`` because they lie where no source's files do,
    or are gone again; and the rows of all together."""

    taken: int
    passed_over: int
    kept: int
    duplicates: int
    refused: int
    examples: list[str]


def arrivals_reply(received: Sequence[Received], told: int) -> ArrivalsReply:
    """What is replied of objects; ``told`` is how many there were."""
    return ArrivalsReply(
        taken=len(received),
        passed_over=told - len(received),
        kept=sum(one.kept for one in received),
        duplicates=sum(one.duplicates for one in received),
        refused=sum(one.refused for one in received),
        examples=[example for one in received for example in one.examples][:5],
    )


class Told(Struct, kw_only=True):
    """Which question is meant: an answer's id (``prediction``), or ``model``, ``unit`` (or the unit's columns by name) and ``moment``."""

    prediction: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    unit: str | UnsetType = UNSET


class Truth(Told, kw_only=True):
    """A truth that is no event. ``truth`` null takes back what was told; ``void``: the question does not count. The newest counts."""

    truth: float | bool | str | list[str] | UnsetType | None = UNSET
    void: bool = False
    moment: datetime | UnsetType = UNSET
    known_at: datetime | UnsetType = UNSET


class Outcome(Told, kw_only=True):
    """Something that came of an answer or happened to a unit: click, order, rating. Told twice under one ``event_id`` it counts once."""

    name: str
    value: float | bool = 1
    at: datetime | UnsetType = UNSET
    event_id: str | UnsetType = UNSET


class ForeignPrediction(Struct, kw_only=True):
    """An answer another service gave: one of ``value``, ``shares``, ``quantiles``, ``items`` (best first) or ``error``. ``unit``, or the
    unit's columns by name."""

    model: str
    version: str
    unit: str | UnsetType = UNSET
    moment: datetime | UnsetType = UNSET
    id: str | UnsetType = UNSET
    value: float | UnsetType = UNSET
    shares: dict[str, float] | UnsetType = UNSET
    quantiles: dict[str, float] | list[float | list[float]] | UnsetType = UNSET
    items: list[str] | UnsetType = UNSET
    scores: list[float] | UnsetType = UNSET
    error: str | UnsetType = UNSET
    features: dict[str, float | str | bool | None] | UnsetType = UNSET
    microseconds: int | UnsetType = UNSET


# -- operating -----------------------------------------------------------------------------------------------------------------------


class TurnAsk(Struct, forbid_unknown_fields=True):
    """Which model to go round the ring for (none: all); ``retrain``: a candidate is wanted, whether or not anything asks for one. Asked
    again with the same ``once``, it is the same turn, however long that takes and whoever died meanwhile."""

    model: str | None = None
    retrain: bool = False
    once: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class TurnsReply(Struct):
    """What was decided, model by model."""

    turns: list[dict[str, Any]]


class ScoreAsk(Struct, forbid_unknown_fields=True):
    """Whose questions to answer (no model: all)."""

    model: str | None = None


class ScoreReply(Struct):
    """How many answers were given, by model."""

    answers: dict[str, int]


class WordAsk(Struct, forbid_unknown_fields=True):
    """Who says so, and why; both go into the journal."""

    by: str
    reason: str


class AnswerAsk(Struct, forbid_unknown_fields=True):
    """Who says so, and why; ``question``, as status told it, where another one is not to be answered instead."""

    by: str
    reason: str
    question: str | None = None


class ShareAsk(Struct, forbid_unknown_fields=True):
    """The share of the units, above 0 and up to 1, that a canary's candidate answers; null: as its plan says. Who says so, and why."""

    share: float | None
    by: str
    reason: str


class PersonAsk(Struct, forbid_unknown_fields=True):
    """One person: what a column says of them, as text."""

    column: str
    value: str


class ForgetAsk(Struct, forbid_unknown_fields=True):
    """Whom to forget, by whose word, and why; the journal gets a hash of the value only. ``everybody``: the house is emptied instead."""

    by: str
    reason: str
    column: str = ""
    value: str = ""
    everybody: bool = False


class ForgetReply(Struct):
    """What was erased: the record that is kept of it, in a sentence and whole."""

    sentence: str
    record: dict[str, Any]


class KnownReply(Struct):
    """Everything that is kept of somebody: rows by source and answers by model."""

    known: dict[str, Any]


class SentenceReply(Struct):
    """What was done."""

    sentence: str


class StatusReply(Struct):
    """Each model's standing."""

    models: list[dict[str, Any]]


class SnoozeAsk(Struct, forbid_unknown_fields=True):
    """Until when nobody is to be told: a span from now (``6h``, ``2d``), or an instant. Who says so, and why."""

    until: str
    by: str
    reason: str


class HistoryReply(Struct):
    """What the journal kept, oldest first; ``through``: the number to ask after next time."""

    entries: list[dict[str, Any]]
    through: int


class IncidentsReply(Struct):
    """What is wrong now, the oldest first; with those that are over, the newest first."""

    incidents: list[dict[str, Any]]


class IncidentReply(Struct):
    """An incident as a word left it, aloud and as data."""

    sentence: str
    incident: dict[str, Any]


class ReadyReply(Struct):
    """Whether this worker can answer, if not why, and by which generation of traffic each model answers."""

    ready: bool
    why: str
    generations: dict[str, int]


class LiveReply(Struct):
    """This process is alive."""

    live: bool = True


class ErrorReply(Struct, omit_defaults=True, kw_only=True):
    """Why not. ``error`` is the kind, ``message`` says what, where and what to do next, ``field`` where in the body."""

    error: str
    message: str
    field: str | None = None
    examples: list[str] = []
