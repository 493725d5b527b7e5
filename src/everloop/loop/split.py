"""The split of a roll-out as it came about: which units were met, under which share, whose they are, and which of their answers failed.

Whose a unit is follows from its hash alone, never from who answered it in the end: a candidate that fails, and is answered for by the
champion, keeps its failures. Nothing is judged here; ``rollout.verdict`` judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import microseconds
from everloop.features.compile import features as read_features
from everloop.features.reader import Reader
from everloop.features.spine import Spine, as_text, carry
from everloop.features.truth import truths
from everloop.loop.asked import questions_of
from everloop.loop.brought import brought
from everloop.loop.house import House
from everloop.loop.truths import as_truth, told_of
from everloop.monitor.maturity import NEVER
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Arithmetic, Reading
from everloop.project.resolve import keys
from everloop.project.shape import turned_back
from everloop.records import MOST_CANDIDATES, Traffic, candidate_arms
from everloop.registry import history
from everloop.rollout.assign import arm_of, chance, compared
from everloop.rollout.verdict import Units
from everloop.stats.known import answered
from everloop.stats.measures import Measure
from everloop.stats.shapes import Answers, Floats, of_a_step

QUANTILE = 0.995  # of a figure before the start: what lies above counts as this
SERVED = ("champion", *candidate_arms(MOST_CANDIDATES))
READ = ["version", "arm", "unit", "moment", "answered_at", "answer", "microseconds", "error"]  # never features: they are most of the log


@dataclass(frozen=True)
class Met:
    """Units of a split, each once. ``first`` is the row of ``answers`` each was met by; ``rows`` are all its answers since, with the place
    of their unit in ``owner``; of answers only those that were given to somebody, or should have been."""

    units: Units
    answers: pa.Table
    first: NDArray[np.int64]
    rows: NDArray[np.int64]
    owner: NDArray[np.int64]

    def befell(self, where: NDArray[np.bool_]) -> Floats:
        """Which units ((n,) 1 or 0) have an answer of their own version where a mask over ``rows`` holds."""
        found = np.zeros(len(self.units))
        found[self.owner[where]] = 1.0
        return found

    def by_own_version(self, traffic: Traffic) -> NDArray[np.bool_]:
        """Which of ``rows`` the version answered, or failed to answer, whose the unit is."""
        rows = self.answers.take(pa.array(self.rows))
        version = np.array(rows.column("version").to_pylist(), dtype=object)
        own = np.where(self.units.candidate[self.owner], str(traffic.candidate), traffic.champion)
        return np.asarray(version == own, dtype=bool)


def lived(house: House, traffic: Traffic) -> tuple[Traffic, ...]:
    """The traffics of the roll-out under way, oldest first, each with the same candidate as the one whose units are told."""
    lived_ = (t for t in history.history(house.journal, traffic.model) if t.salt == traffic.salt and traffic.candidate in t.candidates)
    return tuple(replace(t, candidate=traffic.candidate) for t in lived_)


def split_before(house: House, traffic: Traffic) -> Traffic:
    """The last traffic that split units, of a version that bakes; any other traffic is itself. A version that was never rolled out step by
    step has none, and bakes alone."""
    if traffic.stage != "bake":
        return traffic
    for before in reversed(history.history(house.journal, traffic.model)):
        if before.stage != "bake":
            split = before.stage == "canary" and traffic.champion in before.candidates
            return replace(before, candidate=traffic.champion) if split else traffic
    return traffic


def met(house: House, model: Model, steps: Sequence[Traffic], given: pa.Table, *, adaptive: bool = False) -> Met:
    """The units that answers since the roll-out began were given to while it split them.

    A unit is met by the first answer after a share covers it. Of a test of several only the units of the champion are, and those drawn for
    the candidate that ``steps`` name; who was drawn for another counts no more, also when this one goes on alone. Beyond
    a share of one half a rising share moves units to the candidate: these are left out, by their hash, which knows nothing of what befell
    them.

    ``adaptive``: where shares move by what befell units, leaving out whom they moved would itself be moved by it. There every unit counts
    for the version it was first given to, at the chance in force then, whatever answers it later; what failed or was slow counts only
    until the share moves again.
    """
    shares = [step for step in steps if step.stage == "canary"]
    answers = given.select(READ).filter(pc.is_in(given.column("arm"), value_set=pa.array(SERVED)))
    answers = answers.sort_by([("answered_at", "ascending"), ("unit", "ascending"), ("arm", "ascending")])
    at = answers.column("answered_at").to_numpy().astype(np.int64)
    epoch = np.searchsorted(np.array([microseconds(s.made_at) for s in shares], dtype=np.int64), at, side="right") - 1
    names = np.array([*split_units(house, model, answers), None], dtype=object)[:-1]
    first: dict[str, tuple[int, bool, float]] = {}
    place: dict[str, int] = {}
    tried: set[tuple[str, int]] = set()
    for row in np.flatnonzero(epoch >= 0).tolist():
        name, step = names[row], shares[epoch[row]]
        if name is None or name in place or (name, step.generation) in tried:
            continue
        tried.add((name, step.generation))
        if compared(name, step):
            likely, version = chance(step, None if adaptive else shares[-1]), step.by_arm[arm_of(name, step)]
            stays = (adaptive or version == _version(name, shares[-1])) and 0 < likely < 1 and version in (step.champion, step.candidate)
            place[name] = len(first) if stays else -1
            if stays:
                first[name] = (row, version == step.candidate, likely)
    begun = np.array([row for row, _, _ in first.values()], dtype=np.int64)
    owner = np.array([place.get(name, -1) for name in names], dtype=np.int64)
    theirs = owner >= 0
    theirs[theirs] = np.flatnonzero(theirs) >= begun[owner[theirs]] if len(begun) else False
    if adaptive and len(begun):
        theirs[theirs] = epoch[theirs] == epoch[begun[owner[theirs]]]
    generation = np.array([s.generation for s in shares], dtype=np.int64)
    units = Units(
        generation[epoch[begun]] if len(begun) else begun,
        np.array([mine for _, mine, _ in first.values()], dtype=bool),
        np.array([likely for _, _, likely in first.values()], dtype=np.float64),
    )
    return Met(units, answers, begun, np.flatnonzero(theirs), owner[theirs])


def _version(unit: str, traffic: Traffic) -> str:
    return traffic.by_arm[arm_of(unit, traffic)]


def split_units(house: House, model: Model, answers: pa.Table) -> list[str | None]:
    """Who each answer's version was chosen for: its unit, or what ``split_by`` says."""
    units: list[str | None] = answers.column("unit").to_pylist()
    if model.split_by is None or not units:
        return units
    asked = answers.select(["moment", "unit"]).group_by(["moment", "unit"], use_threads=False).aggregate([])
    with Reader(house.tables(model)) as reader:
        spine = carry(reader, Spine(model, questions_of(model, asked)), [model.split_by])
    said = as_text(spine.questions.column(model.split_by)).to_pylist()
    known = dict(zip(zip(asked.column("moment").to_pylist(), asked.column("unit").to_pylist(), strict=True), said, strict=True))
    return [known[key] for key in zip(answers.column("moment").to_pylist(), units, strict=True)]


