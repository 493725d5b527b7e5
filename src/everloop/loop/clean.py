"""Cleaning a house: what no record names goes, compiled copies of versions that nobody is answered by and undo would not bring back, and
parts of training sets that a process died over."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from everloop.clock import wall
from everloop.lake.alone import alone
from everloop.loop.house import House
from everloop.loop.training_sets import PARTS
from everloop.registry.garbage import Garbage, collect
from everloop.registry.history import champions
from everloop.training.light import path_of

YOUNG = timedelta(days=2)
"""How long a body may wait for the record that names it: longer than any turn takes."""


@dataclass(frozen=True)
class Cleaned:
    """What went, or with ``dry_run`` would go; ``copies`` are compiled forms, which are made again where they are needed; ``parts`` are
    folders of training sets that were half put together."""

    garbage: Garbage
    copies: int
    copies_size: int
    parts: int
    dry_run: bool

    def __str__(self) -> str:
        found, goes = self.garbage, "would go" if self.dry_run else "went"
        young = f", {found.young:,} too young to tell" if found.young else ""
        half = f" and {found.leftovers:,} half-written" if found.leftovers else ""
        parts = f", and {self.parts:,} training sets that were half put together" if self.parts else ""
        return (
            f"{len(found.bodies):,} bodies{half} ({_megabytes(found.size)}) {goes} that no record names; {found.kept:,} are named{young}.\n"
            f"{self.copies:,} compiled copies ({_megabytes(self.copies_size)}) {goes} of versions that nobody is answered by{parts}."
        )


def clean(house: House, *, dry_run: bool = False) -> Cleaned:
    """Drop what nothing reaches; ``dry_run`` only tells it. Raises HouseBusy where another process is cleaning."""
    with alone(house.settings.house / "clean.lock", "cleaning this house", patience=0):
        garbage = collect(house.store, house.blobs, untouched_since=(wall() - YOUNG).timestamp(), dry_run=dry_run)
        copies = [(path, path.stat().st_size) for path in _copies(house)]
        for path, _ in copies if not dry_run else ():
            path.unlink(missing_ok=True)
        parts = [path for path in house.settings.house.glob(f"{PARTS}*") if path.stat().st_mtime < (wall() - YOUNG).timestamp()]
        for path in parts if not dry_run else ():
            shutil.rmtree(path, ignore_errors=True)
    return Cleaned(garbage, len(copies), sum(size for _, size in copies), len(parts), dry_run)


def _copies(house: House) -> list[Path]:
    """The compiled forms of what neither answers nor would after undo."""
    if not house.settings.compiled.exists():
        return []
    needed = set[str]()
    for name, traffic in house.pointers.all().items():
        for version in {*traffic.versions, *champions(house.journal, name)}:
            candidate = house.candidate(house.version(version).candidate)
            needed.add(path_of(candidate, house.settings.compiled).name)
    young = (wall() - YOUNG).timestamp()
    found = sorted(house.settings.compiled.glob("*.compiled"))
    return [path for path in found if path.name not in needed and path.stat().st_mtime < young]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
