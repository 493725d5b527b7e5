"""A feed that dies, on a clock that is turned: its silence is no truth, nothing goes forward on it, and all goes on once the rows came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import joblib
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from everloop import Source, at_least, calendar, canary, days, every, minutes
from everloop.clock import microseconds
from everloop.console.ring import ring_of
from everloop.console.rollout import rollout_view
from everloop.lake.receive import receive
from everloop.loop.answers import answer_due
from everloop.loop.brought import brought, waited_for
from everloop.loop.house import open_house
from everloop.loop.look import status
from everloop.loop.people import admit_file
from everloop.loop.project_file import project_of
from everloop.loop.steps import training_table
from everloop.loop.turn import turn
from everloop.settings import read_settings
from tests.ring.shops import Says, usual

BEGIN = datetime(2026, 9, 7, tzinfo=UTC)
UNITS = [f"c{n}" for n in range(60)]
six = every(days(1), at="06:00", zone="UTC")
orders = Source(
    "orders", id="order_id", time="ordered_at", columns={"customer_id": str, "amount": int}, arrives=six, overdue=minutes(30)
)  # fmt: skip
spends = usual.but(
    "offers",
    predicts=orders.total("amount", next=days(1)),
    knows=orders.total("amount", last=days(7)),
    roll_out=[canary(0.5, every=days(2))],
)
leaves = usual.but(
    "leaves",
    predicts=orders.none(next=days(1)),
    knows=calendar("hour"),
    learner=DummyClassifier(),
    roll_out=[],
    retrain_when=every(days(1)),
)


class Fed:
    """A house whose orders of a day come as one file at six the day after, unless the feed is ``dead``; turned at seven."""

    def __init__(self, folder, model):
        (folder / "everloop.toml").write_text("[governor]\nfailures = 99\nfresh_truths = 1\nruns_a_week = 99\n")
        settings = replace(read_settings(folder, house=folder / "house"), child=False)
        self.house, self.model, self.buys = open_house(project_of(model), settings=settings, turned=True), model, 0.5
        self.rng, self.midnight, self.owed, self.dead, self.number = np.random.default_rng(5), BEGIN, [], False, 0
        for _ in range(8):
            self.day(turned=False)

    @property
    def now(self):
        return self.midnight + timedelta(hours=7)

    @property
    def traffic(self):
        return self.house.traffic(self.model)

    def roll_out(self, folder, candidate):
        Says.let_in = False
        joblib.dump(candidate, folder / "candidate.joblib")
        admit_file(self.house, self.model, folder / "candidate.joblib", self.now, trust=True, override=True, by="Kim", reason="so")
        Says.let_in = True

    def day(self, turned=True):
        """Answer what is due, let people buy, let the feed bring it, go round once: what was decided."""
        answer_due(self.house, self.model, self.midnight)
        for unit in UNITS:
            if self.rng.random() < self.buys:
                self.number += 1
                at = self.midnight + timedelta(hours=float(self.rng.uniform(1, 20)))
                row = {"order_id": f"o{self.number}", "ordered_at": at.isoformat(), "customer_id": unit, "amount": 1000}
                self.owed.append(row)
        self.midnight += timedelta(days=1)
        if not self.dead:
            receive(self.house.lake, orders, self.owed, now=self.midnight + timedelta(hours=6))
            self.owed = []
        return turn(self.house, self.model, self.now) if turned else None


def test_a_canary_waits_for_a_dead_feed_and_goes_on_by_itself_to_its_end_when_the_rows_have_come(tmp_path):
    fed = Fed(tmp_path, spends)
    fed.roll_out(tmp_path, Says())
    before, fed.dead = fed.traffic, True
    for n in range(4):
        decision = fed.day()
        assert (decision.action, decision.cause) == ("hold", "outage"), n
        assert "it does not go on, for orders were due at 2026-09-16 06:00 UTC and have not come" in "; ".join(decision.because)
    assert fed.traffic == before
    [standing] = status(fed.house)
    assert "the roll-out waits: it does not go on, for orders were due at 2026-09-16 06:00 UTC" in str(standing)
    [line] = ring_of(fed.house, fed.now).lines
    assert "But the roll-out waits: it does not go on, for orders were due at 2026-09-16" in line.state.sentence
    fed.dead = False
    assert fed.day().action == "promote"
    assert fed.traffic.stage == "bake"
    [standing] = status(fed.house)
    assert "the roll-out waits" not in str(standing)

    # Nor does a bake end while the truth it is for cannot come.
    fed.dead = True
    for _ in range(3):
        assert fed.day().action == "hold"
    assert fed.traffic.stage == "bake"
    fed.dead = False
    fed.day()
    assert fed.traffic.stage == "steady"
    assert fed.traffic.champion == before.candidate

    # It is over: its steps are done, and nobody is told any more that it goes on.
    view = rollout_view(fed.house, fed.model, fed.now)
    assert [step.state for step in view.steps] == ["done", "done"]
    assert view.over
    [standing] = status(fed.house)
    assert "the roll-out" not in str(standing)


def test_the_way_back_stays_open_while_a_feed_is_dead(tmp_path):
    fed = Fed(tmp_path, spends)
    fed.roll_out(tmp_path, Says(fails=0.7))
    before, fed.dead = fed.traffic, True
    taken_back = [fed.day() for _ in range(3)]
    assert "undo" in [one.action for one in taken_back]
    assert fed.traffic.champion == before.champion
    assert not fed.traffic.rolling


def test_the_silence_of_a_dead_feed_is_no_truth_and_nothing_is_learnt_by_a_clock_until_the_rows_have_come(tmp_path):
    fed = Fed(tmp_path, leaves)
    assert fed.day().retrains
    last, learnt = microseconds(fed.midnight - timedelta(days=1)), fed.traffic
    fed.dead = True
    for _ in range(3):
        decision = fed.day()
        assert (decision.action, decision.cause) == ("hold", "outage")
        assert decision.because[-1] == "nothing is learnt by itself before they have come"
        table = training_table(fed.house, fed.model, fed.now)
        assert max(table.column("moment").to_pylist()) == last
        [standing] = status(fed.house)
        assert "it waits: nothing is learnt by itself before they have come" in str(standing)
    assert fed.traffic == learnt
    fed.dead = False
    assert fed.day().retrains
    table = training_table(fed.house, fed.model, fed.now)
    since = [left for moment, left in zip(table["moment"].to_pylist(), table["truth"].to_pylist(), strict=True) if moment > last]
    assert len(since) >= 4 * 50
    assert 0.3 < np.mean(since) < 0.7


def test_what_voids_a_truth_is_waited_for_too(tmp_path):
    taken_back = Source("returned", id="return_id", time="at", columns={"customer_id": str}, arrives=six, overdue=minutes(30))
    plain = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str, "amount": int})
    model = usual.but(
        "offers", predicts=plain.total("amount", next=days(1)), knows=plain.total("amount", last=days(7)),
        void_when=taken_back.any(next=days(1)),
    )  # fmt: skip
    house = open_house(project_of(model), settings=replace(read_settings(tmp_path, house=tmp_path / "house"), child=False), turned=True)
    receive(house.lake, taken_back, [{"return_id": f"r{n}", "at": BEGIN, "customer_id": "c1"} for n in range(2)], now=BEGIN)
    assert waited_for(house, model, BEGIN + timedelta(hours=6)) == ()
    [told] = waited_for(house, model, BEGIN + timedelta(days=1, hours=7))
    assert told.startswith("returned were due at 2026-09-08 06:00 UTC")


@pytest.mark.parametrize("single", [False, True])
def test_what_had_come_by_an_instant_is_the_same_whenever_it_is_asked(tmp_path, single):
    settings = replace(read_settings(tmp_path, house=tmp_path / "house"), child=False)
    house = open_house(project_of(leaves), settings=settings, turned=True)
    asked = [BEGIN + timedelta(hours=5 * n + 2) for n in range(24)]
    then, number = [], 0
    for n, now in enumerate(asked):
        if n % 7:
            rows = [{"order_id": f"o{number + i}", "ordered_at": now - timedelta(hours=3), "customer_id": "c1"} for i in range(2)]
            receive(house.lake, orders, rows[:1] if single else rows, now=now - timedelta(minutes=90))
            number += 2
        then.append(brought(house, leaves, now))
    assert [brought(house, leaves, now) for now in asked] == then
    assert then[0] == {}
    assert len({str(one) for one in then}) > 15


def test_a_house_that_never_says_when_rows_arrive_asks_for_no_delivery(tmp_path, monkeypatch):
    settings = replace(read_settings(tmp_path, house=tmp_path / "house"), child=False)
    house = open_house(project_of(usual), settings=settings, turned=True)
    monkeypatch.setattr(type(house.lake.log), "deliveries", lambda *_, **__: pytest.fail("asked"))
    assert brought(house, usual, BEGIN) == {}
    assert waited_for(house, usual, BEGIN) == ()


def test_a_figure_that_is_not_there_says_why_in_the_verdict_in_status_and_on_the_ring(tmp_path):
    asks = leaves.but("leaves", promote_when=at_least("auc", 0.6), tell_when=at_least("auc", 0.5))
    fed = Fed(tmp_path, asks)
    fed.buys = 1.0
    for n in range(6):
        fed.day(turned=n == 5)
    all_of_them = "truths are “no”, and it takes both"
    verdict = next(entry.record for entry in fed.house.journal.read(kind="Verdict", newest_first=True))
    assert any(all_of_them in opinion.sentence for opinion in verdict.opinions)
    look = next(entry.record for entry in fed.house.journal.read(kind="Signals", newest_first=True))
    [told] = [one for one in look.signals if one.measure == "auc"]
    assert told.sentence.startswith("AUC: nothing to work it out from yet, for all ")
    assert all_of_them in told.sentence
    assert all_of_them in str(status(fed.house)[0])
    [line] = ring_of(fed.house, fed.now).lines
    assert all_of_them in line.wrong.figure
