# ruff: noqa: N803 — X is what learners call it
"""XGBoost as its own UBJSON: trees, no pickle. In: a fitted XGB object. Out: bytes, and an object that answers the same.

xgboost is imported only when an answer is asked for.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everloop.errors import ArtefactBroken, LearnerFailed, Missing
from everloop.training.feed import Fed

KINDS = ("XGBRegressor", "XGBClassifier", "XGBRanker")


@dataclass(frozen=True)
class XGBoosted:
    """XGBoost trees read from their bytes. ``classes_`` is empty unless it is a classifier."""

    kind: str
    body: bytes = field(repr=False)
    classes_: tuple[str | float, ...] = ()

    @cached_property
    def booster(self) -> Any:
        """The trees as xgboost holds them, told to answer with one thread. Raises ArtefactBroken where the bytes are none."""
        try:
            import xgboost
        except ImportError:
            raise Missing("xgboost", "xgboost", "This version's artefact") from None
        # UBJSON's sign for the beginning of an object, and of its end; xgboost guesses at other formats by the first byte.
        if not (self.body.startswith(b"{") and self.body.endswith(b"}")):
            raise ArtefactBroken("This is no XGBoost model: it was cut off or changed. Train again, or restore a backup.")
        try:
            made = xgboost.Booster({"nthread": 1, "verbosity": 0})
            made.load_model(bytearray(self.body))
            made.set_param({"nthread": 1, "device": "cpu"})
            return made
        except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
            why = str(error).splitlines()[0][:200]
            raise ArtefactBroken(f"XGBoost cannot read these bytes: {why} Train again, or restore a backup.") from error

    @property
    def said(self) -> dict[str, Any]:
        """The whole model as xgboost says it in JSON: its ``learner``."""
        learner: dict[str, Any] = json.loads(bytes(self.booster.save_raw("json")))["learner"]
        return learner

    def predict(self, X: Fed) -> NDArray[np.float64] | NDArray[np.object_]:
        """A number for each row; a classifier's likeliest class."""
        if self.kind != "XGBClassifier":
            return self._said(X).astype(np.float64)
        best = self.predict_chances(X).argmax(axis=1)
        return np.asarray(np.array(self.classes_, dtype=object)[best])

    def __getattr__(self, name: str) -> Any:
        # Only classifiers have chances: whoever asks hasattr gets the truth.
        if name == "predict_proba" and self.__dict__.get("kind") == "XGBClassifier":
            return self.predict_chances
        raise AttributeError(name)

    def __getstate__(self) -> dict[str, Any]:
        return {"kind": self.kind, "body": self.body, "classes_": self.classes_}

    def predict_chances(self, X: Fed) -> NDArray[np.float64]:
        """The chance of each class (n, classes)."""
        said = self._said(X)
        return (np.column_stack([1 - said, said]) if said.ndim == 1 else said).astype(np.float64)

    def _said(self, X: Fed) -> NDArray[np.float32]:
        if self._lines:
            import xgboost

            return np.asarray(self.booster.predict(xgboost.DMatrix(X), validate_features=False))
        return np.asarray(self.booster.inplace_predict(X, validate_features=False))

    @cached_property
    def _lines(self) -> bool:
        """Whether it is lines and not trees, which xgboost answers by another way."""
        name: str = json.loads(self.booster.save_config())["learner"]["gradient_booster"]["name"]
        return name == "gblinear"


def is_xgboosted(fitted: object) -> bool:
    """Whether it is a fitted XGBoost object whose bytes say everything: one of its own classes, with an objective of its own, to which
    nothing but NaN is missing.

    >>> is_xgboosted(3)
    False
    """
    if isinstance(fitted, XGBoosted):
        return True
    kind = type(fitted)
    if kind.__name__ not in KINDS or not kind.__module__.startswith("xgboost.") or not fitted.__sklearn_is_fitted__():  # type: ignore[attr-defined]
        return False
    said = fitted.get_params()  # type: ignore[attr-defined]
    missing = said.get("missing", math.nan)
    return isinstance(said.get("objective"), str | None) and (missing is None or math.isnan(missing))


def xgboosted_of(fitted: Any, classes: tuple[str | float, ...] | None = None) -> XGBoosted:
    """A fitted XGBoost object as its bytes, up to the best round where it stopped early; ``classes`` instead of its own codes.

    Raises LearnerFailed for an objective that says no shares.
    """
    if isinstance(fitted, XGBoosted):
        return fitted
    if fitted.get_params().get("objective") == "multi:softmax":
        raise LearnerFailed('XGBoost\'s "multi:softmax" says a class without its share. Say objective="multi:softprob", or leave it out.')
    booster = fitted.get_booster()
    best = booster.attr("best_iteration")
    if best is not None:
        booster = booster[: int(best) + 1]
    if classes is None:
        classes = tuple(c if isinstance(c, str) else float(c) for c in getattr(fitted, "classes_", ()))
    return XGBoosted(type(fitted).__name__, bytes(booster.save_raw("ubj")), classes)
