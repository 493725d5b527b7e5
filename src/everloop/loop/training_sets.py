"""Training sets of a house: in one piece, or, of many events where the settings name an executor, by parts of the units; the same bytes.

Of more events than go into memory the parts are files beside the house while the training set is put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow as pa

from everloop.features.as_of import as_of
from everloop.features.cut import Cut, cut_into_files, cut_of, cut_up
from everloop.features.parts import as_of_parts
from everloop.lake.shape import event_schema
from everloop.lake.snapshot import pieces
from everloop.loop.brought import brought
from everloop.loop.house import House
from everloop.project.model import Model
from everloop.records import Snapshot, TrainingSet

EVENTS: Final = 250_000
"""Events of one part, about."""
MOST: Final = 64
"""Parts of one training set, while they are in memory."""
HELD: Final = 20_000_000
"""Events that are read into memory at once."""
PARTS: Final = "parts-"
"""How folders in the house folder begin in which a training set is put together from files."""
OF_A_FILE: Final = 1_000_000
"""Events of one part that is a file, about."""


def put_together(house: House, model: Model, tables: Mapping[str, pa.Table], *, now: datetime, **words: Any) -> TrainingSet:
    """As ``features.as_of.as_of``, whose words these are, wherever the house's work is done."""
    words |= {"now": now, "delivered": brought(house, model, now)}
    cut = _cut(house, model, min(MOST, -(-sum(table.num_rows for table in tables.values()) // EVENTS)))
    if house.executor is None or cut is None:
        return as_of(model, tables, **words)
    return as_of_parts(model, cut, cut_up(model, cut, tables), mapped=house.executor.map, **words)


def of_snapshot(house: House, model: Model, snapshot: Snapshot, *, now: datetime, **words: Any) -> TrainingSet:
    """The same of what a snapshot holds, which need not go into memory where the settings name an executor."""
    rows = sum(extent.rows for source in model.sources if (extent := snapshot.extent(source.name)) is not None)
    cut = _cut(house, model, -(-rows // OF_A_FILE)) if rows > HELD else None
    if house.executor is None or cut is None:
        return put_together(house, model, house.read(snapshot, model), now=now, **words)
    with TemporaryDirectory(dir=house.settings.house, prefix=PARTS, ignore_cleanup_errors=True) as folder:
        events = {source.name: partial(pieces, house.lake, snapshot, source) for source in model.sources}
        schemas = {source.name: event_schema(source) for source in model.sources}
        parts = cut_into_files(model, cut, events, Path(folder) / "parts", schemas=schemas)
        words |= {"now": now, "delivered": brought(house, model, now)}
        return as_of_parts(model, cut, parts, mapped=house.executor.map, **words)


def _cut(house: House, model: Model, count: int) -> Cut | None:
    return cut_of(model, count) if house.executor is not None and count > 1 else None
