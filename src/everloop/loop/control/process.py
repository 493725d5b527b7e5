"""The controller as a process: turns a house until it is told to end. See ``controller.py`` for what it does."""

from __future__ import annotations

import os
import signal
import sys
import threading

from everloop.loop.serve.supervised import Told, supervised

LOOK_EVERY = 0.05


def control(told: Told) -> None:
    """Turn the house; say ready as soon as this process holds it. Raises what ``controller.control`` raises."""
    from everloop.loop.control import controller
    from everloop.loop.house import open_house

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    house = open_house(told.project, folder=told.house, stage=told.stage, turned=told.turned)

    def say_ready() -> None:
        from everloop.loop.control.errands import controller_of

        while not stop.wait(LOOK_EVERY):
            lease = controller_of(house)
            if lease is not None and f":{os.getpid()}:" in lease.holder:
                told.say_ready()
                return

    threading.Thread(target=say_ready, daemon=True, name="ready").start()
    controller.control(house, stop=stop, told=lambda sentence: print(sentence, flush=True))


if __name__ == "__main__":
    code = supervised("control", control)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # work that does not end is left behind in its thread, and can keep nothing
