"""Every mistake of a model, told together: what it predicts, whom it is asked about, what it knows, how it learns. Values only.

In: a model as said. Out: mistakes with their lines and cures, none if it can be meant. The clauses of its life are judged in clauses.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from everloop.errors import Mistake, ProjectError
from everloop.project import refuse
from everloop.project.belongs import misplaced, stands_in
from everloop.project.clauses import clause_mistakes
from everloop.project.conditions import always, only_new, quantiles, search, since_change, yes_above
from everloop.project.learner import can_answer, is_function, learner_mistakes, learner_repr, no_such_settings
from everloop.project.metrics import PLURAL
from everloop.project.reading import Arithmetic, Reading, calendar, column_names, is_reading, leaves
from everloop.project.resolve import all_readings, candidate_column, carried, key_columns, readings_in
from everloop.project.said import said
from everloop.project.source import Source
from everloop.project.spans import every
from everloop.project.whose import whose_mistakes

if TYPE_CHECKING:
    from everloop.project.model import Model

# Columns of a training set beside those a model knows.
TAKEN = ("question", "moment", "unit", "row", "step", "item", "relevant", "before", "baseline", "truth")


def mistakes_of(model: Model, positions: tuple[int, ...]) -> list[Mistake]:
    """All mistakes of one model; ``positions`` are the places of its readings in the user's own list ``knows``."""
    wrong = list(_shapeless(model))
    if not wrong:
        wrong += list(_predicting(model))
        unknown = list(_asking(model))
        wrong += unknown
        if any(" which no source it reads has." in m.what for m in unknown):
            return wrong  # every further mistake would follow from it
        for check in (
            _knowing(model, positions),
            _naming(model),
            whose_mistakes(model),
            _learning(model),
            _narrowing(model),
            _splitting(model),
        ):
            wrong += list(check)
        wrong += clause_mistakes(model)
    return wrong + list(_autonomy(model))


def tell(model: Model, what: str, cure: str = "", keyword: str | None = None) -> Mistake:
    """A mistake on the line of one of the model's keywords."""
    return refuse.mistake(what, cure, place=model.place, keyword=keyword, words=("Model", "but"))


def told(check: Callable[..., None], *values: Any, **words: Any) -> list[Mistake]:
    """The mistakes a check raises."""
    try:
        check(*values, **words)
    except ProjectError as error:
        return list(error.mistakes)
    return []


def _shapeless(model: Model) -> Iterator[Mistake]:
    name = model.name
    if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
        yield tell(model, f"Model({name!r}) is no name.", "Say it in small letters, digits and underscores.")
    if isinstance(model.predicts, tuple | list):
        yield tell(model, f"{name} predicts several things at once.", "A model predicts one; say another model with .but(…).", "predicts")
    elif not isinstance(model.predicts, Reading | Arithmetic):
        yield tell(model, f"{name} predicts {said(model.predicts)}, which is no reading.", "Say orders.total(…, next=days(7)).", "predicts")
    if not isinstance(model.per, Source) and (not model.per or not all(isinstance(c, str) for c in model.per)):
        yield tell(model, f"{name}: per={said(model.per)} is neither a column nor a source.", keyword="per")
    for column in _unit_instants(model):
        what = f"{name}: per={said(model.per)}: {column} is an instant, and a unit has to be the same text everywhere."
        yield tell(model, what, "Declare it as str, or ask every day with asked=every(days(1)).", "per")
    if not model.knows:
        yield tell(model, f"{name} knows nothing.", "Say knows=[…] with at least one reading.", "knows")
    for keyword in ("knows", "candidates"):
        for word in getattr(model, keyword):
            if not is_reading(word):
                yield tell(model, f"{name}: {said(word)} in {keyword} is no reading.", "Say readings, such as orders.count(…).", keyword)
    for keyword, kinds in (("asked", every), ("tune", search), ("answers", (yes_above, quantiles))):
        word = getattr(model, keyword)
        if word is not None and not isinstance(word, kinds):
            yield misplaced(name, word, keyword, model.place)
    for keyword in ("split_by", "one_per", "owner", "about"):
        word = getattr(model, keyword)
        if word is not None and not isinstance(word, str):
            yield tell(model, f"{name}: {keyword}={said(word)} is no name.", keyword=keyword)
    names = sources_named_twice(model)
    if names:
        yield tell(model, f"{name} reads two different sources called {names[0]}.", "Give one of them another name.")


