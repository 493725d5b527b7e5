"""What a model knows, feature by feature: how much of its answers rests on each, how far it has moved from what was learnt from, and both
histograms of those that matter most. Reads what was counted when the model was last watched; counts nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from everloop import plots
from everloop.loop.house import House
from everloop.loop.profiles import profiles_kept, span_of_windows
from everloop.monitor.drift import Drift, drifts, judged
from everloop.monitor.profile import ANSWERS, Profile
from everloop.project.model import Model
from everloop.records import Candidate
from everloop.serving.answered import private_columns
from everloop.stats.rounded import figure, percent

DRAWN = 6
NAMES = ("learnt from", "now")


@dataclass(frozen=True)
class Feature:
    """One feature. ``importance`` is its share of what moves the answers (None: nobody knows), ``moved`` how far it lies from what was
    learnt from (0 to 1), ``habit`` how far it lies by habit at most; ``weight`` puts the two together."""

    name: str
    importance: float | None
    moved: float
    habit: float | None
    psi: float
    drifted: bool
    where: str | None
    weight: float
    emptier: float = 0.0
    svg: str | None = None
    but: str = ""
    """Why one that moved farther than by habit has not drifted all the same."""

    @property
    def called(self) -> str:
        """What it is called on the page."""
        return "what it answers" if self.name == ANSWERS else self.name

    @property
    def word(self) -> str:
        """Whether it moved, for who scans."""
        return "drifted" if self.drifted else "farther than usual" if self.but else "as usual"

    @property
    def says(self) -> str:
        """How far it moved, in words.

        >>> Feature("price", 0.4, 0.31, 0.05, 0.4, True, None, 0.12, 0.1).says
        'moved by 31 %, by habit at most 5 % (PSI 0.400); 10 % more are empty'
        """
        empty = f"; {percent(self.emptier)} more are empty" if self.emptier > 0.005 else ""
        but = f"; {self.but}" if self.but else ""
        habit = f", by habit at most {percent(self.habit)}" if self.habit is not None else ", no habit is known yet"
        return f"moved by {percent(self.moved)}{f' ({self.where})' if self.where else ''}{habit} (PSI {figure(self.psi)}){empty}{but}"


@dataclass(frozen=True)
class Known:
    """The features of the champion, those that moved most of what matters first; ``why`` there are none."""

    features: tuple[Feature, ...]
    rows: int = 0
    why: str = ""


def known_of(house: House, model: Model, champion: Candidate) -> Known:
    """By drift and importance together; the first six with their histograms."""
    reference, windows, seasons = profiles_kept(house, model, champion)
    if reference is None:
        return Known((), why="Nothing was counted of what the champion learnt from: a baseline learns nothing.")
    span = span_of_windows(model)
    zone = None if model.asked is None else model.asked.zone
    names = [name for name in reference.spec.features if name not in private_columns(model)]
    found = drifts(reference, windows, names, seasons=seasons, span=span, zone=zone) if windows else []
    if not found:
        return Known((), why="Too few answers were given yet to hold against what was learnt from.")
    kept = house.facts.latest(model.name, f"importance {champion.id}")
    importance: dict[str, float] = dict(kept.body) if kept is not None else {}
    ordered = sorted(found, key=lambda drift: -_weight(drift, importance))
    now = _newest(reference, windows, span, zone)
    drawn = [_feature(drift, importance, _drawn(drift.feature, reference, now) if n < DRAWN else None) for n, drift in enumerate(ordered)]
    return Known(tuple(drawn), rows=now.rows)


def _newest(reference: Profile, windows: tuple[Profile, ...], span: timedelta, zone: str | None) -> Profile:
    """The window that is looked at: of small windows several together."""
    lots = judged(reference, windows, span, zone)
    return lots.windows[-1] if lots.windows else windows[-1]


def _weight(drift: Drift, importance: dict[str, float]) -> float:
    """What moved, by how much of the answers rests on it; what nobody knows the importance of counts in full, as the answers do."""
    carries = 1.0 if not importance or drift.feature == ANSWERS else importance.get(drift.feature, 0.0)
    return carries * max(0.0, drift.now.d - (drift.habit or 0.0)) + 1e-3 * carries * drift.now.d


def _feature(drift: Drift, importance: dict[str, float], svg: str | None) -> Feature:
    carries = importance.get(drift.feature) if importance and drift.feature != ANSWERS else None
    return Feature(
        drift.feature, carries, drift.now.d, drift.habit, drift.now.psi, drift.drifted, drift.now.most, _weight(drift, importance),
        drift.now.empty, svg, drift.but,
    )  # fmt: skip


def _drawn(name: str, reference: Profile, now: Profile) -> str:
    """Both histograms of a feature, as shares."""
    bins = reference.spec.features[name]
    old, new = (np.asarray(side.counts[name], dtype=np.float64) for side in (reference, now))
    if bins.kind == "number":
        return plots.counted(name, bins.edges, old[1:].tolist(), new[1:].tolist(), names=NAMES)
    labels = ("(empty)", "(never seen before)", "(others)", *bins.top)
    sides = [dict(zip(labels, side.tolist(), strict=True)) for side in (old, new)]
    return plots.bars(name, *({label: count for label, count in side.items() if count} for side in sides), names=NAMES)
