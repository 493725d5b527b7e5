# ruff: noqa: N803, N806 — X is what learners call it
"""A fitted learner in plain numbers: a few steps that prepare a row, trees or a line that say something of it, and how that is read.

In: numbers, a category as its place in the vocabulary. Out: what ``predict`` or ``predict_proba`` of the fitted object says, by the same
sums in the same order. numpy only: neither scikit-learn nor scipy. No clock, no disk.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Floats
from everloop.training.trees import Trees

Link: TypeAlias = Literal[
    "itself", "exp", "chance", "half chance", "shares", "exp in turn", "shares in turn", "single exp", "single chance", "single shares"
]
"""``in turn``: by the C library's exp, one number after the other; numpy's own may differ in the last digit.
``single``: as C does it in single precision."""
Singles: TypeAlias = NDArray[np.float32]
THIRTY_SECONDS = 2.0 ** (np.arange(32) / 32)
PER_32ND = float.fromhex("0x1.71547652b82fep+0") * 32
CUBE, SQUARE, SLOPE = (
    float.fromhex(said) / 32**power
    for said, power in (("0x1.c6af84b912394p-5", 3), ("0x1.ebfce50fac4f3p-3", 2), ("0x1.62e42ff0c52d6p-1", 1))
)
Label: TypeAlias = bool | int | float | str


class Refuse(msgspec.Struct, frozen=True, tag="refuse"):
    """Infinite values are refused, and missing ones unless they are ``welcome``; ``single``: after rounding to single precision."""

    welcome: bool
    single: bool = False

    def of(self, X: Floats) -> Floats:
        """The same numbers. Raises ValueError."""
        if self.single:
            with np.errstate(over="ignore"):
                X = X.astype(np.float32).astype(np.float64)
        if np.isinf(X).any() or (not self.welcome and np.isnan(X).any()):
            raise ValueError("a feature is empty or infinite, and this learner takes neither")
        return X


class Scale(msgspec.Struct, frozen=True, tag="scale"):
    """Minus, then over, then times, then plus, each only where it is said (columns,)."""

    minus: Floats | None = None
    over: Floats | None = None
    times: Floats | None = None
    plus: Floats | None = None

    def of(self, X: Floats) -> Floats:
        """Each column on its own scale."""
        X = X if self.minus is None else X - self.minus
        X = X if self.over is None else X / self.over
        X = X if self.times is None else X * self.times
        return X if self.plus is None else X + self.plus


class Fill(msgspec.Struct, frozen=True, tag="fill"):
    """Missing numbers replaced by ``by`` (columns,); ``noted`` columns follow as 1 where they were missing, 0 where not."""

    by: Floats
    noted: NDArray[np.int32]

    def of(self, X: Floats) -> Floats:
        """No column has a missing number."""
        missing = np.isnan(X)
        filled = np.where(missing, self.by, X)
        return np.hstack([filled, missing[:, self.noted].astype(np.float64)]) if len(self.noted) else filled


class Look(msgspec.Struct, frozen=True, tag="look"):
    """One column of codes: what stands in the code's row of ``table`` (codes + 1, width), the last row for whatever is no code."""

    table: Floats

    def of(self, X: Floats) -> Floats:
        """The rows of the table that were asked for."""
        last = len(self.table) - 1
        known = (X[:, 0] >= 0) & (X[:, 0] < last)
        return self.table[np.where(known, np.where(known, X[:, 0], 0), last).astype(np.intp)]


class Match(msgspec.Struct, frozen=True, tag="match"):
    """One column of numbers: its place among ``words`` (sorted), missing where it is none of them."""

    words: Floats

    def of(self, X: Floats) -> Floats:
        """Places from 0."""
        if not len(self.words):
            return np.full_like(X, np.nan)
        at = np.clip(np.searchsorted(self.words, X[:, 0]), 0, len(self.words) - 1)
        return np.where(self.words[at] == X[:, 0], at, np.nan)[:, None]


