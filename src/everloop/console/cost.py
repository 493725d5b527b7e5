"""Cost: what turning each model took and what of its budget is left; of one model, its month and every loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from everloop.console.page import Asking, Route, Shown
from everloop.loop.house import House
from everloop.loop.month import Month, month_of, spoken_month
from everloop.loop.spending import spoken_cost
from everloop.project.model import Model
from everloop.project.spoken_values import spoken_span
from everloop.registry.costs import Loop, loops
from everloop.stats.rounded import figure

SCREEN = 20
WEEK, LOOPS = timedelta(days=7), 30


@dataclass(frozen=True)
class Spent:
    """What the turns of one model took in seven days. ``budget`` says how much of what it may take is used; ``share`` the same as a number,
    None where there is no budget."""

    model: str
    turns: int
    cpu_seconds: float
    read: int | None
    written: int | None
    money: float | None
    budget: str
    share: float | None


def spent_by(house: House, models: Sequence[Model], now: datetime) -> tuple[Spent, ...]:
    """Each of these models, in the seven days before its last turn."""
    return tuple(_spent(house, model, now) for model in models)


def _spent(house: House, model: Model, now: datetime) -> Spent:
    last = house.turns.last(model.name)
    until = last.now if last is not None else now
    found = loops(house.store, model.name, since=until - WEEK, until=until)
    money = [one.cost.money for one in found if one.cost.money is not None]
    budget, share = _budget(house, model, found, until)
    return Spent(
        model.name,
        len(found),
        sum(one.cost.cpu_seconds for one in found),
        _sum(one.cost.bytes_read for one in found),
        _sum(one.cost.bytes_written for one in found),
        sum(money) if money else None,
        budget,
        share,
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _budget(house: House, model: Model, found: Sequence[Loop], until: datetime) -> tuple[str, float | None]:
    """Of the budgets it has, the one that is used up furthest."""
    limits = house.settings.governor
    trained = [one for one in found if one.trained]
    said: list[tuple[float, str]] = []
    if model.budget is not None:
        took = timedelta(seconds=round(sum(one.seconds for one in trained)))
        said.append((took / model.budget, f"trained for {spoken_span(took)} of {spoken_span(model.budget)} in 7 days"))
    for most, span, name in ((limits.money_a_week, WEEK, "7 days"), (limits.money_a_day, timedelta(days=1), "24 hours")):
        if most:
            cost = sum(one.cost.money or 0.0 for one in trained if one.at > until - span)
            said.append((cost / most, f"training cost {figure(cost)} of {figure(most)} in {name}"))
    share, words = max(said, default=(None, "no budget is said"), key=lambda one: one[0] or 0.0)
    return words, share


@dataclass(frozen=True)
class Account:
    """One model's month, and its newest loops, newest first."""

    model: str
    month: Month | None
    month_said: str
    loops: tuple[Loop, ...]


def account_of(house: House, model: Model, now: datetime) -> Account:
    """What a model has cost this month and in each of its newest loops."""
    last = house.turns.last(model.name)
    until = last.now if last is not None else now
    month = month_of(house, model.name, until)
    found = loops(house.store, model.name, since=until - timedelta(days=56), until=until)
    return Account(model.name, month, spoken_month(month) + "." if month else "Nothing has a price.", tuple(found[::-1][:LOOPS]))


def shown(asking: Asking) -> Shown:
    """The page: all models, or one."""
    house, query = asking.house, asking.query
    name = query.get("model", "").strip()
    page = max(1, asking.number("page", 1))
    names = [house.project.model(name).name] if name else sorted(house.project.models)
    pages = max(1, -(-len(names) // SCREEN))
    page = min(page, pages)
    models = [house.project.model(one) for one in names[(page - 1) * SCREEN : page * SCREEN]]
    values = {
        "spent": spent_by(house, models, asking.now),
        "account": account_of(house, models[0], asking.now) if len(names) == 1 else None,
        "prices": dict(house.settings.prices),
        "page": page,
        "pages": pages,
        "model": name or None,
        "figure": figure,
        "said_cost": spoken_cost,
    }
    return Shown("Cost", "cost.html", values)


ROUTES: tuple[Route, ...] = (Route("/cost", shown, "viewer", name="cost"),)
