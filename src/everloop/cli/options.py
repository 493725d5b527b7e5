"""The options and arguments that many verbs share, each with its one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Project = Annotated[Path, typer.Option("--project", "-p", help="The project file, or the folder it is in.")]
Folder = Annotated[Path | None, typer.Option("--house", help="The house folder (default: .everloop beside the project file).")]
Stage = Annotated[str, typer.Option("--stage", help="A table of everloop.toml, such as prod.")]
Json = Annotated[bool, typer.Option("--json", help="Data instead of sentences.")]
By = Annotated[str, typer.Option("--by", help="Who says so.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
Name = Annotated[str, typer.Argument(help="The model's name.")]
Models = Annotated[str | None, typer.Argument(help="A model; all of them if not said.")]
Source = Annotated[str, typer.Argument(help="The source's name.")]
At = Annotated[str | None, typer.Option("--at", "--now", help="An instant such as 2026-11-02T14:03Z (default: now).")]
Host = Annotated[str | None, typer.Option("--host", help="Where to listen (default: what everloop.toml says, else 127.0.0.1).")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="On which port (default: 8321; 0: any that is free).")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, max=256, help="How many processes answer (default: 1).")]
To = Annotated[Path, typer.Option("--to", help="The folder to write into; made where there is none.")]
ToFile = Annotated[Path, typer.Option("--to", help="The file to write; in place of what is there.")]
TurnedClock = Annotated[bool, typer.Option("--turned-clock", help="Business time is what requests say by Everloop-Now.")]

HERE = Path()
