"""Who is meant: the question (model, unit, moment) that a told row names, by a prediction's id or in words. In: rows as told. Out: for each
its question, or why it is refused. Reads the answers by id, many at once; changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias, TypeVar

from everloop.clock import microseconds, said
from everloop.errors import EverloopError
from everloop.lake.shape import SEPARATOR
from everloop.lake.values import instant
from everloop.loop.answers import named_answers
from everloop.loop.house import House
from everloop.project.model import Model
from everloop.records import Received, identity

T = TypeVar("T")
Row: TypeAlias = Mapping[str, object]
LONGEST = 1_024  # characters of a name, an id, a label or one value of a unit
EXAMPLES = 5


class Refused(ValueError):  # noqa: N818 — a reason, not a failure
    """Why one row is not kept; the others are."""


@dataclass(frozen=True)
class Meant:
    """A question: of which model, about whom, when (µs UTC; None: not said). ``prediction`` is the answer's id, where one was named."""

    model: Model
    unit: str
    moment: int | None
    prediction: str | None = None


@dataclass
class Refusals:
    """How many rows were refused, and the first five sentences of why."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, number: int, why: object) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"row {number}: {why}")

    def received(self, source: str, kept: Received | None, *, through: int = 0) -> Received:
        """What became of everything told, under the name people know."""
        return Received(
            source=source,
            kept=kept.kept if kept else 0,
            duplicates=kept.duplicates if kept else 0,
            refused=self.count,
            examples=tuple(self.examples),
            through_seq=kept.through_seq if kept else through,
        )


def rows_of(told: object) -> Sequence[object]:
    """The rows that were told: a list of objects, or a single one. Raises EverloopError for anything else."""
    if isinstance(told, Mapping):
        return [told]
    if isinstance(told, Sequence) and not isinstance(told, str | bytes):
        return told
    raise EverloopError('What is told is a list of objects, such as [{"prediction": "…", "truth": 12}].')


def meant_by(house: House, rows: Sequence[object], now: datetime) -> list[Meant | Refused]:
    """For each row the question it names: ``prediction``, or ``model`` with its unit's columns (or ``unit``), and ``moment``.

    A row that names both must name the same. Answers that were given and not sealed yet count.
    """
    known = _Known.of(house, [row for row in rows if isinstance(row, Mapping)])
    found: list[Meant | Refused] = []
    for row in rows:
        try:
            found.append(_meant(house, row, known, now))
        except Refused as why:
            found.append(why)
    return found


def read_rows(house: House, told: object, now: datetime, read: Callable[[Row, Meant, datetime], T]) -> tuple[dict[int, T], Refusals]:
    """What ``read`` makes of each row and the question it names, by the row's number from 1 on; and the rows that were refused.

    ``read`` raises Refused. Raises EverloopError where what is told is no list of rows.
    """
    rows = rows_of(told)
    refused, found = Refusals(), dict[int, T]()
    for number, (row, meant) in enumerate(zip(rows, meant_by(house, rows, now), strict=True), 1):
        try:
            if isinstance(meant, Refused):
                raise meant
            assert isinstance(row, Mapping)
            found[number] = read(row, meant, now)
        except Refused as why:
            refused.add(number, why)
    return found, refused


def told_id(model: str, theirs: str) -> str:
    """The id under which the answer of another service is kept, where that service gave it an id of its own; no other model has the same.

    >>> told_id("demand", "1") == told_id("demand", "1") != told_id("churn", "1")
    True
    """
    return identity("answered elsewhere", model, theirs)


def word(row: Row, name: str, *, longest: int = LONGEST) -> str | None:
    """A text in a row; None where it is not said. Raises Refused for what is no text, empty, too long or not writable."""
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused(f"{name} is {type(value).__name__} and no text")
    return writable(value, name, longest=longest)


def writable(value: str, name: str, *, longest: int = LONGEST) -> str:
    """The same text, if it can be kept: not empty, not endless, valid Unicode, without the character that keeps the parts of ids apart."""
    if not value:
        raise Refused(f"{name} is empty")
    if len(value) > longest:
        raise Refused(f"{name} has {len(value):,} characters; {longest:,} are the most")
    if SEPARATOR in value:
        raise Refused(f"{name} holds the character U+001F, which keeps the parts of a unit apart")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused(f"{name} is no valid text") from None
    return value


def at(row: Row, name: str) -> int | None:
    """An instant in a row as µs UTC; None where it is not said. Raises Refused for what is none, or has no zone."""
    try:
        return instant(row.get(name), None)
    except ValueError as why:
        raise Refused(f"{name} is {shown(row.get(name))}, {why}") from None


def not_later(moment: int | None, now: datetime, name: str) -> int | None:
    """The same instant, if it is not after ``now``."""
    if moment is not None and moment > microseconds(now):
        raise Refused(f"{name} lies after now, which is {said(now)}")
    return moment


def finite(value: object, name: str) -> float:
    """A finite number. Raises Refused."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{name} is a number, and {shown(value)} is none")
    try:
        number = float(value)
    except OverflowError:
        raise Refused(f"{name} is too large a number") from None
    if not math.isfinite(number):
        raise Refused(f"{name} is a finite number, and {number} is none")
    return number + 0.0  # so that -0 and 0 are one


