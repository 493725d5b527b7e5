"""The demo's own learner: how many times its usual something will be. Reads no clock, touches no disk."""
# ruff: noqa: N803 — X is what learners call it

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone


class TimesUsual(RegressorMixin, BaseEstimator):
    """Learns how many times its usual a number will be, and answers with the number itself.

    ``learner`` is any regressor that takes weights. Column ``usual`` of X (n, columns) says what is usual, in any unit and never below 0;
    the other columns had better be shares of it, so that what is learnt from much sold products holds for little sold ones too. A row
    weighs as much as its usual: the error that counts is still the one of the number.

    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.array([[9.0, 0.5], [99.0, 0.5], [9.0, 1.0], [99.0, 1.0]])
    >>> TimesUsual(LinearRegression()).fit(X, np.array([5.0, 50.0, 10.0, 100.0])).predict(np.array([[49.0, 1.0]])).round(1)
    array([50.])
    """

    def __init__(self, learner: Any, usual: int = 0) -> None:
        self.learner = learner
        self.usual = usual

    def fit(self, X: NDArray[np.float64], y: NDArray[np.float64]) -> Self:
        """Learn from X (n, columns) and y (n,)."""
        usual = self._usual(X)
        self.learner_ = clone(self.learner).fit(X, y / usual, sample_weight=usual)
        return self

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """The numbers (n,) for X (n, columns)."""
        return np.asarray(self.learner_.predict(X) * self._usual(X), dtype=np.float64)

    def times_usual(self) -> tuple[Any, int, float]:
        """What it is made of, for whoever answers without scikit-learn: what learnt, the column it is multiplied by, and what is added."""
        return self.learner_, self.usual, 1.0

    def _usual(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        # One more, so that what has not been sold yet has a usual too.
        return np.asarray(np.nan_to_num(X[:, self.usual]) + 1.0, dtype=np.float64)


class HalfAsMuchAgain(RegressorMixin, BaseEstimator):
    """The harmful model of the story: half as much again as what is usual for a week."""

    def fit(self, X: NDArray[np.float64], y: NDArray[np.float64]) -> Self:
        """Learns nothing."""
        return self

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """One and a half times an eighth of the last eight weeks (n,), the first column of X."""
        return np.asarray(np.nan_to_num(X[:, 0]) * 1.5 / 8, dtype=np.float64)
