"""Shadows are worked out one after the other; too many are left out and counted."""

from __future__ import annotations

import logging
import threading
import time

from everloop.errors import HouseFull
from everloop.loop.serve.shadows import MOST_BYTES, SHARE, Shadows


def test_what_is_left_for_later_is_done_in_order():
    done, shadows = [], Shadows()
    for n in range(10):
        shadows.later(lambda n=n: done.append(n))
    shadows.close()
    assert done == list(range(10))
    assert shadows.dropped == 0


def test_what_comes_when_too_many_wait_is_left_out_and_counted():
    done, go_on, begun, shadows = [], threading.Event(), threading.Event(), Shadows(most=2)
    shadows.later(lambda: (begun.set(), go_on.wait(10)))
    assert begun.wait(10)
    for n in range(5):
        shadows.later(lambda n=n: done.append(n))
    go_on.set()
    shadows.close()
    assert (done, shadows.dropped) == ([0, 1], 3)


def test_one_that_fails_is_counted_and_the_next_is_done(caplog):
    def full():
        raise HouseFull("no room")

    def broken():
        raise ZeroDivisionError

    done, shadows = [], Shadows()
    with caplog.at_level(logging.ERROR):
        for work in (full, broken, lambda: done.append(1)):
            shadows.later(work)
        shadows.close()
    assert (done, shadows.dropped) == ([1], 2)
    assert [record.message for record in caplog.records] == ["A shadow answer could not be worked out"]


def test_nothing_comes_after_the_end():
    shadows = Shadows()
    shadows.close()
    shadows.later(lambda: None)
    assert shadows.dropped == 1


def test_what_holds_too_much_is_left_out_unless_it_waits_alone():
    done, go_on, begun, shadows = [], threading.Event(), threading.Event(), Shadows()
    shadows.later(lambda: (begun.set(), go_on.wait(10)))
    assert begun.wait(10)
    for n, held in enumerate((MOST_BYTES * 2, 1, 0)):
        shadows.later(lambda n=n: done.append(n), held)
    go_on.set()
    shadows.close()
    assert (done, shadows.dropped) == ([0], 2)


def test_a_shadow_that_takes_long_takes_a_small_share_of_a_core():
    def long():
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        done.append(time.monotonic())

    done, shadows, came = [], Shadows(), threading.Event()
    for work in (long, long, came.set):
        shadows.later(work)
    assert came.wait(10)
    assert done[1] - done[0] >= 0.02 / SHARE
    shadows.close()


def test_at_the_end_nothing_rests():
    def long():
        until = time.thread_time() + 0.3
        while time.thread_time() < until:
            pass

    done, shadows = [], Shadows()
    for work in (long, lambda: done.append(1)):
        shadows.later(work)
    began = time.monotonic()
    shadows.close()
    assert (done, shadows.dropped) == ([1], 0)
    assert time.monotonic() - began < 0.3 / SHARE
