"""Everything of a kind at once: a bulk operation is begun, waited for, and its lines fetched from whatever byte one has come to.

Five run at the same time in a shop; results are kept seven days. https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import httpx

from everloop.connect.shopify import documents
from everloop.connect.shopify.admin import Admin, UserErrors
from everloop.connect.shopify.house import Refused, Row, Unreachable

PATIENCE: Final = 6 * 3600.0
"""For how many seconds an operation is begun again while others are under way, and waited for."""
POLLS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
TRIES: Final = 6
_BUSY: Final = frozenset({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"})
_UNDER_WAY: Final = frozenset({"CREATED", "RUNNING", "CANCELING"})


@dataclass(frozen=True)
class Operation:
    """A bulk operation as the shop told of it. ``asked_at`` is by the shop's own clock; ``url`` is None where it came to nothing."""

    id: str
    status: str
    asked_at: str
    url: str | None = None
    partial: str | None = None
    size: int | None = None
    error: str | None = None

    @property
    def done(self) -> bool:
        return self.status == "COMPLETED"


class Gone(Refused):
    """The result is not there any more: it is kept seven days."""


def begin(admin: Admin, document: str, values: Row, *, patience: float = PATIENCE) -> Operation:
    """Ask for everything a document (``documents/bulk_….graphql``) finds with these values written in.

    While five others run it waits. Raises UserErrors where the shop would not, or is busy all that time.
    """
    query = documents.inlined(documents.text(document), values)
    return begun(admin, "bulk_query", "bulkOperationRunQuery", {"query": query}, patience)


def begun(admin: Admin, document: str, field: str, variables: Row, patience: float) -> Operation:
    """The operation that this document begins; ``field`` is where its answer is."""
    last = admin.clock() + patience
    for pause in _pauses():
        try:
            said = admin.ask(document, **variables)[field]["bulkOperation"]
            return Operation(said["id"], said["status"], said["createdAt"])
        except UserErrors as error:
            if not error.codes & _BUSY or admin.clock() + pause >= last:
                raise
        admin.sleep(pause)
    raise AssertionError("pauses never end")


def ended(admin: Admin, id: str, *, patience: float = PATIENCE, told: Callable[[str], None] | None = None) -> Operation:
    """The operation once it has ended, well or not; EXPIRED where the shop knows it no more. Raises Unreachable after ``patience``."""
    last = admin.clock() + patience
    for pause in _pauses():
        said = admin.ask("bulk_status", id=id)["bulkOperation"]
        if said is None:
            return Operation(id, "EXPIRED", "")
        if said["status"] not in _UNDER_WAY:
            size = None if said["fileSize"] is None else int(said["fileSize"])
            return Operation(id, said["status"], said["createdAt"], said["url"], said["partialDataUrl"], size, said["errorCode"])
        if admin.clock() + pause >= last:
            raise Unreachable(f"{id} is not done after {patience:g} s ({said['objectCount']} things so far). It goes on; come back later.")
        if told is not None:
            told(f"{said['objectCount']} things so far")
        admin.sleep(pause)
    raise AssertionError("pauses never end")


def lines(url: str, begin: int = 0, *, client: httpx.Client, sleep: Callable[[float], None]) -> Iterator[tuple[bytes, int]]:
    """The lines of a result from this byte on (the beginning of one), each with the byte it ends at.

    A connection that breaks is taken up at the last whole line; whoever cannot give a part is read from the beginning, and what is known
    already is skipped. Raises Gone where the result is not there, Unreachable where it does not come after several tries without a line.
    """
    at, failed = begin, 0
    while True:
        came, headers = at, {"Range": f"bytes={at}-", "Accept-Encoding": "identity"}
        try:
            with client.stream("GET", url, headers=headers, follow_redirects=True) as reply:
                if reply.status_code == 416:
                    return
                if reply.status_code in (403, 404, 410):
                    raise Gone(reply.status_code, "gone", f"The result is not there any more ({reply.status_code}); it is kept seven days.")
                reply.raise_for_status()
                total = _total(reply)
                for line, end in _split(reply.iter_bytes(1 << 16), at, skip=at if reply.status_code == 200 else 0):
                    if line.endswith(b"\n") or total is None or end == total:
                        yield line.rstrip(b"\r\n"), end
                        at = end
                if total is None or at >= total:
                    return
                why = f"it ended at byte {at} of {total}"
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
        failed = 0 if at > came else failed + 1
        if failed >= TRIES:
            raise Unreachable(f"A bulk result does not come: {why}. What came is kept; it goes on there.")
        sleep(min(20.0, 0.25 * 2**failed))


def _split(chunks: Iterator[bytes], begin: int, skip: int) -> Iterator[tuple[bytes, int]]:
    """The lines of chunks with the byte each ends at; the last may be cut. ``skip`` bytes were read before.

    >>> list(_split(iter([b"ab\\nc", b"d\\ne"]), 100, 0))
    [(b'ab\\n', 103), (b'cd\\n', 106), (b'e', 107)]
    >>> list(_split(iter([b"ab\\nc", b"d\\ne"]), 3, 3))
    [(b'cd\\n', 6), (b'e', 7)]
    """
    left, end = b"", begin
    for chunk in chunks:
        if skip >= len(chunk):
            skip -= len(chunk)
            continue
        *whole, left = (left + chunk[skip:]).split(b"\n")
        skip = 0
        for line in whole:
            end += len(line) + 1
            yield line + b"\n", end
    if left:
        yield left, end + len(left)


def _total(reply: httpx.Response) -> int | None:
    """How many bytes the whole result has, as far as the reply says."""
    ranged, length = reply.headers.get("content-range", ""), reply.headers.get("content-length")
    if reply.status_code == 206:
        total = ranged.rpartition("/")[2]
        return int(total) if total.isdigit() else None
    return int(length) if length is not None and "content-encoding" not in reply.headers else None


def _pauses() -> Iterator[float]:
    yield from POLLS
    while True:
        yield POLLS[-1]
