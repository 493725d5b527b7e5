"""A snapshot read piece by piece has the rows it has when read at once, also where a column once was of another type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from everloop import Source
from everloop.errors import Unknown
from everloop.lake.place import open_lake
from everloop.lake.receive import receive
from everloop.lake.snapshot import pieces, read, snapshot

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ORDERS = Source("orders", id="line_id", time="at", columns={"product_id": str, "quantity": int})
LATER = Source("orders", id="line_id", time="at", columns={"product_id": str, "quantity": float})


def lines(first, count, quantity):
    return pa.table(
        {
            "line_id": [f"l{n}" for n in range(first, first + count)],
            "at": pa.array([NOW - timedelta(days=1)] * count),
            "product_id": ["p"] * count,
            "quantity": [quantity] * count,
        }
    )


def test_pieces_are_the_rows_of_the_snapshot(tmp_path):
    lake = open_lake(tmp_path / "lake", durability="process")
    receive(lake, ORDERS, lines(0, 20, 3), now=NOW)
    before = snapshot(lake, [ORDERS], now=NOW, id="before")
    receive(lake, LATER, lines(20, 20, 1.5), now=NOW)
    after = snapshot(lake, [LATER], now=NOW, id="after")
    for snap, source, rows in ((before, ORDERS, 20), (after, LATER, 40)):
        table = pieces(lake, snap, source).read_all().sort_by("seq")
        assert table.num_rows == rows
        assert table.combine_chunks() == read(lake, snap, source).combine_chunks()


def test_a_source_without_rows_has_none_and_one_that_is_not_in_it_is_unknown(tmp_path):
    lake = open_lake(tmp_path / "lake", durability="process")
    empty = snapshot(lake, [ORDERS], now=NOW, id="empty")
    assert pieces(lake, empty, ORDERS).read_all().num_rows == 0
    with pytest.raises(Unknown, match="There is no source 'returns' in snapshot empty"):
        pieces(lake, empty, Source("returns", id="return_id", time="at", columns={}))
