"""The mirror tells a server every record once, in order, from where it was left; what fails is told later, what is refused is left out."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial

import httpx
import pytest

from everloop.connect.mlflow import rest
from everloop.connect.mlflow.rest import Unreachable
from everloop.errors import EverloopError, HouseBusy
from everloop.lake.alone import alone
from everloop.loop import mirror as mirroring
from everloop.loop.control.folder import Keeping
from everloop.loop.house import open_house
from everloop.loop.mirror import Mirror, contests_asked, mirror, say_late, tracking_of
from everloop.loop.people import undo
from everloop.loop.turn import turn
from everloop.records import Opinion
from tests.ring.conftest import END


class Pretended:
    """A tracking server in a dictionary: as much of MLflow's REST API as is asked. tests/oracles/test_mlflow.py asks the real one."""

    def __init__(self):
        self.runs, self.files, self.versions, self.aliases, self.models = [], {}, [], {}, set()
        self.down, self.refuses, self.asked = False, set(), 0

    def __call__(self, verb, url, *, timeout, params=None, json=None, content=None):
        self.asked += 1
        if self.down:
            raise httpx.ConnectError("nobody there")
        path = url.split("/api/2.0/")[1]
        if path in self.refuses:
            return self.said(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "not like that"})
        if path.startswith("mlflow-artifacts/"):
            self.files[path] = content
            return self.said(200, {})
        return self.answer(path.removeprefix("mlflow/"), params or json or {})

    @staticmethod
    def said(status, body):
        return httpx.Response(status, json=body, request=httpx.Request("GET", "http://mlflow"))

    def answer(self, path, words):
        if path == "experiments/get-by-name":
            return self.said(200, {"experiment": {"experiment_id": "1"}})
        if path == "runs/search":
            found = [r for r in self.runs if f"'{r['id']}'" in words["filter"]]
            return self.said(200, {"runs": [self.run(r) for r in found]})
        if path == "runs/create":
            self.runs.append({"id": next(t["value"] for t in words["tags"] if t["key"] == "everloop_id"), "params": {}, "metrics": {}})
            return self.said(200, {"run": self.run(self.runs[-1])})
        if path == "runs/log-batch":
            run = next(r for r in self.runs if f"run-{r['id']}" == words["run_id"])
            run["params"] |= {p["key"]: p["value"] for p in words["params"]}
            run["metrics"] |= {m["key"]: m["value"] for m in words["metrics"]}
        if path == "model-versions/search":
            return self.said(200, {"model_versions": self.versions})
        if path == "model-versions/create":
            self.versions.append({**words, "version": str(len(self.versions) + 1)})
            return self.said(200, {"model_version": self.versions[-1]})
        if path == "registered-models/get":
            return self.said(200, {"registered_model": {"aliases": [{"alias": a, "version": v} for a, v in self.aliases.items()]}})
        if path == "registered-models/alias" and "version" not in words:
            number = self.aliases[words["alias"]]
            return self.said(200, {"model_version": next(v for v in self.versions if v["version"] == number)})
        if path == "registered-models/alias":
            self.aliases[words["alias"]] = words["version"]
        return self.said(200, {})

    @staticmethod
    def run(run):
        return {"info": {"run_id": f"run-{run['id']}", "artifact_uri": f"mlflow-artifacts:/1/{run['id']}/artifacts"}}


@pytest.fixture
def server(monkeypatch):
    made = Pretended()
    monkeypatch.setattr(rest.httpx, "request", made)
    return made


@pytest.fixture
def house(opened):
    made, _ = opened("shop", lambda text: text.replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]"))
    made.store.close()
    settings = made.project.path.with_name("everloop.toml")
    settings.write_text(settings.read_text() + '\n[mlflow]\nurl = "http://mlflow:5000"\n')
    again = open_house(made.project.path)
    turn(again, again.project.model("demand"), END)
    return again


def test_every_candidate_verdict_version_and_champion_is_told_once(house, server):
    done = mirror(house)
    assert (done.refused, done.through) == ((), house.journal.head().seq)
    assert done.told == len(house.journal.read(kind=("Candidate", "Verdict", "Version", "Traffic")))
    assert [{t["key"]: t["value"] for t in v["tags"]}["everloop_version"] for v in server.versions] == ["demand@0", "demand@1"]
    assert server.aliases == {"champion": "1", "production": "1", "candidate": "2", "staging": "2"}
    candidate = house.candidate(house.versions.named("demand@1").candidate)
    run = next(r for r in server.runs if r["id"] == candidate.id)
    assert run["params"]["max_iter"] == "60"
    assert run["metrics"]["rows"] == candidate.rows
    assert any(path.endswith(f"{candidate.id}/artifacts/model/MLmodel") for path in server.files)
    asked = server.asked
    again = mirror(house)
    assert (again.told, server.asked) == (0, asked), "nothing new, nothing asked"
    assert str(again) == f"MLflow at mlflow:5000 was told 0 records; it knows the journal through number {done.through}."


