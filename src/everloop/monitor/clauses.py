"""What each condition of a live model says about what was seen: one function a word. In: what was seen. Out: a Signal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np

import everloop.monitor.beside as beside
from everloop.clock import from_microseconds
from everloop.monitor.drift import LEAST_ROWS, LITTLE, Drift, carried, drifts
from everloop.monitor.error import LEAST_PERIODS, Slip, realised, slip, truth_span, where_worst
from everloop.monitor.estimated import Estimated, estimated
from everloop.monitor.maturity import window_span
from everloop.monitor.profile import ANSWERS
from everloop.monitor.season import as_a_year_ago
from everloop.monitor.seen import Answered, Seen
from everloop.project.conditions import (
    as_good_as_champion,
    at_least,
    at_most,
    beats_champion,
    drifted,
    fair_across,
    is_figure,
    new_truths,
    slipped,
    worse_than_champion,
)
from everloop.project.model import Model
from everloop.project.reading import is_reading
from everloop.project.spoken_conditions import SEEN_BY, spoken_metric
from everloop.records import Followed, Outcome, Signal, Traffic
from everloop.stats.bootstrap import Estimate
from everloop.stats.fairness import across
from everloop.stats.intervals import mean, wilson
from everloop.stats.measures import measure
from everloop.stats.rounded import figure, percent, span_of

NOTHING: Outcome = "not enough evidence"


@dataclass(frozen=True)
class Watched:
    """Everything a condition is judged by."""

    model: Model
    traffic: Traffic
    seen: Seen
    now: datetime
    seed: int
    followed: Mapping[str, Followed] = field(default_factory=dict)

    def metric(self, on: object) -> str:
        return on if isinstance(on, str) else self.model.metric


# -- drift ---------------------------------------------------------------------------------------------------------------------------


def drift(w: Watched, condition: drifted) -> Signal:
    """Inputs, answers or one reading beyond their own habit (``drift.drifts``), but for the season's doing and what hardly matters."""
    seen, blank = w.seen, Signal(clause=repr(condition), kind="drift", fired=False, outcome=NOTHING, sentence="")
    what = condition.what if isinstance(condition.what, str) else condition.what.name
    about = None if what == "inputs" else what
    if seen.reference is None or not seen.windows:
        return replace(blank, sentence="there is no profile to compare with yet", about=about)
    features = [n for n in seen.reference.spec.features if n != ANSWERS] if what == "inputs" else [what]
    asked = w.model.asked
    found = drifts(
        seen.reference, seen.windows, features, floor_psi=condition.psi, seasons=seen.seasons, seed=w.seed,
        span=timedelta(days=1) if asked is None else asked.span, zone=None if asked is None else asked.zone,
    )  # fmt: skip
    if not found:
        sentence = f"{what} cannot be compared: too few rows (fewer than {LEAST_ROWS}), or nobody counted them"
        return replace(blank, sentence=sentence, about=about)
    gone = [d for d in found if d.drifted]
    seasonal = {d.feature for d in gone if as_a_year_ago(seen.reference, seen.windows[-1], seen.year_ago, d.feature)}
    gone = [d for d in gone if d.feature not in seasonal]
    # What moved most of what matters comes first.
    worst = max(gone or found, key=lambda d: seen.hints.importance.get(d.feature, 1.0) * (d.now.d / (d.habit or 0.1)))
    share = carried([d.feature for d in gone], features, seen.hints.importance)
    fired = bool(gone) and share >= _least_share(condition, w)
    since = seen.windows[worst.since].first_at if worst.since is not None else None
    return replace(
        blank,
        fired=fired,
        outcome="passed" if fired else "failed",
        sentence=_found_sentence(what, gone, worst, seasonal, None if fired and condition.share is None else share),
        about=worst.feature if gone or what != "inputs" else None,
        measure="psi",
        value=worst.now.psi,
        rows=seen.windows[-1].rows,
        since=from_microseconds(since) if since is not None and gone else None,
    )


def _least_share(condition: drifted, w: Watched) -> float:
    """How much of the answers has to rest on what drifted: as said; of inputs, at least not next to nothing, where that is known."""
    if condition.share is not None:
        return condition.share
    return LITTLE if condition.what == "inputs" and w.seen.hints.importance else 0.0


