"""Reproducing: a version made again from its record, in this house as it stands, and compared with what was let in. Changes nothing.

The rows are read from the snapshot again, the learner learns from the rows that were kept, in a child of its own with the seed of then, and
both models are asked about every one of those rows. Where something differs, it is said what was otherwise then.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from everloop.clock import said
from everloop.connect.mlflow.learner import unheard
from everloop.errors import EverloopError, Unknown
from everloop.loop.house import House, load_any
from everloop.loop.learnt import changed_at
from everloop.loop.lineage import handover_of, snapshot_of, training_set_of, version_named
from everloop.loop.tell import told
from everloop.loop.training_sets import of_snapshot
from everloop.loop.wiring import learnt
from everloop.project.learner import learner_repr
from everloop.project.model import Model
from everloop.records import Candidate, Decision, Redaction, TrainingSet, Version, identity
from everloop.registry.store import BlobStore
from everloop.settings import NOT_THE_CODE
from everloop.stats.rounded import figure
from everloop.stats.shapes import Answers
from everloop.training.environment import environment
from everloop.training.searched import Searched, parameters_said, searched_in


@dataclass(frozen=True)
class Again:
    """One version made again. ``rows``: whether the snapshot gives the rows it learnt from; None where there is none to read. ``artefact``
    and ``made`` are SHA-256. Of ``asked`` rows ``differing`` are answered otherwise in any bit, at most by ``largest``."""

    version: str
    training_set: str
    learn_rows: int
    rows: bool | None
    artefact: str
    made: str
    asked: int
    differing: int
    largest: float | None
    otherwise: tuple[str, ...]
    redacted: tuple[str, ...] = ()
    """The records of those who were erased since from what it learnt from."""

    @property
    def same(self) -> bool:
        """Whether it answers as the one that was let in, to the last bit, and its rows are those of the snapshot."""
        return self.differing == 0 and self.rows is not False

    def __str__(self) -> str:
        head = f"{self.version} was made again from training set {self.training_set} ({self.learn_rows:,} rows learnt from)."
        rows = {
            True: "The snapshot gives the same rows.",
            False: "The snapshot gives other rows now.",
            None: "There is no snapshot of its rows.",
        }
        bytes_ = "the same bytes" if self.artefact == self.made else f"other bytes ({self.made[:12]}, not {self.artefact[:12]})"
        answers = f"It is {bytes_} and answers all {self.asked:,} rows the same to the last bit."
        if self.differing:
            by = "" if self.largest is None else f", by up to {figure(self.largest)}"
            answers = f"It is {bytes_} and answers {self.differing:,} of {self.asked:,} rows otherwise{by}."
        lines = [head, rows[self.rows], answers]
        gone = len(self.redacted)
        if gone:
            whom = "Somebody was" if gone == 1 else f"{gone:,} people were"
            records = f"{', '.join(self.redacted[:3])}{' …' if gone > 3 else ''}"
            lines.append(f"{whom} erased since from what it learnt from ({records}), so it cannot be made as it was.")
        return "\n".join([" ".join(lines), *(f"  ! {one}" for one in self.otherwise)])


def reproduce(house: House, model: Model, name: str) -> Again:
    """Make the version of this name again, and compare. Raises Unknown for one that was not learnt here, EverloopError where the project
    file has another learner now, LearnerFailed where the learner fails."""
    version = version_named(house, model, name)
    candidate = house.candidate(version.candidate)
    if (came := handover_of(house, candidate)) is not None:
        raise Unknown("training of", name, where="this house", next=f"It was learnt elsewhere, as {came.version}: reproduce it there.")
    if "identity" not in json.loads(candidate.parameters):
        raise Unknown("training of", name, where="this house", next=f"It was not learnt here: {candidate.learner}.")
    training_set = training_set_of(house, candidate, name)
    found = searched_in(model, candidate.parameters)
    _same_learner(model, candidate, name, found)
    contest = house.contest_of(version)
    made, asked, differing, largest = house.in_child(
        partial(
            _made,
            model,
            house.blobs,
            training_set,
            candidate,
            champion=house.candidate(contest.champion) if contest else None,
            searched=found,
            allow_pickle=house.settings.pickle,
            mirrored=house.settings.mlflow is not None,
        ),
        rows=training_set.learn_rows,
    )
    return Again(
        version=name,
        training_set=training_set.id,
        learn_rows=training_set.learn_rows,
        rows=_rows_again(house, model, version, training_set),
        artefact=candidate.artefact,
        made=made,
        asked=asked,
        differing=differing,
        largest=largest,
        otherwise=tuple(_otherwise(house, model, candidate)),
        redacted=redacted(house, training_set),
    )


def redacted(house: House, training_set: TrainingSet) -> tuple[str, ...]:
    """The records of those who were erased from a training set, or from the snapshot it was read from, since it was made."""
    made = {training_set.id, *training_set.made_from}
    there = [entry.record for entry in house.journal.read(kind="Redaction")]
    return tuple(r.id for r in there if isinstance(r, Redaction) and (made.intersection(r.made_from) or not r.person))


def _same_learner(model: Model, candidate: Candidate, name: str, found: Searched | None) -> None:
    if parameters_said(model.learner, found) == candidate.parameters:
        return
    back = f"git checkout {candidate.commit}" if candidate.commit else "bring back the project file of then"
    raise EverloopError(
        f"{name} was learnt by {candidate.learner}, and the project file says {learner_repr(model.learner)} now, so it cannot be made "
        f"again by this file. Next: {back}, and then: everloop reproduce {name}"
    )


def _rows_again(house: House, model: Model, version: Version, training_set: TrainingSet) -> bool | None:
    """Whether what had happened then gives the rows that were kept, read as the project file says today."""
    snapshot = snapshot_of(house, training_set)
    if snapshot is None:
        return None
    decision = next((r for r in map(house.journal.find, training_set.made_from) if isinstance(r, Decision)), None)
    contest, bodies = house.contest_of(version), dict[str, bytes]()
    kept = house.table(training_set)
    again = of_snapshot(
        house,
        model,
        snapshot,
        now=training_set.made_at,
        id=training_set.id,
        save=lambda body: _saved(bodies, body),
        learn_from=(decision.learn_from if decision else None) or changed_at(house, model, until=training_set.made_at),
        judge_after=house.candidate(contest.champion).learnt_until if contest else None,
        max_questions=_at_most(kept),
        seed=int(training_set.id[:8], 16) % 2**31,
        told=told.told_by(house, snapshot, model, training_set.made_at),
    )
    return again.body == training_set.body or pq.read_table(pa.BufferReader(bodies[again.body])).equals(kept)


def _made(
    model: Model,
    blobs: BlobStore,
    training_set: TrainingSet,
    candidate: Candidate,
    *,
    champion: Candidate | None,
    searched: Searched | None,
    allow_pickle: bool,
    mirrored: bool,
) -> tuple[str, int, int, float | None]:
    """In a child: the SHA-256 of what is learnt now, the rows asked about, how many are answered otherwise, and by how much at most."""
    bodies: dict[str, bytes] = {}
    words = {"seed": candidate.seed, "id": candidate.id, "now": candidate.made_at, "searched": searched, "allow_pickle": allow_pickle}
    with unheard(mirrored):
        made = learnt(model, blobs, training_set, champion=champion, save=partial(_saved, bodies), **words)  # type: ignore[arg-type]
    table = pq.read_table(pa.BufferReader(blobs.read(training_set.body)))
    then = load_any(candidate, blobs.read, given=model.baseline, allow_pickle=allow_pickle).answer(table)
    now = load_any(made, bodies.__getitem__, given=model.baseline, allow_pickle=allow_pickle).answer(table)
    otherwise = bits_differ(then, now)
    gap = np.abs(then.value - now.value)[otherwise] if len(otherwise) == len(then) == len(now) else np.zeros(0)
    gap = gap[np.isfinite(gap)]
    return made.artefact, len(then), int(otherwise.sum()), float(gap.max()) if len(gap) else None


def bits_differ(one: Answers, other: Answers) -> NDArray[np.bool_]:
    """Which answers (n,) are not the same to the last bit; all of them where there are not as many. Nothing and nothing are the same.

    >>> from everloop.records import Shape
    >>> number = Shape(kind="number")
    >>> bits_differ(Answers(number, np.array([1.0, np.nan, 3.0])), Answers(number, np.array([1.0, np.nan, 3.0 + 2**-50])))
    array([False, False,  True])
    """
    if one.shape != other.shape or len(one) != len(other):
        return np.ones(max(len(one), len(other)), dtype=np.bool_)
    found = _unlike(one.value, other.value)
    if one.values is not None and other.values is not None:
        found |= _unlike(one.values, other.values).any(axis=1)
    for mine, yours in ((one.items, other.items), (one.scores, other.scores)):
        if mine is not None and yours is not None:
            found |= np.array([list(a) != list(b) for a, b in zip(mine, yours, strict=True)], dtype=np.bool_)
    return found


def _unlike(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    either: NDArray[np.bool_] = (one != other) & ~(np.isnan(one) & np.isnan(other))
    return either


def _otherwise(house: House, model: Model, candidate: Candidate) -> list[str]:
    """What is otherwise here than where and when it was learnt."""
    here = environment(house.settings.folder, house.settings.ran_by)
    then, now = dict(candidate.environment), dict(here.versions)
    names = [name for name in {**then, **now} if then.get(name) != now.get(name) and name not in NOT_THE_CODE]
    found = [f"{name} is {now.get(name, 'not installed')}; it was {then.get(name, 'not installed')}" for name in names]
    if candidate.definition != identity(model.said):
        found.append(f"the project file says otherwise of {model.name} than it did on {said(candidate.made_at)}")
    if (here.commit, here.dirty) != (candidate.commit, candidate.dirty) and candidate.commit is not None:
        found.append(f"the code stands at {here.commit or 'no commit'}{', changed' if here.dirty else ''}; it was at {candidate.commit}")
    return found


def _at_most(table: pa.Table) -> int | None:
    """How many questions a training set was held to, as its file tells."""
    said_ = (table.schema.metadata or {}).get(b"everloop")
    return None if said_ is None else json.loads(said_).get("at_most")


def _saved(bodies: dict[str, bytes], body: bytes) -> str:
    sha = hashlib.sha256(body).hexdigest()
    bodies[sha] = body
    return sha
