"""The console by itself, on a port of its own."""

from __future__ import annotations

import typer

from everloop.cli.options import HERE, Folder, Host, Port, Project, Stage, TurnedClock


def console(
    host: Host = None, port: Port = None, turned_clock: TurnedClock = False, project: Project = HERE, house: Folder = None,
    stage: Stage = "",
) -> None:  # fmt: skip
    """Show the console alone, for a house nobody serves, or that is served elsewhere (default: port 8323)."""
    from contextlib import suppress

    from everloop.console.app import console as app
    from everloop.console.serve import answer, opened
    from everloop.errors import EverloopError
    from everloop.loop.let_in import enter_link
    from everloop.loop.serve.listening import from_here, listening, url_of

    there = opened(project, house, stage or None, turned=turned_clock)
    with listening("127.0.0.1" if host is None else host, 8323 if port is None else port) as listener:
        url = url_of(listener)

        def ready() -> None:
            typer.echo(f"The console is at {url}/console/")
            with suppress(EverloopError):  # there are people, who sign in
                typer.echo(f"It opens from this machine, once: {from_here(url)}{enter_link(there)}")

        answer(app(there), listener, ready=ready)
