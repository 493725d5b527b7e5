"""Whose rows does each reading take, and can they be summed? In: a model. Out: mistakes. Values only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from everloop.errors import Mistake
from everloop.project import refuse
from everloop.project.columns import Kind, money
from everloop.project.conditions import one_of
from everloop.project.reading import Arithmetic, Reading
from everloop.project.resolve import all_readings, carried, figures_in, key_columns, keys
from everloop.project.source import Source

if TYPE_CHECKING:
    from everloop.project.model import Model

COUNTING = ("total", "mean", "lowest", "highest", "count", "distinct", "which", "any", "none")


def whose_mistakes(model: Model) -> Iterator[Mistake]:
    """Whose rows each reading takes, and whether its sums can be meant."""
    figures = [id(r) for r in figures_in((*model.promote_when, *model.roll_out, *model.roll_back_when, *model.tell_when))]
    can = carried(model)
    told_already: set[tuple[int, str]] = set()
    for reading in all_readings(model):
        for found in _whose(model, reading, can, figure=id(reading) in figures):
            if (found.line, found.what) not in told_already:
                told_already.add((found.line, found.what))
                yield found
    for word in (model.predicts, *model.knows):
        mixed = mixes_currencies(model, word)
        if mixed is not None:
            reading, column = mixed
            what = f"{model.name}: {reading.name} mixes currencies; {column} names them."
            name = reading.source.name
            cure = f'Divide it by its own mean, keep one with {name}.where(one_of("{column}", "EUR")), or say per=[…, "{column}"].'
            yield refuse.mistake(what, cure, place=reading.place)


def _whose(model: Model, reading: Reading, can: dict[str, Kind], *, figure: bool) -> Iterator[Mistake]:
    name, source = model.name, reading.source
    asked = model.per if isinstance(model.per, Source) else None
    if reading.verb in ("given", "outcome"):
        if asked is None or asked.base != source.base:
            said_as = f"{source.name}.{reading.verb}({reading.column!r})"
            if reading.verb == "given":
                what = f"{name}: {said_as} is given with the question only if the question is one of the {source.name}."
                cure = f"Say per={source.name}, or {source.name}.latest({reading.column!r})."
            else:
                what = f"{name}: {said_as} is how the row asked about ends up, and the question is not one of the {source.name}."
                cure = f"Say per={source.name}."
            yield refuse.mistake(what, cure, place=reading.place)
        return
    by = keys(model, reading, figure=figure)
    carries = refuse.listed(sorted(key_columns(can)))
    if by is None:
        yield refuse.mistake(*_nobody(model, source, can, carries), place=reading.place)
        return
    strange = [c for c in by if c not in can]
    if strange and not figure:
        what = f"{name} reads {source.name} per {strange[0]}, which no question carries."
        yield refuse.mistake(what, f"Questions carry {carries}.", place=reading.place)
        return
    yield from _nothing_to_count(model, reading, by, asked)


def _nobody(model: Model, source: Source, can: dict[str, Kind], carries: str) -> tuple[str, str]:
    lacking = " and ".join(c for c in model.unit if c not in source.every_column)
    what = f"{model.name} does not know whose {source.name} to read: they have no {lacking}."
    shared = [c for c in key_columns(can) if c in source.every_column]
    if shared:
        return what, f"A question carries {carries}; say {refuse.listed((f'per={c!r}' for c in shared), 'or')}."
    return what, f"A question carries {carries}; {source.name} have none of them."


def _nothing_to_count(model: Model, reading: Reading, by: tuple[str, ...], asked: Source | None) -> Iterator[Mistake]:
    source = reading.source
    if reading.verb not in COUNTING or (reading.last is None and reading.next is None) or not set(source.id) <= set(by):
        return
    if asked is not None and asked.base == source.base:
        others = [c for c, k in source.columns.items() if c in key_columns({c: k}) and c not in source.id]
        cure = f"Say {refuse.listed((f'per={c!r}' for c in others), 'or')}." if others else "Say per=() for everything together."
        what = f"{model.name} reads {source.name} per {' and '.join(by)}, of which there is never more than one."
        yield refuse.mistake(what, cure, place=reading.place)
        return
    newest_only = source.version is not None and source.version in source.time
    of_interest = reading.verb in ("count", "distinct", "which") or (
        newest_only and (reading.verb not in ("any", "none") or reading.next is not None)
    )
    if of_interest:
        what = f"{model.name}: {source.name} keeps one row per {' and '.join(source.id)}, the newest, so it has no past to count."
        past = [*source.id, *source.time[:1]]
        cure = (
            f"Say id={past!r} in Source({source.name!r}) to keep every change." if source.time else f"Say time= in Source({source.name!r})."
        )
        yield refuse.mistake(what, cure, place=reading.place)


def mixes_currencies(model: Model, word: object) -> tuple[Reading, str] | None:
    """The first reading that adds or compares amounts of several currencies, with the column that names them."""
    if isinstance(word, Reading):
        kind = word.source.every_column[word.column] if word.column else None
        if not isinstance(kind, money) or kind.column is None or word.verb in ("distinct", "which"):
            return None
        column = kind.column
        kept = any(isinstance(row, one_of) and row.what == column and len(row.values) == 1 and row.share == 1 for row in word.source.rows)
        grouped = column in (keys(model, word) or ())
        return None if kept or grouped else (word, column)
    if isinstance(word, Arithmetic):
        left, right = mixes_currencies(model, word.left), mixes_currencies(model, word.right)
        if word.operator == "/" and left is not None and right is not None and left[1] == right[1]:
            return None
        return left or right
    return None
