"""Fitting a copy of the user's learner: an object, a function of the rows, or a dict of learners by quantile. No clock, no disk.

The declared object is never fitted. ``random_state=None`` is set from the seed. Whatever a learner does wrong becomes LearnerFailed: what,
where, and the next step.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from everloop.errors import EverloopError, LearnerFailed
from everloop.project.learner import is_function, learner_repr
from everloop.records import Shape
from everloop.training.go_on import gone_on
from everloop.training.predictor import Fitted
from everloop.training.rows import Rows, parameters
from everloop.training.xgboosted import xgboosted_of


def fit(learner: object, rows: Rows, shape: Shape, *, only_new: bool = False) -> Fitted:
    """The learner's copy, fitted to these rows, ready to answer with one thread.

    ``only_new``: goes on from ``rows.champion`` (``go_on``); a function does so by itself. Raises LearnerFailed where there is
    nothing to learn, or the learner raises or returns what cannot answer.

    >>> class Mean:
    ...     def fit(self, X, y):
    ...         self.mean = float(y.mean())
    ...     def predict(self, X):
    ...         return np.full(len(X), self.mean)
    >>> rows = Rows(np.zeros((2, 1)), np.array([1.0, 3.0]), ("x",), np.zeros(2, np.int64), np.array(["a", "b"], object))
    >>> fit(Mean(), rows, Shape(kind="number")).mean
    2.0
    """
    _refuse_what_teaches_nothing(rows, shape)
    if isinstance(learner, Mapping):
        champion = rows.champion if isinstance(rows.champion, Mapping) else {}
        return {
            level: fit(one, replace(rows, champion=champion.get(level)), shape, only_new=only_new) for level, one in sorted(learner.items())
        }
    said = learner_repr(learner)
    try:
        if is_function(learner):
            fitted = learner(rows)  # type: ignore[operator]
        elif only_new:
            fitted = gone_on(learner, prepared(learner, rows.seed, rows.settings), rows, shape, _fit)
        else:
            fitted = prepared(learner, rows.seed, rows.settings)
            if shape.kind == "shares" and type(fitted).__name__ == "XGBClassifier":
                return _of_codes(fitted, rows)
            _fit(fitted, "fit", rows)
    except EverloopError:
        raise
    except Exception as error:
        raise _failed(said, rows, error) from error
    if not isinstance(fitted, Mapping) and not any(callable(getattr(fitted, verb, None)) for verb in ("predict", "predict_proba")):
        raise LearnerFailed(
            f"{said} returned {type(fitted).__name__}, which cannot predict. Return an object with predict or predict_proba."
        )
    return alone(fitted)


def prepared(learner: object, seed: int, settings: Mapping[str, object] | None = None) -> Any:
    """An unfitted copy: ``sklearn.clone`` where it has ``get_params``, else ``deepcopy``; its seeds set, and made to repeat itself.

    >>> from sklearn.ensemble import RandomForestRegressor
    >>> prepared(RandomForestRegressor(), 7, {"n_estimators": 3})
    RandomForestRegressor(n_estimators=3, random_state=7)
    """
    if not hasattr(learner, "get_params"):
        made = copy.deepcopy(learner)
        if settings:
            raise LearnerFailed(
                f"{type(learner).__name__} has no parameters to search over. Give it get_params and set_params, or leave tune= out."
            )
        return made
    from sklearn.base import clone

    made = clone(learner, safe=False)
    if settings:
        made.set_params(**settings)
    parameters = made.get_params(deep=True)
    seeds = {k: seed for k, v in parameters.items() if v is None and (k == "random_state" or k.endswith("__random_state"))}
    if seeds:
        made.set_params(**seeds)
    for part in [made, *parameters.values()]:
        if type(part).__module__.startswith("lightgbm."):
            _made_to_repeat_itself(part)
    return made


def alone(fitted: Fitted) -> Fitted:
    """The same fitted object, told to answer with one thread: threads cost more than they save, and sums in any order differ a little."""
    for part in fitted.values() if isinstance(fitted, Mapping) else [fitted]:
        if not (hasattr(part, "get_params") and hasattr(part, "set_params")):
            continue
        try:
            many = {k: 1 for k, v in part.get_params(deep=True).items() if (k == "n_jobs" or k.endswith("__n_jobs")) and v != 1}
            if many:
                part.set_params(**many)
        except Exception:  # a stranger's object may know get_params and mean something else; it answers as it is
            continue
    return fitted


def _made_to_repeat_itself(learner: Any) -> None:
    """LightGBM chooses how to build histograms by timing itself, so two fits of one seed may differ.

    Unless the user said, it is told not to.
    """
    said = learner.get_params()
    if not any(k in said for k in ("deterministic", "force_col_wise", "force_row_wise")):
        learner.set_params(deterministic=True, force_row_wise=True)


def _fit(learner: Any, verb: str, rows: Rows, **more: object) -> None:
    knows = parameters(getattr(learner, verb))
    if rows.groups is not None and "group" in knows:
        more["group"] = rows.groups
    more |= {word: value for word, value in (("moments", rows.moments), ("names", rows.names)) if word in knows}
    if rows.items is not None and "items" in knows:
        more["items"] = rows.items
    if "units" in knows:
        more["units"] = rows.units
    if rows.weights is not None:
        more["sample_weight"] = rows.weights
    getattr(learner, verb)(rows.X, rows.y, **more)


def _of_codes(fitted: Any, rows: Rows) -> Any:
    """XGBoost's classifiers learn numbers from 0 on and nothing else: here they learn each class's place, and answer with the class."""
    labels, codes = np.unique(rows.y.astype(str), return_inverse=True)
    _fit(fitted, "fit", replace(rows, y=codes))
    return xgboosted_of(fitted, tuple(labels.tolist()))


def _refuse_what_teaches_nothing(rows: Rows, shape: Shape) -> None:
    if not len(rows):
        raise LearnerFailed("There is no row to learn from. Wait until truths are mature, or look further back with learns_from=.")
    if shape.kind in ("chance", "shares") and len(set(rows.y.tolist())) == 1:
        only = ("no", "yes")[int(rows.y[0])] if shape.kind == "chance" else repr(rows.y[0])
        raise LearnerFailed(
            f"The truth of all {len(rows):,} rows is {only}, and nothing can be learnt from one answer. Wait for another, or look further "
            "back with "
            "learns_from=."
        )
    if shape.kind == "ranking" and not rows.y.any():
        raise LearnerFailed(
            f"None of the {len(rows):,} candidates was what people then chose, so there is no order to learn. Give candidates= a wider net."
        )


def _failed(said: str, rows: Rows, error: Exception) -> LearnerFailed:
    where = f"{said} raised {type(error).__name__} on {len(rows):,} rows of {len(rows.names)} columns: {error}"
    if "NaN" in str(error) and not is_nan_free(rows):
        empty = next(
            (n for n, x in zip(rows.names, np.asarray(rows.X, dtype=object).T, strict=True) if any(v is None or v != v for v in x)),
            "a column",
        )
        where = where.splitlines()[0]
        return LearnerFailed(
            f"{where} {empty} is empty in some rows, and empty is NaN. Put an imputer before it: make_pipeline(SimpleImputer(), …)."
        )
    return LearnerFailed(f"{where} Mend the learner, or what it is fed (fed_as=).")


def is_nan_free(rows: Rows) -> bool:
    """Whether no feature is empty in any row.

    >>> is_nan_free(Rows(np.zeros((2, 1)), np.zeros(2), ("x",), np.zeros(2, np.int64), np.array(["a", "b"], object)))
    True
    """
    if isinstance(rows.X, np.ndarray):
        return not bool(np.isnan(rows.X).any())
    if hasattr(rows.X, "isna"):
        return not bool(rows.X.isna().any().any())
    return all(c.null_count == 0 for c in rows.X.columns)
