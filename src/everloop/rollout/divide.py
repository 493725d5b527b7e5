"""Whom a bandit's units move to: the share of the candidate by what the units of both have done so far. Counts in, a share out; pure.

Shares only say how traffic is divided. What is proven of it is proven by bets on whom each unit was first given to, at the chance that was
in force then (``verdict``), which hold however shares move.
"""

from __future__ import annotations

import numpy as np

from everloop.records import Trial, identity
from everloop.stats.thompson import shares

MOVES = 0.02
"""By how much a share has to change to be worth moving units for."""


def divided(trial: Trial, floor: float) -> float | None:
    """The share the candidate should have, by the first figure a test hopes for: how likely it is the better one (Thompson 1933), at least
    ``floor`` and at most 1 - ``floor``; None while no window is closed.

    Amounts count as shares of their cap. The same counts give the same share.

    >>> from datetime import UTC, datetime
    >>> from everloop.records import Epoch, Guard
    >>> met = Epoch(generation=3, chance=0.5, candidate=400, champion=400, candidate_events=60, champion_events=20)
    >>> hoped, at = Guard(name="bought", what="who buys", role="gain", epochs=(met,)), datetime(2026, 11, 2, tzinfo=UTC)
    >>> divided(Trial(candidate="b", champion="a", salt="s", began_at=at, until=at, guards=(hoped,)), 0.05)
    0.95
    """
    hoped = next((guard for guard in trial.guards if guard.role == "gain" and guard.proven is None), None)
    if hoped is None or not hoped.epochs:
        return None
    won = np.array([sum(e.candidate_events for e in hoped.epochs), sum(e.champion_events for e in hoped.epochs)])
    met = np.array([sum(e.candidate for e in hoped.epochs), sum(e.champion for e in hoped.epochs)], dtype=np.float64)
    if not hoped.more:
        won = met - won
    seed = int(identity("bandit", trial.salt, *won.tolist(), *met.tolist())[:8], 16)
    return round(float(shares(won, met - won, seed=seed, floor=floor)[0]), 3)


def moves(now: float, wanted: float | None) -> bool:
    """Whether units should move.

    >>> moves(0.5, 0.51), moves(0.5, 0.6), moves(0.5, None)
    (False, True, False)
    """
    return wanted is not None and abs(wanted - now) >= MOVES
