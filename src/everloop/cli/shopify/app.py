"""The files by which Shopify knows this house: ``everloop shopify app``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from everloop.cli.options import HERE, Json, Stage, To
from everloop.cli.saying import say

Address = Annotated[str, typer.Option("--address", help="Where the door is reached from beyond, such as https://shop.example.com.")]
ClientId = Annotated[str | None, typer.Option("--client-id", help="The app's client id (default: what everloop.toml says).")]
Root = Annotated[Path, typer.Option("--project", "-p", help="The project file, or the folder it is in.")]


def app(to: To, address: Address, client_id: ClientId = None, project: Root = HERE, stage: Stage = "", as_json: Json = False) -> None:
    """Write the app's own files: its toml, the theme's block, the Flow action and triggers. Then: shopify app deploy"""
    from everloop.connect.shopify.appfiles import write
    from everloop.errors import SettingsError
    from everloop.settings import read_settings

    shop = read_settings(project if project.is_dir() else project.parent, stage=stage or None).shopify
    if shop is None and client_id is None:
        raise SettingsError("everloop.toml has no [shopify]. Say there which shop and app it is, or say --client-id here.")
    known = client_id or (shop.client_id if shop else "")
    paths = write(to, known, address, (shop.recommends if shop else None) or "recommend")
    names = [str(path.relative_to(to)) for path in paths]
    say({"folder": str(to), "files": names}, f"Wrote {len(names)} files in {to}. Next, there: shopify app deploy", as_json)
