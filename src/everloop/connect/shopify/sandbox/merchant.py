"""The merchant of a shop in a box: what people do in Shopify's admin, said over HTTP. In: a shop. Out: routes.

``POST /merchant/flags/recommend?kill_switch=true`` edits the entry under *Content > Metaobjects*, ``GET`` shows it; ``POST
/merchant/privacy/redact?customer=7`` asks what Shopify asks of an app when a customer wants to be forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from everloop.connect.shopify.flags import EDITED, TYPE, WRITTEN
from everloop.connect.shopify.sandbox.payloads import number
from everloop.connect.shopify.sandbox.shop import Shop

PRIVACY: Final = {"redact": "orders_to_redact", "data_request": "orders_requested"}


def merchant(shop: Shop) -> Sequence[Route]:
    """What the merchant of this shop can be asked to do."""

    async def flag(request: Request) -> Response:
        name, said = request.path_params["model"], dict[str, Any](request.query_params)
        there = next((m for m in shop.all("Metaobject") if (m["type"], m["handle"]) == (TYPE, name)), None)
        if there is None:
            return PlainTextResponse(f"There is no flag {name}. The door makes one for each model: everloop shopify serve\n", 404)
        if request.method == "POST":
            wrong = [key for key in said if key not in EDITED]
            if wrong or not said:
                return PlainTextResponse(f"A merchant edits {', '.join(EDITED)}: ?{EDITED[0]}=true\n", 400)
            there = shop.edit(TYPE, name, None, **said)
        return JSONResponse({key: there["values"].get(key) for key in (*EDITED, *WRITTEN)})

    async def privacy(request: Request) -> Response:
        asked, customer = request.path_params["asked"], request.query_params.get("customer", "")
        if asked not in PRIVACY or not customer.isdigit():
            return PlainTextResponse("Say /merchant/privacy/redact?customer=7, or data_request.\n", 400)
        orders = [number(order["id"]) for order in shop.all("Order") if _customer(order) == int(customer)]
        shop.tell(
            f"customers/{asked}",
            {"shop_domain": shop.domain, "customer": {"id": int(customer)}, PRIVACY[asked]: orders}
            | ({"data_request": {"id": shop.now().timestamp()}} if asked == "data_request" else {}),
            None,
        )
        return JSONResponse({"asked": f"customers/{asked}", "customer": int(customer), "orders": len(orders)}, 202)

    return [Route("/merchant/flags/{model}", flag, methods=["GET", "POST"]), Route("/merchant/privacy/{asked}", privacy, methods=["POST"])]


def _customer(order: dict[str, Any]) -> int | None:
    return None if order.get("customer") is None else number(order["customer"]["id"])
