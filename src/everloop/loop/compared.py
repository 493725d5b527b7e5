"""The two windows that drift compares, as rows: what the champion learnt from and the newest answers. For reports of other tools."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.connect.evidently import report
from everloop.connect.whole import put
from everloop.errors import EverloopError
from everloop.loop.adopt import adopt
from everloop.loop.answers import answers_of
from everloop.loop.house import House
from everloop.loop.profiles import DAY
from everloop.monitor.profile import ANSWERS
from everloop.project.model import Model
from everloop.records import Traffic
from everloop.serving.answered import features_of, in_steps, private_columns
from everloop.stats.shapes import Answers, of_a_step
from everloop.training.rows import learnable

ROWS = 10_000  # of each side at most, dealt evenly, the same ones every time


def two_windows(house: House, model: Model, now: datetime) -> tuple[pa.Table, pa.Table]:
    """What was known (and answered, where answers are numbers) before, and in the newest window: a row for each question.

    Before: what the champion learnt from; where it learnt nothing, the answers of earlier windows. Private columns are left out. Raises
    EverloopError where nobody answered, and for a model that answers with lists.
    """
    if model.kind == "ranking":
        raise EverloopError(f"{model.name} answers with a list: what it knows belongs to each candidate, not to the question.")
    adopt(house, model, now)
    traffic = house.traffic(model)
    given = in_steps(answers_of(house, model), model.shape)
    mine = given.filter((pc.field("arm") != "shadow") & (pc.field("version") == traffic.champion) & pc.field("error").is_null())
    if not len(mine):
        raise EverloopError(f"{model.name} has answered nobody yet by {traffic.champion}. Answer first: everloop score {model.name}")
    moments = mine.column("moment").to_numpy()
    starts = moments if model.asked is not None else moments - moments % DAY
    newest = starts == starts.max()
    learnt = _learnt(house, model, traffic)
    names = [n for n in model.columns if n not in private_columns(model)]
    old = (
        _rows(house, traffic, mine.filter(pa.array(~newest)), names)
        if learnt is None
        else learnt.select([n for n in (*names, ANSWERS) if n in learnt.column_names])
    )
    return _dealt(_plain(old)), _dealt(_rows(house, traffic, mine.filter(pa.array(newest)), names))


def to_evidently(house: House, model: Model, to: Path, now: datetime) -> tuple[int, int]:
    """Write Evidently's report of the two windows; returns how many rows each had."""
    before, newest = two_windows(house, model, now)
    put(to, report(before, newest, title=f"{model.name}: what it learnt from, and its newest window"))
    return len(before), len(newest)


def _learnt(house: House, model: Model, traffic: Traffic) -> pa.Table | None:
    champion = house.champion(traffic)
    training_set = house.learnt_from(champion)
    if training_set is None or not training_set.learn_rows:
        return None
    table = learnable(house.table(training_set), training_set, champion.shape)
    if champion.shape.kind not in ("number", "chance"):
        return table
    said = house.predictor(champion).answer(house.as_fed(model, champion, table)).value
    return table.append_column(ANSWERS, pa.array(said, pa.float64(), from_pandas=True))


def _rows(house: House, traffic: Traffic, given: pa.Table, names: list[str]) -> pa.Table:
    rows = features_of(given, names)
    shape = house.champion(traffic).shape
    if shape.kind in ("number", "chance") and len(given):
        rows = rows.append_column(
            ANSWERS, pa.array(Answers.from_arrow(of_a_step(shape), given.column("answer")).value, pa.float64(), from_pandas=True)
        )
    return rows


def _plain(table: pa.Table) -> pa.Table:
    """Numbers as float64 and all else as text, as the answers log has them."""
    made = {}
    for name in table.column_names:
        column = table.column(name)
        number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
        made[name] = column.cast(pa.float64() if number else pa.string())
    return pa.table(made)


def _dealt(table: pa.Table) -> pa.Table:
    if len(table) <= ROWS:
        return table
    return table.take(pa.array(np.linspace(0, len(table) - 1, ROWS).astype(np.int64)))
