"""The OpenAPI document against its own standard, against the app, and against what the app replies."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from everloop_front import FakeDoors, Front
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from everloop.serving.metrics import FAMILIES
from everloop.serving.openapi import document, statuses
from everloop.serving.pages import docs_page
from everloop.serving.paths import PATHS
from everloop.serving.refused import KINDS

DOORS = FakeDoors()


@pytest.fixture(scope="module")
def said():
    return json.loads(json.dumps(document(DOORS.models, DOORS.sources)))


def fits(said, schema, value):
    return Draft202012Validator(schema | {"components": said["components"]}).is_valid(value)


@pytest.mark.parametrize("turned", [False, True])
def test_the_document_is_openapi(turned):
    for said in (document(DOORS.models, DOORS.sources, turned=turned), document({}, {})):
        wrong = OpenAPIV31SpecValidator(json.loads(json.dumps(said))).iter_errors()
        assert [error.message for error in wrong] == []


def test_every_path_and_every_error_is_there(said):
    for path in PATHS:
        operation = said["paths"][path.path][path.method.lower()]
        assert {str(s) for s in statuses(path)} | {"200", "default"} == set(operation["responses"])
    assert set(said["components"]["schemas"]["ErrorReply"]["properties"]["error"]["enum"]) == set(KINDS)
    told = {s for path in PATHS for s in statuses(path)} | {404, 405}
    assert {status for status, _ in KINDS.values()} <= told


def test_each_model_and_source_has_its_own_path(said):
    for name in DOORS.models:
        assert f"/v1/models/{name}/predict" in said["paths"]
    for name in DOORS.sources:
        assert f"/v1/events/{name}" in said["paths"]


@pytest.mark.parametrize("name", DOORS.models)
def test_what_the_app_takes_and_replies_is_what_the_document_says(tmp_path, said, name):
    front = Front(tmp_path)
    operation = said["paths"][f"/v1/models/{name}/predict"]["post"]
    takes = operation["requestBody"]["content"]["application/json"]["schema"]
    gives = operation["responses"]["200"]["content"]["application/json"]["schema"]
    unit = DOORS.models[name].unit[0]
    one, many = {unit: "u1"}, {"requests": [{unit: "u1"}]}
    for body in (one, many, {}, {unit: 5}, {unit: ""}, {unit: "u1", "zzz": 1}, {"requests": 5}, {unit: "u1", "requests": []}):
        reply = front.post(f"/v1/models/{name}/predict", body)
        assert fits(said, takes, body) == (reply.status_code == 200), (body, reply.text)
        if reply.status_code == 200:
            assert fits(said, gives, reply.json())
        else:
            assert fits(said, said["components"]["schemas"]["ErrorReply"], reply.json())


@pytest.mark.parametrize(
    "path",
    [p for p in PATHS if p.method == "GET" and p.name not in ("docs", "home", "metrics", "ping", "health", "version")],
    ids=lambda p: p.name,
)
def test_replies_are_as_described(tmp_path, said, path):
    schema = said["paths"][path.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert fits(said, schema, Front(tmp_path).get(path.path.format(model="demand", version="3", rollout="demand@4")).json())


def test_a_turned_house_asks_for_the_instant():
    turned = document(DOORS.models, DOORS.sources, turned=True)
    parameters = turned["paths"]["/v1/models/demand/predict"]["post"]["parameters"]
    assert [p["name"] for p in parameters if p["required"]] == ["Everloop-Now"]


def test_the_pages_load_nothing_and_run_nothing(tmp_path):
    front = Front(tmp_path)
    for path in ("/", "/docs"):
        reply = front.get(path)
        assert reply.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        for word in ("<script", "http://", "https://", "@import", "url(", "onclick"):
            assert word not in reply.text
        assert '<meta name="viewport"' in reply.text
    for path in PATHS:
        assert path.path in reply.text


def test_a_hostile_name_is_only_text(said):
    hostile = said | {"info": {"title": "<script>alert(1)</script>", "description": '"><img src=x>'}}
    page = docs_page(hostile)
    assert "<script>" not in page
    assert "<img" not in page


def test_the_document_is_made_once_for_the_same_house(tmp_path):
    front = Front(tmp_path)
    first = front.app.desk.description()
    assert front.app.desk.description() is first
    front.doors.models = dict(front.doors.models)
    assert front.app.desk.description() is not first


def test_the_page_names_every_path_error_and_metric_and_no_other():
    page = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
    for path in PATHS:
        assert f"`{path.method} {path.path}`" in page
    assert set(re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)) == {(kind, str(status)) for kind, (status, _) in KINDS.items()}
    told = re.findall(r"^\| `(everloop_\w+)` \| (.*?) \|", page, re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in told} == {name: f.labels for name, f in FAMILIES.items()}
