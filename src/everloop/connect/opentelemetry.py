"""Traces: a span for each request a house replies to, sent to whoever collects OpenTelemetry. In: an ASGI app. Out: the same, traced.

Where spans go, how many are kept and what they are called by is said as everywhere with OpenTelemetry: by its own ``OTEL_…`` variables
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). A caller's ``traceparent`` is gone on with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from everloop.errors import Missing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

Asgi: TypeAlias = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
NAME = "everloop"
"""What the service is called unless ``OTEL_SERVICE_NAME`` says otherwise."""


@contextmanager
def traced(app: Asgi, route: Callable[[str], str], *, exporter: SpanExporter | None = None) -> Iterator[Asgi]:
    """An app whose requests are spans, called by method and ``route`` (which makes a path one of few, so that no id is in a name).

    Spans are sent beside the requests, in lots; those that wait are sent at the end. Nothing that befalls them befalls a request.
    ``exporter``: where they go; by default over HTTP (OTLP) to where the environment says. Raises Missing without the libraries.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        raise Missing("OpenTelemetry", "opentelemetry", "[serving] traces = true") from None

    def details(scope: MutableMapping[str, Any]) -> tuple[str, dict[str, Any]]:
        path = route(scope["path"])
        return f"{scope['method']} {path}", {"http.route": path}

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: NAME}).merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    try:
        yield OpenTelemetryMiddleware(
            app, tracer_provider=provider, default_span_details=details, exclude_spans=["receive", "send"], excluded_urls="health/,metrics"
        )
    finally:
        provider.shutdown()
