"""How common each label has become, from what is answered alone, where only the labels' shares changed. Arrays in, numbers out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from everloop.stats.shapes import Floats

WORST = 30.0  # the condition of the matrix beyond which an error in a share is magnified out of all meaning
BELOW = 0.02


class LabelShift(NamedTuple):
    """``weights`` (labels,): how much more common each label is than it was; None where it cannot be told. ``condition``: by how much an
    error in the answers' shares may be magnified."""

    weights: Floats | None
    condition: float


def label_shift(confusion: Floats, answered: Floats) -> LabelShift:
    """Weights of the labels by black-box shift estimation (Lipton, Wang and Smola 2018): w = C⁻¹ μ.

    ``confusion`` (labels, labels): how often label i was answered where j was true, counts or shares, of answers whose truth is known.
    ``answered`` (labels,): how often each is answered now. Assumes that a question of a label looks as it always did (label shift), so
    that answers err as they did. Cannot tell where a label was never true, or the condition of C's columns (given the truth) exceeds
    ``WORST``: then answers say too little about truths; nor where a share would lie below 0 by more than ``BELOW``: then more has changed
    than how common labels are. Weights a little below 0 are 0; then all are scaled so that shares add up to 1.

    >>> was = np.array([[0.72, 0.04], [0.08, 0.16]])  # one in five is a yes
    >>> label_shift(was, np.array([0.55, 0.45])).weights.round(3).tolist()
    [0.625, 2.5]
    >>> label_shift(np.array([[0.4, 0.4], [0.1, 0.1]]), np.array([0.8, 0.2])).weights is None
    True

    Raises ValueError for counts that are negative or of another shape.
    """
    confusion, answered = np.asarray(confusion, dtype=np.float64), np.asarray(answered, dtype=np.float64)
    labels = len(answered)
    if confusion.shape != (labels, labels) or (confusion < 0).any() or (answered < 0).any() or not answered.sum() or not confusion.sum():
        raise ValueError(f"confusion is {confusion.shape} and answered {answered.shape}; say counts of the same labels, none negative.")
    joint, now = confusion / confusion.sum(), answered / answered.sum()
    true = joint.sum(axis=0)
    if (true <= 0).any():
        return LabelShift(None, float("inf"))
    condition = float(np.linalg.cond(joint / true))
    if not condition <= WORST:
        return LabelShift(None, condition)
    solved = np.linalg.solve(joint, now)
    if (solved * true < -BELOW).any():
        return LabelShift(None, condition)
    weights = np.maximum(solved, 0.0)
    total = float((weights * true).sum())
    return LabelShift(weights / total if total > 0 else None, condition)
