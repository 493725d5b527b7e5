"""What is wrong with a candidate whatever was asked of it: that it is its champion over again, that one column knows the truth, that its
answers jump. In: a contest. Out: an Opinion for each thing found, none where all is well. No clock, no disk.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from everloop.project.model import Model
from everloop.records import Alone, Contest, Opinion
from everloop.stats.blocks import LEAST_ROWS
from everloop.stats.explains import of_number, of_yes
from everloop.stats.known import answered, as_floats
from everloop.stats.rounded import figure, percent
from everloop.stats.shapes import Answers, Paired

ALL, NEARLY, LITTLE = {"auc": 0.99, "r2": 0.99}, {"auc": 0.95, "r2": 0.9}, {"auc": 0.75, "r2": 0.5}
"""What a column alone tells that explains the truth; nearly does; and what the next best tells where it is far behind."""
OF_WHAT_IS_LEFT = 0.25
"""Of what the champion's answers leave unexplained a suspect column leaves less than so much: one that all the past tells of is no leak."""
JUMPING, MOVING = 0.2, 0.25  # boosted trees split at values that were seen: a few of their answers do jump there
SPOKEN = {"auc": "an AUC of", "r2": "an R² of"}


def suspicions(contest: Contest, paired: Paired | None, model: Model) -> Iterator[Opinion]:
    """An opinion that failed for each thing that is wrong, in the order in which it would be looked at."""
    if paired is not None and _same(paired):
        yield _failed(
            "not its champion over again",
            f"The candidate answers all {len(paired):,} questions exactly as the champion does, so nothing would change",
            contest,
        )
    if (leak := _leak(contest, paired)) is not None:
        yield _failed("too good to be true", leak, contest)
    if contest.shaken is not None and contest.shaken.jumped > JUMPING:
        yield _failed(
            "answers that do not jump",
            f"{percent(contest.shaken.jumped)} of its answers jump where what it knows changes by the least a number can (one step of "
            f"floating point): the same question, read elsewhere, would get another answer",
            contest,
        )
    elif contest.shaken is not None and contest.shaken.noise > MOVING:
        yield _failed(
            "answers that do not jump",
            f"1 % of noise in what it knows moves its answers by {percent(contest.shaken.noise)} of how far they lie apart, "
            f"{percent(MOVING)} allowed: it has learnt accidents of the rows it saw",
            contest,
        )


def _same(paired: Paired) -> bool:
    """Whether champion and candidate say the same, to the last bit, and often enough to be no accident."""
    there = answered(paired.candidate)
    return int(there.sum()) >= LEAST_ROWS and bool((there == answered(paired.champion)).all()) and _alike(paired, there)


def _alike(paired: Paired, there: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> bool:
    one, other = paired.champion.take(there), paired.candidate.take(there)
    if one.items is not None or other.items is not None:
        return one.items == other.items
    pairs = ((one.value, other.value), (one.values, other.values))
    return all(a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs)


def _leak(contest: Contest, paired: Paired | None) -> str | None:
    if not contest.alone or paired is None:
        return None
    best, *others = contest.alone
    next_best = others[0] if others else None
    far_ahead = best.value >= NEARLY[best.measure] and next_best is not None and next_best.value <= LITTLE[best.measure]
    if not (best.value >= ALL[best.measure] or far_ahead):
        return None
    champions = _explained(paired.champion, paired, best)
    if champions is not None and 1 - best.value > OF_WHAT_IS_LEFT * (1 - champions):
        return None
    sentence = f"{best.column} alone tells the truth: {SPOKEN[best.measure]} {figure(best.value)} on {best.rows:,} questions"
    sentence += f", the next best, {next_best.column}, {figure(next_best.value)}" if next_best else ""
    sentence += f"; the champion's answers {figure(champions)}" if champions is not None else ""
    return f"{sentence}. It is too good to be true: what it is made of is likely known only afterwards"


def _explained(answers: Answers, paired: Paired, best: Alone) -> float | None:
    if paired.truth.dtype.kind not in "fiub" or answers.items is not None:
        return None
    truth = as_floats(paired.truth)
    return of_yes(answers.value, truth) if best.measure == "auc" else of_number(answers.value, truth)


def _failed(clause: str, sentence: str, contest: Contest) -> Opinion:
    return Opinion(clause=clause, outcome="failed", sentence=sentence, rows=contest.rows)
