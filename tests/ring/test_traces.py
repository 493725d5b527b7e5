"""Traces of a house: from a request to what was read and who was asked, and from a turn to each of its steps, whoever goes on with it."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_trace_id

from everloop.connect.opentelemetry import collected, traced
from everloop.loop.adopt import adopt
from everloop.loop.keep import turn_id
from everloop.loop.turn import turn
from everloop.serving.app import app
from everloop.serving.keys import Keys
from everloop.serving.metrics import Metrics
from everloop.serving.paths import route_of
from everloop.spans import ids, trace_of
from tests.connect.receivers import web_server
from tests.connect.test_opentelemetry import named
from tests.loop.test_supervise import SOURCE
from tests.ring.conftest import END
from tests.ring.test_doors import doors, some_requests
from tests.ring.test_serving import asked, served
from tests.waiting import until

__all__ = ["doors", "served"]
PREDICT = "POST /v1/models/{model}/predict"
HOME = {"area": 80.0, "rooms": 3, "zip": "1010", "advert": "bright, by the park"}
NOW = (END + timedelta(hours=2)).isoformat()


async def posted(asgi, model, body, **headers):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(asgi, client=("127.0.0.1", 5)), base_url="http://localhost") as client:
        return await client.post(f"/v1/models/{model}/predict", json=body, headers={"everloop-now": NOW, **headers})


def told_of(door, folder, model, body, **headers):
    """What a request was replied, and its spans by name, each with the name of the one it is inside of."""
    exporter = InMemorySpanExporter()
    with Metrics(folder, "w") as metrics, traced(app(door, keys=lambda: Keys(()), metrics=metrics), route_of, exporter=exporter) as asgi:
        reply = asyncio.run(posted(asgi, model, body, **headers))
        door.shadows.close()
    return reply, exporter


@pytest.mark.parametrize(("kind", "how"), [("shop", ["once", "length"]), ("churn", ["once"]), ("recommend", ["length"])])
def test_a_request_is_told_down_to_what_was_read_who_was_asked_and_what_was_remembered(opened, doors, tmp_path, kind, how):
    house, model = opened(kind)
    adopt(house, model, END + timedelta(hours=1))
    (request,) = some_requests(house, model, 1)
    reply, exporter = told_of(doors(house), tmp_path / "metrics", model.name, request)
    assert reply.status_code == 200, reply.text
    *reads, ask, _, whole = exporter.get_finished_spans()
    steps = ("read features", "ask version", "remember answers")
    assert named(exporter)[len(reads) - 1 :] == [*((name, PREDICT) for name in steps), (PREDICT, None)]
    read = reads[-1]
    assert [one.attributes["everloop.at"] for one in reads] == how, "what is kept of keys is tried first"
    answer = reply.json()
    assert whole.attributes["everloop.answer"] == answer["id"]
    assert (whole.attributes["everloop.version"], whole.attributes["everloop.arm"]) == (answer["version"], "champion")
    assert ask.attributes["everloop.version"] == house.traffic(model).champion
    assert read.attributes["everloop.model"] == model.name
    unit = next(str(value) for value in request.values())
    assert not any(unit in str(one.attributes.values()) for one in (read, ask, whole)), "no span says whom it was about"


def test_a_request_that_says_everything_itself_is_asked_and_remembered_and_so_are_those_nobody_sees(rolling, doors, tmp_path):
    house, model = rolling
    reply, exporter = told_of(doors(house), tmp_path / "metrics", model.name, {"house_id": "new1", **HOME})
    assert reply.status_code == 200, reply.text
    told = Counter(named(exporter))
    assert told[("ask version", PREDICT)] == 2, "the one that answers, and the other in shadow"
    assert told[("remember answers", PREDICT)] >= 1
    versions = {one.attributes["everloop.version"] for one in exporter.get_finished_spans() if one.name == "ask version"}
    assert versions == {house.traffic(model).champion, house.traffic(model).candidate}
    assert len({one.context.trace_id for one in exporter.get_finished_spans()}) == 1


def test_a_request_that_fails_says_under_which_id_the_log_has_it(opened, doors, tmp_path, caplog):
    house, model = opened("shop")
    adopt(house, model, END + timedelta(hours=1))
    door, known = doors(house), []

    def broken(*_):
        known.append(ids())
        raise RuntimeError("a bug")

    door.predict = broken
    with caplog.at_level(logging.ERROR, "everloop.serving"):
        reply, exporter = told_of(door, tmp_path / "metrics", model.name, {"product_id": "p1"}, **{"x-request-id": "till-3"})
    (whole,) = exporter.get_finished_spans()
    assert (reply.status_code, reply.headers["x-request-id"]) == (500, "till-3")
    assert known == [
        {"request_id": "till-3", "trace_id": format_trace_id(whole.context.trace_id), "span_id": f"{whole.context.span_id:016x}"}
    ]


class Killed(BaseException):
    """The process ends here."""


def test_a_turn_is_one_trace_of_its_steps_also_where_another_process_goes_on_with_it(opened):
    house, model = opened("shop")
    adopt(house, model, END)

    def dies(moment):
        if moment == "kept check":
            raise Killed

    exporter = InMemorySpanExporter()
    with collected("controller", exporter=exporter):
        with pytest.raises(Killed):
            turn(replace(house, pause=dies), model, END)
        turn(house, model, END)
    done = exporter.get_finished_spans()
    assert {format_trace_id(one.context.trace_id) for one in done} == {trace_of(turn_id(model, END, "schedule"))}
    steps = [name for name, inside in named(exporter) if inside == "turn"]
    assert steps[:6] == ["watch", "decide", "snapshot", "check", "as_of", "train"]
    assert len(steps) == len(set(steps)), "what was kept is not done again"
    first, last = (one for one in done if one.name == "turn")
    assert (first.attributes["error.type"], "error.type" in last.attributes) == ("Killed", False)
    assert last.attributes["everloop.model"] == "demand"
    assert all(house.journal.find(one.attributes["everloop.record"]) is not None for one in done if one.name != "turn")


@pytest.mark.slow
def test_a_house_that_runs_sends_its_traces_says_its_lines_and_tells_what_its_processes_use(opened, served, monkeypatch):
    house, model = opened("shop")
    adopt(house, model, END)
    product = house.tables(model)["orders"]["product_id"][0].as_py()
    folder = house.project.path.parent
    settings = folder / "everloop.toml"
    settings.write_text(
        settings.read_text().replace("child = false", "child = true")
        + '\n[serving]\ntraces = true\n[logs]\nform = "json"\nrequests = true\nlevel = "info"\n[prices]\ncpu_hour = 3600.0\n'
    )
    with web_server() as web:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{web.port}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        monkeypatch.setenv("PYTHONPATH", SOURCE)
        up = served(house, "run", "--turned-clock")
        with up.client() as client:
            client.headers["everloop-now"] = (END + timedelta(hours=1)).isoformat()
            client.headers["x-request-id"] = "till-3"
            given = asked(client, product)
            (turned,) = client.post("/v1/turn", json={"retrain": True}).json()["turns"]

            def spans():
                return [one for told in web.of("v1/traces") for one in sent(told)]

            request = until(lambda: next((s for s in spans() if said(s, "everloop.answer") == given["id"]), None))
            trained = until(lambda: [s for s in spans() if s.trace_id.hex() == trace_of(turned["turn"]) and s.name == "turn"])
            metrics = client.get("/metrics").text
        below = Counter(s.name for s in spans() if s.parent_span_id == request.span_id)
        assert below["read features"] >= below["ask version"] == below["remember answers"] == 1
        steps = {s.name for s in spans() if s.parent_span_id == trained[0].span_id}
        assert steps >= {"watch", "decide", "snapshot", "check", "as_of", "train"}
    for name in ("supervisor", "controller", "worker 1", "controller children"):
        told = next(one for one in metrics.splitlines() if one.startswith(f'everloop_process_cpu_seconds_total{{process="{name}"}}'))
        assert float(told.split()[-1]) > 0, name
    up.end()
    lines = [json.loads(one) for one in (folder / "said").read_text().splitlines()]
    (line,) = [one for one in lines if one.get("route") == "/v1/models/{model}/predict" and one["status"] == 200]
    assert (line["process"], line["request_id"], line["trace_id"]) == ("worker 1", "till-3", request.trace_id.hex())
    steps = [one for one in lines if one.get("turn_id") == turned["turn"]]
    assert [one["step"] for one in steps][:6] == ["watch", "decide", "snapshot", "check", "as_of", "train"]
    assert {(one["process"], one["model"], one["trace_id"]) for one in steps} == {("controller", "demand", trace_of(turned["turn"]))}


def sent(told):
    """The spans of one delivery to a collector."""
    body = gzip.decompress(told.body) if told.headers.get("content-encoding") == "gzip" else told.body
    resources = ExportTraceServiceRequest.FromString(body).resource_spans
    return [one for resource in resources for scope in resource.scope_spans for one in scope.spans]


def said(one, name):
    return next((a.value.string_value for a in one.attributes if a.key == name), None)
