"""The verdict of a roll-out: what the arms of its split prove, looked at whenever one likes. Counts in, one verdict out; no clock, no disk.

Units are held against each other by arm, each counted once, by weighted bets on events (``stats.evalue.arm_events``). In this order:

1. An absolute limit: the candidate's failing answers are proven (1,000 : 1) to be too many, whatever the champion does: *roll back*.
2. The arms are not of the sizes the split makes (1,000 : 1, either way): nothing is concluded, *not enough evidence*.
3. The weighted mean of the e-values of all harm reaches 20: *roll back*. A mean of e-values is an e-value however they hang together, so
   a version that does no harm is taken back in at most 5 % of roll-outs (and 0.1 % by the limit), however many figures are watched; each
   share beyond one half begins the comparison anew, and may add as much.
4. Every gain a test asks for is proven: *promote*. All must pass, so nothing has to be corrected for.
5. A harm of more than 5 : 1, or a test that is not settled: *not enough evidence*, and no step forward. Otherwise *go on*.

How surely a gain has to be proven depends on how many tests of the model there were before, and what they found (``stats.elond``): of all
promotions for ever few are then false, however often it is retrained. The level is fixed when the test begins. Where several candidates are
tested at once, each trial has its part of that level (Bonferroni): the chance that any that is no better is promoted stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from everloop.records import Epoch, Guard, Says, Trial
from everloop.rollout.sentences import LEAST_EFFECT, allows_less, mismatched, sentence, which_test
from everloop.rollout.several import parts_of
from everloop.stats.elond import level
from everloop.stats.evalue import Bets, above_rate, arm_events, ratio_between, weighted
from everloop.stats.exposures import units_needed
from everloop.stats.rounded import percent
from everloop.stats.shapes import Floats
from everloop.stats.sizes import sizes_off

WEIGHTS = {"errors": 0.15, "slow": 0.2, "figures": 0.5, "odd": 0.15}
"""Half to what people do, which takes longest to prove; failing answers are also held to an absolute limit."""
MOST = {"errors": 64.0}
"""How many times the champion's rate is bet on at most; 8 where nothing is said: what fails, fails by far more than that."""


@dataclass(frozen=True)
class Units:
    """Units of a split, each once, as first met: under which traffic (``generation``, int64), whose they are (``candidate``, bool), and the
    ``chance`` of that; all (n,)."""

    generation: NDArray[np.int64]
    candidate: NDArray[np.bool_]
    chance: Floats

    def __len__(self) -> int:
        return len(self.generation)

    def take(self, rows: NDArray[np.bool_]) -> Units:
        """The units where a mask holds."""
        return Units(self.generation[rows], self.candidate[rows], self.chance[rows])


def epochs(units: Units, events: Floats | None = None) -> tuple[Epoch, ...]:
    """Units, and what befell them ((n,) in 0…1), counted by the share they were met under.

    >>> met = Units(np.array([2, 2, 3]), np.array([True, False, True]), np.full(3, 0.5))
    >>> [(e.generation, e.candidate, e.champion, e.candidate_events) for e in epochs(met, np.array([1.0, 0.0, 0.5]))]
    [(2, 1, 1, 1.0), (3, 1, 0, 0.5)]
    """
    events = np.zeros(len(units)) if events is None else events
    made = []
    for generation, chance in sorted(set(zip(units.generation.tolist(), units.chance.tolist(), strict=True))):
        here = (units.generation == generation) & (units.chance == chance)
        mine, theirs = here & units.candidate, here & ~units.candidate
        sums = [float(events[side].sum()) for side in (mine, theirs)]
        made.append(
            Epoch(
                generation=generation, chance=chance, candidate=int(mine.sum()), champion=int(theirs.sum()), candidate_events=sums[0],
                champion_events=sums[1],
            )
        )  # fmt: skip
    return tuple(made)


def watched(guard: Guard, units: Units, events: Floats, *, waiting: int = 0) -> Guard:
    """A guard with what befell these units: ``events`` (n,), 1 or 0, or amounts as shares of their cap.

    >>> met = Units(np.zeros(40, dtype=np.int64), np.arange(40) % 2 == 0, np.full(40, 0.5))
    >>> failing = watched(Guard(name="errors", what="errors", role="harm"), met, (np.arange(40) % 2 == 0).astype(float))
    >>> failing.epochs[0].candidate_events, value(failing) > 20
    (20.0, True)
    """
    wealth: tuple[float, ...] = ()
    if not np.isin(events, (0.0, 1.0)).all():
        some = events > 0
        arms = units.candidate[some].astype(np.float64)
        bets = arm_events(arms, units.chance[some], events[some], margin=guard.margin, more=guard.more, most=_most(guard))
        wealth = tuple(float(each) for each in bets.wealth)
    return replace(guard, epochs=epochs(units, events), wealth=wealth, waiting=waiting)


