"""What becomes a candidate by somebody's word: a version of another house, a model's own file, one of a tracking server of MLflow; or a
candidate of this house, against its verdict."""

from __future__ import annotations

import re
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from everloop.connect.mlflow import models
from everloop.connect.mlflow.folder import DATA
from everloop.errors import EverloopError, Unknown
from everloop.loop.handover import from_file, taken_over
from everloop.loop.house import House
from everloop.loop.judged import newest_verdict
from everloop.loop.mirror import tracking_of
from everloop.loop.people import admit_file
from everloop.loop.people import override as letting_in
from everloop.loop.steps import newest_candidate
from everloop.project.model import Model
from everloop.records import Candidate, Handover, Verdict
from everloop.registry.one_file import ENDING

Admitted: TypeAlias = tuple[Verdict] | tuple[Handover, Verdict]
"""What was kept of it: how it came, where it is a version, and the verdict of this house."""

FILES = {"model.skops": ".skops", "model.lgb": ".txt", "model.ubj": ".ubj", "model.onnx": ".onnx", "model.pkl": ".joblib"}
"""The files in which MLflow's own flavours keep a model, by the ending that says here how it is read; what is safe first."""


def admitted(
    house: House, model: Model, what: str, now: datetime, *, override: bool = False, trust: bool = False, by: str = "", reason: str = ""
) -> Admitted:
    """Let what was learnt elsewhere in as a candidate of a model, through the same gates. ``what`` is a path, or ``models:/name@alias``; or
    the id of a candidate that was judged here (``newest``: the newest), which ``override`` lets in all the same.

    Raises what ``people.override``, ``handover.from_file`` and ``people.admit_file`` raise; for MLflow also Unreachable, and Unknown for a
    version in a form nobody here can read.
    """
    if what.startswith("models:/"):
        return _from_mlflow(house, model, what, now, override=override, trust=trust, by=by, reason=reason)
    if what == "newest" and of_this_house(what):
        what = newest_candidate(house, model, None).id
    if isinstance(known := house.journal.find(what), Candidate):
        if not override:
            raise EverloopError(f"{what} was judged here already. To let it in against its verdict: --override, --by and --reason.")
        letting_in(house, model, newest_verdict(house, model, known).id, by=by, reason=reason, now=now)
        return (newest_verdict(house, model, known),)
    file = Path(what)
    if file.suffix == ENDING:
        return from_file(house, model, file, now, override=override, trust=trust, by=by, reason=reason)
    return (admit_file(house, model, file, now, override=override, trust=trust, by=by, reason=reason),)


def _from_mlflow(house: House, model: Model, uri: str, now: datetime, *, override: bool, trust: bool, by: str, reason: str) -> Admitted:
    server = tracking_of(house)
    there = models.version_at(server, uri)
    folder = models.folder_of(server, there)
    files = server.files(folder)
    if DATA in files:
        data = server.file(f"{folder}/{DATA}")
        return taken_over(house, model, data, now, place=uri, override=override, trust=trust, by=by, reason=reason)
    name = next((name for name in FILES if name in files), None)
    if name is None:
        raise Unknown("model file in", uri, files[:10], next=f"It has to hold one of {', '.join(FILES)}.")
    with tempfile.TemporaryDirectory() as beside:
        file = Path(beside) / f"{Path(there.name).name} {there.number} of MLflow{FILES[name]}"
        file.write_bytes(server.file(f"{folder}/{name}"))
        return (admit_file(house, model, file, now, override=override, trust=trust, by=by, reason=reason),)


def of_this_house(what: str) -> bool:
    """Whether what is to be let in is a candidate of this house, said by its id or as the newest, and no file.

    >>> of_this_house("newest"), of_this_house("0f" * 8), of_this_house("model.skops")
    (True, True, False)
    """
    return (what == "newest" or re.fullmatch(r"[0-9a-f]{16}", what) is not None) and not Path(what).exists()
