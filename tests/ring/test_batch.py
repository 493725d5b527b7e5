"""A batch of answers as a file: what a request would get, to the last digit; whole or absent, whoever kills it; nobody's row is lost."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everloop.errors import EverloopError, HouseBusy, HouseFull, Unknown
from everloop.features.as_of import live
from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.answers import answer_one, answers_of
from everloop.loop.batch import parts
from everloop.loop.batch.score import Batch, Progress, score, spoken_scored
from everloop.loop.keep import keep_record
from everloop.loop.serve.routes import write_routes
from everloop.loop.serve.supervised import Told
from everloop.loop.serve.worker import opened as open_doors
from everloop.loop.turn import turn
from everloop.records import Candidate, Version
from everloop.serving.app import app
from everloop.serving.keys import Keys
from everloop.serving.metrics import Metrics
from tests.loop.houses import NOW, house_at
from tests.ring.conftest import END
from tests.ring.test_doors import KINDS, some_requests

LATER = END + timedelta(hours=1)


class Http:
    """A house over HTTP, without a socket."""

    def __init__(self, house, folder, stack):
        write_routes(house)
        told = Told(house.project.path, None, None, True, None, None, None)
        doors = open_doors(told, house.project, house.settings, stack)
        self.app = app(doors, keys=lambda: Keys(()), metrics=Metrics(folder, "w1"))

    def predict(self, model, requests, now):
        async def once():
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app, client=("127.0.0.1", 5)), base_url="http://localhost"
            ) as client:
                body = json.dumps({"requests": requests}, default=str)
                said = {"content-type": "application/json", "everloop-now": now.isoformat()}
                return await client.post(f"/v1/models/{model.name}/predict", content=body, headers=said)

        reply = asyncio.run(once())
        assert reply.status_code == 200, reply.text
        return reply.json()["answers"]


@pytest.fixture
def http(tmp_path):
    with ExitStack() as stack:
        yield lambda house: Http(house, tmp_path, stack)


def half_way(house, model):
    """A learnt version beside the baseline, answering half of the units."""
    turn(house, model, END)
    candidate = next(e.record for e in house.journal.read(kind="Candidate", newest_first=True) if isinstance(e.record, Candidate))
    assert candidate.format != "baseline"
    blank = Version(id="learnt", made_at=END, made_from=(candidate.id,), model=model.name, number=0, candidate=candidate.id)
    before = house.traffic(model)
    with house.store.transaction() as t:
        version = keep_record(house, t, blank, model=model, turn=None, verb="admit")
        moved = replace(
            before, id="half", made_from=(before.id,), generation=before.generation + 1, stage="canary", share=0.5, candidate=version.id
        )
        keep_record(house, t, moved, model=model, turn=None, verb="begin")


def written(path, rows):
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    return path


def as_http(row, kind):
    """A row of the file as HTTP says the same answer."""
    answer = {"version": row["version"], "arm": row["arm"], "moment": row["moment"].isoformat().replace("+00:00", "Z")}
    if kind == "ranking":
        return answer | {"items": row["items"]}
    return answer | {"value": row["value"]} | ({"says": row["says"]} if kind == "chance" else {})


# -- the same answers ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_what_a_request_for_the_same_unit_gets_at_the_same_moment_to_the_last_digit(after, http, tmp_path, kind):
    house, model = after(half_way, kind)
    served, there, tried = http(house), some_requests(house, model, 40), iter(range(1000))

    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.integers(0, len(there) - 1), min_size=1, max_size=12, unique=True), st.integers(1, 20 * 86_400_000_000))
    def same(chosen, after):
        requests, now = [there[place] for place in chosen], END + timedelta(microseconds=after)
        to = tmp_path / f"{next(tried)}.parquet"
        keys = written(tmp_path / "keys.ndjson", requests)
        score(house, Batch(model, to, keys, as_served=True, at_said=True), now, size=5)
        due = served.predict(model, requests, now)
        rows = pq.read_table(to).to_pylist()
        assert [as_http(row, model.kind) for row in rows] == [
            {name: answer[name] for name in as_http(row, model.kind)} for row, answer in zip(rows, due, strict=True)
        ]
        assert all(row["error"] is None for row in rows)

    same()
    arms = {a for n in range(next(tried)) for a in pq.read_table(tmp_path / f"{n}.parquet")["arm"].to_pylist()}
    assert arms == {"champion", "candidate"}


def test_what_lies_in_the_cart_is_listed_by_a_batch_as_little_as_by_http(after, http, tmp_path):
    house, model = after(half_way, "recommend")
    served, now = http(house), END + timedelta(hours=2)
    there = some_requests(house, model, 20)
    best = [[one["item"] for one in answer["items"]] for answer in served.predict(model, there, now)]
    requests = [request | {"cart": items[:2]} for request, items in zip(there, best, strict=True)]
    to = tmp_path / "lists.parquet"
    score(house, Batch(model, to, written(tmp_path / "keys.ndjson", requests), as_served=True), LATER + timedelta(hours=3), size=7)
    due = served.predict(model, requests, LATER + timedelta(hours=3))
    rows = pq.read_table(to).to_pylist()
    assert [row["items"] for row in rows] == [answer["items"] for answer in due]
    assert {row["arm"] for row in rows} == {"champion", "candidate"}
    assert not any({one["item"] for one in row["items"]} & set(items[:2]) for row, items in zip(rows, best, strict=True))


@pytest.mark.parametrize(
    ("name", "columns"),
    [("topics", ["shares.billing", "shares.spam", "says"]), ("spread", ["quantiles.0.1", "quantiles.0.5", "quantiles.0.9"])],
)
def test_shares_and_quantiles_are_a_column_each(tmp_path, name, columns):
    house = house_at(tmp_path)
    sources = house.project.sources
    for n in range(40):
        at = NOW - timedelta(days=40 - n)
        topic = "spam" if n % 4 else "billing"
        receive(house.lake, sources["tickets"], {"ticket_id": f"t{n}", "opened_at": at, "topic": topic, "urgent": n % 2 == 0}, now=at)
        order = {"line_id": f"l{n}", "ordered_at": at, "product_id": "p1", "customer_id": f"c{n % 3}", "quantity": n % 5, "price": 100}
        receive(house.lake, sources["orders"], order, now=at)
    model = house.project.model(name)
    requests = (
        [{"ticket_id": "new", "urgent": True}] if name == "topics" else [{"product_id": "p1", "customer_id": f"c{n}"} for n in range(3)]
    )
    to = tmp_path / "to.parquet"
    score(house, Batch(model, to, written(tmp_path / "keys.jsonl", requests)), NOW)
    rows = pq.read_table(to).to_pylist()
    for request, row in zip(requests, rows, strict=True):
        due = answer_one(house, model, [f"{k}={v}" for k, v in request.items()], NOW)
        assert [row[column] for column in columns if column != "says"] == list(due.values)
        assert row.get("says") == due.says
    assert [n for n in rows[0] if n not in (*model.unit, "moment", "version", "arm", "error")] == columns


def test_a_moment_in_the_past_gives_the_features_as_they_were_then(after, tmp_path):
    house, model = after(half_way, "shop")
    moments = [END - timedelta(days=days, hours=5) for days in (1, 30, 90)]
    keys = tmp_path / "keys.csv"
    keys.write_text("moment,product_id\n" + "".join(f"{m.isoformat()},p0{n}\n" for n in range(3) for m in moments))
    to = tmp_path / "to.parquet"
    score(house, Batch(model, to, keys, version="demand@1"), LATER)
    rows = pq.read_table(to).to_pylist()
    learnt = house.predictor(house.candidate(house.versions.named("demand@1").candidate))
    for row in rows:
        features = live(model, house.tables(model), moment=row["moment"], units=[{"product_id": row["product_id"]}])
        assert row["value"] == learnt.answer(features).value[0]
    assert len({row["value"] for row in rows}) > 3
    assert {(row["version"], row["arm"]) for row in rows} == {("demand@1", "candidate")}


def test_features_that_rows_bring_are_answered_as_http_answers_them(after, http, tmp_path):
    house, model = after(half_way, "shop")
    requests = [{"product_id": f"new{n}", "features": dict.fromkeys(model.columns, 2.5 + n)} for n in range(4)]
    due = http(house).predict(model, requests, LATER)
    flat = [{"product_id": r["product_id"], **{f"features.{k}": v for k, v in r["features"].items()}} for r in requests]
    csv, parquet = tmp_path / "keys.csv", tmp_path / "keys.parquet"
    csv.write_text("\n".join([",".join(flat[0]), *(",".join(map(str, row.values())) for row in flat)]) + "\n")
    pq.write_table(pa.Table.from_pylist(requests), parquet)
    for keys in (csv, parquet, written(tmp_path / "keys.ndjson", requests)):
        to = tmp_path / f"{keys.name}.parquet"
        score(house, Batch(model, to, keys, as_served=True, at_said=True), LATER)
        assert [(r["value"], r["version"]) for r in pq.read_table(to).to_pylist()] == [(d["value"], d["version"]) for d in due]


@pytest.mark.parametrize("kind", KINDS)
def test_without_keys_everybody_who_would_be_asked_has_a_row(opened, tmp_path, kind):
    house, model = opened(kind)
    to = tmp_path / "to.parquet"
    done = score(house, Batch(model, to), LATER, size=1000)
    table = pq.read_table(to)
    due = live(model, house.tables(model), moment=LATER)
    units = list(dict.fromkeys(due["unit"].to_pylist()))
    assert done.count.rows == table.num_rows >= len(units) > 0
    assert set(units) <= set(table[model.unit[0]].to_pylist())
    assert done.count.without == 0


def test_a_customer_with_nothing_to_rank_has_a_row_without_items_and_without_an_error(opened, tmp_path):
    house, model = opened("recommend", lambda text: text.replace(', orders.which("product_id", last=days(28), most=20, per=())', ""))
    row = house.tables(model)["orders"].slice(0, 1).to_pylist()[0]
    keys = written(
        tmp_path / "keys.ndjson", [{"customer_id": row["customer_id"], "moment": "2026-01-01T00:00Z"}, {"customer_id": row["customer_id"]}]
    )
    done = score(house, Batch(model, tmp_path / "to.csv", keys), LATER)
    assert (done.count.nothing, done.count.answered, done.count.without) == (1, 1, 0)
    lines = (tmp_path / "to.csv").read_text().splitlines()
    assert lines[1].startswith(f'"{row["customer_id"]}","2026-01-01T00:00:00.000000Z"')
    assert '""item"":""p' in lines[2]


# -- the log ---------------------------------------------------------------------------------------------------------------------------


def test_nothing_is_remembered_unless_somebody_says_so(opened, tmp_path):
    house, model = opened("shop")
    score(house, Batch(model, tmp_path / "a.parquet"), LATER)
    assert answers_of(house, model).num_rows == 0
    score(house, Batch(model, tmp_path / "b.parquet", as_served=True, remember=True), LATER, size=7)
    given = pq.read_table(tmp_path / "b.parquet")
    assert sorted(given["id"].to_pylist()) == sorted(answers_of(house, model)["id"].to_pylist())
    assert given["value"].equals(pq.read_table(tmp_path / "a.parquet")["value"])


def test_answers_at_moments_of_their_own_were_not_given_then(opened, tmp_path):
    house, model = opened("shop")
    keys = written(tmp_path / "keys.ndjson", [{"product_id": "p01", "moment": "2026-10-01T00:00Z"}])
    with pytest.raises(EverloopError, match="not given then"):
        score(house, Batch(model, tmp_path / "b.parquet", keys, as_served=True, remember=True), LATER)
    assert answers_of(house, model).num_rows == 0


# -- broken off ------------------------------------------------------------------------------------------------------------------------


class Died(BaseException):
    """The process ends here."""


def breaks_off(monkeypatch, after, error):
    kept, keep = [], parts.keep

    def until(folder, number, table, count):
        if len(kept) == after:
            raise error
        kept.append(number)
        keep(folder, number, table, count)

    monkeypatch.setattr("everloop.loop.batch.scoring.keep", until)
    return kept


def test_what_was_broken_off_goes_on_at_the_same_moment_with_the_same_events(after, tmp_path, monkeypatch):
    house, model = after(half_way, "shop")
    whole, to = tmp_path / "whole.parquet", tmp_path / "to.parquet"
    score(house, Batch(model, whole), LATER, size=6)
    breaks_off(monkeypatch, 3, Died())
    with pytest.raises(Died):
        score(house, Batch(model, to), LATER, size=6)
    assert not to.exists()
    monkeypatch.undo()
    row = house.tables(model)["orders"].slice(0, 1).to_pylist()[0] | {
        "line_id": "late",
        "product_id": "p39",
        "quantity": 10_000,
        "ordered_at": END,
    }
    columns = ("line_id", "ordered_at", "product_id", "quantity", "price")
    receive(house.lake, house.project.sources["orders"], {n: row[n] for n in columns}, now=END, known_after=timedelta(0))
    told = []
    done = score(house, Batch(model, to), LATER + timedelta(days=1), size=6, told=told.append)
    assert done.before == 18
    assert done.at == LATER
    assert any("18 rows are there" in progress.note for progress in told)
    assert to.read_bytes() == whole.read_bytes()
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.parametrize("change", ["keys", "version", "moment", "torn part", "torn plan"])
def test_a_batch_that_asks_something_else_begins_anew_and_says_so(after, tmp_path, monkeypatch, change):
    house, model = after(half_way, "shop")
    keys, to = written(tmp_path / "keys.ndjson", [{"product_id": f"p{n:02d}"} for n in range(20)]), tmp_path / "to.parquet"
    batch = Batch(model, to, keys, at_said=True)
    breaks_off(monkeypatch, 2, Died())
    with pytest.raises(Died):
        score(house, batch, LATER, size=6)
    monkeypatch.undo()
    now = LATER
    if change == "keys":
        written(keys, [{"product_id": f"p{n:02d}"} for n in range(1, 21)])
    elif change == "version":
        batch = replace(batch, version="demand@1")
    elif change == "moment":
        now = LATER + timedelta(minutes=1)
    elif change == "torn part":
        (tmp_path / ".to.parquet.parts" / "part-000000.parquet").write_bytes(b"PAR1 and then the power went")
    else:
        (tmp_path / ".to.parquet.parts" / "plan.json").write_bytes(b'{"asked"')
    told: list[Progress] = []
    done = score(house, batch, now, size=6, told=told.append)
    notes = "".join(progress.note for progress in told)
    assert done.before == (6 if change == "torn part" else 0)
    assert (f"another {change}" in notes or "another file of keys" in notes or "another version" in notes) == (
        not change.startswith("torn")
    )
    once = tmp_path / "once.parquet"
    score(house, replace(batch, to=once), now, size=6)
    assert pq.read_table(to).equals(pq.read_table(once))


KILLED = """
import sys
from datetime import datetime
from pathlib import Path
from everloop.loop.batch.score import Batch, score
from everloop.loop.house import open_house
house = open_house(Path(sys.argv[1]))
model = house.project.model("demand")
score(house, Batch(model, Path(sys.argv[2])), datetime.fromisoformat(sys.argv[3]), size=1)
"""


@pytest.mark.slow
def test_killed_at_any_moment_the_file_is_whole_or_absent(opened, tmp_path):
    house, model = opened("shop")
    whole, to = tmp_path / "whole.parquet", tmp_path / "to.parquet"
    score(house, Batch(model, whole), LATER, size=1)
    folder = tmp_path / ".to.parquet.parts"
    for count in (3, 20):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(house.project.path), str(to), LATER.isoformat()])
        end = time.monotonic() + 60
        while len(list(folder.glob("part-*.parquet"))) < count and child.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert not to.exists() or to.read_bytes() == whole.read_bytes()
    done = score(house, Batch(model, to, overwrite=True), LATER, size=1)
    assert done.before >= 3
    assert to.read_bytes() == whole.read_bytes()


def test_two_at_once_on_one_file_the_second_is_told(opened, tmp_path):
    house, model = opened("shop")
    to = tmp_path / "to.parquet"

    def second(progress):
        if progress.rows:
            return
        with pytest.raises(HouseBusy, match=r"to\.parquet"):
            score(house, Batch(model, to), LATER)

    score(house, Batch(model, to), LATER, told=second)
    assert to.exists()


def test_a_full_disk_leaves_no_half_file_and_the_same_again_goes_on(opened, tmp_path, monkeypatch):
    house, model = opened("shop")
    to = tmp_path / "to.parquet"
    real = pq.write_table

    def full(table, where, **words):
        if "part-000002" in str(where):
            raise OSError(28, "No space left on device")
        real(table, where, **words)

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(HouseFull, match="make room"):
        score(house, Batch(model, to), LATER, size=6)
    assert not to.exists()
    monkeypatch.undo()
    assert score(house, Batch(model, to), LATER, size=6).before == 12


# -- bad input -------------------------------------------------------------------------------------------------------------------------


def test_rows_that_cannot_be_answered_say_why_and_the_others_are_answered(opened, tmp_path):
    house, model = opened("shop")
    keys = tmp_path / "keys.csv"
    keys.write_text("product_id,moment\np01,\nnope,\n,\np01,\np02,yesterday\np02,2030-01-01T00:00Z\n" + "x" * 2000 + ",\n")
    done = score(house, Batch(model, tmp_path / "to.parquet", keys), LATER)
    rows = pq.read_table(tmp_path / "to.parquet").to_pylist()
    assert [row["error"] is None for row in rows] == [True, False, False, True, False, False, False]
    assert rows[0]["value"] == rows[3]["value"]
    assert (done.count.unknown, done.count.refused, done.count.answered) == (1, 4, 2)
    told = spoken_scored(done)
    for said in (
        "2 of 7 rows",
        "row 2: Nothing is known",
        "row 3: product_id",
        "row 5: moment is no instant",
        "row 6: Its moment is later",
    ):
        assert said in told


def test_values_of_another_kind_are_told_by_their_row(opened, tmp_path):
    house, model = opened("fraud")
    keys = tmp_path / "keys.csv"
    keys.write_text("payment_id,card_id,merchant_id,amount,online\nn1,k1,m1,100,true\nn2,k1,m1,dear,true\nn3,k1,m1,,yes\nn4,k1,m1,nan,2\n")
    done = score(house, Batch(model, tmp_path / "to.parquet", keys), LATER)
    assert done.count.examples == [
        "row 2: amount is text and should be a whole number of minor units, of at most 64 bits.",
        "row 4: online is text and should be true or false.",
    ]
    assert done.count.answered == 2


def test_a_frame_of_pandas_with_numbers_made_decimals_is_read_as_it_was_meant(opened, tmp_path):
    house, model = opened("fraud")
    keys = tmp_path / "keys.parquet"
    table = pa.table(
        {
            "payment_id": ["n1", "n2"],
            "card_id": ["k1", "k1"],
            "merchant_id": ["m1", "m1"],
            "amount": [100.0, float("nan")],
            "online": [True, None],
        }
    )
    pq.write_table(table, keys)
    assert score(house, Batch(model, tmp_path / "to.parquet", keys), LATER).count.answered == 2


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("none.csv", None, "There is no file"),
        ("keys.txt", "product_id\np01\n", "neither CSV, Parquet nor NDJSON"),
        ("empty.csv", "", "is empty"),
        ("other.csv", "prod\np01\n", "no column 'product_id'"),
        ("more.csv", "product_id,colour\np01,red\n", "no column 'colour'"),
        ("twice.csv", "product_id,product_id\np01,p02\n", "twice"),
        ("ragged.csv", "product_id,moment\np01\n", "cannot be read"),
        ("half.parquet", "PAR1 and then the power went", "half-written"),
        ("long.ndjson", '{"product_id": "' + "x" * (1 << 20) + '"}\n', "more than 1,048,576 bytes"),
    ],
)
def test_a_file_that_is_no_file_of_keys_is_refused_whole(opened, tmp_path, name, text, said):
    house, model = opened("shop")
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(EverloopError, match=said):
        score(house, Batch(model, tmp_path / "to.parquet", tmp_path / name), LATER)
    assert not (tmp_path / "to.parquet").exists()


def test_lines_that_are_no_requests_are_rows_with_an_error(opened, tmp_path):
    house, model = opened("shop")
    (tmp_path / "keys.ndjson").write_bytes(
        b'{"product_id": "p01"}\n\n[1]\n{"product_id"\n{"product_id": 7}\n{"product_id": "p01", "x": 1}\n\xff\n'
    )
    done = score(house, Batch(model, tmp_path / "to.parquet", tmp_path / "keys.ndjson"), LATER)
    assert (done.count.rows, done.count.answered, done.count.refused) == (6, 1, 5)


def test_keys_without_a_row_make_a_file_without_a_row(opened, tmp_path):
    house, model = opened("shop")
    (tmp_path / "keys.csv").write_text("product_id\n")
    assert score(house, Batch(model, tmp_path / "to.parquet", tmp_path / "keys.csv"), LATER).count.rows == 0
    assert pq.read_table(tmp_path / "to.parquet").column_names == ["product_id", "moment", "version", "arm", "value", "error"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"to": "to.txt"}, "neither Parquet nor CSV"),
        ({"to": "."}, "neither|folder"),
        ({"to": "there.parquet"}, "there already"),
        ({"to": "keys.csv", "overwrite": True}, "the file of the keys itself"),
        ({"version": "demand@9"}, "no version"),
        ({"version": "demand@0", "as_served": True}, "one of them"),
        ({"remember": True}, "--as-served"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_done(opened, tmp_path, words, said):
    house, model = opened("shop")
    (tmp_path / "keys.csv").write_text("product_id\np01\n")
    (tmp_path / "there.parquet").write_bytes(b"mine")
    words = dict(words)
    to = tmp_path / words.pop("to", "to.parquet")
    with pytest.raises(EverloopError, match=said):
        score(house, Batch(model, to, tmp_path / "keys.csv", **words), LATER)
    assert (tmp_path / "there.parquet").read_bytes() == b"mine"
    assert (tmp_path / "keys.csv").read_text() == "product_id\np01\n"


def test_keys_that_change_while_they_are_read_are_not_believed(opened, tmp_path):
    house, model = opened("shop")
    keys = written(tmp_path / "keys.ndjson", [{"product_id": "p01"}] * 5)

    def change(progress):
        if progress.rows == 0:
            with keys.open("a") as file:
                file.write('{"product_id": "p02"}\n')

    with pytest.raises(EverloopError, match="changed while it was read"):
        score(house, Batch(model, tmp_path / "to.parquet", keys), LATER, size=2, told=change)
    assert not (tmp_path / "to.parquet").exists()


def test_a_version_of_another_model_is_no_version_of_this_one(tmp_path):
    house = house_at(tmp_path)
    for model in house.project.models.values():
        adopt(house, model, NOW)
    with pytest.raises(Unknown, match="leaves@0"):
        score(house, Batch(house.project.model("demand"), tmp_path / "to.csv", version="leaves@0"), NOW)


# -- the terminal ----------------------------------------------------------------------------------------------------------------------


def test_the_terminal_says_what_came_of_it_and_ends_as_the_house_does(opened, tmp_path):
    house, _ = opened("shop")
    house.store.close()
    keys, to = tmp_path / "keys.csv", tmp_path / "to.csv"
    keys.write_text("product_id\np01\nnope\n")
    words = [
        sys.executable,
        "-m",
        "everloop",
        "score",
        "demand",
        "-p",
        str(house.project.path),
        "--at",
        LATER.isoformat(),
        "--to",
        str(to),
    ]
    done = subprocess.run([*words, "--keys", str(keys), "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout) | {"rows": 2, "answered": 1, "unknown": 1, "versions": {"demand@0": 1}} == json.loads(done.stdout)
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (again.returncode, "--overwrite" in again.stderr) == (2, True)
    over = subprocess.run([*words, "--overwrite"], capture_output=True, text=True, check=False)
    assert (over.returncode, "40 of 40 rows answered by demand@0" in over.stdout) == (0, True)
