"""The right to turn a model: one process has it at a time, whatever it is and wherever it runs.

A worker has it by its claim on the model's errand (``registry/claims.py``). Who turns by hand (a terminal, a person's yes, forgetting
somebody) holds a lock of the operating system beside the house and, where the house's database is no file of this machine, a lease in it,
which workers pass by.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from everloop.clock import monotonic
from everloop.errors import HouseBusy
from everloop.lake.alone import alone
from everloop.loop.control.by_hand import by_hand
from everloop.registry.leases import Leases

if TYPE_CHECKING:
    from everloop.loop.house import House

LOOK_EVERY, LOOKING = 0.02, 10.0


@contextmanager
def turning(house: House, model: str, *, patience: float = 0.0) -> Iterator[House]:
    """Have the right to turn a model; gives the house as one may write to it meanwhile.

    Raises HouseBusy where another process has it for longer than ``patience`` seconds.
    """
    with ExitStack() as held:
        until = monotonic() + patience
        while not _beside(held, house, model, last=monotonic() >= until):
            time.sleep(LOOK_EVERY)
        if house.worker or house.settings.registry.startswith("sqlite:"):
            yield house
        else:
            yield held.enter_context(by_hand(house, model, patience=patience))


def _beside(held: ExitStack, house: House, model: str, *, last: bool) -> bool:
    """Take the lock beside the house; one that a worker has who was taken for dead, and may keep nothing, is taken from it."""
    file, what = house.settings.house / "turns" / f"{model}.lock", f"turning {model}"
    # Who looks at the name in it looks at the name of who has it: it is written before anybody else may look.
    with alone(file.with_name("looking.lock"), f"looking who turns {model}", patience=LOOKING):
        try:
            held.enter_context(alone(file, what, patience=0))
        except HouseBusy:
            if _of_the_dead(house, file):
                file.unlink(missing_ok=True)
                held.enter_context(alone(file, what, patience=0))
            elif last:
                raise
            else:
                return False
        file.write_text(house.worker)
    return True


def _of_the_dead(house: House, file: Path) -> bool:
    try:
        holder = file.read_text()
    except FileNotFoundError:
        return False
    return bool(holder) and not any(lease.holder == holder for lease in Leases(house.store).all())
