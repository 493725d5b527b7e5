"""A small house in which something was bought, answered, learnt and forgotten to be told: what backups are made of in tests."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from everloop import Model, Source, days, every, slipped
from everloop.lake.receive import receive
from everloop.lake.seal import seal
from everloop.loop.answers import answer_due, answer_one
from everloop.loop.house import open_house
from everloop.loop.project_file import project_of
from everloop.loop.turn import turn
from everloop.records import Alert
from everloop.settings import read_settings

RARE, OTHER = "marker-7f3a91c2", "someone-else-44"
BEGIN, NIGHTS = datetime(2026, 9, 1, tzinfo=UTC), 11
orders = Source(
    "orders", id="order_id", time="ordered_at", columns={"customer_id": str, "amount": int}, private="customer_id"
)  # fmt: skip


class Little:
    """Answers a thousandth of what was bought."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.nan_to_num(np.asarray(X, dtype=float)[:, 0]) / 1_000


spends = Model(
    "spends", predicts=orders.total("amount", next=days(1)), per="customer_id", asked=every(days(1), at="00:00", zone="UTC"),
    knows=orders.total("amount", last=days(7)), learner=Little(), promote_when=[], retrain_when=slipped("mae", by=0.2), autonomy="act",
)  # fmt: skip


def settings_in(folder, **said):
    return replace(read_settings(folder, house=folder / "house", environ={}), child=False, **said)


def house_in(folder, **said):
    return open_house(project_of(spends), settings=settings_in(folder, **said), turned=True)


def bought(night, people=(RARE, OTHER, "c1", "c2", "c3", "c4")):
    rng, at = random.Random(night), BEGIN + timedelta(days=night, hours=-6)
    return [{"order_id": f"{who}-{night}", "ordered_at": at, "customer_id": who, "amount": rng.randrange(1, 99)} for who in people]


def lived_in(folder, nights=NIGHTS, **said):
    """The house after some nights, some rows sealed and some not; a version was learnt, and an alert waits."""
    house = house_in(folder, **said)
    for night in range(nights):
        now = BEGIN + timedelta(days=night)
        receive(house.lake, orders, bought(night), now=now - timedelta(minutes=9))
        if night in (3, 7):
            seal(house.lake, orders)
        answer_due(house, spends, now)
    turn(house, spends, now, "demand")
    now += timedelta(days=1)
    answer_due(house, spends, now)
    receive(house.lake, orders, bought(nights), now=now + timedelta(minutes=1))
    with house.store.transaction() as t:
        house.outbox.put(t, Alert(model="spends", severity="warning", sentence="it waits", key="waits"), at=now)
        house.outbox.put(t, Alert(model="spends", severity="warning", sentence="it was told", key="told"), at=now)
        house.outbox.delivered(t, "told", at=now)
    return house, now + timedelta(hours=1)


def asked(house, now):
    """What everybody is answered at one moment, bit by bit; the house is not the same afterwards."""
    given = [answer_one(house, spends, [who], now) for who in (OTHER, "c1", "c4")]
    return [(one.unit, np.float64(one.value).tobytes(), one.version) for one in given]


def closed(house):
    house.lake.log.close()
    house.store.close()
