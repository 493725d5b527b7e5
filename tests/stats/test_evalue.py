"""E-values keep their word however often one looks, and the test everybody uses instead does not, in the same simulation."""

from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pytest
from scipy.stats import binomtest
from tests.stats.shop import chances, numbers, shop, words

from everloop.stats.evalue import Bets, Sequence, above_rate, arm_events, arm_process, bounded, paired_evidence, ratio_between, weighted
from everloop.stats.losses import adds_up, cap_of, losses
from everloop.stats.measures import MEASURES, measure
from everloop.stats.shapes import Answers, Paired

WAPE = measure("wape")


def at_most(count, runs, rate):
    """Whether so many alarms in so many runs are still believable at this rate (one-sided, 1 in 1,000)."""
    return binomtest(count, runs, rate, alternative="greater").pvalue > 0.001


def lasting_z(differences):
    """The rival: a z-test of the mean after each look, stopped at the first p < 0.05."""
    n = np.arange(1, len(differences) + 1)
    mean = np.cumsum(differences) / n
    spread = np.sqrt(np.maximum(np.cumsum(differences**2) / n - mean**2, 1e-12) / n)
    return bool((mean[30::20] / spread[30::20] > 1.645).any())


def test_two_versions_equally_good_are_seldom_called_different_however_often_one_looks():
    rng, runs, betting, z = np.random.default_rng(1), 400, 0, 0
    for _ in range(runs):
        size = np.exp(rng.normal(0, 1.0, 1500)) / 60  # as unequal as products are
        d = np.clip(rng.normal(0, 1, 1500) * size, -1, 1)
        looks = [bounded(d[i : i + 20], 1.0) for i in range(0, 1500, 20)]
        betting += max(reduce(lambda kept, b: [*kept, kept[-1] + b], looks[1:], looks[:1]), key=lambda b: b.value).value >= 20
        z += lasting_z(d)
    assert at_most(betting, runs, 0.05)
    assert z / runs > 0.15


def test_means_may_differ_between_units_as_long_as_their_sum_is_not_above_nothing():
    rng, runs, alarms = np.random.default_rng(2), 400, 0
    for _ in range(runs):
        mean = rng.normal(0, 0.3, 400)
        d = np.clip(mean - mean.mean() + rng.normal(0, 0.2, 400), -1, 1)
        alarms += bounded(d - max(d.mean(), 0), 2.0).value >= 20
    assert at_most(alarms, runs, 0.05)


