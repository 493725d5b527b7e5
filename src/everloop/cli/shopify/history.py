"""What a shop was, and what was lost on the way, in a terminal: import all of it once, reconcile as often as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from everloop.cli.options import HERE, Folder, Json, Project, Stage

if TYPE_CHECKING:
    from everloop.connect.shopify.catch_up import CaughtUp


What = Annotated[str | None, typer.Argument(help="products, inventory or orders; all of them if not said.")]


def import_(what: What = None, project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Bring all that the shop knows into the house: products, inventory, orders. One that broke off goes on where it was."""
    _said(_caught_up(what, project, house, stage, whole=True), as_json)


def reconcile(what: What = None, project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Bring what changed since the last time, in case its webhook never came; from cron, every hour or every night."""
    _said(_caught_up(what, project, house, stage, whole=False), as_json)


def _caught_up(what: str | None, project: Any, house: Any, stage: str, *, whole: bool) -> CaughtUp:
    from functools import partial

    from everloop.cli.shopify.extra import require_shopify

    require_shopify("A shop's history")
    from everloop.cli.shopify.door import opened
    from everloop.connect.shopify.admin import opened as admin_of
    from everloop.connect.shopify.catch_up import catch_up
    from everloop.connect.shopify.history import KINDS
    from everloop.connect.shopify.house import Asked
    from everloop.connect.shopify.past import Past
    from everloop.connect.shopify.place import Place
    from everloop.errors import Unknown

    if what is not None and what not in KINDS:
        raise Unknown("kind", what, tuple(KINDS))
    settings = opened(project, house, stage)
    shop = settings.shopify
    assert shop is not None
    told = partial(typer.echo, err=True)
    kinds = tuple(KINDS) if what is None else (what,)
    admin, place, house = admin_of(settings), Place(settings.house / "shopify.db"), Asked(shop.house, shop.key)
    return catch_up(admin, place, house, kinds, whole=whole, past=Past(shop.house, shop.key), told=told)


def _said(caught_up: CaughtUp, as_json: bool) -> None:
    import json

    from everloop.connect.shopify.catch_up import as_data, spoken

    typer.echo(json.dumps(as_data(caught_up), indent=2) if as_json else spoken(caught_up))
