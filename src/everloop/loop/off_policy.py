"""What a version would be worth if it answered everybody, told from answers that others gave, by the chances those were drawn with.

In: the answers log, and what units then did. Out: estimates, each with what bears it; moves nothing and is kept nowhere.

Champion and candidate of a roll-out answer every question, so it is known of each what either would have said. Where both say the same,
what came of it counts for both; where they differ, for whoever's answer was given, divided by the chance of that. A version that was in no
roll-out is asked again about the features that were logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import microseconds, said
from everloop.errors import EverloopError
from everloop.loop.answers import answers_of
from everloop.loop.house import House
from everloop.loop.lift import figures_of
from everloop.loop.lineage import version_named
from everloop.loop.split import SERVED, figures, sizes, split_units
from everloop.loop.unlearnt import unlearnt
from everloop.project.model import Model
from everloop.project.spoken_conditions import say_measure
from everloop.project.spoken_voice import Voice
from everloop.records import Candidate, Traffic
from everloop.registry import history
from everloop.rollout.assign import places
from everloop.serving.answer import spoken_shape
from everloop.serving.answered import features_of, private_columns, says
from everloop.stats.measures import measure
from everloop.stats.off_policy import Estimate, doubly_robust, foreseen, ips, snips
from everloop.stats.rounded import figure, percent
from everloop.stats.shapes import Floats

LATELY = timedelta(days=28)
LEAST = 200.0
"""Effective rewards below which an interval of a mean of many says little."""
CLIP = 50.0
"""The largest weight that counts in full."""
UNHEARD = 0.05
"""The share of units whom it would tell what nobody could be told, above which the log says nothing of it."""


@dataclass(frozen=True)
class Worth:
    """One figure a unit, if the version answered everybody: estimates of it, and what was earned ``as_answered``. ``unheard`` is the share
    of units whom it would tell what they had no chance to be told; ``left_out`` are units of whom the log does not say enough."""

    what: str
    version: str
    units: int
    left_out: int
    unheard: float
    as_answered: float | None = None
    ips: Estimate | None = None
    snips: Estimate | None = None
    dr: Estimate | None = None

    @property
    def enough(self) -> bool:
        """Whether the log bears an estimate."""
        return self.ips is not None and self.ips.effective >= LEAST and self.unheard <= UNHEARD

    def __str__(self) -> str:
        if self.ips is None or self.snips is None or self.dr is None or self.as_answered is None:
            return f"{self.what}: not enough evidence; {self.units:,} units were met of whom the log tells all that is needed."
        cut = f", {percent(self.ips.clipped)} of weights cut at {CLIP:g}" if self.ips.clipped else ""
        bear = f"{self.ips.effective:,.0f} effective rewards of {self.units:,} units{cut}"
        if self.unheard > UNHEARD:
            return (
                f"{self.what}: not enough evidence; {percent(self.unheard)} of the units would be told what none of them could be told, "
                "and nothing says what would come of that. Let it answer a share: everloop approve, with canary(…) in roll_out."
            )
        if self.ips.effective < LEAST:
            return f"{self.what}: not enough evidence; {bear}, where {LEAST:g} are the least."
        told = "; ".join(f"{name} {_between(e)}" for name, e in (("DR", self.dr), ("SNIPS", self.snips), ("IPS", self.ips)))
        return f"{self.what}: {told}; {figure(self.as_answered)} as it was answered ({bear})."


def off_policy(house: House, model: Model, version: str | None, now: datetime) -> list[Worth]:
    """Every figure that matters (see ``lift.figures_of``), if this version answered everybody: a version (``demand@3``), the id of a
    candidate, or the newest candidate. Units count once, as they were first met in the last four weeks.

    Raises Unknown for a version of another model, or where nothing has been learnt; EverloopError where it can neither be found in the log
    nor asked again.
    """
    name, candidate = _meant(house, model, version)
    ids = {v.id for v in house.versions.all(model.name) if v.candidate == candidate.id}
    met = _met(house, model, ids, candidate.learnt_until, now)
    theirs = _said_by(met, ids)
    if not theirs and len(met.first):
        theirs = _asked_again(house, model, candidate, met)
    labels = [_chances(met, at, ids, theirs) for at in range(len(met.first))]
    return [
        _worth(what, name, met, labels, rewards, there)
        for what, rewards, there in _rewards(house, model, met.given.take(pa.array(met.first)), now)
    ]


def spoken_off_policy(model: Model, worths: Sequence[Worth], now: datetime) -> str:
    """What a version would be worth, in sentences."""
    if not worths:
        return f"{model.name}: none of its figures adds up over units, so nothing can be told from the log. Say one in ab(wins_when=…)."
    head = f"{model.name}, if {worths[0].version} answered everybody, from answers of the {LATELY.days} days until {said(now)}:"
    left = (
        f"\n{worths[0].left_out:,} units are left out: the log does not say by what chance they were answered."
        if worths[0].left_out
        else ""
    )
    return "\n  ".join([head, *map(str, worths)]) + left


# -- what the log says -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Met:
    """Answers that were given (``given``), and of each unit's first one its row, its question's answers by version (None where one
    failed), the arm that was drawn and the traffic it was drawn under; ``lost`` units have an answer of which the chance is not known."""

    given: pa.Table
    first: list[int]
    whose: list[dict[str, Any]]
    arms: list[str]
    under: list[Traffic]
    lost: int


def _met(house: House, model: Model, ids: set[str], learnt_until: datetime | None, now: datetime) -> _Met:
    """The units as they were first met since the version first answered itself; or, where it never did, since a candidate first did, for
    what is told to everybody alike says nothing of what else they could be told. Only by questions that neither it has learnt from nor
    whoever might have answered them."""
    rows = answers_of(house, model, since=now - LATELY)
    rows = rows.filter(pa.array(unlearnt(house, model.name, rows)))
    if learnt_until is not None:
        rows = rows.filter(pc.field("moment") > microseconds(learnt_until))
    for mine in (pc.is_in(rows.column("version"), pa.array(sorted(ids), pa.string())), pc.starts_with(rows.column("arm"), "candidate")):
        own = rows.filter(mine).column("answered_at")
        if len(own):
            rows = rows.filter(pc.greater_equal(rows.column("answered_at"), pc.min(own)))
            break
    whose, failing = _by_question(rows)
    there = pc.and_(pc.is_in(rows.column("arm"), value_set=pa.array([*SERVED, "control"])), pc.is_null(rows.column("error")))
    given = rows.filter(there).sort_by([("answered_at", "ascending"), ("unit", "ascending")])
    lived = sorted(history.history(house.journal, model.name), key=lambda t: t.generation)
    begins = np.array([microseconds(t.made_at) for t in lived], dtype=np.int64)
    place = np.searchsorted(begins, given.column("answered_at").to_numpy().astype(np.int64), side="right") - 1
    met, seen, lost = _Met(given, [], [], [], [], 0), set(), 0
    columns = (given.column(name).to_pylist() for name in ("moment", "unit", "arm", "propensity"))
    for at, (name, moment, unit, arm, chance) in enumerate(zip(split_units(house, model, given), *columns, strict=True)):
        if name is None or name in seen:
            continue
        seen.add(name)
        drawn = failing.get((moment, unit), arm)
        traffic = lived[place[at]] if place[at] >= 0 else None
        # A worker answers by the traffic before for a moment after it was moved: such an answer names another chance.
        if chance is None or traffic is None or abs(traffic.propensities.get(drawn, 0.0) - chance) > 1e-9:
            lost += 1
            continue
        met.first.append(at)
        met.whose.append(whose[(moment, unit)])
        met.arms.append(drawn)
        met.under.append(traffic)
    return replace(met, lost=lost)


def _by_question(rows: pa.Table) -> tuple[dict[tuple[int, str], dict[str, Any]], dict[tuple[int, str], str]]:
    """What every version said to each question (None: it failed), and the arm of which the version failed, where one did."""
    whose: dict[tuple[int, str], dict[str, Any]] = {}
    failing: dict[tuple[int, str], str] = {}
    columns = (rows.column(name).to_pylist() for name in ("moment", "unit", "version", "arm", "error"))
    for action, (moment, unit, version, arm, error) in zip(actions(rows), zip(*columns, strict=True), strict=True):
        whose.setdefault((moment, unit), {})[version] = action
        if error is not None and (arm == "control" or arm.startswith("candidate")):
            failing[moment, unit] = arm
    return whose, failing


def actions(rows: pa.Table) -> list[Any]:
    """What each answer comes to, as far as it can make a difference to anybody: the word it says, the list, or the number; None: no answer.

    >>> actions(pa.table({"says": ["yes", None], "error": [None, "E"], "answer": [{"value": 0.7, "values": None, "items": None}] * 2}))
    ['yes', None]
    """
    found: list[Any] = []
    for word, error, answer in zip(*(rows.column(name).to_pylist() for name in ("says", "error", "answer")), strict=True):
        if error is not None or answer is None:
            found.append(None)
            continue
        listed = word or tuple(answer["items"] or ()) or tuple(answer["values"] or ())
        found.append(listed or (None if answer["value"] is None else round(answer["value"], 9)))
    return found


def _said_by(met: _Met, ids: set[str]) -> dict[int, Any]:
    """What the version said to each unit's first question, by its place; only of those it was asked."""
    mine = ((at, next((version for version in whose if version in ids), None)) for at, whose in enumerate(met.whose))
    return {at: met.whose[at][version] for at, version in mine if version is not None}


