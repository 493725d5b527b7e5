"""Drift that costs nothing is told, and a candidate is held beside the champion as evidence; a slip is learnt from its change point on; and
a version that comes to serve some worse than others is taken back.

Real turns on a turned clock, of a shop of sixty products whose last week foretells the next day.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from everloop import Model, Source, as_good_as_champion, days, drifted, every, fair_across, slipped
from everloop.loop.answers import answer_due
from everloop.loop.arrivals import receive_rows
from everloop.loop.causes import spoken_because, why_now
from everloop.loop.house import open_house
from everloop.loop.look import status, why
from everloop.loop.people import answer_question
from everloop.loop.project_file import project_of
from everloop.loop.spoken import spoken_record
from everloop.loop.turn import turn
from everloop.records import Candidate
from everloop.settings import read_settings

START, END, DAY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 8, 3, tzinfo=UTC), timedelta(days=1)
PACE = np.random.default_rng(1).gamma(9.0, 4.0, 60) + 5
orders = Source("orders", id="line_id", time="ordered_at", columns={"product_id": str, "quantity": int, "kind": str})


class Share:
    """Answers what it knows of the last week times the share of it that came on the next day when it learnt."""

    def fit(self, X, y):
        self.share = float(np.sum(y) / np.nansum(np.asarray(X)[:, 0]))
        return self

    def predict(self, X):
        return self.share * np.nan_to_num(np.asarray(X)[:, 0])


said = {
    "predicts": orders.total("quantity", next=days(1)),
    "per": "product_id",
    "asked": every(days(1), at="00:00", zone="UTC"),
    "knows": orders.total("quantity", last=days(7)),
    "learner": Share(),
    "learns_from": days(56),
    "holdout": days(14),
    "roll_out": [],
    "roll_back_when": (),
    "autonomy": "act",
}


class Shop:
    """A house in which a candidate was learnt and let in on ``END``, two days ago. ``sold(product, day)`` says how many times the usual is
    bought on the days since."""

    def __init__(self, folder, **words):
        self.model = Model("demand", **(said | words))
        settings = replace(read_settings(folder, house=folder / "house"), child=False)
        self.house, self.now = open_house(project_of(self.model), settings=settings, turned=True), END + 2 * DAY
        self.rng = np.random.default_rng(3)

    def began(self):
        """The history, and what was learnt from it."""
        rows = [row for n in range((END - START).days) for row in self.day(START + n * DAY, lambda p, n: 1.0, n)]
        receive_rows(self.house, "orders", pa.Table.from_pylist(rows), now=END, known_after=timedelta(0))
        self.now = END
        assert self.turned().retrains
        answer_due(self.house, self.model, END)
        self.goes_on(2, lambda p, n: 1.0)
        assert self.turned().advances  # the way back is over
        assert not self.house.traffic(self.model).rolling
        self.house.store.close()

    def day(self, morning, sold, n):
        counts = self.rng.poisson([pace * sold(p, n) for p, pace in enumerate(PACE)])
        at = morning + timedelta(hours=9)
        return [
            {"line_id": f"{morning:%j}-{p}", "ordered_at": at, "product_id": f"p{p}", "quantity": int(count), "kind": "ab"[p % 2]}
            for p, count in enumerate(counts)
        ]

    def goes_on(self, count, sold):
        """So many days on which people buy and the model answers."""
        for _ in range(count):
            rows = self.day(self.now, sold, (self.now - END).days)
            self.now += DAY
            receive_rows(self.house, "orders", pa.Table.from_pylist(rows), now=self.now, known_after=timedelta(0))
            answer_due(self.house, self.model, self.now)

    def turned(self):
        return turn(self.house, self.model, self.now)

    def learning(self):
        """What was put together to learn from last."""
        return self.house.journal.read(kind="TrainingSet", newest_first=True, limit=1)[0].record

    def learnt(self):
        found = [e.record for e in self.house.journal.read(kind="Candidate", model="demand")]
        return [c for c in found if isinstance(c, Candidate) and c.format not in ("baseline", "elsewhere")]


def grown(product, day):
    """Within ten days the larger half comes to sell a third more, and the smaller half a third less: what it learnt still holds."""
    return 1 + min(day, 10) / 30 * (1 if PACE[product] > np.median(PACE) else -1)


def less(product, day):
    """From the eighth day on little is bought on one day, and much on the next: the last week foretells less than it did."""
    return 1.0 if day < 7 else 0.4 if day % 2 else 1.6


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    folder = tmp_path_factory.mktemp("before") / "shop"
    folder.mkdir()
    Shop(folder).began()
    return folder


@pytest.fixture
def shop(before, tmp_path):
    def opened(**words):
        return Shop(Path(shutil.copytree(before, tmp_path / "shop")), **words)

    return opened


def test_drift_that_costs_nothing_is_told_and_gathers_evidence_on_which_only_a_person_acts(shop):
    shop = shop(retrain_when=slipped("wape", by=0.3), tell_when=drifted(), promote_when=as_good_as_champion("wape", margin=0.5))
    shop.goes_on(11, grown)
    told = shop.turned()
    assert (told.action, told.cause) == ("hold", "drift")
    assert "the truth shows no loss" in told.because[1]
    assert told.because[-1] == "a candidate is held beside the champion as evidence from 2026-08-24 00:00 UTC on"
    assert told.because[-1] in str(status(shop.house)[0])
    assert told.because[-1] in spoken_because(why_now(shop.house, shop.model, shop.now))
    assert len(shop.learnt()) == 1
    champion = shop.house.traffic(shop.model).champion

    shop.goes_on(8, grown)
    decision = shop.turned()
    assert (decision.action, decision.cause, decision.retrains) == ("rehearse", "drift", False)
    assert len(shop.learnt()) == 2
    asked = shop.house.journal.read(kind="Decision", newest_first=True, limit=1)[0].record
    assert (asked.action, asked.asks) == ("ask", "promote")
    assert shop.house.traffic(shop.model).champion == champion  # though the model may act by itself, and it passed the gate
    assert "decided to rehearse a candidate beside the champion, as evidence" in "\n".join(why(shop.house, asked.id)[0])

    shop.goes_on(1, grown)
    after = shop.turned()
    assert (after.action, len(shop.learnt())) == ("hold", 2)  # once is enough
    assert "a candidate learnt on 2026-08-24 was held beside the champion since" in after.because[-1]
    assert "WAPE" in after.because[-1]

    answer_question(shop.house, shop.model, True, by="Kim", reason="it knows what we sell now", now=shop.now)
    traffic = shop.house.traffic(shop.model)
    assert traffic.champion != champion
    assert "once it answers, drift is measured from training set" in traffic.because
    assert "drift is measured from training set" in str(status(shop.house)[0])


def test_a_young_slip_on_sound_data_is_learnt_from_with_what_was_before_and_judged_by_what_is_since(shop):
    shop = shop(retrain_when=slipped("wape", by=0.3))
    shop.goes_on(9, less)
    decision, learnt = shop.turned(), shop.learning()
    assert (decision.action, decision.cause) == ("retrain", "slip")
    assert abs(decision.learn_from - (END + 7 * DAY)) <= DAY
    assert learnt.first_at < decision.learn_from <= learnt.judge_from  # two days alone would make a candidate that knows no Sunday
    assert learnt.judge_rows >= 60  # the holdout, a fortnight, is longer than the change is old
    assert len(shop.learnt()) == 2


def test_a_slip_that_is_old_enough_is_learnt_from_its_change_point_on(shop):
    shop = shop(retrain_when=slipped("wape", by=0.3))
    shop.goes_on(24, less)
    decision, learnt = shop.turned(), shop.learning()
    assert (decision.action, decision.cause) == ("retrain", "slip")
    assert abs(decision.learn_from - (END + 7 * DAY)) <= DAY
    assert learnt.first_at >= decision.learn_from
    assert learnt.judge_from - learnt.first_at >= 7 * DAY
    assert min(learnt.learn_rows, learnt.judge_rows) >= 360
    assert "judges, and alone is learnt from" in spoken_record(decision)


def test_a_version_that_comes_to_serve_one_group_worse_than_the_other_is_taken_back(shop):
    shop = shop(retrain_when=(), roll_back_when=fair_across(orders.latest("kind"), on="wape", ratio=0.6))
    champion, before = shop.house.traffic(shop.model).champion, shop.house.traffic(shop.model).previous
    shop.goes_on(2, less)
    assert (shop.turned().action, shop.house.traffic(shop.model).champion) == ("hold", champion)
    shop.goes_on(9, lambda product, day: less(product, day) if product % 2 else 1.0)
    decision = shop.turned()
    assert (decision.action, decision.cause) == ("undo", "worse")
    assert "b gets" in decision.because[0]
    assert "of what a gets; 60 % is fair" in decision.because[0]
    assert shop.house.traffic(shop.model).champion == before
