"""The questions behind answers, as the readers of features take them."""

from __future__ import annotations

import pyarrow as pa

from everloop.project.model import Model
from everloop.project.source import Source


def questions_of(model: Model, asked: pa.Table) -> pa.Table:
    """The questions behind answers: their unit's columns again, the row asked about, and the step of a path."""
    # The same units are asked about again and again: each is taken apart once.
    units = asked.column("unit").combine_chunks().dictionary_encode()
    parts = [unit.split("\x1f") for unit in units.dictionary.to_pylist()]
    made = pa.table({"moment": asked.column("moment")})
    for i, column in enumerate(model.unit):
        made = made.append_column(column, pa.array([p[i] for p in parts], pa.string()).take(units.indices))
    if isinstance(model.per, Source):
        made = made.append_column("row", asked.column("unit"))
    return made.append_column("step", asked.column("step")) if "step" in asked.column_names else made