def ramp(rng, ratio=1.0, n=6000):
    """A roll-out from 1 to 50 % while the rate swings by the hour; ``ratio`` is the candidate's rate over the champion's."""
    share = np.repeat([0.01, 0.05, 0.25, 0.5], n // 4)
    rate = 0.06 * (1 + 0.75 * np.sin(np.arange(n) * 2 * np.pi / n))
    arm = rng.random(n) < share
    happened = rng.random(n) < rate * np.where(arm, ratio, 1.0)
    return share, arm.astype(float), happened


def pooled_z(arm, happened):
    """The rival: two proportions over everything so far, looked at every 200."""
    for end in range(600, len(arm) + 1, 200):
        a, y = arm[:end] > 0, happened[:end]
        if min(a.sum(), (~a).sum()) < 10:
            continue
        both = y.mean()
        spread = np.sqrt(both * (1 - both) * (1 / a.sum() + 1 / (~a).sum()))
        if spread and abs(y[a].mean() - y[~a].mean()) / spread > 1.96:
            return True
    return False


def test_a_ramp_in_changing_weather_fools_the_pooled_z_test_and_not_the_bet():
    rng, runs, betting, z = np.random.default_rng(3), 200, 0, 0
    for _ in range(runs):
        share, arm, happened = ramp(rng)
        events = [(happened & (np.arange(len(arm)) // 200 == k)) for k in range(30)]
        evidence = Sequence((), 0)
        total = None
        for e in events:
            one = arm_events(arm[e], share[e])
            total = one if total is None else total + one
            evidence = replace(evidence, values=(*evidence.values, total.value))
        betting += evidence.proven(0.95)
        z += pooled_z(arm, happened)
    assert at_most(betting, runs, 0.05)
    assert z / runs > 0.3


def test_a_candidate_that_doubles_the_rate_is_found():
    rng = np.random.default_rng(4)
    found = 0
    for _ in range(20):
        share, arm, happened = ramp(rng, ratio=2.5)
        found += arm_events(arm[happened], share[happened]).value >= 20
    assert found >= 16


def test_evidence_adds_up_over_workers_and_does_not_mind_the_order():
    share, arm, happened = ramp(np.random.default_rng(5))
    a, s = arm[happened], share[happened]
    whole = arm_events(a, s)
    parts = reduce(add, [arm_events(a[i::7], s[i::7]) for i in range(7)])
    assert np.allclose(whole.wealth, parts.wealth, atol=1e-9)
    assert arm_events(a[::-1], s[::-1]).value == pytest.approx(whole.value)


def test_a_margin_forgives_what_lies_within_it():
    arms = np.array([1.0] * 65 + [0.0] * 35)
    half = np.full(100, 0.5)
    assert arm_events(arms, half).value > 5
    assert arm_events(arms, half, margin=2.0).value < 1


def test_half_an_event_counts_half():
    arms, half = np.ones(10), np.full(10, 0.5)
    assert 1 < arm_events(arms, half, 0.5).value < arm_events(arms, half).value


def test_what_someone_sees_who_looks_every_time_ends_where_the_sum_does():
    share, arm, happened = ramp(np.random.default_rng(5))
    a, s, w = arm[happened], share[happened], np.random.default_rng(6).random(happened.sum())
    for more in (True, False, None):
        process = arm_process(a, s, w, margin=1.2, more=more)
        assert len(process) == happened.sum()
        assert process[-1] == pytest.approx(arm_events(a, s, w, margin=1.2, more=more).value)
        assert process[40] == pytest.approx(arm_events(a[:41], s[:41], w[:41], margin=1.2, more=more).value)
    assert len(arm_process(np.array([]), np.array([]))) == 0
    assert arm_events(np.array([]), np.array([])).value == pytest.approx(1.0)


def test_a_row_may_stand_for_many_events():
    many = arm_events(np.repeat([1.0, 0.0], [40, 90]), np.full(130, 0.3), 0.5, margin=0.9)
    few = arm_events(np.array([1.0, 0.0]), np.full(2, 0.3), 0.5, times=np.array([40, 90]), margin=0.9)
    assert np.allclose(many.wealth, few.wealth, atol=1e-9)
    assert few.rows == many.rows == 130


def test_every_bet_is_fair_at_the_margin_and_loses_within_it():
    """The proof in numbers: what a bet is expected to multiply by, over who the event's unit belongs to and whether it happens at all."""
    for share in (0.01, 0.3, 0.5, 0.9):
        for margin in (0.5, 1.0, 1.5):
            for more in (True, False):
                for weight in (0.2, 1.0):
                    grown = [arm_events(np.array([a]), np.array([share]), weight, margin=margin, more=more).wealth for a in (1.0, 0.0)]
                    gain = [np.exp(g) - 1 for g in grown]
                    within = margin * (0.8 if more else 1.2)
                    assert np.abs(share * margin * gain[0] + (1 - share) * gain[1]).max() < 1e-12
                    assert (share * within * gain[0] + (1 - share) * gain[1]).max() < 0


def test_a_sample_ratio_is_looked_at_after_every_unit_and_a_chi_square_must_not_be():
    rng, runs, betting, usual = np.random.default_rng(14), 200, 0, 0
    n = np.arange(1, 4001)
    for _ in range(runs):
        arm = (rng.random(4000) < 0.5).astype(float)
        betting += (arm_process(arm, np.full(4000, 0.5), more=None) >= 100).any()
        usual += (np.abs(np.cumsum(arm) - n / 2)[100:] / np.sqrt(n[100:] / 4) > 2.576).any()
    assert at_most(betting, runs, 0.01)
    assert usual / runs > 0.04


def test_lost_exposures_are_found_on_either_side():
    half = np.full(2, 0.5)
    for lost in ((9_000, 10_000), (10_000, 9_000)):
        assert arm_events(np.array([1.0, 0.0]), half, times=np.array(lost), more=None).value > 1000
    assert arm_events(np.array([1.0, 0.0]), half, times=np.array([9_980, 10_020]), more=None).value < 1


def test_every_error_of_a_heavy_user_is_one_event_or_the_proof_breaks():
    """Who asks a hundred times fails a hundred times, all in one arm; the rival bets on each time and is sure of nothing at all."""
    rng, runs, once, often = np.random.default_rng(15), 200, 0, 0
    for _ in range(runs):
        arm, times = (rng.random(150) < 0.5).astype(float), np.minimum(np.ceil(rng.pareto(0.9, 150)), 300).astype(int)
        once += (arm_process(arm, np.full(150, 0.5)) >= 20).any()
        often += (arm_process(np.repeat(arm, times), np.full(times.sum(), 0.5)) >= 20).any()
    assert at_most(once, runs, 0.05)
    assert often / runs > 0.15


def test_a_disaster_is_seen_sooner_by_who_bets_on_disasters():
    arm, share = np.ones(3), np.full(3, 0.01)
    assert arm_events(arm, share, most=64.0).value > 2 * arm_events(arm, share).value


@pytest.mark.parametrize(
    ("arm", "share", "weight", "says"),
    [
        (0.5, 0.5, 1.0, "another value"),
        (np.nan, 0.5, 1.0, "another value"),
        (1.0, 1.0, 1.0, "compared with nobody"),
        (1.0, 0.0, 1.0, "nobody"),
        (1.0, np.nan, 1.0, "nobody"),
        (1.0, 0.5, 1.5, "cap fixed"),
        (1.0, 0.5, -0.1, "cap fixed"),
        (1.0, 0.5, np.nan, "cap fixed"),
    ],
)
def test_what_is_no_event_of_an_arm_is_refused(arm, share, weight, says):
    with pytest.raises(ValueError, match=says):
        arm_events(np.array([arm]), np.array([share]), np.array([weight]))


def test_the_weighted_mean_of_evidence_needs_no_independence():
    rng, runs, mean, most, half = np.random.default_rng(16), 150, 0, 0, np.full(300, 0.5)
    for _ in range(runs):
        arm = (rng.random((6, 300)) < 0.5).astype(float)
        arm[:3] = arm[0]  # three names of one thing, and three other things
        seen = np.array([arm_process(a, half) for a in arm])
        mean += (weighted(seen, np.arange(1, 7)) >= 20).any()
        most += (seen.max(axis=0) >= 20).any()
    assert at_most(mean, runs, 0.05)
    assert most > mean  # the rival takes the largest


def test_weights_and_evidence_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="not been measured yet has the e-value 1"):
        weighted(np.array([1.0, np.nan]), np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="negative"):
        weighted(np.array([1.0, -2.0]), np.array([0.5, 0.5]))
    for weights in ([0.5], [0.0, 0.0], [1.0, -1.0], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="say one for each of 2"):
            weighted(np.array([1.0, 2.0]), np.array(weights))


# -- how large is it -----------------------------------------------------------------------------------------------------------------


def test_the_ratio_lies_between_its_ends_at_all_times_at_once():
    """Looked at after every event while the share rises and the rate swings; the rival's interval is right for one look only."""
    rng, runs, missed, usual, ratio = np.random.default_rng(17), 150, 0, 0, 0.8
    for _ in range(runs):
        share, arm, happened = ramp(rng, ratio=ratio, n=16_000)
        a, s = arm[happened], share[happened]
        # The ends exclude a ratio exactly when either side is proven there (the next test).
        missed += max(arm_process(a, s, margin=ratio, more=more).max() for more in (True, False)) >= 40
        usual += outside_woolf(arm, happened, ratio)
    assert at_most(missed, runs, 0.05)
    assert usual / runs > 0.25


def outside_woolf(arm, happened, ratio):
    """Whether the interval of the logarithm of two pooled rates was ever wrong, looked at every 400 units."""
    for n in range(2000, len(arm) + 1, 400):
        mine = arm[:n] > 0
        x1, x0 = (happened[:n] & mine).sum(), (happened[:n] & ~mine).sum()
        if min(x1, x0) >= 10 and abs(np.log(x1 / mine.sum() / (x0 / (~mine).sum()) / ratio)) > 1.96 * np.sqrt(1 / x1 + 1 / x0):
            return True
    return False


def test_the_ends_of_a_ratio_are_where_the_evidence_turns():
    arm, share, times = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.1, 0.1, 0.5, 0.5]), np.array([9, 110, 70, 100])
    low, high = ratio_between(arm, share, times=times)
    assert low < 0.72 < high
    for end, more in ((low, True), (high, False)):
        assert arm_events(arm, share, times=times, margin=end, more=more).value == pytest.approx(40, rel=1e-3)
    wider = ratio_between(arm, share, times=times, confidence=0.999)
    assert wider[0] < low < high < wider[1]


def test_a_ratio_without_events_in_an_arm_is_open_on_that_side():
    half = np.full(1, 0.5)
    low, high = ratio_between(np.array([0.0]), half, times=np.array([60]))
    assert low == 0.0
    assert high < 0.5
    low, high = ratio_between(np.array([1.0]), half, times=np.array([60]))
    assert low > 2
    assert high == float("inf")
    assert ratio_between(np.array([]), np.array([])) == (0.0, float("inf"))


def test_a_rate_is_exceeded_by_proof_only():
    assert above_rate(2, 4, 0.005).value > 20
    rng, runs = np.random.default_rng(6), 400
    alarms = sum(above_rate(int(rng.binomial(2000, 0.01)), 2000, 0.01).value >= 20 for _ in range(runs))
    assert at_most(alarms, runs, 0.05)
    with pytest.raises(ValueError, match="between 0 and 1"):
        above_rate(1, 2, 0.0)
    for bad, of in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="two counts"):
            above_rate(bad, of, 0.1)


