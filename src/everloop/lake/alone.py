"""Being the only one: a lock on a file, kept by the operating system and given back when its process dies, however it dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from everloop.clock import monotonic
from everloop.errors import HouseBusy

PATIENCE = 60.0  # seconds


@contextmanager
def alone(file: Path, what: str, *, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock on ``file`` (made with its folder), in all threads and processes of this machine.

    ``what`` is what is done meanwhile, for the error: HouseBusy after ``patience`` seconds of waiting.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, alone(Path(folder, "a.lock"), "sealing orders"):
    ...     with alone(Path(folder, "a.lock"), "sealing orders", patience=0):
    ...         pass
    Traceback (most recent call last):
    everloop.errors.HouseBusy: Another process is sealing orders. Run it again when it is done.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as held:
        last = monotonic() + patience
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() >= last:
                    long = f" and has been for {patience:g} seconds" if patience else ""
                    aloud = f"Another process is {what}."
                    raise HouseBusy(f"Another process is {what}{long}. Run it again when it is done.", aloud=aloud) from None
                time.sleep(0.01)
        yield
