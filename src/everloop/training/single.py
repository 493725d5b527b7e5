"""One row, one answer: what a compiled version says of a single row, in plain Python and without a table. No clock, no disk.

A table of one row costs more than the sums its answer takes. So everything a version does is turned, once, into functions of one list of
numbers that take the same sums in the same order as its ``answer`` does; what cannot be said so is left out, and asked by ``answer``.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite, nan
from numbers import Real
from typing import TypeAlias

import numpy as np

import everloop.training.plain as plain
from everloop.errors import LearnerFailed
from everloop.records import Shape
from everloop.training.feed import Feed
from everloop.training.masks import masks_of
from everloop.training.plain import Body, Link, PlainChances, Said, Step, Sum, chance_of, read
from everloop.training.predictor import SLACK
from everloop.training.trees import Trees

Row: TypeAlias = list[float]
Does: TypeAlias = Callable[[Row], Row]
One: TypeAlias = Callable[[Sequence[object]], tuple[float, tuple[float, ...]]]
"""From a row's features, in the order of ``columns``, to ``value`` and ``values`` of its answer; NaN is no answer."""


def one_of(shape: Shape, feed: Feed, fitted: Said | Mapping[float, Said]) -> One | None:
    """What answers one row as these parts do; None where a question is more than one row.

    An empty feature is None or NaN. What it gives raises LearnerFailed where ``answer`` does, and for what is neither number nor category.
    """
    if shape.kind == "ranking" or shape.steps > 1:
        return None
    taken, spoken = _taken(feed), _spoken(shape, fitted)

    def one(values: Sequence[object]) -> tuple[float, tuple[float, ...]]:
        return spoken(taken(values))

    return one


# -- what goes in ----------------------------------------------------------------------------------------------------------------------


def _taken(feed: Feed) -> Callable[[Sequence[object]], Row]:
    """Features as numbers alone: a category as its place in the vocabulary, one past the last where it is missing or unseen."""
    count = len(feed.columns)
    places = [
        (at, {word: float(code) for code, word in enumerate(feed.vocabulary[name])})
        for at, name in enumerate(feed.columns)
        if name in feed.vocabulary
    ]

    def taken(values: Sequence[object]) -> Row:
        if len(values) != count:
            raise LearnerFailed(f"{len(values)} features were given, and the version knows {count}: {', '.join(feed.columns)}. Give each.")
        if not places:
            return [x if type(x) is float else number(x, feed.columns) for x in values]
        row: list[object] = list(values)
        for at, place in places:
            row[at] = _place(row[at], place, feed.columns[at])
        return [x if type(x) is float else number(x, feed.columns) for x in row]

    return taken


def number(x: object, columns: Sequence[str]) -> float:
    """A feature as a float64, empty as NaN. Raises LearnerFailed where it is no number, and says that ``columns`` are fed as such.

    >>> number(True, ["new"]), number(None, ["new"])
    (1.0, nan)
    """
    if x is None:
        return nan
    if isinstance(x, Real | np.bool_):
        try:
            return float(x)
        except OverflowError:
            pass
    raise LearnerFailed(f"{str(x)[:50]!r} is no number, and {', '.join(columns)} are fed as such. Send a number, or null.")


def _place(x: object, place: Mapping[str, float], name: str) -> float:
    if isinstance(x, str):
        return place.get(x, float(len(place)))
    if x is None or x != x:
        return float(len(place))
    raise LearnerFailed(f"{name} is a category, and {str(x)[:50]!r} is none. Send a string, or null.")


# -- what prepares it ------------------------------------------------------------------------------------------------------------------


def _through(steps: Sequence[Step]) -> Does | None:
    """These steps over one row; None where there are none."""
    each = [_step(step) for step in steps]
    if len(each) < 2:
        return each[0] if each else None

    def through(row: Row) -> Row:
        for one in each:
            row = one(row)
        return row

    return through


