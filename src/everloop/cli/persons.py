"""People who look at the house and act in it: who is let in, as what, and the link by which they set a password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, At, By, Folder, Json, Project, Reason, Stage
from everloop.cli.saying import instant_of, say

if TYPE_CHECKING:
    from everloop.loop.house import House

persons = typer.Typer(help="Who is let into the console by name, and what they may.", no_args_is_help=True, rich_markup_mode=None)
Who = Annotated[str, typer.Argument(help="The person's name, such as kim@shop.example.")]
Whose = Annotated[str | None, typer.Argument(help="Whose link; without, where nobody is let in by name: this machine's.")]
As = Annotated[str, typer.Option("--role", help="viewer, operator, approver or admin; each may do what those before it may.")]


@persons.command("add")
def person_add(
    name: Who, role: As = "viewer", by: By = "", reason: Reason = "", project: Project = HERE, house: Folder = None, stage: Stage = "",
    now: At = None,
) -> None:  # fmt: skip
    """Let somebody in. Told is a link by which they set a password, once, within a day."""
    from everloop.loop import let_in

    opened = open_light(project, house, stage)
    by, at = by or _me(), instant_of(now)
    kept = let_in.add(opened, name, role, by=by, reason=reason, now=at)
    typer.echo(f"{kept.name} is let in as {kept.role}.")
    link = let_in.set_up_link(opened, kept.name, by=by, now=at)
    typer.echo(f"To set a password, once, within a day: {_address(opened, link)}")


@persons.command("list")
def person_list(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Everybody who is let in."""
    from everloop.clock import said
    from everloop.registry.people import People

    kept = People(open_light(project, house, stage).store).all()
    rows = [{"name": p.name, "role": p.role, "added_at": p.added_at, "ready": p.ready} for p in kept]
    lines = [f"{p.name}: {p.role}, since {said(p.added_at)}{'' if p.ready else '; has not set a password yet'}." for p in kept]
    nobody = "Nobody is let in by name: the console is open to this machine only. Next: everloop person add NAME --role admin"
    say(rows, "\n".join(lines) or nobody, as_json)


@persons.command("role")
def person_role(
    name: Who, role: Annotated[str, typer.Argument(help="viewer, operator, approver or admin.")], by: By = "", reason: Reason = "",
    project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None,
) -> None:  # fmt: skip
    """Give somebody another role. They are signed out, and sign in again."""
    from everloop.loop import let_in

    kept = let_in.give(open_light(project, house, stage), name, role, by=by or _me(), reason=reason, now=instant_of(now))
    typer.echo(f"{kept.name} is {kept.role} now.")


@persons.command("remove")
def person_remove(
    name: Who, by: By = "", reason: Reason = "", project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None,
) -> None:  # fmt: skip
    """Let somebody out. They are signed out at once."""
    from everloop.loop import let_in

    kept = let_in.remove(open_light(project, house, stage), name, by=by or _me(), reason=reason, now=instant_of(now))
    typer.echo(f"{kept.name} is let out.")


@persons.command("link")
def person_link(
    name: Whose = None, by: By = "", project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None,
) -> None:  # fmt: skip
    """Make a new link by which somebody sets a password again, once, within a day; the one before opens nothing any more."""
    from everloop.loop import let_in

    opened = open_light(project, house, stage)
    if name is None:
        link = let_in.enter_link(opened)
    else:
        link = let_in.set_up_link(opened, name, by=by or _me(), now=instant_of(now))
    typer.echo(_address(opened, link))


def _me() -> str:
    """Who sits at this terminal, where nobody said who says so."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "this machine"


def _address(opened: House, path: str) -> str:
    """A whole address, by what everloop.toml says, or where the house is served now, or where it would be."""
    from contextlib import suppress

    from everloop.loop.serve.listening import from_here
    from everloop.loop.serve.served import served

    if opened.settings.console.url is not None:
        return opened.settings.console.url + path
    with suppress(OSError, ValueError, KeyError):
        return from_here(str(served(opened.settings.house)["url"])) + path
    serving = opened.settings.serving
    return from_here(f"http://{serving.host}:{serving.port}") + path
