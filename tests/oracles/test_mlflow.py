"""MLflow itself: a real tracking server is told, its own client and its page's API see it, and what lies there can come here."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from bench.peers import ROOT, apart, environment
from tests.ring.conftest import END

from everloop.clock import EPOCH
from everloop.connect.mlflow.learner import TOLD, said_in
from everloop.connect.mlflow.rest import Unreachable
from everloop.loop.admitted import admitted
from everloop.loop.house import open_house
from everloop.loop.mirror import FACT, contests_asked, mirror, tracking_of
from everloop.loop.people import undo
from everloop.loop.turn import turn
from everloop.training.golden import read_golden

pytestmark = pytest.mark.slow
LATER = END + timedelta(hours=1)
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server_at(folder, port):
    command = [environment("mlflow").parent / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "files")]
    with (folder / "server.log").open("ab") as log:
        running = subprocess.Popen(command, env=apart() | QUIET, stdout=log, stderr=log, cwd=folder)
        try:
            until = time.monotonic() + 120
            while time.monotonic() < until:
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).text == "OK":
                        break
                except httpx.HTTPError:
                    time.sleep(0.3)
            else:
                raise AssertionError((folder / "server.log").read_text()[-3000:])
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()
            running.wait(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    with server_at(folder, port) as url:
        yield url


def asked(url, what, name, env=None, **more):
    command = [environment("mlflow"), Path(__file__).with_name("in_mlflow_client.py"), url, what]
    surroundings = apart() | QUIET | {"PYTHONPATH": str(ROOT / "src")} | (env or {})
    words = json.dumps({"name": name, **more})
    done = subprocess.run(command, input=words, capture_output=True, text=True, env=surroundings, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def mirrored(opened, tmp_path):
    """A house that is mirrored to this server under a model name of its own, and its model."""

    def house(url, name):
        made, _ = opened("shop", lambda text: text.replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]"))
        made.store.close()
        project = made.project.path
        project.write_text(project.read_text().replace('"demand",', f'"{name}",', 1))
        settings = project.with_name("everloop.toml")
        settings.write_text(settings.read_text() + f'\n[mlflow]\nurl = "{url}"\n')
        again = open_house(project)
        return again, again.project.model(name)

    return house


def features_of(house, name):
    candidate = house.candidate(house.versions.named(name).candidate)
    rows, _ = read_golden(house.blobs.read(candidate.golden))
    columns = [*candidate.columns, *(["baseline"] if "baseline" in rows.column_names else [])]
    return rows, columns


def test_everything_a_turn_did_stands_there_and_the_champion_answers_as_here(server, mirrored):
    house, model = mirrored(server, "first")
    turn(house, model, END)
    house.pointers
    done = mirror(house)
    assert (done.refused, done.through) == ((), house.journal.head().seq)
    rows, columns = features_of(house, "first@1")
    data = [[row[c] for c in columns] for row in rows.select(columns).to_pylist()]
    told = asked(server, "look", "first", columns=columns, rows=data)
    baseline, candidate = (house.candidate(house.versions.named(f"first@{n}").candidate) for n in (0, 1))
    assert {run["tags"]["everloop_id"] for run in told["runs"]} == {baseline.id, candidate.id}
    (run,) = [run for run in told["runs"] if run["tags"]["everloop_id"] == candidate.id]
    assert run["status"] == "FINISHED"
    assert run["params"]["max_iter"] == "60"
    assert run["metrics"]["rows"] == candidate.rows
    assert run["tags"]["everloop_verdict"] == "passed"
    assert {"candidate.json", "card.md", "explained.txt", "model", "report.json", "report.txt", "verdict.json"} <= set(run["files"])
    (source,) = run["inputs"]
    assert source["body"] == house.learnt_from(candidate).body
    assert source["sources"]["orders"]["rows"] > 0
    assert {v["tags"]["everloop_version"] for v in told["versions"]} == {"first@0", "first@1"}
    called = {v["version"]: v["tags"]["everloop_version"] for v in told["versions"]}
    assert {alias: called[str(number)] for alias, number in told["aliases"].items()} == {
        "champion": "first@0",
        "production": "first@0",
        "candidate": "first@1",
        "staging": "first@1",
    }
    due = house.predictor(baseline).answer(rows).value
    assert np.array_equal(np.array(told["answers"], float), due, equal_nan=True)


def test_a_version_that_learnt_answers_there_to_the_last_bit_and_undo_moves_the_alias(server, mirrored):
    house, model = mirrored(server, "learnt")
    house.project.path.write_text(house.project.path.read_text().replace("roll_out=", "roll_out=[] and "))
    house = open_house(house.project.path)
    model = house.project.model("learnt")
    turn(house, model, END)
    champion = house.traffic(model).champion
    assert house.version(champion).name == "learnt@1"
    mirror(house)
    rows, columns = features_of(house, "learnt@1")
    data = [[row[c] for c in columns] for row in rows.select(columns).to_pylist()]
    told = asked(server, "look", "learnt", columns=columns, rows=data)
    due = house.predictor(house.candidate(house.version(champion).candidate)).answer(rows).value
    assert np.array_equal(np.array(told["answers"], float), due, equal_nan=True)
    assert told["example"]["columns"]
    undo(house, model, by="Kim", reason="no", now=LATER)
    mirror(house)
    # The page's own API says so too.
    page = httpx.get(f"{server}/ajax-api/2.0/mlflow/registered-models/get", params={"name": "learnt"}).json()["registered_model"]
    numbers = {alias["alias"]: alias["version"] for alias in page["aliases"]}
    baseline = next(v for v in told["versions"] if v["tags"]["everloop_version"] == "learnt@0")["version"]
    assert numbers["champion"] == str(baseline)


def test_what_is_told_twice_is_there_once(server, mirrored):
    house, model = mirrored(server, "twice")
    turn(house, model, END)
    mirror(house)
    with house.store.transaction() as t:
        house.facts.put(t, "", FACT, EPOCH, {"server": "another", "through": 0})
    again = mirror(house)
    assert again.told > 3
    assert again.refused == ()
    told = asked(server, "look", "twice")
    assert (len(told["runs"]), len(told["versions"])) == (2, 2)


def test_a_server_that_is_down_holds_up_no_turn_and_hears_of_it_later(mirrored, tmp_path):
    port = free_port()
    house, model = mirrored(f"http://127.0.0.1:{port}", "down")
    turn(house, model, END)
    with pytest.raises(Unreachable, match="cannot be reached"):
        mirror(house)
    folder = tmp_path / "server"
    folder.mkdir()
    with server_at(folder, port):
        assert mirror(house).told > 3
        assert mirror(house).told == 0


def test_what_a_learner_says_by_mlflow_lands_in_the_run_of_its_candidate(server, mirrored):
    house, model = mirrored(server, "said")
    turn(house, model, END)
    candidate = house.candidate(house.versions.named("said@1").candidate)
    waits = house.settings.told_to_mlflow(candidate.id)
    told = {name: value for name, value in TOLD.items() if value is not None}
    asked(server, "learn", "said", env=told | {"MLFLOW_TRACKING_URI": waits.absolute().as_uri()})
    assert said_in(waits).params == {"rounds": "120"}
    mirror(house)
    (run,) = [run for run in asked(server, "look", "said")["runs"] if run["tags"]["everloop_id"] == candidate.id]
    assert run["params"]["rounds"] == "120"
    assert run["metrics"]["loss"] == pytest.approx(1 / 3)
    assert run["metrics"]["inner/loss"] == 7.0
    assert run["tags"]["why"] == "a try"
    assert "notes" in run["files"]
    assert not waits.exists()


def test_an_alias_set_there_asks_for_a_contest_here_once(server, mirrored):
    house, model = mirrored(server, "contest")
    turn(house, model, END)
    mirror(house)
    asked(server, "register", "contest", columns=list(model.columns), alias="challenger")
    assert list(contests_asked(house, tracking_of(house))) == [], "another candidate is being rolled out"
    undo(house, model, by="Kim", reason="make room", now=LATER)
    ((found, there),) = contests_asked(house, tracking_of(house))
    assert found.name == "contest"
    assert there.ours is None
    (verdict,) = admitted(house, model, f"models:/{there.name}/{there.number}", LATER + timedelta(minutes=1))
    assert "trained elsewhere" in house.candidate(verdict.candidate).learner
    assert list(contests_asked(house, tracking_of(house))) == []
    mirror(house)
    told = asked(server, "look", "contest")
    assert any(run["tags"]["everloop_id"] == verdict.candidate for run in told["runs"])


def test_a_mirrored_version_comes_back_by_its_alias_with_its_lineage(server, mirrored, prepared, tmp_path):
    import shutil

    house, model = mirrored(server, "back")
    turn(house, model, END)
    mirror(house)
    path = tmp_path / "other"
    shutil.copytree(prepared("shop"), path)
    for name in ("project.py", "everloop.toml"):
        shutil.copy(house.project.path.with_name(name), path / name)
    other = open_house(path / "project.py")
    came, verdict = admitted(other, other.project.model("back"), "models:/back@candidate", LATER, trust=True)
    assert (came.version, came.place) == ("back@1", "models:/back@candidate")
    first = house.candidate(house.versions.named("back@1").candidate)
    assert other.candidate(verdict.candidate).artefact == first.artefact
