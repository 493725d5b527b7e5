"""How long single answers of a candidate take where it will serve: its features read from what is kept of each unit, then its answer.

In: what a child process needs. Out: milliseconds, and whether features were read within them. A row asked about brings its own features,
and rankings are put together from the tables: there they are given, and the record says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import cast

import pyarrow as pa

from everloop.loop.house import House
from everloop.loop.lakes import lake_of
from everloop.loop.online import online_of
from everloop.loop.serve.known import Known
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import Candidate
from everloop.registry.store import BlobStore
from everloop.settings import Settings
from everloop.training.feed import Value
from everloop.training.light import compile_version, load_light
from everloop.training.rehearse import time_answers
from everloop.training.rows import first_of_questions

Times = tuple[tuple[float, ...], bool]


def timed(house: House, model: Model, candidate: Candidate, table: pa.Table, count: int, now: datetime) -> Times:
    """The times of ``count`` answers to the questions of ``table``, one at a time, in a child of its own; nothing where none is asked for.

    Features are read as of ``now``, by the path an answer on request takes (``loop/serve/known.py``), beside the house's own states of
    every unit, which are made first where nobody has served yet.
    """
    if not count or not len(table):
        return (), False
    models = tuple(house.project.models.values())
    return house.in_child(partial(_in_child, model, models, house.blobs, house.settings, candidate, table, count, now))


def _in_child(
    model: Model,
    models: tuple[Model, ...],
    blobs: BlobStore,
    settings: Settings,
    candidate: Candidate,
    table: pa.Table,
    count: int,
    now: datetime,
) -> Times:
    with suppress(Exception):  # what came trained from elsewhere is compiled before it serves, so it is before it is timed
        compile_version(candidate, blobs.read, settings.compiled, allow_pickle=settings.pickle)
    serves = load_light(candidate, blobs.read, settings.compiled, given=model.baseline, allow_pickle=settings.pickle)
    known = None
    with suppress(Exception):  # without what is kept there is nothing to read from; the record says that nothing was read
        known = _known(model, models, settings, table)
    if known is None:
        return time_answers(serves, table, count), False
    try:
        return time_answers(serves, table, count, read=_reader(known, model, table, now)), True
    finally:
        known.close()


def _known(model: Model, models: tuple[Model, ...], settings: Settings, table: pa.Table) -> Known | None:
    if model.kind == "ranking" or isinstance(model.per, Source) or not set(model.unit) <= set(table.column_names):
        return None
    lake = lake_of(settings)
    known = Known(lake, models, online_of(lake, settings), turned=True)
    known.fold()
    return known


def _reader(known: Known, model: Model, table: pa.Table, now: datetime) -> Callable[[int], Mapping[str, Value]]:
    """What reads the features of the n-th question's unit, as a request for it would."""
    first = first_of_questions(table)
    requests = table.take(pa.array(first)).select(list(model.unit)).to_pylist()

    def read(n: int) -> Mapping[str, Value]:
        found = known.one(model, requests[n], now)
        if found is not None:
            return cast("Mapping[str, Value]", found[0])
        read_once = known.features(model, pa.table({name: [value] for name, value in requests[n].items()}), now)
        return cast("Mapping[str, Value]", read_once.to_pylist()[0])

    return read
