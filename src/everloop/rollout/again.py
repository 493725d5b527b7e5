"""Whether a trial's record is true to itself: everything that was concluded, worked out again from what was counted. In: a trial. Out: what
differs, in sentences; none where it is the same. No clock, no disk."""

from __future__ import annotations

from collections.abc import Iterator

from everloop.records import Epoch, Guard, Trial
from everloop.rollout.verdict import replay, within

CONCLUDED = ("beyond", "mismatch", "evidence", "says", "because")
OF_GUARD = ("evidence", "level", "needed")


def differences(trial: Trial) -> list[str]:
    """What of a trial does not follow from its counts, wealth and thresholds: its e-values, levels, intervals and verdict; and counts that
    cannot be, for a unit has at most one plain event, and whoever was met counts or is waited for.

    >>> from datetime import UTC, datetime
    >>> from dataclasses import replace
    >>> from everloop.rollout.verdict import judged
    >>> now = datetime(2026, 11, 2, tzinfo=UTC)
    >>> true = judged(Trial(candidate="v1", champion="v0", salt="s", began_at=now, until=now, answers=20, failed=8))
    >>> differences(true), len(differences(replace(true, failed=7)))
    ([], 2)
    """
    try:
        return [*_of_verdict(trial), *(said for guard in trial.guards for said in _of_guard(guard, trial))]
    except ValueError as impossible:  # counts of which no verdict can be made
        return [f"it cannot be worked out again: {impossible}"]


def _of_verdict(trial: Trial) -> Iterator[str]:
    again = replay(trial)
    for name in CONCLUDED:
        if getattr(again, name) != getattr(trial, name):
            yield f"{name} is {getattr(trial, name)!r} in the record, and {getattr(again, name)!r} from its counts"
    for guard, same in zip(trial.guards, again.guards, strict=True):
        for name in OF_GUARD:
            if getattr(guard, name) != getattr(same, name):
                yield f"{guard.what}: {name} is {getattr(guard, name)!r} in the record, and {getattr(same, name)!r} from its counts"


def _of_guard(guard: Guard, trial: Trial) -> Iterator[str]:
    if not guard.epochs:
        return
    if (guard.low, guard.high) != (None, None) and not guard.wealth:
        again = within(guard)
        if (guard.low, guard.high) != (again.low, again.high):
            yield f"{guard.what}: the ratio lies in {guard.low}…{guard.high} in the record, and in {again.low}…{again.high} from its counts"
    most = [(e.candidate_events > e.candidate or e.champion_events > e.champion) for e in guard.epochs]
    if any(most):
        yield f"{guard.what}: more events than units"
    if trial.epochs and _units(guard.epochs) + guard.waiting != _units(trial.epochs):
        yield (
            f"{guard.what}: {_units(guard.epochs):,} units and {guard.waiting:,} waited for, where {_units(trial.epochs):,} units were met"
        )


def _units(met: tuple[Epoch, ...]) -> int:
    return sum(epoch.candidate + epoch.champion for epoch in met)
