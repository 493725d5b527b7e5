"""Slices: the groups that answers are cut into, by the few-valued text columns of their units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from everloop.clock import microseconds
from everloop.features.compile import features as read_features
from everloop.loop.asked import questions_of
from everloop.loop.house import House
from everloop.project.model import Model
from everloop.project.reading import Reading
from everloop.project.source import Source
from everloop.stats.shapes import Strings

SLICES = 8  # how many columns are looked into for where it goes wrong
VALUES = 50  # of how many values each at most


@dataclass(frozen=True)
class Slices:
    """The categories known of each unit, so that where it goes wrong can be said: ``values`` by column, at a unit's ``place``."""

    place: Mapping[str, int]
    values: Mapping[str, list[str | None]]

    @staticmethod
    def of(house: House, model: Model, units: Iterable[str], now: datetime) -> Slices:
        """Few-valued text columns of the sources the units are found in, read once."""
        readings = [] if isinstance(model.per, Source) else list(_categories(model))[:SLICES]
        names = list(dict.fromkeys(units))
        if not readings or not names:
            return Slices({}, {})
        asked = pa.table({"moment": pa.array(np.full(len(names), microseconds(now)), pa.int64()), "unit": pa.array(names, pa.string())})
        found = read_features(readings, questions_of(model, asked), house.tables(model), model=model)
        values = {reading.columns[0]: found.column(reading.name).to_pylist() for reading in readings}
        return Slices({name: i for i, name in enumerate(names)}, {c: v for c, v in values.items() if len(set(v)) <= VALUES})

    def for_units(self, units: Iterable[str]) -> dict[str, Strings]:
        """The categories of these units, row for row."""
        if not self.values:
            return {}
        rows = np.array([self.place[unit] for unit in units], dtype=np.int64)
        return {column: np.array([*values, None], dtype=object)[rows] for column, values in self.values.items()}


NO_SLICES = Slices({}, {})


def _categories(model: Model) -> Iterator[Reading]:
    for source in model.sources:
        if set(model.unit) <= set(source.every_column) and source.id != model.unit:
            for column, kind in source.columns.items():
                hidden = column in (*model.unit, *source.id, *source.private) or column.endswith("_id")
                if kind is str and not hidden:
                    yield source.latest(column)
