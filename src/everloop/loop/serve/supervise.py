"""Supervising: the process everything else hangs on. It owns the listening socket, starts the others and starts again what dies.

Standard library and settings only, so that it is small and has nothing that could break. In: where the house is and how many workers it
wants. Out: an exit code. Children are fresh processes that die with it; their words are passed on, each line with who said it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from everloop.loop.serve.child import Child
from everloop.loop.serve.listening import Wakeable, listening, wakeable
from everloop.loop.serve.processes import present
from everloop.loop.serve.served import alone
from everloop.loop.serve.serving import Serving
from everloop.loop.serve.tree import Tree

BEGIN, WORKER = "everloop.loop.serve.begin", "everloop.loop.serve.worker"
CONTROL, KEEP = "everloop.loop.control.process", "everloop.loop.control.keeper"
METRICS, CONSOLE = "everloop.loop.serve.scraped", "everloop.console.serve"
"""The modules of the children; the console's is started when it is first asked."""


def attend(
    serving: Serving, processes: int, *, metrics: tuple[str, int] | None = None, say: Callable[[str], None] = partial(print, flush=True)
) -> int:
    """Work for a house in so many processes, which answer nobody, until told to end; returns the exit code.

    They are started again when they die, as those of ``supervise`` are, beside which they may work in the same folder: who answers there
    tells in its metrics what they use. ``metrics``: where they are told here, too. Raises EverloopError where that address is taken.
    """
    children = [Child(f"joined worker {n}", CONTROL) for n in range(1, processes + 1)]
    with ExitStack() as stack:
        stack.enter_context(present(serving.settings.house / "metrics", "joined"))
        listener = stack.enter_context(listening(*metrics)) if metrics is not None else None
        if listener is not None:
            children.append(Child("metrics", METRICS, measures=True))
        return Tree(serving, listener, say, children).run()


def supervise(serving: Serving, *, say: Callable[[str], None] = partial(print, flush=True)) -> int:
    """Serve until told to end; returns the exit code: 0 when it was told to, 2 where it cannot be done.

    SIGTERM and SIGINT let requests in flight finish, a second one does not; SIGHUP replaces the workers one by one. Raises EverloopError
    where the address is taken, HouseBusy where this house is served already.
    """
    with (
        alone(serving.settings.house),
        listening(serving.host, serving.port) as listener,
        wakeable(serving.settings.console.on) as console,
    ):
        return Tree(serving, listener, say, _children(serving, console)).run()


def _children(serving: Serving, console: Wakeable | None) -> list[Child]:
    """Who begins, who turns the house or keeps its folder, who answers, and who shows it."""
    begin = Child("begin", BEGIN, once=True)
    # What a house begins with stands before anybody turns it.
    beside = [Child("controller", CONTROL, after=begin)] if serving.controller else []
    if not serving.controller and not serving.settings.registry.startswith("sqlite:"):
        beside = [Child("keeper", KEEP, after=begin)]  # who answers is decided on other machines, and nobody else would tell those here
    shows = [Child("console", CONSOLE, start_at=None, asked=console)] if console is not None else []
    workers = [Child(f"worker {n}", WORKER, works=True) for n in range(1, serving.workers + 1)]
    return [begin, *beside, *workers, *shows]
