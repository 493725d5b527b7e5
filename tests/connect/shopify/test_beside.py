"""What runs beside the door does not end before the door does."""

from __future__ import annotations

import threading

from everloop.connect.shopify import beside
from everloop.connect.shopify.beside import Beside


def test_work_that_dies_of_what_nobody_expected_is_begun_anew(monkeypatch):
    monkeypatch.setattr(beside, "AGAIN", 0.01)
    tries, done = [], threading.Event()

    def work(stop):
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("database is locked")
        done.set()
        stop.wait()

    one = Beside("work", work)
    one.start()
    assert done.wait(10)
    one.stop()
    assert not one.alive


def test_work_that_waits_for_something_else_is_woken_to_end():
    woken = threading.Event()
    one = Beside("work", lambda stop: woken.wait(), wake=woken.set)
    one.start()
    one.stop()
    assert not one.alive
