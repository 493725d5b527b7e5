"""How conditions are said. In: conditions and the voice that reads. Out: clauses, each with its own subject. No clock, no disk."""

from __future__ import annotations

from typing import TypeAlias

from everloop.project.columns import money
from everloop.project.conditions import (
    PromoteCondition,
    RetrainCondition,
    RollBackCondition,
    RowCondition,
    TellCondition,
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
    outcome,
    slipped,
    usual_volume,
    worse_than_champion,
)
from everloop.project.metrics import METRICS, name_of
from everloop.project.reading import AnyReading, Arithmetic, Reading, calendar
from everloop.project.source import Source
from everloop.project.spans import every
from everloop.project.spoken_readings import kind_of, say_figure, say_of_whom, say_possession, say_reading, say_window
from everloop.project.spoken_rows import spoken_bound, spoken_row_condition
from everloop.project.spoken_values import (
    spoken_amount,
    spoken_column,
    spoken_count,
    spoken_every,
    spoken_list,
    spoken_name,
    spoken_number,
    spoken_share,
    spoken_span,
    spoken_zone,
)
from everloop.project.spoken_voice import Voice
from everloop.project.steps import Step, ab, bandit, canary, shadow

Condition: TypeAlias = RowCondition | PromoteCondition | RollBackCondition | RetrainCondition | TellCondition
Against: TypeAlias = beats_champion | as_good_as_champion | worse_than_champion


def spoken_metric(name: str) -> str:
    """A metric as it is said aloud.

    >>> spoken_metric("auc"), spoken_metric("pinball"), spoken_metric("brier"), spoken_metric("p99_ms")
    ('AUC', 'pinball loss', 'Brier score', 'p99 latency in ms')
    """
    if name.startswith("cost("):
        return "cost"
    return METRICS[name].spoken if name in METRICS else spoken_name(name)


SEEN_BY = {"adwin": "ADWIN", "page_hinkley": "Page and Hinkley's test"}


def say_condition(voice: Voice, condition: Condition, *, subject: str = "it is") -> str:
    """One condition as a clause; ``subject`` is who a comparison with the champion is about ("" leaves it to the caller)."""
    match condition:
        case beats_champion() | as_good_as_champion() | worse_than_champion():
            return f"{subject} {_say_against(voice, condition)}".strip()
        case fair_across():
            return _say_fair(voice, condition)
        case answers_within(ms=ms, share=share):
            return f"{'all' if share == 1 else spoken_share(share) + ' of'} answers take at most {spoken_number(ms)} ms"
        case drifted():
            return _say_drifted(voice, condition)
        case slipped(on=on, by=by, detector=detector):
            more = f"more than {spoken_share(by)} " if by else ""
            proven = f"{'seen by ' + SEEN_BY[detector] if detector in SEEN_BY else 'proven'} to be" if detector else "proven"
            sentence = f"{say_measure(voice, on)} on mature truth is {proven} {more}worse than when it was promoted"
            return sentence + (", by bets on every truth" if detector == "bets" else "")
        case new_truths(count=count):
            return f"{spoken_count(count, 'new truth')} {'has' if count == 1 else 'have'} matured"
        case every():
            return _say_schedule(condition)
        case at_least() | at_most() if isinstance(condition.what, str) and condition.what in METRICS:
            return _say_bound_of_metric(condition, condition.what)
        case at_least() | at_most() if isinstance(condition.what, Reading | Arithmetic | calendar):
            return f"{say_figure(voice, condition.what)}, is {spoken_bound(condition, kind_of(condition.what))} on average"
        case always() | at_least() | at_most() | one_of() | fresh() | usual_volume() | meets():
            return _say_row(voice, condition)


def say_measure(voice: Voice, on: object) -> str:
    """What is measured: a metric (none: the model's own), money, a figure of traffic, or what a function of the user's says."""
    if isinstance(on, cost):
        missed, alarm = (_say_cost(voice, side) for side in (on.missed, on.false_alarm))
        return f"cost (a miss costs {missed}, a false alarm {alarm})"
    if isinstance(on, Reading | Arithmetic | calendar):
        return say_figure(voice, on)
    if isinstance(on, outcome):
        what = f"the total of “{on.name}”" if on.total else f"the chance of any “{on.name}”"
        return f"{what} told within {spoken_span(on.next)}, per {voice.split}"
    return spoken_metric(name_of(on, voice.model.metric))


def say_among(voice: Voice, word: AnyReading | RowCondition) -> str:
    """What must hold for a question to be asked: "there were orders over the last 91 days"."""
    if not isinstance(word, Reading | Arithmetic | calendar):
        return _say_row(voice, word)
    if isinstance(word, Reading) and word.verb in ("any", "none"):
        return _say_there(voice, word, "there were" if word.last is not None else "there are")
    return f"{say_possession(voice, word)} is yes"


def say_void(voice: Voice, word: AnyReading | RowCondition) -> str:
    """What makes a truth void: "there turn out to be stockouts in the time predicted"."""
    if not isinstance(word, Reading | Arithmetic | calendar):
        return _say_row(voice, word)
    if isinstance(word, Reading) and word.verb in ("any", "none"):
        return _say_there(voice, word, "there turn out to be")
    if isinstance(word, Reading) and word.verb == "outcome" and word.kind == "yes or no":
        return say_reading(voice, word).removeprefix("whether ")
    return f"{say_possession(voice, word)} is yes"


