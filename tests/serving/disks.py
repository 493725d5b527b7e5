"""Disks that stall, fill up and move again, and answers to write to them."""

from __future__ import annotations

import os
import threading
import time

import pyarrow as pa

from everloop.serving import SCHEMA

LONG = 20.0  # seconds after which a test has failed, never how long it takes


def rows(*ids, features='{"a":1.0}'):
    """One answer for each id."""
    said = {
        "model": "m", "version": "v", "arm": "champion", "unit": "p1", "moment": -5, "answered_at": 7,
        "answer": {"value": 1.5, "values": None, "items": None}, "features": features, "microseconds": 3,
    }  # fmt: skip
    return pa.Table.from_pylist([{"id": id, **said} for id in ids], schema=SCHEMA)


def ids(table):
    return table.column("id").to_pylist()


class Held:
    """One call of the system (``os.write``, ``os.fsync`` …) that hangs in the log's own threads until it is let go on."""

    def __init__(self, monkeypatch, name, thread="answers log"):
        self.thread = thread
        self.real, self.called, self._on = getattr(os, name), threading.Semaphore(0), threading.Event()
        self.fails = None
        monkeypatch.setattr(os, name, self)

    def __call__(self, *words):
        if threading.current_thread().name.startswith(self.thread):
            self.called.release()
            assert self._on.wait(LONG)
            if self.fails is not None:
                raise self.fails
        return self.real(*words)

    def reached(self):
        """Wait until the disk has been asked."""
        assert self.called.acquire(timeout=LONG)

    def move_on(self):
        """Let this call return; the next one hangs again."""
        on, self._on = self._on, threading.Event()
        on.set()

    def let_go(self):
        self._on.set()


def until(true):
    """Wait until this is so."""
    last = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < last
        time.sleep(0.001)


def in_the_background(write, *words):
    """Call ``write`` in a thread; the list it gives back holds what came of it, once the thread is joined."""
    said = []

    def run():
        try:
            said.append(write(*words))
        except Exception as error:
            said.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, said
