"""Gathering: what watching and deciding are shown of one model, put together from its answers, their truths, its training and the journal.

Nothing is judged here: ``monitor`` judges what is ``Seen``, ``decide`` decides by ``Memory``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import EPOCH, microseconds
from everloop.features.steps import begun_at
from everloop.loop.answers import answers_of
from everloop.loop.brought import waited_for
from everloop.loop.detected import alarms, followed_before
from everloop.loop.figures import confidences, figures_of, with_groups
from everloop.loop.findings import findings_now
from everloop.loop.foreseen import foresee, promised_known, with_known
from everloop.loop.hints import hints_of
from everloop.loop.house import House
from everloop.loop.profiles import Labels, in_windows, profiles_of, span_of_windows
from everloop.loop.quiet import keep_quiet
from everloop.loop.realised import keep_realised
from everloop.loop.remembered import began, champion_since, last_trained, newest_to_serve, trained
from everloop.loop.slices import NO_SLICES, Slices
from everloop.loop.tell.answerable import is_elsewhere
from everloop.loop.truths import Told, as_truth, in_immature_windows, in_mature_windows, maturity_of, told_of
from everloop.loop.unlearnt import seen_by, seen_until
from everloop.loop.year_ago import year_ago
from everloop.monitor.deployed import SOON
from everloop.monitor.seen import Answered, Seen, Served
from everloop.project.model import Model
from everloop.project.resolve import truth_span
from everloop.records import Candidate, Traffic
from everloop.registry import history
from everloop.serving.answered import in_steps
from everloop.stats.blocks import periods
from everloop.stats.shapes import Answers, Paired, Strings, of_a_step
from everloop.training.rehearse import STEP, read_paired

LOOKS_BACK = timedelta(days=365)
FIRST, LAST = 4, 8  # periods a service elsewhere is held to: its own first, or the last of its version before


def seen(house: House, model: Model, traffic: Traffic, *, now: datetime) -> Seen:
    """Everything watching is shown."""
    champion = house.champion(traffic)
    elsewhere = champion.format == "elsewhere"
    since = champion_since(house, traffic)
    # A service may be heard of late, and tell what it answered before that.
    beginning = now - LOOKS_BACK if elsewhere else max(min(since, began(house, traffic)), now - LOOKS_BACK)
    whole = answers_of(house, model, since=beginning)
    given = in_steps(whole, model.shape)
    told = told_of(house, model, given, now)
    mine = told.of(traffic.champion, beginning if elsewhere else since, seen=seen_until(house, champion))
    ripe = maturity_of(model, mine, now)
    done = in_mature_windows(model, mine, ripe)
    reference, windows, seasons = profiles_of(house, model, traffic, given, _labels(model, mine, done.only_mature()))
    first, held = _first_and_rest(house, model, traffic, told, done) if elsewhere else (None, done)
    promised = promised_of(house, model, traffic) if first is None else _answered(house, first, traffic.champion, NO_SLICES)
    keep_quiet(
        house, model, traffic, reference, windows, seasons, span_of_windows(model), None if model.asked is None else model.asked.zone
    )
    slices = Slices.of(house, model, [*given.column("unit").to_pylist(), *(promised.units if promised else ())], now)
    served, lately = in_windows(model, given), newest(model, whole)
    by_name = foresee(house, model, traffic, promised)
    answered = _answered(house, held, traffic.champion, slices, model)
    coverage = None if ripe is None else ripe.coverage
    grouped = with_groups(house, model, answered) if answered else None
    keep_realised(house, model, traffic, grouped, coverage, now)
    return Seen(
        reference=reference,
        windows=windows,
        seasons=seasons,
        answered=grouped,
        promised=_with_groups(promised_known(house, model, traffic, promised), slices),
        live=with_groups(house, model, live) if (live := _live(house, model, told, traffic, slices, now)) else None,
        coverage=coverage,
        maturity=ripe,
        open=_answered(house, in_immature_windows(model, mine, ripe), traffic.champion, NO_SLICES, model) if by_name else None,
        foresee=by_name,
        followed=followed_before(house, model, traffic),
        alarms=alarms(model, promised, answered),
        answers=len(lately),
        failed=failed(lately),
        microseconds=lately.column("microseconds").to_numpy().astype(np.int64),
        truths_since_training=_truths_since(mine, champion),
        last_trained_at=last_trained(house, model),
        promoted_at=since,
        hints=hints_of(house, model, traffic, champion=champion, reference=reference, given=served, groups=slices.for_units, now=now),
        findings=findings_now(house, model, now),
        year_ago=year_ago(house, model, reference, windows, seasons, newest(model, given)),
        figures=figures_of(house, model, mine.table, now),
        before=_served_before(house, model, traffic, since, now),
        fresh=_fresh(house, model, told, now),
        confidence=confidences(house, served),
        overdue=waited_for(house, model, now),
    )


def _labels(model: Model, mine: Told, done: Told) -> Labels | None:
    """What came of a champion's chances in mature windows: elsewhere what came is what comes first."""
    if model.kind != "chance":
        return None
    ids, truth = mine.table.column("id"), np.full(len(mine.table), np.nan)
    place = pc.index_in(done.table.column("id"), value_set=ids.combine_chunks()).to_numpy()
    truth[place.astype(np.int64)] = as_truth(done.truth, "chance").astype(np.float64)
    return Labels(ids, truth)


