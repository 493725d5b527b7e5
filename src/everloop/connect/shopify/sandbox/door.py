"""The shop in a box over HTTP: the Admin API with its costs, tokens, uploads and results; and the storefront's way to an app proxy."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

import everloop.connect.shopify.sandbox.cost as cost
import everloop.connect.shopify.sandbox.together as together
from everloop.connect.shopify.sandbox.access import lacking
from everloop.connect.shopify.sandbox.asked import Asked
from everloop.connect.shopify.sandbox.bulk import Bulk
from everloop.connect.shopify.sandbox.carried import carried, read
from everloop.connect.shopify.sandbox.grants import Grants
from everloop.connect.shopify.sandbox.merchant import merchant
from everloop.connect.shopify.sandbox.points import Faults, Points
from everloop.connect.shopify.sandbox.schema import schema
from everloop.connect.shopify.sandbox.shop import Shop
from everloop.connect.shopify.sandbox.signatures import proxy_signature

STATIC = "shpat_sandbox"
"""A token that is always good, for people who try something by hand."""

_SHOPIFY_S = ("shop", "path_prefix", "timestamp", "signature")


@dataclass
class Door:
    """Everything a shop answers over HTTP. ``app_url`` is where its app's proxy is reached, None: nowhere."""

    shop: Shop
    grants: Grants
    points: Points
    faults: Faults
    bulk: Bulk
    app_url: str | None = None
    calls: int = 0

    def asgi(self) -> Starlette:
        return Starlette(routes=[
            Route("/admin/oauth/access_token", self.granted, methods=["POST"]),
            Route("/admin/api/{version}/graphql.json", self.graphql, methods=["POST"]),
            Route("/staged", self.staged, methods=["POST"]),
            Route("/bulk/{name}", self.result, methods=["GET"]),
            Route("/apps/{subpath}/{path:path}", self.storefront, methods=["GET"]),
            Route("/recommendations/products.json", self.own, methods=["GET"]),
            *merchant(self.shop),
        ])  # fmt: skip

    async def granted(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        said = await request.json() if "json" in kind else dict(httpx.QueryParams((await request.body()).decode()))
        status, body = self.grants.answer(said)
        if self.faults.grants:
            wanted = self.faults.grants.pop(0)
            return _Lost() if wanted == 0 else JSONResponse({"error": "server"}, wanted)
        return JSONResponse(body, status)

    async def graphql(self, request: Request) -> Response:
        self.calls += 1
        token = request.headers.get("x-shopify-access-token")
        if token != STATIC and not self.grants.knows(token):
            return JSONResponse({"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}, 401)
        wanted = self.faults.statuses.pop(0) if self.faults.statuses else 200
        if wanted not in (0, 200):
            return JSONResponse({"errors": "not now"}, wanted, {"Retry-After": "0.05"} if wanted == 429 else None)
        try:
            said = json.loads(await request.body())
            text, variables = str(said["query"]), said.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        body = await run_in_threadpool(self.answered, text, variables)
        return _Lost() if wanted == 0 else JSONResponse(body, headers={"X-Shopify-API-Version": request.path_params["version"]})

    def answered(self, text: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What is said to a query, with what it cost."""
        document, wrong, needs = read(text)
        if wrong:
            return {"errors": wrong}
        assert document is not None
        requested = cost.requested(schema(), document, variables)
        if requested > cost.MOST:
            said = f"Query cost is {requested}, which exceeds the single query max cost limit ({cost.MOST})."
            return {"errors": [{"message": said, "extensions": {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": cost.MOST}}]}
        if not self.points.spend(requested):
            spent = {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": self.points.status()}
            return {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "extensions": {"cost": spent}}
        closed = lacking(needs, self.grants.scopes)
        if closed:
            said = f"Access denied. Required access: {', '.join(f'`{scope}`' for scope in closed)} access scope."
            body: dict[str, Any] = {
                "errors": [{"message": said, "extensions": {"code": "ACCESS_DENIED", "requiredAccess": ", ".join(closed)}}]
            }
            actual = 1
        else:
            asked = Asked(self.shop, self.grants.scopes, self.bulk, ignores_filters=self.faults.ignores_filters)
            body = carried(asked, document, variables)
            actual = min(requested, cost.requested(schema(), document, variables, body.get("data") or {}))
            if asked.warnings:
                body.setdefault("extensions", {})["search"] = asked.warnings
        self.points.give_back(requested - actual)
        spent = {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": self.points.status()}
        body.setdefault("extensions", {})["cost"] = spent
        return body

    async def staged(self, request: Request) -> Response:
        """An upload by multipart form, its file last."""
        header = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        parts = message_from_bytes(header + await request.body()).get_payload()
        fields: dict[str, bytes] = {}
        for part in parts if isinstance(parts, list) else ():
            name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
            fields[str(name)] = part.get_payload(decode=True)  # type: ignore[union-attr, assignment]
        if "key" not in fields or "file" not in fields:
            return PlainTextResponse("<Error><Code>InvalidPolicyDocument</Code></Error>", 400)
        self.bulk.uploads[fields["key"].decode()] = fields["file"]
        return PlainTextResponse("", 201)

    async def result(self, request: Request) -> Response:
        """The lines an operation came to, from any byte on."""
        file = self.bulk.files.get(request.path_params["name"])
        if file is None:
            return PlainTextResponse("<Error><Code>NoSuchKey</Code></Error>", 404)
        size, begin, status = file.stat().st_size, 0, 200
        ranged = request.headers.get("range", "")
        if ranged.startswith("bytes=") and not self.faults.ignores_ranges:
            begin, status = int(ranged.removeprefix("bytes=").split("-")[0]), 206
            if begin >= size:
                return PlainTextResponse("", 416, {"Content-Range": f"bytes */{size}"})
        cut = self.faults.cuts.pop(0) if self.faults.cuts else None
        headers = {"Content-Length": str(size - begin), "Content-Type": "application/jsonl"}
        if status == 206:
            headers["Content-Range"] = f"bytes {begin}-{size - 1}/{size}"
        return StreamingResponse(_bytes(file, begin, cut), status, headers)

    async def storefront(self, request: Request) -> Response:
        """What a buyer's browser asks of an app: signed and handed on, as Shopify does. ``logged_in_customer_id`` may be said."""
        if self.app_url is None:
            return PlainTextResponse("The sandbox was told of no app: --app http://127.0.0.1:8322", 404)
        said = [(k, v) for k, v in request.query_params.multi_items() if k not in _SHOPIFY_S]
        if "logged_in_customer_id" not in dict(said):
            said.append(("logged_in_customer_id", ""))
        said += [
            ("shop", self.shop.domain),
            ("path_prefix", f"/apps/{request.path_params['subpath']}"),
            ("timestamp", str(int(time.time()))),
        ]
        signed = [*said, ("signature", proxy_signature(said, self.grants.secret))]
        async with httpx.AsyncClient(timeout=10) as client:
            try:
                reply = await client.get(
                    f"{self.app_url}/shopify/proxy/{request.path_params['path']}", params=httpx.QueryParams(urlencode(signed))
                )
            except httpx.HTTPError as error:
                return PlainTextResponse(f"There was an error in the third-party application: {error or type(error).__name__}", 502)
        return Response(reply.content, reply.status_code, media_type=reply.headers.get("content-type"))

    async def own(self, request: Request) -> Response:
        """What the shop shows beside a product by itself."""
        said = request.query_params
        intent, most = said.get("intent", "related"), said.get("limit", str(together.MOST))
        if intent not in ("related", "complementary") or not said.get("product_id", "").isdigit() or not most.isdigit():
            return JSONResponse({"message": "Invalid parameter error", "status": 422}, 422)
        shown = together.beside(
            self.shop, f"gid://shopify/Product/{said['product_id']}", cast(together.Intent, intent), min(int(most), together.MOST)
        )
        return JSONResponse({"intent": intent, "products": [together.as_asked(one) for one in shown]})


class _Lost(Response):
    """An answer that gets lost: the connection ends in its middle."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"99")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": False})


def _bytes(file: Path, begin: int, cut: int | None) -> Iterator[bytes]:
    with file.open("rb") as read:
        read.seek(begin)
        left = cut
        while chunk := read.read(1 << 16):
            if left is not None and len(chunk) >= left:
                yield chunk[:left]
                raise ConnectionError("the sandbox cuts this result")
            yield chunk
            left = None if left is None else left - len(chunk)
