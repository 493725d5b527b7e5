"""Gathering: what watching and deciding are shown of one model, put together from its answers, their truths, its training and the journal.

Nothing is judged here: ``monitor`` judges what is ``Seen``, ``decide`` decides by ``Memory``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop import rollout
from everloop.clock import EPOCH, microseconds
from everloop.features.compile import features as read_features
from everloop.features.truth import Truths, rows_of, truths, with_told
from everloop.loop.answers import answers_of
from everloop.loop.asked import questions_of
from everloop.loop.detected import alarms, followed_before
from everloop.loop.figures import confidences, figures_of, with_groups
from everloop.loop.findings import findings_now
from everloop.loop.foreseen import foresee, promised_known, with_known
from everloop.loop.govern import Memory
from everloop.loop.hints import hints_of
from everloop.loop.house import House
from everloop.loop.profiles import in_windows, profiles_of
from everloop.loop.tell.answerable import is_elsewhere
from everloop.loop.tell.told import told_truths
from everloop.loop.year_ago import year_ago
from everloop.monitor.deployed import SOON
from everloop.monitor.error import truth_span
from everloop.monitor.maturity import NEVER, Maturity, maturity, window_span
from everloop.monitor.seen import Answered, Seen, Served
from everloop.project.model import Model
from everloop.project.reading import Reading, leaves
from everloop.project.shape import figures_known_after
from everloop.project.source import Source
from everloop.records import Approval, Candidate, Decision, Signals, Traffic, Verdict
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
    ripe = maturity_of(model, mine, now)
    reference, windows, seasons = profiles_of(house, model, traffic, given)
    done = in_mature_windows(model, mine, ripe)
    first, held = _first_and_rest(house, model, traffic, told, done) if elsewhere else (None, done)
    promised = _promised(house, traffic) if first is None else _answered(house, first, traffic.champion, NO_SLICES)
    slices = Slices.of(house, model, [*given.column("unit").to_pylist(), *(promised.units if promised else ())], now)
    served = in_windows(model, given) if elsewhere else given
    newest = _newest(served)
    by_name = foresee(house, model, traffic, promised)
    answered = _answered(house, held, traffic.champion, slices, model)
    return Seen(
        reference=reference,
        windows=windows,
        seasons=seasons,
        answered=with_groups(house, model, answered) if answered else None,
        promised=_with_groups(promised_known(house, model, traffic, promised), slices),
        live=with_groups(house, model, live) if (live := _live(house, model, told, traffic, slices, now)) else None,
        coverage=float(mine.mature.mean()) if len(mine.table) else None,
        maturity=ripe,
        open=_answered(house, in_immature_windows(model, mine, ripe), traffic.champion, NO_SLICES, model) if by_name else None,
        foresee=by_name,
        followed=followed_before(house, model, traffic),
        alarms=alarms(model, promised, answered),
        answers=len(newest),
        failed=failed(newest),
        microseconds=newest.column("microseconds").to_numpy().astype(np.int64),
        truths_since_training=_truths_since(mine, champion),
        last_trained_at=_last_trained(house, model),
        promoted_at=since,
        hints=hints_of(house, model, traffic, champion=champion, reference=reference, given=served, groups=slices.for_units, now=now),
        findings=findings_now(house, model, now),
        year_ago=year_ago(house, model, reference, windows, seasons, newest),
        figures=figures_of(house, model, mine.table, now),
        before=_served_before(house, model, traffic, since, now),
        fresh=_fresh(house, model, told, now),
        confidence=confidences(house, given),
    )


def memory(house: House, model: Model, traffic: Traffic, signals: Signals, *, now: datetime, cause: str) -> Memory:
    """What happened before, as far as it bears on what to do now."""
    waiting = house.approvals.waiting(model.name)
    runs, price = trained(house, model), house.settings.prices.get("cpu_hour", 0.0)
    week = [c for c in runs if c.made_at > now - timedelta(days=7)]
    return Memory(
        cause=cause,
        last_trained_at=runs[0].made_at if runs else None,
        ever_learnt=_ever_learnt(house, model, traffic),
        truths=max((c.rows for c in _candidates(house, model)), default=0),
        waiting=waiting[0].decision if waiting else None,
        spent=timedelta(seconds=sum(c.seconds for c in week)),
        plan=rollout.due(traffic, model.roll_out, now, bake=bakes_for(model), signals=signals),
        runs_today=sum(c.made_at > now - timedelta(days=1) for c in runs),
        runs_this_week=len(week),
        money=sum(c.cpu_seconds for c in week) / 3600 * price,
        failures=failures(house, model),
        learnt_rows=runs[0].rows if runs else 0,
        promoted_at=champion_since(house, traffic),
        broken_at=_fired_at(house, model, "data", now - max(model.matures_after, timedelta(days=1))),
        season_at=_fired_at(house, model, "season", now - min(8 * max(truth_span(model), timedelta(days=1)), timedelta(days=28))),
        limits=house.settings.governor,
    )


def bakes_for(model: Model) -> timedelta:
    """How long the way back stays open after the last step: until the first truth has matured, and what the last units of the split did."""
    return max(model.matures_after, figures_known_after(model))


def failures(house: House, model: Model) -> int:
    """How many candidates in a row came to nothing, not let in or taken back, since one stayed, or since a person last had a word in it."""
    count, taken_back = 0, False
    for entry in house.journal.read(kind=("Verdict", "Approval", "Decision"), model=model.name, newest_first=True, limit=200):
        record = entry.record
        if isinstance(record, Decision) and record.undoes and record.by is None and not record.drops:
            taken_back = True
        asked = isinstance(record, Decision) and (record.by is not None or (record.retrains and record.cause in ("demand", "approved")))
        if asked or isinstance(record, Approval):
            return count + taken_back
        if isinstance(record, Verdict):
            if record.passed and not taken_back:
                return count
            count, taken_back = count + 1, False
    return count


def _fired_at(house: House, model: Model, kind: str, since: datetime) -> datetime | None:
    """When a kind of signal last fired after an instant: truths since may still be made of what it is about."""
    for entry in house.journal.read(kind="Signals", model=model.name, since=since, newest_first=True):
        if isinstance(entry.record, Signals) and entry.record.fired(kind) and entry.record.made_at > since:
            return entry.record.made_at
    return None


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
    """Answers with what came of them: a mask of those whose truth is mature, the truths, and since when it is known what came of each
    (µs; ``NEVER`` where it is not known yet), row for row."""

    table: pa.Table
    truth: NDArray[Any]
    mature: NDArray[np.bool_]
    known_at: NDArray[np.int64]

    @property
    def moments(self) -> NDArray[np.int64]:
        return np.asarray(self.table.column("moment").to_numpy(), dtype=np.int64)

    def of(self, version: str, since: datetime) -> Told:
        """What one version answered from an instant on, failures aside."""
        mask = pc.and_(pc.equal(self.table.column("version"), version), pc.is_null(self.table.column("error")))
        mask = pc.and_(mask, pc.greater_equal(self.table.column("answered_at"), microseconds(since)))
        return self.take(np.flatnonzero(mask.to_numpy(zero_copy_only=False)))

    def take(self, rows: NDArray[np.int64]) -> Told:
        return Told(self.table.take(pa.array(rows)), self.truth[rows], self.mature[rows], self.known_at[rows])

    def only_mature(self) -> Told:
        return self.take(np.flatnonzero(self.mature))


def told_of(house: House, model: Model, given: pa.Table, now: datetime) -> Told:
    """Answers with their truths as known now, worked out once for each question. What somebody told (``loop.told``) wins over what the
    events say, and is mature at once; what is told to be void leaves."""
    if not len(given):
        return Told(given, np.zeros(0, dtype=object), np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64))
    asked = given.select(["moment", "unit"]).group_by(["moment", "unit"], use_threads=False).aggregate([])
    found = _derived(house, model, asked, now)
    units, moments = asked.column("unit").combine_chunks(), asked.column("moment").to_numpy().astype(np.int64)
    found = with_told(found, moments, units, told_truths(house, model, now), by_unit=isinstance(model.per, Source))
    known = truth_array(pa.table({"truth": found.truth}), model.shape)
    rows = rows_of(given.select(["moment", "unit"]), asked)
    there = found.mature & ~found.void & np.asarray(found.truth.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    since = np.full(len(asked), NEVER) if found.known_at is None else found.known_at
    return Told(given, known[rows], there[rows], since[rows])


def maturity_of(model: Model, told: Told, now: datetime) -> Maturity | None:
    """How mature these answers' windows are; None where nothing was answered."""
    if not len(told.table):
        return None
    return maturity(told.moments, told.known_at, now=now, span=window_span(model), wait=model.matures_after)