def say_step(voice: Voice, step: Step) -> str:
    """One step of a roll-out."""
    match step:
        case shadow(span=span):
            return f"answer in shadow for {spoken_span(span)}"
        case canary(shares=shares, every=often):
            partial = [share for share in shares if share < 1]
            return f"answer {spoken_list(map(spoken_share, partial))} of {voice.splits}, a step {spoken_every(often)}" if partial else ""
        case ab(share=share, wins_when=wins, within=within, alone=alone):
            proven = ", and ".join(say_condition(voice, win) for win in wins)
            by_itself = ", judged as if there were no other test" if alone else ""
            return f"test on {spoken_share(share)} of {voice.splits} and keep it only if, within {spoken_span(within)}, {proven}{by_itself}"
        case bandit(floor=floor, wins_when=wins, within=within):
            proven = ", and ".join(say_condition(voice, win) for win in wins)
            move = f"{voice.splits} move to whichever of the two does better, at least {spoken_share(floor)} to each"
            return f"test on half of {voice.splits}, while {move}, and keep it only if, within {spoken_span(within)}, {proven}"


# -- one kind of condition each ----------------------------------------------------------------------------------------------------


def _say_against(voice: Voice, condition: Against) -> str:
    measure = say_measure(voice, condition.on)
    sure = "" if condition.confidence == 0.95 else f", with {spoken_share(condition.confidence)} confidence"
    match condition:
        case beats_champion(by=by):
            how = f"{f'at least {spoken_share(by)} ' if by else ''}better than the champion"
        case as_good_as_champion(margin=margin):
            how = f"no more than {spoken_share(margin)} worse" if margin else "no worse than the champion"
        case worse_than_champion(by=by):
            how = f"{f'more than {spoken_share(by)} ' if by else ''}worse than the version it replaced"
    found = getattr(condition, "finds", None)
    enough = f", on no fewer questions than it takes to find {spoken_share(found)} in nine contests of ten" if found else ""
    return f"proven {how} on {measure}{sure}{enough}"


def _say_fair(voice: Voice, condition: fair_across) -> str:
    group = say_possession(voice, condition.reading)
    if condition.on is None:
        served = f"told yes at least {spoken_share(condition.ratio)} as often as the best-off"
    else:
        served = f"served at least {spoken_share(condition.ratio)} as well, by {spoken_metric(condition.on)}, as the best-off"
    return f"it is proven that the worst-off group by {group} is {served}"


def _say_drifted(voice: Voice, condition: drifted) -> str:
    match condition.what:
        case "inputs":
            what = "any input"
        case "answers":
            what = "what it answers"
        case str(name):
            what = spoken_name(name)
        case reading:
            what = say_reading(voice, reading)
    floor = "" if condition.psi is None else f" (and by a PSI of at least {spoken_number(condition.psi)})"
    if condition.share is not None:
        return f"inputs that carry at least {spoken_share(condition.share)} of the answers drift beyond their own habit{floor}"
    return f"{what} drifts beyond its own habit{floor}"


def _say_schedule(clock: every) -> str:
    have = "has" if spoken_span(clock.span).startswith("1 ") and " and " not in spoken_span(clock.span) else "have"
    at = f", at {clock.at} {spoken_zone(clock.zone)}".rstrip() if clock.at else ""
    return f"{spoken_span(clock.span)} {have} passed since the last training{at}"


def _say_bound_of_metric(condition: at_least | at_most, name: str) -> str:
    word = "at least" if isinstance(condition, at_least) else "at most"
    bound = f"{word} {spoken_share(condition.value)}" if name == "errors" else spoken_bound(condition)
    return f"{spoken_metric(name)} is {bound}"


def _say_row(voice: Voice, condition: RowCondition) -> str:
    what = getattr(condition, "column", None) or getattr(condition, "what", "")
    if isinstance(what, Reading | Arithmetic | calendar) and isinstance(condition, at_least | at_most | one_of):
        return f"{say_possession(voice, what).removeprefix('whether ')} is {spoken_bound(condition, kind_of(what))}"
    several = (voice.model.per, *voice.model.sources) if isinstance(voice.model.per, Source) else voice.model.sources
    source = next((source for source in several if what in source.every_column), several[0])
    return spoken_row_condition(condition, source)


def _say_there(voice: Voice, reading: Reading, there: str) -> str:
    no = "no " if reading.verb == "none" else ""
    predicts = voice.model.predicts
    with_truth = reading.next is not None and isinstance(predicts, Reading) and reading.next == (predicts.next or predicts.within)
    when = " in the time predicted" if with_truth else say_window(reading)
    return f"{there} {no}{voice.rows(reading.source)}{say_of_whom(voice, reading)}{when}"


def _say_cost(voice: Voice, side: float | AnyReading) -> str:
    if isinstance(side, Reading) and side.verb == "given":
        return f"the {spoken_column(side.columns[0])}"
    if isinstance(side, Reading | Arithmetic | calendar):
        return say_reading(voice, side)
    kinds = {kind for source in voice.model.sources for kind in source.columns.values() if isinstance(kind, money) and kind.currency}
    return spoken_amount(side, kinds.pop()) if len(kinds) == 1 else f"{spoken_number(side)} minor units"
