"""Made-up rows for whatever a model reads: as many sources, columns and kinds as it declares, keeping the clauses a row can be made to
keep. They say nothing of the world; they show that a project can be gone round with.

In: a model, the instant history ends, a seed. Out: rows by source, as a shop would send them. Reads no clock, no disk.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from everloop.project.columns import Kind, money, text, unit
from everloop.project.conditions import at_least, at_most, one_of
from everloop.project.model import Model
from everloop.project.reading import Arithmetic, Reading
from everloop.project.source import Source

ROWS, UNITS, LONGEST = 4_000, 40, timedelta(days=1_500)
WORDS = ("light", "quiet", "large", "small", "garden", "station", "new", "old", "wood", "stone", "near", "far")


def made_up(model: Model, end: datetime, seed: int = 0) -> dict[str, list[dict[str, object]]]:
    """A history of everything a model reads, long enough to learn from and to hold some out, ending before ``end`` (aware).

    >>> from datetime import UTC
    >>> from everloop import Model, Source, days, every, money
    >>> orders = Source("orders", id="line", time="at", columns={"shop": str, "price": money("EUR")}, must=at_least("price", 100))
    >>> def learn(rows): ...
    >>> model = Model("demand", predicts=orders.count(next=days(7)), per="shop", asked=every(days(1)), knows=orders.latest("price"),
    ...               learner=learn)
    >>> rows = made_up(model, datetime(2026, 11, 2, tzinfo=UTC))["orders"]
    >>> len(rows), sorted(rows[0]), all(row["price"] >= 100 for row in rows)
    (4000, ['at', 'line', 'price', 'shop'], True)
    """
    world = _World(model, end, length_of(model), random.Random(seed))
    made: dict[str, list[dict[str, object]]] = {}
    for source in _parents_first(model.sources):  # a child has the id of one
        made[source.name] = world.rows(source)
    return made


def length_of(model: Model) -> timedelta:
    """How long a history has to be: the longest look back, twice the time a truth takes, what is held out, and sixty askings."""
    back = max((r.last for r in readings((*model.knows, *model.among, *model.candidates)) if r.last is not None), default=timedelta(0))
    held = model.holdout if isinstance(model.holdout, timedelta) else timedelta(0)
    asked = model.asked.span if model.asked is not None else timedelta(days=1)
    return min(LONGEST, max(timedelta(days=60), back + 2 * model.matures_after + held + 60 * asked))


def _parents_first(sources: Iterable[Source]) -> list[Source]:
    found: list[Source] = []
    for source in sources:
        found += [each.base for each in (*_parents_first(source.of), source) if each.name not in {other.name for other in found}]
    return found


def readings(value: Any) -> Iterator[Reading]:
    """Every reading in a word, or in a tuple of them."""
    if isinstance(value, Reading):
        yield value
    elif isinstance(value, Arithmetic):
        yield from readings((value.left, value.right))
    elif isinstance(value, tuple | list):
        for each in value:
            yield from readings(each)
    elif hasattr(value, "what"):
        yield from readings(value.what)


@dataclass
class _World:
    """What rows share: keys that come again and again, the values conditions speak of, and the parents there are."""

    model: Model
    end: datetime
    length: timedelta
    chance: random.Random
    ids: dict[str, list[tuple[object, datetime | None]]] = field(default_factory=dict)
    """By source: each row's last id, and when it happened."""

    def rows(self, source: Source) -> list[dict[str, object]]:
        key = source.id[-1]
        many = UNITS if key in self.keys and not source.time else ROWS // 4 if source.of else ROWS
        found = [self._row(source, number) for number in range(many)]
        dated = [(row[key], row[source.time[0]] if source.time else None) for row in found]
        self.ids[source.name] = dated  # type: ignore[assignment]
        return sorted(found, key=lambda row: str(row[source.time[0]])) if source.time else found

    @property
    def keys(self) -> set[str]:
        """The columns whose values come again and again: what a question is about, and what readings are counted by."""
        model = self.model
        found = {column for r in readings((*model.knows, *model.candidates, model.predicts)) for column in r.per or ()}
        return found if isinstance(model.per, Source) else found | set(model.unit)

    def _row(self, source: Source, number: int) -> dict[str, object]:
        row: dict[str, object] = {}
        at = self.end - self.length * self.chance.random() - timedelta(seconds=1)
        for parent in source.of:
            key, happened = self.chance.choice(self.ids[parent.name])
            row[parent.id[-1]] = key
            if happened is not None:  # what follows from it comes later, and before history ends
                at = happened + (self.end - happened) * self.chance.random() * 0.1
        for place, column in enumerate(source.time):
            row[column] = at + place * timedelta(days=1 + self.chance.randrange(5))
        row |= {column: at for column in (source.version, source.known) if column is not None}
        for column, kind in source.every_column.items():
            if column not in row and source.parent_of(column) is None:
                row[column] = self._value(source, column, kind, number, at)
        if source.deleted is not None:
            row[source.deleted] = None if source.columns.get(source.deleted) is datetime else False
        return row

    def _value(self, source: Source, column: str, kind: Kind, number: int, at: datetime) -> object:
        if column == source.apart:
            return "here"
        if column == source.id[-1]:
            return self._key(column, kind, number)
        if column in self.keys or column in source.id:
            return self._key(column, kind, self.chance.randrange(UNITS))
        if said := self._said(source, column):
            return self.chance.choice(said)
        if isinstance(kind, money | unit) or kind in (int, float):
            return self._number(source, column, kind)
        if kind is bool:
            return self.chance.random() < 0.5
        if kind is date:
            return at.date()
        if kind is datetime:
            return at - timedelta(hours=self.chance.randrange(100))
        if kind is text:
            return " ".join(self.chance.choices(WORDS, k=8))
        return "EUR" if self._names_currency(source, column) else f"{column[:12]} {self.chance.randrange(5)}"

    def _key(self, column: str, kind: Kind, number: int) -> object:
        return number if kind is int else f"{column[:3]}{number:04d}"

    def _said(self, source: Source, column: str) -> list[object]:
        """The values that conditions on a column speak of; where a condition keeps some rows only, sometimes another one."""
        clauses = [c for c in source.must if isinstance(c, one_of) and c.what == column]
        if clauses:
            return list(clauses[0].values)
        kept = [
            c
            for r in readings((*self.model.knows, *self.model.among, self.model.predicts))
            for c in r.source.rows
            if r.source.name == source.name
        ]
        values = [value for c in kept if isinstance(c, one_of) and c.what == column for value in c.values]
        return [*values, *values, "another"] if values and isinstance(values[0], str) else values

    def _number(self, source: Source, column: str, kind: Kind) -> float | int:
        low, high = (100.0, 10_000.0) if isinstance(kind, money) else (1.0, 9.0) if kind is int else (1.0, 100.0)
        bounds = [c for c in (*source.must, *source.rows) if isinstance(c, at_least | at_most) and c.what == column]
        least = max((c.value for c in bounds if isinstance(c, at_least)), default=None)
        most = min((c.value for c in bounds if isinstance(c, at_most)), default=None)
        if least is not None:
            low, high = max(low, least), max(high, 4 * least)
        if most is not None:
            high = min(high, most)
            low = min(low, high)
        value = low + (high - low) * self.chance.random() ** 2
        return round(value) if kind is int or isinstance(kind, money) else value

    def _names_currency(self, source: Source, column: str) -> bool:
        return any(isinstance(kind, money) and kind.column == column for kind in source.columns.values())
