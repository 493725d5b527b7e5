"""Publishing: what models say of products and variants, as metafields a theme, a report or Flow can read. In: a house. Out: entries.

| metafield of ``$app`` | what it says |
|---|---|
| ``recommendations`` | what goes with a product, best first: the list a theme shows while nobody else answers |
| ``forecast`` | how much of it will be asked for, and in which answer that was said |
| ``reorder_point``, ``stock_out_on`` | order when so many are left; the day on which nothing is, as usual |
| ``experiment`` | which version said so, for which arm, when |

Nothing here decides; the arithmetic of stock is ``stats/stock.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, isfinite
from typing import Any, Final, TypeAlias

from everloop.connect.shopify.house import House, Refused, Row
from everloop.connect.shopify.metafields import Entry, lots
from everloop.connect.shopify.said import needed
from everloop.connect.shopify.triggers import Trigger, runs_out
from everloop.stats.stock import Supply, lasts, suggested

AT_ONCE: Final = 1_000
"""Requests in one body that a house takes."""
LONGEST: Final = timedelta(days=730)
"""Who has enough for longer has no day on which nothing is left."""
Lay: TypeAlias = Callable[[Mapping[str, Sequence[str]]], None]
KINDS: Final = {"product_id": "Product", "variant_id": "ProductVariant"}
"""Which thing of the shop a column of a unit names."""


@dataclass(frozen=True)
class Stocked:
    """A product or a variant, by its number, and how many pieces of it can still be sold (None: not counted)."""

    id: str
    left: int | None = None


def stocked(node: Row) -> Stocked:
    """Out of a node of the Admin API.

    >>> stocked({"id": "gid://shopify/Product/7", "totalInventory": 3})
    Stocked(id='7', left=3)
    """
    left = node.get("totalInventory", node.get("inventoryQuantity"))
    return Stocked(needed(node["id"], "what is stocked"), None if left is None else int(left))


def gid(kind: str, id: str) -> str:
    """
    >>> gid("Product", "7")
    'gid://shopify/Product/7'
    """
    return f"gid://shopify/{kind}/{id}"


# -- lists -------------------------------------------------------------------------------------------------------------------------------


def lists(house: House, model: str, products: Iterable[str], *, most: int = 10) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """What goes with each product: its id, the products best first, and the version that says so. One the model cannot say anything of has
    none. Raises Unreachable, and Refused where the model lists nothing."""
    for product in products:
        try:
            said = house.operate(f"models/{model}/beside", {"items": [product], "most": most})
        except Refused as refused:
            if refused.code != "unknown":
                raise
            continue
        items = tuple(str(one["item"]) for one in said["items"] if str(one["item"]) != product)
        if items:
            yield product, items, str(said["version"])


def list_entries(product: str, items: Sequence[str], model: str, version: str, at: datetime) -> list[Entry]:
    """A list as metafields of its product."""
    owner = gid("Product", product)
    return [
        Entry(owner, "recommendations", "list.product_reference", _json([gid("Product", item) for item in items])),
        _experiment(owner, {"model": model, "version": version, "arm": "champion"}, at),
    ]


def listed(
    house: House, model: str, products: Iterable[str], at: datetime, *, most: int = 10, lay: Lay = lambda _: None
) -> Iterator[Entry]:
    """The metafields of every list the model has; ``lay`` keeps each for when the house cannot be asked. Raises as ``lists``."""
    for product, items, version in lists(house, model, products, most=most):
        lay({product: items})
        yield from list_entries(product, items, model, version, at)


# -- forecasts ---------------------------------------------------------------------------------------------------------------------------


def answers(house: House, model: str, unit: str, ids: Iterable[str]) -> Iterator[tuple[str, Row]]:
    """The model's answer for each unit that it can say something of, many asked at once. Raises Unreachable, and Refused where it cannot be
    asked by this column. Of a model that is not there nothing can be said."""
    for lot in lots(ids, AT_ONCE):
        yield from _answered(house, model, unit, lot)


def _answered(house: House, model: str, unit: str, lot: Sequence[str]) -> Iterator[tuple[str, Row]]:
    try:
        said = house.answer(model, {"requests": [{unit: id} for id in lot]})["answers"]
    except Refused as refused:
        # One that nobody has heard of spoils a lot, and is found by halves.
        if refused.code != "unknown":
            raise
        if len(lot) > 1:
            yield from _answered(house, model, unit, lot[: len(lot) // 2])
            yield from _answered(house, model, unit, lot[len(lot) // 2 :])
        return
    yield from ((id, one) for id, one in zip(lot, said, strict=True) if not one.get("error"))


def forecasts(house: House, model: str, unit: str, there: Sequence[Stocked], days: float, supply: Supply, at: datetime) -> Iterator[Entry]:
    """The metafields of every product (or variant, as ``unit`` says) the model can say something of. Raises as ``answers``."""
    known = {one.id: one for one in there}
    for id, answer in answers(house, model, unit, known):
        yield from forecast_entries(KINDS[unit], known[id], answer, days, supply, at)


def forecast_entries(kind: str, of: Stocked, answer: Row, days: float, supply: Supply, at: datetime) -> list[Entry]:
    """A forecast over ``days`` as metafields: what is said, when to order (whole pieces), and on which day (UTC) nothing is left. Where the
    answer is no quantiles, or nobody counts what is left, the forecast alone.

    >>> from datetime import UTC
    >>> said = {"id": "a1", "model": "demand", "version": "demand@3", "arm": "champion"}
    >>> said |= {"quantiles": [[4.0, 10.0, 22.0]], "levels": [0.1, 0.5, 0.9]}
    >>> found = forecast_entries("Product", Stocked("7", 24), said, 7, Supply(lead=7), datetime(2026, 11, 2, tzinfo=UTC))
    >>> [(one.key, one.value) for one in found[1:3]]
    [('reorder_point', '22'), ('stock_out_on', '2026-11-16')]

    Raises EverloopError where ``supply.service`` lies beyond the answer's levels.
    """
    owner = gid(kind, of.id)
    levels, steps = tuple(answer.get("levels") or ()), answer.get("quantiles") or ()
    told: dict[str, Any] = {"days": days, "version": answer["version"], "prediction": answer["id"], "at": _day(at)}
    found = []
    if len(steps) == 1 and levels:
        demand = tuple(float(value) for value in steps[0])
        told |= {"levels": list(levels), "demand": [round(value, 3) for value in demand]}
        stock = suggested(levels, demand, days, supply, of.left or 0.0)
        found.append(Entry(owner, "reorder_point", "number_integer", str(ceil(round(stock.reorder_point, 6)))))
        if of.left is not None:
            enough = lasts(levels, demand, days, of.left)
            soon = lasts(levels, demand, days, of.left, supply.service)
            told |= {"left": of.left, "lasts_days": _finite(enough), "lasts_at_least_days": _finite(soon), "order": stock.quantity}
            if enough <= LONGEST.days:
                found.append(Entry(owner, "stock_out_on", "date", _day(at + timedelta(days=enough))))
    elif answer.get("steps"):
        told |= {"steps": answer["steps"]} | ({"levels": list(levels)} if levels else {})
    elif answer.get("value") is not None:
        told["demand"] = round(float(answer["value"]), 3)
    return [Entry(owner, "forecast", "json", _json(told)), *found, _experiment(owner, answer, at)]


def warned(entries: Iterable[Entry], days: float, at: datetime, tell: Callable[[Trigger], None]) -> Iterator[Entry]:
    """The same entries; ``tell`` hears of each product among them that runs out within so many days, as demand usually is."""
    for entry in entries:
        if entry.key == "forecast" and entry.owner.startswith(gid("Product", "")):
            said = json.loads(entry.value)
            lasts_days = said.get("lasts_days")
            if lasts_days is not None and lasts_days <= days:
                because = f"{said['left']:,} left; an order now would come in {days:g} days."
                tell(runs_out(needed(entry.owner, "what runs out"), (at + timedelta(days=lasts_days)).date(), lasts_days, because))
        yield entry


def _experiment(owner: str, answer: Row, at: datetime) -> Entry:
    said = {key: answer[key] for key in ("model", "version", "arm") if key in answer}
    prediction = {"prediction": answer["id"]} if "id" in answer else {}
    return Entry(owner, "experiment", "json", _json(said | prediction | {"scored_on": _day(at)}))


def _finite(days: float) -> float | None:
    return round(days, 2) if isfinite(days) else None


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _json(value: Mapping[str, Any] | Sequence[str]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
