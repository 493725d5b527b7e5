"""Why a model is watched with worry: what fired, and what may be behind it, likeliest first. Keeps and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from everloop.clock import said
from everloop.loop import watching
from everloop.loop.adopt import adopt
from everloop.loop.house import House
from everloop.loop.measured import evidence_said
from everloop.monitor.causes import Cause, causes
from everloop.monitor.watch import watch
from everloop.project.model import Model
from everloop.records import identity


@dataclass(frozen=True)
class Because:
    """What fired (one sentence each), since when at the earliest (None: nothing says), and the causes, likeliest first."""

    model: str
    as_of: datetime
    fired: tuple[str, ...]
    since: datetime | None
    causes: tuple[Cause, ...]
    done: str | None = None
    """What the last turn did about drift that is only told."""


def why_now(house: House, model: Model, now: datetime) -> Because:
    """What watching finds of a model at an instant, and what may be behind it; also where nothing fired."""
    adopt(house, model, now)
    traffic = house.traffic(model)
    seen = watching.seen(house, model, traffic, now=now)
    signals = watch(model, traffic, seen, now=now, id=identity("why", model.name, now.isoformat()))
    fired = [s for s in signals.signals if s.fired and s.kind in ("drift", "slip", "data")]
    since = min((s.since for s in fired if s.since is not None), default=None)
    metric = next((s.measure for s in fired if s.kind == "slip"), None)
    asked, zone = (model.asked.span, model.asked.zone) if model.asked is not None else (timedelta(days=1), None)
    found = causes(seen, since=since, span=asked, metric=metric, zone=zone)
    done = next(evidence_said(house, model), None)
    return Because(model.name, now, tuple(s.sentence for s in fired), since, tuple(found), done)


def spoken_because(because: Because) -> str:
    """The same in lines.

    >>> from datetime import UTC
    >>> print(spoken_because(Because("demand", datetime(2026, 11, 2, tzinfo=UTC), (), None, ())))
    demand, as of 2026-11-02 00:00 UTC: no drift, no slip, no broken data.
    Nothing stands out.
    """
    head = "; ".join(because.fired) or "no drift, no slip, no broken data"
    since = f" (since {because.since:%Y-%m-%d})" if because.since else ""
    lines = [f"{because.model}, as of {said(because.as_of)}: {head}{since}."]
    lines += [f"{place}. {cause.sentence}" for place, cause in enumerate(because.causes, 1)]
    lines += [] if because.causes else ["Nothing stands out."]
    return "\n".join([*lines, f"The last turn {because.done}."] if because.done else lines)
