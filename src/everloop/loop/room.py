"""How much room a house takes: what its processes used on this machine, and what its trainings took. Reads /proc and the journal.

A pod that asks for less than it takes is ended by the kernel; one that asks for more keeps others out. So nothing is guessed: where nobody
has looked, nothing is said, and whoever deploys says it.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from everloop.connect.kubernetes.facts import MEBI, Room
from everloop.errors import EverloopError
from everloop.loop.serve.processes import PROC, used_by
from everloop.loop.serve.served import served
from everloop.records import Candidate
from everloop.registry.store import JournalStore, open_store

NEWEST = 20
"""Trainings that are looked at."""
_SIZE = {"Ki": 1 << 10, "Mi": MEBI, "Gi": 1 << 30}


def said_room(cores: float, memory: str, flag: str) -> Room:
    """What somebody says a container takes. Raises EverloopError for what is no size.

    >>> said_room(0.5, "600Mi", "--memory").peak_bytes == 600 << 20
    True
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(Ki|Mi|Gi)", memory)
    if match is None or not 0 < cores < 1024:
        raise EverloopError(f"{flag} {memory} with {cores:g} cores is no room. Say such as {flag} 600Mi, and cores above 0.")
    return Room(cores, int(float(match[1]) * _SIZE[match[2]]), "as whoever exported it says")


def serving_room(house: Path, *, proc: Path = PROC) -> Room | None:
    """What a served house takes here, all processes of it together, at most so far; None where it is not served on this machine."""
    try:
        said = served(house)
        pids = [int(said["pid"]), *_below(int(said["pid"]), proc)]
    except (OSError, ValueError, KeyError):
        return None
    seen = [(used, _peak(pid, proc)) for pid in pids if (used := used_by(pid, proc)) is not None]
    if not seen:
        return None
    with suppress(OSError, ValueError, IndexError):
        up = float((proc / "uptime").read_text().split()[0]) - seen[0][0].began / os.sysconf("SC_CLK_TCK")
        seconds = sum(used.cpu_seconds for used, _ in seen)
        total = sum(max(peak, used.memory_bytes) for used, peak in seen)
        words = f"seen on this machine: {total / MEBI:,.0f} MiB at most in {len(seen)} processes, {seconds:,.1f} CPU s in {up:,.0f} s"
        return Room(seconds / max(up, 1.0), total, words)
    return None


def learning_room(project: Path) -> Room | None:
    """What the newest trainings of the house on this machine took; None where there is no such house, or none was measured in it."""
    from everloop.connect.needed import asked_settings
    from everloop.loop.project_file import open_project
    from everloop.registry.journal import Journal

    folder = project if project.is_dir() else project.parent
    settings, _ = asked_settings(folder, None)  # the journal alone is opened, whatever else has a secret
    file = Path(settings.registry.removeprefix("sqlite:///"))
    if not settings.registry.startswith("sqlite:") or not file.is_file():
        return None
    store = open_store(settings.registry, keep=settings.house)
    try:
        return trained_in(Journal(store), list(open_project(project).models))
    finally:
        store.close()


def trained_in(journal: JournalStore, models: list[str]) -> Room | None:
    """What the newest trainings took: the cores the busiest kept busy, and the memory of the largest; None where none was measured."""
    found = [
        entry.record
        for model in models
        for entry in journal.read(kind="Candidate", model=model, newest_first=True, limit=NEWEST)
        if isinstance(entry.record, Candidate) and entry.record.cost is not None and entry.record.cost.peak_bytes
    ]
    if not found:
        return None
    cores = max((c.cpu_seconds / c.seconds for c in found if c.seconds > 0), default=1.0)
    peak = max(c.cost.peak_bytes for c in found if c.cost is not None and c.cost.peak_bytes is not None) + _beside(journal, models)
    return Room(max(cores, 0.1), peak, f"seen in {len(found)} trainings: {peak / MEBI:,.0f} MiB and {cores:.2g} cores at most")


def _beside(journal: JournalStore, models: list[str]) -> int:
    """The most memory of the process a training hangs on, which checks data itself and has a child learn; 0 where nobody measured it."""
    checked = (e.record.cost for model in models for e in journal.read(kind="Report", model=model, newest_first=True, limit=NEWEST))
    return max((cost.peak_bytes for cost in checked if cost is not None and cost.peak_bytes is not None), default=0)


def _below(pid: int, proc: Path) -> list[int]:
    """The processes that hang on one, however deep."""
    found: list[int] = []
    with suppress(OSError, ValueError):
        for task in (proc / str(pid) / "task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_below(child, proc)]
    return found


def _peak(pid: int, proc: Path) -> int:
    """The most memory a process ever had resident (proc(5), ``VmHWM``), in bytes; 0 where nobody says."""
    with suppress(OSError, ValueError, IndexError):
        for line in (proc / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