def test_twice_the_rate_is_proven_and_not_only_a_hundred_times_the_rate():
    assert above_rate(60, 6_000, 0.005).value > 1000
    assert above_rate(12, 150, 0.005).value > 1000
    assert above_rate(4, 5, 0.005).value > 1000


def test_infinite_evidence_is_a_number():
    assert Bets(np.array([1e5])).value < float("inf")


# -- two versions side by side -------------------------------------------------------------------------------------------------------


def weeks_of(pair):
    return pair.moments // pair.moments[pair.moments > 0].min() if (pair.moments > 0).any() else pair.moments


def test_a_harmful_candidate_is_found_in_its_first_week():
    found = [
        paired_evidence(WAPE, p, p.moments, worse=True, by=0.1).proven(0.95) for p in (shop(1303, 1, factor=1.5, seed=s) for s in range(10))
    ]
    assert sum(found) == 10


def test_a_few_huge_losses_do_not_hide_what_all_others_show():
    """The rival without a cap is the mutant: it does not see in one week what the cap shows."""
    found = {"capped": 0, "plain": 0}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        units, zeros = np.array([str(i) for i in range(1000)], dtype=object), np.zeros(1000, dtype=np.int64)
        level = rng.lognormal(1.5, 1.0, 1000)
        truth = rng.poisson(level).astype(float)
        truth[:4], said = 3_000.0, level * np.exp(0.45 * rng.choice([-1.0, 1.0], 1000))
        said[:4] = level[:4] + rng.choice([-400.0, 400.0], 4)
        pair = Paired(units, zeros, truth, numbers(level), numbers(said))
        cap = cap_of(WAPE, Paired(units, zeros, rng.poisson(level).astype(float), pair.champion, pair.champion))
        found["plain"] += paired_evidence(WAPE, pair, zeros, worse=True).proven(0.95)
        found["capped"] += paired_evidence(WAPE, pair, zeros, worse=True, cap=cap).proven(0.95)
    assert found["capped"] >= 9
    assert found["plain"] <= 2


