"""Candidates: the values a ranking chooses among. In: questions. Out: one row for each question and candidate, by question, then item."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


def candidate_readings(model: Model) -> tuple[Reading, ...]:
    """Where the candidates come from: as said, else what the unit had most so far."""
    if model.candidates or not isinstance(model.predicts, Reading):
        return model.candidates
    return (replace(model.predicts, next=None, last=None, most=OWN, label=None),)


def expanded(reader: Reader, spine: Spine) -> pa.Table:
    """Every question with each of its candidates, as known before its moment, where the candidate's own ``among`` holds.

    Adds ``item`` (text) and the candidate's column under its own name. A question without any candidate has no row.
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
    made = spine.questions.take(pairs["at"])
    kind = pa.int64() if nature_of(model.predicts.source, column) == "whole" else pa.string()
    made = made.append_column("item", pairs["item"])
    made = made.append_column(column, pairs["item"].cast(kind)) if column not in made.column_names else made
    wanted = [word for word in model.among if about_candidates(model, word)]
    return made.filter(pa.array(all_hold(reader, replace(spine, questions=made), wanted)))


def relevant(made: pa.Table, truth: pa.Array) -> pa.Array:
    """1 where a candidate is among what came up, 0 where it is not, null where the truth is; a list of truth for each row of ``made``."""
    items = made["item"].to_pylist()
    said = [None if listed is None else float(item in listed) for item, listed in zip(items, truth.to_pylist(), strict=True)]
    return pa.array(np.array(said, dtype=object), pa.float64(), from_pandas=True)
