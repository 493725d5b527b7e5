"""Gathering: what watching and deciding are shown of one model, put together from its answers, their truths, its training and the journal.

Nothing is judged here: ``monitor`` judges what is ``Seen``, ``decide`` decides by ``Memory``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop import rollout
from everloop.clock import EPOCH, microseconds
from everloop.features.compile import features as read_features
from everloop.features.truth import Truths, truths, with_told
from everloop.loop.answers import answers_of
from everloop.loop.decide import Memory
from everloop.loop.house import House
from everloop.loop.profiles import in_windows, reference_elsewhere, reference_of, windows_of
from everloop.loop.tell.answerable import is_elsewhere
from everloop.loop.tell.told import told_truths
from everloop.monitor.error import truth_span
from everloop.monitor.seen import Answered, Seen
from everloop.project.model import Model
from everloop.project.reading import Reading, leaves
from everloop.project.source import Source
from everloop.records import Candidate, Signals, Traffic, Verdict
from everloop.registry import history
from everloop.stats.blocks import periods
from everloop.stats.shapes import Answers, Paired, Strings
from everloop.training.rehearse import read_paired
from everloop.training.rehearse import truths as truth_array

LOOKS_BACK = timedelta(days=365)
UNTRAINED = ("baseline", "elsewhere")
FIRST, LAST = 4, 8  # periods a service elsewhere is held to: its own first, or the last of its version before
SLICES, VALUES = 8, 50  # how many columns are looked into for where it goes wrong, and of how many values each at most


def seen(house: House, model: Model, traffic: Traffic, *, now: datetime) -> Seen:
    """Everything watching is shown."""
    champion = house.champion(traffic)
    elsewhere = champion.format == "elsewhere"
    since = champion_since(house, traffic)
    # A service may be heard of late, and tell what it answered before that.
    beginning = now - LOOKS_BACK if elsewhere else max(min(since, began(house, traffic)), now - LOOKS_BACK)
    given = answers_of(house, model, since=beginning)
    told = told_of(house, model, given, now)
    mine = told.of(traffic.champion, beginning if elsewhere else since)
    reference = reference_of(house, model, champion) or (reference_elsewhere(house, model, traffic, given) if elsewhere else None)
    windows = windows_of(house, model, champion, reference, in_windows(model, given) if elsewhere else given)
    first, held = _first_and_rest(house, model, traffic, told, mine) if elsewhere else (None, mine)
    promised = _promised(house, traffic) if first is None else _answered(house, first, traffic.champion, NO_SLICES)
    slices = Slices.of(house, model, [*given.column("unit").to_pylist(), *(promised.units if promised else ())], now)
    newest = _newest(in_windows(model, given) if elsewhere else given)
    return Seen(
        reference=reference,
        windows=windows,
        answered=_answered(house, held, traffic.champion, slices),
        promised=replace(promised, groups={**slices.for_units(promised.units), **promised.groups}) if promised else None,
        live=_live(house, told, traffic, slices),
        coverage=float(mine.mature.mean()) if len(mine.table) else None,
        answers=len(newest),
        failed=failed(newest),
        microseconds=newest.column("microseconds").to_numpy().astype(np.int64),
        truths_since_training=_truths_since(mine, champion),
        last_trained_at=_last_trained(house, model),
        promoted_at=since,
    )


def memory(house: House, model: Model, traffic: Traffic, signals: Signals, *, now: datetime, cause: str) -> Memory:
    """What happened before, as far as it bears on what to do now."""
    waiting = house.approvals.waiting(model.name)
    learnt = [e.record for e in house.journal.read(kind="Candidate", model=model.name) if isinstance(e.record, Candidate)]
    trained = [c for c in learnt if c.format not in UNTRAINED]
    spent = sum(c.seconds for c in trained if c.made_at > now - timedelta(days=7))
    return Memory(
        cause=cause,
        last_trained_at=_last_trained(house, model),
        ever_learnt=_ever_learnt(house, model, traffic),
        truths=max((c.rows for c in learnt), default=0),
        waiting=waiting[0].decision if waiting else None,
        spent=timedelta(seconds=spent),
        plan=rollout.due(traffic, model.roll_out, now, bake=model.matures_after, signals=signals),
    )


def champion_since(house: House, traffic: Traffic) -> datetime:
    """Since when the champion of this traffic has answered everybody, without a break."""
    since = traffic.since
    for before in reversed(history.history(house.journal, traffic.model)):
        if before.champion != traffic.champion:
            break
        since = before.since
    return since


def began(house: House, traffic: Traffic) -> datetime:
    """When the roll-out under way began; the traffic's own beginning where there is none."""
    since = traffic.since
    for before in reversed(history.history(house.journal, traffic.model)):
        if not before.rolling:
            break
        since = before.since
    return since