def test_a_twin_is_not_stopped_with_a_cap_either():
    runs, stopped = 60, 0
    for seed in range(runs):
        pair = shop(60, 26, seed=seed)
        cap = float(np.quantile(np.abs(pair.truth - pair.champion.value), 0.9))
        stopped += paired_evidence(WAPE, pair, weeks_of(pair), worse=True, cap=cap).proven(0.95)
    assert at_most(stopped, runs, 0.05)


def test_only_what_can_be_lost_without_end_has_a_cap():
    pair = shop(200, 2)
    assert cap_of(WAPE, pair) > 0
    assert cap_of(measure("coverage"), pair) is None
    assert cap_of(WAPE, replace(pair, champion=numbers(pair.truth))) is None


def test_worse_by_less_than_is_allowed_is_not_worse():
    pair = shop(1303, 1, factor=1.5)
    lost = WAPE.value(pair.truth, pair.candidate) / WAPE.value(pair.truth, pair.champion) - 1
    assert 0.2 < lost < 0.9
    assert paired_evidence(WAPE, pair, pair.moments, worse=True, by=lost * 0.5).proven(0.95)
    assert paired_evidence(WAPE, pair, pair.moments, worse=True, by=lost * 1.1).evidence < 1


def test_a_twin_is_not_stopped_in_a_year_of_looks():
    runs, stopped = 60, 0
    for seed in range(runs):
        pair = shop(60, 26, seed=seed)
        stopped += paired_evidence(WAPE, pair, weeks_of(pair), worse=True).proven(0.95)
    assert at_most(stopped, runs, 0.05)


