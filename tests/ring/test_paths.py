"""A forecast as a path, one answer for each of the next seven days: learnt, judged, served and held against its truth step by step."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from everloop.lake.receive import receive
from everloop.loop.answers import answer_due, answer_one, answers_of
from everloop.loop.backup.drill import ask_again
from everloop.loop.batch.score import Batch, score
from everloop.loop.drifting import measure as measure_drift
from everloop.loop.house import open_house
from everloop.loop.people import answer_question
from everloop.loop.skew import measure as measure_skew
from everloop.loop.tell.told import tell_truths
from everloop.loop.truths import told_of
from everloop.loop.turn import turn
from everloop.loop.watching import seen
from everloop.records import Contest, Verdict
from everloop.settings import read_settings
from everloop.training.rehearse import read_paired
from tests.loop.houses import NOW, day, demand, house_at, orders

HERE = ZoneInfo("America/New_York")
FILE = Path(__file__).parents[1] / "project" / "files" / "demand.py"
BEGIN = datetime(2026, 1, 5, tzinfo=HERE)
DAY = timedelta(days=1)
ASKED = 3
"""So many days are asked, of which the first is then nine days old."""


class Shop:
    """The shop of the example file: products that sell by the day of the week, and are announced to be cheaper now and then."""

    def __init__(self, folder, days, products):
        # The file as it is, but quick to learn; how fast a busy machine answers is no matter of this test.
        said = FILE.read_text().replace("quantile=q)", "quantile=q, max_iter=20)").replace("ms=30", "ms=30_000")
        (folder / "project.py").write_text(said)
        settings = replace(read_settings(folder, house=folder / "house"), child=False)
        self.house = open_house(folder / "project.py", settings=settings, turned=True)
        self.model, self.sources = self.house.project.model("demand"), self.house.project.sources
        self.rng, self.now, self.sold, self.folder = np.random.default_rng(5), BEGIN, {}, folder
        self.pace = dict(zip([f"p{n}" for n in range(products)], self.rng.gamma(3.0, 3.0, products) + 2, strict=True))
        at = self.now.isoformat()
        self.tell("products", [{"product_id": p, "category": f"k{n % 3}", "brand": "b", "updated_at": at} for n, p in enumerate(self.pace)])
        cheaper = [(f"p{n % products}", self.now + n * 3 * DAY) for n in range(40)]
        self.tell("promotions", [
            {"promotion_id": f"s{n}", "product_id": p, "starts_at": since.isoformat(), "ends_at": (since + 2 * DAY).isoformat(),
             "announced_at": at, "discount": 0.2} for n, (p, since) in enumerate(cheaper)
        ])  # fmt: skip
        gone = {"starts_at": at, "ends_at": (self.now + DAY).isoformat()}
        self.tell("stockouts", [{"stockout_id": "before", "product_id": "p0", **gone}])
        for _ in range(days):
            self.day()

    def tell(self, source, rows, early=timedelta(0)):
        assert receive(self.house.lake, self.sources[source], rows, now=self.now - early).refused == 0

    def day(self):
        """A day goes by; what was sold on it is told before it is over."""
        begun, rows = self.now, []
        for product, pace in self.pace.items():
            units = int(self.rng.poisson(pace * (3.0 if begun.weekday() >= 5 else 1.0)))
            self.sold[product, begun] = units
            if units:
                at = (begun + timedelta(hours=float(self.rng.uniform(8, 20)))).isoformat()
                rows.append({"line_id": f"l{len(self.sold)}", "ordered_at": at, "product_id": product, "quantity": units, "price": 500,
                             "updated_at": at, "cancelled_at": None})  # fmt: skip
        self.now += DAY
        self.tell("orders", rows, early=timedelta(seconds=1))


def made(shop):
    decided = turn(shop.house, shop.model, shop.now)
    [verdict] = [e.record for e in shop.house.journal.read(kind="Verdict") if isinstance(e.record, Verdict)]
    return decided, verdict


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """The example file turned once and asked on three days, at last once about one product; another is out of stock on the second day."""
    shop = Shop(tmp_path_factory.mktemp("paths"), days=40, products=6)
    decided, verdict = made(shop)
    first = shop.now
    for n in range(9):
        if n < ASKED:
            answer_due(shop.house, shop.model, shop.now)
        shop.day()
        if n == 1:
            gone = {"starts_at": (first + DAY).isoformat(), "ends_at": (first + 2 * DAY).isoformat()}
            shop.tell("stockouts", [{"stockout_id": "g", "product_id": "p3", **gone}])
    return shop, decided, verdict, first, answer_one(shop.house, shop.model, ["p1"], shop.now)


def steps_of(shop, first, now):
    """What is told of the answers asked first, as known at an instant: by unit and step, truth and whether it is mature."""
    told = told_of(shop.house, shop.model, answers_of(shop.house, shop.model), now)
    rows = told.table.select(["unit", "step", "moment"]).to_pylist()
    at = int(first.timestamp() * 1e6)
    return {
        (row["unit"], row["step"]): (truth, bool(mature))
        for row, truth, mature in zip(rows, told.truth.tolist(), told.mature, strict=True)
        if row["moment"] == at
    }


@pytest.mark.slow
def test_the_example_file_learns_a_row_for_each_day_ahead_and_is_judged_step_by_step(turned):
    shop, decided, verdict, *_ = turned
    assert decided.action == "retrain"
    [contest] = [e.record for e in shop.house.journal.read(kind="Contest") if isinstance(e.record, Contest)]
    paired = read_paired(shop.house.blobs.read(contest.body))
    assert set(paired.groups["step"]) == set("1234567"), "each day ahead is a group as any other"
    assert paired.candidate.values.shape == (contest.rows, 3)
    assert paired.truth.ndim == 1
    assert verdict.opinions[0].measure == "pinball"
    assert verdict.opinions[0].rows == contest.rows
    candidate = shop.house.candidate(contest.candidate)
    assert candidate.columns[0] == "step"
    assert (candidate.shape.steps, candidate.shape.levels) == (7, (0.1, 0.5, 0.9))


@pytest.mark.slow
def test_an_answer_is_one_path_and_its_baseline_the_same_day_of_the_last_week(turned):
    shop, _, _, first, asked = turned
    given = answers_of(shop.house, shop.model)
    assert len(given) == ASKED * len(shop.pace) + 1
    one = next(row for row in given.to_pylist() if row["unit"] == "p1" and row["moment"] == int(first.timestamp() * 1e6))
    assert len(one["answer"]["values"]) == 7 * 3
    known = json.loads(one["features"])
    assert known["step"] == [1, 2, 3, 4, 5, 6, 7]
    assert known["baseline"] == [shop.sold["p1", first - (8 - step) * DAY] for step in range(1, 8)]
    assert len(set(known["calendar_weekday"])) == 7, "the weekday is that of the day predicted"
    assert asked.value == pytest.approx(sum(asked.values[1::3])), "as one number a path is the sum of its middles"


@pytest.mark.slow
def test_each_step_matures_by_itself_and_only_the_one_out_of_stock_is_void(turned):
    shop, _, _, first, _ = turned
    late = timedelta(hours=6)
    for days in range(8):
        found = steps_of(shop, first, first + days * DAY + late)
        assert [found["p1", step][1] for step in range(1, 8)] == [step <= days for step in range(1, 8)]
    found = steps_of(shop, first, first + 7 * DAY + late)
    assert [found["p1", step][0] for step in range(1, 8)] == [shop.sold["p1", first + (step - 1) * DAY] for step in range(1, 8)]
    assert [found["p3", step][1] for step in range(1, 8)] == [True, False, True, True, True, True, True], "the second day was out of stock"
    watched = seen(shop.house, shop.model, shop.house.traffic(shop.model), now=first + 3 * DAY + late)
    came = dict(zip(watched.maturity.began.tolist(), watched.maturity.came.tolist(), strict=True))
    asked = dict(zip(watched.maturity.began.tolist(), watched.maturity.asked.tolist(), strict=True))
    opened = [int((first + n * DAY).timestamp() * 1e6) for n in range(4)]
    assert [came[at] == asked[at] for at in opened] == [True, True, True, False]


@pytest.mark.slow
def test_watching_holds_every_step_against_its_own_truth(turned):
    shop, *_ = turned
    watched = seen(shop.house, shop.model, shop.house.traffic(shop.model), now=shop.now + timedelta(hours=6))
    assert watched.answers == 1, "an answer is one, however many steps it has"
    due = ASKED * len(shop.pace) * 7 - 2  # p3 was out of stock on a day that was asked about twice
    assert len(watched.answered) == due
    units, moments = watched.answered.units.tolist(), watched.answered.moments.tolist()
    sold = {(product, int(day.timestamp() * 1e6)): units for (product, day), units in shop.sold.items()}
    assert [sold[key] for key in zip(units, moments, strict=True)] == watched.answered.truth.tolist()
    assert set(watched.answered.groups["step"]) == set("1234567")
    assert watched.windows == () or "step" not in watched.windows[0].spec.features


@pytest.mark.slow
def test_what_was_served_is_what_the_log_tells_and_is_answered_again(turned):
    shop, _, _, first, _ = turned
    found = measure_skew(shop.house, shop.model, now=shop.now, since=first - DAY, share=1.0)
    assert found.clean
    assert {skew.feature for skew in found.features} >= {"step", "baseline", "calendar_weekday", "promotions_discount_planned"}
    assert found.answers == ASKED * len(shop.pace) + 1
    again = ask_again(shop.house, shop.model)
    assert (again.other, again.unasked) == ((), 0)
    assert measure_drift(shop.house, shop.model).model == "demand"


@pytest.mark.slow
def test_a_batch_of_paths_has_a_column_for_each_step_and_level(turned, tmp_path):
    shop, *_, asked = turned
    keys = tmp_path / "keys.csv"
    keys.write_text("product_id\np1\np2\n")
    score(shop.house, Batch(shop.model, tmp_path / "out.parquet", keys), shop.now)
    table = pq.read_table(tmp_path / "out.parquet")
    names = [f"quantiles.{step}.{level:g}" for step in range(1, 8) for level in (0.1, 0.5, 0.9)]
    assert [n for n in table.column_names if n.startswith("quantiles")] == names
    assert [table.column(name)[0].as_py() for name in names] == list(asked.values)


@pytest.mark.slow
def test_a_truth_that_is_told_of_a_whole_path_is_refused_for_each_step_has_its_own(turned):
    shop, _, _, first, _ = turned
    told = [{"model": "demand", "product_id": "p1", "moment": first.isoformat(), "truth": 7}]
    found = tell_truths(shop.house, told, shop.now)
    assert (found.kept, found.refused) == (0, 1)
    assert "7 steps, each with a truth of its own" in found.examples[0]


@pytest.mark.slow
def test_a_path_that_is_proven_better_is_rolled_out_and_takes_over(tmp_path):
    shop = Shop(tmp_path, days=90, products=16)
    _, verdict = made(shop)
    assert verdict.outcome == "passed", [o.sentence for o in verdict.opinions]
    before = shop.house.traffic(shop.model).champion
    for _ in range(12):
        answer_due(shop.house, shop.model, shop.now)
        shop.day()
        if shop.house.approvals.waiting("demand"):
            answer_question(shop.house, shop.model, True, by="Kim", reason="better", now=shop.now)
        turn(shop.house, shop.model, shop.now)
    assert shop.house.traffic(shop.model).champion != before


def test_a_path_of_one_step_is_answered_and_watched_as_without_steps(tmp_path):
    found = []
    for name, words in (("plain", {}), ("path", {"each": DAY})):
        (tmp_path / name).mkdir()
        model = demand.but("demand", predicts=orders.total("quantity", next=DAY, **words))
        house = house_at(tmp_path / name, models=(model,))
        for n in range(12, 0, -1):
            at = [day(n) + timedelta(hours=hour) for hour in (3, 9)]
            rows = [{"line_id": f"{n}{i}", "ordered_at": one.isoformat(), "product_id": f"p{i}", "quantity": n} for i, one in enumerate(at)]
            assert receive(house.lake, orders, rows, now=day(n - 1) - timedelta(seconds=1)).refused == 0
            answer_due(house, model, day(n - 1))
        given = answers_of(house, model)
        told = told_of(house, model, given, NOW)
        watched = seen(house, model, house.traffic(model), now=NOW)
        assert len(watched.answered)
        said = given.select(["moment", "unit", "answer", "features"]).to_pylist()
        found.append(repr((said, told.truth.tolist(), told.known_at.tolist(), watched.answered.truth.tolist(), watched.answered.groups)))
        house.store.close()
    assert found[0] == found[1]
