"""What MLflow is asked and told, and what a learner's own calls of it leave; without a server."""

from __future__ import annotations

import os

import httpx
import pytest

from everloop.connect.mlflow import models, rest
from everloop.connect.mlflow.learner import caught, said_in
from everloop.connect.mlflow.rest import Refused, Tracking, Unreachable
from everloop.connect.mlflow.runs import named
from everloop.errors import EverloopError


@pytest.fixture
def answers(monkeypatch):
    """Answer for a server: path → answer; what was asked is noted."""
    given, asked = {}, []

    def request(verb, url, *, timeout, **words):
        asked.append((verb, url, words))
        status, body = given[url.split("/mlflow/")[-1].split("/api/2.0/")[-1]]
        return httpx.Response(status, json=body, request=httpx.Request(verb, url))

    monkeypatch.setattr(rest.httpx, "request", request)
    return given, asked


def test_a_server_that_says_no_is_told_apart_from_one_that_does_not_answer(answers):
    given, _ = answers
    server = Tracking("http://kim:hush@mlflow:5000/")
    given["runs/get"] = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"})
    with pytest.raises(Refused, match="MLflow at mlflow:5000 said no: no such run") as said:
        server.get("runs/get", run_id="x")
    assert said.value.code == "RESOURCE_DOES_NOT_EXIST"
    for status in (500, 503, 429):
        given["runs/get"] = (status, {})
        with pytest.raises(Unreachable, match=f"HTTP {status}") as said:
            server.get("runs/get")
        assert "hush" not in str(said.value)
    assert "hush" not in repr(server)


def test_nobody_there_is_a_sentence_without_secrets():
    with pytest.raises(Unreachable, match=r"MLflow at 127.0.0.1:9 cannot be reached") as said:
        Tracking("http://kim:hush@127.0.0.1:9", seconds=1).get("runs/get")
    assert "hush" not in str(said.value)


@pytest.mark.parametrize("uri", ["s3://bucket/x", "/tmp/mlruns/0/x", "mlflow-artifacts:/1/../../x"])
def test_a_server_that_takes_no_files_is_told_in_a_sentence(uri):
    with pytest.raises(EverloopError, match="--serve-artifacts"):
        Tracking("http://mlflow").put_file(uri, b"x")


@pytest.mark.parametrize(
    ("uri", "path", "params"),
    [
        ("models:/m@nightly", "registered-models/alias", {"name": "m", "alias": "nightly"}),
        ("models:/m/Production", "registered-models/alias", {"name": "m", "alias": "champion"}),
        ("models:/m/staging", "registered-models/alias", {"name": "m", "alias": "candidate"}),
        ("models:/m/7", "model-versions/get", {"name": "m", "version": "7"}),
    ],
)
def test_a_version_is_asked_for_as_people_name_it(answers, uri, path, params):
    given, asked = answers
    given[path] = (200, {"model_version": {"name": "m", "version": 7, "source": "s", "tags": [{"key": models.OURS, "value": "m@3"}]}})
    there = models.version_at(Tracking("http://mlflow"), uri)
    assert (there.number, there.ours) == ("7", "m@3")
    assert asked[-1][2]["params"] == params


@pytest.mark.parametrize("uri", ["models:/m", "models:/m/Archived/x", "runs:/x/y", "models:/a@b@c"])
def test_what_names_no_version_is_refused(uri):
    with pytest.raises(EverloopError, match=r"Say models:/name@alias"):
        models.version_at(Tracking("http://mlflow"), uri)


def test_only_aliases_that_moved_are_told(answers):
    given, asked = answers
    there = [{"alias": "champion", "version": "1"}, {"alias": "staging", "version": "2"}, {"alias": "theirs", "version": "1"}]
    given["registered-models/get"] = (200, {"registered_model": {"aliases": there}})
    given["registered-models/alias"] = (200, {})
    models.point(Tracking("http://mlflow"), "m", {"champion": "1", "candidate": "2", "staging": None, "gone": None})
    assert [(verb, words["json"]["alias"]) for verb, _, words in asked[1:]] == [("POST", "candidate"), ("DELETE", "staging")]


@pytest.mark.parametrize(("name", "said"), [("WAPE", "WAPE"), ("a/b", "a/b"), ("100 %", "100"), ("%", "_"), ("x" * 300, "x" * 250)])
def test_names_are_made_as_mlflow_allows_them(name, said):
    assert named(name) == said


# -- what a learner says -------------------------------------------------------------------------------------------------------------


def store(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_what_a_learner_said_is_read_from_every_run_it_began(tmp_path):
    store(tmp_path, {
        "0/r1/meta.yaml": "", "0/r1/params/rounds": "12", "0/r1/metrics/loss": "1000 1.0 0\n2000 0.5 1\n", "0/r1/tags/why": "a try\n",
        "0/r1/tags/mlflow.user": "root", "0/r1/artifacts/a/b.txt": "x", "0/r2/meta.yaml": "", "0/r2/metrics/in/ner": "3000 nan 0\nbroken\n",
        "0/models/m-1/meta.yaml": "", "0/models/m-1/params/hidden": "1",
    })  # fmt: skip
    said = said_in(tmp_path)
    assert said.params == {"rounds": "12"}
    assert said.metrics[:2] == (("loss", 1.0, 1000, 0), ("loss", 0.5, 2000, 1))
    assert [name for name, *_ in said.metrics] == ["loss", "loss", "in/ner"]
    assert said.tags == {"why": "a try"}
    assert list(said.files) == ["a/b.txt"]
    assert not said_in(tmp_path / "nothing")


def test_the_environment_is_as_it_was_when_learning_is_over(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mine")
    monkeypatch.setenv("MLFLOW_RUN_ID", "7")
    before = dict(os.environ)
    with pytest.raises(ValueError, match="stop"), caught(tmp_path / "said"):
        assert os.environ["MLFLOW_TRACKING_URI"].startswith("file://")
        assert "MLFLOW_RUN_ID" not in os.environ
        raise ValueError("stop")
    assert dict(os.environ) == before
    assert not (tmp_path / "said").exists(), "nothing was said, so nothing is left"