class Beside(msgspec.Struct, frozen=True, tag="beside"):
    """Each list of steps over its own columns, the results side by side."""

    columns: tuple[tuple[int, ...], ...]
    steps: tuple[tuple[Step, ...], ...]

    def of(self, X: Floats) -> Floats:
        """What each list of steps makes of its columns, from left to right."""
        return np.hstack([through(steps, X[:, list(columns)]) for columns, steps in zip(self.columns, self.steps, strict=True)])


Step: TypeAlias = Refuse | Scale | Fill | Look | Match | Beside


def through(steps: tuple[Step, ...], X: Floats) -> Floats:
    """X (n, columns) after these steps, one after the other.

    >>> through((Scale(minus=np.array([1.0])), Scale(over=np.array([2.0]))), np.array([[5.0]]))
    array([[2.]])
    """
    for step in steps:
        X = step.of(X)
    return X


class Sum(msgspec.Struct, frozen=True, tag="sum"):
    """Trees added up, one after another, onto ``start`` (outputs,); with several outputs a tree belongs to the next one in turn.

    ``single``: in single precision.
    """

    start: Floats
    trees: Trees
    single: bool = False

    def raw(self, X: Floats) -> Floats:
        """(n, outputs)."""
        said, outputs = self.trees.value[:, 0].take(self.trees.leaves(X)), len(self.start)
        kind = np.float32 if self.single else np.float64
        if said.shape[1] == 1 and outputs == 1:
            # Strictly from left to right, as ``accumulate`` is by its definition and ``sum`` is not.
            return np.add.accumulate(np.concatenate([self.start, said[:, 0]]), dtype=kind)[-1:, None].astype(np.float64)
        found = np.repeat(self.start[:, None], said.shape[1], axis=1).astype(kind)
        for at, one in enumerate(said.astype(kind, copy=False)):
            found[at % outputs] += one
        return np.ascontiguousarray(found.T, dtype=np.float64)


class Mean(msgspec.Struct, frozen=True, tag="mean"):
    """What trees say on average: of a forest's or of one tree."""

    trees: Trees

    def raw(self, X: Floats) -> Floats:
        """(n, outputs)."""
        found = np.zeros((len(X), self.trees.value.shape[1]))
        for leaf in self.trees.leaves(X):
            found += self.trees.value[leaf]
        return found / len(self.trees.roots)


class Line(msgspec.Struct, frozen=True, tag="line"):
    """A weighted sum of the columns: ``weights`` (columns,), (outputs, columns) or, ``turned``, (columns, outputs); ``start`` (1,) or
    (outputs,). Sums of products round otherwise where the weights lie otherwise in memory, so they lie as they did."""

    weights: Floats
    start: Floats
    turned: bool = False

    def raw(self, X: Floats) -> Floats:
        """(n, outputs)."""
        start = self.start[0] if self.weights.ndim == 1 else self.start
        said = X @ (self.weights if self.turned else self.weights.T) + start
        return said[:, None] if said.ndim == 1 else said


Body: TypeAlias = Sum | Mean | Line


class Plain(msgspec.Struct, frozen=True, tag="number"):
    """What says something of prepared rows, and how it is read; ``usual``: times this column, empty as 0, plus this constant.

    ``plus``: added to what is said before that, and what is then below 0 is 0."""

    steps: tuple[Step, ...]
    body: Body
    link: Link = "itself"
    usual: tuple[int, float] | None = None
    plus: float | None = None

    def predict(self, X: Floats) -> Floats:
        """A number for each row (n,)."""
        said = read(self.link, self.body.raw(through(self.steps, X)))[:, 0]
        if self.plus is not None:
            said = said + self.plus
            said = np.where(said < 0, 0.0, said)
        if self.usual is None:
            return said
        column, more = self.usual
        usual = np.nan_to_num(X[:, column])
        return np.asarray(said * ((usual if self.plus is None else np.maximum(usual, 0.0)) + more))


