"""Traces: what a collector is sent, asked as a user would ask; and that nothing of it befalls a request."""

from __future__ import annotations

import asyncio
import builtins
import gzip
import os
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_trace_id
from tests.connect.receivers import web_server

from everloop.connect.opentelemetry import collected, traced
from everloop.errors import Missing
from everloop.serving.paths import route_of
from everloop.spans import carried, ids, learnt, span, trace_of

HERE = "http://localhost:8321"


async def says(scope, receive, send):
    """An app that replies with the status its path ends in."""
    await send({"type": "http.response.start", "status": int(scope["path"][-3:]) if scope["path"][-3:].isdigit() else 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def asked(app, *paths, method="POST", **headers):
    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as client:
            return [(await client.request(method, path, headers=headers)).status_code for path in paths]

    return asyncio.run(ask())


def test_a_request_is_one_span_called_by_its_route_and_no_name_in_it():
    spans = InMemorySpanExporter()
    with traced(says, route_of, exporter=spans) as app:
        assert asked(app, "/v1/models/churn/predict", "/no/such/200") == [200, 200]
    assert [span.name for span in spans.get_finished_spans()] == ["POST /v1/models/{model}/predict", "POST other"]
    assert {span.resource.attributes["service.name"] for span in spans.get_finished_spans()} == {"everloop"}


def test_the_callers_trace_is_gone_on_with():
    spans = InMemorySpanExporter()
    with traced(says, route_of, exporter=spans) as app:
        asked(app, "/v1/models/churn/predict", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    (span,) = spans.get_finished_spans()
    assert (span.context.trace_id, span.parent.span_id) == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)


def test_probes_and_metrics_are_no_spans():
    spans = InMemorySpanExporter()
    with traced(says, route_of, exporter=spans) as app:
        asked(app, "/health/live", "/health/ready", "/metrics", method="GET")
    assert spans.get_finished_spans() == ()


def test_the_service_is_called_as_the_environment_says(monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    spans = InMemorySpanExporter()
    with traced(says, route_of, exporter=spans) as app:
        asked(app, "/v1/status", method="GET")
    assert spans.get_finished_spans()[0].resource.attributes["service.name"] == "shop"


def test_a_collector_is_sent_what_waits_at_the_end(monkeypatch):
    with web_server() as web:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{web.port}")
        with traced(says, route_of) as app:
            asked(app, "/v1/models/churn/predict/503")
        (told,) = web.of("v1/traces")
    body = gzip.decompress(told.body) if told.headers.get("content-encoding") == "gzip" else told.body
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (span,) = resource.scope_spans[0].spans
    assert span.name == "POST other"
    assert {a.key: a.value.int_value for a in span.attributes}["http.response.status_code"] == 503


def test_a_collector_that_is_not_there_befalls_no_request(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with traced(says, route_of) as app:
        assert asked(app, "/v1/models/churn/predict") == [200]


def test_without_the_libraries_it_is_said_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *words, **more):
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(name)
        return real(name, *words, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Missing, match=r"everloop\[opentelemetry\]"), traced(says, route_of):
        pass


def named(exporter):
    """Spans as (name, name of the span they are inside of)."""
    done = exporter.get_finished_spans()
    called = {one.context.span_id: one.name for one in done}
    return [(one.name, called.get(one.parent.span_id) if one.parent else None) for one in done]


def test_what_is_done_for_a_request_is_inside_of_its_span_also_in_a_thread():
    async def answers(scope, receive, send):
        def read():
            with span("read features", model="churn"):
                return 1

        await asyncio.get_running_loop().run_in_executor(None, carried(read))
        with span("ask version", version="churn@3"):
            learnt(questions=1)
        learnt(answer="41c9")
        await says(scope, receive, send)

    exporter = InMemorySpanExporter()
    with traced(answers, route_of, exporter=exporter) as app:
        asked(app, "/v1/models/churn/predict")
    request = "POST /v1/models/{model}/predict"
    assert named(exporter) == [("read features", request), ("ask version", request), (request, None)]
    read, ask, whole = exporter.get_finished_spans()
    assert read.attributes == {"everloop.model": "churn"}
    assert ask.attributes == {"everloop.version": "churn@3", "everloop.questions": 1}
    assert whole.attributes["everloop.answer"] == "41c9"


def test_what_was_raised_marks_its_span_by_its_kind_and_says_nothing_of_whom_it_was_about():
    exporter = InMemorySpanExporter()
    with collected("worker", exporter=exporter), pytest.raises(Missing), span("read features"):
        raise Missing("Ada Lovelace", "x", "y")
    (one,) = exporter.get_finished_spans()
    assert (one.status.status_code.name, one.attributes["error.type"], one.events) == ("ERROR", "Missing", ())
    assert "Ada" not in str(one.to_json())


def test_a_turn_that_is_gone_on_with_is_the_same_trace_and_what_comes_after_it_is_not():
    exporter = InMemorySpanExporter()
    with collected("controller", exporter=exporter):
        for _ in range(2):
            with span("turn", trace=trace_of("7f")), span("watch"):
                assert ids()["trace_id"] == trace_of("7f")
        with span("another"):
            pass
    traces = [format_trace_id(one.context.trace_id) for one in exporter.get_finished_spans()]
    assert traces[:4] == [trace_of("7f")] * 4
    assert traces[4] != trace_of("7f"), "a name is for one trace only"


def test_a_turn_asked_for_within_another_span_is_a_trace_of_its_own():
    exporter = InMemorySpanExporter()
    with collected("terminal", exporter=exporter), span("outer"), span("turn", trace=trace_of("7f")):
        pass
    assert named(exporter) == [("turn", None), ("outer", None)]


def test_ids_of_traces_are_by_chance_in_each_thread_beside_a_named_one():
    exporter = InMemorySpanExporter()

    def other():
        with span("other"):
            return ids()["trace_id"]

    with collected("controller", exporter=exporter), ThreadPoolExecutor(1) as pool, span("turn", trace=trace_of("7f")):
        assert pool.submit(other).result() != trace_of("7f")


def test_each_process_says_what_it_does_in_the_house():
    exporter = InMemorySpanExporter()
    with collected("controller", exporter=exporter), span("turn"):
        pass
    said = exporter.get_finished_spans()[0].resource.attributes
    assert (said["everloop.process"], said["process.pid"]) == ("controller", os.getpid())


def test_what_follows_when_the_reply_is_out_is_still_inside_of_its_request():
    exporter, later = InMemorySpanExporter(), []

    def shadow():
        with span("ask version"):
            pass

    async def answers(scope, receive, send):
        later.append(carried(shadow))
        await says(scope, receive, send)

    with traced(answers, route_of, exporter=exporter) as app:
        asked(app, "/v1/models/churn/predict")
        later[0]()
    assert named(exporter) == [("POST /v1/models/{model}/predict", None), ("ask version", "POST /v1/models/{model}/predict")]


def test_of_a_request_that_no_sampler_keeps_nothing_is_kept(monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    exporter, within = InMemorySpanExporter(), []

    async def answers(scope, receive, send):
        with span("ask version") as begun:
            learnt(version="churn@3")
            within.append((begun, ids()))
        await says(scope, receive, send)

    with traced(answers, route_of, exporter=exporter) as app:
        asked(app, "/v1/models/churn/predict")
    assert exporter.get_finished_spans() == ()
    assert within[0][0] is None, "its spans cost nothing"
    assert within[0][1]["trace_id"], "logs have its trace all the same"


def test_a_status_of_500_marks_the_request_and_one_of_400_does_not():
    async def refuses(scope, receive, send):
        await send({"type": "http.response.start", "status": int(scope["path"][-3:]), "headers": []})
        await send({"type": "http.response.body", "body": b""})

    exporter = InMemorySpanExporter()
    with traced(refuses, route_of, exporter=exporter) as app:
        asked(app, "/x/503", "/x/404")
    told = [(one.status.status_code.name, one.attributes.get("error.type"), one.kind.name) for one in exporter.get_finished_spans()]
    assert told == [("ERROR", "503", "SERVER"), ("UNSET", None, "SERVER")]
