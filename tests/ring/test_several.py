"""Several candidates tested at once, on a clock that is turned: one that does harm, one that is better, and one that is neither."""

from __future__ import annotations

from collections import Counter

import joblib
import pyarrow.compute as pc
import pytest

from everloop import ab, beats_champion, days, hours, shadow
from everloop.errors import Overtaken
from everloop.loop.answers import answers_of
from everloop.loop.people import admit_file, answer_question
from everloop.loop.replayed import replayed
from everloop.loop.spoken import spoken_signals
from everloop.records import Decision, Signals
from everloop.rollout.verdict import replay
from tests.ring.shops import Says, Shop, orders, usual

bought = orders.any(next=days(1))
TEST = [shadow(hours(12)), ab(0.6, wins_when=beats_champion(bought), within=days(5), alone=True)]


def admit(shop, folder, name, candidate):
    candidate.called = name  # so that twins are two versions, and not one of the same content
    joblib.dump(candidate, folder / name)
    admit_file(shop.house, shop.model, folder / name, shop.now, trust=True, override=True, by="Kim", reason="let us see")


def shop_with(folder, *candidates, **words):
    """A shop whose first candidate is a twin, with these beside it."""
    shop = Shop(folder, usual.but("offers", **{"roll_out": TEST, "autonomy": "act", **words.pop("said", {})}), **words)
    Says.let_in = False
    for number, candidate in enumerate(candidates, 2):
        admit(shop, folder, f"candidate-{number}.joblib", candidate)
    Says.let_in = True
    return shop


def all_trials(shop):
    looks = [e.record for e in shop.house.journal.read(kind="Signals", model="offers")]
    return [trial for look in looks if isinstance(look, Signals) for trial in look.trials]


def test_the_one_that_fails_is_dropped_alone_and_the_one_that_is_better_is_promoted(tmp_path):
    shop = shop_with(tmp_path, Says(), candidate=Says(fails=0.7), lifts={"candidate-2": 2.0})
    failing, better = shop.traffic.arms
    champion = shop.traffic.champion
    assert shop.traffic.stage == "shadow"
    while failing in shop.traffic.versions:
        shop.day()
    assert (shop.traffic.stage, shop.traffic.arms, shop.traffic.candidate) == ("shadow", (None, better), better), "it failed unseen"
    assert shop.undone()[0].drops == (failing,)
    for _ in range(8):
        if shop.traffic.stage != "bake":
            shop.day()
    assert (shop.traffic.stage, shop.traffic.champion, shop.traffic.previous) == ("bake", better, champion)
    last = {trial.candidate: trial for trial in all_trials(shop)}
    assert (last[failing].says, last[better].says, last[better].among) == ("roll back", "promote", 2)
    assert all(replay(trial) == trial for trial in all_trials(shop))
    shop.house.journal.verify()


def test_in_a_test_every_candidate_answers_its_part_and_the_log_says_how_likely_that_was(tmp_path):
    shop = shop_with(tmp_path, Says(), Says())
    shop.day()
    assert shop.traffic.stage == "canary"
    shop.day()
    given = answers_of(shop.house, shop.model, since=shop.now - days(1))
    served = given.filter(pc.not_equal(given.column("arm"), "shadow"))
    pairs = Counter(zip(served.column("arm").to_pylist(), served.column("version").to_pylist(), strict=True))
    assert set(pairs) == set(shop.traffic.by_arm.items())
    assert all(35 < pairs[arm, version] < 90 for arm, version in pairs if arm != "champion")
    chances = dict(zip(served.column("arm").to_pylist(), served.column("propensity").to_pylist(), strict=True))
    assert chances == pytest.approx({"champion": 0.4, "candidate": 0.2, "candidate-2": 0.2, "candidate-3": 0.2})
    looked = [e.record for e in shop.house.journal.read(kind="Signals", model="offers")][-1]
    assert [trial.candidate for trial in looked.trials] == list(shop.traffic.arms)
    assert spoken_signals(looked).count("The roll-out of ") == 3
    assert not any(one.differs for one in replayed(shop.house, [looked]))


def test_where_a_person_agrees_to_every_way_back_only_the_one_that_was_asked_about_goes(tmp_path):
    levels = {"autonomy": {"roll_back": "suggest", "promote": "act", "retrain": "act"}}
    shop = shop_with(tmp_path, Says(fails=0.7), said=levels)
    twin, failing = shop.traffic.arms
    shop.day()
    asked = [e.record for e in shop.house.journal.read(kind="Decision") if isinstance(e.record, Decision) and e.record.asks]
    assert (asked[-1].asks, asked[-1].drops, shop.traffic.versions) == ("undo", (failing,), (shop.traffic.champion, twin, failing))
    answer_question(shop.house, shop.model, True, by="Kim", reason="it fails", now=shop.now)
    assert (shop.traffic.candidates, shop.traffic.stage) == ((twin,), "shadow")


def test_not_settled_in_time_the_champion_stays(tmp_path):
    short = [shadow(hours(12)), ab(0.6, wins_when=beats_champion(bought), within=days(2))]
    shop = shop_with(tmp_path, Says(), said={"roll_out": short})
    champion = shop.traffic.champion
    assert shop.until_over(5) < 5
    assert (shop.traffic.champion, shop.traffic.candidates, shop.traffic.arms) == (champion, (), ())
    assert shop.traffic.because == "the test was not settled in time, so the champion stays"


def test_a_candidate_that_comes_when_units_are_split_already_is_told_to_wait(tmp_path):
    shop = shop_with(tmp_path)
    shop.day()
    with pytest.raises(Overtaken, match="joins one only while it is in shadow"):
        admit(shop, tmp_path, "late.joblib", Says())


def test_a_test_that_is_judged_by_an_interval_takes_one_candidate_at_a_time(tmp_path):
    plan = [shadow(hours(12)), ab(0.5, wins_when=beats_champion("rmse"), within=days(9))]
    shop = Shop(tmp_path, usual.but("offers", roll_out=plan))
    with pytest.raises(Overtaken, match="rmse is judged by an interval"):
        admit(shop, tmp_path, "second.joblib", Says())
