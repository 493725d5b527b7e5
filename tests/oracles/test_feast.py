"""Feast itself: from what is exported it serves the values this house serves at that moment, and its own client reads this house."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
import uvicorn
from bench.peers import apart, environment
from tests.ring.conftest import END
from tests.ring.test_doors import some_requests

from everloop.connect.feast.online import features_of
from everloop.loop.adopt import adopt
from everloop.loop.export import to_feast
from everloop.serving.app import app
from everloop.serving.asks import OnlineFeaturesAsk
from everloop.serving.keys import Keys
from everloop.serving.metrics import Metrics

pytestmark = pytest.mark.slow
LATER = END + timedelta(hours=1)
REMOTE = """\
project: everloop
provider: local
registry: data/registry.db
online_store:
  type: remote
  path: {url}
offline_store:
  type: file
entity_key_serialization_version: 3
"""


@pytest.fixture(scope="session")
def feast():
    """Run Feast's command line, or ask it what ``in_feast.py`` can be asked."""
    python = environment("feast")

    def run(repository, *words, said=None):
        command = [python.parent / "feast", *words] if words else [python, Path(__file__).with_name("in_feast.py"), repository]
        done = subprocess.run(
            command, cwd=repository, input=json.dumps(said), capture_output=True, text=True, env=apart(), timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return None if words else json.loads(done.stdout)

    return run


@pytest.fixture
def exported(opened, tmp_path, feast):
    """A house, its model, and a feature repository of it that Feast has taken in."""

    def of(kind):
        house, model = opened(kind)
        folder = tmp_path / "feast"
        to_feast(house, model, folder, LATER)
        feast(folder, "apply")
        feast(folder, "materialize", "2020-01-01T00:00:00", LATER.replace(tzinfo=None).isoformat())
        return house, model, folder

    return of


def entities(model, requests):
    return {name: [request[name] for request in requests] for name in model.unit}


def plain(value):
    return json.loads(msgspec.json.encode(value))


@pytest.mark.parametrize("kind", ["shop", "churn"])
def test_feast_serves_what_this_house_serves(exported, doors, feast, kind):
    house, model, folder = exported(kind)
    units = [*some_requests(house, model, 40), dict.fromkeys(model.unit, "nobody")]
    ask = {"feature_service": model.name, "entities": entities(model, units)}
    listed = {"features": [f"{model.name}:{name}" for name in features_of(model)], "entities": ask["entities"], "full_feature_names": True}
    asks = {"service": ask, "listed": listed | {"include_feature_view_version_metadata": True}}
    door = doors(house)
    theirs = feast(folder, said={"requests": asks})["requests"]
    for name, body in asks.items():
        mine = plain(door.online_features(OnlineFeaturesAsk(**body), LATER))
        assert theirs[name]["status"] == 200
        other = theirs[name]["body"]
        assert set(mine) == set(other)
        assert mine["metadata"].get("feature_view_metadata") == other["metadata"].get("feature_view_metadata")
        by_name = dict(zip(other["metadata"]["feature_names"], other["results"], strict=True))
        assert set(mine["metadata"]["feature_names"]) == set(by_name)  # within a view Feast keeps no order
        for column, vector in zip(mine["metadata"]["feature_names"], mine["results"], strict=True):
            assert vector["values"] == by_name[column]["values"], column
            assert vector["event_timestamps"] == by_name[column]["event_timestamps"], column
            # Feast calls an empty value that it has present.
            assert [s.replace("NULL_VALUE", "PRESENT") for s in vector["statuses"]] == by_name[column]["statuses"], column


def test_feast_joins_what_training_read(exported, feast):
    _, model, folder = exported("shop")
    table = pq.read_table(folder / "data" / f"everloop_{model.name}.parquet").slice(0, 400).to_pylist()
    names = features_of(model)
    rows = [{**{u: row[u] for u in model.unit}, "event_timestamp": row["event_timestamp"].isoformat()} for row in table]
    found = feast(folder, said={"history": {"features": [f"{model.name}:{name}" for name in names], "rows": rows}})["history"]
    assert found == [[row[name] for name in names] for row in table]


def test_feasts_errors_are_errors_here_with_a_status_that_says_whose_fault_it_is(exported, doors, feast):
    house, _, folder = exported("shop")
    good = {"feature_service": "demand", "entities": {"product_id": ["p"]}}
    bad = {
        "service": good | {"feature_service": "demnd"},
        "view": {"features": ["demnd:x"], "entities": good["entities"]},
        "feature": {"features": ["demand:x"], "entities": good["entities"]},
        "entity": good | {"entities": {"product": ["p"]}},
        "shape": good | {"entities": {"product_id": "p"}},
    }
    theirs = feast(folder, said={"requests": bad})["requests"]
    assert {name: reply["status"] for name, reply in theirs.items()} == {
        "service": 404, "view": 404, "feature": 500, "entity": 500, "shape": 422,
    }  # fmt: skip
    with served(house, doors) as (url, _):
        for name, body in bad.items():
            assert posted(url, body)[0] == (404 if name in ("service", "view") else 422), name


def test_feasts_own_client_reads_this_house(exported, doors, feast):
    house, model, folder = exported("shop")
    names = features_of(model)
    units = [*some_requests(house, model, 10), {"product_id": "nobody"}]
    local = feast(folder, said={"online": {"feature_service": model.name, "entities": units}})["online"]
    with served(house, doors) as (url, door):
        mine = door.online_features(OnlineFeaturesAsk(entities=entities(model, units), feature_service=model.name), LATER)
        (folder / "feature_store.yaml").write_text(REMOTE.format(url=url))
        remote = feast(folder, said={"online": {"feature_service": model.name, "entities": units}})["online"]
        listed = feast(folder, said={"online": {"features": [f"{model.name}:{name}" for name in names], "entities": units}})["online"]
    assert remote == listed == local
    assert remote == dict(zip(mine.metadata.feature_names, (vector.values for vector in mine.results), strict=True))


@contextmanager
def served(house, doors):
    """The house over HTTP on a port of this machine, at LATER for as long as it is served; and the doors behind it."""
    import everloop.serving.app as of_app

    adopt(house, next(iter(house.project.models.values())), LATER)
    door, patched = doors(house, turned=False), pytest.MonkeyPatch()
    patched.setattr(of_app, "wall", lambda: LATER)
    door_app = app(door, keys=lambda: Keys(()), metrics=Metrics(house.settings.house / "metrics", "w1"))
    server = uvicorn.Server(uvicorn.Config(door_app, port=0, log_level="error"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", door
    finally:
        server.should_exit = True
        thread.join()
        patched.undo()


def posted(url, body):
    import httpx

    said = httpx.post(f"{url}/get-online-features", json=body)
    return said.status_code, said.json()
