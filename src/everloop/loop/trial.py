"""Watching with the trial of a roll-out: what befell the arms of its split, gathered, so that one verdict can be had of it.

Nothing is judged here: ``monitor`` judges the conditions, ``rollout.verdict`` the trial. What a figure is held to (how long an answer may
take, what an amount counts for at most) is worked out once, as of before the start, and read back from the trial before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop import monitor
from everloop.clock import microseconds
from everloop.loop.answers import answers_of
from everloop.loop.house import House
from everloop.loop.lift import lifts
from everloop.loop.split import QUANTILE, READ, Met, cap, figures, lived, met, sizes, split_before
from everloop.loop.tell.figures import told_of_units, told_rows, usual_most
from everloop.loop.unlearnt import unlearnt
from everloop.loop.watching import failed, seen
from everloop.monitor.clauses import by_split
from everloop.monitor.deployed import GUARDRAIL
from everloop.project.conditions import answers_within, as_good_as_champion, beats_champion, is_figure, outcome, worse_than_champion
from everloop.project.metrics import name_of
from everloop.project.model import Model
from everloop.project.reading import Arithmetic, Reading
from everloop.project.spoken_conditions import say_measure
from everloop.project.spoken_voice import Voice
from everloop.project.steps import ab, bandit
from everloop.records import Guard, Signal, Signals, Traffic, Trial
from everloop.rollout.plan import Step, steps
from everloop.rollout.sentences import sentence
from everloop.rollout.several import winner
from everloop.rollout.verdict import epochs, is_proven, judged, together, watched, with_weights, within
from everloop.stats.intervals import wilson
from everloop.stats.measures import Measure, measure
from everloop.stats.rounded import figure
from everloop.stats.shapes import Floats

Role: TypeAlias = Literal["harm", "gain", "news"]
Kind: TypeAlias = Literal["errors", "latency", "data", "worse"]
Against: TypeAlias = worse_than_champion | beats_champion | as_good_as_champion
BEFORE = timedelta(days=28)
LEAST_ALONE = 100  # answers given one at a time before the start, so that their p99 means something
NOTICED = 10.0  # milliseconds from which on anybody notices, where the model does not say within how many it has to answer
NOTHING_YET = ((0.0,),)  # the wealth of a bet on the same questions before there is a truth
KINDS: dict[str, Kind] = {"errors": "errors", "slow": "latency", "odd": "data"}


def watch(house: House, model: Model, traffic: Traffic, *, now: datetime, id: str) -> Signals:
    """What watching finds about every condition of the model, now; with the trial of the candidate, where there is one, and what
    the model has brought, where some units keep the baseline."""
    each = [replace(traffic, candidate=version) for version in traffic.candidates] or [traffic]
    looks = [monitor.watch(model, one, seen(house, model, one, now=now), now=now, id=id, made_from=(traffic.id,)) for one in each]
    found = replace(looks[0], lifts=lifts(house, model, traffic, now))
    made = [trial_of(house, model, one, look, now=now) for one, look in zip(each, looks, strict=True)]
    trials = together([trial for trial in made if trial is not None])
    if not trials:
        return found
    signals = [_with_trial(model, look, trial) for look, trial in zip(looks, trials, strict=True)]
    # What is not about one of several candidates was found for each of them, and is told once.
    others = (s for one, rest in zip(each[1:], signals[1:], strict=True) for s in rest if s.about == one.candidate)
    return replace(found, signals=(*signals[0], *others), trial=trials[0], beside=trials[1:])


def _with_trial(model: Model, found: Signals, trial: Trial) -> tuple[Signal, ...]:
    """What watching found, with what the trial says of the same conditions in its place; and its own verdict."""
    told = {signal.clause: signal for signal in _signals(model, trial)}
    alone = tuple(told.get(s.clause, s) for s in found.signals)
    return (*alone, told[GUARDRAIL]) if GUARDRAIL in told else alone


@dataclass(frozen=True)
class Standing:
    """A roll-out as it stands: everything its figures are counted from. ``before`` holds what was fixed before the start."""

    house: House
    model: Model
    traffic: Traffic
    before: Trial
    split: Met
    now: datetime
    did: dict[str, tuple[Floats, NDArray[np.bool_]]] = field(default_factory=dict)  # one figure may be feared and hoped for


def trial_of(house: House, model: Model, traffic: Traffic, found: Signals, *, now: datetime) -> Trial | None:
    """The trial of the candidate that is being rolled out, judged; None where nobody is.

    In bake the candidate answers everybody and nobody is split any more; units that were go on being held against each other until what
    they do is known for good.
    """
    end = traffic.since if traffic.stage == "bake" else now
    traffic = split_before(house, traffic)
    if traffic.stage not in ("shadow", "canary") or traffic.candidate is None:
        return None
    walked = lived(house, traffic)
    given = answers_of(house, model, since=walked[0].since)
    of_candidate = given.filter(pc.equal(given.column("version"), traffic.candidate))
    while_split = given.filter(pc.field("answered_at") < microseconds(end)) if end < now else given
    before = _trial_before(house, traffic) or _begun(house, model, traffic, walked[0].since)
    # Whoever sets a share by hand may have seen what befell units, as a bandit has.
    adaptive = any(step.floor is not None for step in steps(model.roll_out)) or any(one.by_hand for one in walked)
    standing = Standing(house, model, traffic, before, met(house, model, walked, while_split, adaptive=adaptive), now)
    test = _test(model, traffic) if end == now else None
    asked = _by_arms(model, test)
    guards = with_weights([*_of_serving(model, before), *(_guard(model, c, role, before, found) for c, role in asked)])
    counted = {repr(condition): condition for condition, _ in asked}
    number, found_before = _test_number(house, traffic, before) if test is not None and not test.alone else (0, 0)
    trial = replace(
        before,
        until=now,
        test=number,
        found=found_before,
        among=max(1, len(traffic.arms)),
        ends_at=traffic.since + test.lasts if test is not None else None,
        answers=len(of_candidate),
        failed=failed(of_candidate),
        limit=max(before.limit_before, _too_many(given, traffic.champion)),
        epochs=epochs(standing.split.units),
        guards=tuple(_filled(standing, guard, counted.get(guard.name)) for guard in guards),
    )
    return judged(trial)


# -- what is fixed before the start ---------------------------------------------------------------------------------------------------


def _trial_before(house: House, traffic: Traffic) -> Trial | None:
    """The newest trial of this roll-out that was kept: what it fixed stays fixed."""
    for entry in house.journal.read(kind="Signals", model=traffic.model, newest_first=True, limit=1):
        kept = entry.record.trials if isinstance(entry.record, Signals) else ()
        return next((trial for trial in kept if (trial.salt, trial.candidate) == (traffic.salt, traffic.candidate)), None)
    return None


def _test_number(house: House, traffic: Traffic, before: Trial) -> tuple[int, int]:
    """Which test of its model this is, and how many of those before promoted their candidate; of one test it stays what it was at first.

    A roll-out is one test however many steps and candidates it has: all steps have to be won, and candidates share its level. Tests
    that stand alone are none of the row.
    """
    if before.test:
        return before.test, before.found
    for entry in house.journal.read(kind="Signals", model=traffic.model, newest_first=True):
        trials = entry.record.trials if isinstance(entry.record, Signals) else ()
        trial = next((trial for trial in trials if trial.test), None)
        if trial is not None:
            same = trial.salt == traffic.salt
            return (trial.test, trial.found) if same else (trial.test + 1, trial.found + (winner(trials) is not None))
    return 1, 0


def _begun(house: House, model: Model, traffic: Traffic, began: datetime) -> Trial:
    """What a trial is held to, by what the champion did in the four weeks before."""
    everyone = _answered_before(house, model, began)
    theirs = everyone.filter(pc.field("version") == traffic.champion)
    lowest, highest = _usual_range(model, theirs)
    # Of a batch that several versions answered, the champion's may be one row: it is alone only if nobody else's is beside it.
    seen_by_somebody = everyone.filter(pc.field("arm") != "shadow")
    alone = seen_by_somebody.filter(pa.array(_alone(seen_by_somebody))).filter(pc.field("version") == traffic.champion)
    slow = None
    if len(alone) >= LEAST_ALONE:
        slow = max(float(np.quantile(alone.column("microseconds").to_numpy(), 0.99)) / 1000, _noticed(model))
    limit = _too_many(theirs, traffic.champion)
    return Trial(
        candidate=traffic.candidate or "",
        champion=traffic.champion,
        salt=traffic.salt,
        began_at=began,
        until=began,
        limit=limit,
        limit_before=limit,
        lowest=lowest,
        highest=highest,
        guards=(Guard(name="slow", what="", role="harm", bound=slow),),
    )


def _noticed(model: Model) -> float:
    """Milliseconds an answer may take however quick the champion is: what learnt takes longer than an average, and nobody minds."""
    said = [condition.ms for condition in model.promote_when if isinstance(condition, answers_within)]
    return min(said, default=NOTICED)


def _earlier(house: House, model: Model, champion: str, began: datetime) -> pa.Table:
    """What the champion answered in the four weeks before."""
    return _answered_before(house, model, began).filter(pc.field("version") == champion)


def _answered_before(house: House, model: Model, began: datetime) -> pa.Table:
    """What anybody answered in the four weeks before."""
    earlier = answers_of(house, model, since=began - BEFORE).select(READ)
    return earlier.filter(pc.field("answered_at") < microseconds(began))


def _too_many(given: pa.Table, champion: str) -> float:
    """The share of failing answers that is too many: half a percent, or half as much again as the champion's is at least, by the lower
    end of Wilson's interval, so that a few failures among a few answers allow for nothing.

    A bet against a share needs one that is fixed before the first case. That is the one of the four weeks before the start
    (``Trial.limit_before``). What fails for both versions meanwhile lifts the limit of a look (``Trial.limit``), never below that one, and
    evidence falls as the share it bets against rises: at every look it is at most that of the bet against the share fixed at the start,
    and so proves no more. A look that comes later may lower it again, down to there.
    """
    theirs = given.filter(pc.equal(given.column("version"), champion))
    usual, _ = wilson(failed(theirs), len(theirs))
    return min(max(0.005, 1.5 * usual), 0.99)


def _usual_range(model: Model, theirs: pa.Table) -> tuple[float | None, float | None]:
    """Beyond what an answer in numbers is odd: farther off than the whole span of the champion's answers; (None, None) where nothing is."""
    values = _numbers(theirs)
    values = values[np.isfinite(values)]
    if model.kind != "number" or not len(values) or values.max() == values.min():
        return None, None
    span = float(values.max() - values.min())
    return float(values.min()) - span, float(values.max()) + span


