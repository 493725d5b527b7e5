"""Who is asked about, and whose rows a reading takes: the columns of a question, found from the words of a model. Values only.

A question carries its unit, the columns of its row (if ``per`` is a source), the column of a candidate, and, by id, every column of the
sources it can look up. A reading takes the rows of its own ``per=``; else of the model's unit, if its source has it; else of its source's
id, if the question carries that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from everloop.project.columns import Kind, is_numeric
from everloop.project.conditions import cost
from everloop.project.reading import Arithmetic, Reading, calendar, leaves
from everloop.project.said import Word
from everloop.project.source import Source
from everloop.project.steps import ab, bandit

if TYPE_CHECKING:
    from everloop.project.model import Model


def readings_in(value: object) -> Iterator[Reading]:
    """Every single reading inside readings, conditions and lists of them, in the order said."""
    if isinstance(value, Reading | Arithmetic):
        yield from leaves(value)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from readings_in(one)
    elif isinstance(value, Word) and not isinstance(value, calendar):
        for inside in ("what", "on", "reading", "missed", "false_alarm", "wins_when"):
            yield from readings_in(getattr(value, inside, None))


def figures_in(conditions: Iterable[object]) -> Iterator[Reading]:
    """The business figures that conditions judge by: readings said as ``on=``, also inside a test."""
    for condition in conditions:
        if isinstance(condition, ab | bandit):
            yield from figures_in(condition.wins_when)
        else:
            on = getattr(condition, "on", None)
            yield from () if isinstance(on, cost) else readings_in(on)


def sources_of(model: Model) -> tuple[Source, ...]:
    """Every source a model reads, all rows, parents after their children: asked, predicted, known, then what conditions read."""
    found: dict[str, Source] = {}

    def add(source: Source) -> None:
        if source.name not in found:
            found[source.name] = source.base
            for parent in source.of:
                add(parent)

    if isinstance(model.per, Source):
        add(model.per)
    for reading in all_readings(model):
        add(reading.source)
    for source in getattr(model.baseline, "sources", ()):
        if isinstance(source, Source):
            add(source)
    return tuple(found.values())


def all_readings(model: Model) -> Iterator[Reading]:
    """Every single reading a model says, wherever it stands."""
    for words in (
        model.predicts, model.knows, model.candidates, model.among, model.void_when, model.baseline, model.promote_when, model.roll_out,
        model.roll_back_when, model.retrain_when, model.tell_when,
    ):  # fmt: skip
        yield from readings_in(words)


def awaited(models: Iterable[Model]) -> dict[str, frozenset[str]]:
    """By source, the columns that some model reads as an outcome and none otherwise: rows may come before they are known."""
    ends: dict[str, set[str]] = {}
    read: dict[str, set[str]] = {}
    for model in models:
        for reading in all_readings(model):
            into = ends if reading.verb == "outcome" else read
            into.setdefault(reading.source.base.name, set()).update(reading.columns)
    return {name: frozenset(columns - read.get(name, set())) for name, columns in ends.items()}


def truth_span(model: Model) -> timedelta:
    """How far ahead a truth looks: questions closer than that share part of their truth. A question per row shares none with others."""
    if not isinstance(model.per, tuple):
        return timedelta(days=1)
    return max((r.next or r.within or timedelta(0) for r in leaves(model.predicts)), default=timedelta(0))


def unit_of(model: Model) -> tuple[str, ...]:
    """The columns a question is about: ``per``, or the id of the source asked about; first the column that keeps shops apart."""
    columns = model.per.id if isinstance(model.per, Source) else model.per
    apart = dict.fromkeys(s.apart for s in model.sources if s.apart is not None)
    return tuple(dict.fromkeys((*apart, *columns)))


def candidate_column(model: Model) -> str | None:
    """The column whose values are ranked, if the answer is a list."""
    predicted = model.predicts
    return predicted.column if isinstance(predicted, Reading) and predicted.verb == "which" else None


def carried(model: Model) -> dict[str, Kind]:
    """What every question carries, also by looking it up: name -> kind."""
    sources = model.sources
    found: dict[str, Kind] = {}
    for column in (*model.unit, candidate_column(model)):
        if column is not None:
            found[column] = next((s.every_column[column] for s in sources if column in s.every_column), str)
    if isinstance(model.per, Source):
        found |= {c: k for c, k in model.per.every_column.items() if c not in model.per.time and c not in found}
    grown = -1
    while grown != len(found):
        grown = len(found)
        for source in sources:
            if set(source.id) <= set(found):
                found |= {c: k for c, k in source.every_column.items() if c not in source.time and c not in found}
    return found


def keys(model: Model, reading: Reading, *, figure: bool = False) -> tuple[str, ...] | None:
    """The columns whose values say which rows a reading takes; () for everything together; None where nobody can say.

    ``figure``: a business figure of a test, which is read per unit of the split.
    """
    source, unit = reading.source, model.unit
    if reading.per is not None:
        return with_apart(source, reading.per)
    if reading.verb in ("given", "outcome"):
        return unit
    if figure and model.split_by is not None and model.split_by in source.every_column:
        return with_apart(source, (model.split_by,))
    if set(unit) <= set(source.every_column):
        return unit
    candidate = candidate_column(model)
    if set(source.id) <= set(carried(model)) and (not candidate or reading is not model.predicts):
        return with_apart(source, source.id)
    return None


def with_apart(source: Source, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns, first the one that keeps shops apart."""
    return columns if source.apart is None or source.apart in columns else (source.apart, *columns)


def key_columns(columns: dict[str, Kind]) -> list[str]:
    """Those columns a reading could be per: neither numbers nor yes and no nor text.

    >>> key_columns({"card_id": str, "amount": int})
    ['card_id']
    """
    return [c for c, k in columns.items() if k is str or (c.endswith("_id") and is_numeric(k))]


def request_of(model: Model) -> tuple[str, ...]:
    """What a request carries: the unit, then the columns of the row asked about that are given, keyed by, or split by, in their order."""
    return model.unit + _of_row(model, all_readings(model), (model.split_by, model.one_per))


def answered_by(model: Model) -> tuple[str, ...]:
    """The columns of the row asked about, beyond its unit, by which an answer is made: given, or keyed by; in their order."""
    return _of_row(model, readings_in((model.knows, model.candidates, model.among, model.baseline)))


def _of_row(model: Model, readings: Iterable[Reading], beside: Iterable[str | None] = ()) -> tuple[str, ...]:
    if not isinstance(model.per, Source):
        return ()
    wanted = [c for c in beside if c is not None]
    for reading in readings:
        wanted += reading.columns if reading.verb == "given" else keys(model, reading) or ()
    for condition in model.among:
        column = getattr(condition, "column", getattr(condition, "what", None))
        wanted += [column] if isinstance(condition, Word) and isinstance(column, str) else []
    needed = {root for column in wanted for root in roots(model, model.per, column)}
    return tuple(c for c in model.per.every_column if c in needed and c not in model.unit)


def roots(model: Model, asked: Source, column: str) -> set[str]:
    """The columns of the row asked about by which a column is known: itself, or the id of the source it is looked up in."""
    found: set[str] = set()
    seen: set[str] = set()
    left = [column]
    while left:
        one = left.pop()
        if one in seen:
            continue
        seen.add(one)
        if one in asked.every_column and asked.parent_of(one) is None:
            found.add(one)
            continue
        holders = [s for s in (*asked.of, *model.sources) if s.base != asked.base and one in s.every_column and one not in s.id]
        left += holders[0].id if holders else ()
    return found
