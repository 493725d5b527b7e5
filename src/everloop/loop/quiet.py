"""What a quiet year costs in false alarms, kept: worked out at most once a day when a model is watched, so that asking costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from everloop.clock import from_microseconds
from everloop.loop.house import House
from everloop.monitor.drift import judged, moved, past_of, references
from everloop.monitor.profile import Profile
from everloop.monitor.quiet import QuietYear, quiet_year
from everloop.monitor.rhythm import Season
from everloop.project.conditions import drifted
from everloop.project.model import Model
from everloop.records import Traffic

DAILY = timedelta(days=1)


def quiet_of(
    reference: Profile, windows: Sequence[Profile], seasons: Sequence[Season], span: timedelta, zone: str | None
) -> QuietYear | None:
    """What the rule would have cost in the windows that can be judged; None of too few."""
    lots = judged(reference, windows, span, zone)
    if not lots.windows:
        return None
    against = references(reference, lots.windows, seasons, lots.span, zone)
    names = list(moved(against[-1], lots.windows[-1]))
    return quiet_year(past_of(reference, lots.windows, against, names), lots.span or span) if names else None


def keep_quiet(
    house: House, model: Model, traffic: Traffic, reference: Profile | None, windows: Sequence[Profile], seasons: Sequence[Season],
    span: timedelta, zone: str | None,
) -> None:  # fmt: skip
    """Work it out again and keep it, where a day has passed since the window it was last worked out for; of a model nobody watches for
    drift, nothing."""
    at = windows[-1].first_at if windows else None
    if reference is None or at is None or not watches_drift(model):
        return
    name, newest = _name(traffic), from_microseconds(at)
    last = house.facts.latest(model.name, name)
    if last is not None and last.at <= newest < last.at + DAILY:
        return
    found = quiet_of(reference, windows, seasons, span, zone)
    with house.store.transaction() as t:
        house.facts.put(t, model.name, name, newest, {} if found is None else asdict(found))


def quiet_kept(house: House, model: Model, traffic: Traffic) -> QuietYear | None:
    """What was kept of the champion."""
    last = house.facts.latest(model.name, _name(traffic))
    return QuietYear(**last.body) if last is not None and last.body else None


def watches_drift(model: Model) -> bool:
    """Whether a condition is about drift."""
    return any(isinstance(c, drifted) for c in (*model.roll_back_when, *model.retrain_when, *model.tell_when))


def _name(traffic: Traffic) -> str:
    return f"quiet {traffic.champion}"
