"""Going on from a champion with what is new: by ``partial_fit``, or by trees added to those it has. In: an unfitted copy, the champion.

Trees are added by LightGBM's ``init_model``, XGBoost's ``xgb_model`` and scikit-learn's ``warm_start``. scikit-learn's histogram boosting
would cut new rows into new bins and read its older trees by them; here new rows are cut into the bins the older trees were grown on.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from everloop.errors import LearnerFailed
from everloop.project.learner import grows, learner_repr
from everloop.records import Shape
from everloop.training.boosted import Boosted
from everloop.training.rows import Rows
from everloop.training.xgboosted import XGBoosted

Fit: TypeAlias = Callable[..., None]
"""``fit(learner, verb, rows, **more)``: call the verb with these rows."""


def gone_on(learner: object, fresh: Any, rows: Rows, shape: Shape, fit: Fit) -> Any:
    """A copy of the champion that has also seen these rows, or ``fresh`` fitted to them where nobody has learnt yet.

    Raises LearnerFailed for a learner that cannot go on, or a champion of another kind.
    """
    champion = rows.champion
    if callable(getattr(fresh, "partial_fit", None)):
        return _a_part_more(fresh if champion is None else copy.deepcopy(champion), rows, shape, fit)
    kind = type(fresh).__name__
    if not grows(fresh):
        raise LearnerFailed(
            f"{learner_repr(learner)} cannot go on from the champion: it has no partial_fit. Take a learner that has, or boosted trees, or "
            "say a function learn(rows) that goes on from rows.champion, or leave learns_from=only_new() out."
        )
    if champion is None:
        fit(fresh, "fit", rows)
        return fresh
    if kind.startswith("LGBM"):
        _of_the_same_kind(learner, champion, isinstance(champion, Boosted))
        fit(fresh, "fit", rows, init_model=champion.booster)
        return fresh
    if kind.startswith("XGB"):
        _of_the_same_kind(learner, champion, isinstance(champion, XGBoosted))
        fit(fresh, "fit", rows, xgb_model=champion.booster)
        return fresh
    _of_the_same_kind(learner, champion, type(champion) is type(fresh))
    return _more_trees(fresh, copy.deepcopy(champion), rows, fit)


def _a_part_more(fitted: Any, rows: Rows, shape: Shape, fit: Fit) -> Any:
    more: dict[str, object] = {}
    if "classes" in inspect.signature(fitted.partial_fit).parameters:
        more["classes"] = np.array(shape.labels, dtype=object) if shape.kind == "shares" else np.array([0.0, 1.0])
    fit(fitted, "partial_fit", rows, **more)
    return fitted


def _more_trees(fresh: Any, champion: Any, rows: Rows, fit: Fit) -> Any:
    """As many trees more as the learner was declared with, grown on what the champion's leave over."""
    champion.set_params(**(fresh.get_params() | {"warm_start": True, "max_iter": champion.n_iter_ + fresh.max_iter}))
    with _in_the_same_bins(champion):
        fit(champion, "fit", rows)
    return champion


@contextmanager
def _in_the_same_bins(champion: Any) -> Iterator[None]:
    from sklearn.ensemble._hist_gradient_boosting import gradient_boosting

    bins, usual = champion._bin_mapper, gradient_boosting._BinMapper
    gradient_boosting._BinMapper = lambda **_: _Bins(bins)
    try:
        yield
    finally:
        gradient_boosting._BinMapper = usual
        champion._bin_mapper = bins


class _Bins:
    """The bins of older trees; new rows are put into them."""

    def __init__(self, bins: Any) -> None:
        self.bins = bins

    def fit_transform(self, X: Any, y: object = None, **_: object) -> Any:  # noqa: N803
        return self.bins.transform(X)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bins, name)


def _of_the_same_kind(learner: object, champion: object, same: bool) -> None:
    if not same:
        raise LearnerFailed(
            f"{learner_repr(learner)} cannot go on from the champion, which is a {type(champion).__name__}. Leave only_new() out "
            "until a candidate of the new learner has taken over."
        )