def _found_sentence(what: str, gone: list[Drift], worst: Drift, seasonal: set[str], share: float | None) -> str:
    """What drifted, how much of the answers it carries (``share``, where that decides), and what only the season moved."""
    keep = f"{what} keep{'' if what in ('inputs', ANSWERS) else 's'} to the habit"
    sentence = _drift_sentence(worst, len(gone)) if gone else keep
    if gone and share is not None:
        sentence += f"; {percent(share)} of the answers rests on what drifted"
    if seasonal:
        sentence += f"; {', '.join(sorted(seasonal))} moved as a year ago: the season"
    return sentence


def _drift_sentence(worst: Drift, count: int) -> str:
    now = worst.now
    sentence = f"{worst.feature} drifted: PSI {figure(now.psi)}, "
    sentence += f"{percent(now.d)} of the mass of {now.most} moved" if now.most else f"KS {figure(now.d)}"
    if worst.habit is not None:
        sentence += f", by habit at most {percent(worst.habit) if now.most else figure(worst.habit)}"
    more = f"; so did {count - 1} other{'s' if count > 2 else ''}" if count > 1 else ""
    return sentence + more


# -- the realised error --------------------------------------------------------------------------------------------------------------


def slipped_since(w: Watched, condition: slipped) -> Signal:
    """Proven worse on mature truth than when promoted (``error.slip``), since when, and where most."""
    if condition.detector is not None:
        return _detected(w, condition)
    name = w.metric(condition.on)
    blank = Signal(clause=repr(condition), kind="slip", fired=False, outcome=NOTHING, sentence="", measure=name, coverage=w.seen.coverage)
    seen = w.seen
    if seen.answered is None or not len(seen.answered):
        return replace(blank, sentence="no answer since the promotion has a mature truth yet")
    if seen.promised is None or not len(seen.promised):
        return replace(
            blank, sentence=f"there is no {spoken_metric(name)} of when it was promoted to compare with", rows=len(seen.answered)
        )
    one, span = measure(name), truth_span(w.model)
    found = slip(one, seen.promised, seen.answered, by=condition.by, span=span, seed=w.seed)
    if found.change is None:
        sentence = f"{found.of} of the {LEAST_PERIODS} periods with mature truth that it takes"
        return replace(blank, sentence=sentence, rows=len(seen.answered))
    change, since = found.change, found.since
    sentence = _slip_sentence(name, found, condition.by)
    if found.outcome == "passed" and since is not None:
        place = where_worst(one, seen.promised, seen.answered.take(seen.answered.moments >= since), seed=w.seed)
        if place is not None:
            sentence += (
                f"; most of it where {place.name.replace('_', ' ')} is {place.value} ({figure(place.before)} to {figure(place.now)})"
            )
            blank = replace(blank, about=f"{place.name}={place.value}")
    return replace(
        blank,
        fired=found.outcome == "passed",
        outcome=found.outcome,
        sentence=sentence,
        value=change.candidate,
        low=change.low,
        high=change.high,
        rows=change.rows,
        since=from_microseconds(since) if since is not None else None,
    )


def _detected(w: Watched, condition: slipped) -> Signal:
    """Whether a detector that looks at every matured truth says that losses went up, and since when."""
    name, clause = w.metric(condition.on), repr(condition)
    blank = Signal(clause=clause, kind="slip", fired=False, outcome=NOTHING, sentence="", measure=name, coverage=w.seen.coverage)
    state, alarm = w.followed.get(clause), w.seen.alarms.get(clause)
    if state is not None:
        fired, rows, value, since = state.alarm is not None, state.rows, state.evidence, state.changed_at
        evidence = f"evidence {_evidence(value)} of the {state.target:,.0f} that it takes"
        no_more = f"losses of {rows:,} matured truths are not proven to exceed {figure(state.mean)} of at most 1 ({evidence})"
    elif alarm is not None and alarm.why_silent is None:
        since = None if alarm.since is None else from_microseconds(alarm.since)
        fired, rows, value = since is not None, alarm.rows, None
        no_more = f"{SEEN_BY[condition.detector or 'adwin']} sees no change in the losses of {rows:,} matured truths"
    else:
        silent = "there is too little of when it was promoted to compare with" if alarm is None else alarm.why_silent
        return replace(blank, sentence=silent or "")
    sentence = f"{title(name)}: {no_more}"
    if fired:
        who = "is proven, by bets on" if state is not None else f"is seen by {SEEN_BY[condition.detector or 'adwin']}, on"
        begun = f", since {since:%Y-%m-%d}" if since else ""
        sentence = f"{title(name)} {who} {rows:,} matured truths, to be worse than when promoted{begun}"
    outcome: Outcome = "passed" if fired else "failed"
    return replace(blank, fired=fired, outcome=outcome, sentence=sentence, value=value, rows=rows, since=since)


