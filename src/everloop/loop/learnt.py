"""What a version learnt by, where the project file has changed since: an edited definition stands beside the old one, and each version is
fed by its own. In: a model, a candidate, questions with today's features. Out: the same questions as that version knows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from everloop.errors import EverloopError
from everloop.features.questions import unit_text
from everloop.features.served import definitions, letters
from everloop.project.conditions import only_new, since_change
from everloop.project.heard import hear
from everloop.project.model import Model
from everloop.project.reading import AnyReading, column_names
from everloop.project.resolve import with_apart
from everloop.project.source import Source
from everloop.records import Candidate, Decision
from everloop.registry.sentences import rows_said
from everloop.serving.answer import Older
from everloop.training.predictor import Answering, Predictor

if TYPE_CHECKING:
    from everloop.loop.house import House

Tables = Callable[[Model], Mapping[str, pa.Table]]


def otherwise(model: Model, candidate: Candidate, sources: Mapping[str, Source]) -> dict[str, AnyReading]:
    """The columns a candidate learnt by that the project file no longer has or reads otherwise today, each with its own reading.

    Raises EverloopError where such a column is gone from the project file, and so is the source it was read from.
    """
    try:
        heard = {name: reading for text in candidate.knows for reading in [hear(text, sources)] for name in column_names(reading)}
    except EverloopError:
        if set(candidate.columns) <= set(definitions(model)):
            return {}
        raise
    today = definitions(model)
    return {name: heard[name] for name in candidate.columns if name in heard and letters(model, heard[name]) != today.get(name)}


def as_learnt(model: Model, columns: Mapping[str, AnyReading], asked: pa.Table, tables: Tables, said: pa.Table | None = None) -> Older:
    """Questions with these columns read by these readings, whatever stood in their place; and by which definitions all were read.

    ``said``: what requests say beside their units, a row for each question: a row that is asked about need not have come in yet.
    """
    from everloop.features.compile import features

    found = features(tuple(dict.fromkeys(columns.values())), _questions(model, asked, said), tables(model), model=model)
    for name in columns:
        at = asked.schema.get_field_index(name)
        asked = asked.append_column(name, found.column(name)) if at < 0 else asked.set_column(at, name, found.column(name))
    read = definitions(model) | {name: letters(model, reading) for name, reading in columns.items()}
    return Older(asked, "".join(read.values()))


def _questions(model: Model, asked: pa.Table, said: pa.Table | None) -> pa.Table:
    """The questions of these features: which row each is about, where it is about one, and what its request said of that."""
    if not isinstance(model.per, Source):
        return asked
    if said is not None:
        for name in (name for name in said.column_names if name not in asked.column_names):
            asked = asked.append_column(name, said[name].take(asked["question"].combine_chunks()))
    if "row" in asked.column_names:
        return asked
    return asked.append_column("row", unit_text(asked, with_apart(model.per, model.per.id)))


def new_reference(house: House, candidate: Candidate) -> str | None:
    """From what drift is measured while a candidate answers that was learnt because of drift; None for any other."""
    find, learnt = house.journal.find, house.learnt_from(candidate)
    if learnt is None or not any(isinstance(r, Decision) and r.cause == "drift" for r in map(find, learnt.made_from)):
        return None
    since, until = (f"{at:%Y-%m-%d}" if at else "?" for at in (learnt.first_at, learnt.learn_until))
    return f"drift is measured from training set {learnt.id} ({rows_said(learnt.learn_rows, learnt.learn_questions)}, {since} to {until})"


def changed_at(house: House, model: Model, *, until: datetime | None = None) -> datetime | None:
    """When the newest change began that was found before ``until``, for a model that learns since then; None for any other."""
    return newest_change(house, model, until=until) if isinstance(model.learns_from, since_change) else None


def newest_change(house: House, model: Model, *, until: datetime | None = None) -> datetime | None:
    """When the newest change began that a decision named; None where none did."""
    for entry in house.journal.read(kind="Decision", model=model.name, newest_first=True):
        record = entry.record
        if isinstance(record, Decision) and record.learn_from is not None and (until is None or record.made_at <= until):
            return record.learn_from
    return None


def new_since(model: Model, champion: Candidate | None, before: Answering | None) -> datetime | None:
    """From when on rows are new to a champion that is gone on from; None where nobody is."""
    if not isinstance(model.learns_from, only_new) or champion is None or champion.learnt_until is None or champion.stored is not None:
        return None
    if not isinstance(before, Predictor) or before.columns != tuple(model.columns):
        return None
    return champion.learnt_until + timedelta(microseconds=1)
