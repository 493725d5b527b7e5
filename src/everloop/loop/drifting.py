"""Drift, told feature by feature: how far the newest window lies from what was learnt from, what its habit is, what the rule costs in a
quiet year, and, where it is asked for, whether a classifier can tell the two apart. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import EPOCH, from_microseconds
from everloop.errors import Unknown
from everloop.loop.answers import answers_of
from everloop.loop.house import House
from everloop.loop.profiles import in_windows, profiles_of, rows_learnt, span_of_windows
from everloop.loop.quiet import quiet_of
from everloop.loop.watching import newest, promised_of
from everloop.loop.year_ago import year_ago
from everloop.monitor.calibrated import as_plain as chances_as_plain
from everloop.monitor.calibrated import lines as spoken_chances
from everloop.monitor.calibrated import promised_scores
from everloop.monitor.drift import Drift, drifts, judged, learnt_from
from everloop.monitor.lots import LEAST_ROWS, Waiting
from everloop.monitor.profile import ANSWERS, Profile, scores_of
from everloop.monitor.quiet import QuietYear
from everloop.monitor.sample import Sample, as_matrix, sample
from everloop.monitor.scores import Scores
from everloop.monitor.season import as_a_year_ago
from everloop.project.model import Model
from everloop.project.spoken_values import spoken_span
from everloop.records import Traffic
from everloop.registry import history
from everloop.serving.answered import features_of, in_steps
from everloop.stats.domain import LEAST_ROWS as LEAST_APART
from everloop.stats.domain import ToldApart, told_apart
from everloop.stats.rounded import figure, percent


@dataclass(frozen=True)
class Drifting:
    """What became of every feature of one model, those that drifted first."""

    model: str
    window: datetime | None
    rows: int
    found: tuple[Drift, ...]
    quiet: QuietYear | None
    apart: ToldApart | None = None
    features: tuple[str, ...] = ()
    meant: Scores | None = None
    """The champion's chances in all windows, and what came of them, as known when they were last watched."""
    promised: Scores | None = None
    yes_above: float = 0.5
    waiting: Waiting | None = None
    """The newest window, where it cannot be judged yet."""
    together: timedelta | None = None
    """How long what is looked at lasts, where windows alone are too small."""
    seasonal: frozenset[str] = frozenset()
    """Features that left what was learnt from as they did a year ago: that is the season, and no drift."""
    why: str = ""
    """Why there is nothing to compare, or why nothing could be classified."""

    def __str__(self) -> str:
        if not self.found:
            return "\n".join([f"{self.model}: nothing to compare yet: {self.waiting or self.why}.", *self._meant()])
        since = f"{self.window:%Y-%m-%d %H:%M} UTC" if self.window is not None else "its newest answers"
        what = "window" if self.together is None else f"{spoken_span(self.together)}"
        lines = [f"{self.model}: the {what} of {since}, {self.rows:,} answers, against what the champion learnt from"]
        lines += [f"  {_line(one, one.feature in self.seasonal)}" for one in self.found]
        lines += [f"Not judged yet: {self.waiting}."] if self.waiting else []
        lines.append(str(self.quiet) + "." if self.quiet else "What a quiet year costs in false alarms is told from 20 windows on.")
        return "\n".join([*lines, *self._classified(), *self._meant()])

    @property
    def drifted(self) -> tuple[str, ...]:
        """The features that have drifted, the season not counted."""
        return tuple(one.feature for one in self.found if one.drifted and one.feature not in self.seasonal)

    def _meant(self) -> list[str]:
        return [] if self.meant is None else spoken_chances(self.meant, self.promised, self.yes_above)

    def _classified(self) -> list[str]:
        if self.apart is None:
            return [f"A classifier cannot tell: {self.why}."] if self.why else []
        order = np.argsort(-self.apart.weights)[:3]
        most = ", ".join(f"{self.features[i]} ({figure(self.apart.weights[i])})" for i in order if self.apart.weights[i] > 0)
        told = f"A classifier tells the two apart with an AUC of {figure(self.apart.auc)} (0.5 is chance, p = {figure(self.apart.p)})"
        return [told + (f", most by {most}." if most else ".")]

    def as_plain(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "model": self.model, "window": self.window, "rows": self.rows,
            "features": [{**asdict(one), **asdict(one.now), "as_a_year_ago": one.feature in self.seasonal} for one in self.found],
            "quiet_year": None if self.quiet is None else asdict(self.quiet),
            "classifier": None if self.apart is None else {
                "auc": self.apart.auc, "p": self.apart.p, "weights": dict(zip(self.features, self.apart.weights.tolist(), strict=True)),
            },
            "waiting": None if self.waiting is None else {**asdict(self.waiting), "sentence": str(self.waiting)},
            "chances": None if self.meant is None else chances_as_plain(self.meant),
            "chances_when_promoted": None if self.promised is None else chances_as_plain(self.promised),
        }  # fmt: skip