def _slip_sentence(name: str, found: Slip, by: float) -> str:
    change = found.change
    assert change is not None
    begun = f" since {day(found.since)}" if found.since is not None else f" in {found.periods} periods"
    sentence = f"{title(name)} {figure(change.candidate)}{begun}, against {figure(change.champion)} when promoted"
    if change.effect is None:
        return sentence
    sentence += f": {percent(abs(change.effect))} {'worse' if change.effect < 0 else 'better'}"
    if change.low is not None and change.high is not None:
        low, high = (-change.high, -change.low) if change.effect < 0 else (change.low, change.high)
        sentence += f" ({span_of(low, high)})"
    return sentence + (
        f", more than {percent(by)} is proven" if found.outcome == "passed" else f", not proven to be more than {percent(by)}"
    )


def bound(w: Watched, condition: at_least | at_most) -> Signal:
    """A measure or a reading proven beyond a bound: of serving from the newest window, of truth from the newest four periods, of a reading
    the mean over the units answered.
    """
    seen = w.seen
    if is_reading(condition.what):
        found = _mean_of(w, condition)
    elif condition.what == "errors":
        low, high = wilson(seen.failed, seen.answers)
        found = Estimate(seen.failed / seen.answers, low, high, seen.answers) if seen.answers else Estimate(None, None, None, 0)
    elif condition.what == "p99_ms":
        return _latency(w, condition)
    else:
        table = judged_by(w, condition)
        found = Estimate(None, None, None, 0)
        if table is not None and len(table):
            found = realised(measure(str(condition.what)), table, truth_span(w.model), seed=w.seed)
    beyond, short = _sides(condition, found.low, found.high)
    return _bound_signal(w, condition, found, "passed" if beyond else "failed" if short else NOTHING)


def judged_by(w: Watched, condition: object) -> Answered | None:
    """Whose answers a condition is about: the champion's; in shadow and canary, what takes the candidate back is about the candidate's."""
    live = w.seen.live
    if w.traffic.stage not in ("shadow", "canary") or condition not in w.model.roll_back_when:
        return w.seen.answered
    if live is None or w.traffic.candidate is None:
        return None
    return Answered(
        version=w.traffic.candidate, units=live.units, moments=live.moments, truth=live.truth, answers=live.candidate, groups=live.groups
    )


def _mean_of(w: Watched, condition: at_least | at_most) -> Estimate:
    """The mean of a reading, each unit counted once (Student's t over units, 95 %)."""
    figures = w.seen.figures.get(repr(condition.what))
    there = np.isfinite(figures.values) if figures is not None else np.zeros(0, dtype=bool)
    if figures is None or not there.any():
        return Estimate(None, None, None, 0)
    _, unit = np.unique(figures.units[there].astype(str), return_inverse=True)
    means = np.bincount(unit, weights=figures.values[there]) / np.bincount(unit)
    found = mean(means)
    return Estimate(float(means.mean()), None, None, len(means)) if found is None else Estimate(*found, len(means))


def _latency(w: Watched, condition: at_least | at_most) -> Signal:
    """p99 is at least x where at least one answer in a hundred is proven to take x; judged on that share, by Wilson's interval."""
    times = np.asarray(w.seen.microseconds, dtype=np.float64) / 1000
    n = len(times)
    value = float(np.quantile(times, 0.99)) if n else None
    low, high = wilson(int((times >= condition.value).sum()), n)
    slow, fast = n > 0 and low >= 0.01, n > 0 and high < 0.01
    beyond, short = (slow, fast) if isinstance(condition, at_least) else (fast, slow)
    return _bound_signal(w, condition, Estimate(value, None, None, n), "passed" if beyond else "failed" if short else NOTHING)


def _sides(condition: at_least | at_most, low: float | None, high: float | None) -> tuple[bool, bool]:
    if low is None or high is None:
        return False, False
    if isinstance(condition, at_least):
        return low >= condition.value, high < condition.value
    return high <= condition.value, low > condition.value