def _unit_instants(model: Model) -> list[str]:
    """Columns of the unit that some source declares as an instant or a day."""
    if isinstance(model.per, Source):
        return []
    kinds = [(c, r.source.every_column.get(c)) for r in all_readings(model) for c in model.per if isinstance(c, str)]
    return list(dict.fromkeys(column for column, kind in kinds if kind is date or kind is datetime))


def sources_named_twice(model: Model) -> list[str]:
    """Names that two different sources of one model share."""
    seen: dict[str, Source] = {}
    asked = [model.per.base] if isinstance(model.per, Source) else []
    every_one = asked + [r.source.base for r in all_readings(model)]
    return [source.name for source in every_one if seen.setdefault(source.name, source) != source]


def _predicting(model: Model) -> Iterator[Mistake]:
    name, predicted = model.name, model.predicts
    for reading in leaves(predicted):
        if reading.next is None and reading.verb != "outcome":
            ahead = said(reading.last or timedelta(days=7))
            cure = f"A truth lies ahead: say next={ahead}, or .outcome(…) for a column that is filled in later."
            yield refuse.mistake(f"{name} predicts what is already known.", cure, place=reading.place)
            break
    if predicted.kind in ("text", "instant"):
        yield refuse.mistake(
            f"{name} predicts {predicted.name}, which is {predicted.kind}; no learner answers that.", place=predicted.place
        )
    if isinstance(predicted, Reading) and predicted.verb == "which":
        if not model.candidates:
            cure = f"Say candidates=[{predicted.source.called}.which({predicted.column!r}, last=days(365), most=50)]."
            yield tell(model, f"{name} predicts a list, but not what it is chosen from.", cure, "predicts")
    elif model.candidates:
        yield tell(model, f"{name} predicts no list, so it has no candidates.", "Leave candidates out.", "candidates")
    column = candidate_column(model)
    for candidate in model.candidates if column is not None else ():
        if not isinstance(candidate, Reading) or candidate.verb != "which" or candidate.column != column:
            what = f"{name}: candidates are which({column!r}, last=…) readings, and {candidate!r} is none."
            yield refuse.mistake(what, place=candidate.place)


def _asking(model: Model) -> Iterator[Mistake]:
    name, per = model.name, model.per
    if isinstance(per, Source):
        if model.asked is not None:
            what = f"{name} is asked once for each of the {per.name}, so asked= has nothing to say."
            yield tell(model, what, "Leave asked= out, or say per=<a column>.", "asked")
        return
    known = {c: k for s in model.sources for c, k in s.every_column.items()}
    for column in per:
        if column not in known:
            hint = refuse.did_you_mean(column, known)
            cure = "" if hint else f"They have {refuse.listed(sorted(key_columns(known)))}."
            yield tell(model, f"{name} is asked per {column}, which no source it reads has.{hint}", cure, "per")
            return
    if model.asked is None:
        cure = "Add asked=every(days(1)), or say per=<a source> to be asked once for each of its rows."
        yield tell(model, f"{name} is asked per {' and '.join(per)}, but not when.", cure, "per")


def not_known_then(name: str, where: str, reading: Reading) -> Mistake:
    """A reading that looks ahead where it would inform."""
    if reading.verb == "outcome":
        what = f"{name}, {where}: outcome(…) is not known when the question is asked."
        cure = f"Say {reading.source.name}.given({reading.column!r}) for what the caller says. Only a judge may look ahead: predicts."
    else:
        ahead = said(reading.next)
        what = f"{name}, {where}: next={ahead} is not known when the question is asked."
        judges = "Only a judge may look ahead: predicts, void_when, a test."
        cure = f"Say last={ahead}; or .planned(…) for what was announced beforehand. {judges}"
    return refuse.mistake(what, cure, place=reading.place)


