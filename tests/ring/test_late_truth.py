"""Truths that come late, twice, corrected, out of order or never, on a clock that is turned: what is said of them and what is decided."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import pytest

from everloop import Model, days, slipped
from everloop.console.ring import wrong_of
from everloop.loop.answers import answer_due
from everloop.loop.look import status
from everloop.loop.steps import watch_now
from everloop.loop.tell.told import tell_predictions, tell_truths
from everloop.loop.turn import turn
from everloop.records import Signals
from everloop.stats.rounded import percent
from tests.loop.houses import NOW, Mean, daily, house_at, orders
from tests.ring.conftest import END

EACH = 100
BEGAN = NOW.replace(hour=0) - timedelta(days=60)

returns = Model(
    "returns",
    predicts=orders.any(next=days(1)),
    per="customer_id",
    asked=daily,
    knows=orders.count(last=days(7)),
    learner=Mean(),
    retrain_when=slipped("auc", by=0.1),
    owner="shop",
)


class World:
    """Answers of a service and their truths, day by day: log-normal delays, a tenth never, one in twenty corrected, in no order."""

    def __init__(self, house, flips_from=None, stops=None, seed=3):
        rng = np.random.default_rng(seed)
        self.house, self.days, self.told = house, 45, 0
        self.chance = rng.beta(1.2, 2.5, (self.days, EACH))
        flipped = (np.arange(self.days)[:, None] >= (flips_from or self.days)) & (np.arange(EACH) < EACH * 0.4)
        true = rng.random((self.days, EACH)) < self.chance
        self.truth = true ^ flipped
        delay = rng.lognormal(np.log(2.5), 0.5, (self.days, EACH))
        self.at = np.where(rng.random((self.days, EACH)) < 0.1, np.inf, np.arange(self.days)[:, None] + delay)
        self.at[self.at > (stops or self.days)] = np.inf
        self.wrong = rng.random((self.days, EACH)) < 0.05
        self.order = rng.permutation(self.days * EACH)

    def until(self, n):
        """All that is told before the end of the n-th day and was not told yet, at once; and the instant at which that day is over."""
        now, first = BEGAN + timedelta(days=n - 1, hours=23), self.told
        asked = [self.question(day, unit) for day in range(first, n) for unit in range(EACH)]
        chances = self.chance[first:n].ravel().tolist()
        said = [question | {"version": "v1", "value": chance} for question, chance in zip(asked, chances, strict=True)]
        assert tell_predictions(self.house, said, now).refused == 0
        due = [divmod(int(i), EACH) for i in self.order if first <= self.at.flat[i] + 1 / 24 < n]
        told = [self.word(one, self.truth[one] ^ self.wrong[one]) for one in due]
        told += [self.word(one, self.truth[one], hours=0.5) for one in due if self.wrong[one]]
        if told:
            assert tell_truths(self.house, told[::-1], now + timedelta(hours=1)).refused == 0
        self.told = n
        return now + timedelta(hours=1)

    def word(self, one, truth, hours=0.0):
        return self.question(*one) | {"truth": bool(truth), "known_at": (BEGAN + timedelta(days=self.at[one], hours=hours)).isoformat()}

    def question(self, n, unit):
        return {"model": "returns", "customer_id": f"c{unit}", "moment": (BEGAN + timedelta(days=int(n))).isoformat()}


def signal(found, kind):
    return next(s for s in found.signals if s.kind == kind)


@pytest.fixture
def world(tmp_path):
    return lambda **words: World(house_at(tmp_path, models=(returns,)), **words)


def test_every_figure_says_how_much_truth_it_rests_on_and_immature_windows_decide_nothing(world):
    made = world()
    now = made.until(25)
    found = watch_now(made.house, returns, now)
    slip = signal(found, "slip")
    assert slip.as_of == now
    assert 0.6 < slip.coverage < 0.9
    assert "answers is known as of 2026-09-28 00:00 UTC" in slip.sentence
    assert "windows are immature" in slip.sentence
    known = np.isfinite(made.at[:25]) & (made.at[:25] < 25)
    windows = known.sum(axis=1) >= 0.9 * known[:12].mean() * EACH
    judged = int(known[4:25][windows[4:25]].sum())
    assert slip.rows == pytest.approx(judged, rel=0.15)
    assert slip.rows < known[4:].sum()  # there is more truth than may be judged by


def test_the_terminal_and_the_console_say_the_same_of_how_much_truth_is_known(world):
    """A void truth is known to be void: nothing is waited for."""
    made = world()
    now = made.until(25)
    watch_now(made.house, returns, now)
    void = [made.question(n, unit) | {"void": True} for n in range(4, 14) for unit in range(0, EACH, 3)]
    assert tell_truths(made.house, void, now).refused == 0
    later = now + timedelta(hours=1)
    found = watch_now(made.house, returns, later)
    said = re.search(r"the truth of (\S+ %) of ", signal(found, "slip").sentence)[1]
    assert percent(signal(found, "slip").coverage) == said
    assert f", the truth of {said} of its answers" in wrong_of(made.house, returns, made.house.traffic(returns), found).rests_on
    assert not found.fired("outage")


def test_the_newest_answers_are_estimated_beside_what_is_known_and_the_estimate_was_tried(world):
    made = world()
    now = made.until(25)
    found = signal(watch_now(made.house, returns, now), "estimate")
    assert found.outcome == "passed"
    assert not found.fired
    assert found.low < found.value < found.high
    newest = slice(21, 25)
    chance, truth = made.chance[newest].ravel(), made.truth[newest].ravel()
    order = np.argsort(np.argsort(chance)) + 1
    auc = (order[truth].sum() - truth.sum() * (truth.sum() + 1) / 2) / (truth.sum() * (~truth).sum())
    assert found.value == pytest.approx(auc, abs=0.06)
    assert "if the world is still as it was learnt" in found.sentence


def test_an_estimate_says_so_itself_once_one_window_shows_that_the_world_has_changed(world):
    made = world(flips_from=14)
    broke = []
    for n in range(14, 24):
        found = signal(watch_now(made.house, returns, made.until(n)), "estimate")
        broke += [n] if found.outcome == "failed" else []
    # The first questions whose truth is another are asked on day 14; their windows mature some five days later.
    assert broke
    assert 14 < broke[0] <= 14 + 7
    assert "not to be trusted" in found.sentence


def test_truths_that_stop_coming_are_told_and_freeze_what_rests_on_truth(world):
    made = world(stops=20, flips_from=12)
    stopped = []
    for n in range(18, 25):
        turn(made.house, returns, made.until(n))
        kept = next(iter(made.house.journal.read(kind="Signals", newest_first=True, limit=1))).record
        assert isinstance(kept, Signals)
        stopped += [n] if kept.fired("outage") else []
    assert stopped
    assert 20 < stopped[0] <= 22
    assert stopped == list(range(stopped[0], 25))
    slip = signal(kept, "slip")
    assert not slip.fired
    assert slip.outcome == "not enough evidence"
    assert "truths stopped coming" in slip.sentence
    alerts = [kept.alert.sentence for kept in made.house.outbox.waiting()]
    assert any("Truths stopped coming" in sentence for sentence in alerts)
    (standing,) = status(made.house)
    assert "truths stopped coming" in str(standing)


# -- concept drift, truth by truth -------------------------------------------------------------------------------------------------------

by_bets = Model(
    "returns",
    predicts=orders.any(next=days(1)),
    per="customer_id",
    asked=daily,
    knows=orders.count(last=days(7)),
    learner=Mean(),
    retrain_when=slipped("brier", by=0.05, detector="bets"),
    tell_when=slipped("brier", detector="adwin"),
)


def kept_signals(house):
    return [entry.record for entry in house.journal.read(kind="Signals")]


def test_bets_on_every_truth_find_the_day_the_world_changed_and_go_on_from_turn_to_turn(tmp_path):
    made = World(house_at(tmp_path, models=(by_bets,)), flips_from=14)
    for n in (10, 12, 15, 18, 20, 22, 24):
        turn(made.house, by_bets, made.until(n))
    turns = [one.followed[0] for one in kept_signals(made.house)]
    rows = [one.rows for one in turns]
    assert rows == sorted(rows)
    assert len({(one.mean, one.cap, one.version) for one in turns}) == 1
    assert turns[0].alarm is None
    assert turns[-1].alarm is not None
    slip = signal(kept_signals(made.house)[-1], "slip")
    assert slip.fired
    assert abs((slip.since - BEGAN).days - 14) <= 2
    assert "by bets on" in slip.sentence

    # Asked once, at the end, it has seen the same truths in windows that matured in the same order: the same to the last digit.
    once = World(house_at(tmp_path / "once", models=(by_bets,)), flips_from=14)
    turn(once.house, by_bets, once.until(10))
    assert kept_signals(once.house)[-1].followed[0] == turns[0]


def test_a_detector_of_a_library_that_is_not_installed_says_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "river.drift", None)
    made = World(house_at(tmp_path, models=(by_bets,)))
    found = watch_now(made.house, by_bets, made.until(12))
    told = next(s for s in found.signals if "adwin" in s.clause)
    assert told.outcome == "not enough evidence"
    assert "everloop[river]" in told.sentence


# -- numbers -----------------------------------------------------------------------------------------------------------------------------


def test_the_error_of_numbers_is_estimated_by_what_was_known_of_each_question(opened):
    def at_once(text):
        text = text.replace("roll_out=[shadow(days(1)), canary(0.25, every=days(2))]", "roll_out=[]")
        return text.replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]")

    house, model = opened("shop", at_once)
    turn(house, model, END)
    for day in range(3):
        answer_due(house, model, END + timedelta(days=day))
    found = signal(watch_now(house, model, END + timedelta(days=2, hours=1)), "estimate")
    assert found.measure == "wape"
    assert found.rows == 120
    assert found.low < found.value < found.high
    assert found.outcome == "not enough evidence"
    assert "no window has matured to test such estimates on" in found.sentence
    learnt = house.losses[(house.traffic(model).champion, "wape")]
    assert set(learnt.columns) <= set(model.columns)
    assert learnt.columns
    house.store.close()