def _numbers(answers: pa.Table) -> Floats:
    column = answers.column("answer").combine_chunks()
    return np.asarray(pc.struct_field(column, "value").to_numpy(zero_copy_only=False), dtype=np.float64)


def _alone(answers: pa.Table) -> NDArray[np.bool_]:
    """Which answers were given one at a time. Those of a batch were given in the same instant and share its time between them, and of
    a small arm one row bears all of its part: they say nothing of anybody, whichever version they are by."""
    at = answers.column("answered_at").to_numpy()
    _, whose, count = np.unique(at, return_inverse=True, return_counts=True)
    return np.asarray(count[whose] == 1, dtype=bool)


# -- the figures that are watched ----------------------------------------------------------------------------------------------------


def _test(model: Model, traffic: Traffic) -> Step | None:
    """The test the traffic is in, if its step is one."""
    row = steps(model.roll_out)
    here = row[traffic.step] if traffic.stage == "canary" and traffic.step < len(row) else None
    return here if here is not None and here.test else None


def _of_serving(model: Model, before: Trial) -> Iterator[Guard]:
    """What nobody has to ask for: answers that fail, that are slow, that are odd."""
    slow = next((g.bound for g in before.guards if g.name == "slow"), None)
    yield Guard(name="errors", what="units an answer failed for", role="harm", margin=1.5)
    silent = None if slow is not None else f"fewer than {LEAST_ALONE} answers were given one at a time before the start"
    over = f"units an answer took longer than {figure(slow)} ms for" if slow is not None else "slow answers"
    yield Guard(name="slow", what=over, role="harm", margin=1.25, bound=slow, why_silent=silent)
    if before.lowest is not None and before.highest is not None:
        odd = f"units with an answer below {figure(before.lowest)} or above {figure(before.highest)}"
        yield Guard(name="odd", what=odd, role="harm", margin=1.5)


