"""Events and features that are not fit to learn from, as signals, at every turn: somebody has to mend them.

In: findings, and profiles. Out: signals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from everloop.monitor.drift import Broken, broken
from everloop.monitor.lots import LEAST_ROWS
from everloop.monitor.profile import Profile
from everloop.project.model import Model
from everloop.records import Finding, Signal
from everloop.stats.rounded import percent

HALF, MUCH = 0.5, 0.05
GONE = 0.1
"""Where no more than this share of the usual rows came, something stopped; short of that a day nobody vouched for is only told."""


def unfit(model: Model, findings: Iterable[Finding]) -> Iterator[Signal]:
    """A signal for each finding that failed: *data*, which nothing is learnt from, or *volume*, a day out of the ordinary at a source that
    does not say ``usual_volume()`` in its ``must``; and *season* for what a year ago explains.
    """
    for finding in findings:
        if finding.season is not None:
            yield _signal(finding, "season", finding.source)
        if finding.outcome != "failed":
            continue
        condition = _clauses(model, finding).get(finding.clause)
        column = getattr(condition, "column", None) or getattr(condition, "what", None)
        about = f"{finding.source}.{column}" if column else finding.source
        yield _signal(finding, "data" if stands_in_the_way(model, finding) else "volume", about)


def stands_in_the_way(model: Model, finding: Finding) -> bool:
    """Whether nothing is learnt from the data while this is found; what failed beside is only told."""
    if finding.outcome != "failed":
        return False
    return finding.clause in _clauses(model, finding) or finding.clause == "columns" or (finding.met is not None and finding.met <= GONE)


def _clauses(model: Model, finding: Finding) -> dict[str, object]:
    return {repr(c): c for s in model.sources if s.name == finding.source for c in s.must}


def came_apart(reference: Profile, windows: Sequence[Profile]) -> Iterator[Signal]:
    """A signal for each feature of the newest window that is ``drift.broken``: *data* where it broke, *drift* where it may as well have
    grown apart, which learning anew would cure.
    """
    for one in broken(reference, windows[-1]):
        sentence = f"{one.feature}: {percent(one.now)} of values are {one.what}, against {percent(one.before)} when it was learnt"
        sentence += f"; most of them {one.named}" if one.named else ""
        yield Signal(
            clause="data", kind="data" if _broke(one, reference, windows) else "drift", fired=True, outcome="passed", sentence=sentence,
            about=one.feature, value=one.now, rows=windows[-1].rows,
        )  # fmt: skip


def _broke(one: Broken, reference: Profile, windows: Sequence[Profile]) -> bool:
    """Whether something was done to the feature: half of the rise or more came from one window to the next; of values nobody has seen, a
    value known before lost half as much (it was renamed; new ones beside the old take from all).
    """
    rise, bins = one.now - one.before, reference.spec.features[one.feature]
    if one.what == "unseen":
        old, new = (p.counts[one.feature][3:] / max(1, p.counts[one.feature].sum()) for p in (reference, windows[-1]))
        return bool(len(old)) and float((old - new).max()) >= HALF * rise
    if one.what == "empty" and rise <= MUCH:
        return False
    place = {"empty": 0, "below anything seen": 1}.get(one.what, len(bins) - 1)
    shares = [w.counts[one.feature][place] / w.counts[one.feature].sum() for w in windows if w.counts[one.feature].sum() >= LEAST_ROWS]
    return float(np.diff([one.before, *shares]).max()) >= HALF * rise


def _signal(finding: Finding, kind: Literal["data", "volume", "season"], about: str) -> Signal:
    return Signal(
        clause=finding.clause, kind=kind, fired=True, outcome="passed", sentence=finding.sentence.removesuffix("."), about=about,
        value=finding.met, rows=finding.rows,
    )  # fmt: skip
