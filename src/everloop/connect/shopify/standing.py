"""How a shop's door stands, in figures and in sentences. Reads ``shopify.db``, and asks the house whether it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from everloop.connect.shopify import book, inbox
from everloop.connect.shopify.inbox import Figures
from everloop.connect.shopify.place import Place

OLD = timedelta(minutes=5)


@dataclass(frozen=True)
class Standing:
    """How a door stands: its inbox; how many ``orders``, ``products`` and ``levels`` it told; what is ``held`` until its product is known;
    how much is ``wanted`` that was not told whole; how many rows the house ``refused``, and the last reason; whether the ``house``
    answers."""

    inbox: Figures
    orders: int
    products: int
    levels: int
    held: int
    wanted: int
    refused: int
    why_refused: str | None
    house: bool


def standing(place: Place, house: str) -> Standing:
    """How the door stands now; ``house`` is where its house is asked."""
    inbox.open_inbox(place)
    book.open_book(place)
    with inbox.refusing(), place.transaction(write=False) as t:

        def count(query: str) -> int:
            return int(t.execute(query).fetchone()[0])

        why = t.execute("select source || ': ' || why from refused order by at desc limit 1").fetchone()
        found = {
            "orders": count("select count(distinct order_id) from lines"),
            "products": count("select count(*) from newest where kind = 'Product'"),
            "levels": count("select count(*) from levels"),
            "held": count("select count(*) from lines where held is not null")
            + count("select count(*) from levels where item_id not in (select item_id from variants where item_id is not null)"),
            "wanted": count("select count(*) from wanted"),
            "refused": count("select count(*) from refused"),
        }
    return Standing(inbox.figures(place), **found, why_refused=why[0] if why else None, house=_answers(house))


def _answers(house: str) -> bool:
    try:
        return httpx.get(f"{house}/health/live", timeout=2).status_code < 500
    except httpx.HTTPError:
        return False


def sentences(shop: str, now: Standing, wall: datetime) -> Iterator[str]:
    """A standing as a person reads it; ``wall`` is now."""
    box = now.inbox
    last = "nothing has come in yet" if box.last_at is None else f"the last delivery came {_ago(wall - box.last_at)} ago"
    yield f"{shop}: {last}; the house {'answers' if now.house else 'does not answer'}."
    if box.waiting and box.oldest_at is not None:
        age = wall - box.oldest_at
        late = "" if age < OLD else " It goes in as soon as the house answers: everloop run"
        yield f"{box.waiting:,} waiting, the oldest for {_ago(age)}.{late}"
    yield f"Told: {now.orders:,} orders, {now.products:,} products, {now.levels:,} levels."
    if box.dead:
        of = ", ".join(f"{count:,} {topic}" for topic, count in box.dead_topics.items())
        yield f"{box.dead:,} could not be read or done and lie aside ({of}); the last: {box.why}. Read them again: everloop shopify again"
    if now.refused:
        yield f"{now.refused:,} rows the house would not have; the last: {now.why_refused}"
    if now.held:
        yield f"{now.held:,} rows wait until somebody says which product they are of."
    if now.wanted:
        yield f"{now.wanted:,} changed and were not told whole: everloop shopify reconcile"


def _ago(span: timedelta) -> str:
    """A span, roughly.

    >>> _ago(timedelta(seconds=3)), _ago(timedelta(minutes=90)), _ago(timedelta(days=3))
    ('3 s', '90 min', '3 days')
    """
    seconds = int(span.total_seconds())
    return (
        f"{seconds} s"
        if seconds < 120
        else f"{seconds // 60} min"
        if seconds < 7200
        else f"{seconds // 3600} h"
        if seconds < 172_800
        else f"{seconds // 86_400} days"
    )