def _asked_again(house: House, model: Model, candidate: Candidate, met: _Met) -> dict[int, Any]:
    """What a version says to the features that were logged."""
    first = "Let it answer in shadow first, and it is in the log itself."
    if model.kind == "ranking" or model.steps > 1:
        what = "lists" if model.kind == "ranking" else "steps"
        raise EverloopError(f"{model.name} answers with {what}, which are not made again from the log. {first}")
    predictor, rows = house.predictor(candidate), met.given.take(pa.array(met.first))
    hidden = private_columns(model) & set(predictor.columns)
    if hidden:
        raise EverloopError(f"{', '.join(sorted(hidden))} is private, and only its hash was logged. {first}")
    there = {name for text in rows.column("features").to_pylist() for name in msgspec.json.decode(text or "{}")}
    bare = sorted(set(predictor.columns) - there)
    if bare:
        raise EverloopError(f"{', '.join(bare)} was not logged: what answered reads other columns. {first}")
    given, shape = predictor.answer(features_of(rows, predictor.columns)), spoken_shape(predictor.shape, model)
    values = given.values.tolist() if given.values is not None else [None] * len(given)
    words = [says(shape, v, vs) for v, vs in zip(given.value.tolist(), values, strict=True)]
    told = pa.table({"says": pa.array(words, pa.string()), "error": pa.nulls(len(words), pa.string()), "answer": given.to_arrow()})
    return dict(enumerate(actions(told)))


