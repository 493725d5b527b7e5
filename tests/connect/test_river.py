from __future__ import annotations

import sys

import numpy as np
import pytest

from everloop.connect.river import first_rise
from everloop.errors import Missing


def rises(seed, before=0.1, after=0.5):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.random(1500) < before, rng.random(800) < after]).astype(float)


@pytest.mark.parametrize("name", ["adwin", "page_hinkley"])
def test_a_rise_is_found_after_it_and_a_fall_is_none(name):
    pytest.importorskip("river")
    found = first_rise(name, rises(1), after=1000)
    assert found is not None
    assert 1500 < found < 1800
    assert first_rise(name, rises(2, before=0.5, after=0.1), after=1000) is None
    assert first_rise(name, rises(1)[:1500], after=1000) is None


def test_without_river_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "river.drift", None)
    with pytest.raises(Missing, match=r"everloop\[river\]"):
        first_rise("adwin", np.zeros(3))
