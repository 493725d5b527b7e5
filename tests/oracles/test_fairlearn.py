"""fairlearn works out the same ratios between groups: of yeses, of hits, of errors."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from bench.peers import apart, environment
from tests.stats.shop import chances, words

from everloop.stats.fairness import across
from everloop.stats.measures import measure

pytestmark = pytest.mark.slow


def decided(seed, rates):
    rng = np.random.default_rng(seed)
    group = rng.integers(len(rates), size=4000)
    truth = (rng.random(4000) < 0.4).astype(float)
    yes = rng.random(4000) < np.array(rates)[group] * (0.5 + truth)
    return truth, yes, words([f"g{g}" for g in group])


WORLDS = {"two": decided(1, (0.5, 0.3)), "six": decided(2, (0.5, 0.45, 0.4, 0.35, 0.3, 0.25))}


@pytest.fixture(scope="module")
def told():
    said = {name: [truth.tolist(), [int(y) for y in yes], groups.tolist()] for name, (truth, yes, groups) in WORLDS.items()}
    command = [environment("fairlearn"), Path(__file__).with_name("in_fairlearn.py")]
    done = subprocess.run(command, input=json.dumps(said), capture_output=True, text=True, env=apart(), timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", ["yes", "recall", "error_rate", "accuracy"])
def test_the_worst_off_gets_the_same_share_to_twelve_digits(told, world, name):
    truth, yes, groups = WORLDS[world]
    said = chances(np.where(yes, 0.9, 0.1))
    found = across(groups, words(range(len(groups))), truth, said, None if name == "yes" else measure(name), rounds=200)
    ratio, by_group = told[world][name]
    assert found.ratio == pytest.approx(ratio, abs=1e-12)
    assert dict(found.values) == pytest.approx(by_group, abs=1e-12)


@pytest.mark.parametrize("world", WORLDS)
def test_disparate_impact_is_their_demographic_parity(told, world):
    truth, yes, groups = WORLDS[world]
    found = across(groups, words(range(len(groups))), truth, chances(np.where(yes, 0.9, 0.1)), None, rounds=200)
    assert found.ratio == pytest.approx(told[world]["parity"], abs=1e-12)
