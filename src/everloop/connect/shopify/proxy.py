"""The app proxy: what a storefront shows beside a product or a cart, now. In: a request that Shopify signed. Out: JSON, or Liquid.

``GET /shopify/proxy/recommendations`` asks the house for whoever is there: a customer by the id Shopify vouches for, anybody else by the
token their browser made, so that each keeps the arm once drawn. A house that is down, slow or without an answer costs nothing but that: the
list worked out beforehand is shown. Whoever is kept back for good (``control``) gets no list of ours, and the storefront shows Shopify's.

Liquid is rendered by Shopify inside the theme; what is written into it are ids and handles of known letters, and nothing else.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.resources import files
from typing import Any, Literal, TypeAlias

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from everloop.clock import monotonic, wall
from everloop.connect.shopify import verify
from everloop.connect.shopify.callers import Callers
from everloop.connect.shopify.heard import LARGEST, Heard, TooMuchHeard, outcomes, sender
from everloop.connect.shopify.house import House, Refused, Unreachable
from everloop.connect.shopify.said import token
from everloop.connect.shopify.shelf import HANDLE, Shelf
from everloop.errors import EverloopError
from everloop.settings import Shopify

PATIENCE = 0.8
"""Seconds a storefront waits for the house; then the list worked out beforehand is shown."""
REST = 1.0
"""Seconds a house that did not answer is not asked."""
BESIDE = 16
MOST = 20
LARGEST_CART = 100
ID = re.compile(r"[0-9]{1,20}")
UNIT_COLUMN = "customer_id"
CARD = "app/extensions/everloop-storefront/snippets/everloop-card.liquid"

Origin: TypeAlias = Literal["model", "precomputed", "shopify", "none"]


@dataclass(frozen=True)
class Wanted:
    """What a storefront asks for. ``who``: a customer's id, or the token of a browser; None: nobody wants to be known."""

    who: str | None
    customer: str | None
    product: str | None
    cart: tuple[str, ...]
    most: int
    view: Literal["json", "cards"]


@dataclass(frozen=True)
class Listed:
    """What is shown, best first, and where it comes from. ``prediction``, ``arm`` and ``version`` as the house says them."""

    items: tuple[str, ...]
    origin: Origin
    prediction: str | None = None
    arm: str | None = None
    version: str | None = None

    @property
    def carried(self) -> str:
        """What goes with an order line as ``_everloop``: the answer (or where the list came from) and the arm.

        >>> Listed(("7",), "model", "9d00410c64e5744e", "candidate").carried, Listed(("7",), "precomputed").carried
        ('9d00410c64e5744e/candidate', 'precomputed/')
        """
        return f"{self.prediction or self.origin}/{self.arm or ''}"


def wanted(query: Mapping[str, str]) -> Wanted:
    """A verified query as what it asks for. Raises EverloopError for what no storefront of ours sends.

    >>> wanted({"logged_in_customer_id": "", "unit": "b7c1d2e3-0000", "product": "7", "cart": "8,9", "most": "4"})
    Wanted(who='b7c1d2e3-0000', customer=None, product='7', cart=('8', '9'), most=4, view='json')
    """
    customer, unit, product = query.get("logged_in_customer_id") or None, query.get("unit") or None, query.get("product") or None
    cart = tuple(item for item in query.get("cart", "").split(",") if item)
    if any(id is not None and not ID.fullmatch(id) for id in (customer, product, *cart)) or len(cart) > LARGEST_CART:
        raise EverloopError(f"Products and customers go by their numbers, and a cart holds at most {LARGEST_CART}.")
    # A customer goes by what Shopify vouches for alone: a token that says a number is nobody's.
    if unit is not None and token(unit) is None:
        raise EverloopError("unit is 8 to 64 letters, digits and hyphens, and not digits alone.")
    most, view = query.get("most", "10"), query.get("view", "json")
    if not re.fullmatch(r"[0-9]{1,2}", most) or not 1 <= int(most) <= MOST:
        raise EverloopError(f"most is a number from 1 to {MOST}.")
    if view not in ("json", "cards"):
        raise EverloopError("view is json or cards.")
    return Wanted(customer or unit, customer, product, cart, int(most), view)  # type: ignore[arg-type]


