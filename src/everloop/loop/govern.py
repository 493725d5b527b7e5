"""The governor: why a wish to learn again has to wait. Pure; what happened before comes in as ``Memory``. A person is never governed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from everloop.project.model import Model
from everloop.project.spoken_values import spoken_span
from everloop.settings import Governor

ENOUGH = 0.1
"""After failures, much new truth is a tenth of what the last candidate learnt from."""
STANDS = "it does not go on, for "
"""How a reason begins why a roll-out takes no step."""
WATCH = "watch"
"""The cause of a turn that moves or takes back what answers and learns nothing: who runs its steps says when (``turn --no-learning``)."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What happened before, as far as it bears on this decision."""

    cause: str = "schedule"
    last_trained_at: datetime | None = None  # to take over; a rehearsal is none
    rehearsed_at: datetime | None = None  # when the newest candidate of all was learnt, one of a rehearsal too
    evidence: str | None = None  # what came of that, as a clause
    drift_told_at: datetime | None = None  # since when drift has been told of that nothing was learnt from
    ever_learnt: bool = False  # a learned version has been champion
    truths: int = 0  # mature truths there are to learn from
    waiting: tuple[str, ...] = ()  # the actions people were asked about and have not answered yet
    spent: timedelta = timedelta(0)  # hours of training in the last 7 days
    plan: Literal["advance", "promote", "finish", "divide"] | None = None  # what the roll-out plan says is due
    runs_today: int = 0  # trainings in the last 24 hours
    runs_this_week: int = 0
    money_today: float = 0.0  # what the trainings of the last 24 hours cost, by the declared prices
    money_this_week: float = 0.0
    failures: int = 0  # candidates in a row that came to nothing
    learnt_rows: int = 0  # what the newest candidate learnt from
    promoted_at: datetime | None = None  # since when the champion answers everybody
    broken_at: datetime | None = None  # when the data was last found broken, within the time a truth takes
    season_at: datetime | None = None  # when a season was last out of the ordinary, as far back as a slip looks
    nothing: str | None = None  # why there is nothing yet to be turned for
    limits: Governor = field(default_factory=Governor)


def forbidden(model: Model, memory: Memory, fresh: int | None, *, now: datetime) -> str | None:
    """Why a wish to retrain has to wait, as a clause, the first reason there is; None if it need not. ``fresh``: truths nobody has learnt
    from (None: nothing was answered, so nothing can be said of that).
    """
    return next(_reasons(model, memory, fresh, now), None)


def _reasons(model: Model, memory: Memory, fresh: int | None, now: datetime) -> Iterator[str]:
    limits = memory.limits
    if model.autonomy["retrain"] == "observe":
        yield "it only observes"
    if memory.waiting:
        yield f"a question is waiting for an answer (everloop approve {model.name})"
    if memory.last_trained_at is not None and now - memory.last_trained_at < max(model.matures_after, limits.cooldown):
        longer = model.matures_after >= limits.cooldown
        why = "a truth takes longer than that" if longer else f"{spoken_span(limits.cooldown)} have to pass before it is trained again"
        yield f"it was trained at {memory.last_trained_at:%Y-%m-%d %H:%M} UTC, and {why}"
    if model.budget is not None and memory.spent >= model.budget:
        spent = spoken_span(_whole_seconds(memory.spent))
        yield f"it has been trained for {spent} in 7 days, and its budget is {spoken_span(model.budget)}"
    if memory.runs_today >= limits.runs_a_day:
        yield f"it has been trained {_times(memory.runs_today)} in 24 hours, and {_times(limits.runs_a_day)} is the most"
    if memory.runs_this_week >= limits.runs_a_week:
        yield f"it has been trained {_times(memory.runs_this_week)} in 7 days, and {_times(limits.runs_a_week)} is the most"
    yield from _dear("24 hours", memory.money_today, limits.money_a_day)
    yield from _dear("7 days", memory.money_this_week, limits.money_a_week)
    if memory.last_trained_at is not None and fresh is not None:
        if memory.failures >= limits.failures:
            enough = max(limits.fresh_truths, round(ENOUGH * memory.learnt_rows))
            if fresh < enough:
                yield (
                    f"the last {memory.failures} candidates came to nothing; it waits for {enough:,} new truths ({fresh:,} have come), "
                    f"or for a person (everloop turn {model.name} --retrain)"
                )
        if fresh < limits.fresh_truths:
            yield f"only {fresh:,} truths have matured that nobody has learnt from, of {limits.fresh_truths:,} that it takes"


def _dear(span: str, cost: float, most: float | None) -> Iterator[str]:
    if most is not None and cost >= most:
        yield f"{span} of training have cost {cost:,.2f}, and {most:,.2f} is the most"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _whole_seconds(span: timedelta) -> timedelta:
    """What was begun counts whole: a limit that is reached is never said to lie above what was spent."""
    return -(-span // timedelta(seconds=1)) * timedelta(seconds=1)
