# ruff: noqa: N803, N806 — X is what learners call it
"""Why an answer is what it is: what each column added to it, for learners that are trees. In: a predictor, one row. Out: contributions.

Compiled trees are told by ``shapley.py``; LightGBM's own text by LightGBM's ``pred_contrib``, which says the same. Only what adds up to the
answer that was given is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from everloop.errors import EverloopError
from everloop.stats.shapes import Floats
from everloop.training.baseline import Baseline
from everloop.training.boosted import Boosted
from everloop.training.compiled import Compiled
from everloop.training.feed import Value, coded, fed, row
from everloop.training.plain import Beside, Fill, Look, Mean, Plain, PlainChances, Step, Sum, through
from everloop.training.predictor import Answering, Predictor
from everloop.training.shapley import contributions

Scale: TypeAlias = Literal["answer", "log-odds", "log"]
SLACK: Final = 1e-6
"""How far the sum may be from the answer, as a share of it (of 1 where it is smaller): LightGBM and forests round to single precision."""
SINGLE_SLACK: Final = 1e-4
"""The same for XGBoost, which adds hundreds of trees in single precision."""
RISING: Final = ("poisson", "gamma", "tweedie")
LIKELY: Final = ("binary", "cross_entropy", "xentropy")


@dataclass(frozen=True)
class Contributions:
    """What each column added (``by_column``) to what would be said of nobody in particular (``base``); together they are the answer, its
    log-odds or its logarithm (``scale``)."""

    by_column: Mapping[str, float]
    base: float
    scale: Scale


def because(predictor: Answering, features: Mapping[str, Value], answered: float) -> Contributions:
    """What each column added to the answer that was given to these features.

    Raises EverloopError, which says why, where that cannot be told: no trees, several numbers in one answer, too many leaves.
    """
    if predictor.shape.kind not in ("number", "chance"):
        raise EverloopError("Only a number or a chance is explained: an answer of several numbers has no one sum.")
    if isinstance(predictor, Compiled):
        found = _of_compiled(predictor, features)
    elif isinstance(predictor, Predictor) and isinstance(predictor.fitted, Boosted):
        found = _of_boosted(predictor, predictor.fitted, features)
    else:
        what = "the baseline" if isinstance(predictor, Baseline) else "none, or none that is known here"
        raise EverloopError(f"Only trees are explained, and this version is {what}.")
    slack = SINGLE_SLACK if isinstance(predictor, Compiled) and getattr(predictor.fitted, "link", "").startswith("single") else SLACK
    if not math.isclose(_read(found), answered, rel_tol=slack, abs_tol=slack):
        raise EverloopError("What its columns add does not come to the answer it gave, so it is not told.")
    return found


def _read(said: Contributions) -> float:
    total = said.base + sum(said.by_column.values())
    if said.scale == "answer":
        return total
    if said.scale == "log":
        return math.exp(min(total, 700.0))
    return 1 / (1 + math.exp(-max(total, -700.0)))


# -- compiled trees --------------------------------------------------------------------------------------------------------------------


def _of_compiled(predictor: Compiled, features: Mapping[str, Value]) -> Contributions:
    said = predictor.fitted
    if (
        not isinstance(said, Plain | PlainChances)
        or not isinstance(said.body, Sum | Mean)
        or said.link.endswith(("shares", "shares in turn"))
    ):
        raise EverloopError("Only trees are explained, and this version is none.")
    X = coded(row(features, predictor.feed), predictor.feed)
    body, output = said.body, int(isinstance(said, PlainChances) and isinstance(said.body, Mean))
    try:
        base, added = contributions(body.trees, through(said.steps, X)[0], output)
    except ValueError as error:
        raise EverloopError(f"This version is not explained: {error}.") from error
    if isinstance(body, Sum):
        base += float(body.start[0])
    else:
        base, added = base / len(body.trees.roots), added / len(body.trees.roots)
    if said.link == "half chance":
        base, added = 2 * base, 2 * added
    scale: Scale = "answer" if said.link == "itself" else "log" if said.link in ("exp", "exp in turn", "single exp") else "log-odds"
    if isinstance(said, Plain) and said.plus:
        if scale != "answer":
            raise EverloopError("What is added to its answer is no part of what its columns add, so it is not told.")
        base += said.plus
    if isinstance(said, Plain) and said.usual is not None:
        base, added = _times_usual(said.usual, X, base, added, scale)
    by_column = np.bincount(origins(said.steps, tuple(range(X.shape[1]))), added, X.shape[1])
    return Contributions(dict(zip(predictor.columns, by_column.tolist(), strict=True)), base, scale)


def _times_usual(usual: tuple[int, float], X: Floats, base: float, added: Floats, scale: Scale) -> tuple[float, Floats]:
    """An answer that is so many times the unit's usual: its usual is part of the base."""
    times = float(np.nan_to_num(X[0, usual[0]]) + usual[1])
    if scale == "answer":
        return base * times, added * times
    if times <= 0:
        raise EverloopError("Its usual is nothing, and so is the answer, whatever its columns say.")
    return base + math.log(times), added


def origins(steps: tuple[Step, ...], columns: tuple[int, ...]) -> tuple[int, ...]:
    """For each column that steps make, the column it is made of.

    >>> origins((Beside(((1,), (0,)), ((Look(np.zeros((3, 2))),), ())),), (0, 1))
    (1, 1, 0)
    """
    for step in steps:
        if isinstance(step, Fill):
            columns = (*columns, *(columns[at] for at in step.noted.tolist()))
        elif isinstance(step, Look):
            columns = columns * step.table.shape[1]
        elif isinstance(step, Beside):
            parts = zip(step.columns, step.steps, strict=True)
            columns = tuple(made for chosen, more in parts for made in origins(more, tuple(columns[at] for at in chosen)))
    return columns


# -- LightGBM --------------------------------------------------------------------------------------------------------------------------


def _of_boosted(predictor: Predictor, fitted: Boosted, features: Mapping[str, Value]) -> Contributions:
    X = fed(row(features, predictor.feed), predictor.feed)
    said = np.asarray(fitted.booster.predict(X, pred_contrib=True, num_threads=1, validate_features=False), dtype=np.float64)
    if said.shape != (1, len(predictor.columns) + 1):
        raise EverloopError("Its library does not say what each column added.")
    head = fitted.text.partition("\nTree=")[0].split("\n")
    objective, _, rest = next((line for line in head if line.startswith("objective=")), "=").partition("=")[2].partition(" ")
    scale: Scale = "log" if objective in RISING else "log-odds" if objective in LIKELY else "answer"
    if "average_output" in head:  # a forest; its contributions are added up all the same
        said = said / fitted.booster.num_trees()
    if "sigmoid:" in rest:
        said = said * float(rest.split("sigmoid:")[1].split()[0])
    return Contributions(dict(zip(predictor.columns, said[0, :-1].tolist(), strict=True)), float(said[0, -1]), scale)
