"""How a model is said: what it predicts, what it knows, how it learns, and how it is kept right; a paragraph each.

In: the voice that reads. Out: paragraphs, not yet broken into lines. No clock, no disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from everloop.project.columns import money, unit
from everloop.project.conditions import only_new, outcome, search, since_change, worse_than_champion
from everloop.project.learner import is_function
from everloop.project.reading import AnyReading, Arithmetic, Reading, calendar, leaves
from everloop.project.shape import figure_known_after
from everloop.project.source import Source
from everloop.project.spoken_conditions import Condition, say_among, say_condition, say_step, say_void
from everloop.project.spoken_readings import kind_of, say_reading, say_readings
from everloop.project.spoken_values import (
    plural,
    spoken_column,
    spoken_every,
    spoken_list,
    spoken_number,
    spoken_share,
    spoken_span,
    spoken_zone,
)
from everloop.project.spoken_voice import Voice, one_of_a
from everloop.project.steps import Step, ab, bandit, shadow

if TYPE_CHECKING:
    from everloop.project.model import Model

_FED = {"numbers": "plain numbers", "arrow": "Arrow tables", "pandas": "pandas frames"}
_AHEAD = {timedelta(days=1): "day ahead", timedelta(hours=1): "hour ahead", timedelta(minutes=1): "minute ahead"}
_DECISIONS = {"retrain": "retrains", "promote": "promotes", "roll_back": "rolls back"}
_NOBODY = "the owner of the house"


# -- what it predicts --------------------------------------------------------------------------------------------------------------


def say_question(voice: Voice) -> str:
    """What is predicted, for whom, when, and in which shape; what a request carries; when the truth is known."""
    model = voice.model
    sentences = [" ".join((model.about or "").split()), _say_predicts(voice)]
    if model.among:
        sentences.append(f"It is asked only where {' and '.join(say_among(voice, word) for word in model.among)}.")
    if model.candidates:
        sentences.append(f"It chooses among {spoken_list(say_reading(voice, reading) for reading in model.candidates)}.")
    carried = spoken_list(spoken_column(column) for column in model.request)
    sentences += [f"It answers with {_say_answer(model)}.", f"A request carries {carried}.", _say_maturity(model)]
    if model.void_when:
        sentences.append(f"It is void where {' or '.join(say_void(voice, word) for word in model.void_when)}.")
    if sentences[0] and sentences[0][-1] not in ".!?":
        sentences[0] += "."
    return " ".join(filter(None, sentences))


def _say_predicts(voice: Voice) -> str:
    model = voice.model
    about_rows = any(reading.verb == "outcome" for reading in leaves(model.predicts)) and isinstance(model.per, Source)
    each = "" if about_rows else f", for each {spoken_list(voice.nouns)}"
    return f"{model.name} predicts {say_reading(voice, model.predicts)}{each}, {_say_asked(model)}."


def _say_asked(model: Model) -> str:
    clock = model.asked
    if clock is not None:
        return f"asked {spoken_every(clock.span)}" + (f" at {clock.at} {spoken_zone(clock.zone)}".rstrip() if clock.at else "")
    if isinstance(model.per, Source) and model.per.time:
        return f"asked when the {one_of_a(model.per)} comes in"
    return "asked at any time"


def _say_answer(model: Model) -> str:
    shape = model.shape
    match shape.kind:
        case "quantiles":
            return f"the {spoken_list(map(spoken_share, shape.levels))} quantiles{_say_unit(model.predicts)}"
        case "ranking":
            return f"the {shape.most:,} likeliest, in order"
        case "chance":
            return "a chance" + ("" if shape.yes_above is None else f"; above {spoken_share(shape.yes_above)} it says yes")
        case "shares":
            return f"a chance for each {spoken_list(spoken_column(r.columns[0]) for r in leaves(model.predicts))}"
        case _:
            return f"a number{_say_unit(model.predicts)}"


def _say_unit(predicts: AnyReading) -> str:
    kind = kind_of(predicts)
    if isinstance(kind, money):
        return f", in {kind.currency or 'its own currency'}, in minor units"
    return f", in {kind.symbol}" if isinstance(kind, unit) else ""


def _say_maturity(model: Model) -> str:
    if not any(reading.next or reading.within for reading in leaves(model.predicts)):
        return "A truth is mature as soon as it is there."
    return f"A truth is mature {spoken_span(model.matures_after)} after the question and decides nothing before."


# -- what it knows -----------------------------------------------------------------------------------------------------------------


def say_knowledge(voice: Voice) -> str:
    """What it knows, what the learner is, and how it is fed."""
    model = voice.model
    sentences = [f"It knows {'; '.join(say_readings(voice, model.knows))}."]
    rows, learner = spoken_list(_row_nouns(voice)), say_learner(model.learner)
    sentences.append(
        f"The learner is {learner}, fed {_FED[model.fed_as]}: a row for each {rows}, a column for each thing known, in this order."
    )
    if model.tune is not None:
        sentences.append(f"Each time it tries {_say_search(model.tune)}.")
    return " ".join(sentences)


def _row_nouns(voice: Voice) -> list[str]:
    model = voice.model
    each = next((reading.each for reading in leaves(model.predicts) if reading.each and model.steps > 1), None)
    ranked = [spoken_column(r.columns[0]) for r in leaves(model.predicts) if r.verb == "which"]
    step = [_AHEAD.get(each, "step ahead")] if each else []
    return [*voice.nouns, *ranked, *step, *(["moment"] if model.asked is not None else [])]


def say_learner(learner: object) -> str:
    """What learns, or answers first: a function, a learner for each quantile, an object with a name of its own, or its class."""
    if isinstance(learner, Mapping):
        kinds = list(dict.fromkeys(say_learner(one) for one in learner.values()))
        what = f"{len(learner)} {kinds[0]}s" if len(kinds) == 1 else f"{len(learner)} learners ({spoken_list(kinds)})"
        return f"{what if len(learner) > 1 else kinds[0]}, one for each quantile"
    if is_function(learner):
        return f"the function {getattr(learner, '__module__', '')}.{getattr(learner, '__qualname__', '')}"
    named = type(learner).__str__ is not object.__str__ and not hasattr(learner, "fit")
    return " ".join(str(learner).split()) if named else type(learner).__name__


def _say_search(tune: search) -> str:
    words = []
    for name, values in tune.ranges.items():
        if isinstance(values, tuple):
            low, high = values
            wide = " (log scale)" if low > 0 and high / low >= 100 else ""
            words.append(f"{name} from {_number(low)} to {_number(high)}{wide}")
        else:
            words.append(f"{name} {spoken_list(map(_number, values), 'or')}")
    many = "settings" if tune.trials is None else f"{tune.trials:,} setting{'' if tune.trials == 1 else 's'}"
    ends = [] if tune.seconds is None else [f"{spoken_span(timedelta(seconds=tune.seconds))} of trying are over"]
    ends += [] if tune.money is None else [f"{_number(tune.money)} is spent by [prices]"]
    until = f", until {spoken_list(ends, 'or')}" if ends else ""
    return f"{many} of {spoken_list(words)}{until}"


def _number(value: object) -> str:
    return repr(value) if isinstance(value, float) else spoken_number(value)


# -- how it learns -----------------------------------------------------------------------------------------------------------------


def say_learning(voice: Voice) -> str:
    """What it learns from, what it is judged on, and who answers until something better is proven."""
    model = voice.model
    sentences = [f"It {_say_learns_from(model)}, and is judged on {_say_holdout(model)}."]
    if model.one_per:
        own = "its own champion, its own judgement, its own way back"
        sentences.append(f"Each {spoken_column(model.one_per)} has a model of its own: {own}.")
    sentences.append(f"Until something better is proven, {_say_baseline(voice)}.")
    if model.control:
        sentences.append(f"{spoken_share(model.control)} of {voice.splits} keep the baseline for good, so the lift stays measurable.")
    return " ".join(sentences)


def _say_learns_from(model: Model) -> str:
    if isinstance(model.learns_from, only_new):
        return "goes on from the champion with what is new"
    if isinstance(model.learns_from, since_change):
        return "learns from what happened since the newest change that was found, or from everything known"
    return f"learns from {'everything known' if model.learns_from is None else f'the last {spoken_span(model.learns_from)}'}"


def _say_holdout(model: Model) -> str:
    if isinstance(model.holdout, timedelta):
        return f"the newest {spoken_span(model.holdout)}, after a gap as long as a truth takes"
    if isinstance(model.per, Source) and not model.per.time and model.asked is None:
        share = 0.2 if model.holdout is None else model.holdout
        return f"{spoken_share(share)} of {plural(one_of_a(model.per))}, picked by id"
    return "the newest fifth, after a gap as long as a truth takes"


def _say_baseline(voice: Voice) -> str:
    if voice.model.leans_on is not None:
        return f"{voice.model.leans_on.name} answers"
    said, first = voice.model.baseline, voice.model.baseline_reading
    if first is None:
        return "the answer is the average truth"
    if not isinstance(first, Reading | Arithmetic | calendar):
        return f"{say_learner(first)} answers"
    if said is not None:
        return f"the answer is {say_reading(voice, first)}"
    if isinstance(first, Reading) and first.verb == "which":
        return f"the answer is the {plural(spoken_column(first.columns[0]))} the {spoken_list(voice.nouns)} had most so far"
    return f"the past repeats itself: the answer is {say_reading(voice, first)}"


# -- how it is kept right ----------------------------------------------------------------------------------------------------------


def say_policy(voice: Voice) -> str:
    """When it is promoted, rolled out, rolled back and retrained; who is told; who decides."""
    model = voice.model
    budget = f"; at most {spoken_span(model.budget)} of training in any 7 days" if model.budget else ""
    sentences = [
        _say_when(voice, "Promote when", model.promote_when, "and") or "Promote whatever was trained.",
        _say_roll_out(voice),
        _say_when(voice, "Roll back when", model.roll_back_when, "or") or "Only a person rolls it back.",
        _say_when(voice, "Retrain when", model.retrain_when, "or", budget) or f"Only a person has it retrained{budget}.",
        _say_when(voice, f"Tell {model.owner or _NOBODY} when", model.tell_when, "or"),
        _say_autonomy(model),
    ]
    return " ".join(filter(None, sentences))


def _say_when(voice: Voice, what: str, conditions: tuple[Condition, ...], join: str, more: str = "") -> str:
    clauses = f", {join} ".join(say_condition(voice, condition) for condition in conditions)
    return f"{what} {clauses}{more}." if clauses else ""


def _say_roll_out(voice: Voice) -> str:
    model = voice.model
    steps = [step for step in (say_step(voice, step) for step in model.roll_out) if step]
    if not model.roll_out:
        return "Roll out: answer all at once."
    if not isinstance(model.roll_out[-1], ab | bandit):
        steps.append("all" if any("answer" in step and "shadow" not in step for step in steps) else "answer all")
    feared = [condition for condition in model.roll_back_when if isinstance(condition, worse_than_champion)]
    figures = [figure_known_after(c.on) for c in feared if isinstance(c.on, outcome | Reading | Arithmetic)]
    blind = min([first_truth(model), *figures]) > length_of_roll_out(model)
    only = "only errors, latency and odd answers can stop a roll-out"
    found = f" The first truth takes {spoken_span(first_truth(model))}, longer than that: {only}." if blind else ""
    own = ""
    if model.answer_changes_truth:
        own = f" What it answers changes what comes of it: in a roll-out each version is judged by what comes of its own {voice.splits}."
    return f"Roll out: {', then '.join(steps)}.{found}{own}"


def first_truth(model: Model) -> timedelta:
    """How long the first truth of a question takes: with ``each=`` that of its first step."""
    eaches = [reading.each for reading in leaves(model.predicts) if reading.each is not None and reading.next is not None]
    if not eaches:
        return model.matures_after
    late = max((reading.source.late for reading in leaves(model.predicts)), default=timedelta(0))
    return min(model.matures_after, max(eaches) + late)


def length_of_roll_out(model: Model) -> timedelta:
    """How long a roll-out takes, if nothing stops it, until everybody is answered."""
    return sum(map(_length, model.roll_out), timedelta(0))


def _length(step: Step) -> timedelta:
    if isinstance(step, shadow):
        return step.span
    return step.within if isinstance(step, ab | bandit) else step.every * sum(share < 1 for share in step.shares)


def _say_autonomy(model: Model) -> str:
    by_level: dict[str, list[str]] = {"act": [], "suggest": [], "observe": []}
    for decision in _DECISIONS:
        by_level[model.autonomy[decision]].append(decision)
    acts, suggests = (spoken_list(_DECISIONS[d] for d in by_level[level]) for level in ("act", "suggest"))
    words = [f"{acts} by itself"] if acts else []
    words += [f"{suggests} when {model.owner or _NOBODY} agrees"] if suggests else []
    if by_level["observe"]:
        words.append(f"only says when it would {spoken_list((d.replace('_', ' ') for d in by_level['observe']), 'or')}")
    return f"It {spoken_list(words)}."
