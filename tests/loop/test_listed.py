"""Lists that everybody shares: read beside the requests while they are new enough, and never answered from once they are old."""

from __future__ import annotations

import threading

import pytest

from everloop.loop.serve import listed
from everloop.loop.serve.listed import KEPT, OLDEST, Shared


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(listed.time, "monotonic", lambda: now[0])
    return now


def reading(moments):
    def read(moment):
        moments.append(moment)
        return [[f"read at {moment}"]]

    return read


def test_after_a_quiet_night_nobody_is_answered_from_last_evenings_lists(clock):
    moments = []
    shared = Shared(reading(moments), exactly=False)
    assert shared.now(1, 1) == [["read at 1"]]
    clock[0] += 8 * 3600
    assert shared.now(2, 2) == [["read at 2"]]
    clock[0] += OLDEST - 1
    assert shared.now(3, 3) == [["read at 2"]], "and while they are new enough nobody waits"


def test_lists_a_minute_old_are_answered_from_while_they_are_read_again(clock):
    began, goes_on, moments = threading.Event(), threading.Event(), []

    def slowly(moment):
        if moment == 2:
            began.set()
            goes_on.wait(20)
        return reading(moments)(moment)

    shared = Shared(slowly, exactly=False)
    shared.now(1, 1)
    clock[0] += KEPT + 1
    assert shared.now(2, 2) == [["read at 1"]]
    assert began.wait(20)
    goes_on.set()
    shared._reading.join(20)
    assert shared.now(3, 2) == [["read at 2"]]
    assert moments == [1, 2]


def test_on_a_turned_clock_they_are_never_older_than_the_events(clock):
    shared = Shared(reading([]), exactly=True)
    assert [shared.now(moment, 1) for moment in (1, 2, 2)] == [[["read at 1"]], [["read at 2"]], [["read at 2"]]]
