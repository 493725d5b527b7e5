"""Everloop keeps production models right. These are the words of a project file; everything else is reached by module.

A word is loaded when it is first used, so ``import everloop`` is light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everloop.project.columns import money, text, unit
    from everloop.project.conditions import (
        always,
        answers_within,
        as_good_as_champion,
        at_least,
        at_most,
        beats_champion,
        cost,
        drifted,
        fair_across,
        fresh,
        meets,
        new_truths,
        one_of,
        only_new,
        outcome,
        quantiles,
        search,
        since_change,
        slipped,
        usual_volume,
        worse_than_champion,
        yes_above,
    )
    from everloop.project.model import Model
    from everloop.project.noted import note
    from everloop.project.reading import calendar
    from everloop.project.source import Source
    from everloop.project.spans import days, every, hours, minutes
    from everloop.project.spoken import explain
    from everloop.project.steps import ab, bandit, canary, shadow

__all__ = [
    "Model",
    "Source",
    "ab",
    "always",
    "answers_within",
    "as_good_as_champion",
    "at_least",
    "at_most",
    "bandit",
    "beats_champion",
    "calendar",
    "canary",
    "cost",
    "days",
    "drifted",
    "every",
    "explain",
    "fair_across",
    "fresh",
    "hours",
    "meets",
    "minutes",
    "money",
    "new_truths",
    "note",
    "one_of",
    "only_new",
    "outcome",
    "quantiles",
    "search",
    "shadow",
    "since_change",
    "slipped",
    "text",
    "unit",
    "usual_volume",
    "worse_than_champion",
    "yes_above",
]

_ELSEWHERE = {
    "columns": ("money", "text", "unit"),
    "model": ("Model",),
    "noted": ("note",),
    "reading": ("calendar",),
    "source": ("Source",),
    "spans": ("days", "every", "hours", "minutes"),
    "spoken": ("explain",),
    "steps": ("ab", "bandit", "canary", "shadow"),
}
_MODULE = dict.fromkeys(__all__, "conditions") | {word: module for module, words in _ELSEWHERE.items() for word in words}


def __getattr__(name: str) -> object:
    if name not in _MODULE:
        raise AttributeError(f"module 'everloop' has no attribute {name!r}")
    word = getattr(import_module(f"everloop.project.{_MODULE[name]}"), name)
    globals()[name] = word
    return word


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