def shown(value: object) -> str:
    """A value as a sentence shows it, not longer than it can bear."""
    try:
        return repr(value)[:60]
    except (ValueError, RecursionError):  # a whole number of thousands of digits, or lists in lists in lists
        return f"such a {type(value).__name__}"


@dataclass(frozen=True)
class _Known:
    """Answers by their ids: of each its model, unit and moment."""

    answers: Mapping[str, tuple[str, str, int]]

    @staticmethod
    def of(house: House, rows: Iterable[Row]) -> _Known:
        wanted: set[str] = set()
        for row in rows:
            with suppress(Refused):
                theirs = word(row, "prediction")
                wanted.update(() if theirs is None else _ids(house, row.get("model"), theirs))
        if not wanted:
            return _Known({})
        found = named_answers(house, wanted)
        columns = (found.column(name).to_pylist() for name in ("id", "model", "unit", "moment"))
        return _Known({id: (model, unit, moment) for id, model, unit, moment in zip(*columns, strict=True)})

    def find(self, house: House, model: object, theirs: str) -> tuple[str, str, str, int]:
        """Id, model, unit and moment of one answer. Raises Refused where nobody gave it, or several models did."""
        hits = {id: self.answers[id] for id in _ids(house, model, theirs) if id in self.answers}
        hits = {id: hit for id, hit in hits.items() if hit[0] in house.project.models}
        if not hits:
            raise Refused(f"unknown prediction {theirs[:60]!r}")
        if len(hits) > 1:
            several = " and ".join(sorted(hit[0] for hit in hits.values()))
            raise Refused(f"prediction {theirs[:60]!r} is one of {several}; say which model")
        [(id, hit)] = hits.items()
        return (id, *hit)


def _ids(house: House, model: object, theirs: str) -> list[str]:
    """The ids an answer that is called so can have: its own, or that of a service which gave it this name."""
    models = [model] if isinstance(model, str) and model in house.project.models else list(house.project.models)
    return [theirs, *(told_id(name, theirs) for name in models)]


def _meant(house: House, row: object, known: _Known, now: datetime) -> Meant:
    if not isinstance(row, Mapping):
        raise Refused(f"it is {type(row).__name__} and no object")
    theirs = word(row, "prediction")
    if theirs is None:
        model = _model(house, row)
        return Meant(model, unit_of(model, row), not_later(at(row, "moment"), now, "moment"))
    id, name, unit, moment = known.find(house, row.get("model"), theirs)
    model = house.project.model(name)
    if row.get("model") not in (None, name):
        raise Refused(f"prediction {theirs[:60]!r} is one of {name}, not of {shown(row['model'])}")
    if _names_a_unit(model, row) and unit_of(model, row) != unit:
        raise Refused(f"prediction {theirs[:60]!r} is about {unit.replace(SEPARATOR, ', ')[:60]}, not about the unit the row names")
    if at(row, "moment") not in (None, moment):
        raise Refused(f"prediction {theirs[:60]!r} was asked at another moment than the row names")
    return Meant(model, unit, moment, id)


def _model(house: House, row: Row) -> Model:
    name = row.get("model")
    if name is None:
        raise Refused("it names neither a prediction nor a model")
    if not isinstance(name, str) or name not in house.project.models:
        there = ", ".join(sorted(house.project.models)[:10])
        raise Refused(f"unknown model {shown(name)}; there {'is' if len(house.project.models) == 1 else 'are'} {there}")
    return house.project.models[name]


def _names_a_unit(model: Model, row: Row) -> bool:
    return row.get("unit") is not None or any(row.get(column) is not None for column in model.unit if column != "model")


def unit_of(model: Model, row: Row) -> str:
    """The unit a row names: by the model's own columns, or by ``unit`` (a list where there are several). Raises Refused."""
    said = row.get("unit")
    if said is None:
        values = [row.get(column) for column in model.unit]
    elif isinstance(said, list | tuple):
        values = list(said)
    elif isinstance(said, str) and len(model.unit) > 1:
        values = list(said.split(SEPARATOR))
    else:
        values = [said]
    asked = " and ".join(model.unit)
    if len(values) != len(model.unit):
        raise Refused(f"{model.name} is asked about {asked}; the unit has {len(values)} of {len(model.unit)} parts")
    return SEPARATOR.join(_part(column, value, asked) for column, value in zip(model.unit, values, strict=True))


def _part(column: str, value: object, asked: str) -> str:
    if value is None:
        raise Refused(f"it does not say {column}; a unit is {asked}")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refused(f"{column} is {type(value).__name__} and names no unit")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise Refused(f"{column} is too large a number")
    return writable(str(value), column)