def test_bounds_hold_whatever_becomes_true():
    """``apart`` is promised before the truth; a bound that could be broken would break the proof."""
    rng = np.random.default_rng(7)
    for truth in (np.zeros(500), np.full(500, 1e6), rng.normal(0, 50, 500)):
        a, b = numbers(rng.normal(0, 20, 500)), numbers(rng.normal(0, 20, 500))
        pair = Paired(words(range(500)), np.zeros(500, dtype=np.int64), truth, a, b)
        found = losses(WAPE, pair)
        assert (np.abs(found.candidate - found.champion) <= found.apart + 1e-9).all()
    for name in ("logloss", "brier", "accuracy", "recall"):
        for yes in (np.zeros(500), np.ones(500)):
            a, b = chances(rng.random(500)), chances(np.round(rng.random(500)))
            found = losses(measure(name), Paired(words(range(500)), np.zeros(500, dtype=np.int64), yes, a, b))
            assert (np.abs(found.candidate - found.champion) <= found.apart + 1e-9).all()
            assert (found.champion <= found.most + 1e-9).all()


def test_a_clipped_difference_would_call_a_better_version_worse():
    """The rival clips differences at a convenient scale: right on the large products, a little wrong on the many small ones."""
    rng = np.random.default_rng(8)
    size = np.concatenate([np.full(950, 2.0), np.full(50, 400.0)])
    truth = rng.poisson(size).astype(float)
    champion, candidate = numbers(size * np.where(size > 100, 1.5, 1.0)), numbers(size * np.where(size > 100, 1.0, 1.8))
    pair = Paired(words(range(1000)), np.zeros(1000, dtype=np.int64), truth, champion, candidate)
    assert WAPE.value(truth, candidate) < WAPE.value(truth, champion)
    assert not paired_evidence(WAPE, pair, pair.moments, worse=True).proven(0.95)
    clipped = np.clip(np.abs(truth - candidate.value) - np.abs(truth - champion.value), -2, 2)
    assert bounded(clipped, 2.0).value > 20


def test_what_one_unit_does_within_a_period_is_one_bet():
    """Daily questions about overlapping weeks repeat one truth seven times; a rival that bets on each would be sure seven times over."""
    pair = shop(40, 1, factor=1.25, seed=3)
    seven = pair.take(np.tile(np.arange(40), 7))
    once, often = (paired_evidence(WAPE, p, np.zeros(len(p), dtype=np.int64), worse=True).evidence for p in (pair, seven))
    assert often == pytest.approx(once)
    split = Paired(words(range(280)), seven.moments, seven.truth, seven.champion, seven.candidate)
    assert abs(np.log(paired_evidence(WAPE, split, split.moments, worse=True).evidence)) > 3 * abs(np.log(once))


def test_better_and_worse_are_one_question_asked_from_two_sides():
    pair = shop(200, 1, factor=1.5)
    swapped = Paired(pair.units, pair.moments, pair.truth, pair.candidate, pair.champion)
    one = paired_evidence(WAPE, pair, pair.moments, worse=True)
    assert paired_evidence(WAPE, swapped, pair.moments, worse=False).evidence == pytest.approx(one.evidence)


def test_measures_that_are_better_when_higher_bet_in_their_own_direction():
    rng = np.random.default_rng(9)
    yes = (rng.random(1500) < 0.4).astype(float)
    good, poor = chances(np.where(yes > 0, 0.8, 0.2)), chances(rng.random(1500))
    pair = Paired(words(range(1500)), np.zeros(1500, dtype=np.int64), yes, good, poor)
    for name in ("accuracy", "recall", "brier", "logloss"):
        assert paired_evidence(measure(name), pair, pair.moments, worse=True, by=0.05).proven(0.95), name
        assert not paired_evidence(measure(name), pair, pair.moments, worse=False).proven(0.95), name


def test_a_pinball_loss_can_be_bet_on():
    from everloop.records import Shape

    pair = shop(400, 1, champion=0.2)
    shape = Shape(kind="quantiles", levels=(0.1, 0.5, 0.9))
    sides = [Answers(shape, v, values=np.column_stack([v * 0.6, v, v * 1.4])) for v in (pair.champion.value, pair.champion.value * 2)]
    told = Paired(pair.units, pair.moments, pair.truth, *sides)
    found = losses(measure("pinball"), told)
    assert (np.abs(found.candidate - found.champion) <= found.apart + 1e-9).all()
    assert paired_evidence(measure("pinball"), told, told.moments, worse=True).proven(0.95)


def test_measures_that_do_not_add_up_are_not_bet_on():
    assert {name for name, m in MEASURES.items() if not adds_up(m)} == {"rmse", "auc", "bias", "mase", "calibration_error"}
    yes = np.array([1.0, 0.0])
    pair = Paired(words("ab"), np.zeros(2, dtype=np.int64), yes, chances([0.9, 0.1]), chances([0.9, 0.1]))
    assert paired_evidence(measure("auc"), pair, pair.moments, worse=True) is None
    assert paired_evidence(measure("precision"), pair, pair.moments, worse=True) is None