def in_mature_windows(model: Model, told: Told, ripe: Maturity | None) -> Told:
    """Without the answers of windows too little of whose truth is known: they decide nothing."""
    if ripe is None or ripe.mature.all():
        return told
    return told.take(np.flatnonzero(ripe.mature[periods(told.moments, window_span(model))]))


def in_immature_windows(model: Model, told: Told, ripe: Maturity | None) -> Told:
    """Only the answers of windows too little of whose truth is known, and nothing of the truth there is."""
    rows = np.zeros(0, dtype=np.int64) if ripe is None else np.flatnonzero(~ripe.mature[periods(told.moments, window_span(model))])
    waiting = told.take(rows)
    return replace(waiting, mature=np.ones(len(rows), dtype=bool), truth=np.full(len(rows), None, dtype=object))


def _with_groups(promised: Answered | None, slices: Slices) -> Answered | None:
    return None if promised is None else replace(promised, groups={**slices.for_units(promised.units), **promised.groups})


def _derived(house: House, model: Model, asked: pa.Table, now: datetime) -> Truths:
    """What the events say came of these questions. Where not one event of what is predicted ever arrived, they say nothing, not zero."""
    sources = {reading.source.name for reading in leaves(model.predicts)}
    if any(house.lake.log.counters(name).last_seq for name in sources):
        return truths(model.predicts, questions_of(model, asked), house.tables(model), model=model, known_at=now)
    kind = {"ranking": pa.list_(pa.string()), "shares": pa.string()}.get(model.kind, pa.float64())
    none = np.zeros(len(asked), dtype=bool)
    return Truths(pa.nulls(len(asked), kind), none, none, np.full(len(asked), NEVER))


