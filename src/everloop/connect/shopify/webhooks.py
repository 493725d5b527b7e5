"""The routes Shopify delivers to. In: requests. Out: 200 once the delivery is on the disk, 401 or 400 for what Shopify never sent, 503
where it cannot be kept now, so that it is delivered again. What a delivery says is read later, by the drain."""

from __future__ import annotations

import asyncio
import hmac
import logging

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from everloop.connect.shopify import envelopes, verify
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.letterbox import Letterbox
from everloop.connect.shopify.verify import NotFromShopify
from everloop.errors import EverloopError
from everloop.settings import Shopify

LARGEST = 16 * 1024 * 1024
"""Bytes of one delivery."""
_log = logging.getLogger("everloop.shopify")


def routes(settings: Shopify, letterbox: Letterbox) -> list[Route]:
    """``POST /shopify/webhooks`` for classic webhooks and Next-Gen Events; ``POST /shopify/envelopes`` for what comes by EventBridge,
    Pub/Sub or SQS, where ``[shopify] envelopes`` says which key is shown with it."""

    async def webhooks(request: Request) -> Response:
        return await _kept(letterbox, request, lambda body: [verify.webhook(settings, request.headers.raw, body)])

    async def enveloped(request: Request) -> Response:
        shown = request.query_params.get("key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if settings.envelopes is None or not hmac.compare_digest(shown.encode(), settings.envelopes.encode()):
            return _refused(401, "A key is needed, or the one shown is not the one of [shopify] envelopes.")
        return await _kept(letterbox, request, lambda body: envelopes.opened(settings.shop, body))

    return [
        Route("/shopify/webhooks", webhooks, methods=["POST"]),
        Route("/shopify/envelopes", enveloped, methods=["POST"]),
    ]


async def _kept(letterbox: Letterbox, request: Request, read: envelopes.Reads) -> Response:
    try:
        body = await whole(request)
        deliveries: list[Delivery] = read(body)
        kept = [asyncio.wrap_future(letterbox.drop(one)) for one in deliveries]
        await asyncio.gather(*kept)
    except NotFromShopify as no:
        return _refused(no.status, no.why)
    except ClientDisconnect:
        return Response(status_code=400)
    except EverloopError as error:
        _log.warning("A delivery could not be kept: %s", error)
        return _refused(503, str(error), {"Retry-After": "5"})
    except Exception:
        _log.exception("A delivery could not be kept")
        return _refused(503, "It could not be kept. Deliver it again.", {"Retry-After": "5"})
    return Response(status_code=200)


async def whole(request: Request, largest: int = LARGEST) -> bytes:
    """The body of a request, as it came. Raises NotFromShopify (413) for one that is too large."""
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise NotFromShopify(413, f"The body has more than {largest:,} bytes.")
        parts.append(part)
    return b"".join(parts)


def _refused(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": why}, status_code=status, headers=headers)
