"""The shop's door in a terminal: open it, and see how it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from everloop.cli.options import HERE, Folder, Json, Project, Stage

if TYPE_CHECKING:
    from everloop.settings import Settings

Host = Annotated[str | None, typer.Option("--host", help="Where to listen (default: what everloop.toml says, else 127.0.0.1).")]
Port = Annotated[int | None, typer.Option("--port", min=1, max=65535, help="On which port (default: 8322).")]


def serve(host: Host = None, port: Port = None, project: Project = HERE, house: Folder = None, stage: Stage = "") -> None:
    """Take in what the shop says, and tell the house."""
    from everloop.cli.shopify.extra import require_shopify

    require_shopify("A shop's door")
    import logging

    import uvicorn

    from everloop.connect.shopify.door import app
    from everloop.connect.shopify.opened import door_of
    from everloop.lake.alone import alone

    settings = opened(project, house, stage)
    assert settings.shopify is not None
    said = settings.shopify
    if settings.logs.form == "json":
        from everloop.loop.serve.lines import speaking

        speaking("shop", settings.logs)
    else:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    at = (host or said.host, port or said.port)
    # Two would tell Flow everything twice, and both hear the merchant.
    with alone(settings.house / "shopify.door", f"the open door of {said.shop}", patience=0):
        typer.echo(f"The door of {said.shop} is open on http://{at[0]}:{at[1]}; it tells {said.house}")
        uvicorn.run(
            app(door_of(settings)),
            host=at[0],
            port=at[1],
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
        )


def status(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """How the shop's door stands: what waits, what lies aside, what is to be asked for."""
    import json
    from dataclasses import asdict

    from everloop.clock import wall
    from everloop.connect.shopify.place import Place
    from everloop.connect.shopify.standing import sentences, standing

    settings = opened(project, house, stage)
    assert settings.shopify is not None
    now = standing(Place(settings.house / "shopify.db"), settings.shopify.house)
    if as_json:
        typer.echo(json.dumps({"shop": settings.shopify.shop, **asdict(now)}, default=lambda at: at.isoformat()))
    else:
        for sentence in sentences(settings.shopify.shop, now, wall()):
            typer.echo(sentence)


def again(
    id: Annotated[str | None, typer.Argument(help="A delivery; all of them if not said.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
) -> None:
    """Read again what lies aside because it could not be read, as after an upgrade."""
    from everloop.connect.shopify import inbox
    from everloop.connect.shopify.place import Place

    place = Place(opened(project, house, stage).house / "shopify.db")
    inbox.open_inbox(place)
    count = inbox.again(place, id)
    typer.echo(f"{count} {'delivery waits' if count == 1 else 'deliveries wait'} again." if count else "Nothing lies aside.")


def opened(project: Any, house: Any, stage: str) -> Settings:
    """The settings of a project that has a shop."""
    from everloop.errors import SettingsError
    from everloop.settings import read_settings

    settings = read_settings(project if project.is_dir() else project.parent, stage=stage or None, house=house)
    if settings.shopify is None:
        raise SettingsError(
            'everloop.toml names no shop. Say it: [shopify] shop = "beans.myshopify.com", client_id = "…", secret = "${SHOPIFY_SECRET}"'
        )
    return settings
