"""A Shopify shop in a terminal: ``everloop shopify …``, one file for each noun."""

from __future__ import annotations

from collections.abc import Callable

import typer

from everloop.cli.shopify import app, door, history, money, privacy, publish, sandbox

VERBS: tuple[Callable[..., None], ...] = (
    app.app,
    door.serve,
    door.status,
    door.again,
    history.import_,
    history.reconcile,
    publish.publish,
    money.money,
    privacy.requests,
    publish.leave,
    sandbox.sandbox,
)
"""Every verb, in the order help tells them; each is called by its function's name."""

shopify = typer.Typer(help="A Shopify shop: its door, its history, its storefront.", no_args_is_help=True, rich_markup_mode=None)
for verb in VERBS:
    shopify.command(verb.__name__.rstrip("_"))(verb)