def _with_groups(promised: Answered | None, slices: Slices) -> Answered | None:
    return None if promised is None else replace(promised, groups={**slices.for_units(promised.units), **promised.groups})


def _answered(house: House, told: Told, version: str, slices: Slices, model: Model | None = None) -> Answered | None:
    """The mature ones as watching takes them; of a ``model`` with what was known of them, where losses are estimated from it."""
    done = told.only_mature()
    if not len(done.table):
        return None
    shape = of_a_step(house.candidate(house.version(version).candidate).shape)
    units = _units(done.table)
    found = Answered(
        version=version,
        units=units,
        moments=done.moments,
        truth=as_truth(done.truth, shape.kind),
        answers=Answers.from_arrow(shape, done.table.column("answer")),
        groups={**slices.for_units(units), **_by_step(done.table)},
    )
    return found if model is None else with_known(house, model, version, found, done.table)


def promised_of(house: House, model: Model, traffic: Traffic) -> Answered | None:
    """What the champion answered in the contest it won, as ``Told`` dates it."""
    contest = house.contest_of(house.version(traffic.champion))
    if contest is None or contest.body is None:
        return None
    paired = read_paired(house.blobs.read(contest.body))
    steps = paired.groups.get(STEP)
    return Answered(
        version=traffic.champion,
        units=paired.units,
        moments=paired.moments if steps is None else begun_at(model, paired.moments, steps.astype(np.int64)),
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
        theirs = told.of(before, EPOCH, seen=seen_by(house, [before])).only_mature()
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
    """Old and new on the same questions since the roll-out began, where the truth is mature and neither has learnt from it."""
    old, new = {
        "shadow": (traffic.champion, traffic.candidate),
        "canary": (traffic.champion, traffic.candidate),
        "bake": (traffic.previous, traffic.champion),
    }.get(traffic.stage, (None, None))
    if old is None or new is None:
        return None
    since = began(house, traffic)
    seen = seen_by(house, (old, new))
    each = (told.of(version, since, seen=seen) for version in (old, new))
    one, other = (in_mature_windows(model, t, maturity_of(model, t, now)).only_mature() for t in each)
    named = [name for name in ("moment", "unit", STEP) if name in one.table.column_names]
    keys = [list(zip(*(t.table.column(name).to_pylist() for name in named), strict=True)) for t in (one, other)]
    place = {key: i for i, key in enumerate(keys[1])}
    rows = [(i, place[key]) for i, key in enumerate(keys[0]) if key in place]
    if not rows:
        return None
    left, right = (np.array(side) for side in zip(*rows, strict=True))
    shapes = [of_a_step(house.candidate(house.version(v).candidate).shape) for v in (old, new)]
    table = one.table.take(pa.array(left))
    units = _units(table)
    return Paired(
        units,
        one.moments[left],
        as_truth(one.truth[left], shapes[1].kind),
        Answers.from_arrow(shapes[0], table.column("answer")),
        Answers.from_arrow(shapes[1], other.table.take(pa.array(right)).column("answer")),
        {**slices.for_units(units), **_by_step(table)},
    )


def _by_step(table: pa.Table) -> dict[str, Strings]:
    """The steps of paths are a group as any other."""
    return {STEP: np.array(list(map(str, table.column(STEP).to_pylist())), dtype=object)} if STEP in table.column_names else {}


def _units(table: pa.Table) -> Strings:
    return np.array([*table.column("unit").to_pylist(), None], dtype=object)[:-1]


def newest(model: Model, given: pa.Table) -> pa.Table:
    """The answers that were given to somebody within the length of a window up to the newest: all that were asked at one tick, or what came
    within a whole window where requests come at any moment, so that one that has just begun is not judged by its first request."""
    served = given.filter(pc.not_equal(given.column("arm"), "shadow"))
    moments = served.column("moment").to_numpy().astype(np.int64)
    since = moments.max(initial=0) - span_of_windows(model) // timedelta(microseconds=1)
    return served.filter(pa.array(moments > since))


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
    learnt = newest_to_serve(house, [c for c in trained(house, model) if c.made_at <= now])
    until = learnt.learnt_until if learnt is not None else None
    moments = told.table.column("moment").to_numpy().astype(np.int64)
    new = told.mature & (moments > (microseconds(until) if until is not None else moments.min() - 1))
    named = [name for name in ("moment", "unit", STEP) if name in told.table.column_names]
    rows = told.table.select(named).take(pa.array(np.flatnonzero(new)))
    return len(rows.group_by(named).aggregate([]))


def _truths_since(told: Told, champion: Candidate) -> int:
    """Truths that matured after the champion learnt."""
    if champion.learnt_until is None:
        return int(told.mature.sum())
    moments = told.table.column("moment").to_numpy()
    return int((told.mature & (moments > microseconds(champion.learnt_until))).sum())