def _bound_signal(w: Watched, condition: at_least | at_most, found: Estimate, outcome: Outcome) -> Signal:
    reads = is_reading(condition.what)
    name = condition.what.name if reads else str(condition.what)  # type: ignore[union-attr]
    head = name if reads else title(name)
    say = percent if name == "errors" else figure
    word = "at least" if isinstance(condition, at_least) else "at most"
    if found.value is None:
        sentence = f"{head}: nothing to work it out from yet"
    else:
        within = f" ({say(found.low)} … {say(found.high)})" if found.low is not None else ""
        proven = "is proven" if outcome == "passed" else "does not hold" if outcome == "failed" else "is not proven"
        of = "units" if reads else "answers"
        sentence = f"{head} {say(found.value)}{within} on {found.rows:,} {of}: {word} {say(condition.value)} {proven}"
    return Signal(
        clause=repr(condition),
        kind="figure" if reads else "errors" if name == "errors" else "latency" if name == "p99_ms" else "slip",
        fired=outcome == "passed",
        outcome=outcome,
        sentence=sentence,
        measure=None if reads else name,
        about=name if reads else None,
        value=found.value,
        low=found.low,
        high=found.high,
        rows=found.rows,
        coverage=w.seen.coverage if not reads and name not in ("errors", "p99_ms") else None,
    )


def estimates(w: Watched) -> Iterable[Signal]:
    """What each metric will come to on the answers whose truth is not mature; it stands beside the realised figure and decides nothing.

    *passed*: the estimates were borne out by the windows that have matured since; *failed*: the newest one refutes them.
    """
    seen = w.seen
    if seen.open is None or seen.promised is None:
        return
    for name, foresee in seen.foresee.items():
        one, span = measure(name), window_span(w.model)
        found = estimated(one, foresee, seen.promised, seen.answered, seen.open, span=span)
        if found is None:
            continue
        tested = found.tested
        outcome: Outcome = NOTHING if tested is None else "failed" if tested.broke else "passed"
        yield Signal(
            clause=f"before the truth: {name}", kind="estimate", fired=False, outcome=outcome, sentence=_estimate_sentence(name, found),
            measure=name, value=found.value, low=found.low, high=found.high, rows=found.rows, as_of=w.now,
        )  # fmt: skip


def _estimate_sentence(name: str, found: Estimated) -> str:
    sentence = f"{title(name)} {figure(found.value)} ({figure(found.low)} … {figure(found.high)}) is estimated for {found.rows:,} answers "
    sentence += "whose truth is not mature, if the world is still as it was learnt"
    if found.now is not None:
        moved = max(zip(found.before, found.now, strict=True), key=lambda pair: abs(pair[0][1] - pair[1][1]))
        sentence += f"; {moved[1][0]} would be {percent(moved[1][1])} of truths, {percent(moved[0][1])} when promoted"
    elif found.before:
        sentence += "; how common each label is now cannot be told from the answers"
    if found.tested is None:
        return sentence + "; no window has matured to test such estimates on"
    tested = found.tested
    windows = f"{tested.windows} mature window{'s' if tested.windows > 1 else ''}"
    if tested.broke is not None:
        said, was = (figure(value) for value in tested.broke)
        return sentence + f"; not to be trusted: the newest mature window was {was} where {said} was estimated, so the world has changed"
    off, promised = figure(tested.off), figure(tested.promised_off)
    return sentence + f"; on {windows} it was off by {off} (the promotion's figure by {promised}; trust {percent(tested.trust)})"


# -- beside another version ----------------------------------------------------------------------------------------------------------


def by_split(model: Model, condition: object) -> bool:
    """Whether only the arms of a split can tell: a figure of what people then do, or a truth that the answer itself changes."""
    if not isinstance(condition, worse_than_champion | beats_champion | as_good_as_champion):
        return False
    return is_figure(condition.on) or model.answer_changes_truth


def worse_than(w: Watched, condition: worse_than_champion) -> Signal:
    """Proven worse than the version beside it, on the same questions (``beside.worse``)."""
    return _beside(w, condition, "worse", condition.by)


def better_than(w: Watched, condition: beats_champion | as_good_as_champion) -> Signal:
    """Proven better than the version beside it, or no worse than the margin, on the same questions (``beside.better``)."""
    return _beside(w, condition, "better", condition.by if isinstance(condition, beats_champion) else -condition.margin)


