"""Bulk operations of the sandbox: an inner query run whole, its nodes line by line; or one mutation for each line of an upload.

https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everloop.connect.shopify.sandbox.access import lacking, needed
from everloop.connect.shopify.sandbox.cost import connections
from everloop.connect.shopify.sandbox.language import DocumentNode, GraphQLError, OperationDefinitionNode, parse, validate
from everloop.connect.shopify.sandbox.schema import schema
from everloop.connect.shopify.sandbox.shop import Thing

if TYPE_CHECKING:
    from everloop.connect.shopify.sandbox.asked import Asked

AT_ONCE = 5
"""How many of each kind a shop carries out at the same time, since 2026-01."""
MOST_CONNECTIONS, DEEPEST = 5, 2
Carried = Callable[["Asked", DocumentNode, Mapping[str, Any]], Mapping[str, Any]]
"""Carries out a document: data and errors."""


class Bulk:
    """The operations of one shop. ``seconds`` is how long each takes at least; ``endings`` are how the next ones end instead of well:
    FAILED, CANCELED or EXPIRED, with a share of their lines in ``partialDataUrl``."""

    def __init__(self, folder: Path, carried: Carried, seconds: float = 0.0) -> None:
        self.folder, self.carried, self.seconds = folder, carried, seconds
        self.url = ""
        self.endings: list[tuple[str, float]] = []
        self.results: list[Path] = []
        """Files that the next queries come to, whatever they ask."""
        self.uploads: dict[str, bytes] = {}
        self.files: dict[str, Path] = {}
        """The results by the names they are fetched by."""
        self.most_at_once = 0
        self._operations: dict[str, Thing] = {}
        self._stopped: set[str] = set()
        self._ids, self._lock = itertools.count(1), threading.RLock()
        self._threads: list[threading.Thread] = []

    def told(self) -> dict[str, Thing]:
        with self._lock:
            return {id: dict(one) for id, one in self._operations.items()}

    def ask(self, asked: Asked, query: str) -> Thing:
        try:
            document = parse(query)
        except GraphQLError as error:
            return _no(f"Invalid bulk query: {error.message}", "INVALID")
        (operation, *_) = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        wrong = [e.message for e in validate(schema(), document)]
        if operation.operation.value != "query":
            wrong = ["A bulk query runs a query, no mutation."]
        if operation.variable_definitions:
            wrong = ["A bulk query takes no variables."]
        count, depth = (0, 0) if wrong else connections(schema(), document)
        if not wrong and count == 0:
            wrong = ["Bulk queries must contain at least one connection."]
        elif count > MOST_CONNECTIONS:
            wrong = [f"Bulk queries cannot contain more than {MOST_CONNECTIONS} connections."]
        elif depth > DEEPEST:
            wrong = ["Bulk queries cannot contain connections with a nesting depth greater than 2."]
        if wrong:
            return _no("; ".join(wrong), "INVALID")
        if lacking(needed(document), asked.scopes):
            return self._begun(asked, "QUERY", _closed)
        return self._begun(asked, "QUERY", lambda: self._lines(asked, document))

    def change(self, asked: Asked, mutation: str, path: str) -> Thing:
        if path not in self.uploads:
            return _no("The JSONL file could not be found. Try uploading the file again.", "NO_SUCH_FILE")
        try:
            document = parse(mutation)
        except GraphQLError as error:
            return _no(f"Failed to parse the mutation - {error.message}", "INVALID_MUTATION")
        wrong = validate(schema(), document)
        if wrong:
            return _no("; ".join(e.message for e in wrong), "INVALID_MUTATION")
        return self._begun(asked, "MUTATION", lambda: self._changed(asked, document, self.uploads[path]))

    def cancel(self, id: str) -> Thing:
        with self._lock:
            operation = self._operations.get(id)
            if operation is None:
                return {"bulkOperation": None, "userErrors": [{"field": ["id"], "message": "Bulk operation does not exist"}]}
            if operation["status"] in ("CREATED", "RUNNING"):
                self._stopped.add(id)
                operation["status"] = "CANCELING"
            return {"bulkOperation": dict(operation), "userErrors": []}

    def staged(self, said: Mapping[str, Any]) -> Thing:
        """Where to upload a file, and what to say beside it; ``key`` is what it is called by afterwards."""
        key = f"tmp/1/bulk/{next(self._ids)}/{said['filename']}"
        parameters = [{"name": n, "value": v} for n, v in (("Content-Type", said["mimeType"]), ("acl", "private"), ("key", key))]
        return {"__typename": "StagedMediaUploadTarget", "url": f"{self.url}/staged", "resourceUrl": None, "parameters": parameters}

    def wait(self, seconds: float = 30.0) -> None:
        """Until all operations have ended."""
        for thread in list(self._threads):
            thread.join(seconds)

    def _begun(self, asked: Asked, kind: str, lines: Callable[[], Iterator[Mapping[str, Any]]]) -> Thing:
        with self._lock:
            under_way = sum(o["type"] == kind and o["status"] in ("CREATED", "RUNNING", "CANCELING") for o in self._operations.values())
            if under_way >= AT_ONCE:
                said = f"A bulk {kind.lower()} operation for this app and shop is already in progress."
                return _no(said, "OPERATION_IN_PROGRESS")
            self.most_at_once = max(self.most_at_once, under_way + 1)
            id = f"gid://shopify/BulkOperation/{next(self._ids)}"
            began = asked.shop.moment(None)
            operation = {
                "__typename": "BulkOperation", "id": id, "status": "CREATED", "type": kind, "query": "", "createdAt": began,
                "completedAt": None, "objectCount": "0", "rootObjectCount": "0", "fileSize": None, "url": None, "partialDataUrl": None,
                "errorCode": None,
            }  # fmt: skip
            self._operations[id] = operation
            ending = self.endings.pop(0) if self.endings else None
            ready = self.results.pop(0) if kind == "QUERY" and self.results else None
        thread = threading.Thread(target=self._carry, args=(asked, operation, lines, ending, ready), daemon=True, name="bulk operation")
        self._threads.append(thread)
        thread.start()
        return {"bulkOperation": dict(operation), "userErrors": []}

    def _carry(
        self,
        asked: Asked,
        operation: Thing,
        lines: Callable[[], Iterator[Mapping[str, Any]]],
        ending: tuple[str, float] | None,
        ready: Path | None,
    ) -> None:
        operation["status"] = "RUNNING"
        time.sleep(self.seconds)
        file = ready or self.folder / f"{operation['id'].rsplit('/', 1)[-1]}.jsonl"
        status, share = ending or ("COMPLETED", 1.0)
        count = 0
        try:
            if ready is None:
                written = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in lines()]
                written = written[: int(len(written) * share)]
                file.write_text("".join(line + "\n" for line in written), encoding="utf-8")
                count = len(written)
        except PermissionError:
            status, operation["errorCode"] = "FAILED", "ACCESS_DENIED"
        except Exception as error:
            status, operation["errorCode"], operation["query"] = "FAILED", "INTERNAL_SERVER_ERROR", str(error)
        if operation["id"] in self._stopped:
            status, share = "CANCELED", 0.5
        url = f"{self.url}/bulk/{file.name}" if file.exists() and file.stat().st_size else None
        with self._lock:
            self.files[file.name] = file
            if status == "COMPLETED":
                operation["url"] = url
            elif status != "EXPIRED":
                operation["partialDataUrl"] = url
            if status == "FAILED" and operation["errorCode"] is None:
                operation["errorCode"] = "TIMEOUT"
            operation["fileSize"] = str(file.stat().st_size) if url else None
            operation.update(objectCount=str(count), rootObjectCount=str(count), completedAt=asked.shop.moment(None), status=status)
        said = {"admin_graphql_api_id": operation["id"], "completed_at": operation["completedAt"], "created_at": operation["createdAt"],
                "error_code": operation["errorCode"], "status": status.lower(), "type": operation["type"].lower()}  # fmt: skip
        asked.shop.tell("bulk_operations/finish", said, None)

    def _lines(self, asked: Asked, document: DocumentNode) -> Iterator[Mapping[str, Any]]:
        with asked.shop.lock:
            said = self.carried(asked, document, {})
        if said.get("errors"):
            raise ValueError(said["errors"])
        for connection in said["data"].values():
            yield from flattened(connection)

    def _changed(self, asked: Asked, document: DocumentNode, upload: bytes) -> Iterator[Mapping[str, Any]]:
        for number, line in enumerate(upload.splitlines()):
            if line.strip():
                yield {**self.carried(asked, document, json.loads(line)), "__lineNumber": number}


def flattened(connection: Mapping[str, Any], parent: str | None = None) -> Iterator[Mapping[str, Any]]:
    """A connection as a bulk result has it: each node a line, nodes below it after it, with ``__parentId``.

    >>> list(flattened({"edges": [{"node": {"id": "a", "lines": {"edges": [{"node": {"id": "b"}}]}}}]}))
    [{'id': 'a'}, {'id': 'b', '__parentId': 'a'}]
    """
    for edge in connection["edges"]:
        node = edge["node"]
        below = {name: value for name, value in node.items() if isinstance(value, dict) and "edges" in value}
        line = {name: value for name, value in node.items() if name not in below}
        yield line if parent is None else {**line, "__parentId": parent}
        for inner in below.values():
            yield from flattened(inner, node["id"])


def _closed() -> Iterator[Mapping[str, Any]]:
    raise PermissionError


def _no(message: str, code: str) -> Thing:
    return {"bulkOperation": None, "userErrors": [{"field": ["query"], "message": message, "code": code}]}
