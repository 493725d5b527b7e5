"""Routes: a copy of who answers whom, for workers. In: house.db, read under a lock. Out: ``routes.json``, whole or not at all.

It is the truth of nothing: whoever moved the traffic writes it anew, and so does the controller, so a lost or torn one heals. A worker
says in ``workers/<pid>.json`` by which generation of each model it answers; whether it lives says the lock it holds on ``<pid>.alive``.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from everloop.clock import monotonic, wall
from everloop.errors import EverloopError, HouseBusy, StoreError
from everloop.lake.alone import alone
from everloop.records import Candidate, Traffic
from everloop.registry.written import as_data
from everloop.rollout.routes import FILE, FORM, routes_in
from everloop.serving.keys import Key

if TYPE_CHECKING:
    from everloop.loop.house import House

PATIENCE = 2.0  # seconds a person waits until every worker answers as they said
LOOK_EVERY = 0.005


@dataclass(frozen=True)
class Named:
    """A version that may have to answer: how people call it, the candidate behind it, and whether it must be answered as it was stored,
    since its compiled form was found to differ."""

    name: str
    candidate: Candidate
    whole: bool = False


@dataclass(frozen=True)
class Route:
    """Who answers for one model: the traffic in force, and every version in it by id."""

    traffic: Traffic
    versions: Mapping[str, Named]


@dataclass(frozen=True)
class Routes:
    """Who answers for every model. ``number`` counts the writings, ``salt`` is what the house hashes private values with,
    ``keys`` are those of whoever may ask, their secrets hashed."""

    number: int
    salt: str
    models: Mapping[str, Route]
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Acknowledgement:
    """What one worker answers by: the number of the routes it read last, the generation of each model, and which versions do not load."""

    pid: int
    at: str
    number: int
    generations: Mapping[str, int]
    failed: Mapping[str, str] = field(default_factory=dict)


def write_routes(house: House) -> Routes:
    """Write what house.db says now; where the file says so already it is left as it is. Returns what stands in it.

    house.db is read inside the lock, so that who is late never overwrites who is later. Raises StoreError where it cannot be written:
    what was decided is decided all the same.
    """
    path = house.settings.house / FILE
    with alone(path.with_suffix(".lock"), "writing the routes"):
        found = composed(house)
        if house.settings.signing.key is not None:
            _signatures_here(house, found)
        there = _there(path)
        if there is not None and replace(there, number=0) == found:
            return there
        routes = replace(found, number=1 + (there.number if there else _last_acknowledged(house.settings.house)))
        put_whole(path, {"form": FORM, **as_data(routes)})
        return routes


def _signatures_here(house: House, found: Routes) -> None:
    """Put where workers look for it whatever another machine signed, before they are told who answers."""
    from everloop.loop.signing import signature_here

    try:
        for route in found.models.values():
            for named in route.versions.values():
                signature_here(house, named.candidate)
    except EverloopError as error:
        raise StoreError(str(error)) from error


def composed(house: House) -> Routes:
    """What house.db says, at one moment: the traffic of every model that has begun, and the versions in it. Its number is 0."""
    from everloop.loop.serve.keys import keys_of
    from everloop.training.light import parity_of

    salt = house.salt
    with house.store.reading() as t:
        models = {}
        for name, traffic in house.pointers.all(within=t).items():
            versions = {}
            for id in traffic.versions:
                version = house.versions.get(id, within=t)
                candidate = house.candidate(version.candidate, within=t)
                parity = parity_of(candidate, house.settings.compiled)
                versions[id] = Named(version.name, candidate, parity is not None and bool(parity.differs))
            models[name] = Route(traffic, versions)
        keys = keys_of(house, within=t).entries
    return Routes(0, salt, models, keys)


def read_routes(path: Path) -> Routes:
    """The routes in a file. Raises FileNotFoundError where there is none, StoreError where it is torn, foreign, or of a newer release."""
    try:
        return routes_in(path.read_bytes(), Routes)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} holds no routes: {error}. It is written anew by: everloop serve") from error


def held_as_told(house: Path, model: str) -> str | None:
    """Who holds a model, and why, by what the house in this folder tells its workers; None where nobody does, or nothing was told yet."""
    there = _there(house / FILE)
    route = there.models.get(model) if there is not None else None
    return route.traffic.held if route is not None else None


def put_whole(path: Path, data: Mapping[str, Any], *, sync: bool = True) -> None:
    """JSON in a file that is there whole or as it was before; ``sync``: also when the power goes. Raises StoreError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w", encoding="utf-8") as file:
            json.dump(data, file, separators=(",", ":"))
            file.flush()
            if sync:
                os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StoreError(f"{path} cannot be written: {error.strerror}. Look at the disk.") from error


# -- what workers say ------------------------------------------------------------------------------------------------------------------


