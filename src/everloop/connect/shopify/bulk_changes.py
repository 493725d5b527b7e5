"""One change for many things at once: their variables go up as a file, the shop carries them out line by line, and says what came of each.

https://shopify.dev/docs/api/usage/bulk-operations/imports
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Final

import httpx
import msgspec

from everloop.connect.shopify import bulk, documents
from everloop.connect.shopify.admin import Admin
from everloop.connect.shopify.house import Refused, Row, Unreachable

MOST_BYTES: Final = 95_000_000
"""An upload may have 100 MB; what is more goes into the next."""
_NAME: Final = "changes.jsonl"


def changed(admin: Admin, document: str, many: Iterable[Row], *, most_bytes: int = MOST_BYTES) -> Iterator[tuple[int, Row]]:
    """Carry out a document (a mutation) once for each of these variables; which one (from 0) and what the shop answered to it.

    An answer has ``data`` and, where it went wrong, ``errors``, or ``userErrors`` inside: as ``Admin.ask`` would be answered, but nothing
    is raised for one of many. The answers come when all of a file are done. Raises Unreachable, Refused and UserErrors for the whole.
    """
    number = 0
    for lines in _files(many, most_bytes):
        begun = bulk.begun(
            admin, "bulk_mutation", "bulkOperationRunMutation",
            {"mutation": documents.text(document), "path": _uploaded(admin, lines.file)}, bulk.PATIENCE,
        )  # fmt: skip
        operation = bulk.ended(admin, begun.id)
        url = operation.url or operation.partial
        for body, _ in bulk.lines(url, client=admin.client, sleep=admin.sleep) if url else ():
            answer = msgspec.json.decode(body)
            yield number + int(answer.get("__lineNumber", 0)), answer
        if not operation.done:
            why = operation.error or "no reason given"
            raise Unreachable(
                f"{document} for {lines.count} things ended {operation.status} ({why}): those without an answer are to be said again."
            )
        number += lines.count


class _Lines:
    """A file of variables, a line each."""

    def __init__(self) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as its upload
        self.count, self.bytes = 0, 0


def _files(many: Iterable[Row], most: int) -> Iterator[_Lines]:
    lines = _Lines()
    for variables in many:
        line = json.dumps(variables, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if lines.count and lines.bytes + len(line) > most:
            yield lines
            lines.file.close()
            lines = _Lines()
        lines.file.write(line)
        lines.count, lines.bytes = lines.count + 1, lines.bytes + len(line)
    if lines.count:
        yield lines
    lines.file.close()


def _uploaded(admin: Admin, file: IO[bytes]) -> str:
    """The file where the shop finds it; what it is called there."""
    wanted = {"resource": "BULK_MUTATION_VARIABLES", "filename": _NAME, "mimeType": "text/jsonl", "httpMethod": "POST"}
    (target,) = admin.ask("staged_upload", input=[wanted])["stagedUploadsCreate"]["stagedTargets"]
    fields = {p["name"]: p["value"] for p in target["parameters"]}
    for failed in range(bulk.TRIES):
        file.seek(0)
        try:
            reply = admin.client.post(target["url"], data=fields, files={"file": (_NAME, file, "text/jsonl")}, timeout=600)
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
        else:
            if reply.status_code < 300:
                return str(fields["key"])
            if reply.status_code < 500:
                raise Refused(reply.status_code, "upload", f"The upload is refused ({reply.status_code}): {reply.text[:200]}")
            why = f"status {reply.status_code}"
        admin.sleep(min(20.0, 0.25 * 2**failed))
    raise Unreachable(f"The upload does not get through: {why}.")
