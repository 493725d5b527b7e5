"""Served: what a feature table was made from, so that it can be made again: how far each source was read, and by which definitions.

Both travel with the table into the answers log. In and out: Arrow tables and models. Absent: clock, disk.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from everloop.features.candidates import candidate_readings
from everloop.features.definition import FINALIZE_VERSION, canonical, nature_of
from everloop.features.moments import length
from everloop.features.steps import time_predicted
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Arithmetic, Reading, calendar, column_names, leaves
from everloop.project.resolve import keys
from everloop.project.source import Source

#: Under this name a table's own metadata says how far each source was read.
AS_OF: Final = b"everloop.as_of"
#: So many letters stand for one definition: 36 bits tell an edited one from the one before.
LETTERS: Final = 6
#: What a list says beside its columns: its candidates.
ITEM: Final = "item"
#: Verbs that are read of the row asked about, by no key.
ROW_ASKED: Final = ("given", "outcome")
STEP: Final = "step"
BASELINE: Final = "baseline"


def with_as_of(table: pa.Table, as_of: Mapping[str, int]) -> pa.Table:
    """The same table, saying through which sequence number each source was read for it.

    >>> as_of_in(with_as_of(pa.table({"x": [1]}), {"orders": 7}).append_column("y", [[2]]).slice(0, 1))
    '{"orders":7}'
    """
    said = json.dumps(dict(sorted(as_of.items())), separators=(",", ":")).encode()
    return table.replace_schema_metadata({**(table.schema.metadata or {}), AS_OF: said})


def as_of_in(table: pa.Table) -> str | None:
    """How far each source was read for a table, as JSON; None where it does not say."""
    said = (table.schema.metadata or {}).get(AS_OF)
    return None if said is None else said.decode()


def reach(tables: Mapping[str, pa.Table]) -> dict[str, int]:
    """The last sequence number in each event table; 0 where there is none.

    >>> reach({"orders": pa.table({"seq": [1, 2]}), "returns": pa.table({"seq": pa.array([], pa.int64())})})
    {'orders': 2, 'returns': 0}
    """
    return {name: int(table["seq"][-1].as_py()) if table.num_rows else 0 for name, table in tables.items()}


def up_to(tables: Mapping[str, pa.Table], as_of: Mapping[str, int]) -> dict[str, pa.Table]:
    """Event tables without the rows beyond these sequence numbers; a source that is not named stays whole.

    >>> up_to({"orders": pa.table({"seq": [1, 2, 3]})}, {"orders": 2})["orders"].num_rows
    2
    """
    cut = dict(tables)
    for name, seq in as_of.items():
        if name in cut:
            there = np.asarray(cut[name]["seq"].to_numpy(), dtype=np.int64)
            cut[name] = cut[name].slice(0, int(np.searchsorted(there, seq, side="right")))
    return cut


@lru_cache(maxsize=256)
def definition_of(model: Model) -> str:
    """By which definitions a model's features are read: six letters for each column, in the order of the columns.

    A column renamed keeps its letters, an edited one changes them: a longer window, another ``where``, another id of its source.

    >>> from everloop import Model, Source, days, every
    >>> orders = Source("orders", id="order_id", time="at", columns={"customer_id": str})
    >>> said = dict(predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)), learner=print)
    >>> week, month = (Model("churn", knows=orders.count(last=days(n)), **said) for n in (7, 28))
    >>> len(definition_of(week)), definition_of(week)[:6] == definition_of(month)[:6]
    (12, False)
    """
    return "".join(definitions(model).values())


def definitions(model: Model, knows: Sequence[AnyReading] | None = None) -> dict[str, str]:
    """The letters of each column that is served for a model, in order; ``knows``: of these readings instead of what it knows today."""
    found: dict[str, str] = {}
    if model.steps > 1 and knows is None:
        found[STEP] = _letters([STEP, length(time_predicted(model))])
    if model.kind == "ranking":
        found[ITEM] = _letters([[canonical(reading) for reading in candidate_readings(model)], list(map(repr, model.among))])
    for reading in model.knows if knows is None else knows:
        found |= dict.fromkeys(column_names(reading), letters(model, reading))
    past = model.baseline_reading
    if knows is None and isinstance(past, Reading | Arithmetic) and model.kind != "ranking":
        found[BASELINE] = letters(model, past)
    return found


def letters(model: Model, reading: AnyReading) -> str:
    """The letters of one reading of a model: all that its value depends on, whose rows it takes included."""
    zone = model.asked.zone if isinstance(reading, calendar) and model.asked is not None else None
    about = model.per.name if isinstance(model.per, Source) else None
    single = leaves(reading)
    keyed = [[[key, nature_of(leaf.source, key)] for key in keys(model, leaf) or ()] for leaf in single if leaf.verb not in ROW_ASKED]
    ahead = length(time_predicted(model)) if any(leaf.verb == "planned" for leaf in single) else None
    return _letters([canonical(reading), list(model.unit), about, zone, keyed, ahead])


def told(definition: str, columns: Sequence[str]) -> dict[str, str]:
    """The letters of each of these columns, in the order in which they were served; what a definition does not reach has none.

    >>> told("aaaaaabbbbbb", ["x", "y", "z"])
    {'x': 'aaaaaa', 'y': 'bbbbbb'}
    """
    parts = [definition[at : at + LETTERS] for at in range(0, len(definition), LETTERS)]
    return dict(zip(columns, parts, strict=False))


def _letters(meaning: object) -> str:
    said = json.dumps([FINALIZE_VERSION, meaning], sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(said.encode()).digest()[:6]).decode()[:LETTERS]
