"""What runs beside the door as long as it is open: a thread for each work, begun anew should it ever die of something it did not expect."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, TypeAlias

from everloop.errors import EverloopError

AGAIN: Final = 1.0
"""Seconds until work that died is begun anew."""
ENDING: Final = 30.0
"""Seconds that are waited for work to end."""
Told: TypeAlias = Callable[[str], object]
_log = logging.getLogger("everloop.shopify")


class Beside:
    """A thread that does ``work``, which is given an event and ends soon after it is set; ``wake`` is called then, where work waits for
    something else.

    >>> one = Beside("example", lambda stop: stop.wait())
    >>> one.start(), one.alive, one.stop(), one.alive
    (None, True, None, False)
    """

    def __init__(self, name: str, work: Callable[[threading.Event], object], wake: Callable[[], object] = lambda: None) -> None:
        self.name, self.work, self.wake = name, work, wake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"shopify {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let what is under way end, and end."""
        self._stop.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(ENDING)

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.work(self._stop)
                return
            except Exception:
                if self._stop.is_set():
                    return
                _log.exception("%s beside the shop's door died, and is begun anew", self.name)
                self._stop.wait(AGAIN)


def kept_up(work: Callable[[], object], stop: threading.Event, told: Told, trouble: str, *, every: float, again: float) -> None:
    """Do work every so many seconds until ``stop``; where it raises an EverloopError, after ``again`` seconds, and that is ``told`` once
    until it is over, behind the words for the ``trouble``.

    >>> stop, errors = threading.Event(), iter([EverloopError("it is down"), EverloopError("it is down"), None])
    >>> def work():
    ...     if (error := next(errors)) is not None:
    ...         raise error
    ...     stop.set()
    >>> kept_up(work, stop, print, "Flow is not told yet", every=0, again=0)
    Flow is not told yet: it is down
    """
    said = ""
    while not stop.is_set():
        try:
            work()
            said = ""
        except EverloopError as error:
            if str(error) != said:
                said = str(error)
                told(f"{trouble}: {said}")
            stop.wait(again)
        else:
            stop.wait(every)