def _answered(house: House, told: Told, version: str, slices: Slices, model: Model | None = None) -> Answered | None:
    """The mature ones as watching takes them; of a ``model`` with what was known of them, where losses are estimated from it."""
    done = told.only_mature()
    if not len(done.table):
        return None
    shape = house.candidate(house.version(version).candidate).shape
    units = _units(done.table)
    found = Answered(
        version=version,
        units=units,
        moments=done.table.column("moment").to_numpy().astype(np.int64),
        truth=as_truth(done.truth, shape.kind),
        answers=Answers.from_arrow(shape, done.table.column("answer")),
        groups=slices.for_units(units),
    )
    return found if model is None else with_known(house, model, version, found, done.table)


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


def _live(house: House, model: Model, told: Told, traffic: Traffic, slices: Slices, now: datetime) -> Paired | None:
    """Old and new on the same questions since the roll-out began, where the truth is mature."""
    old, new = {
        "shadow": (traffic.champion, traffic.candidate),
        "canary": (traffic.champion, traffic.candidate),
        "bake": (traffic.previous, traffic.champion),
    }.get(traffic.stage, (None, None))
    if old is None or new is None:
        return None
    since = began(house, traffic)
    one, other = (in_mature_windows(model, t, maturity_of(model, t, now)).only_mature() for t in (told.of(old, since), told.of(new, since)))
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


def _served_before(house: House, model: Model, traffic: Traffic, since: datetime, now: datetime) -> Served | None:
    """How the version that was replaced served in its last week; None once the takeover is long over."""
    if traffic.previous is None or (traffic.stage == "steady" and now - since > SOON):
        return None
    given = answers_of(house, model, since=since - timedelta(days=7))
    theirs = given.filter((pc.field("version") == traffic.previous) & (pc.field("answered_at") < microseconds(since)))
    theirs = theirs.filter(pc.field("arm") != "shadow")
    return Served(answers=len(theirs), failed=failed(theirs), microseconds=theirs.column("microseconds").to_numpy().astype(np.int64))


def _fresh(house: House, model: Model, told: Told, now: datetime) -> int | None:
    """Mature truths of questions nobody has learnt from: those after what the newest candidate learnt from; None where none was asked."""
    if not len(told.table):
        return None
    until = next((c.learnt_until for c in trained(house, model) if c.made_at <= now), None)
    moments = told.moments
    new = told.mature & (moments > (microseconds(until) if until is not None else moments.min() - 1))
    return len(set(zip(moments[new].tolist(), told.table.column("unit").take(pa.array(np.flatnonzero(new))).to_pylist(), strict=True)))


def trained(house: House, model: Model) -> list[Candidate]:
    """Every candidate that learnt something, the newest first."""
    return [c for c in _candidates(house, model) if c.format not in UNTRAINED]


def _candidates(house: House, model: Model) -> list[Candidate]:
    found = [e.record for e in house.journal.read(kind="Candidate", model=model.name, newest_first=True)]
    return [c for c in found if isinstance(c, Candidate)]


def _truths_since(told: Told, champion: Candidate) -> int:
    """Truths that matured after the champion learnt."""
    if champion.learnt_until is None:
        return int(told.mature.sum())
    moments = told.table.column("moment").to_numpy()
    return int((told.mature & (moments > microseconds(champion.learnt_until))).sum())


def _last_trained(house: House, model: Model) -> datetime | None:
    return next((c.made_at for c in trained(house, model)), None)


def _ever_learnt(house: House, model: Model, traffic: Traffic) -> bool:
    """Whether something learnt has ever been let in. What was let in and taken back was learnt all the same."""
    return any(isinstance(house.verdict(v.verdict), Verdict) for v in house.versions.all(model.name))