def _step(step: Step) -> Does:
    if isinstance(step, plain.Refuse):
        return _refuse(step)
    if isinstance(step, plain.Scale):
        return _scale(step)
    if isinstance(step, plain.Fill):
        by, noted = step.by.tolist(), step.noted.tolist()
        return lambda row: [b if x != x else x for x, b in zip(row, by, strict=True)] + [float(row[n] != row[n]) for n in noted]
    if isinstance(step, plain.Look):
        table = step.table.tolist()
        last = len(table) - 1
        return lambda row: table[int(row[0]) if 0 <= row[0] < last else last]
    if isinstance(step, plain.Match):
        places = {word: float(at) for at, word in reversed(list(enumerate(step.words.tolist())))}
        return lambda row: [places.get(row[0], nan)]
    return _beside(step)


def _refuse(step: plain.Refuse) -> Does:
    def refuse(row: Row) -> Row:
        if step.single:
            row = array("f", row).tolist()
        # One sum tells of most rows that there is nothing to refuse.
        if not isfinite(sum(row)) and (inf in row or -inf in row or (not step.welcome and any(x != x for x in row))):
            raise ValueError("a feature is empty or infinite, and this learner takes neither")
        return row

    return refuse


def _scale(step: plain.Scale) -> Does:
    if step.over is not None and not step.over.all():
        return lambda row: step.of(np.array([row]))[0].tolist()
    minus, over, times, plus = (None if said is None else said.tolist() for said in (step.minus, step.over, step.times, step.plus))

    def scale(row: Row) -> Row:
        row = row if minus is None else [x - y for x, y in zip(row, minus, strict=True)]
        row = row if over is None else [x / y for x, y in zip(row, over, strict=True)]
        row = row if times is None else [x * y for x, y in zip(row, times, strict=True)]
        return row if plus is None else [x + y for x, y in zip(row, plus, strict=True)]

    return scale


def _beside(step: plain.Beside) -> Does:
    each = [(columns, _through(steps)) for columns, steps in zip(step.columns, step.steps, strict=True)]

    def beside(row: Row) -> Row:
        found: Row = []
        for columns, does in each:
            mine = [row[at] for at in columns]
            found += mine if does is None else does(mine)
        return found

    return beside


# -- what is said of it ----------------------------------------------------------------------------------------------------------------


def _body(body: Body) -> Does:
    """The outputs of one prepared row."""
    if isinstance(body, plain.Line):
        return lambda row: body.raw(np.array([row]))[0].tolist()
    outputs = len(body.start) if isinstance(body, Sum) else body.trees.value.shape[1]
    if isinstance(body, Sum) and len(body.trees.roots) % outputs:
        return lambda row: body.raw(np.array([row]))[0].tolist()
    masks, added = masks_of(body.trees), np.add.accumulate
    # Where the trees are too large for masks, a place is a node; else it is a bit.
    places, nodes = (_walked(body.trees), np.arange(len(body.trees.kids))) if masks is None else (masks.bits, masks.nodes)
    if isinstance(body, plain.Mean):
        # The first of all is added to zeros, which makes 0.0 of -0.0.
        means, trees = body.trees.value[nodes] + 0.0, len(body.trees.roots)
        return lambda row: (added(means.take(places(row), axis=0))[-1] / trees).tolist()
    kind = np.float32 if body.single else np.float64
    said, start = body.trees.value[:, 0][nodes].astype(kind), body.start.astype(kind)
    if masks is not None:
        # Whatever leaf the first tree of each output ends in, the start has been added to it already.
        lane = len(said) // len(body.trees.roots)
        said[: lane * outputs] = np.repeat(start, lane) + said[: lane * outputs]
        start = start[:0]
    if outputs == 1 and masks is not None:
        return lambda row: [added(said.take(places(row))).item(-1)]
    return lambda row: added(np.concatenate([start, said.take(places(row))]).reshape(-1, outputs))[-1].tolist()


def _walked(trees: Trees) -> Callable[[Row], Sequence[int]]:
    """The leaf of each tree for one row, from node to node."""
    if len(trees.lefts):
        return lambda row: trees.leaves(np.array([row]))[:, 0].tolist()
    left, right = trees.kids.T.tolist()
    column, lost = np.where(trees.leaf, -1, trees.column).tolist(), trees.lost.tolist()
    threshold, roots = trees.threshold.tolist(), trees.roots.tolist()

    def walked(row: Row) -> Sequence[int]:
        found = []
        for n in roots:
            while (c := column[n]) >= 0:
                x = row[c]
                n = left[n] if x <= threshold[n] or (x != x and lost[n]) else right[n]
            found.append(n)
        return found

    return walked


