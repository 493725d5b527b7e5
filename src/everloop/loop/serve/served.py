"""Served: what the folder of a house says of who serves it on this machine, and the lock by which only one does."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from everloop.errors import HouseBusy

FILE = "serving.json"
LINK = "console.link"
"""What opens the console once: whoever begins leaves it in this file, where nobody is let in by name."""


@contextmanager
def alone(house: Path) -> Iterator[None]:
    """Be the only one who serves a house; the lock goes with the process. Raises HouseBusy."""
    house.mkdir(parents=True, exist_ok=True)
    with (house / "serving.lock").open("ab") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with suppress(OSError, ValueError, KeyError):
                there = served(house)
                raise HouseBusy(
                    f"This house is served already: {there['url']}, pid {there['pid']}. End that one first: kill {there['pid']}"
                ) from None
            raise HouseBusy("This house is served already, by a process that is still starting or ending. Try again in a moment.") from None
        forget(house)
        yield


def served(house: Path) -> Mapping[str, Any]:
    """Where a house is served now: ``url``, ``pid`` of who supervises, and those of the ``workers``. Raises OSError where nobody says so,
    ValueError where it is no JSON."""
    told: Mapping[str, Any] = json.loads((house / FILE).read_bytes())
    return told


def tell(house: Path, told: Mapping[str, Any]) -> None:
    """Say where it is served, in one piece."""
    part = (house / FILE).with_suffix(".part")
    part.write_text(json.dumps(told), encoding="utf-8")
    part.replace(house / FILE)


def forget(house: Path) -> None:
    """It is served no more."""
    (house / FILE).unlink(missing_ok=True)


def taken_link(house: Path) -> str | None:
    """What opens the console once, taken out of the folder; None where nobody left it."""
    file = house / LINK
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
    finally:
        file.unlink(missing_ok=True)