def test_what_a_learner_said_on_a_machine_that_does_not_tell_mlflow_is_sent_by_that_machine(house, server, tmp_path):
    candidate = house.candidate(house.versions.named("demand@1").candidate)
    waits = house.settings.told_to_mlflow(candidate.id)
    run = waits / "0" / "there"
    said = {"params/rounds": "120", "params/max_iter": "7", "metrics/loss": "1700000000000 0.5 3", "artifacts/notes": "x"}
    for name, text in said.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(text)
    (run / "meta.yaml").write_text("")
    assert say_late(house) == 0, "whoever leads tells of the candidate first"
    leads = replace(house, settings=replace(house.settings, house=tmp_path / "another machine"))
    mirror(leads)
    (told,) = [r for r in server.runs if r["id"] == candidate.id]
    assert "rounds" not in told["params"]
    assert waits.exists()
    server.down = True
    with pytest.raises(Unreachable):
        say_late(house)
    server.down = False
    assert say_late(house) == 1
    assert (told["params"]["rounds"], told["params"]["max_iter"], told["metrics"]["loss"]) == ("120", "60", 0.5)
    assert any(path.endswith(f"{candidate.id}/artifacts/notes") for path in server.files)
    assert not waits.exists()
    assert say_late(house) == 0


def test_who_keeps_a_folder_sends_what_was_said_there(house, monkeypatch):
    over, said = threading.Event(), []
    monkeypatch.setattr(mirroring, "say_late", lambda of: (said.append(of), over.set()))
    Keeping(house, print, over, mine=True).finish()
    assert said == [house]


def test_a_server_that_goes_down_midway_is_told_the_rest_later_and_nothing_twice(house, server):
    server.down = True
    with pytest.raises(Unreachable):
        mirror(house)
    server.down, limit = False, server.asked + 20
    calls = Pretended.__call__

    def until(self, *words, **more):
        self.down = self.asked >= limit
        return calls(self, *words, **more)

    Pretended.__call__ = until
    try:
        with pytest.raises(Unreachable):
            mirror(house)
    finally:
        Pretended.__call__ = calls
    server.down = False
    mirror(house)
    assert len(server.runs) == len({r["id"] for r in server.runs}) == 2
    assert len(server.versions) == 2


def test_what_a_server_will_not_have_is_said_and_holds_up_nothing_behind_it(house, server):
    server.refuses.add("mlflow/runs/log-inputs")
    done = mirror(house)
    assert done.refused
    assert all(one.startswith("Candidate ") and "not like that" in one for one in done.refused)
    assert done.through == house.journal.head().seq
    assert len(server.versions) == 2
    assert mirror(house).told == 0


def test_a_house_without_a_server_says_how_it_gets_one(opened):
    house, _ = opened("shop")
    with pytest.raises(EverloopError, match=r"url = .* in \[mlflow\]"):
        mirror(house)


def test_what_two_processes_would_tell_one_of_them_tells(house, server, monkeypatch):
    monkeypatch.setattr(mirroring, "alone", partial(alone, patience=0))
    with alone(house.settings.house / "mirror.lock", "telling MLflow"), pytest.raises(HouseBusy, match="Another process is telling MLflow"):
        mirror(house)
    assert server.runs == []
    assert mirror(house).told > 0


def test_contests_that_another_process_holds_are_not_held_twice(house, server):
    undo(house, house.project.model("demand"), by="Kim", reason="make room", now=END + timedelta(hours=1))
    mirror(house)
    server.aliases["challenger"] = "2"
    tracking = tracking_of(house)
    first = contests_asked(house, tracking)
    (_, there) = next(first)
    assert there.number == "2"
    assert list(contests_asked(house, tracking)) == []
    first.close()
    assert [there.number for _, there in contests_asked(house, tracking)] == ["2"]
    assert list(contests_asked(house, tracking)) == []


def test_two_conditions_on_one_measure_are_two_figures(house, server):
    verdict = next(e.record for e in house.journal.read(kind="Verdict"))
    opinions = (
        Opinion(clause='beats_champion("wape")', outcome="passed", sentence="", measure="wape", champion=0.5, candidate=0.4, effect=0.2),
        Opinion(clause='at_most("wape", 0.6)', outcome="passed", sentence="", measure="wape", candidate=0.45),
    )
    Mirror(house, tracking_of(house))._tell(replace(verdict, opinions=opinions))
    metrics = next(r for r in server.runs if r["id"] == verdict.candidate)["metrics"]
    assert (metrics["wape"], metrics["wape of the champion"], metrics["wape gain"]) == (0.4, 0.5, 0.2)
    assert metrics["at_most_ wape 0.6_"] == 0.45


def test_two_houses_on_one_server_each_set_the_names_their_settings_say(house, server):
    """Staging's champion is what production may take; neither moves a name of the other."""
    server.aliases |= {"production": "9", "blessed-2": "8"}
    staging = replace(house, settings=replace(house.settings, aliases={"staging": "champion", "tried": "candidate"}))
    mirror(staging)
    assert server.aliases == {"production": "9", "blessed-2": "8", "staging": "1", "tried": "2"}
