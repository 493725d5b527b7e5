"""Contests that somebody asked for in MLflow, by setting an alias: each is a process of its own, since it loads what somebody else made."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from everloop.loop.house import House
from everloop.loop.mirror import contests_asked, tracking_of

LONGEST = 3600.0
"""Seconds after which a contest is given up."""


def hold_contests(house: House, told: Callable[[str], None]) -> int:
    """Let every version in whose alias asks for it, through the same gates as any; how many there were. Raises Unreachable."""
    held = 0
    for model, there in contests_asked(house, tracking_of(house)):
        words = ["admit", f"models:/{there.name}/{there.number}", "--model", model.name, "--house", str(house.settings.house)]
        words += ["--project", str(house.project.path)] if house.project.path else []
        words += ["--stage", house.settings.stage] if house.settings.stage else []
        done = subprocess.run([sys.executable, "-m", "everloop.cli", *words], capture_output=True, text=True, timeout=LONGEST, check=False)
        told(f"MLflow asked for a contest of {there.name} {there.number}: {(done.stdout or done.stderr).strip()[:2000]}")
        held += 1
    return held
