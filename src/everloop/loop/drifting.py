"""Drift, told feature by feature: how far the newest window lies from what was learnt from, what its habit is, what the rule costs in a
quiet year, and, where it is asked for, whether a classifier can tell the two apart. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow.compute as pc

from everloop.clock import EPOCH, from_microseconds
from everloop.errors import Unknown
from everloop.loop.answers import answers_of
from everloop.loop.house import House
from everloop.loop.profiles import profiles_of, rows_learnt, span_of_windows
from everloop.monitor.drift import LEAST_ROWS, Drift, drifts, past_of, references
from everloop.monitor.profile import ANSWERS, Profile
from everloop.monitor.quiet import QuietYear, quiet_year
from everloop.monitor.sample import Sample, as_matrix, sample
from everloop.project.model import Model
from everloop.serving.answered import features_of
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

    def __str__(self) -> str:
        if not self.found:
            return f"{self.model}: nothing to compare yet: it takes what a champion learnt from, and {LEAST_ROWS} answers of one window."
        since = f"{self.window:%Y-%m-%d %H:%M}" if self.window is not None else "its newest answers"
        lines = [f"{self.model}: the window of {since}, {self.rows:,} answers, against what the champion learnt from"]
        lines += [f"  {_line(one)}" for one in self.found]
        lines.append(str(self.quiet) + "." if self.quiet else "What a quiet year costs in false alarms is told from 20 windows on.")
        return "\n".join([*lines, *self._classified()])

    def _classified(self) -> list[str]:
        if self.apart is None:
            return []
        order = np.argsort(-self.apart.weights)[:3]
        most = ", ".join(f"{self.features[i]} ({figure(self.apart.weights[i])})" for i in order if self.apart.weights[i] > 0)
        told = f"A classifier tells the two apart with an AUC of {figure(self.apart.auc)} (0.5 is chance, p = {figure(self.apart.p)})"
        return [told + (f", most by {most}." if most else ".")]

    def as_plain(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "model": self.model, "window": self.window, "rows": self.rows,
            "features": [{**asdict(one), **asdict(one.now)} for one in self.found],
            "quiet_year": None if self.quiet is None else asdict(self.quiet),
            "classifier": None if self.apart is None else {
                "auc": self.apart.auc, "p": self.apart.p, "weights": dict(zip(self.features, self.apart.weights.tolist(), strict=True)),
            },
        }  # fmt: skip


def measure(house: House, model: Model, *, classify: bool = False) -> Drifting:
    """Everything about the drift of one model. Raises Unknown where it has not begun."""
    traffic = house.pointers.current(model.name)
    if traffic is None:
        raise Unknown("traffic of", model.name, next=f"It has not begun. Begin with: everloop turn {model.name}")
    reference, windows, seasons = profiles_of(house, model, traffic, answers_of(house, model, since=EPOCH))
    if reference is None or not windows:
        return Drifting(model.name, None, 0, (), None)
    span, zone = span_of_windows(model), None if model.asked is None else model.asked.zone
    names = list(reference.spec.features)
    found = drifts(reference, windows, names, seasons=seasons, span=span, zone=zone)
    kept = [w for w in windows if w.rows >= LEAST_ROWS]
    if not found:
        return Drifting(model.name, None, 0, (), None)
    past = past_of(reference, kept, references(reference, kept, seasons, span, zone), [d.feature for d in found])
    inputs = [n for n in names if n != ANSWERS]
    apart = _apart(house, model, reference, windows[-1], inputs) if classify and inputs else None
    begun = kept[-1].first_at
    return Drifting(
        model.name, None if begun is None else from_microseconds(begun), kept[-1].rows,
        tuple(sorted(found, key=lambda d: (not d.drifted, -d.score))), quiet_year(past, span), apart, tuple(inputs),
    )  # fmt: skip


def _apart(house: House, model: Model, reference: Profile, window: Profile, features: Sequence[str]) -> ToldApart | None:
    """The rows of what was learnt from and of the newest window, at most 2,000 of each, told apart by a classifier."""
    champion = house.champion(house.traffic(model))
    learnt = rows_learnt(house, model, champion)
    if learnt is None or window.first_at is None:
        return None
    given = answers_of(house, model, since=from_microseconds(window.first_at))
    mine = given.filter((pc.field("arm") != "shadow") & pc.field("error").is_null())
    now = sample(mine.column("id").to_pylist(), features_of(mine, features))
    sides: list[Sample] = [sample(*learnt), now]
    old, new = (as_matrix(reference.spec, side.rows, features) for side in sides)
    return told_apart(old, new)


def _line(one: Drift) -> str:
    now = one.now
    habit = f", by habit at most {figure(one.habit)}" if one.habit is not None else ", no habit yet"
    where = f" ({now.most})" if now.most else ""
    far = "" if now.wasserstein is None else f", {figure(now.wasserstein)} sd"
    mark = "DRIFTED" if one.drifted else "as ever"
    empty = f", empty {percent(now.empty)} more" if now.empty > 0.005 else ""
    return f"{mark}  {one.feature}: D {figure(now.d)}{where}{habit}; PSI {figure(now.psi)}, JS {figure(now.jensen_shannon)}{far}{empty}"
