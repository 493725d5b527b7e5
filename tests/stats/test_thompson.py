"""Traffic goes where it seems best, never wholly, and the same counts and seed give the same shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from everloop.stats.thompson import shares

ARMS = st.lists(st.tuples(st.one_of(st.floats(0, 1e6), st.just(float("nan"))), st.floats(0, 1e6)), min_size=1, max_size=20)


@given(ARMS, st.integers(0, 2**31))
def test_shares_add_up_and_nobody_gets_less_than_the_floor(arms, seed):
    won, lost = np.array(arms).T
    given = shares(won, lost, seed=seed, draws=200)
    assert given.sum() == pytest.approx(1, abs=1e-12)
    assert (given >= 0.05 - 1e-12).all()
    assert given.tolist() == shares(won, lost, seed=seed, draws=200).tolist()


def test_the_share_is_the_chance_of_being_best():
    exact = quad(lambda x: beta.pdf(x, 41, 961) * beta.cdf(x, 31, 971), 0, 1, points=[0.03, 0.04])[0]
    found = shares(np.array([30.0, 40.0]), np.array([970.0, 960.0]), seed=3, floor=0.0, draws=100_000)
    assert found[1] == pytest.approx(exact, abs=0.006)


def test_the_best_arm_earns_most_and_a_greedy_rival_is_stuck_with_its_first_luck():
    """Two arms, 5 and 8 %, forty batches; the rival gives everything to the arm that looks better."""
    rates, runs = np.array([0.05, 0.08]), 40
    ended = {"thompson": [], "greedy": []}
    for run in range(runs):
        for name in ended:
            rng, won, lost = np.random.default_rng(run), np.zeros(2), np.zeros(2)
            now = np.array([0.5, 0.5])
            for batch in range(40):
                sent = rng.multinomial(100, now)
                happened = rng.binomial(sent, rates)
                won, lost = won + happened, lost + sent - happened
                if name == "thompson":
                    now = shares(won, lost, seed=batch, draws=400)
                else:
                    now = np.eye(2)[int(np.argmax(won / np.maximum(won + lost, 1)))]
            ended[name].append(now[1])
    assert np.mean(np.array(ended["thompson"]) > 0.5) > 0.9
    assert np.mean(np.array(ended["greedy"]) > 0.5) < 0.95


def test_an_arm_of_which_nothing_is_known_gets_its_chance():
    given = shares(np.array([30.0, np.nan, 0.0]), np.array([970.0, np.nan, 0.0]), seed=1)
    assert given[0] == pytest.approx(0.05, abs=0.01)
    assert given[1] == pytest.approx(given[2], abs=0.02)
    assert shares(np.array([]), np.array([]), seed=1).tolist() == []


@pytest.mark.parametrize(
    ("won", "lost", "floor", "says"),
    [
        ([1.0, -1.0], [1.0, 1.0], 0.05, "from 0 on"),
        ([1.0, np.inf], [1.0, 1.0], 0.05, "finite"),
        ([1.0], [1.0, 2.0], 0.05, "for every arm"),
        ([1.0] * 21, [1.0] * 21, 0.05, "21 arms"),
        ([1.0], [1.0], -0.1, "floor"),
        ([1.0], [1.0], np.nan, "floor"),
    ],
)
def test_counts_and_floors_that_mean_nothing_are_refused(won, lost, floor, says):
    with pytest.raises(ValueError, match=says):
        shares(np.array(won), np.array(lost), seed=1, floor=floor)
