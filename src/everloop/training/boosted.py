# ruff: noqa: N803 — X is what learners call it
"""LightGBM as its own text: trees anybody can read, no pickle. In: a fitted LGBM object. Out: text, and an object that answers the same.

lightgbm is imported only when an answer is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everloop.errors import ArtefactBroken, Missing
from everloop.training.feed import Fed

KINDS = ("LGBMRegressor", "LGBMClassifier", "LGBMRanker")


@dataclass(frozen=True)
class Boosted:
    """LightGBM trees read from their text. ``classes_`` is empty unless it is a classifier; ``booster`` is what ``init_model=`` takes."""

    kind: str
    text: str = field(repr=False)
    classes_: tuple[str | float, ...] = ()

    @cached_property
    def booster(self) -> Any:
        """The trees as lightgbm holds them. Raises ArtefactBroken where the text is none."""
        try:
            import lightgbm
        except ImportError:
            raise Missing("lightgbm", "lightgbm", "This version's artefact") from None
        # lightgbm reads whatever it can of a text that was cut off, and some of what it cannot takes the process with it.
        if not self.text.startswith("tree\n") or "end of trees" not in self.text:
            raise ArtefactBroken("This is no LightGBM text: it was cut off or changed. Train again, or restore a backup.")
        try:
            return lightgbm.Booster(model_str=self.text)
        except lightgbm.basic.LightGBMError as error:
            raise ArtefactBroken(f"LightGBM cannot read this text: {error} Train again, or restore a backup.") from error

    def predict(self, X: Fed) -> NDArray[np.float64] | NDArray[np.object_]:
        """A number for each row; a classifier's likeliest class."""
        if self.kind != "LGBMClassifier":
            return self._said(X)
        best = self.predict_chances(X).argmax(axis=1)
        return np.asarray(np.array(self.classes_, dtype=object)[best])

    def __getattr__(self, name: str) -> Any:
        # Only classifiers have chances: whoever asks hasattr gets the truth.
        if name == "predict_proba" and self.__dict__.get("kind") == "LGBMClassifier":
            return self.predict_chances
        raise AttributeError(name)

    def __getstate__(self) -> dict[str, Any]:
        return {"kind": self.kind, "text": self.text, "classes_": self.classes_}

    def predict_chances(self, X: Fed) -> NDArray[np.float64]:
        """The chance of each class (n, classes)."""
        said = self._said(X)
        return np.column_stack([1 - said, said]) if said.ndim == 1 else said

    def _said(self, X: Fed) -> NDArray[np.float64]:
        return np.asarray(self.booster.predict(X, num_threads=1, validate_features=False), dtype=np.float64)


def is_boosted(fitted: object) -> bool:
    """Whether it is a fitted LightGBM object whose text says everything: one of its own classes, with an objective of its own.

    >>> is_boosted(3)
    False
    """
    if isinstance(fitted, Boosted):
        return True
    kind = type(fitted)
    if kind.__name__ not in KINDS or not kind.__module__.startswith("lightgbm.") or not hasattr(fitted, "booster_"):
        return False
    return isinstance(fitted.get_params().get("objective"), str | None)  # type: ignore[attr-defined]


def boosted_of(fitted: Any) -> Boosted:
    """A fitted LightGBM object as its text."""
    if isinstance(fitted, Boosted):
        return fitted
    classes = tuple(c if isinstance(c, str) else float(c) for c in getattr(fitted, "classes_", ()))
    return Boosted(type(fitted).__name__, fitted.booster_.model_to_string(), classes)