class PlainChances(msgspec.Struct, frozen=True, tag="chances"):
    """The same for a classifier: the chance of each of its ``classes_``."""

    steps: tuple[Step, ...]
    body: Body
    link: Link
    classes_: tuple[Label, ...]

    def predict_proba(self, X: Floats) -> Floats:
        """(n, classes)."""
        said = read(self.link, self.body.raw(through(self.steps, X)))
        return np.column_stack([1 - said[:, 0], said[:, 0]]) if said.shape[1] == 1 else said


Said: TypeAlias = Plain | PlainChances


def read(link: Link, raw: Floats) -> Floats:
    """What was said, as it is meant.

    >>> read("chance", np.array([[0.0]])), read("shares", np.array([[0.0, 0.0]]))
    (array([[0.5]]), array([[0.5, 0.5]]))
    """
    if link == "itself":
        return raw
    if link == "exp":
        with np.errstate(over="ignore"):
            return np.exp(raw)
    if link == "shares":
        risen: Floats = np.exp(raw - raw.max(axis=1).reshape(-1, 1))
        risen /= risen.sum(axis=1).reshape(-1, 1)
        return risen
    if link == "exp in turn":
        return np.array([risen_of(x) for x in raw.ravel().tolist()]).reshape(raw.shape)
    if link == "shares in turn":
        return np.array([_shares_of(row) for row in raw.tolist()]).reshape(raw.shape)
    if link.startswith("single"):
        return _in_single(link, raw.astype(np.float32)).astype(np.float64)
    return _chance(raw if link == "chance" else 2 * raw)


def _in_single(link: Link, raw: Singles) -> Singles:
    if link == "single exp":
        return single_exp(raw)
    one = np.float32(1)
    if link == "single chance":
        return np.asarray(one / (single_exp(np.minimum(-raw, np.float32(88.7))) + one))
    risen = single_exp(raw - raw.max(axis=1).reshape(-1, 1))
    # Added up in double precision, from left to right.
    total = np.add.accumulate(risen.astype(np.float64), axis=1)[:, -1:].astype(np.float32)
    return np.asarray(risen / total)


def single_exp(x: Singles) -> Singles:
    """exp in single precision, to the last bit as the GNU C library has it (sysdeps/ieee754/flt-32/e_expf.c, from ARM's optimized
    routines): 2 to the 32nds from a table, the rest by a polynomial, both in double precision.

    >>> single_exp(np.array([0.0, 1.0, 1000.0], np.float32))
    array([1.       , 2.7182817,       inf], dtype=float32)
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        z = PER_32ND * np.clip(x.astype(np.float64), -200.0, 200.0)
        k = np.rint(z)
        r, whole = z - k, np.nan_to_num(k).astype(np.int64)
        by = np.ldexp(THIRTY_SECONDS[whole % 32], whole // 32)
        found: Singles = (((CUBE * r + SQUARE) * (r * r) + (SLOPE * r + 1)) * by).astype(np.float32)
        return found


def risen_of(x: float) -> float:
    """exp(x) by the C library.

    >>> risen_of(0.0), risen_of(1000.0)
    (1.0, inf)
    """
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _shares_of(row: list[float]) -> list[float]:
    most, total = max(row), 0.0
    risen = [risen_of(x - most) for x in row]
    # Strictly from left to right, as ``sum`` is not in every release of Python.
    for one in risen:
        total += one
    return [one / total for one in risen]


def chance_of(x: float) -> float:
    """1 / (1 + exp(-x)) by the C library's exp, as scipy.special.expit does: numpy's own exp may differ in the last digit.

    >>> chance_of(0.0), chance_of(-1000.0)
    (0.5, 0.0)
    """
    try:
        return 1.0 / (1.0 + math.exp(-x))
    except OverflowError:
        return 0.0


def _chance(raw: Floats) -> Floats:
    return np.array([chance_of(x) for x in raw.ravel().tolist()]).reshape(raw.shape)
