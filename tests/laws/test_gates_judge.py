"""Laws of judging: asking more never helps a candidate, and being better never harms it."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop import as_good_as_champion, beats_champion
from everloop.gates.better import outcome_of
from everloop.gates.judge import together
from everloop.records import Opinion
from everloop.stats.bootstrap import Effect

NOW = datetime(2026, 11, 2, tzinfo=UTC)
RANK = {"failed": 0, "not enough evidence": 1, "passed": 2}
effects = st.tuples(st.floats(-0.9, 0.9), st.floats(0, 0.3), st.floats(0, 0.3)).map(
    lambda t: Effect(1.0, 1.0 - t[0], t[0], t[0] - t[1], t[0] + t[2], 100, 20)
)
shares = st.floats(0, 0.9)


@given(effects, shares, shares)
def test_asking_for_more_never_helps(effect, one, other):
    less, more = sorted((one, other))
    assert RANK[outcome_of(beats_champion(by=more), effect)] <= RANK[outcome_of(beats_champion(by=less), effect)]
    assert RANK[outcome_of(as_good_as_champion(margin=less), effect)] <= RANK[outcome_of(as_good_as_champion(margin=more), effect)]


@given(effects, st.floats(0, 0.3), shares)
def test_being_better_never_harms(effect, more, by):
    lifted = Effect(1.0, effect.candidate - more, effect.effect + more, effect.low + more, effect.high + more, 100, 20)
    assert RANK[outcome_of(beats_champion(by=by), effect)] <= RANK[outcome_of(beats_champion(by=by), lifted)]


@given(effects, shares)
def test_whoever_beats_the_champion_is_as_good_as_it(effect, by):
    if outcome_of(beats_champion(by=by), effect) == "passed":
        assert outcome_of(as_good_as_champion(), effect) == "passed"


@settings(max_examples=50)
@given(st.lists(st.sampled_from(sorted(RANK)), min_size=1, max_size=6), st.integers(0, 100))
def test_a_verdict_is_its_worst_opinion_in_whatever_order(outcomes, seed):
    opinions = [Opinion(clause="", outcome=o, sentence="") for o in np.random.default_rng(seed).permutation(outcomes).tolist()]
    assert RANK[together(opinions)] == min(RANK[o] for o in outcomes)