# -- figures of what people then do --------------------------------------------------------------------------------------------------


def figures(house: House, model: Model, reading: AnyReading, answers: pa.Table, now: datetime) -> tuple[Floats, NDArray[np.bool_]]:
    """What the units of these answers did after each was given (NaN: nothing to tell), and where the window is closed, late rows included.

    ``answers`` has a row for each unit: ``answered_at``, ``moment`` and ``unit``. Yes and no are 1 and 0.
    """
    asked = _after(house, model, answers)
    tables, came = house.tables(model), brought(house, model, now)
    found = truths(_of_split(model, reading), asked, tables, model=_never_void(model), known_at=now, delivered=came)
    values = found.truth.to_numpy(zero_copy_only=False).astype(np.float64)
    return values, found.mature


def cap(house: House, model: Model, reading: AnyReading, answers: pa.Table, at: datetime) -> float | None:
    """What a figure counts for at most: its 99.5 % quantile, over the units of these answers that had any, as it was before an instant.

    The same figure turned back, so that it is known before the start and nobody's arm can bear on it. None where nobody had any.
    """
    back = turned_back(reading)
    if back is None or not len(answers):
        return None
    at_once = pa.array(np.full(len(answers), microseconds(at)), pa.int64())
    asked = _after(house, model, answers.set_column(answers.schema.get_field_index("answered_at"), "answered_at", at_once))
    values = read_features([_of_split(model, back)], asked, house.tables(model), model=model).column(0)
    there = values.drop_null().to_numpy().astype(np.float64)
    there = there[there > 0]
    return float(np.quantile(there, QUANTILE)) if len(there) else None


def sizes(house: House, model: Model, by: Measure, answers: pa.Table, known: datetime) -> tuple[Floats, NDArray[np.bool_]]:
    """What each answer (n,) lost or won by its own truth, and whether that is mature; of a path the mean over the steps that are not void,
    once nothing more is waited for."""
    told = told_of(house, model, answers, known)
    answers = told.table
    found, mature = np.zeros(len(answers)), told.mature.copy()
    versions = np.array([*answers.column("version").to_pylist(), None], dtype=object)[:-1]
    for version in sorted(set(versions.tolist())):
        rows = np.flatnonzero((versions == version) & told.mature)
        shape = of_a_step(house.candidate(house.version(version).candidate).shape)
        given = Answers.from_arrow(shape, answers.column("answer").take(pa.array(rows)))
        truth = as_truth(told.truth[rows], shape.kind)
        judged_rows = answered(given)
        mature[rows[~judged_rows]] = False
        found[rows[judged_rows]] = by.parts(truth[judged_rows], given.take(judged_rows))[0]
    if model.steps == 1:
        return found, mature
    counts, over = mature.reshape(-1, model.steps).sum(axis=1), (told.known_at < NEVER).reshape(-1, model.steps).all(axis=1)
    return np.where(mature, found, 0.0).reshape(-1, model.steps).sum(axis=1) / np.maximum(counts, 1), over & (counts > 0)


def _after(house: House, model: Model, answers: pa.Table) -> pa.Table:
    """Questions at the instants at which these answers were given, with whom the figure is read per."""
    asked = questions_of(model, answers.select(["moment", "unit"]))
    if model.split_by is not None and model.split_by not in asked.column_names:
        asked = asked.append_column(model.split_by, pa.array(split_units(house, model, answers), pa.string()))
    return asked.set_column(asked.column_names.index("moment"), "moment", answers.column("answered_at"))


def _of_split(model: Model, reading: AnyReading) -> AnyReading:
    """The same figure, read per unit of the split."""
    if isinstance(reading, Arithmetic):
        left, right = (side if isinstance(side, int | float) else _of_split(model, side) for side in (reading.left, reading.right))
        return replace(reading, left=left, right=right)
    if isinstance(reading, Reading) and reading.verb not in ("given", "outcome"):
        by = keys(model, reading, figure=True)
        return reading if by is None else replace(reading, per=by, label=None)
    return reading


def _never_void(model: Model) -> Model:
    """The model, without what voids its own truths: a figure is another."""
    return model.but(model.name, void_when=()) if model.void_when else model