def _chances(met: _Met, at: int, ids: set[str], theirs: Mapping[int, Any]) -> Chances | None:
    """Of one unit, by what it was told. None where the log does not say what the arms would have told it.

    What a control is told counts by itself, for its baseline is asked about no other unit; and what is left out must not hang on whom the
    arm was drawn for.
    """
    traffic, whose, drawn = met.under[at], met.whose[at], met.arms[at]
    chances = traffic.propensities
    rolled = {arm: version for arm, version in traffic.by_arm.items() if arm in chances and arm != "control"}
    if traffic.baseline in ids and traffic.champion not in ids and "control" in chances:
        return Chances(chances[drawn], drawn == "control", True)
    if drawn == "control":
        return Chances(chances[drawn], False, True) if ids & set(rolled.values()) or at in theirs else None
    if at not in theirs or not set(rolled.values()) <= set(whose):
        return None
    spare = whose[traffic.champion]
    told = {arm: spare if whose[version] is None else whose[version] for arm, version in rolled.items()}
    mine = spare if theirs[at] is None else theirs[at]
    of = {action: sum(chances[arm] for arm in told if told[arm] == action) for action in told.values()}
    return Chances(of[told[drawn]], told[drawn] == mine, mine in of)


class Chances(NamedTuple):
    """The chance that a unit was told what it was told; whether the version would have told it that, and whether it could have been told
    what the version says at all."""

    told: float
    same: bool
    could: bool


