"""How sure a version is of what it answers. In: answers. Out: the mean share it gives what it holds likeliest; no truth is needed."""

from __future__ import annotations

import numpy as np

from everloop.stats.shapes import Answers


def confidence(answers: Answers) -> tuple[float, int] | None:
    """The mean confidence and of how many answers; None where answers are neither chances nor shares, or there are none.

    >>> from everloop.records import Shape
    >>> confidence(Answers(Shape(kind="chance"), np.array([0.9, 0.2, np.nan])))
    (0.85, 2)
    """
    if answers.shape.kind not in ("chance", "shares"):
        return None
    value = np.maximum(answers.value, 1 - answers.value) if answers.shape.kind == "chance" else answers.value
    value = value[np.isfinite(value)]
    return (round(float(value.mean()), 12), len(value)) if len(value) else None
