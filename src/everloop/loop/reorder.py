"""What to order of each unit, from the quantiles the champion answers. In: a house, a model, how goods come, what is there. Out: lines.

Asked of everybody at once, at one moment; nothing is remembered as an answer. The arithmetic is ``stats/stock.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import EverloopError, Unknown
from everloop.features.as_of import live
from everloop.loop.adopt import adopt
from everloop.loop.house import House
from everloop.loop.signing import proven_here
from everloop.loop.tell.answerable import answers_here
from everloop.project.model import Model
from everloop.project.reading import leaves
from everloop.project.source import Source
from everloop.stats.rounded import figure
from everloop.stats.shapes import Answers
from everloop.stats.stock import Suggestion, Supply, suggested

POSITION: Final = {"on_hand": 1.0, "on_order": 1.0, "owed": -1.0}
"""Columns of a stock file, and how what they hold counts."""
TERMS: Final = {
    "lead_days": "lead",
    "review_days": "review",
    "cover_days": "cover",
    "service": "service",
    "pack": "pack",
    "minimum": "minimum",
}
"""Columns of a stock file that say how the goods of a row come, where that is otherwise than for the others."""
SHOWN: Final = 20


@dataclass(frozen=True)
class Line:
    """One unit: what is there and on its way (None: nobody said), what is usual in the time predicted, and what to order."""

    unit: str
    position: float | None
    usual: float
    suggestion: Suggestion

    def data(self) -> dict[str, object]:
        """The same for machines; without a position nobody can say how much to order."""
        said = asdict(self.suggestion) | ({} if self.position is not None else {"quantity": None})
        return {"unit": self.unit, "position": self.position, "usual": self.usual, **said}


@dataclass(frozen=True)
class Orders:
    """What to order of each unit, as of an instant, by the answers of a version; ``silent``: units nobody could answer for."""

    model: str
    version: str
    at: datetime
    lines: tuple[Line, ...]
    silent: tuple[str, ...] = ()

    def data(self) -> dict[str, object]:
        """The same for machines."""
        return {
            "model": self.model,
            "version": self.version,
            "at": self.at.isoformat(),
            "silent": list(self.silent),
            "lines": [line.data() for line in self.lines],
        }


def orders(house: House, model: Model, supply: Supply, now: datetime, stock: pa.Table | None = None) -> Orders:
    """What to order of every unit known, or of those in ``stock``: the model's unit columns, ``on_hand``, ``on_order``, ``owed``, terms.

    Raises EverloopError where the model answers without quantiles, looks no span ahead, its champion answers elsewhere, or a service
    lies beyond the levels; Unknown for a column of ``stock`` that means nothing.
    """
    days = days_ahead(model)
    adopt(house, model, now)
    traffic = house.traffic(model)
    if answers_here(house, traffic).champion != traffic.champion:
        raise EverloopError(f"The champion of {model.name} answers elsewhere, so nothing is known here of units nobody asked it about.")
    champion = house.champion(traffic)
    proven_here(house, champion, name=house.version(traffic.champion).name)
    tables = house.tables(model)
    rows = None if stock is None else _rows(model, stock)
    asked = live(model, tables, moment=now, units=None if rows is None else [row.request for row in rows])
    answers = house.predictor(champion).answer(house.with_columns_of(model, champion, asked, lambda _: tables))
    units = asked.column("unit").to_pylist()
    said = rows if rows is not None else [_Row(unit, {}, None, {}) for unit in units]
    lines = [_line(unit, row, answers, at, days, supply) for at, (unit, row) in enumerate(zip(units, said, strict=True))]
    version = house.version(traffic.champion).name
    silent = tuple(unit for unit, line in zip(units, lines, strict=True) if line is None)
    return Orders(model.name, version, now, tuple(line for line in lines if line is not None), silent)


def spoken_orders(found: Orders) -> str:
    """What to order, the most first, in a line for each of the first twenty.

    >>> spoken_orders(Orders("demand", "demand@1", datetime(2026, 11, 2), ()))
    'demand: nobody is known to order for.'
    """
    if not found.lines and not found.silent:
        return f"{found.model}: nobody is known to order for."
    silent = f"\nNo answer for {len(found.silent):,}: {', '.join(found.silent[:5])}." if found.silent else ""
    if all(line.position is None for line in found.lines):
        head = f"{found.model}: reorder points of {len(found.lines):,}, by {found.version}. With --stock FILE it says how much to order."
        told = sorted(found.lines, key=lambda line: -line.suggestion.reorder_point)
        lines = [f"  {line.unit}: order at {figure(line.suggestion.reorder_point)}, up to {figure(line.suggestion.up_to)}" for line in told]
    else:
        told = sorted(
            (line for line in found.lines if line.position is not None and line.suggestion.quantity),
            key=lambda line: -line.suggestion.quantity,
        )
        total = sum(line.suggestion.quantity for line in told)
        head = (
            f"{found.model}: order {total:,.0f} units of {len(told):,}; {len(found.lines) - len(told):,} have enough, by {found.version}."
        )
        lines = [_ordered(line) for line in told]
    more = f"\n  … and {len(lines) - SHOWN:,} more; --to FILE writes them all." if len(lines) > SHOWN else ""
    return "\n".join([head, *lines[:SHOWN]]) + more + silent


def as_table(found: Orders, model: Model) -> pa.Table:
    """A row for each unit: its columns, ``position``, ``usual``, ``reorder_point``, ``up_to``, ``safety`` and ``quantity``."""
    split = [line.unit.split("\x1f") for line in found.lines]
    columns = {name: pa.array([parts[at] for parts in split], pa.string()) for at, name in enumerate(model.unit)}
    data = [line.data() for line in found.lines]
    numbers = ("position", "usual", "reorder_point", "up_to", "safety", "quantity")
    return pa.table(columns | {name: pa.array([row[name] for row in data], pa.float64()) for name in numbers})


def days_ahead(model: Model) -> float:
    """How many days ahead the model looks. Raises EverloopError where it answers without quantiles, or looks no span ahead."""
    if model.kind != "quantiles":
        raise EverloopError(
            f"{model.name} answers without quantiles, and one number says nothing of bad days. Say learner={{q: Demand(q) for q in "
            "(0.1, 0.5, 0.9)}."
        )
    spans = {reading.next for reading in leaves(model.predicts) if reading.next is not None}
    if len(spans) != 1 or model.steps > 1 or isinstance(model.per, Source):
        raise EverloopError(
            f"{model.name} does not predict a total over one span of time, so nothing can be ordered by it. Say next=days(7)."
        )
    return spans.pop() / timedelta(days=1)


@dataclass(frozen=True)
class _Row:
    """One row of a stock file: whose, the request it makes, what is there and on its way, and terms of its own."""

    unit: str
    request: Mapping[str, object]
    position: float | None
    terms: Mapping[str, float]


def _rows(model: Model, stock: pa.Table) -> list[_Row]:
    known = [*model.unit, *POSITION, *TERMS]
    for column in stock.column_names:
        if column not in known:
            raise Unknown("column", column, known, where="the stock file")
    lacks = [column for column in (*model.unit, "on_hand") if column not in stock.column_names]
    if lacks:
        raise EverloopError(f"The stock file lacks {' and '.join(lacks)}. It has a row for each unit: {', '.join(model.unit)}, on_hand, …")
    numbers = {name: _numbers(stock, name) for name in (*POSITION, *TERMS) if name in stock.column_names}
    keys = [stock.column(name).cast(pa.string()).to_pylist() for name in model.unit]
    found = []
    for at, unit in enumerate(zip(*keys, strict=True)):
        told = {name: value for name, column in numbers.items() if (value := column[at]) is not None and value == value}
        position = sum(sign * told.get(name, 0.0) for name, sign in POSITION.items()) if "on_hand" in told else None
        terms = {TERMS[name]: value for name, value in told.items() if name in TERMS}
        found.append(_Row("\x1f".join(map(str, unit)), dict(zip(model.unit, unit, strict=True)), position, terms))
    return found


def _numbers(stock: pa.Table, name: str) -> list[float | None]:
    column = stock.column(name)
    try:
        if pa.types.is_string(column.type):
            column = pc.if_else(pc.equal(column, ""), None, column)
        found: list[float | None] = column.cast(pa.float64()).to_pylist()
    except pa.ArrowException as error:
        raise EverloopError(f"{name} of the stock file is no number: {error}. Say units, days, or a share, or leave it empty.") from error
    return found


def _line(unit: str, row: _Row, answers: Answers, at: int, days: float, supply: Supply) -> Line | None:
    assert answers.values is not None
    if np.isnan(answers.value[at]):
        return None
    terms = replace(supply, **row.terms) if row.terms else supply
    found = suggested(answers.shape.levels, answers.values[at].tolist(), days, terms, row.position or 0.0)
    return Line(unit, row.position, float(answers.value[at]), found)


def _ordered(line: Line) -> str:
    s = line.suggestion
    return (
        f"  {line.unit}: order {s.quantity:,.0f} ({figure(line.position or 0.0)} there or on its way, order at {figure(s.reorder_point)}, "
        f"up to {figure(s.up_to)})"
    )
