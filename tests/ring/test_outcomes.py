"""Tests that are won, lost and held back by what is told over HTTP, on a clock that is turned."""

from __future__ import annotations

import pytest

from everloop import ab, beats_champion, canary, days, outcome, worse_than_champion
from everloop.loop.look import status
from everloop.rollout.verdict import replay
from tests.ring.shops import Shop, usual

ORDER = outcome("order", next=days(1))
SPENT = outcome("order", next=days(2), total=True)


@pytest.mark.parametrize(("on", "lift", "says"), [(ORDER, 1.8, "promote"), (SPENT, 0.3, "roll back")], ids=["won", "lost"])
def test_a_test_on_what_is_told_is(tmp_path, on, lift, says):
    shop = Shop(tmp_path, usual.but("offers", roll_out=ab(0.5, wins_when=beats_champion(on), within=days(6))), lift=lift, tells="order")
    before = shop.traffic.champion
    for _ in range(6):
        if shop.traffic.stage == "canary":
            shop.day()
    assert (shop.traffic.champion != before) == (says == "promote")
    last = shop.trials()[-1]
    assert last.says == says
    assert "“order” told within" in last.because
    assert [replay(trial) for trial in shop.trials()] == shop.trials()


def test_harm_counts_as_it_is_told_and_a_gain_when_the_window_is_closed(tmp_path):
    week = outcome("order", next=days(7))
    plan = ab(0.5, wins_when=beats_champion(week), within=days(14))
    shop = Shop(tmp_path, usual.but("offers", roll_out=plan), lift=0.1, tells="order")
    assert shop.until_over(7) < 4, "long before the first window of a week is closed"
    harm, gain = shop.trials()[-1].guards[-2:]
    assert (harm.waiting, gain.waiting) == (0, 300)
    assert shop.undone()[0].cause == "worse"


def test_an_outcome_that_nobody_tells_decides_nothing_and_the_champion_stays(tmp_path):
    plan = ab(0.5, wins_when=beats_champion(outcome("order", next=days(1), total=True)), within=days(2))
    shop = Shop(tmp_path, usual.but("offers", roll_out=plan))
    before = shop.traffic.champion
    shop.until_over(4)
    assert (shop.traffic.champion, shop.traffic.stage) == (before, "steady")
    assert "nobody had any before the start" in shop.trials()[-1].because


def test_a_canary_without_a_test_fears_an_outcome(tmp_path):
    feared = worse_than_champion(ORDER, by=0.05)
    shop = Shop(tmp_path, usual.but("offers", roll_out=canary(0.5, every=days(9)), roll_back_when=feared), lift=0.2, tells="order")
    assert shop.until_over(6) < 4
    [back] = shop.undone()
    assert back.because[0].startswith("the chance of any “order” told within 1 day, per customer")


def test_status_shows_what_people_did_beside_the_error_and_between_what_the_ratio_lies(tmp_path):
    shop = Shop(tmp_path, usual.but("offers", roll_out=ab(0.5, wins_when=beats_champion(ORDER), within=days(6))), tells="order")
    for _ in range(3):
        shop.day()
    [standing] = status(shop.house)
    lines = str(standing).splitlines()
    assert any("“order”: " in line and "as candidate" in line and " a unit" in line for line in lines)
    assert any("times as many (evidence" in line and "more units at least" in line for line in lines)
