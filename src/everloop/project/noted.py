"""What a learner wants remembered of its own learning. Pure but for one list: whoever is noting down just now."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

Noted: TypeAlias = "float | str"
MOST = 100
LONGEST = 500
_OPEN: list[dict[str, Noted]] = []


def note(**said: float | str) -> None:
    """Called by a learner while it learns: these figures and words are kept with the candidate, on its card and in MLflow.

    The last word under a name counts; at most 100 names are kept, and 500 characters of a text. Nothing happens where nobody learns for a
    house, so that a learner runs anywhere.

    >>> with noted() as found:
    ...     note(rounds=12, stopped="early")
    ...     note(rounds=13)
    >>> found
    {'rounds': 13.0, 'stopped': 'early'}
    """
    for name, value in said.items():
        for notes in _OPEN[-1:]:
            if name in notes or len(notes) < MOST:
                notes[name[:LONGEST]] = _plain(value)


@contextmanager
def noted() -> Iterator[dict[str, Noted]]:
    """What is noted until the end, by name."""
    _OPEN.append({})
    try:
        yield _OPEN[-1]
    finally:
        _OPEN.pop()


def _plain(value: object) -> Noted:
    """A finite number as a float, everything else as text."""
    if not isinstance(value, str | bool):
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            return str(value)[:LONGEST]
        if math.isfinite(number):
            return number
    return str(value)[:LONGEST]
