"""Champion number zero: who answers until something better is proven. In: the learning rows. Out: a predictor made of a few numbers.

It is the unit's own past where the model has one (the ``baseline`` column), else the average truth, or any object the user gave. No clock,
no disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from math import isfinite, nan
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from everloop.errors import ArtefactBroken, LearnerFailed
from everloop.project.learner import learner_repr
from everloop.project.model import Model
from everloop.project.reading import is_reading
from everloop.records import Candidate, Shape, TrainingSet, identity
from everloop.stats.shapes import Answers, Floats, of_a_step
from everloop.training.artefact import load
from everloop.training.feed import Feed, numbers
from everloop.training.predictor import Predictor, answers_in_quantiles, answers_in_shares, nothing
from everloop.training.rows import first_rows, learnable, shape_of
from everloop.training.single import One, in_levels, middle_of, number
from everloop.training.train import feed_for

Way: TypeAlias = Literal["past", "average", "last", "given"]
BUCKETS = 20


@dataclass(frozen=True)
class Baseline:
    """An answer without a learner.

    ``way``: ``past`` says what the ``baseline`` column says, calibrated by ``points`` for chances (past value, chance) and spread by
    ``typical`` (how far the truth lies from the past, level by level) for quantiles; ``average`` says ``typical`` whatever is asked;
    ``last`` says the unit's last known truth.
    """

    shape: Shape
    way: Way
    typical: tuple[float, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    units: Mapping[str, float] = field(default_factory=dict)
    items: tuple[str, ...] = ()
    least: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Functions made of it are no part of it.
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        return {"past": ("baseline",), "last": ("unit",)}.get(self.way, ())

    def answer(self, features: pa.Table) -> Answers:
        """One answer for each question, of several steps one for each.

        >>> Baseline(Shape(kind="number"), "average", (2.5,)).answer(pa.table({"question": [0, 1]})).value
        array([2.5, 2.5])
        """
        if self.way == "past":
            return self._past(features)
        if self.way == "last":
            known = [self.units.get(u, np.nan) for u in features.column("unit").to_pylist()]
            return _of_numbers(self.shape, np.array(known, dtype=np.float64))
        return self._average(features)

    @cached_property
    def one(self) -> One:
        """The answer to one row, as ``Compiled.one`` gives it: from the values of ``columns`` to ``value`` and ``values``.

        There is no such attribute where a question is more than one row.

        >>> Baseline(Shape(kind="number"), "past").one([2.0]), Baseline(Shape(kind="number"), "average", (2.5,)).one([])
        ((2.0, ()), (2.5, ()))
        """
        if self.shape.kind == "ranking" or self.shape.steps > 1:
            raise AttributeError("one")
        if self.way == "last":
            return lambda values: (_finite(self.units.get(values[0], nan) if isinstance(values[0], str) else nan), ())
        if self.way == "past":
            return lambda values: self._one_past(number(values[0], self.columns))
        said = self.answer(pa.table({"question": [0]}))
        always = float(said.value[0]), () if said.values is None else tuple(said.values[0].tolist())
        return lambda values: always

    def _one_past(self, past: float) -> tuple[float, tuple[float, ...]]:
        if self.shape.kind == "chance":
            return float(self._chance(np.array([past]))[0]), ()
        if self.shape.kind == "quantiles":
            spread = [past + more for more in self.typical or (0.0,) * len(self.shape.levels)]
            least = self.least
            # Not max(least, x), which is the least where x is NaN.
            return in_levels([least if least is not None and x < least else x for x in spread], middle_of(self.shape.levels))
        return _finite(past), ()

    def _past(self, features: pa.Table) -> Answers:
        said = features.column("baseline")
        if self.shape.kind == "ranking":
            return _of_lists(self.shape, among([said[int(at)].as_py() or [] for at in first_rows(features)], features))
        past = numbers(said, "baseline")
        if self.shape.kind == "chance":
            return Answers(of_a_step(self.shape), self._chance(past))
        if self.shape.kind == "quantiles":
            spread = past[:, None] + np.array(self.typical or (0.0,) * len(self.shape.levels))
            return answers_in_quantiles(self.shape, spread if self.least is None else np.maximum(spread, self.least))
        return _of_numbers(self.shape, past)

    def _chance(self, past: Floats) -> Floats:
        usual = self.typical[0] if self.typical else 0.5
        if not self.points:
            return np.full(len(past), usual)
        at, chance = np.array(self.points).T
        return np.where(np.isnan(past), usual, np.interp(np.nan_to_num(past), at, chance))

    def _average(self, features: pa.Table) -> Answers:
        kind, count = self.shape.kind, len(features)
        if kind == "ranking":
            return _of_lists(self.shape, among([list(self.items)] * len(first_rows(features)), features))
        if not self.typical:
            return nothing(self.shape, count)
        if kind == "shares":
            return answers_in_shares(self.shape, np.tile(self.typical, (count, 1)))
        if kind == "quantiles":
            return answers_in_quantiles(self.shape, np.tile(self.typical, (count, 1)))
        return Answers(of_a_step(self.shape), np.full(count, self.typical[0]))


def baseline(
    model: Model,
    table: pa.Table,
    training_set: TrainingSet | None,
    *,
    id: str,
    now: datetime,
    save: Callable[[bytes], str],
    made_from: tuple[str, ...] = (),
) -> Candidate:
    """Champion number zero of a model, as a candidate of format ``baseline``.

    ``table`` may be empty: then chances are 1/2, averages are no answer, and the past still repeats itself.
    """
    learnt = table if training_set is None else learnable(table, training_set, model.shape)
    given = not is_reading(model.baseline) and callable(
        getattr(model.baseline, "predict", None) or getattr(model.baseline, "predict_proba", None)
    )
    if given:
        shape, feed = shape_of(model.shape, learnt), feed_for(model, learnt)
        body, columns, said = given_bytes(shape, feed), feed.columns, learner_repr(model.baseline)
    else:
        made = baseline_of(shape_of(model.shape, learnt), learnt)
        shape, body, columns = made.shape, msgspec.json.encode(made), made.columns
        said = repr(model.baseline_reading) if made.way == "past" else "the average truth"
    return Candidate(
        id=id,
        made_at=now,
        made_from=made_from or ((training_set.id,) if training_set else ()),
        model=model.name,
        artefact=save(body),
        format="baseline",
        columns=columns,
        shape=shape,
        learner=said,
        parameters="{}",
        rows=len(learnt),
        definition=identity(model.said),
    )


def baseline_of(shape: Shape, learnt: pa.Table) -> Baseline:
    """The baseline these rows make: their past where they have a ``baseline`` column, else their average truth."""
    return average(shape, learnt) if "baseline" not in learnt.column_names else past(shape, learnt)


def past(shape: Shape, learnt: pa.Table) -> Baseline:
    """The past repeats itself; for chances it is calibrated: how often a past like that came true, never falling as the past rises.

    >>> rows = pa.table({"baseline": [0.0, 0.0, 1.0, 1.0], "truth": [0.0, 0.0, 1.0, 0.0]})
    >>> [round(chance, 3) for _, chance in past(Shape(kind="chance"), rows).points]
    [0.111, 0.444]
    """
    if shape.kind == "ranking":
        return Baseline(shape, "past")
    if shape.kind == "shares":
        return average(shape, learnt)
    said, truth = numbers(learnt.column("baseline"), "baseline"), numbers(learnt.column("truth"), "truth")
    both = ~(np.isnan(said) | np.isnan(truth))
    if shape.kind == "chance":
        usual = _usual(truth)
        return Baseline(shape, "past", (usual,), calibrated(said[both], truth[both], usual))
    if shape.kind == "quantiles" and both.any():
        off = np.quantile(truth[both] - said[both], shape.levels)
        return Baseline(shape, "past", tuple(map(float, off)), least=0.0 if truth[both].min() >= 0 else None)
    return Baseline(shape, "past")


def calibrated(said: Floats, truth: Floats, usual: float) -> tuple[tuple[float, float], ...]:
    """How often what was said came true, as (said, chance), rising: pool-adjacent-violators over at most 20 buckets (Ayer et al. 1955).

    Each bucket counts one more row of the usual chance, so that nothing is impossible or certain.

    >>> calibrated(np.array([0.0, 1.0]), np.array([1.0, 0.0]), 0.5)
    ((0.0, 0.5), (1.0, 0.5))
    """
    if not len(said):
        return ()
    values = np.unique(said)
    if len(values) > BUCKETS:
        edges = np.unique(np.quantile(said, np.linspace(0, 1, BUCKETS + 1)[1:-1]))
        bucket = np.searchsorted(edges, said, side="right")
    else:
        bucket = np.searchsorted(values, said)
    pooled: list[list[float]] = []  # weight, trues, and the buckets pooled
    at: list[list[float]] = []
    for b in np.unique(bucket):
        inside = bucket == b
        pooled.append([inside.sum() + 1.0, float(truth[inside].sum()) + usual])
        at.append([float(said[inside].mean())])
        while len(pooled) > 1 and pooled[-2][1] / pooled[-2][0] > pooled[-1][1] / pooled[-1][0]:
            weight, trues = pooled.pop()
            pooled[-1] = [pooled[-1][0] + weight, pooled[-1][1] + trues]
            at[-2:] = [at[-2] + at[-1]]
    return tuple((x, float(trues / weight)) for (weight, trues), xs in zip(pooled, at, strict=True) for x in xs)


def average(shape: Shape, learnt: pa.Table) -> Baseline:
    """The average truth: the mean, the base rate, the shares of the classes, the quantiles; for lists what came up most often.

    >>> average(Shape(kind="quantiles", levels=(0.5,)), pa.table({"truth": [1.0, 2.0, 9.0]})).typical
    (2.0,)
    """
    if not len(learnt):
        return Baseline(shape, "average", (0.5,) if shape.kind == "chance" else ())
    if shape.kind == "ranking":
        lists = [learnt.column("truth")[int(at)].as_py() or [] for at in first_rows(learnt)]
        found, counts = np.unique([i for one in lists for i in one] or [""], return_counts=True)
        # All of them: which may be listed is known when somebody asks.
        return Baseline(shape, "average", items=tuple(str(i) for _, i in sorted(zip(-counts, found, strict=True)) if i))
    if shape.kind == "shares":
        said = learnt.column("truth").to_pylist()
        return Baseline(shape, "average", tuple(said.count(label) / len(said) for label in shape.labels))
    truth = numbers(learnt.column("truth"), "truth")
    truth = truth[~np.isnan(truth)]
    if shape.kind == "chance":
        return Baseline(shape, "average", (_usual(truth),))
    if not len(truth):
        return Baseline(shape, "average")
    if shape.kind == "quantiles":
        return Baseline(shape, "average", tuple(map(float, np.quantile(truth, shape.levels))))
    return Baseline(shape, "average", (float(truth.mean()),))


def given_bytes(shape: Shape, feed: Feed) -> bytes:
    """A baseline the user gave, as bytes: what it is fed and what it answers; the object itself stays in the project file."""
    return msgspec.json.encode({"given": True, "shape": shape, "feed": feed})


def leaning(model: Model, other: Candidate, *, named: str, id: str, now: datetime, made_from: tuple[str, ...] = ()) -> Candidate:
    """Champion number zero of a model that leans on another: the version ``other``, which people call ``named``, as it answers there.

    It reads what it learnt by, and is judged on nothing it has learnt from; ``stored`` says how its artefact is. How many rows there
    are to learn from here says whoever has counted them.
    """
    return replace(
        other,
        id=id,
        made_at=now,
        made_from=made_from,
        model=model.name,
        format="baseline",
        stored=other.stored if other.format == "baseline" else other.format,
        learner=f"{named}, {other.learner}",
        parameters="{}",
        rows=0,
        seconds=0.0,
        cpu_seconds=0.0,
        cost=None,
        notes=None,
        definition=identity(model.said),
    )


def beneath(given: Any) -> Any:
    """The object a model says as its baseline; where it leans on others, the object of the last of them."""
    while isinstance(given, Model):
        given = given.baseline
    return given


def load_baseline(
    candidate: Candidate, open: Callable[[str], bytes], given: Any = None, *, allow_pickle: bool = False
) -> Baseline | Predictor:
    """Champion number zero again. ``given`` is the model's own baseline object, or the model it leans on, where it has one."""
    if candidate.stored is not None:
        return load(candidate, open, allow_pickle=allow_pickle)
    given = beneath(given)
    data = open(candidate.artefact)
    if hashlib.sha256(data).hexdigest() != candidate.artefact:
        raise ArtefactBroken(f"The baseline of {candidate.model} is not what was recorded. Restore it from a backup.")
    try:
        said = msgspec.json.decode(data)
        if not said.get("given"):
            return msgspec.convert(said, Baseline)
        shape, feed = msgspec.convert(said["shape"], Shape), msgspec.convert(said["feed"], Feed)
    except (msgspec.DecodeError, msgspec.ValidationError, AttributeError, KeyError, UnicodeDecodeError) as error:
        raise ArtefactBroken(f"The baseline of {candidate.model} cannot be read: {error}. Restore it from a backup.") from error
    if given is None:
        raise LearnerFailed(
            f"{candidate.model} began with an object as its baseline ({candidate.learner}), which its project file no longer says. Say it "
            "again."
        )
    return Predictor(shape, feed, given)


