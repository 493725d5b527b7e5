"""Laws of the lake: redelivery changes nothing, every way in leads to the same table, and a snapshot never changes."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everloop import Source
from everloop.lake import ingest, open_lake, read, read_source, receive, snapshot
from everloop.lake.arrays import column
from everloop.lake.values import reader
from everloop.project import columns as kinds

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PLAIN = Source("orders", id="line_id", time="at", deleted="gone", columns={"quantity": int, "note": str})
VERSIONED = Source("orders", id="line_id", time="at", version="v", deleted="gone", columns={"quantity": int, "note": str})

lines = st.fixed_dictionaries(
    {
        "line_id": st.sampled_from(["a", "b", "c"]),
        "at": st.datetimes(datetime(2026, 10, 1), datetime(2026, 12, 1)).map(lambda at: at.replace(tzinfo=UTC)),
        "quantity": st.none() | st.integers(-2, 2),
        "note": st.none() | st.sampled_from(["", "x", "ü"]),
        "gone": st.booleans(),
        "v": st.integers(0, 3),
    }
)
deliveries = st.lists(st.lists(lines, min_size=1, max_size=6), min_size=1, max_size=4)
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def by_hand(source, batches, *, known_after=None):
    """The rules said again, one row at a time: what the table must be."""
    events, last = [], 0
    for batch in batches:
        state = list(events)
        for row in batch:
            before = [e for e in events if e["id"] == row["line_id"]]
            said = (row["at"], row["quantity"], row["note"], row["gone"])
            if source.version is not None:
                if any(e["version"] == row["v"] for e in before):
                    continue
                version = row["v"]
            else:
                stood = [e for e in state if e["id"] == row["line_id"]]
                ends = [r for r in batch if r["line_id"] == row["line_id"]][-1]
                ended = (ends["at"], ends["quantity"], ends["note"], ends["gone"])
                if (before and before[-1]["said"] == said) or (stood and stood[-1]["said"] == ended):
                    continue
                version = len(before)
            if known_after is None:
                last = known = max(_micro(NOON), last + 1)
            else:
                known = max([_micro(row["at"] + known_after), *(e["known_at"] + 1 for e in before)])
            events.append(
                {"id": row["line_id"], "version": version, "event_at": min(_micro(row["at"]), known), "known_at": known, "said": said}
            )
    return [(n, e["id"], e["version"], e["event_at"], e["known_at"], e["said"][3], e["said"][1]) for n, e in enumerate(events, 1)]


def _micro(at):
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


def table_of(lake, source):
    rows = read_source(lake, source).select(["seq", "id", "version", "event_at", "known_at", "deleted", "quantity"])
    return list(zip(*(c.to_pylist() for c in rows.columns), strict=True))


@few
@given(batches=deliveries, source=st.sampled_from([PLAIN, VERSIONED]), after=st.sampled_from([None, timedelta(minutes=1)]))
def test_rows_settle_as_the_rules_say(batches, source, after):
    with tempfile.TemporaryDirectory() as folder:
        lake = open_lake(f"{folder}/lake")
        for batch in batches:
            receive(lake, source, batch, now=NOON, known_after=after)
        assert table_of(lake, source) == by_hand(source, batches, known_after=after)


@few
@given(batch=st.lists(lines, min_size=1, max_size=8), source=st.sampled_from([PLAIN, VERSIONED]))
def test_every_way_in_leads_to_the_same_table(batch, source):
    with tempfile.TemporaryDirectory() as folder:
        ways = [open_lake(f"{folder}/{n}/lake") for n in range(3)]
        table = pa.Table.from_pylist(batch)
        parquet.write_table(table, f"{folder}/orders.parquet")
        receive(ways[0], source, batch, now=NOON)
        receive(ways[1], source, table, now=NOON)
        ingest(ways[2], source, Path(folder, "orders.parquet"), now=NOON)
        tables = [read_source(lake, source) for lake in ways]
        assert tables[0].equals(tables[1])
        assert tables[0].equals(tables[2])
        assert receive(ways[2], source, batch, now=NOON).kept == 0


@few
@given(batches=deliveries, source=st.sampled_from([PLAIN, VERSIONED]))
def test_a_delivery_that_comes_again_changes_nothing_and_no_snapshot_ever_does(batches, source):
    with tempfile.TemporaryDirectory() as folder:
        lake, kept = open_lake(f"{folder}/lake"), []
        for n, batch in enumerate(batches):
            receive(lake, source, batch, now=NOON)
            before = table_of(lake, source)
            assert receive(lake, source, batch, now=NOON + timedelta(days=1)).kept == 0
            assert table_of(lake, source) == before
            made = snapshot(lake, [source], now=NOON, id=str(n))
            kept.append((made, read(lake, made, source)))
        for made, table in kept:
            assert read(lake, made, source).equals(table)


values = {
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(),
    bool: st.booleans(),
    str: st.text(),
    datetime: st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    kinds.money("EUR"): st.floats(),
}


@settings(max_examples=200, deadline=None)
@given(data=st.data(), kind=st.sampled_from(list(values)), zone=st.sampled_from([None, "UTC", "Europe/Berlin"]))
def test_a_column_is_read_as_its_values_are(data, kind, zone):
    said = data.draw(st.lists(st.none() | values[kind], min_size=1, max_size=5))
    reads, kept, why = reader(kind, zone), [], {}
    for row, value in enumerate(said):
        try:
            kept.append(reads(value))
        except ValueError as error:
            kept.append(None)
            why[row] = str(error)
    made = column(pa.array(said), kind, zone)
    assert made.values.to_pylist() == kept
    assert made.refused == why
