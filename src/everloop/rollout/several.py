"""Several candidates of one test: who has won, and how many units each met. In: their trials. Nothing is judged; no clock, no disk."""

from __future__ import annotations

from collections.abc import Sequence

from everloop.records import Part, Trial


def winner(trials: Sequence[Trial]) -> Trial | None:
    """The trial that says *promote*; of several the one whose least proven gain is proven most, and then the first."""
    won = [trial for trial in trials if trial.says == "promote"]
    return max(won, key=lambda t: min(g.evidence * (g.level or 1.0) for g in t.guards if g.role == "gain"), default=None)


def parts_of(trials: Sequence[Trial]) -> tuple[Part, ...]:
    """By share, the units of the champion and of each candidate. Candidates have equal chances, and each met the same champion's units."""
    met = [{epoch.generation: epoch for epoch in trial.epochs} for trial in trials]
    made = []
    for generation in sorted({generation for mine in met for generation in mine}):
        here = [mine.get(generation) for mine in met]
        some = next(epoch for epoch in here if epoch is not None)
        odds = some.chance / (1 - some.chance)
        all_of_them = 1 + odds * len(trials)
        units = (some.champion, *(epoch.candidate if epoch is not None else 0 for epoch in here))
        made.append(Part(chances=(1 / all_of_them, *([odds / all_of_them] * len(trials))), units=units))
    return tuple(made)