def _usual(truth: Floats) -> float:
    """The base rate, with one yes and one no more than there were, so that nothing is impossible."""
    truth = truth[~np.isnan(truth)]
    return float((truth.sum() + 1) / (len(truth) + 2))


def _of_numbers(shape: Shape, value: Floats) -> Answers:
    return Answers(of_a_step(shape), np.where(np.isfinite(value), value, np.nan))


def _finite(value: float) -> float:
    return value if isfinite(value) else nan


def among(lists: list[list[str]], features: pa.Table) -> list[list[str]]:
    """Each question's list without what is no candidate of it: what is out of stock or in the cart is not listed by a baseline either.

    >>> among([["a", "b"]], pa.table({"question": [0, 0], "item": ["b", "c"]}))
    [['b']]
    """
    if "item" not in features.column_names:
        return lists
    items, starts = features.column("item").to_pylist(), [*first_rows(features).tolist(), len(features)]
    inside = [set(items[start:stop]) for start, stop in pairwise(starts)]
    return [[item for item in one if item in mine] for one, mine in zip(lists, inside, strict=True)]


def _of_lists(shape: Shape, lists: list[list[str]]) -> Answers:
    """Lists in the order given; scores fall from the list's length to 1, since nothing better is known."""
    items = tuple(tuple(one[: shape.most or None]) for one in lists)
    scores = tuple(tuple(float(len(one) - at) for at in range(len(one))) for one in items)
    return Answers(shape, np.array([float(len(one)) if one else np.nan for one in items]), items=items, scores=scores)
