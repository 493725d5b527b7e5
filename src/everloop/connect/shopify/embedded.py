"""The way in of an embedded app: its page in the admin shows the ID token it got from Shopify, which is exchanged for one that opens the
shop. In: a request with ``Authorization: Bearer``. Out: what the app may do; never a token.

A token that is not right is answered 401 with the header by which App Bridge gets another one and asks again, once.
https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/token-exchange
"""

from __future__ import annotations

from typing import Final

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from everloop.clock import wall
from everloop.connect.shopify import about_people, verify
from everloop.connect.shopify.house import Refused, Unreachable
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.scopes import SCOPES, held
from everloop.connect.shopify.tokens import Tokens
from everloop.settings import Shopify

AGAIN: Final = {"X-Shopify-Retry-Invalid-Session-Request": "1"}
UNKEPT: Final = {"Cache-Control": "no-store"}
NOT_TAKEN: Final = "invalid_subject_token"
"""Shopify's word for an ID token that it does not exchange."""


def routes(shop: Shopify, place: Place, tokens: Tokens) -> list[Route]:
    """``POST /shopify/token``: the token of the shop is got anew for the ID token that is shown, and kept by ``tokens``."""

    def exchanged(id_token: str) -> tuple[str, ...]:
        tokens.exchange(id_token)
        about_people.installed_again(place, wall())
        return tokens.scopes()

    async def token(request: Request) -> Response:
        try:
            verify.id_token(shop, request.headers.raw)
            scopes = await anyio.to_thread.run_sync(exchanged, request.headers["authorization"].strip().removeprefix("Bearer "))
        except verify.NotFromShopify as error:
            return _no(error.status, str(error), AGAIN if error.status == 401 else {})
        except Refused as error:
            status = 401 if error.code == NOT_TAKEN else 502
            return _no(status, str(error), AGAIN if status == 401 else {})
        except Unreachable as error:
            return _no(503, str(error), {"Retry-After": "5"})
        lacks = sorted(set(SCOPES) - held(scopes))
        return JSONResponse({"shop": shop.shop, "scopes": sorted(scopes), "lacks": lacks}, headers=UNKEPT)

    return [Route("/shopify/token", token, methods=["POST"])]


def _no(status: int, why: str, headers: dict[str, str]) -> Response:
    return JSONResponse({"error": why}, status, {**UNKEPT, **headers})