def _read(link: Link, body: Does) -> Does:
    if link == "itself":
        return body
    if link == "chance":
        return lambda row: [chance_of(x) for x in body(row)]
    return lambda row: read(link, np.array([body(row)]))[0].tolist()


def _predicts(part: Said) -> Does:
    """What ``predict`` of the part says of one row, or the chance of each class where it is a classifier."""
    prepared, said = _through(part.steps), _read(part.link, _body(part.body))
    usual, plus = (part.usual, part.plus) if isinstance(part, plain.Plain) else (None, None)

    def predicts(row: Row) -> Row:
        try:
            found = said(row if prepared is None else prepared(row))
        except Exception as error:
            raise LearnerFailed(f"{type(part).__name__} raised {type(error).__name__}: {error}") from error
        if plus is not None:
            moved = found[0] + plus
            found = [0.0 if moved < 0 else moved]
        if usual is not None:
            column, more = usual
            times = float(np.nan_to_num(row[column]))
            found = [found[0] * ((times if plus is None else max(times, 0.0)) + more)]
        if isinstance(part, PlainChances) and len(found) == 1:
            return [1 - found[0], found[0]]
        return found

    return predicts


# -- what comes out --------------------------------------------------------------------------------------------------------------------


def _spoken(shape: Shape, fitted: Said | Mapping[float, Said]) -> Callable[[Row], tuple[float, tuple[float, ...]]]:
    if isinstance(fitted, Mapping):
        levels = [_predicts(fitted[level]) for level in shape.levels]
        middle = middle_of(shape.levels)
        return lambda row: in_levels([level(row)[0] for level in levels], middle)
    predicts = _predicts(fitted)
    if shape.kind == "number":
        return lambda row: (value if isfinite(value := predicts(row)[0]) else nan, ())
    if shape.kind == "chance":
        return lambda row: (in_bounds(predicts(row)[-1]), ())
    classes = [str(c) for c in fitted.classes_] if isinstance(fitted, PlainChances) else []
    return _in_shares(shape, classes, predicts)


def in_bounds(chance: float) -> float:
    """A chance within 0 and 1; NaN where it is none.

    >>> in_bounds(0.25), in_bounds(1.0 + 1e-12), in_bounds(1.5)
    (0.25, 1.0, nan)
    """
    return min(max(chance, 0.0), 1.0) if -SLACK <= chance <= 1 + SLACK else nan


def middle_of(levels: Sequence[float]) -> int:
    """The place of the level nearest to 0.5; the first of two that are.

    >>> middle_of([0.1, 0.5, 0.9])
    1
    """
    return int(np.argmin(np.abs(np.array(levels) - 0.5)))


def in_levels(levels: list[float], middle: int) -> tuple[float, tuple[float, ...]]:
    """Quantiles of one row as an answer: sorted where they cross; no answer where one of them is none.

    >>> in_levels([3.0, 2.0, 4.0], 1)
    (3.0, (2.0, 3.0, 4.0))
    """
    if not all(map(isfinite, levels)):
        return nan, (nan,) * len(levels)
    levels.sort()
    return levels[middle], tuple(levels)


def _in_shares(shape: Shape, classes: list[str], predicts: Does) -> Callable[[Row], tuple[float, tuple[float, ...]]]:
    at = {label: i for i, label in enumerate(classes)}
    none = nan, (nan,) * len(shape.labels)
    if not set(classes) <= set(shape.labels):
        return lambda row: none

    def shares(row: Row) -> tuple[float, tuple[float, ...]]:
        said = predicts(row)
        found = [said[at[label]] if label in at else 0.0 for label in shape.labels]
        if not all(x >= -SLACK for x in found) or not abs(sum(found) - 1) <= 1e-6:
            return none
        bounded = tuple(min(max(x, 0.0), 1.0) for x in found)
        return max(bounded), bounded

    return shares
