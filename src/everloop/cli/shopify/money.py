"""What a model of the shop brought, in money: ``everloop shopify money``."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.options import HERE, At, Folder, Json, Project, Stage


def money(
    model: Annotated[str | None, typer.Argument(help="A model that keeps a control (default: what [shopify] calls recommends).")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """What a model brought over those who keep the baseline, net of refunds, cancellations, taxes and shipping, with its interval.

    Exit code 1: it is proven that the model brings less.
    """
    from everloop.cli.opening import open_light
    from everloop.cli.saying import instant_of, say
    from everloop.connect.shopify.money import Met, Spans, account
    from everloop.connect.shopify.money_said import data, sentences
    from everloop.connect.shopify.sources import order_lines
    from everloop.errors import EverloopError
    from everloop.lake import read_source
    from everloop.loop.lift import first_met, learnt_since

    opened = open_light(project, house, stage)
    shop = opened.settings.shopify
    name = model or (shop.recommends if shop is not None else None)
    if name is None:
        raise EverloopError('Which model? Say its name, or recommends = "…" under [shopify] of everloop.toml.')
    declared = opened.project.model(name)
    traffic = opened.traffic(declared)
    if not 0 < traffic.control < 1:
        raise EverloopError(f"{name} keeps no control, so nothing says what it brings. Say control=0.1 in the project file, and turn once.")
    lines = read_source(opened.lake, opened.project.source(order_lines.name))
    spans = Spans(shop.within, shop.settles) if shop is not None else Spans()
    met, at = Met.of(first_met(opened, declared, traffic), traffic.control), instant_of(now)
    found = account(name, lines, met, at, since=learnt_since(opened, traffic) or at, spans=spans)
    say(data(found), "\n".join(sentences(found)), as_json)
    raise typer.Exit(1 if found.says == "brings less" else 0)
