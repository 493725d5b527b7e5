"""The clauses of a model's life: may each stand where it was said, and can it be meant? In: a model. Out: mistakes. Values only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from everloop.errors import Mistake
from everloop.project import refuse
from everloop.project.belongs import misplaced, stands_in
from everloop.project.conditions import (
    as_good_as_champion,
    at_least,
    at_most,
    beats_champion,
    cost,
    drifted,
    fair_across,
    is_figure,
    outcome,
    slipped,
    worse_than_champion,
)
from everloop.project.learner import is_function
from everloop.project.metrics import METRICS, OF_KIND, PLURAL, SERVING, by_arms, fits, name_of, needs_yes
from everloop.project.reading import Arithmetic, Reading, leaves
from everloop.project.resolve import readings_in
from everloop.project.said import Word, said
from everloop.project.shape import ahead_of
from everloop.project.steps import ab, bandit

if TYPE_CHECKING:
    from everloop.project.model import Model

LISTS = ("promote_when", "roll_out", "roll_back_when", "retrain_when", "tell_when")


def clause_mistakes(model: Model) -> list[Mistake]:
    """The mistakes of all five lists."""
    wrong = []
    for keyword in LISTS:
        for word in getattr(model, keyword):
            wrong += (
                list(_mistakes(model, word, keyword)) if stands_in(word, keyword) else [misplaced(model.name, word, keyword, model.place)]
            )
    return wrong


def _mistakes(model: Model, word: Word, keyword: str) -> Iterator[Mistake]:
    if isinstance(word, ab | bandit):
        yield from _test(model, word)
        return
    on = word.what if isinstance(word, at_least | at_most) else getattr(word, "on", None)
    if isinstance(on, str):
        yield from _metric(model, word, on, serving=isinstance(word, at_least | at_most), rehearsed=keyword == "promote_when")
    if _is_whole(on):
        yield from _as_a_whole(model, word, keyword)
    elif isinstance(on, cost):
        yield from _money(model, word)
    elif is_figure(on):
        yield from _figure(model, word, keyword)
    if isinstance(word, at_least | at_most) and word.share != 1:
        what = f"{model.name}: share={word.share:g} is a share of rows, and {keyword} knows none; what stands there is a mean over all."
        yield word.mistake(what, "Leave share= out, or say the condition in must of a Source.")
    if isinstance(word, worse_than_champion):
        yield from _by_arms(model, word)
    if isinstance(word, slipped):
        yield from _one_by_one(model, word)
    if isinstance(word, fair_across):
        yield from _fair(model, word)
    if isinstance(word, drifted | fair_across):
        from everloop.project.mistakes import not_known_then

        ahead = [r for r in readings_in(word.what if isinstance(word, drifted) else word.reading) if r.looks_ahead and r.verb != "planned"]
        yield from (not_known_then(model.name, keyword, r) for r in ahead)


def _metric(model: Model, word: Word, on: str, *, serving: bool = False, rehearsed: bool = False) -> Iterator[Mistake]:
    kind = model.kind
    have = OF_KIND[kind]
    if on in SERVING and serving:
        return
    if not fits(on, kind):
        others = refuse.listed(have)
        hint = "" if on in METRICS else refuse.did_you_mean(on, (*(m for m in METRICS if fits(m, kind)), *(SERVING if serving else ())))
        yield word.mistake(f"{model.name} answers with {PLURAL[kind]}, which have no {on}.{hint}", f"They have {others}.")
    elif METRICS[on].rehearsed and not rehearsed:
        others = refuse.listed([repr(name) for name in have if not METRICS[name].rehearsed], "or")
        what = f"{model.name}: {METRICS[on].spoken} is measured in what was learnt from, which is at hand in the rehearsal alone."
        yield word.mistake(what, f"It belongs in promote_when; here say {others}.")
    elif needs_yes(on, kind) and model.shape.yes_above is None:
        yield word.mistake(f"{model.name} says yes to nobody, so it has no {on}.", "Say answers=yes_above(0.5), or another chance.")


def _one_by_one(model: Model, word: slipped) -> Iterator[Mistake]:
    """A detector looks at one truth after the other, and not every metric can be told of one."""
    name = model.metric if word.on is None else word.on
    if word.detector is None or not isinstance(name, str) or not fits(name, model.kind) or by_arms(name, model.kind):
        return
    others = [repr(other) for other in OF_KIND[model.kind] if by_arms(other, model.kind) and not needs_yes(other, model.kind)]
    what = f"{model.name}: {name} cannot be told of one answer, and detector={word.detector!r} looks at one after the other."
    yield word.mistake(what, f"Say slipped(…) of {refuse.listed(others, 'or')}.", keyword="detector")


def _by_arms(model: Model, word: worse_than_champion | beats_champion | as_good_as_champion) -> Iterator[Mistake]:
    """Where the answer changes the truth each version is judged by its own units, and not every metric is a sum over units."""
    name = name_of(word.on, model.metric)
    judged = not is_figure(word.on) and (isinstance(word.on, cost) or fits(name, model.kind))
    if model.answer_changes_truth and judged and not by_arms(name, model.kind):
        others = refuse.listed([repr(other) for other in OF_KIND[model.kind] if by_arms(other, model.kind)], "or")
        # What no metric is said of may stand nowhere in the file.
        says = "roll_back_when=" * (word.on is None and isinstance(word, worse_than_champion)) + type(word).__name__
        yield refuse.mistake(
            f"{model.name}: {name} compares questions with one another, and the two arms of a split have none in common.",
            f"Say {says}(…) of {others}, or of a reading with next=.",
            place=model.place,
            keyword="answer_changes_truth",
            words=("Model", "but"),
        )


def _is_whole(on: object) -> bool:
    return is_function(on) or (isinstance(on, str) and on in METRICS and METRICS[on].whole)


def _as_a_whole(model: Model, word: Word, keyword: str) -> Iterator[Mistake]:
    """What is worked out of all questions at once has an interval only by drawing them anew, which is done at the gate alone."""
    if keyword != "promote_when" or isinstance(word, fair_across):
        name = name_of(getattr(word, "on", None) or getattr(word, "what", None), model.metric)
        what = f"{model.name}: {name} is worked out of all questions at once, which only the gate can judge."
        yield word.mistake(what, f"Say it in promote_when, or another measure in {keyword}.")


def _money(model: Model, word: Word) -> Iterator[Mistake]:
    # Without yes_above a cost still has a meaning: the chance from which a false alarm is cheaper than a miss says yes.
    if model.kind != "chance":
        what = f"{model.name} answers with {PLURAL[model.kind]}, which have neither misses nor false alarms."
        yield word.mistake(what, f"They have {refuse.listed(OF_KIND[model.kind])}.")


def _figure(model: Model, word: Word, keyword: str) -> Iterator[Mistake]:
    name = type(word).__name__
    if isinstance(word, slipped):
        yield word.mistake(
            f"{model.name}: slipped(…) compares a metric with itself, and {_other(word)} is none.", 'Say slipped("…") or drifted(…).'
        )
    elif keyword == "promote_when":
        what = f"{model.name}: what visitors do next is only seen in traffic, and promote_when is judged before."
        yield word.mistake(what, f"Move {name}(…) into roll_out=[…, ab(0.5, wins_when=[…], within=days(28))].")
    elif isinstance(word, at_least | at_most):
        yield from _a_number(model, word)
    else:
        yield from _looks_ahead(model, word)


def _other(word: slipped) -> str:
    return "an outcome" if isinstance(word.on, outcome) else "a reading"


def _a_number(model: Model, word: at_least | at_most) -> Iterator[Mistake]:
    on = word.what
    if isinstance(on, Reading | Arithmetic) and on.kind not in ("number", "yes or no"):
        what = f"{model.name}: {on.name} is no number, so it cannot be {'at least' if isinstance(word, at_least) else 'at most'} anything."
        yield refuse.mistake(what, "Say a total, a count, a mean, or .any(…).", place=on.place)


def _looks_ahead(model: Model, word: Word) -> Iterator[Mistake]:
    on = getattr(word, "on", None)
    if isinstance(on, outcome):
        return
    if isinstance(on, Reading | Arithmetic) and on.kind not in ("number", "yes or no"):
        kind = on.kind if on.kind == "text" else f"an {on.kind}" if on.kind == "instant" else f"a {on.kind}"
        what = f"{model.name}: {on.name} is {kind}, and people are counted by numbers, or yes and no."
        yield refuse.mistake(what, "Say a total, a count, a mean, or .any(…).", place=on.place)
    for reading in leaves(on):
        if reading.next is None:
            cure = f"Say next={said(reading.last or timedelta(days=7))}: what people do after the answer."
            what = f"{model.name}: {reading.name} looks back, so no version can change it."
            yield refuse.mistake(what, cure, place=reading.place)


def _test(model: Model, word: ab | bandit) -> Iterator[Mistake]:
    for win in word.wins_when:
        if not stands_in(win, "wins_when"):
            yield misplaced(model.name, win, "wins_when", word.place)
            continue
        if _is_whole(win.on):
            yield from _as_a_whole(model, win, "wins_when")
            continue
        if isinstance(win, beats_champion) and win.finds is not None:
            what = f"{model.name}: finds= is of a contest that is judged once; a test looks all the time, and ends when it is settled."
            yield win.mistake(what, "Leave finds= out, or say it in promote_when.", keyword="finds")
        yield from _by_arms(model, win)
        if isinstance(win.on, str):
            yield from _metric(model, win, win.on)
        elif isinstance(win.on, cost):
            yield from _money(model, win)
        elif isinstance(win.on, outcome):
            if win.on.known_after > word.within:
                known = _days(win.on.known_after)
                what = f"{model.name}: the test ends after {_days(word.within)}, but “{win.on.name}” takes {known} to be known."
                yield word.mistake(what, "Give the test longer, or look less far ahead.")
        elif win.on is not None:
            yield from _looks_ahead(model, win)
            for reading in leaves(win.on):
                if reading.next is not None and ahead_of(reading) > word.within:
                    what = (
                        f"{model.name}: the test ends after {_days(word.within)}, "
                        f"but {reading.name} takes {_days(ahead_of(reading))} to be known."
                    )
                    yield word.mistake(what, "Give the test longer, or look less far ahead.")


def _fair(model: Model, word: fair_across) -> Iterator[Mistake]:
    if word.on is None and model.shape.yes_above is None:
        cure = f'Say fair_across(…, on="{model.metric}") to compare how well each group is served'
        cure += ", or answers=yes_above(…)." if model.kind == "chance" else "."
        yield word.mistake(f"{model.name} says yes to nobody, so no group can be favoured.", cure)
    if word.reading.kind not in ("category", "yes or no"):
        yield word.mistake(f"{model.name}: {word.reading.name} makes no groups.", "Say a category, or yes and no.")


def _days(span: timedelta) -> str:
    """A span in words: 7 days, 1 hour, 90 minutes; mixed ones part by part."""
    parts, left = [], round(span.total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count:,} {unit}{'' if count == 1 else 's'}")
    return refuse.listed(parts) or "no time"
