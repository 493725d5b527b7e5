"""What is known only after the last step, on a clock that is turned: truths and figures that mature while the new champion bakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from everloop import canary, days, worse_than_champion
from everloop.errors import Unknown
from everloop.loop.look import why
from everloop.loop.replayed import replayed
from everloop.project.shape import bakes_for
from everloop.records import Signals
from everloop.rollout.verdict import replay
from tests.ring.shops import Says, Shop, orders, revenue, usual

QUICK = canary(0.5, every=days(1))


def test_a_figure_that_is_known_after_the_last_step_takes_the_new_champion_back(tmp_path):
    feared = worse_than_champion(revenue, by=0.05)
    shop = Shop(tmp_path, usual.but("offers", roll_out=QUICK, roll_back_when=feared), lift=0.3, lasting=True)
    before = shop.traffic.champion
    shop.day()
    assert (shop.traffic.stage, shop.traffic.previous) == ("bake", before), "a figure of three days says nothing after one"
    assert bakes_for(shop.model) == days(3), "longer than the model's own truth takes"
    assert shop.until_over(5) <= 3
    [back] = shop.undone()
    assert back.because[0].startswith("the total amount of orders over the next 3 days, per customer")
    assert (shop.traffic.champion, shop.traffic.stage) == (before, "steady")
    assert [replay(trial) for trial in shop.trials()] == shop.trials()
    again, *earlier = replayed(shop.house, why(shop.house, back.id)[1])
    assert {one.differs for one in (again, *earlier)} == {()}
    assert str(again).endswith("Worked out again from its record: the same.")


def test_twins_leave_bake_when_the_last_figure_is_known(tmp_path):
    shop = Shop(tmp_path, usual.but("offers", roll_out=QUICK, roll_back_when=worse_than_champion(revenue, by=0.05)))
    before = shop.traffic.champion
    assert shop.until_over(6) == 4
    assert shop.traffic.champion != before
    met = [sum(epoch.candidate + epoch.champion for epoch in trial.epochs) for trial in shop.trials()]
    assert met == [300] * 4, "whoever is first answered in bake was never split"
    assert [trial.guards[-1].waiting for trial in shop.trials()] == [300, 300, 0, 0]


def test_an_error_that_is_proven_only_in_bake_takes_the_new_champion_back_beside_the_old_one_in_shadow(tmp_path):
    slow_truth = orders.total("amount", next=days(3))
    model = usual.but("offers", predicts=slow_truth, roll_out=QUICK, roll_back_when=worse_than_champion("mae", by=0.1))
    shop = Shop(tmp_path, model, Says(times=1.8))
    before = shop.traffic.champion
    shop.day()
    assert shop.traffic.stage == "bake"
    shop.until_over(4)
    [back] = shop.undone()
    assert back.because[0].startswith("MAE ")
    assert "at every look, losses differ by" in back.because[0]
    assert shop.traffic.champion == before
    records = why(shop.house, back.id)[1]
    true = next(record for record in records if isinstance(record, Signals) and record.fired("worse"))
    assert {one.differs for one in replayed(shop.house, records)} == {()}
    poor = tuple(replace(signal, wealth=((0.0,),)) if signal.wealth else signal for signal in true.signals)
    [forged] = replayed(shop.house, [replace(true, signals=poor)])
    assert forged.differs == ("worse_than_champion('mae', by=0.1): proven in the record, and not proven from the wealth of its bets",)
    with pytest.raises(Unknown, match="no verdict behind"):
        replayed(shop.house, [record for record in records if not isinstance(record, Signals)])


def test_a_new_champion_that_begins_to_fail_in_bake_is_taken_back_though_nothing_says_when(tmp_path):
    shop = Shop(tmp_path, usual.but("offers", predicts=orders.total("amount", next=days(3)), roll_out=QUICK), Says(fails=0.7))
    Says.let_in = False
    before = shop.traffic.champion
    shop.day()
    assert shop.traffic.stage == "bake"
    Says.let_in = True
    shop.day()
    [back] = shop.undone()
    assert back.cause == "errors"
    assert shop.traffic.champion == before