def measure(house: House, model: Model, *, classify: bool = False, until: datetime | None = None) -> Drifting:
    """Everything about the drift of one model; with ``until`` (aware) of the champion of then, and of what was answered by then.

    Raises Unknown where it has not begun, or not by then.
    """
    traffic = house.pointers.current(model.name)
    if traffic is None:
        raise Unknown("traffic of", model.name, next=f"It has not begun. Begin with: everloop turn {model.name}")
    if until is not None:
        traffic = history.at(house.journal, model.name, until)
    given = in_steps(answers_of(house, model, since=EPOCH, until=until), model.shape)
    reference, windows, seasons = profiles_of(house, model, traffic, given)
    if reference is None or not windows:
        return Drifting(model.name, None, 0, (), None, why=_nothing(house, model, traffic, reference))
    span, zone = span_of_windows(model), None if model.asked is None else model.asked.zone
    names = list(reference.spec.features)
    found = drifts(reference, windows, names, seasons=seasons, span=span, zone=zone)
    lots = judged(reference, windows, span, zone)
    shape = house.champion(traffic).shape
    chances = scores_of(windows), promised_scores(promised_of(house, model, traffic)), 0.5 if shape.yes_above is None else shape.yes_above
    if not found:
        few = f"fewer than {LEAST_ROWS} rows were learnt from, or of one window"
        return Drifting(model.name, None, 0, (), None, None, (), *chances, lots.waiting, why=few)
    inputs = [n for n in names if n != ANSWERS]
    apart, why = _apart(house, model, traffic, given, reference, lots.windows, inputs) if classify else (None, "")
    then = year_ago(house, model, reference, windows, seasons, newest(model, given))
    seasonal = frozenset(d.feature for d in found if d.drifted and as_a_year_ago(reference, windows[-1], then, d.feature))
    begun, quiet = lots.windows[-1].first_at, quiet_of(reference, windows, seasons, span, zone)
    return Drifting(
        model.name, None if begun is None else from_microseconds(begun), lots.windows[-1].rows,
        tuple(sorted(found, key=lambda d: (not d.drifted, -d.score))), quiet, apart, tuple(inputs), *chances, lots.waiting,
        lots.span if lots.span != span else None, seasonal, why,
    )  # fmt: skip


def _nothing(house: House, model: Model, traffic: Traffic, reference: Profile | None) -> str:
    """Why there is nothing to compare."""
    if reference is not None:
        return f"nobody was answered yet. Next: everloop score {model.name}"
    champion = history.names(house.journal)(traffic.champion)
    return f"{champion} answers, which learnt nothing here that answers could be held against"


def _apart(
    house: House, model: Model, traffic: Traffic, given: pa.Table, reference: Profile, windows: Sequence[Profile], features: Sequence[str]
) -> tuple[ToldApart | None, str]:
    """The rows of what was learnt from and of the newest window, and those before it until there are enough, at most 2,000 of each side
    (``sample``), told apart by a classifier; or why they cannot be."""
    if not features:
        return None, "the model knows nothing but its unit"
    champion = house.champion(traffic)
    given = in_windows(model, given)
    rows, now = rows_learnt(house, model, champion), _answered(given, windows[-1], features)
    for before in windows[-2::-1]:
        if len(now.rows) >= LEAST_APART or learnt_from(reference, before):
            break
        now += _answered(given, before, features)
    # Nobody here knows what a service elsewhere learnt from: its first answers stand for that.
    learnt = _answered(given, reference, features) if rows is None else sample(*rows)
    old, new = (as_matrix(reference.spec, side.rows, features) for side in (learnt, now))
    found = told_apart(old, new)
    few = f"it takes {LEAST_APART} rows on each side, and there are {len(old):,} that were learnt from and {len(new):,} since"
    return found, "" if found is not None else few


def _answered(given: pa.Table, window: Profile, features: Sequence[str]) -> Sample:
    """A sample of the answers that a profile counted."""
    within = (pc.field("moment") >= (window.first_at or 0)) & (pc.field("moment") <= (window.last_at or 0))
    mine = given.filter(within & (pc.field("arm") != "shadow") & pc.field("error").is_null())
    return sample(mine.column("id").to_pylist(), features_of(mine, features))


def _line(one: Drift, seasonal: bool) -> str:
    now = one.now
    habit = f", by habit at most {figure(one.habit)}" if one.habit is not None else ", no habit yet"
    where = f" ({now.most})" if now.most else ""
    far = "" if now.wasserstein is None else f", {figure(now.wasserstein)} sd"
    mark = "season " if seasonal else "DRIFTED" if one.drifted else "farther" if one.but else "as ever"
    more = (f", empty {percent(now.empty)} more" if now.empty > 0.005 else "") + (f"; {one.but}" if one.but else "")
    return f"{mark}  {one.feature}: D {figure(now.d)}{where}{habit}; PSI {figure(now.psi)}, JS {figure(now.jensen_shannon)}{far}{more}"
