"""Traces: a span for each request a house replies to and for each turn, and what is done in them, sent to whoever collects OpenTelemetry.

Where spans go, how many are kept and what they are called by is said as everywhere with OpenTelemetry: by its own ``OTEL_…`` variables
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). A caller's ``traceparent`` is gone on with. What is
done in them is said where it is done, by ``everloop.spans``; no span says whom it was about, nor what an error said of it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

from everloop import spans
from everloop.errors import Missing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.trace import Span, Tracer

Asgi: TypeAlias = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
NAME = "everloop"
"""What the service is called unless ``OTEL_SERVICE_NAME`` says otherwise."""
PREFIX = "everloop."
"""Before what the house itself says of a span, so that it is nobody else's attribute."""
QUIET = ("/health/", "/metrics")
_NOTHING: AbstractContextManager[object] = nullcontext()


@contextmanager
def collected(part: str, *, exporter: SpanExporter | None = None) -> Iterator[TracerProvider]:
    """Send the spans of this process, which does this part in the house (``worker``, ``controller``, …), beside what is done.

    They are sent in lots; those that wait are sent at the end. Nothing that befalls them befalls what they are about. ``exporter``: where
    they go; by default over HTTP (OTLP) to where the environment says. Raises Missing without the libraries.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ModuleNotFoundError:
        raise _missing() from None

    roots = _Ids(RandomIdGenerator())
    who: dict[str, Any] = {SERVICE_NAME: NAME, PREFIX + "process": part, "process.pid": os.getpid()}
    resource = Resource.create(who).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, id_generator=roots)  # type: ignore[arg-type]  # for each thread one
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    try:
        with spans.collected(_Collector(provider.get_tracer(NAME), roots)):
            yield provider
    finally:
        provider.shutdown()


@contextmanager
def traced(app: Asgi, route: Callable[[str], str], *, exporter: SpanExporter | None = None) -> Iterator[Asgi]:
    """An app whose requests are spans, called by method and ``route`` (which makes a path one of few, so that no id is in a name).

    What is done for a request is inside of its span, whose attributes are those of OpenTelemetry's conventions for HTTP servers
    (https://opentelemetry.io/docs/specs/semconv/http/http-spans), but for whoever asked and the query. Probes and ``/metrics`` are no
    spans. ``exporter`` and errors: as for ``collected``.
    """
    with collected("worker", exporter=exporter) as provider:
        from opentelemetry.propagate import get_global_textmap

        server = provider.get_tracer(NAME)
        carries = frozenset(name.lower().encode() for name in get_global_textmap().fields)

        async def asked(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] != "http" or scope["path"].startswith(QUIET):
                await app(scope, receive, send)
                return
            with _Asked(server, scope, route(scope["path"]), carries) as span:
                await app(scope, receive, _heard(span, send) if span.is_recording() else send)

        yield asked


class _Asked:
    """The span of one request. OpenTelemetry's own instrumentation of ASGI takes three to four times as long."""

    __slots__ = ("_span", "_token")

    def __init__(self, tracer: Tracer, scope: MutableMapping[str, Any], route: str, carries: Collection[bytes]) -> None:
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        said = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in carries}
        method = scope["method"]
        attributes = {
            "http.request.method": method,
            "http.route": route,
            "url.path": scope["path"],
            "url.scheme": scope.get("scheme", "http"),
        }
        self._span = tracer.start_span(f"{method} {route}", extract(said) if said else None, SpanKind.SERVER, attributes)

    def __enter__(self) -> Span:
        from opentelemetry.context import attach
        from opentelemetry.trace import set_span_in_context

        self._token = attach(set_span_in_context(self._span))
        return self._span

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        from opentelemetry.context import detach

        detach(self._token)
        if kind is not None:
            _failed(self._span, kind.__qualname__)
        self._span.end()


def _heard(span: Span, send: Any) -> Any:
    """What sends a reply, and tells its span the status."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            span.set_attribute("http.response.status_code", message["status"])
            if message["status"] >= 500:
                _failed(span, str(message["status"]))
        await send(message)

    return sent


def _failed(span: Span, kind: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, kind))


class _Collector:
    """Tells OpenTelemetry of the spans of this process."""

    def __init__(self, tracer: Tracer, roots: _Ids) -> None:
        from opentelemetry import context, trace

        self.start, self.roots, self.context, self.trace = tracer.start_span, roots, context, trace

    def begin(self, name: str, facts: Mapping[str, spans.Fact], trace: str | None) -> AbstractContextManager[object]:
        around = self.trace.get_current_span().get_span_context()
        if trace is None and around.is_valid and not around.trace_flags.sampled:
            return _NOTHING  # nobody keeps what it would be inside of
        return _Begun(self, name, _prefixed(facts), trace)

    def learn(self, facts: Mapping[str, spans.Fact]) -> None:
        span = self.trace.get_current_span()
        if span.is_recording():
            span.set_attributes(_prefixed(facts))

    def now(self) -> dict[str, str]:
        there = self.trace.get_current_span().get_span_context()
        if not there.is_valid:
            return {}
        return {"trace_id": self.trace.format_trace_id(there.trace_id), "span_id": self.trace.format_span_id(there.span_id)}


class _Begun:
    """One span, from when it is entered until it is left; what is raised in it marks it, by the error's kind alone."""

    __slots__ = ("_by", "_facts", "_name", "_span", "_token", "_trace")

    def __init__(self, by: _Collector, name: str, facts: dict[str, spans.Fact], trace: str | None) -> None:
        self._by, self._name, self._facts, self._trace = by, name, facts, trace

    def __enter__(self) -> Span:
        by, inside = self._by, None
        if self._trace is not None:
            inside, by.roots.next = by.context.Context(), int(self._trace, 16)
        self._span = by.start(self._name, inside, attributes=self._facts)
        self._token = by.context.attach(by.trace.set_span_in_context(self._span))
        return self._span

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        by, span = self._by, self._span
        by.context.detach(self._token)
        if kind is not None:
            _failed(span, kind.__qualname__)
        span.end()


class _Ids(threading.local):
    """Ids of traces and spans by chance, but where a trace is named. For each thread its own."""

    next: int | None = None

    def __init__(self, chance: RandomIdGenerator) -> None:
        self.generate_span_id, self.is_trace_id_random, self._chance = chance.generate_span_id, chance.is_trace_id_random, chance

    def generate_trace_id(self) -> int:
        named, self.next = self.next, None
        return self._chance.generate_trace_id() if named is None else named


def _missing() -> Missing:
    return Missing("OpenTelemetry", "opentelemetry", "[serving] traces = true")


def _prefixed(facts: Mapping[str, spans.Fact]) -> dict[str, spans.Fact]:
    return {PREFIX + name: value for name, value in facts.items()}
