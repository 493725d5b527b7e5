"""Data that is not fit to learn from, through real turns on a turned clock: told at once, and learnt from once it is mended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from everloop import Source, at_most, canary, days
from everloop.console.ring import ring_of
from everloop.lake.receive import receive
from everloop.loop.answers import answer_due
from everloop.loop.arrivals import delivered, receive_rows
from everloop.loop.look import status
from everloop.loop.turn import turn
from everloop.records import Candidate, Signals
from tests.ring import shops
from tests.ring.conftest import END

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def lines(since, count=60, price=1_000):
    """Orders of the hour before an instant."""
    at = (since - timedelta(minutes=59 - n % 59) for n in range(count))
    return [
        {"line_id": f"{since:%d%H}-{n}", "ordered_at": when, "product_id": f"p{n % 40:02d}", "quantity": 1, "price": price}
        for n, when in enumerate(at)
    ]


def turned(house, model, now):
    decision = turn(house, model, now)
    signals = house.journal.read(kind="Signals", newest_first=True, limit=1)[0].record
    assert isinstance(signals, Signals)
    return decision, {(s.kind, s.about) for s in signals.signals if s.fired}


def told(house):
    return [(e.alert.severity, e.alert.sentence) for e in house.outbox.all()]


def priced(shop, amount):
    """A few orders come, or are set right, of an amount."""
    when = shops.BEGIN + days(8)
    rows = [{"order_id": f"x{n}", "ordered_at": when.isoformat(), "customer_id": f"c{n}", "amount": amount} for n in range(40)]
    receive(shop.house.lake, shops.orders, rows, now=shop.now)


def test_a_canary_and_a_bake_wait_while_rows_break_what_they_must_be_and_go_on_by_themselves_once_they_are_set_right(tmp_path):
    strict = Source("orders", id="order_id", time="ordered_at", columns=dict(shops.orders.columns), must=at_most("amount", 1_000_000))
    total = strict.total("amount", next=days(1)), strict.total("amount", last=days(7))
    shop = shops.Shop(tmp_path, shops.usual.but("offers", predicts=total[0], knows=total[1], roll_out=[canary(0.5, every=days(1))]))
    before = shop.traffic
    for stage in ("canary", "bake"):
        assert shop.traffic.stage == stage
        priced(shop, 90_000_000)
        for _ in range(4):
            shop.day()
        assert shop.traffic.stage == stage
        waits = "the roll-out waits: it does not go on, for In orders, amount is at most 1,000,000 in "
        assert waits in str(status(shop.house)[0])
        assert waits in ring_of(shop.house, shop.now).lines[0].state.sentence
        priced(shop, 1_000)
        shop.day()
        assert "the roll-out waits" not in str(status(shop.house)[0])
    assert (shop.traffic.stage, shop.traffic.champion) == ("steady", before.candidate)


def learnt(house):
    return [e.record for e in house.journal.read(kind="Candidate") if isinstance(e.record, Candidate) and e.record.format != "baseline"]


@pytest.fixture
def stale(opened):
    """The shop, where orders must be fresh, and nothing has come for three days."""

    def changed(text):
        text = text.replace("always,", "always, fresh, hours,").replace('always("product_id")]', 'always("product_id"), fresh(hours(36))]')
        return text.replace('autonomy="act",', 'autonomy="act", owner="planning",')

    return opened("shop", changed)


def test_a_stale_source_is_told_and_not_learnt_from_until_rows_come_again(stale):
    house, model = stale
    now = END + 3 * DAY
    decision, found = turned(house, model, now)
    assert (decision.action, decision.cause) == ("hold", "data")
    assert ("data", "orders") in found
    assert "In orders, the newest row was known 3 days ago; within 1 day and 12 hours is needed" in decision.because
    assert decision.because[-1] == "nothing is learnt from such data"
    assert learnt(house) == []
    severity, sentence = told(house)[-1]
    assert severity == "critical"
    assert "the newest row was known 3 days ago" in sentence

    receive_rows(house, "orders", lines(now + HOUR), now=now + HOUR)
    decision, found = turned(house, model, now + 2 * HOUR)
    assert decision.retrains
    assert len(learnt(house)) == 1


def test_prices_in_cents_are_told_and_refused_and_taken_back_they_are_no_matter(opened):
    house, model = opened("shop")
    receive_rows(house, "orders", lines(END, price=150_000), now=END)
    decision, found = turned(house, model, END + HOUR)
    assert (decision.action, decision.cause) == ("hold", "data")
    assert ("data", "orders.price") in found
    assert any("price is at most 1,000.00 EUR" in why for why in decision.because)
    # Somebody who asks all the same gets the report of the check, and no candidate.
    assert turn(house, model, END + 2 * HOUR, "demand").retrains
    assert learnt(house) == []

    from everloop.lake.withdraw import withdraw

    withdraw(house.lake, house.project.source("orders"), delivered(house, "orders")[-1].number, now=END + 3 * HOUR)
    assert turned(house, model, END + 4 * HOUR)[0].retrains
    assert len(learnt(house)) == 1


def test_a_day_without_a_row_is_told_though_nobody_asks_and_not_learnt_from(opened):
    house, model = opened("shop")
    decision, found = turned(house, model, END + 2 * DAY)
    assert (decision.action, decision.cause, learnt(house)) == ("hold", "data", [])
    assert found >= {("data", "orders")}
    assert any(why.startswith("In orders, 0 rows happened in the last day, where ") for why in decision.because)


def test_readings_bounds_and_confidence_are_watched_in_a_turn(opened):
    def changed(text):
        said = "tell_when=[at_least(orders.count(last=days(91)), 1), at_most(orders.count(last=days(91)), 1)], budget=days(1),"
        return text.replace("always, at_least,", "always, at_least, at_most,").replace('autonomy="act",', f'autonomy="act", {said}')

    house, model = opened("churn", changed)
    turn(house, model, END)
    answer_due(house, model, END + 2 * HOUR)
    turn(house, model, END + DAY)
    signals = house.journal.read(kind="Signals", newest_first=True, limit=1)[0].record
    many, few = (next(s for s in signals.signals if s.clause.startswith(word)) for word in ("at_least(orders", "at_most(orders"))
    assert (many.kind, many.fired, few.fired, few.outcome) == ("figure", True, False, "failed")
    assert many.low > 1
    assert {c.version for c in signals.confidence} <= {v.id for v in house.versions.all("churn")}
    assert all(0.5 <= c.mean <= 1 and c.rows for c in signals.confidence)
    (line,) = map(str, status(house))
    assert " % sure of " in line
    assert "trained for " in line
    assert " of 1 day in 7 days" in line
