"""Skew as news: what the meter found of a model is kept for ``status``, and its owner is told where anything differs."""

from __future__ import annotations

from datetime import datetime

from everloop.loop.house import House
from everloop.loop.news.alerts import skewed
from everloop.loop.skew import A_DAY, Measured, measure
from everloop.project.model import Model

SKEW = "skew"


def look_daily(house: House, model: Model, now: datetime) -> Measured | None:
    """Look at the answers since the last look (at most a day's), if that was a day ago; None if it was not."""
    last = house.facts.latest(model.name, SKEW)
    if last is not None and last.at <= now < last.at + A_DAY:
        return None
    if house.pointers.current(model.name) is None:
        return None
    found = measure(house, model, now=now)
    keep(house, model, found)
    return found


def keep(house: House, model: Model, found: Measured) -> None:
    """Remember what was found, and put it on its way to the model's owner where anything differs; the same features once a day."""
    names = [skew.feature for skew in found.skewed]
    with house.store.transaction() as t:
        body = {"answers": found.answers, "values": found.values, "unread": found.unread, "features": names}
        house.facts.put(t, model.name, SKEW, found.until, body)
        if names:
            sentence = f"{found}\nNext: everloop skew {model.name}"
            alert = skewed(model, names, sentence, found.until)
            house.outbox.put(t, alert, at=found.until, head=str(house.journal.head(within=t)))


def standing_skew(house: House, model: Model) -> str | None:
    """The features that differed when it was last looked at, as one word or several; None where nothing did."""
    fact = house.facts.latest(model.name, SKEW)
    return ", ".join(fact.body["features"]) or None if fact is not None else None
