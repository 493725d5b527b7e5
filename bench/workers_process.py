"""A worker of a house to whom something happens at a moment of a turn: it dies, is stopped, or waits. Others start it.

``python -m bench.workers_process PROJECT HOUSE LOG [WHAT MOMENT]``. Every moment is a line of the log. ``die`` is SIGKILL, ``stop`` is
SIGSTOP, again and again until there is a file beside the log, ``wait`` waits for that file; each once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path


def work(project: Path, folder: Path, log: Path, what: str = "", when: str = "") -> None:
    """Work for the house until told to end."""
    from everloop.loop.control.controller import control
    from everloop.loop.house import open_house, with_pause

    left = [when] if what else []

    def pause(moment: str) -> None:
        with log.open("a") as file:
            file.write(f"{moment}\n")
        if moment in left:
            left.clear()
            if what == "wait":
                log.with_suffix(".waits").touch()
                while not log.with_suffix(".go").exists():
                    time.sleep(0.02)
            elif what == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                while not log.with_suffix(".go").exists():  # until then who wakes it lets other threads end what they were writing
                    os.kill(os.getpid(), signal.SIGSTOP)
                    time.sleep(0.2)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    house = with_pause(open_house(project, folder=folder, turned=True), pause)
    control(house, stop=stop, told=lambda line: print(line, flush=True))


if __name__ == "__main__":
    from everloop.errors import EverloopError

    try:
        work(*map(Path, sys.argv[1:4]), *sys.argv[4:])  # type: ignore[arg-type]
    except EverloopError as error:
        print(error, flush=True)
        os._exit(2)
    os._exit(0)