def within(guard: Guard, units: Units | None = None, events: Floats | None = None) -> Guard:
    """A guard with the confidence sequence of the ratio of its rates, from its counts; of amounts from the ``events`` ((n,) in 0…1) of
    these ``units``, of which it also says how many plain events they tell as much as: (Σw)² / Σw².

    >>> told = Epoch(generation=3, chance=0.5, candidate=5000, champion=5000, candidate_events=300, champion_events=500)
    >>> found = within(Guard(name="bought", what="orders", role="gain", epochs=(told,)))
    >>> round(found.low, 2), round(found.high, 2)
    (0.47, 0.75)
    """
    if guard.why_silent or guard.paired or guard.proven is not None:
        return guard
    worth = 0.0
    if guard.wealth and units is not None and events is not None:
        some = (events > 0) & (units.chance > 0) & (units.chance < 1)
        arms, shares, weights = units.candidate[some].astype(np.float64), units.chance[some], events[some]
        low, high = ratio_between(arms, shares, weights, confidence=1 - 1 / guard.needs, close=1e-3)
        worth = float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0
    else:
        arms, shares, times = _rows(guard.epochs, _events(guard))
        low, high = ratio_between(arms, shares, times=times, confidence=1 - 1 / guard.needs, close=1e-3)
    return replace(guard, low=low, high=high if np.isfinite(high) else None, worth=worth)


def value(guard: Guard) -> float:
    """The e-value of a guard: from its counts, from the wealth of its bets where it counts amounts, or, where both versions answered the
    same questions, the largest after any period."""
    if guard.paired:
        return max(Bets(np.array(after)).value for after in guard.paired)
    if guard.wealth:
        return Bets(np.array(guard.wealth)).value
    return _counted(guard.epochs, _events(guard), margin=guard.margin, more=guard.more, most=_most(guard))


def judged(trial: Trial) -> Trial:
    """The trial with its e-values worked out from its counts, its verdict and the sentence that says why."""
    trial = replace(
        trial,
        guards=tuple(replace(guard, evidence=value(guard), level=_level(guard, trial)) for guard in trial.guards),
        beyond=above_rate(trial.failed, trial.answers, trial.limit).value if trial.answers else 1.0,
        mismatch=sizes_off([(p.units, p.chances) for p in trial.parts]).value if trial.parts else _mismatch(trial.epochs),
    )
    trial = replace(trial, evidence=_mean(trial), guards=tuple(replace(guard, needed=_needed(guard, trial)) for guard in trial.guards))
    says, because = _verdict(trial)
    return replace(trial, says=says, because=because)


