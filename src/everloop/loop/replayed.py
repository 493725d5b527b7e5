"""Verdicts again from their records: of any decision or traffic, what was concluded, worked out once more from what the journal holds of
it. Reads the journal; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from everloop.clock import said
from everloop.errors import Unknown
from everloop.loop.house import House
from everloop.project.conditions import as_good_as_champion, beats_champion, worse_than_champion
from everloop.records import Record, Signal, Signals, Trial
from everloop.registry.history import names
from everloop.rollout.again import differences
from everloop.rollout.several import winner
from everloop.stats.evalue import Bets
from everloop.stats.rounded import figure


@dataclass(frozen=True)
class Replayed:
    """One record of signals, and what of it does not follow from its own figures: nothing, where it is true."""

    signals: str
    said: str
    differs: tuple[str, ...]

    def __str__(self) -> str:
        head = f"{self.said} [{self.signals}]"
        return f"{head}\n  Worked out again from its record: the same." if not self.differs else "\n  ! ".join([head, *self.differs])


def replayed(house: House, records: list[Record]) -> list[Replayed]:
    """Every verdict among these records, worked out again. Raises Unknown where none of them rests on one."""
    found = [r for r in records if isinstance(r, Signals) and (r.trials or any(s.wealth for s in r.signals))]
    if not found:
        raise Unknown(
            "verdict behind",
            records[0].id if records else "it",
            next="Name a decision or a traffic of a roll-out; everloop history MODEL tells them.",
        )
    return [_again(house, signals) for signals in found]


def _again(house: House, signals: Signals) -> Replayed:
    name = names(house.journal)
    head = f"{signals.model} as of {said(signals.until)}"
    for number, trial in enumerate(signals.trials):
        head += ";" if number else ":"
        head += f" {name(trial.candidate)} beside {name(trial.champion)}, evidence of harm {figure(trial.evidence)} : 1, {trial.says}"
    differs = [*(said_ for trial in signals.trials for said_ in differences(trial)), *_of_tests(house, signals), *_of_bets(house, signals)]
    return Replayed(signals.id, head, tuple(differs))


def _of_tests(house: House, signals: Signals) -> Iterator[str]:
    """Which test it was, counted in the journal from the first."""
    trial = signals.trial
    if trial is None or not trial.test:
        return
    last: dict[str, tuple[Trial, ...]] = {}
    for entry in house.journal.read(kind="Signals", model=signals.model):
        if entry.record.id == signals.id:
            break
        others = entry.record.trials if isinstance(entry.record, Signals) else ()
        other = next((other for other in others if other.test), None)
        if other is not None and other.salt != trial.salt:
            last[other.salt] = others
    number, found = len(last) + 1, sum(winner(others) is not None for others in last.values())
    if (trial.test, trial.found) != (number, found):
        yield f"it is test {trial.test} after {trial.found} promotions in the record, and test {number} after {found} in the journal"


def _of_bets(house: House, signals: Signals) -> Iterator[str]:
    """What was bet on the same questions: whether it fired follows from the wealth of its bets, as long as its condition is still said."""
    model = house.project.models.get(signals.model)
    wins = [win for step in model.roll_out for win in getattr(step, "wins_when", ())] if model else []
    said_now = {repr(c): c for c in (*model.roll_back_when, *model.tell_when, *wins)} if model else {}
    for signal in signals.signals:
        condition = said_now.get(signal.clause)
        if signal.wealth and isinstance(condition, worse_than_champion | beats_champion | as_good_as_champion):
            fired = _fires(signal, condition)
            if fired != signal.fired:
                proven = ("not proven", "proven")
                yield f"{signal.clause}: {proven[signal.fired]} in the record, and {proven[fired]} from the wealth of its bets"


def _fires(signal: Signal, condition: worse_than_champion | beats_champion | as_good_as_champion) -> bool:
    by = -condition.margin if isinstance(condition, as_good_as_champion) else condition.by
    effect = 0.0 if signal.value is None else -signal.value if isinstance(condition, worse_than_champion) else signal.value
    evidence = max(Bets(np.array(after)).value for after in signal.wealth)
    return evidence >= 1 / (1 - condition.confidence) and signal.value is not None and effect > by