def _by_arms(model: Model, test: Step | None) -> list[tuple[Against, Role]]:
    """The conditions of a roll-out that its verdict rests on, and what for; each once."""
    wins = [win for step in model.roll_out if isinstance(step, ab | bandit) for win in step.wins_when if by_split(model, win)]
    feared = [c for c in model.roll_back_when if isinstance(c, worse_than_champion) and by_split(model, c)]
    # A test says what matters; where nobody says what would be harm, any proven loss of it is.
    worse = feared or [worse_than_champion(on) for on in dict.fromkeys(win.on for win in wins)]
    told = [c for c in model.tell_when if isinstance(c, worse_than_champion) and by_split(model, c)]
    asked: dict[Against, Role] = {}
    for conditions, role in ((worse, "harm"), (told, "news"), (test.wins_when if test is not None else (), "gain")):
        for condition in conditions:
            asked.setdefault(condition, role)  # type: ignore[arg-type]
    return list(asked.items())


def _guard(model: Model, condition: Against, role: Role, before: Trial, found: Signals) -> Guard:
    """What a condition bets on, with nothing counted yet. Of a figure of what people do more is better; a metric knows by itself."""
    good = is_figure(condition.on) or measure(_metric(model, condition)).better == "higher"
    by = -condition.margin if isinstance(condition, as_good_as_champion) else condition.by
    up = good != isinstance(condition, worse_than_champion)  # it is more events that prove it
    # Worse, of what is better when higher, is less than 1 - by times the champion's; better is more than 1 + by times.
    ratio = 1 + by if up else 1 - by
    paired = None if by_split(model, condition) else next((s for s in found.signals if s.clause == repr(condition)), None)
    bet = paired is not None and (paired.wealth or paired.value is None)
    return Guard(
        name=repr(condition),
        what=say_measure(Voice(model), condition.on),
        role=role,
        margin=max(ratio, 0.01),
        more=up,
        needs=round(1 / (1 - condition.confidence), 6),
        bound=next((g.bound for g in before.guards if g.name == repr(condition)), None),
        # What could not be told at the start is not told later: its part in the mean went to the others.
        why_silent=next((g.why_silent for g in before.guards if g.name == repr(condition)), None),
        proven=paired.fired if paired is not None and not bet else None,
        paired=(paired.wealth or NOTHING_YET) if paired is not None and bet else (),
        effect=paired.value if paired is not None and bet else None,
        low=paired.between[0] if paired is not None and paired.between is not None else None,
        high=paired.between[1] if paired is not None and paired.between is not None else None,
    )


