"""Keys for whoever asks over HTTP from beyond this machine."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, Folder, Json, Project, Stage
from everloop.cli.saying import instant_of

keys = typer.Typer(help="Keys for whoever asks over HTTP from beyond this machine.", no_args_is_help=True, rich_markup_mode=None)


@keys.command("add")
def key_add(
    name: Annotated[str, typer.Argument(help="Who will use it, such as till-3.")],
    scopes: Annotated[list[str], typer.Argument(help="What it is for: predict, ingest, operate, look.")],
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    per_second: Annotated[
        float | None,
        typer.Option(help="Requests a second that each worker takes from it; without: as many as come.", show_default=False),
    ] = None,
) -> None:
    """Make a key. Its secret is shown once, here, and kept nowhere."""
    from everloop.loop.serve.keys import add_key

    typer.echo(add_key(open_light(project, house, stage), name, scopes, instant_of(None), per_second=per_second))
    typer.echo("Keep it now: it is not shown again. Send it as Authorization: Bearer ev_…", err=True)


@keys.command("list")
def key_list(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Every key there ever was, without its secret."""
    from everloop.clock import said
    from everloop.loop.serve.keys import list_keys

    kept = list_keys(open_light(project, house, stage))
    rows = [
        {"id": k.id, "name": k.name, "scopes": list(k.scopes), "per_second": k.per_second, "made_at": k.made_at, "revoked_at": k.revoked_at}
        for k in kept
    ]
    lines = [
        f"{k.name} ({k.id}): {', '.join(k.scopes)}"
        + (f", {k.per_second:g} requests a second" if k.per_second is not None else "")
        + f"; made {said(k.made_at)}"
        + (f"; revoked {said(k.revoked_at)}." if k.revoked_at else ".")
        for k in kept
    ]
    sentence = "\n".join(lines) or "There is no key. Make one with: everloop key add NAME predict"
    typer.echo(json.dumps(rows, ensure_ascii=False, indent=2, default=str) if as_json else sentence)


@keys.command("revoke")
def key_revoke(
    key: Annotated[str, typer.Argument(help="Its name or its id.")], project: Project = HERE, house: Folder = None, stage: Stage = ""
) -> None:
    """End a key; within a second no worker takes it any more."""
    from everloop.loop.serve.keys import revoke_key

    gone = revoke_key(open_light(project, house, stage), key, instant_of(None))
    typer.echo(f"The key {gone.name} ({gone.id}) opens nothing any more.")
