"""Traces: what a collector is sent, asked as a user would ask; and that nothing of it befalls a request."""

from __future__ import annotations

import asyncio
import builtins
import gzip

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.connect.receivers import web_server

from everloop.connect.opentelemetry import traced
from everloop.errors import Missing
from everloop.serving.paths import route_of

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
    assert {a.key: a.value.int_value for a in span.attributes}["http.status_code"] == 503


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
