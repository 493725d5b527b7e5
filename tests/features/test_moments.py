"""Clocks tick at the same moments whoever asks, and local midnight stays midnight."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from everloop import days, every, hours, minutes
from everloop.errors import Unknown
from everloop.features.moments import calendar_parts, instant, micros, ticks

NEW_YORK = ZoneInfo("America/New_York")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("year", [1969, 2026])
def test_midnight_in_new_york_stays_midnight_across_both_changes_of_clocks(year):
    made = ticks(every(days(1), at="00:00", zone="America/New_York"), at(f"{year}-01-01"), at(f"{year}-12-31"))
    assert {t.astimezone(NEW_YORK).strftime("%H:%M") for t in made} == {"00:00"}
    assert len({t.astimezone(NEW_YORK).date() for t in made}) == len(made) == 364
    assert {b - a for a, b in itertools.pairwise(made)} == {timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)}


def test_a_local_time_that_does_not_exist_or_comes_twice_still_ticks_once_a_day():
    clock = every(days(1), at="02:30", zone="Europe/Berlin")
    made = ticks(clock, at("2026-03-27"), at("2026-04-01")) + ticks(clock, at("2026-10-23"), at("2026-10-28"))
    assert [t.strftime("%m-%d %H:%M") for t in made] == [
        "03-27 01:30", "03-28 01:30", "03-29 01:30", "03-30 00:30", "03-31 00:30",
        "10-23 00:30", "10-24 00:30", "10-25 00:30", "10-26 01:30", "10-27 01:30",
    ]  # fmt: skip


@pytest.mark.parametrize("clock", [every(days(7), at="06:00", zone="Asia/Kolkata"), every(days(3)), every(hours(5)), every(days(14))])
def test_which_moments_tick_does_not_depend_on_where_one_starts_to_look(clock):
    every_one = ticks(clock, at("2026-01-01"), at("2026-06-01"))
    for start in ("2026-01-02T03:00", "2026-02-10T06:00", "2026-03-30T01:00"):
        assert ticks(clock, at(start), at("2026-06-01")) == [t for t in every_one if t >= at(start)]


def test_weeks_begin_on_monday_and_both_ends_are_included():
    assert ticks(every(days(7)), at("2026-06-01"), at("2026-06-15")) == [at("2026-06-01"), at("2026-06-08"), at("2026-06-15")]
    assert ticks(every(minutes(15)), at("1969-12-31T23:45"), at("1970-01-01")) == [at("1969-12-31T23:45"), at("1970-01-01")]
    assert ticks(every(days(1)), at("2026-06-02"), at("2026-06-01")) == []


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no zone"):
        micros(datetime(2026, 1, 1))


def test_instants_survive_the_way_there_and_back_before_1970_too():
    for text in ("1969-12-31T23:59:59.999999", "0001-01-01", "2026-05-05T05:05:05.000001"):
        assert instant(micros(at(text))) == at(text)


def test_the_calendar_speaks_in_its_own_zone():
    moments = np.array([micros(at("2026-01-01T03:00")), micros(at("2021-01-03T12:00"))])
    assert calendar_parts(["hour", "weekday", "day", "week", "month"], moments, "America/New_York") == {
        "hour": pytest.approx([22, 7]), "weekday": pytest.approx([2, 6]), "day": pytest.approx([31, 3]),
        "week": pytest.approx([1, 53]), "month": pytest.approx([12, 1]),
    }  # fmt: skip
    with pytest.raises(Unknown, match="holiday"):
        calendar_parts(["holiday"], moments, None)
    eve = np.array([micros(at("2026-07-04T03:00")), micros(at("2026-07-04T05:00"))])  # the 3rd stands in
    assert calendar_parts(["day", "holiday"], eve, "America/New_York", "US") == {
        "day": pytest.approx([3, 4]),
        "holiday": pytest.approx([1, 1]),
    }
    days = np.array([micros(at(f"2026-01-{day:02d}T12:00")) for day in (1, 2, 6)])
    for place, said in (("DE", [1, 0, 0]), ("DE-BY", [1, 0, 1])):
        assert calendar_parts(["holiday"], days, "Europe/Berlin", place)["holiday"].tolist() == said
    for place, what in (("XX", "country.*XX"), ("DE-XX", "part of DE.*XX")):
        with pytest.raises(Unknown, match=what):
            calendar_parts(["holiday"], days, "UTC", place)
    with pytest.raises(Unknown, match="Mars"):
        calendar_parts(["hour"], moments, "Mars/Olympus")
