"""Lines: what the processes of a house say. In: what is logged, and sentences. Out: lines for people, or one JSON object on each.

An object says ``at`` (UTC), ``level``, ``process``, ``host``, ``pid``, ``message`` and the ids it happened under: ``request_id``,
``turn_id``, ``model``, ``step``, and ``trace_id`` and ``span_id`` as OpenTelemetry calls them where a log is no OTLP
(https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/). Standard library only.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeAlias

from everloop.clock import wall
from everloop.settings import Logs
from everloop.spans import ids

Say: TypeAlias = Callable[[str], None]
HOST = os.uname().nodename
"""The name of this machine: processes of several work for one house, and are called alike."""
MARK = '{"at": "'
"""How each of our own begins, so that whoever passes it on need not read it."""
CHATTY = ("httpx", "httpcore", "uvicorn.access")
"""Who logs each of its requests as news."""


def line(process: str, level: str, message: str, **more: Any) -> str:
    """One line of JSON; what is ``None`` is left out.

    >>> said = json.loads(line("worker 1", "warning", "The disk is full.", logger="everloop.serving"))
    >>> said["level"], said["process"], said["message"]
    ('warning', 'worker 1', 'The disk is full.')
    """
    at = wall().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    first = {"at": at, "level": level, "process": process, "host": HOST, "pid": os.getpid()}
    said = first | {"message": message} | {key: value for key, value in more.items() if value is not None} | ids()
    return json.dumps(said, ensure_ascii=False, default=str)


def passed_on(process: str, text: str, logs: Logs) -> str:
    """What a child said, as its parent says it: with who said it.

    >>> passed_on("worker 1", "begun", Logs())
    'worker 1 | begun'
    """
    if logs.form == "text":
        return f"{process} | {text}"
    return text if text.startswith(MARK) and text.endswith("}") else line(process, "info", text)


def speaking(process: str, logs: Logs) -> Say:
    """Have everything this process logs said as the settings want it; returns what says a sentence of the house itself."""
    if logs.form == "text":
        if logs.level != Logs().level:
            logging.basicConfig(level=logs.level.upper(), format="%(levelname)s %(name)s: %(message)s")
            _hush()
        return _out
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_AsLines(process))
    logging.basicConfig(level=logs.level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    _hush()
    sys.excepthook = lambda kind, error, trace: _out(_raised(process, kind, error, trace))
    threading.excepthook = lambda told: _ended(process, told)
    return lambda sentence: _out(line(process, "info", sentence))


def of_requests(process: str, logs: Logs) -> Callable[[str, str, int, float], None] | None:
    """What says a line for each request: method, route, status, and seconds; None where nobody wants them."""
    if not logs.requests:
        return None

    def as_text(method: str, route: str, status: int, seconds: float) -> None:
        _out(f"{method} {route} {status} in {seconds * 1000:.2f} ms, request {ids()['request_id']}")

    def as_json(method: str, route: str, status: int, seconds: float) -> None:
        said = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 3)}
        _out(line(process, "info", f"{method} {route} {status}", **said))

    return as_text if logs.form == "text" else as_json


def _out(text: str) -> None:
    """In one piece: threads say things at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _hush() -> None:
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class _AsLines(logging.Formatter):
    """What is logged, each as one object."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        raised = record.exc_info if record.exc_info and record.exc_info[0] is not None else None
        more = {} if raised is None else {"error": raised[0].__name__, "traceback": self.formatException(raised)}
        return line(self.process, record.levelname.lower(), record.getMessage(), logger=record.name, **more)


def _ended(process: str, told: threading.ExceptHookArgs) -> None:
    if not issubclass(told.exc_type, SystemExit):  # which is how a thread may end itself
        _out(_raised(process, told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback))


def _raised(process: str, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> str:
    said = "".join(traceback.format_exception(kind, error, trace))
    return line(process, "error", f"{kind.__name__}: {error}", error=kind.__name__, traceback=said)
