"""Being supervised: what a process does that ``supervise`` started. Standard library only.

It dies when its supervisor is gone, however that died; it says once when it is ready; and what cannot be done ends it with exit code 2.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from everloop.errors import CodeChanged, EverloopError
from everloop.lifeline import die_with

CANNOT, AGAIN = 2, 3
"""The exit codes of what cannot be done, however often it is tried; and of who wants to be started again, and has not failed."""


@dataclass(frozen=True)
class Told:
    """What a supervised process is told: the project, its house and stage, and the file descriptors it was given."""

    project: Path
    house: Path | None
    stage: str | None
    turned: bool
    alive: int | None
    ready: int | None
    socket: int | None
    name: str = "worker"
    """What it is called in the tree of its supervisor, such as ``worker 2``."""
    console: str | None = None
    """Where the console listens, for who hands on to it: the path of a socket."""

    def say_ready(self) -> None:
        """Say once that this process does its work now."""
        if self.ready is not None:
            try:
                os.write(self.ready, b"ready\n")
                os.close(self.ready)
            except OSError:
                pass  # whoever wanted to know is gone, and takes this process with it


def supervised(name: str, work: Callable[[Told], None], arguments: list[str] | None = None) -> int:
    """Do the work of a supervised process; returns its exit code. Errors of ours are one message on stderr."""
    # Before numerical libraries are loaded: threads that wait by spinning take the cores from everybody else.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    told = read(name, sys.argv[1:] if arguments is None else arguments)
    if told.alive is not None:
        die_with(told.alive)
    try:
        work(told)
    except CodeChanged as error:
        print(error, file=sys.stderr, flush=True)
        return AGAIN
    except EverloopError as error:
        print(error, file=sys.stderr, flush=True)
        return CANNOT
    except KeyboardInterrupt:
        return 130
    return 0


def arguments(told: Told) -> list[str]:
    """What a process is started with, for it to be told this; ``read`` reads it again.

    >>> told = Told(Path("shop"), Path("kept"), "prod", True, alive=4, ready=5, socket=7, name="worker 2", console="/run/console")
    >>> read("worker", arguments(told)) == told
    True
    """
    said = ["--name", told.name, "--project", str(told.project)]
    for flag, value in (("--alive", told.alive), ("--ready", told.ready), ("--house", told.house), ("--stage", told.stage)):
        said += [flag, str(value)] if value is not None and value != "" else []
    said += ["--turned-clock"] if told.turned else []
    said += ["--socket", str(told.socket)] if told.socket is not None else []
    return said + (["--console", told.console] if told.console is not None else [])


def read(name: str, arguments: list[str]) -> Told:
    """The arguments of a supervised process.

    >>> read("worker", ["--project", "shop", "--socket", "7"]).socket
    7
    """
    parser = argparse.ArgumentParser(prog=f"python -m everloop.loop.{name}")
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--house", type=Path)
    parser.add_argument("--stage")
    parser.add_argument("--name", default=name)
    parser.add_argument("--console")
    parser.add_argument("--turned-clock", action="store_true", dest="turned")
    for fd in ("--alive", "--ready", "--socket"):
        parser.add_argument(fd, type=int)
    said = parser.parse_args(arguments)
    return Told(said.project, said.house, said.stage or None, said.turned, said.alive, said.ready, said.socket, said.name, said.console)
