"""What was last measured of a model, in sentences: its roll-out, and what people did. Reads the journal and what was told;
nothing is judged anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from everloop.loop.house import House
from everloop.loop.learnt import new_reference
from everloop.project.model import Model
from everloop.records import Decision, Signals
from everloop.registry.history import names
from everloop.registry.sentences import Naming, clause
from everloop.rollout.sentences import sentence
from everloop.stats.intervals import wilson
from everloop.stats.rounded import figure, percent, span_of

LOOKS_BACK = timedelta(days=28)


def measured(house: House, model: Model, now: datetime) -> tuple[str, ...]:
    """Sentences of the newest signals that were kept, and of the outcomes of the four weeks before ``now``."""
    newest = next((entry.record for entry in house.journal.read(kind="Signals", model=model.name, newest_first=True, limit=1)), None)
    traffic = house.traffic(model)
    told = list(_of_signals(newest, names(house.journal), over=not traffic.rolling)) if isinstance(newest, Signals) else []
    reference = new_reference(house, house.champion(traffic))
    told += [reference] if reference else []
    return (*told, *evidence_said(house, model), *_of_outcomes(house, model, now))


def evidence_said(house: House, model: Model) -> Iterator[str]:
    """What the last decision says of drift that was told: what it costs, and how the candidate held beside the champion did."""
    for entry in house.journal.read(kind="Decision", model=model.name, newest_first=True, limit=2):
        record = entry.record
        if isinstance(record, Decision) and record.cause == "drift" and not record.retrains:
            yield clause(record)
            return


def _of_signals(signals: Signals, name: Naming, *, over: bool) -> Iterator[str]:
    """How the roll-out stands; of several candidates, that of each. Of one that is over only why it was taken back."""
    tested = {trial.candidate for trial in signals.trials} if signals.beside else set()
    for signal in signals.signals:
        # What the champion's error is on mature truth, and what stands in for it, is said beside this, with how much truth there is.
        if signal.kind in ("worse", "better") and signal.value is not None and signal.measure is not None:
            yield f"{name(signal.about)}: {signal.sentence}" if signal.about and signal.about in tested else signal.sentence
    for trial in signals.trials:
        whose = f"the roll-out of {name(trial.candidate)}" if signals.beside or over else "the roll-out"
        if over and trial.says != "roll back":
            continue
        yield f"{whose}: {trial.says}, {trial.because}"
        yield from (sentence(guard) for guard in trial.guards if guard.epochs and guard.what not in trial.because)


def _of_outcomes(house: House, model: Model, now: datetime) -> Iterator[str]:
    """What people did, by name, version and arm."""
    from everloop.loop.tell.outcomes import OUTCOMES, outcome_counts, outcomes_of

    if not house.lake.log.counters(OUTCOMES.name).last_seq:
        return
    since, name = now - LOOKS_BACK, names(house.journal)
    for told in sorted(set(outcomes_of(house, model, since=since).column("name").to_pylist())):
        arms = []
        for arm in outcome_counts(house, model, told, since):
            done = f"{percent(arm.with_outcome / arm.units)} ({span_of(*wilson(arm.with_outcome, arm.units))})" if arm.units else "none"
            amount = f", {figure(arm.mean)} a unit" if arm.mean is not None and arm.sum != arm.with_outcome else ""
            arms.append(f"{done} of {arm.units:,} units of {name(arm.version)} as {arm.arm}{amount}")
        both = ". Who changed arms counts in each, so these are not held against one another" if len(arms) > 1 else ""
        yield f"“{told}”: {'; '.join(arms) or 'of nobody who was answered'} in {LOOKS_BACK.days} days{both}"
