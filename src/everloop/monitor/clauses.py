"""What each condition of a live model says about what was seen: one function a word. In: what was seen. Out: a Signal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import everloop.monitor.beside as beside
from everloop.clock import from_microseconds
from everloop.monitor.bounds import judged_by
from everloop.monitor.drift import LITTLE, Drift, carried, drifts, judged
from everloop.monitor.estimated import Estimated, estimated
from everloop.monitor.maturity import window_span
from everloop.monitor.profile import ANSWERS
from everloop.monitor.season import as_a_year_ago
from everloop.monitor.watched import NOTHING, Watched, odds, title
from everloop.project.conditions import (
    as_good_as_champion,
    beats_champion,
    drifted,
    fair_across,
    is_figure,
    new_truths,
    worse_than_champion,
)
from everloop.project.model import Model
from everloop.project.resolve import truth_span
from everloop.records import Outcome, Signal
from everloop.stats.fairness import across
from everloop.stats.known import SAME_TO_ALL, says_one_thing
from everloop.stats.measures import measure
from everloop.stats.rounded import figure, percent, span_of
from everloop.stats.shapes import Paired
from everloop.stats.unsaid import why_unsaid

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
    span, zone = timedelta(days=1) if asked is None else asked.span, None if asked is None else asked.zone
    found = drifts(seen.reference, seen.windows, features, floor_psi=condition.psi, seasons=seen.seasons, seed=w.seed, span=span, zone=zone)
    lots = judged(seen.reference, seen.windows, span, zone)
    if not found:
        why = str(lots.waiting) if lots.waiting else "too few rows were learnt from, or nobody counted them"
        return replace(blank, sentence=f"{what} cannot be compared: {why}", about=about, rows=lots.waiting.rows if lots.waiting else 0)
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
        sentence=_found_sentence(what, gone, worst, seasonal, None if fired and condition.share is None else share)
        + (f"; {lots.waiting}" if lots.waiting else ""),
        about=worst.feature if gone or what != "inputs" else None,
        measure="psi",
        value=worst.now.psi,
        rows=lots.windows[-1].rows,
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
    sentence = _beside_sentence(name, found, worse, by, live)
    if found.effect.effect is not None and found.effect.effect > 0 and says_one_thing(live.champion):
        sentence += f"; {SAME_TO_ALL}"
    return replace(
        blank, fired=found.outcome == "passed", outcome=found.outcome, sentence=sentence, value=effect.effect, low=effect.low,
        high=effect.high, rows=effect.rows, wealth=found.wealth, between=found.between,
    )  # fmt: skip


def _beside_sentence(name: str, found: beside.Beside, worse: bool, by: float, live: Paired) -> str:
    effect = found.effect
    if effect.effect is None:
        sides = (live.champion, effect.champion), (live.candidate, effect.candidate)
        why = next((f": {why_unsaid(live.truth, side)}" for side, value in sides if value is None), "")
        return f"{title(name)} of the two cannot be compared on {effect.rows:,} questions{why}"
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
    evidence = f" (evidence {odds(found.evidence)} : 1)" if found.evidence is not None and found.evidence > 1 else ""
    return f"{sentence}; {more} {proven}{evidence}"


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
