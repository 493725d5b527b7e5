"""What a trial is gathered from: answers in the log, whose they were, and what people did after."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from everloop import Model, Source, beats_champion, canary, days, every, worse_than_champion
from everloop.clock import microseconds
from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.split import cap, figures, lived, met, split_units
from everloop.loop.trial import trial_of
from everloop.project.steps import ab
from everloop.records import Signals, identity
from everloop.rollout import arm_of, begin, compared, step
from everloop.rollout.verdict import replay
from everloop.serving.answered import SCHEMA
from everloop.serving.log import AnswersLog
from everloop.stats.evalue import above_rate
from tests.loop.houses import NOW, Mean, house_at

orders = Source("orders", id="order_id", time="ordered_at", columns={"visitor_id": str, "amount": int})
visits = Source("visits", id="visit_id", time="seen_at", columns={"visitor_id": str, "position": int})
revenue, bought = orders.total("amount", next=days(2)), orders.any(next=days(2))
PLAN = canary(0.2, 0.5, 0.8, every=days(1))
usual = Model(
    "offers",
    predicts=orders.total("amount", next=days(1)),
    per="visitor_id",
    asked=every(days(1), at="00:00", zone="UTC"),
    knows=orders.total("amount", last=days(7)),
    learner=Mean(),
    roll_out=PLAN,
    roll_back_when=worse_than_champion(revenue),
)
UNITS = [f"v{n}" for n in range(200)]
NOTHING = Signals(id="s", made_at=NOW, model="offers", until=NOW, signals=())


class Rollout:
    """A house with a roll-out whose answers are written as told, and nothing else in it."""

    def __init__(self, folder, model=usual):
        self.house, self.model = house_at(folder, (model,)), model
        adopt(self.house, model, NOW - days(30))
        self.traffic = self.house.traffic(model)
        self.champion = self.traffic.champion

    def begin(self, now=NOW):
        self.keep(begin(self.traffic, "v1", self.model.roll_out, now=now, id="begun"))

    def step(self, now):
        self.keep(step(self.traffic, self.model.roll_out, now=now, id=identity("step", now)))

    def keep(self, traffic):
        with self.house.store.transaction() as t:
            self.house.journal.append(t, traffic)
            self.house.pointers.move(t, traffic, expected_generation=traffic.generation - 1)
        self.traffic = traffic

    def answer(self, units, now, *, micros=200, value=5.0, failing=(), broken=(), by=lambda unit: unit):
        """Answer these units at once, each by whom the split says; what the candidate fails at, the champion answers, if it is not
        broken."""
        rows = []
        for unit in units:
            arm = arm_of(by(unit), self.traffic)
            version = "v1" if arm == "candidate" else self.champion
            failed = arm == "candidate" and unit in failing
            theirs = "it cannot either" if unit in broken else None
            rows.append((unit, version, arm, ("it cannot" if failed else None) if arm == "candidate" else theirs))
            rows += [(unit, self.champion, "champion", theirs)] if failed else []
        table = pa.table(
            {
                "id": [identity(unit, version, now) for unit, version, *_ in rows],
                "model": [self.model.name] * len(rows),
                "version": [row[1] for row in rows],
                "arm": [row[2] for row in rows],
                "unit": [row[0] for row in rows],
                "moment": [microseconds(now)] * len(rows),
                "answered_at": [microseconds(now)] * len(rows),
                "answer": [None if row[3] else {"value": value, "values": [], "items": []} for row in rows],
                "microseconds": [micros(row[1]) if callable(micros) else micros for row in rows],
                "error": pa.array([row[3] for row in rows], pa.string()),
            }
        )
        missing = [f for f in SCHEMA if f.name not in table.column_names]
        for each in missing:
            table = table.append_column(each, pa.nulls(len(table), each.type))
        with AnswersLog(self.house.settings.answers, patience=60.0) as log:
            log.write(table.select(SCHEMA.names).cast(SCHEMA))

    def buy(self, rows, now):
        told = [{"order_id": f"{u}-{at.isoformat()}", "ordered_at": at.isoformat(), "visitor_id": u, "amount": a} for u, at, a in rows]
        receive(self.house.lake, orders, told, now=now)

    def trial(self, now):
        return trial_of(self.house, self.model, self.traffic, NOTHING, now=now)

    def split(self):
        from everloop.loop.answers import answers_of

        return met(self.house, self.model, lived(self.house, self.traffic), answers_of(self.house, self.model, since=NOW))


@pytest.fixture
def rollout(tmp_path):
    return Rollout(tmp_path)


def test_steady_traffic_has_no_trial(rollout):
    assert rollout.trial(NOW) is None


def test_units_count_once_from_when_a_share_covers_them_and_whose_they_are_is_their_hash(rollout):
    rollout.begin()
    for hour in range(3):
        rollout.answer(UNITS, NOW + timedelta(hours=hour))
    first = [u for u in UNITS if compared(u, rollout.traffic)]
    trial = rollout.trial(NOW + timedelta(hours=4))
    assert [(e.candidate, e.champion) for e in trial.epochs] == [
        (sum(arm_of(u, rollout.traffic) == "candidate" for u in first), sum(arm_of(u, rollout.traffic) == "champion" for u in first))
    ]
    rollout.step(NOW + days(1))
    rollout.answer(UNITS, NOW + days(1))
    later = rollout.trial(NOW + days(1) + timedelta(hours=1))
    assert later.epochs[0] == trial.epochs[0]
    assert sum(e.candidate + e.champion for e in later.epochs) == len(UNITS)


def test_units_that_a_share_beyond_one_half_moves_are_compared_no_more(rollout):
    rollout.begin()
    for n in range(2):
        rollout.step(NOW + days(n + 1))
        rollout.answer(UNITS, NOW + days(n + 1))
    split = rollout.split()
    assert 0.55 < (len(split.units) / len(UNITS)) < 0.85, "three tenths of all units changed hands"
    assert np.allclose(split.units.chance[split.units.generation == rollout.traffic.generation - 1], 0.5 / 0.7)
    share = split.units.candidate.mean()
    assert abs(share - 0.5 / 0.7) < 0.12


def test_a_failure_is_the_candidates_though_the_champion_answered_for_it(rollout):
    rollout.begin()
    rollout.answer(UNITS, NOW + timedelta(hours=1), failing=set(UNITS))
    trial = rollout.trial(NOW + timedelta(hours=2))
    errors = trial.guards[0].epochs[0]
    assert (errors.candidate_events, errors.champion_events) == (errors.candidate, 0)
    assert trial.failed == trial.answers == errors.candidate
    assert trial.says == "roll back"


def test_one_failure_among_the_champions_first_answers_excuses_nothing(rollout):
    rollout.begin()
    mine, others = by_arm(rollout)
    rollout.answer(others[:3], NOW + timedelta(hours=1), broken=others[:1])
    early = rollout.trial(NOW + timedelta(hours=2))
    assert 0.005 == early.limit_before < early.limit < 0.12, "one of three may be a sixteenth"
    keep(rollout, early)
    rollout.answer(UNITS, NOW + timedelta(hours=3), failing=set(mine[:20]))
    late = rollout.trial(NOW + timedelta(hours=4))
    assert late.limit == late.limit_before == 0.005, "what the champion did later lowers it again, to where it began"
    assert late.says == "roll back"
    assert "more than 0.5 % is proven" in late.because
    assert replay(late) == late


def test_what_fails_for_both_versions_lifts_the_limit_and_the_evidence_is_never_more_than_against_the_one_fixed_at_the_start(rollout):
    rollout.begin()
    rollout.answer(UNITS, NOW + timedelta(hours=1), broken=UNITS[::2], failing=set(UNITS[::2]))
    trial = rollout.trial(NOW + timedelta(hours=2))
    assert 0.5 < trial.limit < 0.9
    assert trial.beyond < 1 < above_rate(trial.failed, trial.answers, trial.limit_before).value
    values = [above_rate(trial.failed, trial.answers, share).value for share in np.linspace(trial.limit_before, 0.99, 50)]
    assert (np.diff(values) <= 0).all(), "evidence falls as the share it bets against rises"


def keep(rollout, trial):
    with rollout.house.store.transaction() as t:
        rollout.house.journal.append(t, replace(NOTHING, trial=trial))


def alone(rollout, units, now, **words):
    for n, unit in enumerate(units):
        rollout.answer([unit], now + timedelta(seconds=n), **words)


def test_slow_answers_are_told_by_the_champions_p99_before_the_start_among_those_given_one_at_a_time(rollout):
    alone(rollout, UNITS, NOW - days(1))
    rollout.begin()
    alone(rollout, UNITS, NOW + timedelta(hours=1), micros=lambda version: 45_000 if version == "v1" else 150)
    slow = rollout.trial(NOW + timedelta(hours=4)).guards[1]
    assert (slow.name, slow.bound) == ("slow", 10.0)
    assert (slow.epochs[0].candidate_events, slow.epochs[0].champion_events) == (slow.epochs[0].candidate, 0)
    assert slow.evidence > 20


def test_a_version_that_takes_ten_times_as_long_as_an_average_and_that_nobody_notices_goes_on(rollout):
    alone(rollout, UNITS, NOW - days(1))
    rollout.begin()
    alone(rollout, UNITS, NOW + timedelta(hours=1), micros=lambda version: 2_000 if version == "v1" else 150)
    trial = rollout.trial(NOW + timedelta(hours=4))
    assert trial.guards[1].epochs[0].candidate_events == 0
    assert trial.says == "go on"


def test_a_batch_says_nothing_about_how_long_one_answer_takes(rollout):
    alone(rollout, UNITS, NOW - days(1))
    rollout.begin()
    rollout.answer(UNITS, NOW + timedelta(hours=1), micros=lambda version: 45_000 if version == "v1" else 150)
    assert rollout.trial(NOW + timedelta(hours=4)).guards[1].epochs[0].candidate_events == 0


def by_arm(rollout):
    arms = {unit: arm_of(unit, rollout.traffic) for unit in UNITS}
    return [[u for u in UNITS if arms[u] == arm and compared(u, rollout.traffic)] for arm in ("candidate", "champion")]


def test_of_a_batch_with_one_row_of_the_candidate_nobody_is_slow(rollout, monkeypatch):
    monkeypatch.setattr("everloop.loop.trial.LEAST_ALONE", 5)
    alone(rollout, UNITS[:5], NOW - days(1))
    rollout.begin()
    mine, others = by_arm(rollout)
    for n, unit in enumerate(mine[:12]):
        # As the service counts: what a version took for its part of the batch, divided by its rows there. Both took 20 ms.
        rollout.answer([unit, *others[:19]], NOW + timedelta(hours=1, seconds=n), micros=lambda v: 20_000 if v == "v1" else 1_053)
    slow = rollout.trial(NOW + timedelta(hours=4)).guards[1]
    assert slow.bound == 10.0
    assert [(e.candidate_events, e.champion_events) for e in slow.epochs] == [(0, 0)]
    assert slow.evidence == 1.0


def test_a_row_of_the_champion_in_a_batch_before_the_start_does_not_say_how_long_one_answer_takes(rollout, monkeypatch):
    monkeypatch.setattr("everloop.loop.trial.LEAST_ALONE", 5)
    rollout.begin()
    mine, others = by_arm(rollout)
    for n, unit in enumerate(others[:6]):
        rollout.answer([unit, *mine[:3]], NOW + timedelta(seconds=n))
    rollout.keep(replace(rollout.traffic, id="over", generation=rollout.traffic.generation + 1, stage="steady", candidate=None, share=0.0))
    rollout.keep(begin(rollout.traffic, "v2", rollout.model.roll_out, now=NOW + days(1), id="begun again"))
    slow = rollout.trial(NOW + days(1) + timedelta(hours=1)).guards[1]
    assert slow.bound is None
    assert "one at a time" in slow.why_silent


def test_answers_far_beyond_what_the_champion_ever_said_are_odd(rollout):
    rollout.answer(UNITS[:100], NOW - days(1), value=4.0)
    rollout.answer(UNITS[100:], NOW - days(1), value=6.0)
    rollout.begin()
    rollout.answer(UNITS, NOW + timedelta(hours=1), value=9.0)
    odd = rollout.trial(NOW + timedelta(hours=2)).guards[2]
    assert odd.what == "units with an answer below 2.00 or above 8.00"
    assert odd.epochs[0].candidate_events == odd.epochs[0].candidate
    assert odd.epochs[0].champion_events == odd.epochs[0].champion, "both say so, and nobody is odd beside the other"
    assert odd.evidence < 1


def test_a_figure_counts_from_when_a_unit_was_met_once_its_window_is_closed_and_up_to_its_cap(rollout):
    rollout.buy([(u, NOW - days(1), 100) for u in UNITS[:100]] + [(UNITS[0], NOW - timedelta(hours=1), 10_000)], NOW - timedelta(minutes=9))
    rollout.answer(UNITS, NOW - timedelta(hours=2))
    rollout.begin()
    rollout.answer(UNITS, NOW + timedelta(hours=1))
    after = NOW + timedelta(hours=5)
    rollout.buy([(u, after, 50) for u in UNITS] + [(u, NOW + timedelta(minutes=1), 7) for u in UNITS], NOW + days(1))
    rollout.buy([(UNITS[1], NOW + days(3), 900_000)], NOW + days(3))
    open_ = rollout.trial(NOW + days(2)).guards[-1]
    assert open_.epochs == ()
    assert open_.waiting == sum(compared(u, rollout.traffic) for u in UNITS)
    assert 100 < open_.bound < 10_100, "the 99.5 % quantile of what was spent in two days before the start"
    closed = rollout.trial(NOW + days(2) + timedelta(hours=1, seconds=1)).guards[-1]
    assert closed.waiting == 0
    [epoch] = closed.epochs
    assert epoch.candidate_events * closed.bound == pytest.approx(50 * epoch.candidate)


def test_what_was_fixed_before_the_start_stays_as_it_was(rollout):
    rollout.buy([(u, NOW - days(1), 100) for u in UNITS], NOW - timedelta(hours=3))
    rollout.answer(UNITS, NOW - timedelta(hours=2))
    rollout.begin()
    rollout.answer(UNITS, NOW + timedelta(hours=1))
    trial = rollout.trial(NOW + timedelta(hours=2))
    keep(rollout, replace(trial, guards=tuple(replace(g, bound=77.0) for g in trial.guards)))
    assert rollout.trial(NOW + timedelta(hours=3)).guards[-1].bound == 77.0


def test_where_nobody_was_answered_before_the_start_the_past_of_those_who_are_met_says_what_is_much(rollout):
    rollout.buy([(u, NOW - days(1), 100) for u in UNITS], NOW - timedelta(hours=3))
    rollout.begin()
    guard = rollout.trial(NOW + timedelta(minutes=1)).guards[-1]
    assert (guard.bound, guard.why_silent) == (None, None)
    rollout.answer(UNITS, NOW + timedelta(hours=1))
    assert rollout.trial(NOW + timedelta(hours=2)).guards[-1].bound == 100.0


def test_where_nobody_bought_before_the_start_it_says_that_it_cannot_tell(rollout):
    rollout.begin()
    rollout.answer(UNITS, NOW + timedelta(hours=1))
    trial = rollout.trial(NOW + days(5))
    assert "nobody had any before the start" in trial.guards[-1].why_silent
    assert trial.says == "go on"


def test_a_test_needs_every_gain_and_fears_its_opposite(tmp_path):
    wins = [beats_champion(revenue, by=0.01), beats_champion(bought)]
    rollout = Rollout(tmp_path, usual.but("offers", roll_back_when=(), roll_out=ab(0.5, wins_when=wins, within=days(9))))
    rollout.begin()
    trial = rollout.trial(NOW + timedelta(hours=1))
    assert trial.ends_at == NOW + days(9)
    assert [(g.role, g.margin, g.more) for g in trial.guards[2:]] == [
        ("harm", 1.0, False), ("harm", 1.0, False), ("gain", 1.01, True), ("gain", 1.0, True),
    ]  # fmt: skip
    assert trial.says == "not enough evidence"


# -- split by somebody else than the unit -----------------------------------------------------------------------------------------------

seen = Model(
    "seen",
    predicts=orders.any(next=days(1), per="visitor_id"),
    per=visits,
    knows=visits.given("position"),
    learner=Mean(),
    split_by="visitor_id",
    roll_out=canary(0.5, every=days(1)),
    roll_back_when=worse_than_champion(bought),
)


def test_visits_are_split_by_their_visitor_who_counts_once(tmp_path):
    rollout = Rollout(tmp_path, seen)
    shown = [{"visit_id": f"{u}/{n}", "seen_at": (NOW + timedelta(minutes=n)).isoformat(), "visitor_id": u, "position": n}
             for u in UNITS for n in range(3)]  # fmt: skip
    receive(rollout.house.lake, visits, shown, now=NOW + timedelta(minutes=5))
    rollout.begin()
    names = [row["visit_id"] for row in shown]
    rollout.answer(names, NOW + timedelta(minutes=10), by=lambda visit: visit.split("/")[0])
    split = rollout.split()
    assert len(split.units) == len(UNITS)
    assert set(split_units(rollout.house, seen, split.answers)) == set(UNITS)
    assert len(split.rows) == 3 * len(UNITS)
    buyers = {u for u in UNITS if arm_of(u, rollout.traffic) == "champion"}
    rollout.buy([(u, NOW + timedelta(hours=3), 10) for u in buyers], NOW + timedelta(hours=4))
    trial = rollout.trial(NOW + days(2) + timedelta(hours=1))
    [epoch] = trial.guards[-1].epochs
    assert (epoch.candidate_events, epoch.champion_events) == (0, len(buyers))
    assert (trial.says, trial.guards[-1].what) == ("roll back", "the chance of any orders over the next 2 days, per visitor")


def test_figures_of_nobody_are_nothing(rollout):
    none = SCHEMA.empty_table()
    values, closed = figures(rollout.house, usual, revenue, none, NOW)
    assert (len(values), len(closed), cap(rollout.house, usual, revenue, none, NOW)) == (0, 0, None)
