"""The drill: a backup is restored into a folder that goes again, and the house there is asked what was answered before the backup.

Answers that were logged are asked once more, of the version that gave them, from features read again in the restored lake as far as each
source had been read then. They have to be the same to the last bit. Nobody is told of anything, and nothing is written outside the folder.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import Unknown
from everloop.features.as_of import featured
from everloop.features.reader import Reader
from everloop.features.spine import Spine
from everloop.features.steps import stepped
from everloop.loop.answers import answers_of
from everloop.loop.backup.restore import Restored, alone_in, restore
from everloop.loop.house import House, open_house
from everloop.loop.reread import Served, cuts, questions_of, with_private
from everloop.loop.serve.asked import with_carts
from everloop.loop.skew import served_of
from everloop.project.model import Model
from everloop.serving.answered import ANSWER
from everloop.stats.shapes import paths
from everloop.training.predictor import CART, Answering

MOST = 1_000
"""So many of a model's newest answers are asked again."""


@dataclass(frozen=True)
class Asked:
    """One model's answers asked again: how many were the ``same`` to the last bit, which were ``other`` (their ids), and how many cannot be
    asked again (they carry features of their own, or were given elsewhere)."""

    model: str
    same: int
    other: tuple[str, ...]
    unasked: int

    def __str__(self) -> str:
        beside = f"; {self.unasked:,} cannot be asked again" if self.unasked else ""
        if self.other:
            return f"{self.model}: {len(self.other):,} of {self.same + len(self.other):,} answers differ, first {self.other[0]}{beside}."
        return f"{self.model}: {self.same:,} answers the same to the last bit{beside}."


@dataclass(frozen=True)
class Drilled:
    """What a drill came to. ``seconds`` are how long the restoring took."""

    restored: Restored
    models: tuple[Asked, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing differed."""
        return not any(one.other for one in self.models)

    def __str__(self) -> str:
        r = self.restored
        journal = f"{r.head.seq:,} records to the head {r.head.hash[:12]}…"
        head = f"{r.id} was restored in {self.seconds:.1f} s: {journal}, {len(r.manifest.tables)} tables."
        again = f"\n  {len(r.again)} people were forgotten again." if r.again else ""
        return "\n  ".join([head, *map(str, self.models)]) + again


def drill(house: House, frm: str, *, backup: str | None = None, now: datetime) -> Drilled:
    """Restore a backup of this house (the newest) into a folder that goes again, and ask what it answered.

    Raises as ``restore`` does, and ArtefactBroken where what answered does not answer its golden rows any more."""
    with tempfile.TemporaryDirectory(prefix="everloop-drill-") as folder:
        alone = alone_in(house.settings, Path(folder, "house"))
        began = time.monotonic()
        restored = restore(house.project, alone, frm, backup=backup, now=now)
        took = time.monotonic() - began
        copy = open_house(house.project, settings=alone, turned=True)
        try:
            models = tuple(ask_again(copy, model) for model in copy.project.models.values())
        finally:
            copy.lake.log.close()
            copy.store.close()
    return Drilled(restored, models, took)


def ask_again(house: House, model: Model, *, most: int = MOST) -> Asked:
    """Ask what was answered last once more, in a house as it stands; nothing is written."""
    given = answers_of(house, model)
    given = given.filter(pc.is_null(given.column("error"))).sort_by([("answered_at", "ascending"), ("id", "ascending")])
    given = given.slice(max(0, len(given) - most))
    logged = dict(zip(given.column("id").to_pylist(), given.column("answer").to_pylist(), strict=True))
    found: dict[str, object] = {}
    served = list(served_of(given))
    for some in _alike(served):
        for row, answer in _answered(house, model, some, logged):
            found[row.id] = answer
    other = tuple(id for id, answer in found.items() if not same(answer, logged[id]))
    return Asked(model.name, len(found) - len(other), other, len(given) - len(found))


def _alike(served: Sequence[Served]) -> list[list[Served]]:
    """Answers of one version whose requests said the same words."""
    groups: dict[object, list[Served]] = {}
    for row in served:
        groups.setdefault((row.version, tuple(row.request)), []).append(row)
    return list(groups.values())


def _answered(house: House, model: Model, served: Sequence[Served], logged: Mapping[str, object]) -> Iterator[tuple[Served, object]]:
    """Each answer with what the version says now."""
    try:
        candidate = house.candidate(house.version(served[0].version).candidate)
    except Unknown:  # given elsewhere, by a version nobody here let in
        return
    if candidate.format == "elsewhere":
        return
    predictor = house.predictor(candidate)
    tables = house.tables(model)
    for part, cut in cuts(model, with_private(model, served, tables, house.salt), tables):
        with Reader(cut) as reader:
            asked = questions_of(model, part)
            carts = [list(row.request.get(CART) or []) for row in part] if CART in part[0].request else []  # type: ignore[call-overload]
            read = with_carts(featured(reader, Spine(model, stepped(model, asked)), carts)[0], carts)
            features = house.with_columns_of(model, candidate, read, partial(_as_cut, cut), asked)
        yield from zip(part, _said(predictor, features, len(part), [logged[row.id] for row in part], model.steps), strict=True)


def _as_cut(cut: Mapping[str, pa.Table], _model: Model) -> Mapping[str, pa.Table]:
    return cut


def _said(predictor: Answering, features: pa.Table, many: int, logged: Sequence[object], steps: int) -> list[object]:
    """What is said of each question: of all at once, and of those where that differs from what was logged one by one.

    A product of matrices may round otherwise for one row than for many, and answers are given in both ways.
    """
    there = pc.unique(features.column("question")).to_pylist()

    def ask(rows: pa.Table) -> pa.StructArray:
        return paths(predictor.answer(rows), steps).to_arrow().cast(ANSWER)

    said = dict(zip(there, ask(features).to_pylist(), strict=True)) if there else {}
    for at in there:
        if not same(said[at], logged[at]):
            alone = features.filter(pc.equal(features.column("question"), at))
            said[at] = ask(alone)[0].as_py()
    return [said.get(at) for at in range(many)]


def same(one: object, other: object) -> bool:
    """Whether two answers are equal to the last bit.

    >>> same({"value": 0.1}, {"value": 0.1}), same({"value": 0.1}, {"value": 0.1 + 2e-17})
    (True, False)
    """
    return _bits(one) == _bits(other)


def _bits(answer: object) -> object:
    if isinstance(answer, dict):
        return {name: _bits(value) for name, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [_bits(value) for value in answer]
    return np.float64(answer).tobytes() if isinstance(answer, float) else answer
