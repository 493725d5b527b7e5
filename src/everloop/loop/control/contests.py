"""Contests that somebody asked for in MLflow, by setting an alias: each in a child of its own, since it loads what somebody else made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from everloop.clock import wall
from everloop.errors import EverloopError
from everloop.loop.house import House, open_house
from everloop.loop.mirror import contests_asked, tracking_of
from everloop.training.child import in_child

LONGEST = 3600.0
"""Seconds after which a contest is given up."""


def hold_contests(house: House, told: Callable[[str], None]) -> int:
    """Let every version in whose alias asks for it, through the same gates as any; how many there were. Raises Unreachable.

    A contest ends with this process, however that ends, and is asked for again then.
    """
    held = 0
    for model, there in contests_asked(house, tracking_of(house)):
        came = _held(house, model.name, f"models:/{there.name}/{there.number}")
        if house.ended() is not None:
            break
        told(f"MLflow asked for a contest of {there.name} {there.number}: {came[:2000]}")
        held += 1
    return held


def _held(house: House, model: str, what: str) -> str:
    """What came of one contest; while this process is told to end, nothing that counts."""
    at = (house.project.path or Path("project.py"), house.settings.house, house.settings.stage)
    try:
        return in_child(contest, *at, model, what, timeout=LONGEST, cancelled=lambda: house.ended() is not None)
    except EverloopError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def contest(project: Path, folder: Path, stage: str | None, model: str, what: str) -> str:
    """In the child: what was kept of letting ``what`` in, in sentences. Raises what ``admitted`` raises."""
    from everloop.loop.admitted import admitted
    from everloop.loop.spoken import spoken_record

    house = open_house(project, folder=folder, stage=stage)
    return "\n".join(map(spoken_record, admitted(house, house.project.model(model), what, wall())))
