"""Requests as they come in, a table or plain records, and what of them readings need. Absent: clock, disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from everloop.features.compile import as_number, shown
from everloop.features.definition import Nature, nature_of
from everloop.features.finalize import one_days_before
from everloop.features.fold import SEPARATOR, as_key
from everloop.features.spine import as_text
from everloop.project.reading import Reading

#: What is asked in a request as one says it; everything else goes the way of whole columns.
_PLAIN: Final = frozenset({str, int, bool, type(None)})
_WORDS: Final = frozenset({str, type(None)})


class Requests:
    """Requests that all have the same names: a table, or a sequence of records."""

    def __init__(self, requests: pa.Table | Sequence[Mapping[str, object]]) -> None:
        self._table = requests if isinstance(requests, pa.Table) else None
        self._records: Sequence[Mapping[str, Any]] = () if isinstance(requests, pa.Table) else requests
        self.rows = len(requests)
        self.names = tuple(requests.column_names if isinstance(requests, pa.Table) else requests[0] if requests else ())
        self._keys: dict[tuple[str, ...], list[str | None]] = {}

    def has(self, columns: Sequence[str]) -> bool:
        """Whether requests say all of these columns."""
        return all(column in self.names for column in columns)

    def keys(self, columns: tuple[str, ...]) -> list[str | None]:
        """The key of each request as one text; None where part of it is empty.

        >>> Requests([{"shop": 1, "gift": True}, {"shop": None, "gift": False}]).keys(("shop", "gift"))
        ['1\\x1f1', None]
        """
        found = self._keys.get(columns)
        if found is None:
            found = self._keys[columns] = self._as_keys(columns)
        return found

    def _as_keys(self, columns: tuple[str, ...]) -> list[str | None]:
        if not columns:
            return [""] * self.rows
        if len(columns) == 1:
            return self._texts(columns[0])
        texts = [self._texts(column) for column in columns]
        return [None if None in row else SEPARATOR.join(row) for row in zip(*texts, strict=True)]

    def _texts(self, column: str) -> list[str | None]:
        if self._table is None:
            said = [record.get(column) for record in self._records]
            kinds = {value.__class__ for value in said}
            if kinds <= _WORDS:
                return said
            if kinds <= _PLAIN:
                return [None if value is None else as_key(value) for value in said]
        return as_text(self._column(column)).to_pylist()  # type: ignore[no-any-return]

    def given(self, reading: Reading, moment: int) -> list[float | str | list[str] | None]:
        """What each request says of a column itself, as a learner sees it."""
        column, nature = reading.columns[0], nature_of(reading.source, reading.columns[0])
        if self._table is None:
            said, (kinds, show) = [record.get(column) for record in self._records], _SAID[nature]
            if all(value is None or value.__class__ in kinds for value in said):
                return [None if value is None else show(value, moment) for value in said]
        whole = self._column(column).combine_chunks()
        if nature != "words":
            whole = as_number(whole, reading.source.name, column)
        return shown(reading, whole, np.full(self.rows, moment, dtype=np.int64)).to_pylist()  # type: ignore[no-any-return]

    def _column(self, column: str) -> pa.ChunkedArray:
        if self._table is not None:
            return self._table[column]
        return pa.chunked_array([pa.array([record.get(column) for record in self._records])])

    def table(self, moment: int) -> pa.Table:
        """The requests as a table, all asked at one moment, microseconds UTC."""
        made = self._table if self._table is not None else pa.Table.from_pylist([dict(record) for record in self._records])
        made = made.drop_columns([name for name in ("moment",) if name in made.column_names])
        return made.append_column("moment", pa.array(np.full(self.rows, moment, dtype=np.int64)))


def shown_of(reading: Reading) -> Callable[[Mapping[str, Any], int], float | str | list[str] | None]:
    """What shows a column that one request says, as ``Requests.given`` does. It raises KeyError where the request does not say it.

    >>> from everloop import Source
    >>> houses = Source("houses", id="house_id", columns={"rooms": int})
    >>> shown_of(houses.given("rooms"))({"rooms": 3}, 0)
    3.0
    """
    column, nature = reading.columns[0], nature_of(reading.source, reading.columns[0])
    kinds, show = _SAID[nature]

    def shown_one(request: Mapping[str, Any], moment: int) -> float | str | list[str] | None:
        value = request[column]
        if value is None:
            return None
        return show(value, moment) if value.__class__ in kinds else Requests([request]).given(reading, moment)[0]

    return shown_one


def shown_together(readings: Sequence[Reading]) -> Callable[[Mapping[str, Any], int], list[float | str | list[str] | None]]:
    """What shows several columns of one request at once, in order, each as ``shown_of`` does.

    >>> from everloop import Source
    >>> houses = Source("houses", id="house_id", columns={"area": float, "rooms": int})
    >>> shown_together(houses.given("rooms", "area"))({"rooms": 3, "area": 80.5}, 0)
    [3.0, 80.5]
    """
    natures = [nature_of(reading.source, reading.columns[0]) for reading in readings]
    each = [(reading.columns[0], nature == "decimal", shown_of(reading)) for reading, nature in zip(readings, natures, strict=True)]

    def shown_each(request: Mapping[str, Any], moment: int) -> list[float | str | list[str] | None]:
        # Most columns are decimals that are said as such, and a call for each would cost as much as all of them.
        return [
            value + 0.0 if decimal and (value := request[column]).__class__ is float and value - value == 0 else show(request, moment)
            for column, decimal, show in each
        ]

    return shown_each


def _as_decimal(value: float, moment: int) -> float | None:
    return value + 0.0 if value - value == 0 else None


_SAID: Final[dict[Nature, tuple[tuple[type, ...], Callable[[Any, int], float | str | None]]]] = {
    "words": ((str,), lambda value, moment: value),
    "decimal": ((float,), _as_decimal),
    "whole": ((int,), lambda value, moment: float(value)),
    "flag": ((bool,), lambda value, moment: float(value)),
    "instant": ((int,), lambda value, moment: one_days_before(moment, value)),
}
