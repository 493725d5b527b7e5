"""Causes: where a change lies and what may be behind it, likeliest first. In: what was seen. Out: causes; no clock, no disk.

Data that is broken comes first, for whatever follows from it is no news; then what happened near the change (a delivery with other
columns, a version, a definition); then the features, by how far each lies beyond its habit times how much the champion's answers hang on
it; then the segments of the questions. A cause is where to look, not a proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import numpy as np

from everloop.monitor.drift import broken, judged, moved, references
from everloop.monitor.hints import Hints
from everloop.monitor.lots import LEAST_ROWS
from everloop.monitor.profile import ANSWERS, Profile
from everloop.monitor.rhythm import Season
from everloop.monitor.seen import Answered, Seen
from everloop.monitor.units import UnitChange, quantiles_of, unit_change
from everloop.records import Signal
from everloop.stats.distances import Moved, l_infinity
from everloop.stats.measures import measure
from everloop.stats.mix import Part, Side, Split, drill
from everloop.stats.rounded import figure, percent
from everloop.stats.two_sample import ks_of_counts

Kind: TypeAlias = Literal["data", "unit", "version", "definition", "feature", "segment"]

MOST, FEATURES, STANDS_OUT, CHANCE = 5, 3, 3.0, 2.0  # causes told of one signal, features among them; the z from which one is, and counts
HABIT, LATELY = 8, 3  # windows that make a habit, and the newest, in which a drift is seen
KOLMOGOROV_MEAN, KOLMOGOROV_SD = 0.8687, 0.2603
"""Of Kolmogorov's distribution: sqrt(pi/2) ln 2, and the root of pi^2/12 less its square."""


@dataclass(frozen=True)
class Cause:
    """One thing to look at. ``about``: a feature, a source, a version, a segment (``region=north``); ``score`` orders those of a kind."""

    kind: Kind
    about: str
    score: float
    sentence: str


@dataclass(frozen=True)
class Suspect:
    """A feature: ``z``, how many spreads of its habit it lies beyond it; its importance; and the product, by which suspects are ranked."""

    feature: str
    z: float
    importance: float | None
    score: float
    now: Moved


def suspects(
    reference: Profile, windows: Sequence[Profile], hints: Hints, *, seasons: Sequence[Season] = (), span: timedelta | None = None,
    zone: str | None = None,
) -> list[Suspect]:  # fmt: skip
    """The features of the newest window, the likeliest culprit first; each window against what was learnt from in its own season, as the
    alarm has it (``drift.references``).

    z is against the earlier windows, the newest three left out (a drift that is told of began there); before there are eight of them,
    against what chance makes of so many rows (Kolmogorov). Two spreads beyond is what one feature in forty does by chance: only what goes
    farther counts. A feature whose importance nobody knows counts like any other; one that moves no answer has no score.
    """
    lots = judged(reference, windows, span, zone)
    kept = lots.windows
    if not kept or reference.rows < LEAST_ROWS:
        return []
    pairs = list(zip(references(reference, kept, seasons, lots.span, zone), kept, strict=True))
    past = pairs[:-LATELY] if len(kept) >= HABIT + LATELY else pairs[:-1]
    before, now = [_how_far(*pair) for pair in past], moved(*pairs[-1])
    by_chance = float(np.sqrt(1 / pairs[-1][0].rows + 1 / kept[-1].rows))
    found = []
    for name, here in now.items():
        if name == ANSWERS:
            continue
        z = _z(here.d, [p[name] for p in before if name in p], by_chance)
        share = hints.importance.get(name, 0.0) if hints.importance else None
        found.append(Suspect(name, z, share, max(z - CHANCE, 0.0) * (1.0 if share is None else share), here))
    return sorted(found, key=lambda s: (-s.score, -s.z, s.feature))


def _how_far(reference: Profile, window: Profile) -> dict[str, float]:
    """How far each feature lies (``d`` of ``moved``, and nothing else: there are many windows)."""
    found = {}
    for name, bins in reference.spec.features.items():
        old, new = reference.counts[name].astype(np.float64), window.counts[name].astype(np.float64)
        if min(old.sum(), new.sum()) >= LEAST_ROWS:
            apart = ks_of_counts if bins.kind == "number" else l_infinity
            found[name] = apart(old, new)[0]  # type: ignore[index]
    return found


def _z(d: float, habit: Sequence[float], by_chance: float) -> float:
    if len(habit) < HABIT:
        return (d / by_chance - KOLMOGOROV_MEAN) / KOLMOGOROV_SD
    # As in drift.py: a habit that happened to stand still still has the noise of its rows.
    usual = float(np.mean(habit))
    spread = max(float(np.std(habit, ddof=1)), 0.1 * usual, 1e-6)
    return (d - usual) / (spread * float(np.sqrt(1 + 1 / len(habit))))


def unit_changes(reference: Profile, hints: Hints) -> dict[str, UnitChange]:
    """The features whose newest values look like the old ones in another unit."""
    found = {}
    for name, now in hints.quantiles.items():
        if name in reference.spec.features and name != ANSWERS:
            changed = unit_change(quantiles_of(reference.spec.features[name], reference.counts[name]), now)
            if changed is not None:
                found[name] = changed
    return found


