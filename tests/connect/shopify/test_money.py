"""What a model brought: units, spans, what came back, and sentences that say no more than was proven."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from bench.shopify_money import NEEDS, each_week, welch
from bench.shopify_world import KINDS, simulated

from everloop.clock import microseconds
from everloop.connect.shopify.money import Met, Spans, account, settled
from everloop.connect.shopify.money_said import data, sentences
from everloop.errors import EverloopError
from everloop.stats.lift import after_each

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
SPANS = Spans(within=14 * DAY, settles=30 * DAY)


def lines(*rows):
    """(id, day bought, day known, unit, net[, deleted[, more]]) as versions in the order in which they were known."""
    found = []
    for at, (id, bought, known, unit, net, *rest) in enumerate(rows):
        row = {
            "seq": at + 1, "id": id, "version": microseconds(BEGAN + known * DAY), "event_at": microseconds(BEGAN + bought * DAY),
            "known_at": microseconds(BEGAN + known * DAY), "deleted": bool(rest and rest[0]), "unit": None, "customer_id": unit, "net": net,
            "currency": "EUR", "arm": None,
        }  # fmt: skip
        found.append(row | (rest[1] if len(rest) > 1 else {}))
    kinds = {"seq": pa.int64(), "id": pa.string(), "version": pa.int64(), "event_at": pa.int64(), "known_at": pa.int64()}
    kinds |= {"deleted": pa.bool_(), "unit": pa.string(), "customer_id": pa.string(), "net": pa.int64()}
    return pa.Table.from_pylist(found, schema=pa.schema([*kinds.items(), ("currency", pa.string()), ("arm", pa.string())]))


def met(*units, control=0.5):
    """(unit, day, kept) in order."""
    names, days, kept = zip(*units, strict=True)
    at = np.array([microseconds(BEGAN + day * DAY) for day in days], dtype=np.int64)
    arms = np.array(["control" if one else "champion" for one in kept], dtype=object)
    return Met(np.array(names, dtype=object), arms, at, np.array(kept), control)


def values(table, who, day, **more):
    return settled(table, who, BEGAN + day * DAY, since=BEGAN, spans=replace(SPANS, **more)).values.tolist()


TWO = met(("a", 1, False), ("b", 2, True))


def test_a_unit_counts_once_its_span_and_its_time_for_returns_are_over():
    table = lines(("1", 3, 3, "a", 5000), ("2", 4, 4, "b", 3000))
    assert [values(table, TWO, day) for day in (44, 45, 46)] == [[], [5000.0], [5000.0, 3000.0]]


def test_what_is_bought_before_a_unit_was_met_or_after_its_span_is_none_of_its_money():
    table = lines(("1", 0, 0, "a", 100), ("2", 1, 1, "a", 10), ("3", 14.9, 14.9, "a", 1), ("4", 15, 15, "a", 1000))
    assert values(table, TWO, 60) == [11.0, 0.0]


def test_a_refund_within_the_time_for_returns_revises_what_is_bet_on_and_a_later_one_does_not():
    in_time = lines(("1", 3, 3, "a", 5000), ("1", 3, 44, "a", 2000))
    assert values(in_time, TWO, 60) == [2000.0, 0.0]
    late = lines(("1", 3, 3, "a", 5000), ("1", 3, 46, "a", 2000), ("2", 3, 3, "b", 5000))
    assert values(late, TWO, 60) == [5000.0, 5000.0]
    told = account("recommend", late, TWO, BEGAN + 60 * DAY, since=BEGAN, spans=SPANS)
    assert [arm.net for arm in told.arms] == [2000, 5000]
    assert told.came_back_late == 3000


def test_a_refund_that_comes_before_its_order_and_a_stale_version_that_comes_after_change_nothing():
    rows = [("1", 3, 3, "a", 5000), ("1", 3, 9, "a", 2000)]
    right = values(lines(*rows), TWO, 60)
    refund, order = {"version": microseconds(BEGAN + 9 * DAY)}, {"version": microseconds(BEGAN + 3 * DAY)}
    turned = lines(("1", 3, 3, "a", 2000, False, refund), ("1", 3, 9, "a", 5000, False, order))
    assert values(turned, TWO, 60) == right == [2000.0, 0.0]


def test_a_cancelled_line_is_no_money_though_it_says_no_longer_whose_it_was():
    table = lines(("1", 3, 3, "a", 5000), ("1", 3, 5, None, None, True, {"event_at": None}))
    assert values(table, TWO, 60) == [0.0, 0.0]


def test_an_anonymous_order_belongs_to_the_browser_that_was_answered_and_who_was_met_twice_to_the_first():
    who = met(("token-1", 1, False), ("c9", 5, True))
    table = lines(
        ("1", 6, 6, "c9", 700, False, {"unit": "token-1"}), ("2", 6, 6, None, 40, False, {"unit": "token-1"}), ("3", 6, 6, "c9", 2)
    )
    assert values(table, who, 60) == [740.0, 2.0]


def test_an_order_of_nobody_who_was_answered_is_told_apart():
    told = account("recommend", lines(("1", 3, 3, "z", 900), ("2", 3, 3, None, 50)), TWO, BEGAN + 60 * DAY, since=BEGAN, spans=SPANS)
    assert told.elsewhere == 950
    assert any(line.startswith("9.50 EUR was bought by units that were never answered") for line in sentences(told))


def test_a_bet_that_was_made_stands_whatever_is_refunded_later():
    shop = simulated(np.random.default_rng(1), KINDS[0], 1500)
    done, then = (settled(shop.lines, shop.met, at, since=shop.since) for at in (shop.until, shop.since + 90 * DAY))
    course, _ = after_each(done.values, done.model, done.share, most=done.cap, before=done.before)
    earlier, _ = after_each(then.values, then.model, then.share, most=then.cap, before=then.before)
    assert then.cap == done.cap
    assert 100 < len(earlier) < len(course)
    assert np.array_equal(course[: len(earlier)], earlier)


def test_few_of_two_hundred_null_shops_are_told_that_the_model_brings_more_and_a_judge_that_peeks_tells_many():
    rng, shops, proven, rival = np.random.default_rng(80), 200, 0, 0
    for n in range(shops):
        shop = simulated(rng, KINDS[n % len(KINDS)], 1500)
        done = settled(shop.lines, shop.met, shop.until, since=shop.since)
        if done.cap is None:
            continue  # of too few buyers nothing is said
        more, _ = after_each(done.values, done.model, done.share, most=done.cap, before=done.before)
        proven += bool(more.max() >= NEEDS)
        rival += any(welch(*seen) for seen in each_week(shop))
    assert proven <= 0.05 * shops
    assert rival > 0.15 * shops, "the test would not notice a judge that peeks"


def test_a_lift_is_found_where_there_is_one_and_told_with_its_interval():
    shop = simulated(np.random.default_rng(3), replace(KINDS[1], control=0.5), 6000, lift=0.3)
    told = account("recommend", shop.lines, shop.met, shop.until, since=shop.since)
    assert told.says == "brings more"
    assert 0 < told.found.share[1] < 0.3 < told.found.share[2]
    said = "\n".join(sentences(told))
    assert "Proven: the model brings more" in said
    assert "Attribution would claim" in said
    assert data(told)["says"] == "brings more"


def test_attribution_claims_money_in_a_shop_in_which_the_model_brings_nothing():
    shop = simulated(np.random.default_rng(4), KINDS[1], 3000)
    told = account("recommend", shop.lines, shop.met, shop.until, since=shop.since)
    assert told.says == "not enough evidence"
    assert sum(arm.through for arm in told.arms) > 0.1 * sum(arm.net for arm in told.arms)


def test_where_nobody_bought_before_the_first_buyers_say_what_is_much_and_count_no_more():
    shop = simulated(np.random.default_rng(5), KINDS[1], 2000)
    new = shop.lines.filter(pa.compute.greater_equal(shop.lines["event_at"], microseconds(shop.since)))
    done = settled(new, shop.met, shop.until, since=shop.since)
    assert done.cap is not None
    assert 50 <= done.fixing < 200
    assert len(done.values) == done.counts.sum() == 2000 - done.fixing
    nothing = settled(lines(("1", 3, 3, "a", 5000)), TWO, BEGAN + 60 * DAY, since=BEGAN, spans=SPANS)
    assert nothing.cap is None


def test_a_lift_of_a_shop_too_small_to_tell_is_said_to_be_too_small():
    shop = simulated(np.random.default_rng(6), KINDS[1], 300, lift=0.1)
    said = "\n".join(sentences(account("recommend", shop.lines, shop.met, shop.until, since=shop.since)))
    assert "Not enough evidence" in said
    assert "would take about" in said
    nobody = account("recommend", lines(), TWO, BEGAN + DAY, since=BEGAN)
    assert "Nobody is settled yet; 2 more are waited for." in sentences(nobody)


def test_lines_in_another_currency_are_left_out_and_said_to_be():
    table = lines(("1", 3, 3, "a", 5000), ("2", 3, 3, "a", 7000, False, {"currency": "SEK"}), ("3", 3, 3, "b", 10))
    told = account("recommend", table, TWO, BEGAN + 60 * DAY, since=BEGAN, spans=SPANS)
    assert (told.currency, told.foreign, [arm.net for arm in told.arms]) == ("EUR", 1, [5000, 10])
    with pytest.raises(EverloopError, match="As many order lines are in SEK as in EUR"):
        account("recommend", table.slice(0, 2), TWO, BEGAN + 60 * DAY, since=BEGAN)
