"""Before the truth: what is needed to estimate a champion's metrics while its newest answers wait for their truth.

Chances and class shares need the contest the champion won; numbers also what it knew there, from which a model of its loss is learnt, once
for each version.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from everloop.loop.house import House
from everloop.monitor.estimated import LEAST_REFERENCE, Foresee, by_chances, by_losses
from everloop.monitor.seen import Answered
from everloop.project.conditions import at_least, at_most, slipped
from everloop.project.metrics import METRICS
from everloop.project.model import Model
from everloop.records import Traffic, TrainingSet
from everloop.serving.answered import features_of
from everloop.stats.measures import measure
from everloop.stats.shapes import Floats
from everloop.training.losses import LossModel, learn_losses
from everloop.training.rows import first_rows, holdout


def metrics_of(model: Model) -> tuple[str, ...]:
    """The metrics of truth that the project file speaks of after the promotion; the model's own first."""
    said = [model.metric]
    for condition in (*model.roll_back_when, *model.retrain_when, *model.tell_when):
        name = condition.on if isinstance(condition, slipped) else condition.what if isinstance(condition, at_least | at_most) else None
        if isinstance(name, str) and name in METRICS and not METRICS[name].serving:
            said.append(name)
    return tuple(dict.fromkeys(said))


def foresee(house: House, model: Model, traffic: Traffic, promised: Answered | None) -> dict[str, Foresee]:
    """How to estimate each of these metrics; without those that cannot be."""
    if promised is None:
        return {}
    found: dict[str, Foresee] = {}
    for name in metrics_of(model):
        if model.kind in ("chance", "shares"):
            by = by_chances(measure(name), promised)
        else:
            losses = _losses(house, traffic, promised, name) if model.kind == "number" else None
            by = None if losses is None else by_losses(measure(name), losses)
        if by is not None:
            found[name] = by
    return found


def with_known(house: House, model: Model, version: str, answered: Answered, rows: pa.Table) -> Answered:
    """The same answers with what was known of them, where losses are estimated from it; ``rows`` are theirs in the log."""
    losses = house.losses.get((version, model.metric))
    if losses is None:
        return answered
    return replace(answered, known=numbers_in(features_of(rows, losses.columns)))


def promised_known(house: House, model: Model, traffic: Traffic, promised: Answered | None) -> Answered | None:
    """The same for the answers of the contest."""
    losses = house.losses.get((traffic.champion, model.metric))
    table = _contested(house, traffic)
    if promised is None or losses is None or table is None or len(table) != len(promised):
        return promised
    return replace(promised, known=numbers_in(table.select(losses.columns)))


def numbers_in(table: pa.Table) -> Floats:
    """The columns as numbers (n, columns), NaN where there is none.

    >>> numbers_in(pa.table({"a": [1, None], "b": ["x", None]})).tolist()
    [[1.0, nan], [nan, nan]]
    """
    columns = []
    for column in table.columns:
        number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
        plain = [np.nan if v is None else float(v) for v in column.to_pylist()] if number else [np.nan] * len(column)
        columns.append(np.array(plain, dtype=np.float64))
    return np.column_stack(columns) if columns else np.zeros((len(table), 0))


def _losses(house: House, traffic: Traffic, promised: Answered, name: str) -> LossModel | None:
    key = (traffic.champion, name)
    if key not in house.losses:
        house.losses[key] = _learnt(house, traffic, promised, name)
    return house.losses[key]


def _learnt(house: House, traffic: Traffic, promised: Answered, name: str) -> LossModel | None:
    table, one = _contested(house, traffic), measure(name)
    if table is None or len(table) != len(promised) or len(promised) < LEAST_REFERENCE:
        return None
    fields = [f.name for f in table.schema if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)]
    columns = tuple(n for n in house.champion(traffic).columns if n in fields)
    terms = one.rows(promised.truth, promised.answers, np.ones(len(promised)))
    good = np.isfinite(terms).all(axis=1)
    if not columns or good.sum() < LEAST_REFERENCE:
        return None
    known = numbers_in(table.select(columns))
    return learn_losses(columns, known[good], promised.answers.value[good], terms[good], seed=0)


def _contested(house: House, traffic: Traffic) -> pa.Table | None:
    """The questions of the contest the champion won, with what was known of them."""
    contest = house.contest_of(house.version(traffic.champion))
    parents = () if contest is None else map(house.journal.find, contest.made_from)
    training_set = next((record for record in parents if isinstance(record, TrainingSet)), None)
    if training_set is None:
        return None
    table = holdout(house.table(training_set), training_set)
    return table.take(pa.array(first_rows(table)))
