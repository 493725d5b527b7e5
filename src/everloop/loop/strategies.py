"""Which rows to learn from: everything, a rolling window, since a change, or only what is new, compared on the same future.

Every strategy learns in a child, with the same seed and the learner as declared, and answers the same held-out questions; each is compared
with the one the project file says, question by question. Nothing is journalled: nothing is decided by it, none of its candidates can be let
in, and a record nobody can act on would only be in the way of those that count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import pyarrow as pa

from everloop import training
from everloop.clock import from_microseconds
from everloop.connect.mlflow.learner import unheard
from everloop.errors import EverloopError, LearnerFailed
from everloop.loop.adopt import adopt
from everloop.loop.house import House, load_any
from everloop.loop.learnt import newest_change
from everloop.loop.tell.told import told_truths
from everloop.loop.training_sets import put_together
from everloop.loop.wiring import learnt
from everloop.project.conditions import only_new, since_change
from everloop.project.measured import beside_of
from everloop.project.model import Model
from everloop.project.resolve import truth_span
from everloop.project.said import said
from everloop.project.spans import days
from everloop.project.spoken_conditions import spoken_metric
from everloop.project.unbuilt import not_yet
from everloop.records import Candidate, TrainingSet, identity
from everloop.registry.store import BlobStore
from everloop.stats.bootstrap import compare
from everloop.stats.measures import Measure
from everloop.stats.rounded import figure, percent, span_of
from everloop.stats.shapes import Answers, Floats
from everloop.training.rehearse import pair, scaled
from everloop.training.rivals import naive_error
from everloop.training.rows import first_rows, learnable
from everloop.training.trials import compared_by

WINDOWS = tuple(map(days, (28, 91, 182, 365)))
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Strategy:
    """One way to choose the rows: what ``learns_from=`` would say, from when on that is, and the model that says it."""

    says: str
    model: Model
    since: datetime | None = None
    declared: bool = False
    why_not: str | None = None


@dataclass(frozen=True)
class Tried:
    """What a strategy came to: the ``value`` of the measure on what is held out; ``effect`` is a share of the declared strategy's value
    in the good direction, with its interval. ``why_not``: why it could not be tried."""

    says: str
    declared: bool
    rows: int = 0
    since: datetime | None = None
    value: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    seconds: float = 0.0
    why_not: str | None = None


@dataclass(frozen=True)
class Strategies:
    """All strategies of a model on ``questions`` held-out questions asked ``since`` … ``until``, by one measure."""

    model: str
    measure: str
    better: str
    questions: int
    since: datetime
    until: datetime
    confidence: float
    tried: tuple[Tried, ...]

    def data(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)

    def __str__(self) -> str:
        direction = {"lower": "less is better", "higher": "more is better", "zero": "nearer to 0 is better"}[self.better]
        head = (
            f"{self.model} on the same {self.questions:,} questions of {self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}, by "
            f"{spoken_metric(self.measure)} ({direction}):"
        )
        wide = max(len(_title(one)) for one in self.tried)
        return "\n".join([head, *(f"  {_title(one):<{wide}}  {_line(one, self.confidence)}" for one in self.tried)])


def compare_strategies(house: House, model: Model, now: datetime) -> Strategies:
    """Learn by every strategy that the model and its history allow, and compare them on the newest mature truth. Keeps nothing.

    Raises EverloopError where nothing is held out yet, or the declared strategy could not be learnt by.
    """
    adopt(house, model, now)
    champion = house.champion(house.traffic(model))
    id, plain = identity("strategies", model.name, now.isoformat()), model.but(model.name, learns_from=None, tune=None)
    training_set = put_together(
        house,
        plain,
        house.tables(model),
        now=now,
        id=id,
        save=house.blobs.save,
        judge_after=champion.learnt_until,
        max_questions=house.settings.max_questions,
        told=told_truths(house, model, now),
    )
    table = house.table(training_set)
    holdout = training.holdout(table, training_set)
    if not training_set.learn_rows or not len(holdout):
        raise EverloopError(f"{model.name}: nothing with a mature truth is held out yet, so no strategy can be compared with another.")
    learnt = learnable(table, training_set, model.shape)
    strategies = list(strategies_of(house, model, champion, learnt, now))
    measure, confidence = compared_by(model), 1 - (1 - CONFIDENCE) / max(len(strategies) - 1, 1)
    answered = {s.says: _answered(house, s, training_set, champion) for s in strategies}
    own = next(answered[s.says] for s in strategies if s.declared)
    if own[1] is None:
        raise EverloopError(f"{model.name}: what it says, {model_says(model)}, cannot be learnt by: {own[0].why_not}")
    asked = holdout.take(pa.array(first_rows(holdout)))
    scale = naive_error(asked, learnt, model.matures_after) if measure.name == "mase" else None
    pairing = partial(_against, measure=measure, own=own[1], holdout=holdout, model=model, confidence=confidence, scale=scale)
    moments = asked.column("moment").to_numpy()
    return Strategies(
        model=model.name,
        measure=measure.name,
        better=measure.better,
        questions=len(asked),
        since=from_microseconds(int(moments.min())),
        until=from_microseconds(int(moments.max())),
        confidence=confidence,
        tried=tuple(pairing(*answered[s.says]) for s in strategies),
    )


def model_says(model: Model) -> str:
    """What ``learns_from=`` says, as it is written; everything where it is left out."""
    return "everything" if model.learns_from is None else said(model.learns_from)


def strategies_of(house: House, model: Model, champion: Candidate, rows: pa.Table, now: datetime) -> Iterator[Strategy]:
    """The declared strategy, then the others: everything, windows shorter than the history, since the newest change, only what is new."""
    moments = rows.column("moment").to_numpy()
    newest, reaches = from_microseconds(int(moments.max())), timedelta(microseconds=int(moments.max() - moments.min()))
    spans = [span for span in WINDOWS if span < reaches]
    ways: dict[str, timedelta | only_new | since_change | None] = {model_says(model): model.learns_from, "everything": None}
    ways |= {said(way): way for way in (*spans, since_change(), only_new())}
    for says, way in ways.items():
        plain = model.but(model.name, learns_from=way if isinstance(way, only_new) else None, tune=None)
        declared = says == model_says(model)
        why, since = None, None
        if isinstance(way, timedelta):
            since = newest - way
        elif isinstance(way, since_change):
            since = newest_change(house, model, until=now)
            why = None if since is not None else "no change was found so far"
        elif isinstance(way, only_new):
            why = next((s.split(" waits for ")[1] for s in not_yet(plain) if "only_new" in s), None)
            why = f"that takes {why}" if why else _cannot_go_on(model, champion)
        yield Strategy(says, plain, since, declared, why)


def _cannot_go_on(model: Model, champion: Candidate) -> str | None:
    """Why nobody can be gone on from; None where the champion was learnt here from the same columns."""
    if champion.learnt_until is None or champion.format in ("baseline", "elsewhere"):
        return "nobody who answers has learnt yet"
    return None if champion.columns == model.columns else "the champion knows other columns"


def _answered(house: House, strategy: Strategy, training_set: TrainingSet, champion: Candidate) -> tuple[Tried, Answers | None]:
    """What came of learning by a strategy, and its answers to the held-out questions."""
    told = Tried(strategy.says, strategy.declared, why_not=strategy.why_not)
    if strategy.why_not is not None:
        return told, None
    work = partial(
        _learnt_and_asked,
        strategy.model,
        house.blobs,
        training_set,
        strategy.since,
        champion,
        allow_pickle=house.settings.pickle,
        id=training_set.id,
        mirrored=house.settings.mlflow is not None,
    )
    try:
        made, answers = house.in_child(work, rows=training_set.learn_rows)
    except LearnerFailed as error:
        return replace(told, why_not=str(error)), None
    house.told(f"{strategy.model.name}: {strategy.says} learnt from {made.rows:,} rows.")
    return replace(told, rows=made.rows, since=made.learnt_from, seconds=made.seconds), answers


def _learnt_and_asked(
    model: Model, blobs: BlobStore, training_set: TrainingSet, since: datetime | None, champion: Candidate, *,
    allow_pickle: bool, id: str, mirrored: bool,
) -> tuple[Candidate, Answers]:  # fmt: skip
    """In a child: a candidate that is kept nowhere, and what it answers."""
    import io

    import pyarrow.parquet as pq

    bodies: dict[str, bytes] = {}

    def save(body: bytes) -> str:
        import hashlib

        sha = hashlib.sha256(body).hexdigest()
        bodies[sha] = body
        return sha

    words = {"seed": int(id[:8], 16) % 2**31, "id": id, "now": training_set.made_at, "allow_pickle": allow_pickle, "since": since}
    with unheard(mirrored):
        made = learnt(model, blobs, training_set, champion=champion, save=save, **words)  # type: ignore[arg-type]
    holdout = training.holdout(pq.read_table(io.BytesIO(blobs.read(training_set.body))), training_set)
    return made, load_any(made, bodies.__getitem__, given=model.baseline, allow_pickle=allow_pickle).answer(holdout)


def _against(
    tried: Tried, answers: Answers | None, *, measure: Measure, own: Answers, holdout: pa.Table, model: Model, confidence: float,
    scale: Floats | None,
) -> Tried:  # fmt: skip
    """A strategy beside the declared one, on the same questions."""
    if answers is None:
        return tried
    found = compare(measure, scaled(pair(own, answers, holdout, beside_of(model)), scale), confidence=confidence, span=truth_span(model))
    if tried.declared:
        return replace(tried, value=found.candidate)
    return replace(tried, value=found.candidate, effect=found.effect, low=found.low, high=found.high)


def _title(one: Tried) -> str:
    return one.says + (" (as declared)" if one.declared else "")


def _line(one: Tried, confidence: float) -> str:
    if one.why_not is not None:
        return f"not tried: {one.why_not}"
    since = "" if one.since is None else f" since {one.since:%Y-%m-%d}"
    line = f"{one.rows:,} rows{since}: {'nothing could be worked out' if one.value is None else figure(one.value)}"
    if one.declared or one.effect is None:
        return line
    line += f", {percent(abs(one.effect))} {'better' if one.effect >= 0 else 'worse'}"
    if one.low is None or one.high is None:
        return line + "; too few questions to prove anything"
    low, high = (one.low, one.high) if one.effect >= 0 else (-one.high, -one.low)
    verdict = "" if low <= 0 <= high else ", proven"
    return f"{line} ({span_of(low, high)} with {percent(confidence)} confidence){verdict}"
