"""Tastes: what customers' pasts and what they then took say of items. In: the candidates of learning questions. Out: tables, and scores.

Learnt from the rows of a training set alone: a past is what was known at its question's moment, and what came next is its truth. No clock,
no disk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from everloop.stats.shapes import Floats
from everloop.training.alike import alike, followed, summed
from everloop.training.choices import NOWHERE, Choices
from everloop.training.factors import factors, folded_in, usual_of
from everloop.training.pairs import Codes, Pairs
from everloop.training.shelf import affinity, shares

SAID = ("alike", "followed", "factor", "place_alike", "place_followed", "place_factor", "affinity", "shelf_share", "expected", "had_share")
"""What tastes say of each candidate, in order."""


@dataclass(frozen=True)
class Tastes:
    """``alike`` and ``followed`` say of each item which others go with it and after it; ``vectors`` (items, width) are its factors, and
    ``usual`` what a customer's vector is solved against; ``popular`` (items,) how many customers had it or took it."""

    alike: Pairs
    followed: Pairs
    vectors: Floats
    usual: Floats
    popular: Floats

    def of(self, choices: Choices) -> Floats:
        """What is said of each candidate, (n, len(SAID)); NaN for what an item nobody knows of would need."""
        past = choices.past(self.alike.width)
        customers = folded_in(self.vectors, past, usual=self.usual)
        made = np.full((len(choices.codes), len(SAID)), np.nan)
        for q in range(len(choices)):
            part = slice(choices.starts[q], choices.starts[q + 1])
            items, weights = past.row(q)
            codes = choices.codes[part]
            known = codes != NOWHERE
            total = max(float(weights.sum()), 1e-12)
            tables = (self.alike, self.followed)
            said = [summed(table, items, weights)[codes] / total for table in tables] + [self.vectors[codes] @ customers[q]]
            for at, values in enumerate(said):
                values = np.where(known, values, np.nan)
                made[part, at] = values
                made[part, at + 3] = places(values)
        questions = choices.questions
        mine = affinity(choices.shelves, choices.had, questions)
        made[:, 6] = mine
        wide = int(choices.shelves.max(initial=0)) + 1
        made[:, 7] = shares(questions * wide + choices.shelves, np.nan_to_num(choices.popular))
        made[:, 8] = mine * made[:, 7]
        all_of_it = np.bincount(questions, choices.had, len(choices))[questions] if len(questions) else np.zeros(0)
        made[:, 9] = np.divide(choices.had, all_of_it, out=np.zeros(len(made)), where=all_of_it > 0)
        return made


def learn(choices: Choices, came: Floats, newest: Codes, items: int, *, likes: int, width: int, seed: int) -> Tastes:
    """Tastes from learning questions: ``came`` (n,) is 1 where a candidate came up; ``newest`` are each customer's last questions, by which
    who had what is counted once; ``items`` how many there are."""
    past = choices.past(items)
    truth = Pairs.of([_came(choices, came, q) for q in range(len(choices))], items)
    had = past.take(newest)
    taken = np.unique(np.stack([np.repeat(np.arange(len(truth)), np.diff(truth.starts)), truth.columns]), axis=1)[1]
    popular = np.bincount(had.columns, minlength=items) + np.bincount(taken, minlength=items)
    vectors = factors(had, width=width, seed=seed)
    return Tastes(
        alike(had, most=likes), followed(past, truth, most=likes), vectors, usual_of(vectors), popular.astype(np.float64)
    )  # fmt: skip


def places(values: Floats) -> Floats:
    """Each value's place among the others, the best 0, of as many; what is not known comes last.

    >>> places(np.array([0.5, np.nan, 0.9]))
    array([1., 2., 0.])
    """
    made = np.empty(len(values))
    made[np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")] = np.arange(len(values))
    return made


def _came(choices: Choices, came: Floats, q: int) -> tuple[Codes, Floats]:
    part = slice(choices.starts[q], choices.starts[q + 1])
    codes = choices.codes[part][(came[part] > 0) & (choices.codes[part] != NOWHERE)]
    return codes, np.ones(len(codes))
