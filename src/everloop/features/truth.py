"""Truth: what came of a question, as known at one instant. The same compiler as features, looking ahead.

In: questions and event tables. Out: for each question its truth, whether it is mature and whether it is void. A truth is never a partial
sum: until ``next`` (or ``within``) and the ``late`` of its source have passed, it is null; and so, of a source that says ``arrives=``, till
a delivery came that can tell it (``delivered.py``). Absent: clock, disk.
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
from everloop.features.delivered import Delivered, told_at
from everloop.features.holds import any_holds
from everloop.features.moments import FOREVER, Micros, length, micros
from everloop.features.reader import Reader, quoted
from everloop.features.spine import Spine, as_text, checked
from everloop.features.steps import at_its_step, by_step, predicted_at
from everloop.features.versions import versions
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Reading, leaves
from everloop.project.resolve import readings_in


class Truths(NamedTuple):
    """For each question: its truth (float64, string or list of strings; null where it is not mature, void or empty), and two masks.

    ``known_at`` (n,) µs UTC: since when it is known what came of it, FOREVER where it is not; None where nobody asked.
    """

    truth: pa.Array
    mature: NDArray[np.bool_]
    void: NDArray[np.bool_]
    known_at: Micros | None = None


def truths(
    predicts: AnyReading,
    questions: pa.Table,
    tables: Mapping[str, pa.Table],
    *,
    model: Model,
    known_at: datetime | int,
    delivered: Mapping[str, Delivered] | None = None,
) -> Truths:
    """What came of each question as known strictly before ``known_at``: live rows with ``moment <= event_at < moment + next``.

    ``questions`` as for ``features``, any moments in any order: those of the answers log too. ``predicts`` is usually ``model.predicts``;
    any reading that looks ahead will do. Yes and no are 1 and 0; ``which`` gives everything that came up, most often first. How a row
    ends up (``outcome``) is what its newest version says; with ``within``, the newest one known before ``moment + within + late``. Where
    one of the model's ``void_when`` holds, the truth is void. Questions with a ``step`` (``steps.stepped``) have the truth of that step of
    a path, mature and void for itself. ``delivered`` says, by source, what had come before ``known_at``: a truth that this cannot tell
    is not mature, nor its void (``delivered.told_at``). Raises Unknown for a table or a column that is not there.
    """
    until = known_at if isinstance(known_at, int) else micros(known_at)
    with Reader(tables) as reader:
        return truths_in(reader, Spine(model, checked(questions)), predicts, until, delivered)


def truths_in(reader: Reader, spine: Spine, predicts: AnyReading, until: int, delivered: Mapping[str, Delivered] | None = None) -> Truths:
    """As ``truths``, in a reader that is open already."""
    voids = spine.model.void_when
    ahead = [reading for reading in (*leaves(predicts), *readings_in(voids)) if reading.looks_ahead]
    mature = np.ones(spine.questions.num_rows, dtype=np.bool_)
    moments = np.asarray(spine.questions["moment"].to_numpy(), dtype=np.int64)
    closed = moments.copy()
    for reading in ahead:
        asked = predicted_at(spine) if by_step(spine, reading) else moments
        own = at_its_step(spine, reading)
        mature &= matured(own, asked, until)
        np.maximum(closed, asked + waits(own), out=closed)
        if delivered:
            came = told_at(own, asked, delivered)
            mature &= came < until
            np.maximum(closed, came, out=closed)
    found = put_together(predicts, read_all(reader, spine, leaves(predicts), until), spine.questions.num_rows)
    for reading in leaves(predicts):
        if reading.verb == "outcome" and reading.within is None:
            mature &= np.asarray(found.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
            np.maximum(closed, first_told(reader, spine, reading, until), out=closed)
    void = any_holds(reader, spine, voids, until) & mature
    known_at = np.where(mature, np.minimum(closed, until - 1), FOREVER)
    return Truths(pc.if_else(pa.array(mature & ~void), found, pa.scalar(None, found.type)), mature, void, known_at)


def first_told(reader: Reader, spine: Spine, reading: Reading, until: int) -> Micros:
    """When the row asked about first said how it ends up, by what was known before ``until``; FOREVER where it did not."""
    told, column = versions(reader, reading.source, reading.columns), quoted(reading.columns[0])
    rows = reader.give(pa.table({"q": np.arange(spine.questions.num_rows), "row": as_text(spine.questions["row"])}))
    first = f"SELECT id, min(known_at) AS first FROM {told} WHERE {column} IS NOT NULL AND known_at < {until} GROUP BY id"
    found = reader.rows(f"SELECT coalesce(f.first, {FOREVER}) AS first FROM {rows} r LEFT JOIN ({first}) f ON f.id = r.row ORDER BY r.q")
    return np.asarray(found["first"].to_numpy(), dtype=np.int64)


def with_told(found: Truths, moments: Micros, units: Sequence[str] | pa.Array, told: pa.Table, *, by_unit: bool = False) -> Truths:
    """Truths with those that somebody told in their place: what was told wins over what the events say, and is mature at once.

    ``told`` has a row for each question somebody told about: ``moment`` (µs), ``unit`` (its columns joined by U+001F), ``truth`` and
    ``void``, and ``first_known_at`` (µs) if it is asked since when truths are known. ``by_unit``: a unit is asked about once (``per`` is a
    source), so its newest row is meant, whatever its moment.

    >>> found = Truths(pa.array([3.0, None]), np.array([True, False]), np.array([False, False]))
    >>> told = pa.table({"moment": [7], "unit": ["b"], "truth": [5.0], "void": [False]})
    >>> with_told(found, np.array([7, 7]), ["a", "b"], told).truth.to_pylist()
    [3.0, 5.0]
    """
    if not told.num_rows:
        return found
    keys = ["unit"] if by_unit else ["unit", "moment"]
    at = rows_of(pa.table({"unit": pa.array(units, pa.string()), "moment": moments}).select(keys), told.select(keys))
    here = at >= 0
    void = np.where(here, told["void"].to_numpy(zero_copy_only=False)[at], found.void).astype(np.bool_)
    both = pa.chunked_array([found.truth, *told["truth"].cast(found.truth.type).chunks], found.truth.type)
    truth = both.take(pa.array(np.where(here, len(found.truth) + at, np.arange(len(at))))).combine_chunks()
    known_at = found.known_at
    if known_at is not None and "first_known_at" in told.column_names:
        known_at = np.where(here, told["first_known_at"].to_numpy()[at], known_at)
    return Truths(pc.if_else(pa.array(void), pa.scalar(None, truth.type), truth), found.mature | here, void, known_at)


def rows_of(asked: pa.Table, told: pa.Table) -> Micros:
    """For each row of ``asked`` the row of ``told`` with the same values in the same columns, the last of them; -1 where there is none.

    >>> rows_of(pa.table({"unit": ["a", "b", "a"]}), pa.table({"unit": ["a", "c", "a"]})).tolist()
    [2, -1, 2]
    """
    keys = asked.column_names
    left = asked.append_column("asked", pa.array(np.arange(asked.num_rows)))
    right = told.select(keys).append_column("told", pa.array(np.arange(told.num_rows)))
    both = left.join(right, keys, join_type="inner")
    found = np.full(asked.num_rows, -1, dtype=np.int64)
    np.maximum.at(found, both["asked"].to_numpy(), both["told"].to_numpy())
    return found


def matured(reading: Reading, moments: Micros, until: int) -> NDArray[np.bool_]:
    """Whether ``until >= moment + next + late``: from then on nothing that belongs to the window can still arrive.

    >>> from everloop import Source, days
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={}, late=days(1))
    >>> matured(orders.count(next=days(7)), np.array([0, 1]), 8 * 86_400_000_000)
    array([ True, False])
    """
    made: NDArray[np.bool_] = moments <= until - waits(reading)
    return made


def waits(reading: Reading) -> int:
    """How long after its question a truth closes, in µs: ``next`` (or ``within``) and the ``late`` of its source."""
    ahead = reading.next or reading.within
    return 0 if ahead is None else length(ahead) + length(reading.source.late)
