"""Beginning: before anybody is answered, every model has a champion and the routes say so. A process that ends when that is done.

Where the clock is turned by requests nothing begins by itself; only what has begun is told.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from everloop.loop.serve.supervised import Told, supervised

if TYPE_CHECKING:
    from everloop.loop.house import House

LAST = 19
"""How far this process steps back once nobody waits for it: as far as there is."""


def begin(told: Told) -> None:
    """Adopt the models of a house that have not begun, and write its routes. One that cannot begin is named and leaves the others be."""
    from everloop.clock import wall
    from everloop.errors import EverloopError, HouseBusy
    from everloop.loop.adopt import adopt
    from everloop.loop.house import open_house
    from everloop.loop.online import online_of
    from everloop.loop.project_file import open_project
    from everloop.loop.serve.compiled import compile_served
    from everloop.loop.serve.known import Known
    from everloop.loop.serve.lean import without_pandas
    from everloop.loop.serve.routes import write_routes
    from everloop.training import stand_in

    without_pandas()
    house = open_house(stand_in.opened(partial(open_project, told.project)), folder=told.house, stage=told.stage, turned=told.turned)
    if not told.turned and any(house.pointers.current(name) is None for name in house.project.models):
        project = stand_in.really()
        house = replace(house, project=project) if project is not None else house
        for model in house.project.models.values():
            try:
                if house.pointers.current(model.name) is None:
                    adopt(house, model, wall())
            except EverloopError as error:
                print(f"{model.name} cannot begin: {error}", file=sys.stderr, flush=True)
    write_routes(house)
    leave_link(house)
    told.say_ready()
    # Nobody waits for what is done from here on, and who starts later starts sooner; those who answer go first. What they log meanwhile is
    # no matter of a start: whoever turns the house looks at that.
    os.nice(LAST)
    compile_served(house, wall(), again=False)
    if not told.turned:
        with suppress(sqlite3.OperationalError, HouseBusy):  # the controller is at it
            known = Known(house.lake, list(house.project.models.values()), online_of(house.lake, house.settings))
            known.fold()
            known.close()
    house.store.close()


def leave_link(house: House) -> None:
    """Where nobody is let in by name: leave what opens the console once from this machine, for the supervisor to say when all are ready."""
    from everloop.errors import EverloopError
    from everloop.loop.let_in import enter_link
    from everloop.loop.serve.served import LINK

    if not house.settings.console.on:
        return
    with suppress(EverloopError, OSError):  # there are people, or no disk; neither keeps the house from answering
        link = enter_link(house)
        with os.fdopen(os.open(house.settings.house / LINK, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(link)


if __name__ == "__main__":
    sys.exit(supervised("begin", begin))
