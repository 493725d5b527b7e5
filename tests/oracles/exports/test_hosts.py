"""One house behind uvicorn, behind real Ray Serve and behind Lambda's events: 10,000 units get the same answers and arms from each, to the
last bit, and what is decided from them is the same, record for record."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from datetime import timedelta

import httpx
import pyarrow.parquet as pq
import pytest
from bench.hosts import all_kept, answers, by_ray, by_serve, in_process
from bench.lambda_events import WAYS
from bench.serving_house import COLUMNS, prepared, table

from everloop.clock import wall
from everloop.loop.answers import answers_of
from everloop.loop.arrivals import ingest_files
from everloop.loop.house import open_house
from everloop.loop.people import undo
from everloop.loop.resume import go_round
from everloop.loop.serve import hosted as hosting
from everloop.loop.serve.keys import add_key, revoke_key
from everloop.loop.serve.routes import write_routes
from everloop.registry.written import as_data
from everloop.rollout.assign import arm_of

pytestmark = pytest.mark.slow
UNITS = 10_000
WEEK = timedelta(days=8)
DECIDED = ("Signals", "Decision", "Verdict", "Traffic")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """The folder of a house in a canary of one half, the moment it is asked, the rows it is asked about, and a key for those beyond."""
    folder = prepared(tmp_path_factory.mktemp("golden") / "project").folder
    (folder / "everloop.toml").write_text('house = "house"\n')
    opened = open_house(folder / "project.py", folder=folder / "house")
    traffic = opened.traffic(opened.project.model("number"))
    write_routes(opened)
    opened.store.close()
    rows = table(UNITS, seed=9)
    asked = [{"row_id": row["row_id"], **{name: row[name] for name in COLUMNS}} for row in rows.to_pylist()]
    return folder, traffic, traffic.since + timedelta(days=1), rows, asked


@pytest.fixture(scope="module")
def given(house, tmp_path_factory):
    """By each host: its own copy of the house's folder after it was asked, and every answer."""
    folder, _, moment, _, asked = house
    now, found, root = moment.isoformat(), {}, tmp_path_factory.mktemp("hosts")
    for name, host in {"uvicorn": by_serve, "Ray Serve": by_ray}.items():
        mine = shutil.copytree(folder, root / name.replace(" ", "-"))
        with host(mine, turned=True) as stands:
            found[name] = mine, [*answers(stands.ask, "number", asked, now), *answers(stands.ask, "number", asked[:200], now, at_once=1)]
            all_kept(mine, 2 * UNITS)
    for way, event in WAYS.items():
        mine = shutil.copytree(folder, root / way.replace(" ", "-"))
        with function(mine) as handle:
            key = keyed(mine)
            ask = in_process(handle, event, key)
            found[f"Lambda, {way}"] = mine, [*answers(ask, "number", asked, now), *answers(ask, "number", asked[:200], now, at_once=1)]
            all_kept(mine, 2 * UNITS, patience=0)
            unkeyed(mine)
    return found


class function:  # noqa: N801 - it reads as the thing it opens
    """A house as a function has it."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.handle = hosting.lambda_handler(self.folder / "project.py", turned=True, counted=self.folder / "counted")
        return self.handle

    def __exit__(self, *_):
        self.handle.close()


def keyed(folder):
    opened = open_house(folder / "project.py")
    key = add_key(opened, "golden", ["predict"], wall())
    opened.store.close()
    return key


def unkeyed(folder):
    opened = open_house(folder / "project.py")
    revoke_key(opened, "golden", wall())
    opened.store.close()


def test_ten_thousand_units_get_the_same_answers_and_arms_from_every_host(house, given):
    _, traffic, _, _, asked = house
    _, due = given["uvicorn"]
    assert len(due) == UNITS + 200
    assert [one["arm"] for one in due[:UNITS]] == [arm_of(row["row_id"], traffic) for row in asked]
    assert min(Counter(one["arm"] for one in due).values()) > 0.4 * UNITS, "both arms are asked for about one half"
    for name, (_, found) in given.items():
        assert found == due, name


def test_one_answer_that_differs_in_its_last_bit_would_be_noticed(given):
    _, due = given["uvicorn"]
    other = [dict(one) for one in due]
    other[-1]["value"] *= 1 + 2**-52
    assert other != due


def decided(folder, rows, moment):
    """What a house decides a week later, from what it answered and what is true: each record as data, without what it cost."""
    pq.write_table(rows, folder / "true.parquet")
    opened = open_house(folder / "project.py")
    before = opened.journal.head().seq
    ingest_files(opened, "rows", [folder / "true.parquet"], now=moment + timedelta(hours=1))
    model = opened.project.model("number")
    assert sum(arm != "shadow" for arm in answers_of(opened, model, since=moment)["arm"].to_pylist()) == UNITS, "each is kept once"
    go_round(opened, model, moment + WEEK)
    entries = opened.journal.read(kind=DECIDED, after=before)
    opened.store.close()
    return [(entry.kind, {name: said for name, said in as_data(entry.record).items() if name != "cost"}) for entry in entries]


def test_what_is_decided_from_the_answers_of_each_is_the_same_record_for_record(house, given):
    _, _, moment, rows, _ = house
    found = {name: decided(folder, rows, moment) for name, (folder, _) in given.items()}
    due = found.pop("uvicorn")
    assert {"Signals", "Decision"} <= {kind for kind, _ in due}
    for name, records in found.items():
        assert records == due, name


def test_an_undo_reaches_every_replica_of_ray_within_a_second_and_fails_nobody(house, tmp_path):
    folder, traffic, _, _, asked = house
    mine = shutil.copytree(folder, tmp_path / "project")
    opened = open_house(mine / "project.py")
    model = opened.project.model("number")
    of_candidate = next(row for row in asked if arm_of(row["row_id"], traffic) == "candidate")
    with by_ray(mine, replicas=2) as stands, httpx.Client(base_url=stands.url, timeout=30) as client:
        before = client.post("/v1/models/number/predict", json=of_candidate).json()
        assert before["arm"] == "candidate"
        undo(opened, model, by="Kim", reason="not yet", now=wall())
        done, late = time.monotonic(), 0.0
        for _ in range(400):
            reply = client.post("/v1/models/number/predict", json=of_candidate)
            assert reply.status_code == 200, reply.text
            late = time.monotonic() - done if reply.json()["arm"] == "candidate" else late
        assert late < 1.0
        pids = {int(path.stem) for path in (mine / "house" / "workers").glob("*.alive")}
        assert len(pids) == 2, "both replicas stand, and said so"
    opened.store.close()