def _beside(w: Watched, condition: worse_than_champion | beats_champion | as_good_as_champion, kind: str, by: float) -> Signal:
    if by_split(w.model, condition):
        sentence = "only a split can tell, and nobody is split now"
        return Signal(
            clause=repr(condition), kind="worse" if kind == "worse" else "better", fired=False, outcome=NOTHING, sentence=sentence
        )
    name, live, worse = w.metric(condition.on), w.seen.live, kind == "worse"
    about = w.traffic.champion if w.traffic.stage in ("bake", "steady") else w.traffic.candidate
    blank = Signal(
        clause=repr(condition), kind="worse" if worse else "better", fired=False, outcome=NOTHING, sentence="", measure=name, about=about,
        coverage=w.seen.coverage,
    )  # fmt: skip
    if live is None or not len(live):
        waits = "no truth of the answers given side by side is mature yet" if w.traffic.rolling else "no other version answers beside it"
        return replace(blank, sentence=waits)
    judge = partial(beside.worse, before=w.seen.promised) if worse else beside.better
    found = judge(measure(name), live, by=by, confidence=condition.confidence, span=truth_span(w.model), seed=w.seed)
    effect = found.effect
    sentence = _beside_sentence(name, found, worse, by)
    return replace(
        blank, fired=found.outcome == "passed", outcome=found.outcome, sentence=sentence, value=effect.effect, low=effect.low,
        high=effect.high, rows=effect.rows, wealth=found.wealth, between=found.between,
    )  # fmt: skip


def _beside_sentence(name: str, found: beside.Beside, worse: bool, by: float) -> str:
    effect = found.effect
    if effect.effect is None:
        return f"{title(name)} of the two cannot be compared on {effect.rows:,} questions"
    sentence = f"{title(name)} {figure(effect.candidate)} against {figure(effect.champion)}: "
    sentence += f"{percent(abs(effect.effect))} {'better' if effect.effect >= 0 else 'worse'}"
    if effect.low is not None and effect.high is not None:
        low, high = (effect.low, effect.high) if effect.effect >= 0 else (-effect.high, -effect.low)
        sentence += f" ({span_of(low, high)})"
    sentence += f" on {effect.rows:,} questions both answered"
    if found.between is not None:
        sentence += f" (at every look, losses differ by {figure(found.between[0])} … {figure(found.between[1])} a unit and period)"
    more = f"at most {percent(-by)} worse" if by < 0 else f"{f'more than {percent(by)} ' if by else ''}{'worse' if worse else 'better'}"
    proven = "is proven" if found.outcome == "passed" else "is not proven"
    evidence = f" (evidence {_evidence(found.evidence)} : 1)" if found.evidence is not None and found.evidence > 1 else ""
    return f"{sentence}; {more} {proven}{evidence}"


def _evidence(value: float) -> str:
    return "over 1,000,000" if value > 1e6 else figure(value)


# -- the rest ------------------------------------------------------------------------------------------------------------------------


def fair(w: Watched, condition: fair_across) -> Signal:
    """Proven that the worst-off group does *not* get its share: here, unlike at the gate, the condition is a fear."""
    name, table = condition.reading.name, judged_by(w, condition)
    blank = Signal(clause=repr(condition), kind="worse", fired=False, outcome=NOTHING, sentence="", measure=condition.on, about=name)
    if table is None or name not in table.groups:
        return replace(blank, sentence=f"nobody said which {name} each answer belongs to, or no truth is mature yet")
    by = None if condition.on is None else measure(condition.on)
    found = across(table.groups[name], table.units, table.truth, table.answers, by, seed=w.seed)
    if found.ratio is None or found.low is None or found.high is None:
        return replace(blank, sentence=f"there are fewer than two groups by {name} large enough to compare", rows=found.rows)
    outcome: Outcome = "passed" if found.high < condition.ratio else "failed" if found.low >= condition.ratio else NOTHING
    sentence = (
        f"{found.worst} gets {percent(found.ratio)} ({span_of(found.low, found.high)}) of what {found.best} gets; "
        f"{percent(condition.ratio)} is fair"
    )
    return replace(
        blank,
        fired=outcome == "passed",
        outcome=outcome,
        sentence=sentence,
        value=found.ratio,
        low=found.low,
        high=found.high,
        rows=found.rows,
    )


def enough_truths(w: Watched, condition: new_truths) -> Signal:
    """So many truths have matured since the last training."""
    count = w.seen.truths_since_training
    due = count >= condition.count
    sentence = f"{count:,} new truths have matured since the last training, of {condition.count:,}"
    return Signal(
        clause=repr(condition), kind="truths", fired=due, outcome="passed" if due else "failed", sentence=sentence, value=count, rows=count
    )


def title(name: str) -> str:
    """A metric at the head of a sentence.

    >>> title("wape"), title("logloss")
    ('WAPE', 'Log loss')
    """
    spoken = spoken_metric(name)
    return spoken[0].upper() + spoken[1:]


def day(moment: int) -> str:
    """An instant in µs as a date (UTC)."""
    return f"{from_microseconds(moment):%Y-%m-%d}"
