"""What another policy would have earned is found from the log, against a simulated truth; logs that cannot tell are refused."""

import numpy as np
import pytest

from everloop.stats.off_policy import doubly_robust, ips, snips


def log(rng, n=3000, actions=4):
    """Answers of a policy that leans towards one action; the new one leans towards another. Rewards depend on both unit and action."""
    x = rng.integers(0, 3, n)
    earns = 0.1 + 0.15 * ((x[:, None] + np.arange(actions)) % actions)
    old, new = np.full((n, actions), 0.1), np.full((n, actions), 0.05)
    old[:, 0], new[np.arange(n), 2 - x // 2] = 0.7, 0.85
    taken = (old.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    rows = np.arange(n)
    rewards = (rng.random(n) < earns[rows, taken]).astype(float)
    return rewards, old[rows, taken], new[rows, taken], earns[rows, taken], (new * earns).sum(axis=1)


TRUTH = float(np.mean(log(np.random.default_rng(0), n=200_000)[4]))


def estimates(rng):
    rewards, logged, wanted, model, whole = log(rng)
    poor = np.full(len(model), 0.2)
    return {
        "ips": ips(rewards, logged, wanted),
        "snips": snips(rewards, logged, wanted),
        "a good model": doubly_robust(rewards, logged, wanted, foreseen=model, foreseen_wanted=whole),
        "a poor model": doubly_robust(rewards, logged, wanted, foreseen=poor, foreseen_wanted=poor),
    }


def test_every_estimate_finds_the_truth_and_its_interval_holds_it():
    rng, runs = np.random.default_rng(1), 300
    found = [estimates(rng) for _ in range(runs)]
    for name in found[0]:
        mine = [f[name] for f in found]
        assert np.mean([e.value for e in mine]) == pytest.approx(TRUTH, abs=0.006), name
        assert 0.91 < np.mean([e.low <= TRUTH <= e.high for e in mine]) < 0.985, name
    width = {name: np.mean([f[name].high - f[name].low for f in found]) for name in found[0]}
    assert width["a good model"] < width["snips"] < width["ips"]


def test_the_mean_of_the_log_and_the_model_alone_are_wrong():
    """The rivals: what was earned, which is another policy's; and a poor model, believed."""
    rewards = log(np.random.default_rng(2), n=30_000)[0]
    assert abs(rewards.mean() - TRUTH) > 0.05
    assert abs(0.2 - TRUTH) > 0.05


def test_few_rewards_bear_the_estimate_and_it_says_so():
    rewards, logged, wanted, *_ = log(np.random.default_rng(3))
    estimate = ips(rewards, logged, wanted)
    w = wanted / logged
    assert estimate.effective == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert estimate.effective < 0.3 * estimate.rows
    same = ips(rewards, logged, logged)
    assert same.effective == pytest.approx(3000)
    assert same.value == pytest.approx(rewards.mean())


def test_clipping_is_told_and_trades_truth_for_calm():
    rewards, logged, wanted, *_ = log(np.random.default_rng(4), n=30_000)
    free, clipped = ips(rewards, logged, wanted), ips(rewards, logged, wanted, clip=3.0)
    assert free.clipped == 0
    assert clipped.clipped == pytest.approx((wanted / logged > 3).mean())
    assert clipped.high - clipped.low < free.high - free.low
    assert clipped.value < free.value
    assert clipped.effective > free.effective


def test_self_normalised_estimates_move_with_the_rewards():
    rewards, logged, wanted, *_ = log(np.random.default_rng(5))
    one, moved = snips(rewards, logged, wanted), snips(rewards + 10, logged, wanted)
    assert moved.value - one.value == pytest.approx(10)
    assert moved.high - moved.low == pytest.approx(one.high - one.low)
    assert abs(ips(rewards + 10, logged, wanted).value - ips(rewards, logged, wanted).value - 10) > 0.01


def test_a_policy_that_would_have_done_nothing_of_this_cannot_be_judged():
    none = snips(np.ones(5), np.full(5, 0.5), np.zeros(5))
    assert np.isnan(none.value)
    assert none.effective == 0


GOOD = (np.ones(3), np.full(3, 0.5), np.full(3, 0.5))


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (1, 0.0, r"logged\[1\] is 0; it must be above 0"),
        (1, 1.2, r"logged\[1\] is 1.2"),
        (1, np.nan, r"logged\[1\] is nan"),
        (1, -0.1, "logged"),
        (2, 1.2, r"wanted\[1\] is 1.2; it must be from 0 to 1"),
        (2, np.nan, "wanted"),
        (2, -0.1, "wanted"),
        (0, np.nan, "rewards"),
        (0, np.inf, "rew"),
    ],
)
def test_bad_propensities_are_refused_with_their_row(place, value, says):
    given = [side.copy() for side in GOOD]
    given[place][1] = value
    for estimate in (ips, snips, lambda *a: doubly_robust(*a, foreseen=np.ones(3), foreseen_wanted=np.ones(3))):
        with pytest.raises(ValueError, match=says):
            estimate(*given)


def test_logs_of_two_lengths_or_none_and_forecasts_with_holes_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        ips(np.array([]), np.array([]), np.array([]))
    with pytest.raises(ValueError, match="as many of each"):
        ips(np.ones(2), np.full(3, 0.5), np.full(3, 0.5))
    with pytest.raises(ValueError, match="clip"):
        ips(*GOOD, clip=0.0)
    for hole in (np.array([1.0, np.nan, 1.0]), np.ones(2)):
        with pytest.raises(ValueError, match="forecast is missing"):
            doubly_robust(*GOOD, foreseen=hole, foreseen_wanted=np.ones(3))
