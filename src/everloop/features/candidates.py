"""Candidates: the values a ranking chooses among. In: questions. Out: one row for each question and candidate, by question, then item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.features.compile import columns
from everloop.features.definition import nature_of
from everloop.features.holds import all_hold
from everloop.features.questions import about_candidates
from everloop.features.reader import Reader
from everloop.features.spine import Spine
from everloop.project.model import Model
from everloop.project.reading import Reading
from everloop.project.resolve import candidate_column

#: How many of its own most frequent values each question chooses among where a model says no candidates.
OWN: int = 50
#: More different values than any unit has.
EVERYTHING: int = 1_000_000


def candidate_readings(model: Model) -> tuple[Reading, ...]:
    """Where the candidates come from: as said, else what the unit had most so far."""
    if model.candidates or not isinstance(model.predicts, Reading):
        return model.candidates
    return (replace(model.predicts, next=None, last=None, most=OWN, label=None),)


def expanded(reader: Reader, spine: Spine, carts: Sequence[Sequence[str]] = ()) -> pa.Table:
    """Every question with each of its candidates, as known before its moment, where the candidate's own ``among`` holds.

    Adds ``item`` (text) and the candidate's column under its own name. A question without any candidate has no row. ``carts``: for each
    question what lies in its cart, which is no candidate of it.
    """
    model = spine.model
    column = candidate_column(model)
    if column is None or not isinstance(model.predicts, Reading):
        return spine.questions
    found = columns(reader, spine, [r.named(f"c{i}") for i, r in enumerate(candidate_readings(model))])
    numbers, items = [], []
    for listed in found.columns:
        listed = listed.combine_chunks()
        numbers.append(pc.list_parent_indices(listed).cast(pa.int64()))
        items.append(pc.list_flatten(listed))
    pairs = pa.table({"at": pa.chunked_array(numbers, pa.int64()), "item": pa.chunked_array(items, pa.string())})
    pairs = pairs.group_by(["at", "item"]).aggregate([]).sort_by([("at", "ascending"), ("item", "ascending")])
    if any(carts):
        inside = [set(cart) for cart in carts]
        free = [item not in inside[at] for at, item in zip(pairs["at"].to_pylist(), pairs["item"].to_pylist(), strict=True)]
        pairs = pairs.filter(pa.array(free, pa.bool_()))
    made = spine.questions.take(pairs["at"])
    kind = pa.int64() if nature_of(model.predicts.source, column) == "whole" else pa.string()
    made = made.append_column("item", pairs["item"])
    made = made.append_column(column, pairs["item"].cast(kind)) if column not in made.column_names else made
    wanted = [word for word in model.among if about_candidates(model, word)]
    return made.filter(pa.array(all_hold(reader, replace(spine, questions=made), wanted)))


def past_of(reader: Reader, spine: Spine, made: pa.Table, past: Reading) -> pa.Array:
    """What a baseline lists for each question: the first ``most`` of its past that are candidates of it (``made``: as ``expanded``).

    The past is read as long as it is and cut after the rules, so that what is no candidate takes nobody's place.
    """
    asked, of = spine.questions, np.arange(spine.questions.num_rows)
    if not spine.keys(past) and spine.asked is None:
        # Everybody's past can be as long as the catalogue: once for each moment.
        _, first, of = np.unique(asked["moment"].to_numpy(), return_index=True, return_inverse=True)
        asked = asked.take(pa.array(first))
    ever = replace(past, most=EVERYTHING, label="past")
    lists = columns(reader, replace(spine, questions=asked), [ever]).column(0).combine_chunks()
    return first_among(made, lists, of, past.most)


def first_among(made: pa.Table, lists: pa.Array, of: NDArray[np.int64], most: int | None) -> pa.Array:
    """For each question the first ``most`` of its list that are candidates of it, in the list's order; ``of``: which list is its own.

    >>> made = pa.table({"question": [0, 0, 1], "item": ["a", "c", "b"]})
    >>> first_among(made, pa.array([["b", "c", "a"]]), np.array([0, 0]), 1).to_pylist()
    [['c'], ['b']]
    """
    whose, mine, listed = made["question"].to_numpy().astype(np.int64), made["item"].combine_chunks(), pc.list_flatten(lists)
    items = pc.unique(pa.chunked_array([mine, listed.cast(mine.type)]))
    wide = max(1, len(items))

    def key(at: NDArray[np.int64], said: pa.Array) -> pa.Array:
        return pa.array(at * wide + pc.index_in(said, value_set=items).to_numpy().astype(np.int64))

    # What comes first in a list comes first among all that is listed.
    theirs = key(pc.list_parent_indices(lists).to_numpy().astype(np.int64), listed.cast(mine.type))
    place = pc.fill_null(pc.index_in(key(of[whose], mine), value_set=theirs), -1).to_numpy().astype(np.int64)
    rows = np.flatnonzero(place >= 0)
    rows = rows[np.lexsort((place[rows], whose[rows]))]
    begins = np.searchsorted(whose[rows], np.arange(len(of) + 1))
    if most is not None:
        rows = rows[np.arange(len(rows)) - begins[whose[rows]] < most]
        begins = np.searchsorted(whose[rows], np.arange(len(of) + 1))
    return pa.ListArray.from_arrays(pa.array(begins, pa.int32()), mine.take(pa.array(rows)))


def relevant(made: pa.Table, truth: pa.Array) -> pa.Array:
    """1 where a candidate is among what came up, 0 where it is not, null where the truth is; ``truth``: a list for each question.

    >>> made = pa.table({"question": [0, 0, 1], "item": ["a", "b", "a"]})
    >>> relevant(made, pa.array([["b"], None], pa.list_(pa.string()))).to_pylist()
    [0.0, 1.0, None]
    """
    of = made["question"].combine_chunks()
    asked, came = pc.list_parent_indices(truth), pc.list_flatten(truth)
    items = pc.unique(pa.chunked_array([made["item"].combine_chunks(), came]))
    wide = max(1, len(items))
    mine = pc.add(pc.multiply(of.cast(pa.int64()), wide), pc.index_in(made["item"].combine_chunks(), value_set=items).cast(pa.int64()))
    theirs = pc.add(pc.multiply(asked.cast(pa.int64()), wide), pc.index_in(came, value_set=items).cast(pa.int64()))
    there = pc.is_in(mine, value_set=theirs).cast(pa.float64())
    return pc.if_else(truth.is_valid().take(of), there, pa.scalar(None, pa.float64()))


def on_first_rows(made: pa.Table, lists: pa.Array) -> pa.Array:
    """A list for each question as a column of its candidates: on the first row of each, and empty on the others, which would repeat it.

    >>> made = pa.table({"question": [0, 0, 1]})
    >>> on_first_rows(made, pa.array([["a"], ["b"]], pa.list_(pa.string()))).to_pylist()
    [['a'], [], ['b']]
    """
    of = made["question"].combine_chunks().to_numpy().astype(np.int64)
    first = np.r_[True, of[1:] != of[:-1]] if len(of) else np.zeros(0, dtype=bool)
    there = np.asarray(lists.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    empty = pa.array([[]], pa.list_(pa.string()))
    return pa.concat_arrays([lists.cast(pa.list_(pa.string())), empty]).take(pa.array(np.where(first | ~there[of], of, len(lists))))


def had_before(reader: Reader, spine: Spine) -> pa.Array:
    """All that each question's unit ever had of what is listed, as known before its moment: what tells repeats from what is new to it."""
    assert isinstance(spine.model.predicts, Reading)
    ever = replace(spine.model.predicts, next=None, last=None, most=EVERYTHING, label="before")
    return columns(reader, spine, [ever]).column(0).combine_chunks()