def _knowing(model: Model, positions: tuple[int, ...]) -> Iterator[Mistake]:
    places: list[tuple[str, object]] = [(f"knows[{at}]", word) for at, word in zip(positions, model.knows, strict=True)]
    places += [("among", word) for word in model.among] + [("candidates", word) for word in model.candidates]
    places += [("baseline", model.baseline)] if is_reading(model.baseline) else []
    for where, word in places:
        for reading in readings_in(word):
            if reading.verb != "planned" and reading.looks_ahead:
                yield not_known_then(model.name, where, reading)
    predicted = {(r.source.name, r.column) for r in leaves(model.predicts) if r.verb == "outcome"}
    for reading in readings_in(model.knows):
        if reading.verb == "given" and (reading.source.name, reading.column) in predicted:
            cure = f"Leave {reading.column} out: {reading.source.name}.given(…) with the columns the caller knows."
            yield refuse.mistake(f"{model.name} is given {reading.column}, which is what it predicts.", cure, place=reading.place)
    for word in model.knows:
        if word.kind == "list":
            what = f"{model.name}: {word.name} is a list, and a learner is fed one value at a time."
            yield refuse.mistake(what, "Say count(…, per=…) of each, or distinct(…).", place=word.place)
        elif word.kind in ("category", "text") and model.fed_as == "numbers":
            kind = "a category" if word.kind == "category" else "text"
            reads = "categories" if word.kind == "category" else "text"
            cure = f'Say fed_as="arrow" or "pandas", with a learner that reads {reads}; none is turned into codes behind your back.'
            yield refuse.mistake(f"{model.name}: {word.name} is {kind}, and the learner is fed numbers.", cure, place=word.place)


def _naming(model: Model) -> Iterator[Mistake]:
    seen: dict[str, Any] = {}
    for word in model.knows:
        for name in column_names(word):
            if name in TAKEN:
                what = f"{model.name} cannot know something called {name}: a training set has a column of its own under that name."
                yield refuse.mistake(what, 'Call it something else: .named("…").', place=word.place)
            elif name in seen:
                other = seen[name].place
                where = f"{other.file.rsplit('/', 1)[-1]}:{other.line}"
                cure = f'Call one of them something else: .named("…"). The other is at {where}.'
                yield refuse.mistake(f"{model.name} knows two things called {name}.", cure, place=word.place)
            else:
                seen[name] = word


def _learning(model: Model) -> Iterator[Mistake]:
    name, kind = model.name, model.kind
    if model.fed_as not in ("numbers", "arrow", "pandas"):
        hint = refuse.did_you_mean(model.fed_as, ("numbers", "arrow", "pandas"))
        yield tell(model, f"{name}: fed_as={model.fed_as!r} is unknown.{hint}", 'It is "numbers", "arrow" or "pandas".', "fed_as")
    empty = next((r.name for r in model.knows if r.may_be_empty), None)
    yield from learner_mistakes(name, model.learner, empty, lambda what, cure: tell(model, what, cure, "learner"))
    if isinstance(model.answers, yes_above) and kind != "chance":
        yield tell(model, f"{name} answers with {PLURAL[kind]}, so no chance is above another.", "Leave yes_above out.", "answers")
    if kind == "quantiles" and not (isinstance(model.predicts, Arithmetic) or model.predicts.kind == "number"):
        yield tell(model, f"{name} predicts no number, so it has no quantiles.", keyword="answers" if model.answers else "learner")
    if isinstance(model.answers, quantiles) and isinstance(model.learner, Mapping) and tuple(sorted(model.learner)) != model.answers.levels:
        yield tell(model, f"{name}: the learners are for other quantiles than answers says.", "Leave answers out.", "answers")
    if not isinstance(model.learns_from, only_new | since_change) and model.learns_from is not None:
        yield from told(refuse.span, model.learns_from, place=model.place, keyword="learns_from")
    if model.budget is not None:
        yield from told(refuse.span, model.budget, place=model.place, keyword="budget")
    yield from _searching(model)
    yield from _holding_out(model)
    yield from _answering_first(model)


def _searching(model: Model) -> Iterator[Mistake]:
    """Settings are of a learner that begins anew, and it has to have them."""
    if model.tune is None:
        return
    if isinstance(model.learns_from, only_new):
        what = f"{model.name}: only_new() goes on from the champion, whose settings stand, and search(…) tries others."
        yield model.tune.mistake(what, "Leave tune= or learns_from= out.")
    for setting, known in no_such_settings(model.learner, model.tune.ranges):
        hint = refuse.did_you_mean(setting, known)
        yield model.tune.mistake(f"{model.name}: {type(model.learner).__name__} has no {setting} to search over.{hint}", keyword=setting)


