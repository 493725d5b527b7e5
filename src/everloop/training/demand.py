# ruff: noqa: N803 — X is what learners call it
"""Demand of thousands of products by one learner: how many times its usual each will sell. In: windowed features. Out: units.

Boosted trees learn the demand of all products together, each measured by its own usual level, so that what is learnt from fast sellers
holds for slow and for new ones. LightGBM where it is installed, scikit-learn's HistGradientBoosting else. Reads no clock, touches no disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from typing import Any, Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from everloop.errors import LearnerFailed
from everloop.stats.conformal import moved_by, rows_needed
from everloop.stats.shapes import Floats
from everloop.training.boosted import boosted_of
from everloop.training.columns import Column, column_at, place_of
from everloop.training.feed import Fed

At: TypeAlias = float | Literal["mean"]
Library: TypeAlias = Literal["lightgbm", "sklearn"]
Moments: TypeAlias = NDArray[np.int64]

DAY: Final = 86_400_000_000
"""Microseconds."""


@dataclass(eq=False)
class Demand:
    """Demand at a quantile (``at`` between 0 and 1) or on average (``at="mean"``).

    ``usual`` is the column of X that says what is usual for the unit, by name or place, in any unit of time and never below 0, such as its
    total over eight weeks; the other columns had better be shares of it. A row weighs as much as its usual, so the error that counts is
    the one in units. More returned than sold counts as nothing sold; what was never sold has ``least`` as its usual. The mean is learnt by
    Poisson deviance, quantiles by pinball loss.

    A quantile is moved until it keeps its promise on the newest ``calibrate`` (share) of the moments, learnt without them
    (``stats.conformal``); afterwards it learns from all. ``ahead_days`` is how far ahead a truth looks, where questions are asked more
    often than that: what lies so close before the newest moments is left out while they calibrate. Each tree of a quantile is grown on half
    of the rows, drawn anew (LightGBM only; Friedman 2002, Stochastic Gradient Boosting): as good, and faster.

    ``rounds``, ``leaves``, ``rate`` and ``rows`` (the fewest of a leaf) shape the trees. ``library`` is "lightgbm" or "sklearn" (default:
    LightGBM where it is installed).

    >>> X = np.array([[10.0, 0.5], [100.0, 0.5], [10.0, 1.0], [100.0, 1.0]] * 50)
    >>> y = np.array([5.5, 50.5, 11.0, 101.0] * 50)
    >>> Demand(rounds=200, rows=2, library="sklearn").fit(X, y).predict(np.array([[40.0, 1.0]])).round()
    array([41.])
    """

    at: At = "mean"
    usual: Column = 0
    least: float = 1.0
    calibrate: float = 0.2
    ahead_days: float = 0.0
    rounds: int = 150
    leaves: int = 15
    rate: float = 0.05
    rows: int = 100
    library: Library | None = None
    random_state: int | None = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """How it was made."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def set_params(self, **words: Any) -> Self:
        """The same, made otherwise. Raises LearnerFailed for a parameter it has not."""
        for name, value in words.items():
            if name not in self.get_params():
                raise LearnerFailed(f"Demand has no parameter {name!r}. It has {', '.join(self.get_params())}.")
            setattr(self, name, value)
        return self

    def fit(
        self,
        X: Fed,
        y: Floats,
        sample_weight: Floats | None = None,
        moments: Moments | None = None,
        names: Sequence[str] | None = None,
    ) -> Self:
        """Learn from X (n, columns), units y (n,) by moment (µs UTC; where none are given every row is one of its own).

        Raises LearnerFailed where there is no such usual column, or it is below 0.
        """
        self._check()
        self.column_ = place_of(X, self.usual, names)
        if (np.nan_to_num(column_at(X, self.column_)) < 0).any():
            raise LearnerFailed(f"Demand: the usual column, {self.usual!r}, is below 0 in some rows. A total or a mean of units never is.")
        usual = self._usual(X)
        times, weights = np.maximum(y, 0.0) / usual, usual if sample_weight is None else usual * sample_weight
        self.moved_ = 0.0
        if self.at != "mean" and self.calibrate:
            self.moved_ = self._moved(X, times, weights, np.arange(len(y)) if moments is None else moments)
        self.learner_ = self._learnt(X, times, weights)
        return self

    def predict(self, X: Fed) -> Floats:
        """Units (n,) for X (n, columns), never below 0."""
        said = np.asarray(self.learner_.predict(X), dtype=np.float64) + self.moved_
        return np.asarray(np.where(said < 0, 0.0, said) * self._usual(X), dtype=np.float64)

    def times_usual(self) -> tuple[Any, int, float, float]:
        """What it is made of, for whoever answers without the library (docs/training.md)."""
        return self.learner_, self.column_, self.least, self.moved_

    def _usual(self, X: Fed) -> Floats:
        # More came back than was sold: that is no demand, and none below nothing.
        return np.asarray(np.maximum(np.nan_to_num(column_at(X, self.column_)), 0.0) + self.least, dtype=np.float64)

    def _moved(self, X: Fed, times: Floats, weights: Floats, moments: Moments) -> float:
        learns, calibrates = newest_apart(moments, self.calibrate, self.ahead_days)
        assert self.at != "mean"
        if calibrates.sum() < rows_needed(self.at) or not learns.any():
            return 0.0
        first = self._learnt(_taken(X, learns), times[learns], weights[learns])
        return moved_by(times[calibrates] - np.asarray(first.predict(_taken(X, calibrates))), self.at)

    def _learnt(self, X: Fed, times: Floats, weights: Floats) -> Any:
        library = self.library or ("lightgbm" if find_spec("lightgbm") else "sklearn")
        if library == "lightgbm":
            return boosted_of(self._by_lightgbm().fit(X, times, sample_weight=weights))
        return self._by_sklearn().fit(X, times, sample_weight=weights)

    def _by_lightgbm(self) -> Any:
        from lightgbm import LGBMRegressor

        words: dict[str, Any] = {"objective": "poisson"} if self.at == "mean" else {"objective": "quantile", "alpha": self.at}
        return LGBMRegressor(
            **words, n_estimators=self.rounds, num_leaves=self.leaves, learning_rate=self.rate, min_child_samples=self.rows,
            subsample=1.0 if self.at == "mean" else 0.5, subsample_freq=1,
            random_state=self.random_state, deterministic=True, force_row_wise=True, verbose=-1,
        )  # fmt: skip

    def _by_sklearn(self) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        words: dict[str, Any] = {"loss": "poisson"} if self.at == "mean" else {"loss": "quantile", "quantile": self.at}
        return HistGradientBoostingRegressor(
            **words, max_iter=self.rounds, max_leaf_nodes=self.leaves, learning_rate=self.rate, min_samples_leaf=self.rows,
            random_state=self.random_state, early_stopping=False,
        )  # fmt: skip

    def _check(self) -> None:
        if self.at != "mean" and not (isinstance(self.at, float) and 0 < self.at < 1):
            raise LearnerFailed(f'Demand at {self.at!r} is neither on average nor at a quantile. Say at="mean", or a share such as 0.9.')
        if not 0 <= self.calibrate < 1 or self.least <= 0:
            raise LearnerFailed(f"Demand calibrates on a share from 0 to 1, not {self.calibrate!r}, and least, {self.least!r}, is above 0.")


def newest_apart(moments: Moments, share: float, ahead_days: float = 0.0) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows learn, and which calibrate: the newest ``share`` of the distinct moments (µs), at least one, whole.

    Moments less than ``ahead_days`` before the first that calibrates do neither.

    >>> learns, calibrates = newest_apart(np.array([0, 1, 2, 3, 4]) * DAY, 0.2, ahead_days=2)
    >>> learns.tolist(), calibrates.tolist()
    ([True, True, True, False, False], [False, False, False, False, True])
    """
    distinct = np.unique(moments)
    first = distinct[len(distinct) - max(1, round(len(distinct) * share))]
    learns = (moments < first) & (moments <= first - ahead_days * DAY)
    return learns, moments >= first


def _taken(X: Fed, rows: NDArray[np.bool_]) -> Fed:
    return X.filter(rows) if hasattr(X, "filter") and hasattr(X, "column_names") else X[rows]