def together(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The trials of one test of several candidates, judged again now that the sizes of all their arms are known; one alone as it is."""
    if len(trials) < 2:
        return tuple(trials)
    parts = parts_of(trials)
    return tuple(judged(replace(trial, parts=parts)) for trial in trials)


def replay(trial: Trial) -> Trial:
    """The same trial judged again from its counts, wealth and thresholds alone: the same verdict, or the record is not true."""
    guards = tuple(replace(guard, evidence=1.0, level=None, needed=None) for guard in trial.guards)
    return judged(replace(trial, guards=guards, beyond=1.0, mismatch=1.0, evidence=1.0, says="go on", because=""))


def is_proven(guard: Guard, trial: Trial) -> bool:
    """Whether a guard has proven its point by itself: of a harm, whether it would carry the weighted mean alone."""
    if guard.proven is not None:
        return guard.proven
    if guard.role != "harm":
        return guard.evidence >= _asks(guard, trial) and (not guard.paired or _is_beyond(guard))
    return _carried(guard, trial) >= trial.rolls_back


def _verdict(trial: Trial) -> tuple[Says, str]:
    harm = sorted((g for g in trial.guards if g.role == "harm"), key=lambda g: -_carried(g, trial))
    gains = [g for g in trial.guards if g.role == "gain"]
    if trial.beyond >= trial.breaks:
        share = trial.failed / trial.answers
        return "roll back", (
            f"{trial.failed:,} of {trial.answers:,} answers of the candidate failed ({percent(share)}); "
            f"more than {percent(trial.limit)} is proven"
        )
    if trial.mismatch >= trial.freezes:
        return "not enough evidence", mismatched(trial)
    if trial.evidence >= trial.rolls_back:
        return "roll back", "; ".join(sentence(g) for g in harm[:1] + [g for g in harm[1:] if g.evidence >= trial.warns])
    warning = next((g for g in harm if g.evidence >= trial.warns), None)
    if warning is not None:
        return "not enough evidence", f"no step forward while this stands: {sentence(warning)}"
    if gains and all(is_proven(g, trial) for g in gains):
        return "promote", "; ".join(sentence(g) for g in gains) + which_test(trial)
    if gains:
        return "not enough evidence", "; ".join(sentence(g) for g in gains if not is_proven(g, trial)) + which_test(trial)
    return "go on", "nothing is found against the candidate"


def _mean(trial: Trial) -> float:
    """The weighted mean of the harm; one that has to be proven at another confidence than 95 % weighs by as much more or less."""
    harm = _weighing(trial)
    if not harm:
        return 1.0
    values = np.array([g.evidence * trial.rolls_back / g.needs for g in harm])
    return float(weighted(values, np.array([g.weight for g in harm])))


def _carried(guard: Guard, trial: Trial) -> float:
    """What one harm brings into the weighted mean."""
    weights = sum(g.weight for g in _weighing(trial))
    return guard.evidence * trial.rolls_back / guard.needs * guard.weight / weights if weights else 0.0


def _weighing(trial: Trial) -> list[Guard]:
    """The harm that has a part in the weighted mean. What cannot be told is known to be so before the start, and leaves its part."""
    return [g for g in trial.guards if g.role == "harm" and g.weight > 0 and g.why_silent is None]


def _mismatch(met: Sequence[Epoch]) -> float:
    return _counted(met, [epoch.candidate for epoch in met] + [epoch.champion for epoch in met], more=None)


def _counted(met: Sequence[Epoch], times: Sequence[float], *, margin: float = 1.0, more: bool | None, most: float = 8.0) -> float:
    """The e-value of so many events: of the candidate's units epoch by epoch, then of the champion's."""
    arms, chances, each = _rows(met, times)
    return arm_events(arms, chances, times=each, margin=margin, more=more, most=most).value


def _rows(met: Sequence[Epoch], times: Sequence[float]) -> tuple[Floats, Floats, Floats]:
    """Arms, chances and how many: of the candidate's units epoch by epoch, then of the champion's."""
    arms, chances = np.repeat([1.0, 0.0], len(met)), np.tile([epoch.chance for epoch in met], 2)
    split = (chances > 0) & (chances < 1)  # units that could get only one version are compared with nobody
    return arms[split], chances[split], np.array(times, dtype=np.float64)[split]


def _events(guard: Guard) -> list[float]:
    return [epoch.candidate_events for epoch in guard.epochs] + [epoch.champion_events for epoch in guard.epochs]


# -- how surely, and how much longer ---------------------------------------------------------------------------------------------------


def _level(guard: Guard, trial: Trial) -> float | None:
    """What a test may be wrong by about a gain: what its condition says; of one test among many the part that is this one's."""
    if guard.role != "gain" or guard.proven is not None:
        return None
    alone = 1 / guard.needs
    mine = level([True] * trial.found + [False] * (trial.test - 1 - trial.found), alone) if trial.test else alone
    return mine / trial.among


def _asks(guard: Guard, trial: Trial) -> float:
    """The evidence at which a guard has proven its point by itself."""
    if guard.role != "harm":
        return 1 / guard.level if guard.level else guard.needs
    return guard.needs * sum(g.weight for g in _weighing(trial)) / guard.weight if guard.weight else guard.needs


def _is_beyond(guard: Guard) -> bool:
    """Whether the effect on the same questions still lies where it was proven to lie once."""
    by = guard.margin - 1 if guard.more else 1 - guard.margin
    return guard.effect is not None and guard.effect > by


def _needed(guard: Guard, trial: Trial) -> int | None:
    """How many more units it takes, at this rate, to prove what a test is for; None of what is proven or cannot be told."""
    asks, units = _asks(guard, trial), sum(e.candidate + e.champion for e in guard.epochs)
    if guard.name in WEIGHTS or not guard.epochs or guard.evidence >= asks:
        return None
    events = guard.worth if guard.wealth else sum(_events(guard))
    return units_needed(events, units, ratio=_sought(guard), margin=guard.margin, share=guard.epochs[-1].chance, needs=asks)


def _sought(guard: Guard) -> float:
    """The ratio a test should be able to tell: as good as the champion where the margin allows for less, else beyond the margin."""
    if allows_less(guard):
        return 1.0
    return guard.margin * (1 + LEAST_EFFECT if guard.more else 1 - LEAST_EFFECT)


def _most(guard: Guard) -> float:
    return MOST.get(guard.name, 8.0)


def with_weights(guards: Sequence[Guard]) -> Iterator[Guard]:
    """The guards with their part in the weighted mean: those of one group share its weight."""
    figures = sum(g.role == "harm" and g.name not in WEIGHTS for g in guards)
    for guard in guards:
        weight = WEIGHTS[guard.name] if guard.name in WEIGHTS else WEIGHTS["figures"] / max(1, figures)
        yield replace(guard, weight=weight) if guard.role == "harm" else guard
