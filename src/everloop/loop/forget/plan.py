"""What is to be forgotten, written down before anything of it goes: whoever is killed goes on from here. The one place that holds a key.

A file in the house folder, readable by its owner alone, gone when all is done.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from everloop.disk import synced
from everloop.loop.forget.person import Person
from everloop.records import identity

FOLDER, ALONE = "forgetting", "house.forgetting"
"""Where plans lie; and what one is alone at in the whole house (``EventLog.alone``) who forgets, or whom nobody may be forgotten under."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to forget, by whose word, and what was found of them before anything went. ``at`` is business time; ``bodies`` are the SHA-256
    of bodies with rows of theirs, ``made_from`` the records these and the snapshots belong to."""

    id: str
    column: str
    value: str
    by: str
    reason: str
    at: datetime
    found: bool = False
    seqs: dict[str, list[int]] = {}
    ids: dict[str, list[str]] = {}
    made_from: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    rows: dict[str, int] = {}
    bodies: dict[str, str] = {}

    @property
    def person(self) -> Person:
        """Whose rows these are."""
        return Person(self.column, self.value, self.seqs, self.ids)


def planned(house: Path) -> Iterator[Plan]:
    """What was begun and is not done, oldest first."""
    for path in sorted((house / FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
        yield msgspec.json.decode(path.read_bytes(), type=Plan)


def plan_id(column: str, value: str, at: datetime) -> str:
    """The id of a forgetting, which is its record's too; it tells nothing of the key."""
    return identity("forget", column, value, at.isoformat(), os.urandom(8).hex())


def write(house: Path, plan: Plan) -> Plan:
    """Keep a plan, synced, in the place of what it was."""
    folder = house / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{plan.id}.json"
    part = path.with_suffix(".part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.encode(plan))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    synced(folder)
    return plan


def done(house: Path, plan: Plan) -> None:
    """The plan is carried out: it goes."""
    with suppress(FileNotFoundError):
        (house / FOLDER / f"{plan.id}.json").unlink()
        synced(house / FOLDER)
    for part in (house / FOLDER).glob("*.part"):
        part.unlink(missing_ok=True)
