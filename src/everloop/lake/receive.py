"""Receive: rows come in, one or many, and are there once this returns. Duplicates are harmless; bad rows are refused one by one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from everloop.lake.arrive import Coming, arrive, read
from everloop.lake.place import Lake
from everloop.lake.rows import Rows, offered
from everloop.project.source import Source
from everloop.records import Received


def receive(lake: Lake, source: Source, rows: Rows, *, now: datetime, known_after: timedelta | None = None) -> Received:
    """Take in rows of a source: dicts, one dict, or an Arrow table.

    ``now`` (aware) is when they arrive. ``known_after`` says that they are history, each known so long after it happened. Instants may be
    ISO 8601 text; nothing else is converted. Keys no column is declared for are passed over.

    >>> import tempfile
    >>> from datetime import UTC
    >>> from everloop.lake import open_lake
    >>> orders = Source("orders", id="line_id", time="at", columns={"quantity": int})
    >>> row = {"line_id": "l1", "at": "2026-11-02T09:30Z", "quantity": 2}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lake = open_lake(f"{folder}/lake")
    ...     [receive(lake, orders, [row, {**row, "quantity": "2"}], now=datetime(2026, 11, 2, 10, tzinfo=UTC)).kept for _ in range(2)]
    [1, 0]

    Returns how many rows were kept, known already, or refused, with at most five sentences of why. Raises HouseFull or HouseBusy, and then
    nothing came in; EverloopError where ``rows`` are no rows or ``known_after`` is below zero.
    """
    return arrive(lake, source, read(source, [offered(rows)]), Coming(now, known_after, is_single(rows)))


def is_single(rows: Rows) -> bool:
    """Whether this is one event, as they come one by one.

    >>> is_single({"line_id": "l1"}), is_single([{"line_id": "l1"}]), is_single([])
    (True, True, False)
    """
    return isinstance(rows, Mapping) or (isinstance(rows, list | tuple) and len(rows) == 1)
