"""Clocks: business time that only runs forwards."""

import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.clock import Turned, Wall, from_microseconds, instant, microseconds, monotonic, utc, wall
from everloop.errors import ClockWentBack, EverloopError

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


def test_a_turned_clock_stands_still_until_it_is_turned():
    clock = Turned(MONDAY)
    assert clock.now() == clock.now() == MONDAY
    assert clock.turn_on(timedelta(days=1)) == clock.now() == MONDAY + timedelta(days=1)
    assert clock.turn_to(clock.now()) == clock.now()


@pytest.mark.parametrize("back", [timedelta(microseconds=1), timedelta(days=400)])
def test_a_turned_clock_does_not_go_back(back):
    clock = Turned(MONDAY)
    with pytest.raises(ClockWentBack, match="cannot be turned back"):
        clock.turn_to(MONDAY - back)
    with pytest.raises(ClockWentBack):
        clock.turn_on(-back)
    assert clock.now() == MONDAY


def test_threads_turn_a_clock_forwards_together():
    clock = Turned(MONDAY)

    def turn(hour):
        with suppress(ClockWentBack):
            clock.turn_to(MONDAY + timedelta(hours=hour))

    threads = [threading.Thread(target=turn, args=(hour,)) for hour in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now() == MONDAY + timedelta(hours=19)


@pytest.mark.parametrize("naive", [datetime(2026, 11, 2), date(2026, 11, 2), None, "2026-11-02"])
def test_a_noon_of_nobodys_is_refused(naive):
    for door in (utc, Turned, Turned(MONDAY).turn_to, microseconds):
        with pytest.raises(EverloopError, match="no time zone"):
            door(naive)


@pytest.mark.parametrize(
    ("text", "hour"), [("2026-11-02", 0), ("2026-11-02T14:00Z", 14), (" 2026-11-02 14:00 ", 14), ("2026-11-02T14:00+02:00", 12)]
)
def test_an_instant_is_read(text, hour):
    assert instant(text) == MONDAY + timedelta(hours=hour)
    assert instant(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-11-02T25:00", "0001-01-01T00:00+14:00", None, 7])
def test_what_is_no_instant_is_said_to_be_none(text):
    with pytest.raises(EverloopError, match="is no instant"):
        instant(text)


@given(st.datetimes(timezones=st.sampled_from([UTC])))
def test_microseconds_are_exact_and_go_round(at):
    assert from_microseconds(microseconds(at)) == at


def test_microseconds_do_not_go_through_a_float():
    late = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert microseconds(late) == 253402300799999999
    assert int(late.timestamp() * 1e6) != microseconds(late)


def test_zones_do_not_change_an_instant():
    assert microseconds(MONDAY.astimezone(timezone(timedelta(hours=9)))) == microseconds(MONDAY)


def test_the_machines_clocks_go_on():
    assert wall() <= Wall().now() <= wall()
    assert monotonic() <= monotonic()