@dataclass(frozen=True)
class Told:
    """Answers with what came of them: a mask of those whose truth is mature, and the truths, row for row."""

    table: pa.Table
    truth: NDArray[np.object_]
    mature: NDArray[np.bool_]

    @property
    def moments(self) -> NDArray[np.int64]:
        return np.asarray(self.table.column("moment").to_numpy(), dtype=np.int64)

    def of(self, version: str, since: datetime) -> Told:
        """What one version answered from an instant on, failures aside."""
        mask = pc.and_(pc.equal(self.table.column("version"), version), pc.is_null(self.table.column("error")))
        mask = pc.and_(mask, pc.greater_equal(self.table.column("answered_at"), microseconds(since)))
        rows = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
        return Told(self.table.take(pa.array(rows)), self.truth[rows], self.mature[rows])

    def take(self, rows: NDArray[np.int64]) -> Told:
        return Told(self.table.take(pa.array(rows)), self.truth[rows], self.mature[rows])

    def only_mature(self) -> Told:
        rows = np.flatnonzero(self.mature)
        return Told(self.table.take(pa.array(rows)), self.truth[rows], self.mature[rows])


def told_of(house: House, model: Model, given: pa.Table, now: datetime) -> Told:
    """Answers with their truths as known now, worked out once for each question. What somebody told (``loop.told``) wins over what the
    events say, and is mature at once; what is told to be void leaves."""
    if not len(given):
        return Told(given, np.zeros(0, dtype=object), np.zeros(0, dtype=bool))
    asked = given.select(["moment", "unit"]).group_by(["moment", "unit"], use_threads=False).aggregate([])
    found = _derived(house, model, asked, now)
    units, moments = asked.column("unit").to_pylist(), asked.column("moment").to_numpy().astype(np.int64)
    found = with_told(found, moments, units, told_truths(house, model, now), by_unit=isinstance(model.per, Source))
    known = truth_array(pa.table({"truth": found.truth}), model.shape)
    place = {key: i for i, key in enumerate(zip(asked.column("moment").to_pylist(), asked.column("unit").to_pylist(), strict=True))}
    rows = np.array([place[key] for key in zip(given.column("moment").to_pylist(), given.column("unit").to_pylist(), strict=True)])
    there = found.mature & ~found.void & np.asarray(found.truth.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    values = np.empty(len(known), dtype=object)
    values[:] = list(known)
    return Told(given, values[rows], there[rows])


def _derived(house: House, model: Model, asked: pa.Table, now: datetime) -> Truths:
    """What the events say came of these questions. Where not one event of what is predicted ever arrived, they say nothing, not zero."""
    sources = {reading.source.name for reading in leaves(model.predicts)}
    if any(house.lake.log.counters(name).last_seq for name in sources):
        return truths(model.predicts, questions_of(model, asked), house.tables(model), model=model, known_at=now)
    kind = {"ranking": pa.list_(pa.string()), "shares": pa.string()}.get(model.kind, pa.float64())
    none = np.zeros(len(asked), dtype=bool)
    return Truths(pa.nulls(len(asked), kind), none, none)


def questions_of(model: Model, asked: pa.Table) -> pa.Table:
    """The questions behind answers: their unit's columns again, and the row asked about."""
    parts = [unit.split("\x1f") for unit in asked.column("unit").to_pylist()]
    made = pa.table({"moment": asked.column("moment")})
    for i, column in enumerate(model.unit):
        made = made.append_column(column, pa.array([p[i] for p in parts], pa.string()))
    if isinstance(model.per, Source):
        made = made.append_column("row", asked.column("unit"))
    return made


def _answered(house: House, told: Told, version: str, slices: Slices) -> Answered | None:
    done = told.only_mature()
    if not len(done.table):
        return None
    shape = house.candidate(house.version(version).candidate).shape
    units = _units(done.table)
    return Answered(
        version=version,
        units=units,
        moments=done.table.column("moment").to_numpy().astype(np.int64),
        truth=as_truth(done.truth, shape.kind),
        answers=Answers.from_arrow(shape, done.table.column("answer")),
        groups=slices.for_units(units),
    )


def _promised(house: House, traffic: Traffic) -> Answered | None:
    """What the champion answered in the contest it won."""
    contest = house.contest_of(house.version(traffic.champion))
    if contest is None or contest.body is None:
        return None
    paired = read_paired(house.blobs.read(contest.body))
    return Answered(
        version=traffic.champion,
        units=paired.units,
        moments=paired.moments,
        truth=paired.truth,
        answers=paired.candidate,
        groups=paired.groups,
    )


def _first_and_rest(house: House, model: Model, traffic: Traffic, told: Told, mine: Told) -> tuple[Told | None, Told]:
    """What a service elsewhere can be held to, for no contest promised anything: what the version of it before did in its last eight
    periods, or else what this one did in its own first four; and the answers that are held to it.
    """
    span = truth_span(model)
    before = _service_before(house, traffic)
    if before is not None:
        theirs = told.of(before, EPOCH).only_mature()
        which = periods(theirs.moments, span)
        if which.max(initial=-1) + 1 >= FIRST:
            return theirs.take(np.flatnonzero(which > which.max() - LAST)), mine
    own = mine.only_mature()
    which = periods(own.moments, span)
    if which.max(initial=-1) < FIRST:
        return None, mine
    begins = own.moments[which == FIRST].min()
    return own.take(np.flatnonzero(which < FIRST)), mine.take(np.flatnonzero(mine.moments >= begins))


def _service_before(house: House, traffic: Traffic) -> str | None:
    """The version of a service elsewhere that answered before this one; None where another kind did."""
    lived = [t.champion for t in history.history(house.journal, traffic.model)]
    before = next((version for version in reversed(lived) if version != traffic.champion), None)
    return before if is_elsewhere(house, before) else None


def _live(house: House, told: Told, traffic: Traffic, slices: Slices) -> Paired | None:
    """Old and new on the same questions since the roll-out began, where the truth is mature."""
    old, new = {
        "shadow": (traffic.champion, traffic.candidate),
        "canary": (traffic.champion, traffic.candidate),
        "bake": (traffic.previous, traffic.champion),
    }.get(traffic.stage, (None, None))
    if old is None or new is None:
        return None
    since = began(house, traffic)
    one, other = told.of(old, since).only_mature(), told.of(new, since).only_mature()
    keys = [list(zip(t.table.column("moment").to_pylist(), t.table.column("unit").to_pylist(), strict=True)) for t in (one, other)]
    place = {key: i for i, key in enumerate(keys[1])}
    rows = [(i, place[key]) for i, key in enumerate(keys[0]) if key in place]
    if not rows:
        return None
    left, right = (np.array(side) for side in zip(*rows, strict=True))
    shapes = [house.candidate(house.version(v).candidate).shape for v in (old, new)]
    table = one.table.take(pa.array(left))
    units = _units(table)
    return Paired(
        units,
        table.column("moment").to_numpy().astype(np.int64),
        as_truth(one.truth[left], shapes[1].kind),
        Answers.from_arrow(shapes[0], table.column("answer")),
        Answers.from_arrow(shapes[1], other.table.take(pa.array(right)).column("answer")),
        slices.for_units(units),
    )


@dataclass(frozen=True)
class Slices:
    """The categories known of each unit, so that where it goes wrong can be said: ``values`` by column, at a unit's ``place``."""

    place: Mapping[str, int]
    values: Mapping[str, list[str | None]]

    @staticmethod
    def of(house: House, model: Model, units: Iterable[str], now: datetime) -> Slices:
        """Few-valued text columns of the sources the units are found in, read once."""
        readings = [] if isinstance(model.per, Source) else list(_categories(model))[:SLICES]
        names = list(dict.fromkeys(units))
        if not readings or not names:
            return Slices({}, {})
        asked = pa.table({"moment": pa.array(np.full(len(names), microseconds(now)), pa.int64()), "unit": pa.array(names, pa.string())})
        found = read_features(readings, questions_of(model, asked), house.tables(model), model=model)
        values = {reading.columns[0]: found.column(reading.name).to_pylist() for reading in readings}
        return Slices({name: i for i, name in enumerate(names)}, {c: v for c, v in values.items() if len(set(v)) <= VALUES})

    def for_units(self, units: Iterable[str]) -> dict[str, Strings]:
        """The categories of these units, row for row."""
        rows = [self.place[unit] for unit in units] if self.values else []
        return {column: np.array([*(values[i] for i in rows), None], dtype=object)[:-1] for column, values in self.values.items()}


NO_SLICES = Slices({}, {})


def _categories(model: Model) -> Iterator[Reading]:
    for source in model.sources:
        if set(model.unit) <= set(source.every_column) and source.id != model.unit:
            for column, kind in source.columns.items():
                hidden = column in (*model.unit, *source.id, *source.private) or column.endswith("_id")
                if kind is str and not hidden:
                    yield source.latest(column)


def _units(table: pa.Table) -> Strings:
    return np.array([*table.column("unit").to_pylist(), None], dtype=object)[:-1]


def as_truth(truth: NDArray[np.object_], kind: str) -> NDArray[np.object_] | NDArray[np.float64]:
    """Truths as measures take them."""
    return truth if kind in ("ranking", "shares") else truth.astype(np.float64)


def _newest(given: pa.Table) -> pa.Table:
    """The answers of the newest moment that were given to somebody."""
    served = given.filter(pc.not_equal(given.column("arm"), "shadow"))
    if not len(served):
        return served
    return served.filter(pc.equal(served.column("moment"), pc.max(served.column("moment"))))


def failed(given: pa.Table) -> int:
    """How many of these are failures."""
    return int(pc.sum(pc.is_valid(given.column("error"))).as_py() or 0)


def _truths_since(told: Told, champion: Candidate) -> int:
    """Truths that matured after the champion learnt."""
    if champion.learnt_until is None:
        return int(told.mature.sum())
    moments = told.table.column("moment").to_numpy()
    return int((told.mature & (moments > microseconds(champion.learnt_until))).sum())


def _last_trained(house: House, model: Model) -> datetime | None:
    for entry in house.journal.read(kind="Candidate", model=model.name, newest_first=True):
        if isinstance(entry.record, Candidate) and entry.record.format not in UNTRAINED:
            return entry.record.made_at
    return None


def _ever_learnt(house: House, model: Model, traffic: Traffic) -> bool:
    """Whether something learnt has ever been let in. What was let in and taken back was learnt all the same."""
    return any(isinstance(house.verdict(v.verdict), Verdict) for v in house.versions.all(model.name))