class Living:
    """The lock by which a worker shows that it lives, which the kernel takes back when it dies; ``say`` tells what it answers by.

    Raises HouseBusy where this process has opened the doors of this house already and not closed them.
    """

    def __init__(self, house: Path, pid: int | None = None, *, patience: float = PATIENCE) -> None:
        self.pid = os.getpid() if pid is None else pid
        self._path = house / "workers" / f"{self.pid}.json"
        self._alive = self._path.with_suffix(".alive")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = self._held(monotonic() + patience)
        self._path.unlink(missing_ok=True)  # of a dead process that had this number

    def _held(self, until: float) -> int:
        while True:
            fd = os.open(self._alive, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.stat(self._alive).st_ino == os.fstat(fd).st_ino:
                    return fd
            except BlockingIOError:
                if monotonic() >= until:
                    os.close(fd)
                    raise HouseBusy(self._twice()) from None
                time.sleep(LOOK_EVERY)  # somebody looks whether we live, which takes no time
            except FileNotFoundError:
                pass
            os.close(fd)  # somebody took the file of a dead one away in this very moment

    def _twice(self) -> str:
        return (
            f"The doors of the house in {self._path.parent.parent} are open in this process ({self.pid}) already, and one process answers "
            "once for a house. Use those, close them before you open others, or open others in a process of their own: everloop serve"
        )

    def say(self, number: int, generations: Mapping[str, int], failed: Mapping[str, str]) -> None:
        """Write by what this worker answers from now on. Raises StoreError."""
        put_whole(self._path, as_data(Acknowledgement(self.pid, wall().isoformat(), number, generations, failed)), sync=False)

    def close(self) -> None:
        """Live no more."""
        self._path.unlink(missing_ok=True)
        self._alive.unlink(missing_ok=True)
        os.close(self._fd)


def workers(house: Path) -> dict[int, Acknowledgement | None]:
    """The workers that live, by process id, with what each said last (None: it has said nothing yet). Traces of dead ones are cleared."""
    found: dict[int, Acknowledgement | None] = {}
    for said in (house / "workers").glob("*.json"):
        if not said.with_suffix(".alive").exists():
            said.unlink(missing_ok=True)
    for alive in sorted((house / "workers").glob("*.alive")):
        said = alive.with_suffix(".json")
        if _dead(alive):
            said.unlink(missing_ok=True)
            continue
        try:
            found[int(alive.stem)] = msgspec.convert(json.loads(said.read_bytes()), Acknowledgement)
        except (OSError, ValueError, msgspec.ValidationError):
            found[int(alive.stem)] = None
    return found


def _dead(alive: Path) -> bool:
    try:
        fd = os.open(alive, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alive.unlink(missing_ok=True)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(fd)


def acknowledged(house: House, model: str, generation: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The workers that answer by this generation of a model or a later one, and all that live."""
    living = workers(house.settings.house)
    return tuple(pid for pid, said in living.items() if said and said.generations.get(model, 0) >= generation), tuple(living)


def spread(house: House, model: str, generation: int, *, patience: float = PATIENCE) -> str:
    """Write the routes and wait until every worker answers by them, at most ``patience`` seconds. A sentence; empty where nobody serves."""
    began = monotonic()
    try:
        write_routes(house)
    except StoreError as error:
        return f"It is decided, but workers cannot be told yet: {error}"
    while True:
        confirmed, living = acknowledged(house, model, generation)
        waited = monotonic() - began
        if len(confirmed) == len(living) or waited >= patience:
            break
        time.sleep(LOOK_EVERY)
    return told(len(confirmed), len(living), waited)


def told(confirmed: int, living: int, seconds: float) -> str:
    """How far a change has come, in a sentence.

    >>> told(2, 2, 0.0631)
    'Both workers answer by it after 63 ms.'
    >>> told(1, 3, 2.0)
    '1 of 3 workers answers by it after 2,000 ms; the others still answer as before. See: everloop status'
    """
    if not living:
        return ""
    after = f"after {seconds * 1000:,.0f} ms"
    if confirmed == living:
        everybody = {1: "The worker answers", 2: "Both workers answer"}.get(living, f"All {living} workers answer")
        return f"{everybody} by it {after}."
    verb = "answers" if confirmed == 1 else "answer"
    return f"{confirmed} of {living} workers {verb} by it {after}; the others still answer as before. See: everloop status"


def _there(path: Path) -> Routes | None:
    try:
        return read_routes(path)
    except (FileNotFoundError, StoreError):
        return None


def _last_acknowledged(house: Path) -> int:
    """Where the file is lost or torn, counting goes on after what workers have read."""
    numbers: Iterable[int] = (said.number for said in workers(house).values() if said is not None)
    return max(numbers, default=0)