def _answering_first(model: Model) -> Iterator[Mistake]:
    """Who answers until something better is proven must be able to, and in the same shape."""
    from everloop.project.model import Model as AnyModel

    name, baseline = model.name, model.baseline
    if isinstance(baseline, AnyModel):
        if _asked_as(baseline) != _asked_as(model):
            what = f"{name} and its baseline {baseline.name} do not answer the same questions in the same shape."
            yield tell(model, what, keyword="baseline")
    elif isinstance(baseline, type):
        what = f"{name}: the baseline is the class {baseline.__name__}, not one of its objects."
        yield tell(model, what, f"Say baseline={baseline.__name__}(…).", "baseline")
    elif baseline is not None and not is_reading(baseline) and not is_function(baseline) and not can_answer(baseline):
        what = f"{name}: the baseline, {learner_repr(baseline)}, cannot answer."
        yield tell(model, what, "Say a reading, a Model, or an object with predict.", "baseline")


def _asked_as(model: Model) -> tuple[object, ...]:
    return model.unit, model.kind, model.shape.levels, model.steps


def _holding_out(model: Model) -> Iterator[Mistake]:
    holdout = model.holdout
    if holdout is None or isinstance(holdout, timedelta):
        if holdout is not None:
            yield from told(refuse.span, holdout, place=model.place, keyword="holdout")
        return
    wrong = told(refuse.share, holdout, place=model.place, keyword="holdout", above_zero=True)
    yield from wrong
    if not wrong and any(source.time for source in model.sources):
        what = f"{model.name} has a time, so a random {holdout:g} held out would be judged on its own past."
        cure = "Say holdout=days(28): the newest are held out, after a gap as long as the truth takes."
        yield tell(model, what, cure, "holdout")


def _narrowing(model: Model) -> Iterator[Mistake]:
    can = carried(model)
    for keyword in ("among", "void_when"):
        for word in getattr(model, keyword):
            if isinstance(word, Reading | Arithmetic):
                if word.kind != "yes or no":
                    what = f"{model.name}: {word!r} in {keyword} is not yes or no."
                    yield refuse.mistake(what, f"Say at_least({word!r}, 1), or .any(…).", place=word.place)
            elif isinstance(word, calendar) or not stands_in(word, "among"):
                yield misplaced(model.name, word, keyword, model.place)
            else:
                column = word.column if isinstance(word, always) else word.what
                if isinstance(column, str) and column not in can:
                    carries = refuse.listed(sorted(can))
                    yield word.mistake(
                        f"{model.name}: no question carries {column}, so {keyword} cannot ask for it.", f"Questions carry {carries}."
                    )


def _splitting(model: Model) -> Iterator[Mistake]:
    can = carried(model)
    carries = f"Questions carry {refuse.listed(sorted(key_columns(can)))}."
    if model.split_by is not None and model.split_by not in can:
        yield tell(model, f"{model.name} splits traffic by {model.split_by}, which no question carries.", carries, "split_by")
    if model.one_per is not None and model.one_per not in can:
        yield tell(model, f"{model.name} has one champion for each {model.one_per}, which no question carries.", carries, "one_per")
    yield from told(refuse.share, model.control, place=model.place, keyword="control")
    if model.control == 1:
        yield tell(
            model, f"{model.name}: control=1 keeps everybody on the baseline for good.", "Say a share such as control=0.05.", "control"
        )
    if not isinstance(model.answer_changes_truth, bool):
        what = f"{model.name}: answer_changes_truth={said(model.answer_changes_truth)} is neither True nor False."
        yield tell(model, what, keyword="answer_changes_truth")


def _autonomy(model: Model) -> Iterator[Mistake]:
    from everloop.project.model import DECISIONS

    levels = ("observe", "suggest", "act")
    means = 'It is "observe" (signals only), "suggest" (a person approves) or "act".'
    for decision in model.autonomy:
        if decision not in DECISIONS:
            hint = refuse.did_you_mean(decision, DECISIONS)
            yield tell(
                model, f"{model.name}: autonomy has no decision {decision!r}.{hint}", f"It has {refuse.listed(DECISIONS)}.", "autonomy"
            )
    for level in dict.fromkeys(map(str, model.autonomy.values())):
        if level not in levels:
            yield tell(model, f"{model.name}: autonomy={level!r} is unknown.{refuse.did_you_mean(level, levels)}", means, "autonomy")
