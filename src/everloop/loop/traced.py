"""Turns as traces: what a process that turns a house tells OpenTelemetry, where its settings want that. The libraries are an extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from everloop.settings import Settings


@contextmanager
def traced(settings: Settings, part: str) -> Iterator[None]:
    """Each turn of this process is a trace meanwhile, if ``[serving] traces`` says so; ``part`` is what the process does in the house.

    Raises Missing without the libraries.
    """
    if not settings.serving.traces:
        yield
        return
    from everloop.connect.opentelemetry import collected

    with collected(part):
        yield
