"""The controller as a process: works for a house until it is told to end. See ``controller.py`` for what it does."""

from __future__ import annotations

import os
import signal
import sys
import threading

from everloop.loop.serve.supervised import Told, supervised

LOOK_EVERY = 0.05


def control(told: Told) -> None:
    """Work for the house; say ready as soon as this process has joined. Raises what ``controller.control`` raises."""
    from everloop.loop.control import controller
    from everloop.loop.control.joined import WORKER
    from everloop.loop.house import open_house
    from everloop.loop.serve.lines import speaking
    from everloop.loop.traced import traced
    from everloop.registry.leases import Leases

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    house = open_house(told.project, folder=told.house, stage=told.stage, turned=told.turned)
    say = speaking(told.name, house.settings.logs)

    def say_ready() -> None:
        while not stop.wait(LOOK_EVERY):
            if any(lease.name.startswith(WORKER) and f":{os.getpid()}:" in lease.holder for lease in Leases(house.store).all()):
                told.say_ready()
                return

    threading.Thread(target=say_ready, daemon=True, name="ready").start()
    with traced(house.settings, told.name):
        controller.control(house, stop=stop, told=say)


if __name__ == "__main__":
    code = supervised("control", control)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # work that does not end is left behind in its thread, and can keep nothing
