"""Drift detectors of river: ADWIN and Page-Hinkley. The only file that imports river (``pip install 'everloop[river]'``).

In: losses in the order in which they were known. Out: at which of them the detector first said that they went up. Decides nothing.
"""

from __future__ import annotations

from typing import Any

from everloop.errors import Missing
from everloop.stats.shapes import Floats


def first_rise(name: str, losses: Floats, *, after: int = 0) -> int | None:
    """The position of the first loss (n,), from ``after`` on, at which "adwin" or "page_hinkley", as river sets them, says that they
    changed and are higher than before; None if it never does. Raises Missing without river.

    Neither says how often it is wrong, and a rise by chance is told like any other.
    """
    detector, before, count = _made(name), 0.0, 0
    for place, loss in enumerate(losses.tolist()):
        detector.update(loss)
        if detector.drift_detected:
            level = float(getattr(detector, "estimation", loss))
            if place >= after and (name == "page_hinkley" or level > before / max(count, 1)):
                return place
        before, count = before + loss, count + 1
    return None


def _made(name: str) -> Any:
    try:
        from river.drift import ADWIN, PageHinkley
    except ImportError:
        raise Missing("river", "river", f'slipped(…, detector="{name}")') from None
    return ADWIN() if name == "adwin" else PageHinkley(mode="up")
