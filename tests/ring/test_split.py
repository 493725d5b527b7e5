"""Roll-outs decided by their split, on a clock that is turned: a canary that fails, twins, tests won, lost and not settled in time."""

from __future__ import annotations

import pyarrow.compute as pc
import pytest

from everloop import ab, beats_champion, canary, days, hours, shadow, worse_than_champion
from everloop.loop.answers import answers_of
from everloop.loop.people import admit_file
from everloop.rollout.verdict import replay
from everloop.stats.elond import level
from tests.ring.shops import Says, Shop, revenue, usual


def test_a_canary_that_raises_half_of_the_time_is_taken_back_though_nothing_says_when_and_the_figures_are_named(tmp_path):
    shop = Shop(tmp_path, usual, Says(fails=0.7))
    assert shop.until_over(6) <= 2
    [back] = shop.undone()
    assert (back.cause, shop.traffic.stage) == ("errors", "steady")
    assert "answers of the candidate failed" in back.because[0]
    [alert] = {letter.alert.sentence for letter in shop.house.outbox.waiting() if letter.alert.severity == "critical"}
    assert "more than 0.5 % is proven" in alert
    shop.house.journal.verify()


def test_equal_versions_go_all_the_way(tmp_path):
    shop = Shop(tmp_path, usual)
    before = shop.traffic.champion
    shop.until_over(8)
    assert shop.undone() == []
    assert shop.traffic.champion != before
    assert {trial.says for trial in shop.trials()} == {"go on"}
    epoch = shop.trials()[-1].epochs[0]
    assert epoch.candidate + epoch.champion > 90, "a share of 0.2 covers 0.4 of the 300 customers"
    # Told apart by whole batches, the small arm would look slow: there is nothing here to tell slow answers by.
    assert "one at a time" in shop.trials()[-1].guards[1].why_silent


TEST = [ab(0.5, wins_when=beats_champion(revenue), within=days(8))]


@pytest.mark.parametrize(
    ("lift", "over", "ends", "because"),
    [
        (1.7, 6, "bake", "the roll-out's next step is due"),
        (0.4, 6, "steady", "evidence"),
        (1.0, 9, "steady", "the test was not settled in time, so the champion stays"),
    ],
    ids=["won", "lost", "not settled in time"],
)
def test_a_test_on_what_people_spend_is(tmp_path, lift, over, ends, because):
    shop = Shop(tmp_path, usual.but("offers", roll_out=TEST, autonomy="act"), lift=lift)
    before = shop.traffic.champion
    for _ in range(over):
        if shop.traffic.stage == "canary":
            shop.day()
    assert shop.traffic.stage == ends
    assert (shop.traffic.champion != before) == (ends == "bake")
    assert because in shop.traffic.because
    for trial in shop.trials():
        assert replay(trial) == trial
    last = shop.trials()[-1]
    assert last.says == {1.7: "promote", 0.4: "roll back", 1.0: "not enough evidence"}[lift]
    assert "the total amount of orders over the next 3 days, per customer" in last.because
    assert shop.trials()[0].guards[-1].waiting == 300, "a window of three days is not closed on the first"


def test_the_second_test_of_a_model_is_judged_at_the_level_the_first_one_left(tmp_path):
    shop = Shop(tmp_path, usual.but("offers", roll_out=[ab(0.5, wins_when=beats_champion(revenue), within=days(4))], autonomy="act"))
    assert shop.until_over(5) == 4
    admit_file(
        shop.house, shop.model, tmp_path / "candidate.joblib", shop.now, trust=True, override=True, by="Kim", reason="once more"
    )  # fmt: skip
    shop.day()
    first, second = shop.trials()[0], shop.trials()[-1]
    assert (first.test, second.test, second.found) == (1, 2, 0)
    assert second.guards[-1].level == level([False])
    assert "it is test 2 of the model, and 0 of the 1 before promoted" in second.because
    assert [replay(trial) for trial in shop.trials()] == shop.trials()


def test_less_spent_than_the_champions_customers_is_a_reason_to_go_back_also_without_a_test(tmp_path):
    feared = {"roll_back_when": worse_than_champion(revenue, by=0.05), "roll_out": [shadow(hours(12)), canary(0.5, every=days(9))]}
    shop = Shop(tmp_path, usual.but("offers", **feared), lift=0.3)
    assert shop.until_over(9) < 9
    [back] = shop.undone()
    assert back.cause == "worse"
    [signals] = [e.record for e in shop.house.journal.read(kind="Signals") if e.record.id in back.made_from]
    assert [s.clause for s in signals.fired("worse")] == [repr(worse_than_champion(revenue, by=0.05))]
    assert signals.fired("worse")[0].sentence == back.because[0]


def test_where_the_answer_changes_the_truth_each_version_is_judged_by_its_own_units(tmp_path):
    split = {"answer_changes_truth": True, "roll_back_when": worse_than_champion("mae"), "roll_out": canary(0.5, every=days(20))}
    shop = Shop(tmp_path, usual.but("offers", **split), Says(times=3.0))
    assert shop.until_over(12) < 12
    [back] = shop.undone()
    assert back.cause == "worse"
    assert back.because[0].startswith("MAE:")
    assert "a unit with the candidate" in back.because[0]


def test_units_that_are_lost_freeze_the_roll_out_and_somebody_is_told(tmp_path, monkeypatch):
    shop = Shop(tmp_path, usual.but("offers", roll_out=canary(0.5, every=days(1))))
    whole = answers_of

    def lossy(house, model, **words):
        given = whole(house, model, **words)
        lost = pc.and_(pc.equal(given.column("arm"), "candidate"), pc.not_equal(pc.utf8_slice_codeunits(given.column("unit"), 1, 2), "1"))
        return given.filter(pc.invert(lost))

    monkeypatch.setattr("everloop.loop.trial.answers_of", lossy)
    for _ in range(3):
        shop.day()
    assert shop.traffic.stage == "canary"
    assert shop.trials()[-1].frozen
    decisions = [e.record for e in shop.house.journal.read(kind="Decision")]
    assert decisions[-1].action == "hold"
    assert "cannot be held against each other" in decisions[-1].because[1]
    assert any("units are lost" in letter.alert.sentence for letter in shop.house.outbox.waiting())
