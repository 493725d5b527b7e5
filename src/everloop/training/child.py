"""One function in a fresh child process that dies with its parent; a learner that takes its process with it takes nothing else.

Children are forked from a server that has the libraries loaded (``forkserver``), where there is one, else spawned. Reads only the monotonic
clock.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from everloop.errors import CodeChanged, LearnerFailed
from everloop.lifeline import die_with
from everloop.training.usage import Usage, used

Result = TypeVar("Result")

PRELOADED = ["numpy", "pyarrow.parquet", "sklearn.ensemble", "sklearn.pipeline", "threadpoolctl", "skops.io", "everloop.training.rehearse"]
LOOK_EVERY = 0.1  # seconds between looks at ``cancelled``


def in_child(
    fn: Callable[..., Result],
    *args: Any,
    timeout: float | None = None,
    cancelled: Callable[[], bool] | None = None,
    first: Callable[[], object] | None = None,
    threads: int | None = None,
    spent: Callable[[Usage], None] | None = None,
    **words: Any,
) -> Result:
    """What ``fn(*args, **words)`` returns, computed in a fresh child.

    What it raises is raised here. ``timeout`` is in seconds; ``cancelled`` is asked ten times a second; both end the child. ``first``
    runs in the child before anything else is unpickled there (opening the project file, so that its functions are found). ``threads``
    bounds what numerical libraries use; by default as many as this process may. ``spent`` is told what a child took that had something to
    say. Raises LearnerFailed where the child dies, is ended, or
    cannot be given its arguments.
    """
    payload, before = _pickled((fn, args, words), fn), _pickled(first, fn)
    here, there = multiprocessing.Pipe()
    child = _context().Process(target=_serve, args=(there,), name=f"everloop {called(fn)}")
    until = None if timeout is None else time.monotonic() + timeout
    try:
        child.start()
        there.close()
        try:
            here.send_bytes(pickle.dumps((before, threads)))
            here.send_bytes(payload)
        except OSError:  # it died while it was being told; how is said below
            pass
        answer = _awaited(here, child, fn, until, timeout, cancelled)
        child.join(5)
    finally:
        if child.pid is not None and child.is_alive():
            _end(child)
        here.close()
    if answer is None:
        raise _died(fn, child.exitcode)
    done, result, usage = answer
    if spent is not None:
        spent(usage)
    if done:
        return result  # type: ignore[no-any-return]
    raise result


def _awaited(
    here: Connection,
    child: Any,
    fn: Callable[..., object],
    until: float | None,
    timeout: float | None,
    cancelled: Callable[[], bool] | None,
) -> tuple[bool, Any, Usage] | None:
    """What the child said, or None if it died without a word."""
    while True:
        left = None if until is None else max(0.0, until - time.monotonic())
        pause = left if cancelled is None else min(LOOK_EVERY, left if left is not None else LOOK_EVERY)
        ready = wait([here, child.sentinel], timeout=pause)
        if ready:
            try:
                # What it said may still be on its way when it is gone, so the pipe is asked first.
                return pickle.loads(here.recv_bytes()) if here.poll(0 if here in ready else 1) else None
            except (EOFError, ConnectionError):
                child.join(5)
                return None
        if cancelled is not None and cancelled():
            raise LearnerFailed(f"{called(fn)} was cancelled; its child process was ended and nothing was kept.")
        if until is not None and time.monotonic() >= until:
            raise LearnerFailed(
                f"{called(fn)} took longer than {timeout:g} s and was ended. Give it more time, fewer rows, or a smaller learner."
            )


def _end(child: Any) -> None:
    """End a child and whatever a learner started in it."""
    with suppress(ProcessLookupError):  # it had not begun to be a group of its own
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.join()


def _serve(pipe: Connection) -> None:
    """The child: watch the parent, be told what to do, do it, say what came of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear; it ends this child
    os.setpgid(0, 0)  # what a learner starts is ended with it
    _die_with_parent()
    try:
        before, threads = pickle.loads(pipe.recv_bytes())
        payload = pipe.recv_bytes()
        start = pickle.loads(before)
        if start is not None:
            start()
        fn, args, words = pickle.loads(payload)
    except CodeChanged as error:
        _say(pipe, False, error)
        return
    except Exception as error:
        _say(
            pipe,
            False,
            LearnerFailed(f"A child process could not be given its work: {type(error).__name__}: {error}. {PUT_IT_IN_A_MODULE}"),
        )
        return
    try:
        with _limited(threads):
            result = fn(*args, **words)
    except BaseException as error:
        _say(pipe, False, error)
    else:
        _say(pipe, True, result)


PUT_IT_IN_A_MODULE = (
    "A child process finds functions and classes by their names: put the learner in a module (or the project file), not in a notebook, a "
    "lambda, or inside "
    "another function."
)


def _say(pipe: Connection, done: bool, result: object) -> None:
    if isinstance(result, BaseException):
        trace = "".join(traceback.format_exception(result)[-8:])
        result = raisable(result)
        result.add_note(f"In a child process:\n{trace}")
    try:
        said = pickle.dumps((done, result, used()), protocol=5)
    except Exception as error:
        what = f"What the child process made cannot be brought back: {type(error).__name__}: {error}. {PUT_IT_IN_A_MODULE}"
        said = pickle.dumps((False, LearnerFailed(what), used()))
    pipe.send_bytes(said)
    pipe.close()


def raisable(error: BaseException) -> BaseException:
    """The error itself if it survives pickling; else what it said, as LearnerFailed."""
    try:
        again = pickle.loads(pickle.dumps(error))
        if type(again) is type(error) and str(again) == str(error) and isinstance(error, Exception):
            return error
    except Exception:
        pass
    return LearnerFailed(f"{type(error).__name__}: {error}")


def _die_with_parent() -> None:
    """End this process when the parent is gone: the parent holds the other end of a pipe, which closes when it dies, however it dies."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        die_with(parent.sentinel, group=True)  # PR_SET_PDEATHSIG would watch the fork server instead


def _limited(threads: int | None) -> Any:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(
        limits=threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads or os.cpu_count()
    )


def _context() -> Any:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _pickled(what: object, fn: Callable[..., object]) -> bytes:
    try:
        return pickle.dumps(what, protocol=5)
    except Exception as error:
        raise LearnerFailed(
            f"{called(fn)} cannot be sent to a child process: {type(error).__name__}: {error}. {PUT_IT_IN_A_MODULE}"
        ) from error


def called(fn: Callable[..., object]) -> str:
    while isinstance(fn, partial):
        fn = fn.func
    return str(getattr(fn, "__name__", None) or type(fn).__name__).strip("_")


def _died(fn: Callable[..., object], code: int | None) -> LearnerFailed:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        why = {
            "SIGABRT": 'A library stopped the whole process; LightGBM does so when it is fed Arrow with categories: say fed_as="pandas".',
            "SIGKILL": "Perhaps there was not enough memory: learn from fewer rows (learns_from=).",
        }.get(name, "A library stopped the whole process: update it, or take another learner.")
        return LearnerFailed(f"{called(fn)} died in its child process by {name}. {why} Nothing else was touched.")
    return LearnerFailed(
        f"{called(fn)} left its child process without an answer (exit code {code}). A learner must not call sys.exit or os._exit; and a "
        "script that "
        'calls Everloop must do so under: if __name__ == "__main__":'
    )
