"""A shop on a clock that is turned: one model, its customers, and what they buy and are told to have done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import joblib
import numpy as np
import pyarrow.compute as pc

from everloop import Model, Source, canary, days, every
from everloop.lake.receive import receive
from everloop.loop.answers import answer_due, answers_of
from everloop.loop.house import open_house
from everloop.loop.people import admit_file
from everloop.loop.project_file import project_of
from everloop.loop.tell.outcomes import tell_outcomes
from everloop.loop.turn import turn
from everloop.records import Decision, Signals
from everloop.settings import read_settings

BEGIN = datetime(2026, 9, 7, tzinfo=UTC)
UNITS = [f"c{n}" for n in range(300)]
orders = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str, "amount": int})
revenue = orders.total("amount", next=days(3))


class Says:
    """Answers what was bought in the last week, times a factor; once let in, it raises about some of those it is asked about, or for now
    about all."""

    let_in = fails_now = False

    def __init__(self, times=1.0, fails=0.0):
        self.times, self.fails = times, fails

    def fit(self, X, y):
        return self

    def predict(self, X):
        asked = np.asarray(X)[:, 0]
        if Says.fails_now:
            raise ValueError("not now")
        if Says.let_in and self.fails and (np.abs(np.sin(asked * 37.0)) < self.fails).any():
            raise ValueError("it cannot")
        return self.times * asked


usual = Model(
    "offers",
    predicts=orders.total("amount", next=days(1)),
    per="customer_id",
    asked=every(days(1), at="00:00", zone="UTC"),
    knows=orders.total("amount", last=days(7)),
    learner=Says(),
    roll_out=[canary(0.2, 0.5, every=days(2))],
    roll_back_when=(),
    retrain_when=(),
    autonomy="act",
)


class Shop:
    """A house of one model, its customers, and what they buy: those the candidate answers buy ``lift`` times as often, and with ``lasting``
    go on doing so; of several candidates as often as ``lifts`` says of their arms. ``tells`` names an outcome that is told of
    each order, with its amount."""

    def __init__(self, folder, model, candidate=None, lift=1.0, seed=3, lasting=False, tells=None, lifts=()):
        self.lasting, self.tells, self.spoilt, self.lifts = lasting, tells, {}, dict(lifts)
        settings = replace(read_settings(folder, house=folder / "house"), child=False)
        Says.let_in = False
        self.house, self.model, self.lift = open_house(project_of(model), settings=settings, turned=True), model, lift
        self.rng, self.number, self.now = np.random.default_rng(seed), 0, BEGIN
        for _ in range(8):
            self.day(turned=False)
        joblib.dump(candidate or Says(), folder / "candidate.joblib")
        admit_file(
            self.house, model, folder / "candidate.joblib", self.now, trust=True, override=True, by="Kim", reason="let us see"
        )  # fmt: skip
        Says.let_in = True

    @property
    def traffic(self):
        return self.house.traffic(self.model)

    def day(self, turned=True):
        """Answer what is due, let people buy, go round once."""
        answer_due(self.house, self.model, self.now)
        given = answers_of(self.house, self.model, since=self.now)
        theirs = given.filter(pc.starts_with(given.column("arm"), "candidate"))
        drawn = zip(theirs.column("unit").to_pylist(), theirs.column("arm").to_pylist(), strict=True)
        lifted = {unit: self.lifts.get(arm, self.lift) for unit, arm in drawn}
        self.spoilt = self.spoilt | lifted if self.lasting else lifted
        rows = []
        for unit in UNITS:
            lift = self.spoilt.get(unit, 1.0)
            if self.rng.random() < 0.5 * lift:
                self.number += 1
                when = self.now + timedelta(hours=float(self.rng.uniform(1, 20)))
                amount = int(self.rng.lognormal(7, 0.6))
                rows.append({"order_id": f"o{self.number}", "ordered_at": when.isoformat(), "customer_id": unit, "amount": amount})
        self.now += timedelta(days=1)
        receive(self.house.lake, orders, rows, now=self.now - timedelta(seconds=1))
        if self.tells:
            told = [
                {"model": self.model.name, "unit": row["customer_id"], "name": self.tells, "value": row["amount"], "at": row["ordered_at"],
                 "event_id": row["order_id"]} for row in rows
            ]  # fmt: skip
            tell_outcomes(self.house, told, self.now - timedelta(seconds=1))
        if turned:
            turn(self.house, self.model, self.now)

    def until_over(self, most):
        for n in range(most):
            if not self.traffic.rolling:
                return n
            self.day()
        return most

    def trials(self):
        found = [e.record.trial for e in self.house.journal.read(kind="Signals", model=self.model.name) if isinstance(e.record, Signals)]
        return [trial for trial in found if trial is not None]

    def undone(self):
        return [e.record for e in self.house.journal.read(kind="Decision") if isinstance(e.record, Decision) and e.record.undoes]
