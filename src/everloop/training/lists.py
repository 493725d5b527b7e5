"""The lists of a rehearsal, looked at as lists: repeat and explore apart, each with its protocol. In: two sides, a holdout. Out: Listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

import pyarrow as pa

from everloop.project.model import Model
from everloop.records import Listed
from everloop.stats.lists import apart
from everloop.training.baseline import Baseline
from everloop.training.predictor import Answering, Predictor
from everloop.training.rows import first_rows


def listed(side: Literal["champion", "candidate"], predictor: Answering, holdout: pa.Table, model: Model) -> tuple[Listed, ...]:
    """How well one side lists, over all items and, where the holdout says what units had before, over repeats and what is new apart."""
    k = predictor.shape.most or model.shape.most or 10
    starts = [*first_rows(holdout).tolist(), len(holdout)]
    truths = [set(one or ()) for one in holdout.column("truth").take(pa.array(starts[:-1], pa.int64())).to_pylist()]
    items = holdout.column("item").to_pylist()
    catalogue = len(set(items))
    lists = _in_full(predictor, holdout)
    before = holdout.column("before") if "before" in holdout.column_names else None
    had = [set(before[start].as_py() or ()) for start in starts[:-1]] if before is not None else [set[str]() for _ in truths]
    found = apart(lists, truths, had, k, catalogue)
    kept = found if before is not None else {"all": found["all"]}
    return tuple(
        Listed(side=side, over=cast(Literal["all", "repeat", "explore"], over), **vars(said)) for over, said in kept.items()
    )  # fmt: skip


def _in_full(predictor: Answering, table: pa.Table) -> list[tuple[str, ...]]:
    """Every candidate in order, where a predictor can say so; else the list as it is."""
    full = predictor
    if isinstance(predictor, Predictor | Baseline):
        full = replace(predictor, shape=replace(predictor.shape, most=0))
    said = full.answer(table).items
    return list(said or ())
