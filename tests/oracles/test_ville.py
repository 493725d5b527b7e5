"""ville, another implementation of the same papers, gives the same confidence sequences."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from bench.peers import apart, environment

from everloop.stats.sequences import bounded_mean, difference, quantile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def told():
    """The values, and what ville says of them: (name) -> low and high after each value."""
    rng, n = np.random.default_rng(1), 12_000
    arm, share = (rng.random(n) < 0.3).astype(float), np.full(n, 0.3)
    values = {"bounded": rng.beta(1, 9, n), "amounts": rng.gamma(2, 1, n), "p99": np.exp(rng.normal(2, 0.7, n)), "arm": arm, "share": share}
    terms = values["amounts"] * (arm / share - (1 - arm) / (1 - share))
    said = {"bounded": values["bounded"].tolist(), "asymptotic": terms.tolist(), "p99": values["p99"].tolist()}
    command = [environment("ville"), Path(__file__).with_name("in_ville.py")]
    done = subprocess.run(command, input=json.dumps(said), capture_output=True, text=True, env=apart(), timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return values, {name: np.array(sides) for name, sides in json.loads(done.stdout).items()}


def test_a_bounded_mean_is_the_same_to_the_last_digits(told):
    values, theirs = told
    ours = bounded_mean(values["bounded"])
    assert np.allclose([ours.low, ours.high], np.clip(theirs["bounded"], 0, 1), atol=1e-12)


def test_a_difference_of_arms_is_the_mean_of_its_terms(told):
    """They find the size at which it is narrowest by search and we by the paper's approximation: the same width within a hundredth."""
    values, theirs = told
    ours = difference(values["amounts"], values["arm"], values["share"], foreseen=np.zeros(len(values["arm"])))
    late = slice(2000, None)
    low, high = theirs["asymptotic"][:, late]
    assert np.allclose((ours.low + ours.high)[late], low + high, atol=1e-9)
    assert np.allclose((ours.high - ours.low)[late], high - low, rtol=0.01)


def test_a_p99_lies_within_theirs(told):
    """They take the variance of a coin; a beta-binomial mixture knows that of one in a hundred."""
    values, theirs = told
    for n in (4000, 12_000):
        low, high = quantile(values["p99"][:n], 0.99)
        assert theirs["p99"][0][n - 1] <= low < high <= theirs["p99"][1][n - 1]