@dataclass
class Storefront:
    """What answers storefronts of one shop. ``house`` should wait no longer than ``PATIENCE``."""

    shop: Shopify
    house: House
    shelf: Shelf
    heard: Heard
    resting: float = 0.0
    beside: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(BESIDE))
    callers: Callers = field(init=False)

    def __post_init__(self) -> None:
        self.callers = Callers(self.shop.newcomers)

    def routes(self) -> list[Route]:
        """The routes of the app proxy, as Shopify asks them: with its signature behind the question mark."""
        return [
            Route("/shopify/proxy/recommendations", self.recommendations, methods=["GET"]),
            Route("/shopify/proxy/outcomes", self.outcomes, methods=["POST"]),
        ]

    async def recommendations(self, request: Request) -> Response:
        """A list for whoever is there; always one of ours, or word that there is none: never an error of the house."""
        try:
            asked = wanted(verify.proxy(self.shop, request.url.query))
        except verify.NotFromShopify as error:
            return _refused(error.status, str(error))
        except EverloopError as error:
            return _refused(400, str(error))
        if asked.who is not None and not self.callers.let(asked.who, vouched=asked.customer is not None):
            asked = replace(asked, who=None)
        listed = await self.listed(asked)
        handles = await anyio.to_thread.run_sync(self.shelf.handles, listed.items) if listed.items else {}
        if asked.view == "cards":
            return Response(cards(listed, handles), media_type="application/liquid", headers=UNKEPT)
        items = [{"product_id": item, "handle": handles.get(item)} for item in listed.items]
        said = {"prediction": listed.prediction, "arm": listed.arm, "version": listed.version, "source": listed.origin}
        return JSONResponse({**said, "property": listed.carried, "items": items}, headers=UNKEPT)

    async def outcomes(self, request: Request) -> Response:
        """What a browser tells; acknowledged once it is on the disk."""
        try:
            signed = verify.proxy(self.shop, request.url.query)
            body = await _body(request)
            customer = signed.get("logged_in_customer_id") or None
            rows = outcomes(body, model=self.shop.recommends or "", unit=customer, at=wall())
            if not self.callers.let(customer or sender(body), len(rows), vouched=customer is not None):
                return _refused(429, "So much is not taken at once.")
            await anyio.to_thread.run_sync(self.heard.keep, rows)
        except verify.NotFromShopify as error:
            return _refused(error.status, str(error))
        except TooMuchHeard as error:
            return _refused(503, str(error))
        except EverloopError as error:
            return _refused(400, str(error))
        return JSONResponse({"kept": len(rows)}, status_code=202, headers=UNKEPT)

    async def listed(self, asked: Wanted) -> Listed:
        """What to show, within ``PATIENCE``. An arm that was drawn is told also where its version had no list."""
        said = Listed((), "none")
        if self.shop.recommends is not None and asked.who is not None and monotonic() >= self.resting:
            try:
                async with asyncio.timeout(PATIENCE):
                    said = await anyio.to_thread.run_sync(
                        partial(self._answered, self.shop.recommends, asked), limiter=self.beside, abandon_on_cancel=True
                    )
            except (TimeoutError, Unreachable):
                self.resting = monotonic() + REST
            except Refused:
                pass  # the house has no such model, or will not say: the same to who looks at a shop
        if said.origin == "none":
            beforehand = await anyio.to_thread.run_sync(self.shelf.beside, asked.product)
            said = replace(said, items=tuple(item for item in beforehand if item not in asked.cart), origin="precomputed")
        items = tuple(item for item in said.items if item != asked.product)[: asked.most]
        return replace(said, items=items, origin=said.origin if items or said.origin == "shopify" else "none")

    def _answered(self, model: str, asked: Wanted) -> Listed:
        cart = list(dict.fromkeys([*([asked.product] if asked.product else []), *asked.cart]))
        request: dict[str, Any] = {UNIT_COLUMN: asked.who, "newcomer": True} | ({"cart": cart} if cart else {})
        # Asked in a list, a version without an answer is no error of the house, and says whose the unit is.
        (said,) = self.house.answer(model, {"requests": [request]})["answers"]
        arm, id, version = str(said["arm"]), str(said["id"]), str(said["version"])
        if arm == "control":
            return Listed((), "shopify", id, arm, version)
        items = tuple(str(one["item"]) for one in said.get("items") or ())
        return Listed(items, "model", id, arm, version) if items else Listed((), "none", id, arm, version)


UNKEPT = {"Cache-Control": "no-store"}
_SAFE = re.compile(r"[^A-Za-z0-9@_.:/ -]")


def cards(listed: Listed, handles: Mapping[str, str]) -> str:
    """A list as Liquid for Shopify to render: the products by their handles, each in the same card as the theme block's.

    >>> cards(Listed(("7",), "model", "9d00410c", "champion", "recs@3"), {"7": "dark-roast"})[:117]
    '{% layout none %}<ul data-everloop-answer data-source="model" data-property="9d00410c/champion" data-prediction="9d00'
    """
    known = [handle for item in listed.items if (handle := handles.get(item)) and HANDLE.fullmatch(handle)]
    said = {
        "source": listed.origin,
        "property": listed.carried,
        "prediction": listed.prediction,
        "arm": listed.arm,
        "version": listed.version,
    }
    told = "".join(f' data-{name}="{_SAFE.sub("", value)}"' for name, value in said.items() if value)
    loop = f"{{%- assign handles = '{','.join(known)}' | split: ',' -%}}{{%- for handle in handles -%}}"
    loop += "{%- assign product = all_products[handle] -%}{%- if product.id and product.available -%}"
    return f"{{% layout none %}}<ul data-everloop-answer{told}>{loop}{card()}{{%- endif -%}}{{%- endfor -%}}</ul>"


def card() -> str:
    """The card of a product, as the theme block renders it."""
    return files("everloop.connect.shopify").joinpath(CARD).read_text("utf-8")


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise EverloopError(f"A message has more than {LARGEST:,} bytes.")
    return body


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status_code=status, headers=UNKEPT)
