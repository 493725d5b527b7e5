"""Compiling what serves: every version that answers or may answer again, compared with its own answers to rows that were really asked.

In: a house. Out: compiled forms in its folder, and what came of comparing each (``training.light.parity_of``). A form that differs in one
bit is taken away, and somebody is told; the version is then answered as it was stored.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from everloop.errors import EverloopError
from everloop.training.parity import LOGGED

if TYPE_CHECKING:
    from everloop.loop.house import House
    from everloop.project.model import Model
    from everloop.records import Candidate

AGAIN = timedelta(hours=1)
"""As long as there were fewer, they are looked for again after this time."""
SPANS = (timedelta(minutes=1), timedelta(minutes=20), timedelta(hours=6), timedelta(days=5), timedelta(days=30))
"""Rows of the last minute; where these are too few, of longer and longer: a busy house has millions a day."""
_lines = logging.getLogger(__name__)


def compile_served(house: House, now: datetime, *, again: bool = True) -> list[str]:
    """Compile every version that answers or may answer again, where that is not done yet; the versions that stay as they are stored.

    A worker that finds no compiled form loads the library the version was trained with: call this before routes are written. ``again``:
    forms that were compared with fewer than enough rows really asked are compared once more.
    """
    from everloop.training.light import path_of

    left = []
    for model in house.project.models.values():
        traffic = house.pointers.current(model.name)
        for id in traffic.versions if traffic else ():
            version = house.version(id)
            candidate = house.candidate(version.candidate)
            if candidate.format == "baseline":
                continue
            try:
                done = _compile(house, model, candidate, version.name, now, again)
            except EverloopError:
                done = False  # the worker that loads it says so
            if not done or not path_of(candidate, house.settings.compiled).exists():
                left.append(id)
    return left


def _compile(house: House, model: Model, candidate: Candidate, name: str, now: datetime, again: bool) -> bool:
    from everloop.training.light import can_be_compiled, compile_version, parity_of

    folder = house.settings.compiled
    before = parity_of(candidate, folder)
    if not can_be_compiled(candidate) or (before is not None and not before.agrees):
        return False
    logged: list[str] | None = None
    if before is None or (again and before.logged < LOGGED and (before.at is None or abs(now - before.at) >= AGAIN)):
        logged = really_asked(house, model, now)
        if before is not None and len(logged) < 2 * before.logged:
            logged = []  # hardly more than the last time, and it costs a load to ask them again
    at = now if logged is not None else None
    done = compile_version(
        candidate, house.blobs.read, folder,
        allow_pickle=house.settings.pickle, loaded=house.predictors.get(candidate.id), logged=logged or (), at=at,
    )  # fmt: skip
    parity = parity_of(candidate, folder)
    if parity is not None and parity.differs:
        _tell(house, model, name, parity.differs)
    return done is not None


def _tell(house: House, model: Model, version: str, differs: str) -> None:
    from everloop.clock import wall
    from everloop.loop.news.alerts import compiled_otherwise
    from everloop.loop.news.put import put_news

    _lines.warning("%s: the compiled form of %s answers %s otherwise and does not serve", model.name, version, differs)
    put_news(house, compiled_otherwise(model, version, differs), wall())


def really_asked(house: House, model: Model, now: datetime, most: int = 2 * LOGGED) -> list[str]:
    """The features (JSON objects, as they are logged) of questions that were really asked, the newest first, each set of them once."""
    from everloop.loop.answers import answers_of

    found: dict[str, None] = {}
    for span in SPANS:
        rows = answers_of(house, model, since=now - span).sort_by([("answered_at", "descending"), ("id", "ascending")])
        found |= dict.fromkeys(text for text in rows.column("features").to_pylist() if text)
        if len(found) >= most:
            break
    return list(found)[:most]
