"""Waiting for what another thread or process does, in tests."""

from __future__ import annotations

import time


def until(holds, seconds=60.0, *, every=0.02):
    """What ``holds`` returns as soon as it is something; fails after so many seconds, since it never came to be."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(every)
    return found