# -- what came of it -------------------------------------------------------------------------------------------------------------------


def _rewards(house: House, model: Model, first: pa.Table, now: datetime) -> Iterator[tuple[str, Floats, NDArray[np.bool_]]]:
    """Each figure with what every unit's first answer earned, and where that is known."""
    if not len(first):
        return
    for on in figures_of(model):
        if isinstance(on, str):
            by = measure(on)
            earned, there = sizes(house, model, by, first, now)
            yield f"{'loss' if by.better == 'lower' else 'gain'} by {say_measure(Voice(model), on)}", earned, there
        else:
            earned, there = figures(house, model, on, first, now)
            yield say_measure(Voice(model), on), np.nan_to_num(earned), there


def _worth(what: str, name: str, met: _Met, labels: Sequence[Chances | None], rewards: Floats, there: NDArray[np.bool_]) -> Worth:
    use = np.array([label is not None for label in labels], dtype=bool) & there
    known = [label for label, used in zip(labels, use.tolist(), strict=True) if used and label is not None]
    left = met.lost + sum(label is None for label in labels)
    unheard = float(np.mean([not label.could for label in known])) if known else 0.0
    blank = Worth(what, name, len(known), left, unheard)
    if len(known) < 2:
        return blank
    logged, wanted = np.array([label.told for label in known]), np.array([float(label.same) for label in known])
    earned = np.asarray(rewards[use], dtype=np.float64)
    rows = met.given.take(pa.array(np.array(met.first)[use]))
    expected = foreseen(_numbers(rows), earned, _folds(rows.column("unit").to_pylist()))
    return Worth(
        what, name, len(known), left, unheard, float(earned.mean()),
        ips(earned, logged, wanted, clip=CLIP),
        snips(earned, logged, wanted, clip=CLIP),
        doubly_robust(earned, logged, wanted, foreseen=expected, foreseen_wanted=expected, clip=CLIP),
    )  # fmt: skip


def _numbers(rows: pa.Table) -> Floats:
    """The logged features that are numbers (n, k)."""
    said_ = [msgspec.json.decode(text) if text else {} for text in rows.column("features").to_pylist()]
    names = sorted({name for row in said_ for name, value in row.items() if isinstance(value, int | float)})
    return np.array([[_float(row.get(name)) for name in names] for row in said_], dtype=np.float64).reshape(len(said_), len(names))


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _folds(units: Sequence[str]) -> NDArray[np.int64]:
    """One of two lots for each unit, by its hash and so for good."""
    return np.array([int(places(unit, "lot")[0] * 2) for unit in units], dtype=np.int64)


def _between(estimate: Estimate) -> str:
    return f"{figure(estimate.value)} ({figure(estimate.low)} to {figure(estimate.high)})"


def _meant(house: House, model: Model, version: str | None) -> tuple[str, Candidate]:
    """How people call it, and the candidate behind it."""
    if version is not None and "@" in version:
        named = version_named(house, model, version)
        return named.name, house.candidate(named.candidate)
    from everloop.loop.steps import newest_candidate

    found = newest_candidate(house, model, version)
    names = {v.candidate: v.name for v in house.versions.all(model.name)}
    return names.get(found.id, found.id), found
