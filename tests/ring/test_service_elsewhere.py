"""A service we do not serve: its answers and their truths are told day after day, it changes, and somebody hears of it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from everloop.loop.answers import seal_answers
from everloop.loop.house import open_house
from everloop.loop.look import history, status
from everloop.loop.project_file import project_of
from everloop.loop.resume import go_round
from everloop.loop.tell.elsewhere import tell_predictions
from everloop.loop.tell.told import seal_told, tell_truths
from everloop.settings import read_settings
from tests.loop.houses import NOW
from tests.loop.houses import demand as usual

UNITS, CHANGES, DAYS = 60, 21, 35
BEGIN = NOW.replace(hour=0)

demand = usual.but("demand", retrain_when=(), autonomy="observe")  # only watched: there is nothing here to learn from

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path):
    return open_house(project_of(demand), settings=read_settings(tmp_path, house=tmp_path / "house"), turned=True)


def live_through(house, *, worse, renamed=False):
    """Five weeks of a service that predicts demand; on one day it begins to say half as much again. Returns the day the alert came."""
    rng = np.random.default_rng(7)
    level = rng.uniform(10, 30, UNITS)
    heard = None
    for n in range(DAYS):
        today = BEGIN + timedelta(days=n)
        truth = level + rng.normal(0, 3, UNITS)
        answer = level * (1.5 if worse and n >= CHANGES else 1.0)
        version = "2026-11" if renamed and n >= CHANGES else "2026-10"
        moments = [(today + timedelta(minutes=p)).isoformat() for p in range(UNITS)]
        rows = [
            {"model": "demand", "product_id": f"p{p}", "moment": m, "version": version, "value": float(a), "id": f"{n}/{p}"}
            for p, (m, a) in enumerate(zip(moments, answer, strict=True))
        ]
        assert tell_predictions(house, rows, today + timedelta(hours=2)).kept == UNITS
        told = [{"model": "demand", "prediction": f"{n}/{p}", "truth": float(t)} for p, t in enumerate(truth)]
        assert tell_truths(house, told, today + timedelta(hours=26)).kept == UNITS
        if n % 10 == 9:
            seal_answers(house)
            seal_told(house)
        go_round(house, demand, today + timedelta(hours=27), "schedule")
        if heard is None and any("MAE" in letter.alert.sentence for letter in house.outbox.waiting()):
            heard = n
    return heard


@pytest.mark.parametrize("renamed", [False, True])
def test_a_service_elsewhere_that_answers_badly_after_a_change_is_noticed_by_the_truths_told(house, renamed):
    heard = live_through(house, worse=True, renamed=renamed)
    assert heard is not None
    assert CHANGES < heard <= CHANGES + 5
    [alert] = {letter.alert.severity for letter in house.outbox.waiting()}
    assert alert == "warning"
    (incident,) = house.incidents.all()
    assert (incident.cause, incident.state) == ("change", "firing"), "one incident, however long it lasts"
    lines, _ = history(house, demand)
    assert ("elsewhere: 2026-11" in lines[-1]) == renamed
    assert "demand@" in str(status(house)[0])
    house.journal.verify()


def test_a_service_that_stays_as_it_was_causes_no_news(house):
    assert live_through(house, worse=False) is None
    assert [letter.alert.sentence for letter in house.outbox.waiting()] == []
    assert house.incidents.all() == []
