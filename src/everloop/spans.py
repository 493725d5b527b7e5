"""Spans: what is done inside what, told to whoever collects traces; and the ids that what happens now is known by, for logs.

Nothing is told where nobody collects: a span is then an empty ``with``. Standard library only; what collects is ``connect/opentelemetry``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token, copy_context
from functools import partial
from types import MappingProxyType
from typing import Protocol, TypeAlias, TypeVar

T = TypeVar("T")
Fact: TypeAlias = str | int | float | bool


class Collector(Protocol):
    """Who is told of spans."""

    def begin(self, name: str, facts: Mapping[str, Fact], trace: str | None) -> AbstractContextManager[object]:
        """A span that begins when it is entered, inside the one that was entered before. ``trace``: as for ``span``."""
        ...

    def learn(self, facts: Mapping[str, Fact]) -> None:
        """More facts of the span that was entered last."""
        ...

    def now(self) -> Mapping[str, str]:
        """``trace_id`` and ``span_id`` of the span that was entered last, in hexadecimal digits; nothing outside of spans."""
        ...


_NOTHING: AbstractContextManager[object] = nullcontext()
_collector: Collector | None = None
"""A process tells its spans to one collector, as it has one log."""


@contextmanager
def collected(collector: Collector) -> Iterator[None]:
    """Tell the spans of this process to a collector meanwhile."""
    global _collector
    before, _collector = _collector, collector
    try:
        yield
    finally:
        _collector = before


def span(name: str, /, *, trace: str | None = None, **facts: Fact) -> AbstractContextManager[object]:
    """What is done inside this ``with``, called by one of few names; its facts say what it was done about.

    ``trace`` names the trace of a span that is inside no other (32 hexadecimal digits), so that what is begun again goes on with it.

    >>> with span("read features", model="demand"):
    ...     pass
    """
    return _NOTHING if _collector is None else _collector.begin(name, facts, trace)


def learnt(**facts: Fact) -> None:
    """Facts of the span under way that were not known when it began."""
    if _collector is not None:
        _collector.learn(facts)


def trace_of(turn: str) -> str:
    """The trace of a turn, by its id: a turn that was killed and is gone on with is one trace, in whatever process.

    >>> trace_of("0123456789abcdef")
    'd097d5e1d7687cd461642c2c42ef0bca'
    """
    return hashlib.sha256(f"trace\x1f{turn}".encode()).hexdigest()[:32]


# -- ids -------------------------------------------------------------------------------------------------------------------------------

NAMED = b"x-request-id"


class Asked:
    """A request, known by the id its sender gave it (``X-Request-Id``), or by one that is made when it is first wanted."""

    __slots__ = ("_headers", "_id")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._headers, self._id = headers, ""

    @property
    def id(self) -> str:
        """At most 64 letters, digits and ``_.:-``; what a sender says otherwise is no id.

        >>> Asked([(b"x-request-id", b"till-3:4711")]).id, len(Asked([(b"x-request-id", b"a b")]).id)
        ('till-3:4711', 16)
        """
        if not self._id:
            said = next((value for name, value in self._headers if name == NAMED), b"")
            self._id = said.decode() if re.fullmatch(rb"[A-Za-z0-9_.:-]{1,64}", said) else os.urandom(8).hex()
        return self._id


_asked: ContextVar[Asked | None] = ContextVar("everloop_asked", default=None)
_about: ContextVar[Mapping[str, str]] = ContextVar("everloop_about", default=MappingProxyType({}))


def asked_now(asked: Asked) -> Token[Asked | None]:
    """From here on, what happens in this task or thread happens for this request."""
    return _asked.set(asked)


@contextmanager
def about(**ids: str) -> Iterator[None]:
    """What happens meanwhile in this task or thread is known by these ids, beside those around it."""
    before = _about.set({**_about.get(), **ids})
    try:
        yield
    finally:
        _about.reset(before)


def ids() -> dict[str, str]:
    """The ids of what happens now: ``request_id``, ``trace_id``, ``span_id``, and what ``about`` says.

    >>> with about(turn_id="41c9", model="demand"):
    ...     ids()
    {'turn_id': '41c9', 'model': 'demand'}
    """
    asked = _asked.get()
    found = {} if asked is None else {"request_id": asked.id}
    return found | dict(_about.get()) | (dict(_collector.now()) if _collector is not None else {})


def carried(work: Callable[[], T]) -> Callable[[], T]:
    """The same work for another thread, inside the span and with the ids of here."""
    return partial(copy_context().run, work)
