# ruff: noqa: N803 — X is what learners call it
"""statsforecast's models as learners: each row is a series of its own. In: past totals, oldest first. Out: what comes next.

Such a model learns nothing of other products: what a row holds is all it knows, so it is fitted when it is asked. Needs the extra
``everloop[forecast]``. Reads no clock, touches no disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from everloop.errors import Missing, Unknown
from everloop.stats.shapes import Floats
from everloop.training.columns import place_of
from everloop.training.demand import At


@dataclass(eq=False)
class Series:
    """One of statsforecast's models by its name, such as ``"AutoETS"`` or ``"CrostonSBA"``, at a quantile or on average.

    The columns of X, oldest first, are the series; ``columns`` names those that are, where there are others. Values before the first known
    one are left out, others that are empty count as 0. The answer is ``ahead`` steps on. ``settings`` are the model's own.

    >>> Series("AutoETS").get_params()["ahead"]
    1
    """

    model: str
    at: At = "mean"
    columns: Sequence[str] | None = None
    ahead: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """How it was made."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def set_params(self, **words: Any) -> Self:
        """The same, made otherwise."""
        for name, value in words.items():
            setattr(self, name, value)
        return self

    def fit(self, X: Floats, y: Floats, names: Sequence[str] | None = None) -> Self:
        """Learns nothing but which columns are the series. Raises Missing, Unknown for a model there is none of, LearnerFailed."""
        self.places_ = [place_of(X, name, names) for name in self.columns] if self.columns else list(range(X.shape[1]))
        self._made()
        return self

    def predict(self, X: Floats) -> Floats:
        """What comes ``ahead`` steps after each row's series (n,); nothing known is no answer, NaN."""
        model, key, words = self._made(), *self._asked()
        series = np.asarray(X, dtype=np.float64)[:, self.places_]
        found = np.full(len(series), np.nan)
        for at, row in enumerate(series):
            known = np.flatnonzero(~np.isnan(row))
            if len(known):
                found[at] = model.forecast(y=np.nan_to_num(row[known[0] :]), h=self.ahead, **words)[key][-1]
        return found

    def _made(self) -> Any:
        try:
            from statsforecast import models
        except ImportError as error:
            raise Missing("statsforecast", "forecast", f"Series({self.model!r})") from error
        if self.model not in models.__all__:
            raise Unknown("model", self.model, models.__all__, where="statsforecast")
        return getattr(models, self.model)(**self.settings)

    def _asked(self) -> tuple[str, dict[str, list[float]]]:
        if self.at == "mean" or self.at == 0.5:
            return "mean", {}
        # statsforecast speaks of intervals: 80 % lies between the 10 % and the 90 % quantile.
        level = round(abs(2 * self.at - 1) * 100, 6)
        level = int(level) if level == int(level) else level
        return f"{'lo' if self.at < 0.5 else 'hi'}-{level}", {"level": [level]}
