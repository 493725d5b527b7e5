"""A process that keeps a house folder and turns nothing: it stands beside those who answer where others decide, on other machines.

It tells them of a new version, writes the gauges, seals what they answered; and before it ends it seals what they answered to the last,
since the folder of a container goes with it. See ``folder.py`` for what is kept.
"""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from pathlib import Path

from everloop.clock import monotonic
from everloop.loop.serve.supervised import Told, supervised

PATIENCE = 15.0
"""Seconds it waits beyond the drain for those who answer, and for what is left to seal; the supervisor waits five longer."""
LOOK_EVERY = 0.1


def keep_folder(told: Told) -> None:
    """Keep the folder until told to end; say ready as soon as the house is open."""
    from everloop.loop.control.folder import Keeping
    from everloop.loop.house import open_house
    from everloop.loop.project_file import open_project
    from everloop.loop.serve.lean import without_pandas
    from everloop.loop.serve.lines import speaking
    from everloop.loop.traced import traced
    from everloop.training import stand_in

    without_pandas()
    ends, stop = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ends.set())
    project = stand_in.opened(partial(open_project, told.project))
    house = open_house(project, folder=told.house, stage=told.stage, turned=told.turned)
    with traced(house.settings, told.name):
        keeping = Keeping(house, speaking(told.name, house.settings.logs), stop)
        patience = house.settings.serving.drain + PATIENCE
        waits = partial(_until_nobody_answers, house.settings.house, ends, stop, patience)
        for beside in (keeping.finish, waits):
            threading.Thread(target=beside, daemon=True).start()
        told.say_ready()
        keeping.keep()
        keeping.seal_the_rest(patience)
    house.store.close()


def _until_nobody_answers(house: Path, ends: threading.Event, stop: threading.Event, patience: float) -> None:
    """Those who drain go on answering, and hear of an undo as they ever did: the folder is kept until the last of them is gone."""
    from everloop.loop.serve.routes import workers

    ends.wait()
    until = monotonic() + patience
    while workers(house) and monotonic() < until:
        stop.wait(LOOK_EVERY)
    stop.set()


if __name__ == "__main__":
    sys.exit(supervised("keep", keep_folder))
