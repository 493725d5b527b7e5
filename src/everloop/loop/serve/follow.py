"""Following: what one worker answers by, kept as ``routes.json`` says. In: the file. Out: one reference to an immutable ``Table``.

A thread looks at the file; another loads what is new and checks its golden rows. A model moves to its new traffic when all it needs is
loaded, in one assignment, and not before: what cannot be loaded never serves. Undo needs only what is loaded already, so it waits for no
load under way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from everloop.errors import ArtefactBroken, EverloopError, HouseBusy, StoreError
from everloop.loop.serve.routes import Living, Named, Route, Routes, read_routes
from everloop.records import Candidate, Shape, Traffic
from everloop.rollout.routes import FILE
from everloop.serving.keys import Keys
from everloop.serving.one import single
from everloop.stats.shapes import Answers
from everloop.training.by_row import ByRow, by_row
from everloop.training.predictor import Answering

LOOK_EVERY = 0.05  # seconds

Load = Callable[[Candidate], Answering]
Tried = Callable[[Candidate], pa.Table | None]
"""Rows that a candidate is known to answer; None where there are none."""
Tell = Callable[[str, str, str], None]
"""Called once with a model, a version's name and why it cannot be loaded."""


@dataclass(frozen=True)
class Seat:
    """Who answers for one model: its route, and the predictors that are loaded, by version id; also as they are asked row by row."""

    route: Route
    predictors: Mapping[str, Answering]
    rows: Mapping[str, ByRow] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Who answers for every model, in one value; a request reads it once."""

    number: int = 0
    salt: str = ""
    seats: Mapping[str, Seat] = field(default_factory=dict)
    keys: Keys = field(default_factory=Keys)

    def generations(self) -> dict[str, int]:
        return {name: seat.route.traffic.generation for name, seat in self.seats.items()}


@dataclass(frozen=True)
class Absent:
    """In the place of a champion that cannot be loaded where nothing was in force before: whoever it replaced answers instead."""

    shape: Shape
    columns: tuple[str, ...]
    why: str

    def answer(self, features: pa.Table) -> Answers:
        raise ArtefactBroken(self.why)


class Follow:
    """Follows the routes of a house. ``models``: those this worker can answer; ``load``: a candidate's predictor, golden rows checked."""

    def __init__(self, house: Path, models: Iterable[str], load: Load, *, tried: Tried | None = None, tell: Tell | None = None,
        living: Living | None = None,
    ) -> None:  # fmt: skip
        self.table: Table | None = None
        """What is in force; None before anything ever was."""
        self.begun = threading.Event()
        """Set when something is in force."""
        self.wrong = ""
        """Why the file cannot be read, as long as it cannot."""
        self.names: dict[str, str] = {}
        """Every version read so far as people call it, by id."""
        self.labels: dict[str, tuple[str, ...]] = {}
        self.baselines: set[str] = set()
        """Every version read so far that nobody had to learn, by id."""
        self._path, self._models, self._load, self._tell, self._living = house / FILE, frozenset(models), load, tell, living
        self._tried = tried
        self._wanted: Routes | None = None
        self._looked: tuple[int, int, int] | None = None
        self._loaded: dict[str, Answering] = {}  # by candidate id
        self._rows: dict[str, ByRow] = {}  # by candidate id, of those that are loaded
        self._failed: dict[str, str] = {}  # by candidate id
        self._whole: set[str] = set()  # candidate ids that are answered as they were stored, whatever was compiled
        self._told: set[str] = set()
        self._said: tuple[object, ...] = ()
        self._lock, self._news, self._stop = threading.Lock(), threading.Event(), threading.Event()
        self._to_load = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Read the file and load what it names, here and now; then follow it in the background."""
        self.catch_up()
        for name, work in (("routes", self._watch), ("loader", self._keep_loading)):
            self._threads.append(threading.Thread(target=work, daemon=True, name=name))
            self._threads[-1].start()

    def catch_up(self) -> None:
        """Read the file and load what it names, here and now, whatever happens in the background: where that stands still between requests,
        nobody is answered by what was in force before."""
        self.look()
        while self._load_next():
            pass
        self.settle()

    def close(self) -> None:
        """Follow no longer; what is in force stays so."""
        self._stop.set()
        self._news.set()
        self._to_load.set()
        for thread in self._threads:
            thread.join(5)
        if self._living is not None:
            self._living.close()

    def without(self, model: str) -> EverloopError:
        """Why a model has nobody who answers for it."""
        with self._lock:
            route = self._wanted.models.get(model) if self._wanted else None
            if route is None:
                return EverloopError(f"{model} has not begun. Begin with: everloop turn {model}")
            if self._loading(route):
                loading = f"What answers for {model} is being loaded."
                return HouseBusy(f"{loading} Ask again in a moment.", aloud=loading)
            why = (self._failed.get(named.candidate.id) for named in route.versions.values())
            return ArtefactBroken(f"Nothing that could answer for {model} can be loaded: {'; '.join(filter(None, why))}")

    def look(self) -> bool:
        """Read the file if it is another one than last time; True where it is. What cannot be read changes nothing."""
        try:
            found = self._path.stat()
            signature = (found.st_mtime_ns, found.st_ino, found.st_size)
            if signature == self._looked:
                return False
            routes = read_routes(self._path)
        except FileNotFoundError:
            self.wrong = f"There is no {self._path}: nothing says who answers. It is written by: everloop serve"
            return False
        except (OSError, StoreError) as error:
            self.wrong = str(error)
            return False
        self._looked, self.wrong = signature, ""
        with self._lock:
            self._wanted = routes
            self._failed.clear()  # what could not be loaded is tried once more: its bytes may have come back
            self._load_whole(routes)
        for id, named in ((id, named) for route in routes.models.values() for id, named in route.versions.items()):
            self.names[id] = named.name
            self.labels[id] = named.candidate.shape.labels if named.candidate.shape.kind == "shares" else ()
            if named.candidate.format == "baseline":
                self.baselines.add(id)
        return True

    def _load_whole(self, routes: Routes) -> None:
        """Forget, once, what was loaded of versions whose compiled forms were found to differ; until they are loaded anew what is in force
        stays so."""
        found = {named.candidate.id for route in routes.models.values() for named in route.versions.values() if named.whole}
        for id in found - self._whole:
            self._loaded.pop(id, None)
            self._rows.pop(id, None)
        self._whole = found

    def settle(self) -> None:
        """Put in force whatever is wanted and loaded; then say so."""
        with self._lock:
            if self._wanted is None:
                return
            before = self.table.seats if self.table else {}
            seats = dict(before)
            for name, route in self._wanted.models.items():
                if name in self._models and (seat := self._seat(route, before.get(name))) is not None:
                    seats[name] = seat
            if self.table is None and any(self._loading(r) for name, r in self._wanted.models.items() if name in self._models):
                return  # nobody is answered before everybody can be
            self.table = Table(self._wanted.number, self._wanted.salt, MappingProxyType(seats), Keys(self._wanted.keys))
            self.begun.set()
            routes = [*(seat.route for seat in seats.values()), *self._wanted.models.values()]
            needed = {named.candidate.id for route in routes for named in route.versions.values()}
            self._loaded = {id: predictor for id, predictor in self._loaded.items() if id in needed}
            self._rows = {id: row for id, row in self._rows.items() if id in needed}
        self._say()

    def _loading(self, route: Route) -> bool:
        """Whether somebody who has to answer is neither loaded nor known to be broken."""
        ids = [route.versions[version].candidate.id for version in must_answer(route)]
        return any(id not in self._loaded and id not in self._failed for id in ids)

    def _seat(self, route: Route, before: Seat | None) -> Seat | None:
        """What a route becomes with what is loaded; None: what is in force stays so."""
        ids = {version: named.candidate.id for version, named in route.versions.items()}
        predictors = {version: self._loaded[id] for version, id in ids.items() if id in self._loaded}
        rows = {version: self._rows[id] for version, id in ids.items() if id in self._rows}
        must = must_answer(route)
        if all(version in predictors for version in must):
            return Seat(route, predictors, rows)
        if before is not None or any(version not in predictors and ids[version] not in self._failed for version in must):
            return None
        champion = route.traffic.champion
        if champion in must and champion not in predictors:
            if route.traffic.previous not in predictors:
                return None
            absent = route.versions[champion].candidate
            predictors[champion] = Absent(absent.shape, absent.columns, self._failed[absent.id])
        return Seat(route, predictors, rows)

    # -- loading --

    def _next(self) -> tuple[str, Named] | None:
        with self._lock:
            routes = [r for name, r in (self._wanted.models if self._wanted else {}).items() if name in self._models]
            # Who has to answer comes before who was there before.
            for before in (False, True):
                for route in routes:
                    for version in (route.traffic.previous,) if before else _answering(route.traffic):
                        named = route.versions.get(version) if version else None
                        if named and loads(named) and named.candidate.id not in self._loaded and named.candidate.id not in self._failed:
                            return route.traffic.model, named
        return None

    def _load_next(self) -> bool:
        """Load one version that is wanted; False where there is none."""
        found = self._next()
        if found is None:
            return False
        model, named = found
        try:
            predictor = self._load(named.candidate)
            row = by_row(predictor, self._tried(named.candidate) if self._tried else None) if single(predictor.shape) else None
        except Exception as error:
            why = str(error) if isinstance(error, EverloopError) else f"{type(error).__name__}: {error}"
            with self._lock:
                self._failed[named.candidate.id] = why
            if named.candidate.id not in self._told:
                self._told.add(named.candidate.id)
                if self._tell is not None:
                    with suppress(EverloopError):
                        self._tell(model, named.name, why)
        else:
            with self._lock:
                self._loaded[named.candidate.id] = predictor
                if row is not None:
                    self._rows[named.candidate.id] = row
        return True

    def _keep_loading(self) -> None:
        while not self._stop.is_set():
            self._to_load.wait()
            self._to_load.clear()
            while not self._stop.is_set() and self._load_next():
                self._news.set()
            self._news.set()

    def _watch(self) -> None:
        while not self._stop.is_set():
            came = self._news.wait(LOOK_EVERY)
            if came:  # what comes when the wait has just ended is for the next one
                self._news.clear()
            if self.look():
                self.settle()
                self._to_load.set()
            elif came:
                self.settle()
            elif self._said == ():
                self._say()  # it could not be said before

    def _say(self) -> None:
        if self.table is None or self._living is None:
            return
        wanted = self._wanted.models.values() if self._wanted else ()
        failed = {v: self._failed[n.candidate.id] for r in wanted for v, n in r.versions.items() if n.candidate.id in self._failed}
        saying = (self.table.number, self.table.generations(), failed)
        if saying == self._said:
            return
        try:
            self._living.say(*saying)
            self._said = saying
        except StoreError:
            self._said = ()


def must_answer(route: Route) -> list[str]:
    """The versions that may be asked here; a service elsewhere is not."""
    return [version for version in _answering(route.traffic) if version is not None and loads(route.versions[version])]


def _answering(traffic: Traffic) -> tuple[str | None, ...]:
    return (traffic.champion, *traffic.candidates, traffic.baseline)


def loads(named: Named) -> bool:
    """Whether there is anything to load for a version."""
    return named.candidate.format != "elsewhere"
