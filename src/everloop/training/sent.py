"""Sent: a piece of work on its way to another process and back. What travels, what is done there, what comes back. Bytes in, bytes out.

Functions and classes travel by their names, those of the main program and of other functions by value (cloudpickle). Reads no clock.
"""

from __future__ import annotations

import pickle
import threading
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from everloop.errors import CodeChanged, LearnerFailed
from everloop.training.child import PUT_IT_IN_A_MODULE, called, raisable
from everloop.training.usage import Usage, used


@dataclass(frozen=True)
class Work:
    """What is done to every item, on its way: ``first`` is called once in each process before ``fn`` is unpickled there (opening the
    project file, so that its functions are found); ``threads`` bounds what numerical libraries use; ``release`` is Everloop's own, which
    has to be the same there."""

    id: str
    name: str
    first: bytes
    fn: bytes
    threads: int | None
    release: str


@dataclass(frozen=True)
class Outcome:
    """What came of an item: its result, or what was raised; and what it took."""

    result: Any
    error: Exception | None
    usage: Usage


def work_of(fn: Callable[[Any], object], first: Callable[[], object] | None = None, threads: int | None = 1) -> Work:
    """A function as it travels. Raises LearnerFailed where it cannot."""
    return Work(
        uuid.uuid4().hex, called(fn), packed(first, "What opens the project file"), packed(fn, called(fn)), threads, version("everloop")
    )


def packed(what: object, name: str) -> bytes:
    """Something as bytes. Raises LearnerFailed where it cannot travel."""
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(what, protocol=5))
    except Exception as error:
        raise LearnerFailed(f"{name} cannot be sent to another process: {type(error).__name__}: {error}. {PUT_IT_IN_A_MODULE}") from error


def done(work: Work, item: bytes) -> bytes:
    """One item, where it was sent to: what came of it, as it travels back. Raises nothing that ``fn`` raised.

    >>> outcome_of(done(work_of(abs), packed(-3, "it"))).result
    3
    """
    from threadpoolctl import threadpool_limits

    before = used()
    result: object = None
    error: BaseException | None = None
    try:
        fn = _ready_for(work)
        with threadpool_limits(limits=work.threads):
            result = fn(pickle.loads(item))
    except (Exception, SystemExit) as raised:
        error = _noted(raised)
    usage = used() - before
    try:
        return packed(Outcome(result, error, usage), f"What {work.name} made")  # type: ignore[arg-type]
    except LearnerFailed as unsaid:
        return packed(Outcome(None, unsaid, usage), work.name)


def outcome_of(said: bytes) -> Outcome:
    """What came of an item, here again."""
    found: Outcome = pickle.loads(said)
    return found


_one_at_a_time = threading.Lock()
_begun: set[bytes] = set()
_ready: dict[str, Callable[[Any], object]] = {}
"""The function unpickled last, by the id of its work: there may be much in it, and it is the same for every item."""


def _ready_for(work: Work) -> Callable[[Any], object]:
    with _one_at_a_time:
        if work.id not in _ready:
            if work.release != _release():
                raise LearnerFailed(
                    f"{work.name} was sent by Everloop {work.release} to a machine that has {_release()}. Install the same there."
                )
            try:
                if work.first not in _begun:
                    start = pickle.loads(work.first)
                    if start is not None:
                        start()
                    _begun.add(work.first)
                fn = pickle.loads(work.fn)
            except CodeChanged as error:  # of that machine: to start this process again would change nothing there
                raise LearnerFailed(f"{work.name} was not done: {error}") from error
            except Exception as error:
                raise LearnerFailed(
                    f"{work.name} could not be unpacked where it was sent to: {type(error).__name__}: {error}. {PUT_IT_IN_A_MODULE}"
                ) from error
            _ready.clear()
            _ready[work.id] = fn
        return _ready[work.id]


@cache
def _release() -> str:
    try:
        return version("everloop")
    except PackageNotFoundError:
        return "from a folder"


def _noted(error: BaseException) -> BaseException:
    trace = "".join(traceback.format_exception(error)[-8:])
    found = raisable(error)
    found.add_note(f"In another process:\n{trace}")
    return found
