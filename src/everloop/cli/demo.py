"""The story, told by the demo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from everloop.cli.options import Json


def demo(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where the demo's house and report go (default: ./everloop-demo).")
    ] = None,
    shopify: Annotated[bool, typer.Option("--shopify", help="The same grocer as a Shopify shop, through a shop in a box.")] = False,
    as_json: Json = False,
) -> None:
    """The whole story on a year of orders, offline, in a few minutes."""
    from importlib import import_module

    # The demo is a customer of the house, like any other: the terminal only opens its door.
    if shopify:
        from everloop.cli.shopify.extra import require_shopify

        require_shopify("The demo of a shop")
    tell: Callable[..., None] = import_module("everloop.demo.storefront.story" if shopify else "everloop.demo.story").tell
    tell(folder or Path("everloop-demo"), as_json=as_json)
