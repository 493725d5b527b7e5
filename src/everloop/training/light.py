"""Loading a version without the library it was trained with: its compiled form from a folder beside the blobs, if there is one.

In: a candidate and a folder. Out: what answers, its golden rows checked. The folder is only a copy: without it every version is loaded as
it always was, and whoever has loaded one that way can put its compiled form there.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from everloop.errors import ArtefactBroken, EverloopError
from everloop.records import Candidate
from everloop.training.compiled import FORMAT, Compiled, compiled, load_compiled
from everloop.training.golden import check_golden, read_golden
from everloop.training.parity import alone_agrees, asked_again, differs, questions
from everloop.training.predictor import Answering, Predictor

PARITY = ".parity"
"""The ending of the file that says what came of comparing a version's compiled form with it."""
_SHA = re.compile(r"[0-9a-f]{64}")


class Parity(msgspec.Struct, frozen=True):
    """What came of comparing a compiled form with the version it was made from. ``logged``: how many rows that were really asked it was
    asked too (0: there were none); ``at``: when these were looked for, None: not yet."""

    agrees: bool
    """Whether there is a compiled form that may serve."""
    logged: int = 0
    at: datetime | None = None
    differs: str = ""
    """Which rows it answers differently; nothing where the version cannot be compiled at all."""

    def __str__(self) -> str:
        if self.differs:
            return f"It is answered as it was stored: its compiled form answers {self.differs} otherwise."
        if not self.agrees:
            return "It is answered as it was stored: it cannot be compiled."
        asked = "1 row that was" if self.logged == 1 else f"{self.logged:,} rows that were"
        compared = f" and {asked} really asked" if self.logged else "; of rows that were really asked there were none"
        return f"It is answered in compiled form, which agrees with it on golden and made-up rows{compared}."


def load_light(
    candidate: Candidate, open: Callable[[str], bytes], folder: Path, *, given: object = None, allow_pickle: bool = False
) -> Answering:
    """What answers for a candidate, its golden rows checked: compiled where that is in ``folder`` and holds, else as it was stored.

    ``open`` gives the bytes of a SHA-256; ``given`` is the model's own baseline object, where it has one. Raises ArtefactBroken.
    """
    made = find_compiled(candidate, folder)
    if made is not None:
        with suppress(EverloopError):
            _check(made, candidate, open)
            return made
    found = load_whole(candidate, open, given=given, allow_pickle=allow_pickle)
    _check(found, candidate, open)
    return found


def load_whole(candidate: Candidate, open: Callable[[str], bytes], *, given: object = None, allow_pickle: bool = False) -> Answering:
    """What answers for a candidate, as it was stored. Raises ArtefactBroken."""
    from everloop.training.stand_in import is_stand_in, really

    if candidate.format == "baseline" and candidate.stored is None:
        from everloop.training.baseline import beneath, load_baseline

        if is_stand_in(given := beneath(given)):
            project = really()
            given = project.model(candidate.model).baseline if project is not None else None
        return load_baseline(candidate, open, given)
    from everloop.training.artefact import load

    really()
    return load(candidate, open, allow_pickle=allow_pickle)


def compile_version(
    candidate: Candidate,
    open: Callable[[str], bytes],
    folder: Path,
    *,
    allow_pickle: bool = False,
    loaded: Answering | None = None,
    logged: Sequence[str] = (),
    at: datetime | None = None,
) -> Path | None:
    """Put a candidate's compiled form into ``folder``, unless it is there; where it is then, or None where there can be none.

    Loads the version as it was stored (``loaded``, where the caller has it) and compares the two: one that disagrees in a single answer
    is not kept, and not tried again; ``parity_of`` tells. ``logged``: features that were really asked, as the answers log has them, looked
    for ``at`` that instant; a compiled form that is there already is asked them too. Raises ArtefactBroken where the version itself cannot
    be loaded.
    """
    path, before = path_of(candidate, folder), parity_of(candidate, folder)
    if not can_be_compiled(candidate) or (before is not None and not before.agrees):
        return None
    there = find_compiled(candidate, folder)
    if there is not None and not logged:
        _note(path, Parity(True, before.logged if before else 0, at or (before.at if before else None)))
        return path
    whole = loaded if isinstance(loaded, Predictor) else load_whole(candidate, open, allow_pickle=allow_pickle)
    body = compiled(whole, artefact=candidate.artefact) if there is None else None
    made = load_compiled(body) if body is not None else there
    if made is None or not isinstance(whole, Predictor):
        _note(path, Parity(False))
        return None
    golden = read_golden(open(candidate.golden))[0] if candidate.golden is not None else None
    asked = asked_again(logged, made.feed, made.shape)
    wrong = differs(made, whole, golden, asked)
    _note(path, Parity(not wrong, questions(asked), at, wrong))
    if wrong:
        path.unlink(missing_ok=True)
        return None
    if body is not None:
        _write(path, body)
    return path


def parity_of(candidate: Candidate, folder: Path) -> Parity | None:
    """What came of comparing a candidate's compiled form with it; None where that was not done yet."""
    try:
        return msgspec.json.decode(path_of(candidate, folder).with_suffix(PARITY).read_bytes(), type=Parity)
    except (OSError, ValueError):
        return None


def can_be_compiled(candidate: Candidate) -> bool:
    """Whether there can be a compiled form at all: a baseline is small as it is, and pickle may hold anything.

    What is stored by skops, LightGBM or XGBoost may still turn out to be something nobody here knows.
    """
    return (candidate.stored or candidate.format) in ("skops", "lightgbm", "xgboost") and _SHA.fullmatch(candidate.artefact) is not None


def path_of(candidate: Candidate, folder: Path) -> Path:
    """Where the compiled form of a candidate is, if there is one."""
    return folder / f"{candidate.artefact}-{FORMAT}.compiled"


def find_compiled(candidate: Candidate, folder: Path) -> Compiled | None:
    """A candidate's compiled form; None where there is none, or a broken one."""
    if not can_be_compiled(candidate):
        return None
    parity = parity_of(candidate, folder)
    if parity is not None and not parity.agrees:
        return None
    try:
        made = load_compiled(path_of(candidate, folder).read_bytes(), artefact=candidate.artefact)
    except (OSError, ArtefactBroken):
        return None
    return made if made.shape == candidate.shape and made.columns == candidate.columns else None


def _check(found: Answering, candidate: Candidate, open: Callable[[str], bytes]) -> None:
    if candidate.golden is None:
        return
    body = open(candidate.golden)
    check_golden(found, body, where=candidate.id)
    if isinstance(found, Compiled) and not alone_agrees(found, read_golden(body)[0]):
        raise ArtefactBroken(f"The compiled form of {candidate.id} answers a single row otherwise. Delete it, and it is made again.")


def _note(path: Path, parity: Parity) -> None:
    _write(path.with_suffix(PARITY), msgspec.json.encode(parity))


def _write(path: Path, body: bytes) -> None:
    """Whole or not at all. It is a copy that can be made again: where there is no room for it, there is none."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(body)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
