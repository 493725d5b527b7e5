"""What is refused, and as which status: the one place where errors become words of the web. Values only.

A reply's ``message`` says what, where, and what to do next. What went wrong inside the house is logged and not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from everloop.errors import (
    ArtefactBroken,
    ClockWentBack,
    EverloopError,
    HouseBusy,
    HouseFull,
    Missing,
    Overtaken,
    RowsRefused,
    SettingsError,
    StoreError,
    UnderWay,
    Unknown,
)

LONGEST = 2_000  # characters of a message
KINDS = {
    "malformed": (400, "The body is not what its content type says."),
    "bad_time": (400, "Everloop-Now is missing, is no instant, or is not for this house."),
    "no_key": (401, "A key is needed, or the one shown is not known."),
    "no_scope": (403, "The key may not do this."),
    "no_such_path": (404, "There is no such path."),
    "unknown": (404, "Nobody knows the model, the source, the unit or the incident."),
    "no_such_method": (405, "The path is there, the method is not."),
    "too_slow": (408, "The body did not come in time."),
    "overtaken": (409, "Somebody else was faster."),
    "clock_went_back": (409, "An instant before one already journalled."),
    "too_large": (413, "The body is larger than this house takes."),
    "content_type": (415, "A content type that is not read here."),
    "invalid": (422, "What was said does not fit the model or the source, or cannot be done."),
    "too_many": (429, "This key asks more often than it may."),
    "failed": (500, "The house could not do it; its log says why."),
    "unanswered": (422, "Nobody could answer; said where a reply has no place for an answer that is none."),
    "overloaded": (503, "Too much is under way."),
    "busy": (503, "Another process holds what is needed."),
    "full": (503, "The disk is full."),
}
"""What can be wrong → the status, and when."""


class RefusedError(Exception):
    """A request that gets an error for a reply. ``kind`` is one of ``KINDS``, ``field`` where in the body; ``close``: hang up after it."""

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        field: str | None = None,
        examples: Sequence[str] = (),
        headers: Sequence[tuple[bytes, bytes]] = (),
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind, self.status, self.field = kind, KINDS[kind][0], field
        self.message = printable(message)
        self.examples = tuple(printable(example) for example in examples)
        self.headers, self.close = tuple(headers), close


def later(kind: str, message: str, seconds: int) -> RefusedError:
    """Refused for now: ``Retry-After`` says in how many seconds to come again.

    >>> later("overloaded", "Too much.", 1).headers
    ((b'retry-after', b'1'),)
    """
    return RefusedError(kind, message, headers=[(b"retry-after", str(seconds).encode())])


def refusal(error: Exception) -> RefusedError:
    """What an error of the house becomes on the web.

    >>> refusal(Unknown("model", "chrun", ["churn"])).status, refusal(Overtaken("…")).status, refusal(StoreError("/srv/x is gone")).message
    (404, 409, 'The house could not do this; its log says why. Nothing was half-done. Tell whoever runs it.')
    """
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, Unknown):
        column = error.noun == "column"
        near = did_you_mean(error.name, error.known)
        return RefusedError("invalid" if column else "unknown", f"{error}{near}", field=error.name if column else None)
    if isinstance(error, RowsRefused):
        return RefusedError("invalid", str(error), examples=error.examples)
    if isinstance(error, Overtaken):
        return RefusedError("overtaken", str(error))
    if isinstance(error, ClockWentBack):
        return RefusedError("clock_went_back", str(error))
    if isinstance(error, UnderWay):
        return later("busy", str(error), 5)
    if isinstance(error, HouseBusy):
        aloud = error.aloud or "The house is busy: another process holds what this needs."
        return later("busy", f"{aloud} Nothing was half-done. Try again.", 1)
    if isinstance(error, HouseFull):
        return later("full", "The disk of the house is full. Nothing was half-written. Make room, then try again.", 30)
    if isinstance(error, EverloopError) and not isinstance(error, StoreError | ArtefactBroken | Missing | SettingsError):
        return RefusedError("invalid", str(error))
    return RefusedError("failed", "The house could not do this; its log says why. Nothing was half-done. Tell whoever runs it.")


def did_you_mean(name: object, known: Sequence[str]) -> str:
    """`` Did you mean …?`` with its leading blank, naming up to three that are near; or nothing.

    >>> did_you_mean("custmer_id", ["customer_id", "amount"]), did_you_mean("zzz", ["amount"])
    (" Did you mean 'customer_id'?", '')
    """
    # A name of a million letters must not be compared with anything.
    near = get_close_matches(name, list(known)[:1000], n=3) if isinstance(name, str) and len(name) <= 200 else []
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def short(name: object) -> str:
    """A name as messages show it, however long and odd it is.

    >>> short("a\\nb"), len(short("x" * 10_000))
    ("'a\\\\nb'", 63)
    """
    text = str(name)
    return repr(text if len(text) <= 60 else text[:60] + "…")


def printable(text: str) -> str:
    """Text that can be sent: of bounded length, and without half characters.

    >>> printable("a\\ud800")
    'a?'
    """
    cut = text if len(text) <= LONGEST else text[:LONGEST] + " …"
    return cut.encode("utf-8", "replace").decode()