def _metric(model: Model, condition: Against) -> str:
    return name_of(condition.on, model.metric)


# -- what befell the units -----------------------------------------------------------------------------------------------------------


def _filled(s: Standing, guard: Guard, condition: Against | None) -> Guard:
    """A guard with what befell the units of its arms."""
    if guard.proven is not None or guard.paired or guard.why_silent is not None:
        return guard
    if condition is None:
        return within(watched(guard, s.split.units, s.split.befell(_bad(s, guard))))
    if isinstance(condition.on, outcome):
        return _told(s, guard, condition.on)
    return _did(s, guard, condition) if is_figure(condition.on) else _lost(s, guard, measure(_metric(s.model, condition)))


def _bad(s: Standing, guard: Guard) -> NDArray[np.bool_]:
    """Which answers failed, were slow, or odd, by the version their unit was given to."""
    rows = s.split.answers.take(pa.array(s.split.rows))
    own = s.split.by_own_version(s.traffic)
    wrong = np.asarray(pc.is_valid(rows.column("error")).to_numpy(zero_copy_only=False), dtype=bool)
    if guard.name == "errors":
        return np.asarray(own & wrong, dtype=bool)
    if guard.name == "slow":
        slow = rows.column("microseconds").to_numpy() / 1000 > (guard.bound or np.inf)
        return np.asarray(own & ~wrong & slow & _alone(s.split.answers)[s.split.rows], dtype=bool)
    values = _numbers(rows)
    return np.asarray(own & ~wrong & ((values < (s.before.lowest or 0.0)) | (values > (s.before.highest or 0.0))), dtype=bool)


def _did(s: Standing, guard: Guard, condition: Against) -> Guard:
    """What units did in the window after they were met; those whose window is still open are waited for."""
    reading = condition.on
    assert isinstance(reading, Reading | Arithmetic)
    first = s.split.answers.take(pa.array(s.split.first))
    most: float | None = 1.0 if reading.kind == "yes or no" else guard.bound
    if most is None:
        before = _earlier(s.house, s.model, s.traffic.champion, s.before.began_at)
        known = _each_once(before) if len(before) else first  # whose past it is does not matter: it lies before anybody was split
        if not len(known):
            return guard
        most = cap(s.house, s.model, reading, known, s.before.began_at)
    if most is None:
        return replace(guard, why_silent="nobody had any before the start, so that nothing says what is much")
    guard = replace(guard, bound=None if reading.kind == "yes or no" else most)
    if not len(s.split.units):
        return guard
    if repr(reading) not in s.did:
        s.did[repr(reading)] = figures(s.house, s.model, reading, first, s.now)
    values, closed = s.did[repr(reading)]
    shares = np.clip(np.nan_to_num(values / most), 0.0, 1.0)[closed]
    units = s.split.units.take(closed)
    return within(watched(guard, units, shares, waiting=int((~closed).sum())), units, shares)


