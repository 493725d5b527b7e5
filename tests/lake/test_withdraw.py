"""Taking a bad delivery back: nothing is overwritten, and what stood before stands again."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from everloop import Source
from everloop.errors import Unknown
from everloop.lake import accept_columns, deliveries, open_lake, read, read_source, receive, snapshot, withdraw

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
orders = Source("orders", id="line_id", time="at", columns={"price": int})
versioned = Source("orders", id="line_id", time="at", version="v", columns={"price": int})


@pytest.fixture
def lake(tmp_path):
    return open_lake(tmp_path / "lake")


def table(prices, **more):
    columns = {"line_id": list(prices), "at": [NOON - timedelta(hours=1)] * len(prices), "price": list(prices.values())}
    return pa.table(columns | {name: [value] * len(prices) for name, value in more.items()})


def in_force(lake, source):
    rows = read_source(lake, source).to_pylist()
    newest = {r["id"]: r for r in sorted(rows, key=lambda r: (r["version"], r["seq"]))}
    return {name: r["price"] for name, r in newest.items() if not r["deleted"]}


@pytest.mark.parametrize("source", [orders, versioned])
def test_a_bad_delivery_is_answered_and_can_still_be_read(lake, source):
    receive(lake, source, table({"a": 1, "b": 2}, v=1), now=NOON)
    receive(lake, source, table({"b": 200, "c": 300}, v=2), now=NOON)
    bad = snapshot(lake, [source], now=NOON, id="bad")
    assert in_force(lake, source) == {"a": 1, "b": 200, "c": 300}
    answered = withdraw(lake, source, 2, now=NOON)
    assert (answered.kept, answered.through_seq) == (2, 6)
    assert in_force(lake, source) == {"a": 1, "b": 2}
    assert read(lake, bad, source).column("price").to_pylist() == [1, 2, 200, 300]
    known = read_source(lake, source).column("known_at").to_pylist()
    assert known == sorted(set(known))


@pytest.mark.parametrize("source", [orders, versioned])
def test_mended_rows_may_come_under_the_same_version(lake, source):
    receive(lake, source, table({"b": 2}, v=1), now=NOON)
    receive(lake, source, table({"b": 200, "c": 300}, v=2), now=NOON)
    withdraw(lake, source, 2, now=NOON)
    assert receive(lake, source, table({"b": 20, "c": 30}, v=2), now=NOON).kept == 2
    assert in_force(lake, source) == {"b": 20, "c": 30}


def test_a_row_corrected_since_stays_as_it_is(lake):
    receive(lake, orders, table({"a": 100, "b": 200}), now=NOON)
    receive(lake, orders, table({"a": 1}), now=NOON)
    assert withdraw(lake, orders, 1, now=NOON).kept == 1
    assert in_force(lake, orders) == {"a": 1}


def test_a_delivery_is_withdrawn_once(lake):
    receive(lake, orders, table({"a": 100}), now=NOON)
    assert [withdraw(lake, orders, 1, now=NOON).kept for _ in range(2)] == [1, 0]
    assert deliveries(lake, orders)[0].withdrawn_at == NOON
    with pytest.raises(Unknown, match="delivery '7'"):
        withdraw(lake, orders, 7, now=NOON)


def test_new_columns_stay_news_until_somebody_agrees(lake):
    for n in range(3):
        receive(lake, orders, table({f"a{n}": 1}, **({"tip": 5} if n else {})), now=NOON)
    assert [d.new for d in deliveries(lake, orders)] == [(), ("tip",), ("tip",)]
    assert accept_columns(lake, orders) == ("tip",)
    receive(lake, orders, table({"z": 1}, tip=5), now=NOON)
    assert deliveries(lake, orders)[-1].new == ()
    assert accept_columns(lake, orders) == ()


def test_only_what_began_by_a_row_is_told(lake):
    for n in range(3):
        receive(lake, orders, table({f"a{n}": 1}), now=NOON)
    assert [d.number for d in deliveries(lake, orders, through_seq=2)] == [1, 2]