def causes(seen: Seen, *, since: datetime | None, span: timedelta, metric: str | None = None, zone: str | None = None) -> list[Cause]:
    """Everything that may be behind a change that began at ``since`` (None: lately), likeliest first; ``span`` is how far apart windows
    lie: what happened within one of it is near. With a ``metric``, the segments are those of its change on mature truth since then.
    """
    found: list[Cause] = []
    ranked: list[Suspect] = []
    if seen.reference is not None and seen.windows:
        changed = unit_changes(seen.reference, seen.hints)
        ranked = suspects(seen.reference, seen.windows, seen.hints, seasons=seen.seasons, span=span, zone=zone)
        found += _data(seen.reference, seen.windows[-1], changed)
    found += [c for c in _nearby(seen.hints, since, span) if c.kind == "data"]
    found += [c for c in _nearby(seen.hints, since, span) if c.kind != "data"]
    found += [_feature(s) for s in ranked if s.z >= STANDS_OUT and s.score > 0]
    split = _answers_split(seen.hints) if metric is None else _metric_split(seen, metric, since)
    return found + (_segments(split, "the answers" if metric is None else metric) if split else [])


def with_causes(signal: Signal, seen: Seen, *, span: timedelta, zone: str | None = None) -> Signal:
    """A signal that fired, with what may be behind it: all of it in ``causes``, a change of unit and the likeliest feature in its sentence.

    Where several features drifted at once, what the signal is about becomes the one the answers hang on most.
    """
    if not signal.fired or signal.kind not in ("drift", "slip", "data"):
        return signal
    everything = causes(seen, since=signal.since, span=span, metric=signal.measure if signal.kind == "slip" else None, zone=zone)
    unit = next((c for c in everything if c.kind == "unit" and (signal.kind == "slip" or c.about == signal.about)), None)
    sentence = signal.sentence + (f"; {unit.sentence}" if unit is not None and signal.kind != "slip" else "")
    first = next((c for c in everything if c.kind == "feature"), None)
    if signal.kind == "slip" and (unit or first) is not None:
        sentence += f"; look first at {(unit or first).about}"  # type: ignore[union-attr]
    if signal.kind == "drift" and first is not None and signal.about not in (None, ANSWERS, first.about) and signal.clause == "drifted()":
        sentence, signal = f"{sentence}; what matters most is {first.sentence}", replace(signal, about=first.about)
    if signal.kind == "data":
        everything = [c for c in everything if c.kind == "data" or c.about == signal.about]
    few, features = [], 0
    for cause in everything:
        features += cause.kind == "feature"
        if cause.kind != "feature" or features <= FEATURES:
            few.append(cause.sentence)
    return replace(signal, sentence=sentence, causes=tuple(few[:MOST]))


# -- one kind after another ------------------------------------------------------------------------------------------------------------


def _data(reference: Profile, window: Profile, changed: dict[str, UnitChange]) -> list[Cause]:
    found = [Cause("unit", name, one.factor, f"{name}: {one.sentence}") for name, one in changed.items()]
    for one in broken(reference, window):
        if one.feature not in changed:
            sentence = f"{one.feature}: {percent(one.now)} of values are {one.what}, against {percent(one.before)} when it was learnt"
            found.append(Cause("data", one.feature, one.now - one.before, sentence))
    return found


def _nearby(hints: Hints, since: datetime | None, span: timedelta) -> list[Cause]:
    near = [n for n in hints.nearby if since is None or abs(n.at - since) <= span]
    ordered = sorted(near, key=lambda n: (n.kind == "definition", n.at if since is None else abs(n.at - since)), reverse=since is None)
    return [Cause(n.kind, "", 0.0, f"{n.sentence} ({n.at:%Y-%m-%d %H:%M} UTC)") for n in ordered]


def _feature(suspect: Suspect) -> Cause:
    sentence = f"{suspect.feature}, {figure(suspect.z)} spreads beyond its habit (PSI {figure(suspect.now.psi)})"
    if suspect.importance is not None:
        sentence += f", of which {percent(suspect.importance)} of the answers' movement comes"
    return Cause("feature", suspect.feature, suspect.score, sentence)


def _answers_split(hints: Hints) -> Split | None:
    return None if hints.answers is None else drill(*hints.answers)


def _metric_split(seen: Seen, name: str, since: datetime | None) -> Split | None:
    """The change of a measure from what was promised; None where there is nothing to split, or it is no ratio of two sums."""
    if seen.promised is None or seen.answered is None:
        return None
    now = seen.answered if since is None else seen.answered.take(seen.answered.moments >= int(since.timestamp() * 1e6))
    sides = [_side(name, table) for table in (seen.promised, now)]
    return None if sides[0] is None or sides[1] is None else drill(sides[0], sides[1])


def _side(name: str, table: Answered) -> Side | None:
    from everloop.monitor.error import judged

    table = judged(table)
    if not len(table):
        return None
    try:
        amount, weight = measure(name).parts(table.truth, table.answers)
    except TypeError:
        return None
    return Side(amount, weight, table.groups)


def _segments(split: Split, what: str) -> list[Cause]:
    named = [p for p in split.parts if p.name]
    return [Cause("segment", f"{p.name}={p.value}", abs(p.total), _said(p, split, what)) for p in named]


def _said(part: Part, split: Split, what: str) -> str:
    where = f"{part.name.replace('_', ' ')} is {part.value}"
    share = percent(part.total / split.change) if split.change else figure(part.total)
    if abs(part.mix) > abs(part.within):
        grown = "more" if part.share_now > part.share_before else "less"
        why = f"there is {grown} of it ({percent(part.share_before)} to {percent(part.share_now)})"
    else:
        why = f"it changed there ({figure(part.before)} to {figure(part.now)})"
    return f"{share} of the change of {what} lies where {where}: {why}"
