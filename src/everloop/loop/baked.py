"""A version baked into an image: a house in which it answers from the first request on, made where the image is built.

The house is new and knows nothing else. The version is held against its hashes, built in a child process and asked its golden rows, as any
that is handed over is (``handover.py``); that it was let in was decided elsewhere, and what was decided there goes into this journal.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from everloop.connect.kubernetes.facts import SECRET
from everloop.errors import EverloopError
from everloop.loop.adopt import adopt
from everloop.loop.handover import as_candidate, came_in, check_carried
from everloop.loop.house import House
from everloop.loop.keep import keep_record
from everloop.loop.serve.compiled import compile_served
from everloop.loop.serve.routes import write_routes
from everloop.project.model import Model
from everloop.records import Traffic, Version, identity
from everloop.registry.keys import ApiKeys
from everloop.registry.one_file import Carried, unpacked
from everloop.serving.keys import Key, key_of


def bake(house: House, model: Model, file: Path, now: datetime, *, key: Path | None = None, trust: bool = False) -> Version:
    """Put a version in force in a house that nothing has happened in yet; it keeps the number it had. ``key``: a file with the text of a
    key that may ask it, of which the house keeps the hash; without one nobody beyond its own machine may.

    Raises ArtefactBroken and LearnerFailed as ``handover.from_file`` does, and EverloopError in a house that has begun this model already,
    or for a model whose answers have to be looked up, of which an image knows nothing.
    """
    refuse_lookups(model)
    if house.pointers.current(model.name) is not None:
        raise EverloopError(
            f"{house.settings.house} has begun {model.name} already. A version is baked into a new house: say another folder by --house."
        )
    let_in = None if key is None else _key_in(key)
    carried = read(file)
    check_carried(house, model, carried, file.name, trust=trust)
    adopt(house, model, now)
    version = _kept(house, model, carried, hashlib.sha256(file.read_bytes()).hexdigest(), file.name, now)
    if let_in is not None:
        with house.store.transaction() as t:
            ApiKeys(house.store).add(t, let_in.id, let_in.name, let_in.scopes, let_in.digest, now=now)
    compile_served(house, now)
    write_routes(house)
    return version


def _key_in(file: Path) -> Key:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise EverloopError(
            f"The key in {file} cannot be read: {error.strerror}. Give it to the build: --secret id={SECRET},env=…"
        ) from error
    return key_of(text, "baked", ("predict",))


def read(file: Path) -> Carried:
    """The version in a file. Raises EverloopError where it cannot be read, ArtefactBroken where it is none."""
    try:
        return unpacked(file.read_bytes(), file.name)
    except OSError as error:
        raise EverloopError(f"{file} cannot be read: {error.strerror}. Write one: everloop export version demand@3 --to {file}") from error


def refuse_lookups(model: Model) -> None:
    """Raises EverloopError for a model that nobody can ask with its features in hand."""
    if model.kind == "ranking" or model.steps > 1:
        what = "lists, whose candidates have to be looked up" if model.kind == "ranking" else "several steps, which have to be looked up"
        raise EverloopError(
            f"{model.name} answers with {what}, and an image knows nothing of anybody. Deploy the house instead: leave --version out."
        )


def _kept(house: House, model: Model, carried: Carried, sha: str, name: str, now: datetime) -> Version:
    turn = identity("bake", model.name, sha)
    came = came_in(house, model, carried, id=identity(turn, "handover"), file=sha, place=name, now=now)
    candidate = as_candidate(house, carried, id=identity(turn, "candidate"), made_from=(came.id,), now=now)
    with house.store.transaction() as t:
        keep_record(house, t, came, model=model, turn=turn, verb="bake")
        keep_record(house, t, candidate, model=model, turn=turn, verb="bake")
        version = house.versions.admit(t, candidate, None, now=now, id=identity(turn, "version"), number=carried.version.number)
        house.journal.append(t, version, turn=turn, verb="bake")
        keep_record(house, t, _in_force(house.traffic(model, within=t), version, now, turn), model=model, turn=turn, verb="bake")
    return version


def _in_force(before: Traffic, version: Version, now: datetime, turn: str) -> Traffic:
    return replace(
        before,
        id=identity(turn, "traffic"),
        made_at=now,
        made_from=(before.id, version.id),
        generation=before.generation + 1,
        champion=version.id,
        since=now,
        because=f"{version.name} was baked into this image",
        control=0.0,
        baseline=None,
    )
