"""Truth: what came of a question, as known at one instant. The same compiler as features, looking ahead.

In: questions and event tables. Out: for each question its truth, whether it is mature and whether it is void. A truth is never a partial
sum: until ``next`` (or ``within``) and the ``late`` of its source have passed, it is null. Absent: clock, disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.features.compile import put_together, read_all
from everloop.features.holds import any_holds
from everloop.features.moments import Micros, length, micros
from everloop.features.reader import Reader
from everloop.features.spine import Spine, checked
from everloop.features.steps import at_its_step, by_step, predicted_at
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Reading, leaves
from everloop.project.resolve import readings_in


class Truths(NamedTuple):
    """For each question: its truth (float64, string or list of strings; null where it is not mature, void or empty), and two masks."""

    truth: pa.Array
    mature: NDArray[np.bool_]
    void: NDArray[np.bool_]


def truths(predicts: AnyReading, questions: pa.Table, tables: Mapping[str, pa.Table], *, model: Model, known_at: datetime | int) -> Truths:
    """What came of each question as known strictly before ``known_at``: live rows with ``moment <= event_at < moment + next``.

    ``questions`` as for ``features``, any moments in any order: those of the answers log too. ``predicts`` is usually ``model.predicts``;
    any reading that looks ahead will do. Yes and no are 1 and 0; ``which`` gives everything that came up, most often first. How a row
    ends up (``outcome``) is what its newest version says; with ``within``, the newest one known before ``moment + within + late``. Where
    one of the model's ``void_when`` holds, the truth is void. Questions with a ``step`` (``steps.stepped``) have the truth of that step of
    a path, mature and void for itself. Raises Unknown for a table or a column that is not there.
    """
    until = known_at if isinstance(known_at, int) else micros(known_at)
    with Reader(tables) as reader:
        return truths_in(reader, Spine(model, checked(questions)), predicts, until)


def truths_in(reader: Reader, spine: Spine, predicts: AnyReading, until: int) -> Truths:
    """As ``truths``, in a reader that is open already."""
    voids = spine.model.void_when
    ahead = [reading for reading in (*leaves(predicts), *readings_in(voids)) if reading.looks_ahead]
    mature = np.ones(spine.questions.num_rows, dtype=np.bool_)
    moments = np.asarray(spine.questions["moment"].to_numpy(), dtype=np.int64)
    for reading in ahead:
        mature &= matured(at_its_step(spine, reading), predicted_at(spine) if by_step(spine, reading) else moments, until)
    found = put_together(predicts, read_all(reader, spine, leaves(predicts), until), spine.questions.num_rows)
    if any(reading.verb == "outcome" and reading.within is None for reading in leaves(predicts)):
        mature &= np.asarray(found.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    void = any_holds(reader, spine, voids, until) & mature
    return Truths(pc.if_else(pa.array(mature & ~void), found, pa.scalar(None, found.type)), mature, void)


def with_told(found: Truths, moments: Micros, units: Sequence[str], told: pa.Table, *, by_unit: bool = False) -> Truths:
    """Truths with those that somebody told in their place: what was told wins over what the events say, and is mature at once.

    ``told`` has a row for each question somebody told about: ``moment`` (µs), ``unit`` (its columns joined by U+001F), ``truth`` and
    ``void``. ``by_unit``: a unit is asked about once (``per`` is a source), so its newest row is meant, whatever its moment.

    >>> found = Truths(pa.array([3.0, None]), np.array([True, False]), np.array([False, False]))
    >>> told = pa.table({"moment": [7], "unit": ["b"], "truth": [5.0], "void": [False]})
    >>> with_told(found, np.array([7, 7]), ["a", "b"], told).truth.to_pylist()
    [3.0, 5.0]
    """
    if not told.num_rows:
        return found
    keys = zip([0] * told.num_rows if by_unit else told["moment"].to_pylist(), told["unit"].to_pylist(), strict=True)
    place = {key: i for i, key in enumerate(keys)}
    asked = zip([0] * len(units) if by_unit else moments.tolist(), units, strict=True)
    at = np.array([place.get(key, -1) for key in asked], dtype=np.int64)
    here = at >= 0
    void = np.where(here, told["void"].to_numpy(zero_copy_only=False)[at], found.void).astype(np.bool_)
    both = pa.concat_arrays([found.truth, told["truth"].cast(found.truth.type).combine_chunks()])
    truth = both.take(pa.array(np.where(here, len(found.truth) + at, np.arange(len(at)))))
    return Truths(pc.if_else(pa.array(void), pa.scalar(None, truth.type), truth), found.mature | here, void)


def matured(reading: Reading, moments: Micros, until: int) -> NDArray[np.bool_]:
    """Whether ``until >= moment + next + late``: from then on nothing that belongs to the window can still arrive.

    >>> from everloop import Source, days
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={}, late=days(1))
    >>> matured(orders.count(next=days(7)), np.array([0, 1]), 8 * 86_400_000_000)
    array([ True, False])
    """
    ahead = reading.next or reading.within
    wait = 0 if ahead is None else length(ahead) + length(reading.source.late)
    made: NDArray[np.bool_] = moments <= until - wait
    return made
