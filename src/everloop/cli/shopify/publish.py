"""What a shop is told, in a terminal: publish what models say as metafields; and leave nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from everloop.cli.options import HERE, At, Folder, Project, Stage
from everloop.cli.saying import instant_of, span_of
from everloop.errors import EverloopError

if TYPE_CHECKING:
    from everloop.project.model import Model


def publish(
    lead: Annotated[str, typer.Option("--lead", help="How long goods take from order to shelf, such as 7d.")] = "7d",
    service: Annotated[float, typer.Option("--service", help="The chance that nothing runs out meanwhile, 0 to 1.")] = 0.9,
    most: Annotated[int, typer.Option("--most", help="How many products a list has at most.", min=1, max=50)] = 10,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
) -> None:
    """Write lists, forecasts, reorder points and stock-out dates into metafields, where they say something else; and who answers whom."""
    from everloop.cli.shopify.extra import require_shopify

    require_shopify("Publishing")
    from everloop.cli.shopify.door import opened
    from everloop.connect.shopify.admin import opened as admin_of
    from everloop.connect.shopify.arms import tell_arms
    from everloop.connect.shopify.house import Asked, Refused
    from everloop.connect.shopify.metafields import Metafields, in_bulk, paged
    from everloop.connect.shopify.place import Place
    from everloop.connect.shopify.publish import KINDS, forecasts, listed, stocked, warned
    from everloop.connect.shopify.shelf import Shelf, named
    from everloop.connect.shopify.triggers import Triggers
    from everloop.loop.project_file import open_project
    from everloop.stats.stock import Supply

    settings = opened(project, house, stage)
    shop = settings.shopify
    assert shop is not None
    if shop.recommends is None and shop.forecasts is None:
        raise EverloopError('Nothing is to be published. Say which models are meant: [shopify] recommends = "…", forecasts = "…"')
    admin, asked, at = admin_of(settings), Asked(shop.house, shop.key), instant_of(now)
    fields, many = Metafields(admin, Place(settings.house / "shopify.db")), in_bulk(admin)
    if shop.recommends is not None:
        shelf, nodes = Shelf(fields.place), list(paged(admin, "product_page", "products"))
        shelf.name(filter(None, map(named, nodes)))
        entries = listed(asked, shop.recommends, (stocked(node).id for node in nodes), at, most=most, lay=shelf.lay)
        try:
            typer.echo(f"{shop.recommends}: {fields.put(entries, many)}")
        except Refused as refused:
            if refused.code != "invalid":
                raise
            typer.echo(f"{shop.recommends}: no list yet. {refused}")  # as long as its first candidate is on its way
    if shop.forecasts is not None:
        model = open_project(project).model(shop.forecasts)
        column = _unit(model, tuple(KINDS))
        pages = ("product_page", "products") if column == "product_id" else ("variant_page", "productVariants")
        there = [stocked(node) for node in paged(admin, *pages)]
        span = span_of(lead)
        supply = Supply(0.0 if span is None else span.total_seconds() / 86_400, service)
        foretold = forecasts(asked, model.name, column, there, _days(model), supply, at)
        typer.echo(f"{model.name}: {fields.put(warned(foretold, supply.lead, at, Triggers(fields.place).put), many)}")
    count = tell_arms(admin, asked.standing())
    typer.echo("1 arm told." if count == 1 else f"{count:,} arms told.")


def leave(project: Project = HERE, house: Folder = None, stage: Stage = "") -> None:
    """Remove everything that was written into the shop, before the app is uninstalled; the merchant's flags go with it."""
    from everloop.cli.shopify.extra import require_shopify

    require_shopify("Leaving a shop")
    from everloop.cli.shopify.door import opened
    from everloop.clock import wall
    from everloop.connect.shopify.about_people import left
    from everloop.connect.shopify.admin import opened as admin_of
    from everloop.connect.shopify.leave import leave as removed
    from everloop.connect.shopify.place import Place

    settings = opened(project, house, stage)
    place = Place(settings.house / "shopify.db")
    left(place, wall())
    typer.echo(removed(admin_of(settings), place))


def _unit(model: Model, known: tuple[str, ...]) -> str:
    """The column that says which product or variant the model is asked about."""
    if len(model.unit) != 1 or model.unit[0] not in known:
        raise EverloopError(
            f"{model.name} is asked per {', '.join(model.unit)}, which is nothing a shop has metafields for. Say per={known[0]!r} or "
            f"per={known[1]!r}."
        )
    return model.unit[0]


def _days(model: Model) -> float:
    """How many days ahead the model looks."""
    from datetime import timedelta

    from everloop.project.reading import leaves

    spans = {reading.next for reading in leaves(model.predicts) if reading.next is not None}
    if len(spans) != 1:
        raise EverloopError(f"{model.name} looks over {len(spans)} spans of time, and a forecast is over one. Say next=days(7).")
    return spans.pop() / timedelta(days=1)
