"""A shop in a box, in a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

REPRICED = 0.05
"""How often, after an order, a product gets another price, which is told by a webhook and by an event."""

_CONFIG = """
Put this into everloop.toml:

    [shopify]
    shop = "{shop}"
    client_id = "{client_id}"
    secret = "{secret}"
    admin = "{url}"
    recommends = "recommend"               # the models of project.py, as docs/shopify.md calls them
    forecasts = "demand"

Then, in other shells:

    everloop run                           # the house
    everloop shopify serve                 # the door: webhooks come in
    everloop shopify import                # what the shop knows, into the house
    everloop turn                          # the first candidates

What a buyer's browser asks, of one who is logged in and of one who is not:

    curl '{url}/apps/everloop/recommendations?logged_in_customer_id={customer}'
    curl '{url}/apps/everloop/recommendations?unit=any-browser&product={product}'

What the shop shows by itself, to those a control keeps without a list:

    curl '{url}/recommendations/products.json?product_id={product}&intent=complementary'

What the merchant does in the admin:

    curl -X POST '{url}/merchant/flags/recommend?kill_switch=true'
    curl -X POST '{url}/merchant/privacy/redact?customer={customer}'

What the shop holds is in memory: started again it is as at the beginning, and knows nothing of what was written to it.
"""


def sandbox(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Where to answer (0: any port that is free).")] = 8323,
    emit: Annotated[
        str | None, typer.Option("--emit", help="Where webhooks go (default: to a door on this machine; none: nowhere).")
    ] = None,
    orders: Annotated[float, typer.Option("--orders", min=0, help="How many orders come in a minute.")] = 12.0,
    days: Annotated[int, typer.Option("--days", min=0, help="How many days of orders there have been.")] = 90,
    repeats: Annotated[float, typer.Option("--repeats", min=0, max=1, help="The share of webhooks that come twice.")] = 0.0,
    drops: Annotated[float, typer.Option("--drops", min=0, max=1, help="The share of webhooks that never come.")] = 0.0,
    delays: Annotated[float, typer.Option("--delays", min=0, max=1, help="The share of webhooks that come late, so out of order.")] = 0.0,
    speed: Annotated[
        float, typer.Option("--speed", min=1, help="How many times as quick retries are: by 60, four hours are four minutes.")
    ] = 60.0,
    all_orders: Annotated[bool, typer.Option("--all-orders", help="The app was granted read_all_orders.")] = False,
    app: Annotated[str, typer.Option("--app", help="Where the door is, for webhooks and the storefront.")] = "http://127.0.0.1:8322",
    seed: Annotated[int, typer.Option("--seed", help="Another number, another shop.")] = 7,
) -> None:
    """Run a made-up shop with Shopify's Admin API, until Ctrl-C: to try everything, with no account and no network."""
    from everloop.cli.shopify.extra import require_shopify

    require_shopify("The shop in a box")
    import random
    import time

    import httpx

    from everloop.connect.shopify.sandbox import CLIENT_ID, SECRET, Chaos, Shop, running
    from everloop.connect.shopify.sandbox.buyers import Buyers
    from everloop.connect.shopify.sandbox.made_up import stocked
    from everloop.connect.shopify.sandbox.payloads import number
    from everloop.connect.shopify.scopes import OPTIONAL, SCOPES

    shop = stocked(Shop(scopes=(*SCOPES, *OPTIONAL) if all_orders else SCOPES), days=days, seed=seed)
    address = emit or f"{app}/shopify/webhooks"
    with running(shop, port=port, app_url=app) as box:
        typer.echo(
            f"{shop.domain} answers on {box.url}: {len(shop.all('Product'))} products, {len(shop.all('Order')):,} orders of {days} days."
        )
        somebody, something = (next((number(one["id"]) for one in shop.all(kind)), 7) for kind in ("Customer", "Product"))
        typer.echo(_CONFIG.format(shop=shop.domain, client_id=CLIENT_ID, secret=SECRET, url=box.url, customer=somebody, product=something))
        emitter = None if emit == "none" else box.emit(address, Chaos(repeats, drops, delays, seed=seed), speed=speed, events=True)
        typer.echo(
            f"{orders:g} orders a minute"
            + ("; no webhook is sent." if emitter is None else f", each a webhook to {address}.")
            + " Ctrl-C ends it."
        )
        chance = random.Random(seed)
        buyers = Buyers(shop, httpx.Client(base_url=box.url, timeout=10), chance)
        try:
            while True:
                time.sleep(60 / orders if orders else 3600)
                buyers.buy()
                if chance.random() < REPRICED:
                    shop.change_product(chance.choice(shop.all("Product"))["id"], price=f"{chance.randrange(300, 4000) / 100:.2f}")
        except KeyboardInterrupt:
            sent = None if emitter is None else emitter.sent
        typer.echo(f"\n{len(shop.all('Order')):,} orders in all." + ("" if sent is None else _sent(sent)))


def _sent(sent: object) -> str:
    from dataclasses import asdict

    told = asdict(sent)  # type: ignore[call-overload]
    return f" Webhooks: {', '.join(f'{count:,} {name}' for name, count in told.items() if count)}."
