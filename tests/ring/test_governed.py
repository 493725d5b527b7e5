"""The governor in real turns on a turned clock: each limit of everloop.toml holds a wish back, and is said by status and by why."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from sklearn.dummy import DummyRegressor

from everloop import Model, Source, every, hours
from everloop.loop.answers import answer_due
from everloop.loop.arrivals import receive_rows
from everloop.loop.house import open_house
from everloop.loop.look import status, why
from everloop.loop.project_file import project_of
from everloop.loop.turn import turn
from everloop.records import Candidate
from everloop.settings import read_settings

HOUR = timedelta(hours=1)
START = datetime(2026, 11, 1, tzinfo=UTC)
PRICES = "[prices]\ncpu_hour = 3600.0\n"
NEVER = "failures = 99\nfresh_truths = 1\n"
visits = Source("visits", id="visit_id", time="at", columns={"shop": str})
footfall = Model(
    "footfall",
    predicts=visits.count(next=hours(1)),
    per="shop",
    asked=every(hours(1), at="00:00", zone="UTC"),
    knows=visits.count(last=hours(3)),
    learner=DummyRegressor(),
    retrain_when=every(hours(1)),
)
budgeted = Model(
    "footfall", predicts=footfall.predicts, per="shop", asked=footfall.asked, knows=footfall.knows, learner=DummyRegressor(),
    retrain_when=every(hours(1)), budget=timedelta(microseconds=1),
)  # fmt: skip


def happened(house, start, hours, known_after=timedelta(0)):
    rows = [
        {"visit_id": f"{start:%d%H}-{hour}-{n}", "at": start + hour * HOUR + timedelta(minutes=n), "shop": f"s{n % 3}"}
        for hour in range(hours)
        for n in range(4 + hour % 3)
    ]
    receive_rows(house, "visits", rows, now=start + hours * HOUR, known_after=known_after)


def home(folder, toml="", model=footfall):
    (folder / "everloop.toml").write_text(f"[training]\nchild = false\n{toml}")
    return open_house(project_of(model), settings=read_settings(folder, environ={}))


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A folder whose model has learnt twice, an hour and a half apart, and has answered since; and an instant after that."""
    folder = tmp_path_factory.mktemp("governed")
    house, now = home(folder, f"[governor]\n{NEVER}{PRICES}"), START + 30 * HOUR
    happened(house, START, 30)
    for _ in range(2):
        turn(house, footfall, now)
        answer_due(house, footfall, now)
        happened(house, now, 1)
        now += 1.5 * HOUR
    assert len(trainings(house)) == 2
    answer_due(house, footfall, now)
    happened(house, now, 2)
    house.store.close()
    return folder, now + 2 * HOUR


def trainings(house):
    kept = [e.record for e in house.journal.read(kind="Candidate")]
    return [c for c in kept if isinstance(c, Candidate) and c.format != "baseline"]


@pytest.mark.parametrize(
    ("toml", "model", "sentence"),
    [
        (f"[governor]\n{NEVER}cooldown = '1d'", footfall, "1 day have to pass before it is trained again"),
        (f"[governor]\n{NEVER}runs_a_day = 2", footfall, "it has been trained twice in 24 hours, and twice is the most"),
        (f"[governor]\n{NEVER}runs_a_week = 2", footfall, "it has been trained twice in 7 days, and twice is the most"),
        (f"[governor]\n{NEVER}money_a_day = 0.000001\n{PRICES}", footfall, "24 hours of training have cost"),
        (f"[governor]\n{NEVER}money_a_week = 0.000001\n{PRICES}", footfall, "7 days of training have cost"),
        (
            "[governor]\nfailures = 99\nfresh_truths = 500",
            footfall,
            "that nobody has learnt from, of 500 that it takes",
        ),
        ("[governor]\nfailures = 2\nfresh_truths = 40", footfall, "the last 2 candidates came to nothing; it waits for 40 new truths"),
        (f"[governor]\n{NEVER}", budgeted, "and its budget is"),
    ],
)
def test_each_limit_holds_a_wish_back_and_is_said(learnt, tmp_path, toml, model, sentence):
    folder, now = learnt
    shutil.copytree(folder, tmp_path / "home")
    house = home(tmp_path / "home", toml, model)
    decision = turn(house, model, now)
    assert (decision.action, decision.cause) == ("hold", "schedule"), decision
    assert sentence in decision.because[-1]
    assert len(trainings(house)) == 2
    (standing,) = status(house)
    assert standing.waits == f"it waits: {decision.because[-1]}"
    assert sentence in str(standing)
    assert any(sentence in line for line in why(house, decision.id)[0])


def test_within_every_limit_it_learns_again(learnt, tmp_path):
    folder, now = learnt
    shutil.copytree(folder, tmp_path / "home")
    house = home(tmp_path / "home", f"[governor]\n{NEVER}runs_a_day = 3\nmoney_a_week = 1e9\n{PRICES}")
    assert turn(house, footfall, now).retrains
    assert len(trainings(house)) == 3
    week, _, month = str(status(house)[0]).partition(" has cost ")
    assert (week.count("by [prices]"), month.count("by [prices]")) == (1, 1), "the money of a week is told once, and that of the month"
    held = turn(house, footfall, now + 1.5 * HOUR)
    assert "3 times is the most" in held.because[-1]
    assert turn(house, footfall, now + 2 * HOUR, "demand").retrains, "a person is not governed"


def test_a_baseline_that_would_know_nothing_again_is_not_replaced_again_and_again(tmp_path):
    house, now = home(tmp_path), START + 12 * HOUR
    happened(house, START, 12, known_after=None)  # all of it known now, so of no question yet
    for _ in range(4):
        answer_due(house, footfall, now)
        answer_due(house, footfall, now)
        assert house.traffic(footfall).generation == 1
        happened(house, now, 1, known_after=None)
        now += 1.5 * HOUR
