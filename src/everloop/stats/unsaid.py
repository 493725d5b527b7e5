"""Why a measure says nothing: for people who read a figure that is not there. Arrays in, words out."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from everloop.stats.known import answered, known
from everloop.stats.rounded import figure
from everloop.stats.shapes import Answers


def why_unsaid(truth: NDArray[Any], answers: Answers) -> str:
    """Why nothing can be worked out from these truths (n,) and answers, as a clause: none is known, nobody was answered, they are all the
    same, as where nobody left there is no AUC; or else there are too few of them.

    >>> import numpy as np
    >>> from everloop.records import Shape
    >>> sure = Answers(Shape(kind="chance"), np.full(40, 0.5))
    >>> why_unsaid(np.zeros(40), sure), why_unsaid(np.full(40, np.nan), sure)
    ('all 40 truths are “no”, and it takes both', 'no truth of them is known yet')
    >>> why_unsaid(np.zeros(2), Answers(Shape(kind="number"), np.array([1.0, 2.0])))
    'all 2 truths are 0'
    """
    there = known(truth)
    if not there.any():
        return "no truth of them is known yet"
    judged = there & answered(answers)
    if not judged.any():
        return "none of those whose truth is known was answered"
    kind, values = answers.shape.kind, truth[judged]
    if kind in ("chance", "number", "shares") and all(value == values[0] for value in values):
        said = {1.0: "“yes”", 0.0: "“no”"}.get(values[0], "the same") if kind == "chance" else f"“{values[0]}”"
        said = figure(float(values[0])) if kind == "number" else said
        both = ", and it takes both" if kind == "chance" else ""
        return f"all {len(values):,} truths are {said}{both}" if len(values) > 1 else "there is one truth only"
    return f"{len(values):,} truth{'s are' if len(values) > 1 else ' is'} too few"