def _told(s: Standing, guard: Guard, on: outcome) -> Guard:
    """What was told of units by name, in the span after they were met.

    Harm that is yes or no counts as it comes, open windows included; everything else when its window is closed, so that an order that comes
    sooner is not taken for one that comes oftener.
    """
    rows = told_rows(s.house, s.model, on.name, s.now)
    most: float | None = 1.0 if not on.total else guard.bound or usual_most(rows, on, s.before.began_at)
    if most is None:
        return replace(guard, why_silent="nobody had any before the start, so that nothing says what is much")
    guard = replace(guard, bound=most if on.total else None)
    if not len(s.split.units):
        return guard
    found = told_of_units(rows, on, s.split, s.now)
    counted = np.ones(len(s.split.units), dtype=bool) if guard.role == "harm" and not on.total else found.closed
    units, shares = s.split.units.take(counted), np.clip(found.values / most, 0.0, 1.0)[counted]
    guard = replace(guard, late=found.late)
    return within(watched(guard, units, shares, waiting=int((~counted).sum())), units, shares)


def _lost(s: Standing, guard: Guard, by: Measure) -> Guard:
    """What the first answer to each unit came to, of those nobody had learnt from, by its own truth: how far off it was, or how much of
    it was right."""
    most: float | None = 1.0 if by.better == "higher" else guard.bound
    if most is None:
        before = _earlier(s.house, s.model, s.traffic.champion, s.before.began_at)
        found, mature = sizes(s.house, s.model, by, before, s.before.began_at)
        some = found[mature & (found > 0)]
        most = float(np.quantile(some, QUANTILE)) if len(some) else None
    if most is None:
        return replace(guard, why_silent="no truth was mature before the start, so that nothing says what is much")
    guard = replace(guard, bound=None if by.better == "higher" else most)
    rows = s.split.answers.take(pa.array(s.split.rows))
    given = pc.is_null(rows.column("error")).to_numpy(zero_copy_only=False)
    there = np.flatnonzero(given & unlearnt(s.house, s.model.name, rows))
    units, first = np.unique(s.split.owner[there], return_index=True)
    found, mature = sizes(s.house, s.model, by, rows.take(pa.array(there[first])), s.now)
    chosen = np.zeros(len(s.split.units), dtype=bool)
    chosen[units[mature]] = True
    shares = np.clip(np.nan_to_num(found / most), 0.0, 1.0)[mature]
    matured = s.split.units.take(chosen)
    return within(watched(guard, matured, shares, waiting=int((~chosen).sum())), matured, shares)


def _each_once(answers: pa.Table) -> pa.Table:
    """The newest answer of each unit."""
    at = pa.array(np.arange(len(answers)))
    newest = answers.append_column("place", at).group_by("unit").aggregate([("place", "max")]).column("place_max")
    return answers.take(newest)


# -- what is said of it --------------------------------------------------------------------------------------------------------------


def _signals(model: Model, trial: Trial) -> Iterator[Signal]:
    """A signal for each condition arms were held against each other by; and the verdict's own, where it fires and none of them does."""
    feared, carried = {repr(c) for c in model.roll_back_when}, False
    for guard in trial.guards:
        if guard.name in KINDS or guard.proven is not None or guard.paired:
            continue
        proven = is_proven(guard, trial) and (guard.role != "harm" or trial.says == "roll back")
        carried |= proven and guard.name in feared
        yield Signal(
            clause=guard.name, kind="better" if guard.role == "gain" else "worse", fired=proven,
            outcome="passed" if proven else "not enough evidence", sentence=sentence(guard), about=trial.candidate, value=guard.evidence,
            rows=sum(e.candidate + e.champion for e in guard.epochs),
        )  # fmt: skip
    if trial.says == "roll back" and not carried:
        yield Signal(
            clause=GUARDRAIL, kind=_kind(trial), fired=True, outcome="passed", sentence=trial.because, about=trial.candidate,
            value=trial.evidence, rows=sum(e.candidate + e.champion for e in trial.epochs),
        )  # fmt: skip


def _kind(trial: Trial) -> Kind:
    """What the verdict is mostly about."""
    if trial.beyond >= trial.breaks:
        return "errors"
    worst = max((g for g in trial.guards if g.role == "harm"), key=lambda g: g.evidence * g.weight)
    return KINDS.get(worst.name, "worse")
