"""A chore that fails is tried again; people are told of one that has failed for an hour, once a day, until it is done again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from everloop.errors import StoreError
from everloop.loop.control import chores as doing
from everloop.loop.control.chores import LONG, Chores
from tests.loop.houses import house_at

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.passed = 0.0

    def monotonic(self):
        return self.passed

    def wall(self):
        return NOON + timedelta(seconds=self.passed)


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(doing, "monotonic", made.monotonic)
    monkeypatch.setattr(doing, "wall", made.wall)
    return made


@pytest.fixture
def house(tmp_path):
    made = house_at(tmp_path)
    yield made
    made.store.close()


def fails():
    raise StoreError("The disk is gone.")


def failing(chores, clock, hours, chore=fails):
    """Every ten minutes for so long."""
    for _ in range(6 * hours):
        chores.do("seal answers", 600.0, chore)
        clock.passed += 600.0


def news_of(house):
    return [waiting.alert.sentence for waiting in house.outbox.waiting()]


def test_people_are_told_of_a_chore_that_has_failed_for_an_hour_once_a_day(house, clock):
    told = []
    chores = Chores(house, told.append)
    failing(chores, clock, 1)
    assert news_of(house) == []
    failing(chores, clock, 5)
    (said,) = news_of(house)
    assert said == "The controller could not seal answers since 2026-11-02 12:00 UTC: The disk is gone. It goes on trying."
    failing(chores, clock, 24)
    assert len(news_of(house)) == 2
    assert told == ["Could not seal answers: The disk is gone."]


def test_a_chore_that_is_done_again_begins_anew(house, clock):
    chores = Chores(house, print)
    failing(chores, clock, 1)
    failing(chores, clock, 1, chore=lambda: None)
    failing(chores, clock, 1)
    assert clock.passed > 2 * LONG
    assert news_of(house) == []


def test_a_house_that_takes_no_news_ends_no_chore(house, clock, monkeypatch):
    refused = []

    def refuses(*news):
        refused.append(news)
        raise StoreError("The disk is gone.")

    monkeypatch.setattr(doing, "put_news", refuses)
    failing(Chores(house, print), clock, 3)
    assert refused
