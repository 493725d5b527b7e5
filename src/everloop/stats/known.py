"""Which questions can be judged: the truth is known, and there is an answer. Arrays in, masks out; no clock, no disk.

The rule every measure and every comparison follows: a question counts only where its truth is known and *every* version compared has
answered it. What was not answered although the truth is known is counted by ``unanswered``, so that nothing is left out in silence.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Answers, Floats, Paired

Mask: TypeAlias = NDArray[np.bool_]
SAME_TO_ALL = "the champion answers the same to everybody, so that any signal passes"
"""What is said beside a comparison with answers that ``says_one_thing``."""


def known(truth: NDArray[Any]) -> Mask:
    """Where the truth is known: finite numbers, texts, lists; not NaN, infinity or None.

    >>> known(np.array([1.0, np.nan, 3.0])), known(np.array(["a", None], dtype=object))
    (array([ True, False,  True]), array([ True, False]))
    """
    if truth.dtype.kind in "fiub":
        finite = np.isfinite(truth.astype(np.float64))
        return np.asarray(finite if finite.ndim == 1 else finite.all(axis=1))
    return np.array([t is not None and not (isinstance(t, float) and t != t) for t in truth], dtype=bool)


def answered(answers: Answers) -> Mask:
    """Where there is an answer: a finite value, and for rankings at least one item.

    >>> from everloop.records import Shape
    >>> answered(Answers(Shape(kind="number"), np.array([1.0, np.nan, np.inf])))
    array([ True, False, False])
    """
    given = np.isfinite(answers.value)
    if answers.values is not None:
        given &= np.isfinite(answers.values).all(axis=1)
    if answers.items is not None:
        given &= np.array([len(items) > 0 for items in answers.items], dtype=bool)
    return given


def comparable(paired: Paired) -> Mask:
    """Where both versions can be judged on the same question."""
    return known(paired.truth) & answered(paired.champion) & answered(paired.candidate)


def unanswered(truth: NDArray[Any], answers: Answers) -> tuple[int, int]:
    """How many questions whose truth is known got no answer, of how many.

    >>> from everloop.records import Shape
    >>> unanswered(np.array([1.0, 2.0, np.nan]), Answers(Shape(kind="number"), np.array([np.nan, 2.0, np.nan])))
    (1, 2)
    """
    there = known(truth)
    return int((there & ~answered(answers)).sum()), int(there.sum())


def as_floats(truth: NDArray[Any]) -> Floats:
    """Truths as float64; yes and no as 1 and 0; the steps of one question added up."""
    numbers = np.asarray(truth, dtype=np.float64)
    return numbers if numbers.ndim == 1 else np.asarray(numbers.sum(axis=1))


def says_one_thing(answers: Answers) -> bool:
    """Whether chances or shares are the same for everybody: such answers tell nobody from anybody, and any signal at all beats them.

    >>> from everloop.records import Shape
    >>> [says_one_thing(Answers(Shape(kind=kind), np.array([0.2, 0.2, np.nan]))) for kind in ("chance", "number")]
    [True, False]
    """
    there = answers.take(answered(answers)) if answers.shape.kind in ("chance", "shares") else None
    if there is None or not len(there):
        return False
    said = there.value[:, None] if there.values is None else there.values
    return bool((said == said[0]).all())
