"""Verdicts: who is let in, who is not, and when nobody can say."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.stats.shop import chances, numbers, shop, words

from everloop import (
    Model,
    Source,
    answers_within,
    as_good_as_champion,
    at_least,
    at_most,
    beats_champion,
    days,
    every,
    fair_across,
    worse_than_champion,
    yes_above,
)
from everloop.errors import EverloopError
from everloop.gates import judge, override, timings_needed
from everloop.gates.judge import together
from everloop.records import Contest, Opinion
from everloop.stats.shapes import Answers, Paired

NOW = datetime(2026, 11, 2, tzinfo=UTC)
orders = Source("orders", id="line_id", time="ordered_at", columns={"product_id": str, "quantity": int, "department": str})


def learn(rows):
    """Stands in for a learner; judging never calls it."""


demand = Model(
    "demand", predicts=orders.total("quantity", next=days(7)), per="product_id", asked=every(days(7)), knows=orders.count(last=days(7)),
    learner=learn,
)  # fmt: skip
churn = demand.but("churn", predicts=orders.none(next=days(7)), answers=yes_above(0.5))
DEPARTMENT = fair_across(orders.latest("department"), on="wape")


CONTEST = Contest(id="c", made_at=NOW, model="demand", champion="old", candidate="new", body="sha", rows=600, first_at=NOW, last_at=NOW)


def verdict(pair, *conditions, model=demand, seed=0, **words):
    return judge(replace(CONTEST, **words), pair, conditions, model, now=NOW, id="v", seed=seed)


BETTER, TWIN, WORSE = shop(champion=0.6, candidate=0.2), shop(), shop(champion=0.2, candidate=0.7)


def test_a_better_candidate_passes_with_its_figures_in_a_sentence():
    one = verdict(BETTER, beats_champion("wape", by=0.02))
    opinion = one.opinions[0]
    assert (one.outcome, one.passed, one.candidate, one.champion) == ("passed", True, "new", "old")
    assert opinion.low > 0.02 < opinion.effect
    assert opinion.sentence.startswith("WAPE 0.")
    assert "% better (" in opinion.sentence
    assert opinion.sentence.endswith("% with 95 % confidence), 2 % asked")
    assert one.made_from == ("c",)


def test_a_worse_candidate_fails_and_its_sentence_says_by_how_much():
    opinion = verdict(WORSE, beats_champion("wape")).opinions[0]
    assert opinion.outcome == "failed"
    assert "% worse (" in opinion.sentence


def test_a_candidate_that_wins_by_luck_is_not_promoted():
    """Twins: the better half of a hundred contests is better by luck. A threshold on the effect would let many of them in."""
    outcomes, lucky = [], 0
    for seed in range(100):
        opinion = verdict(shop(120, 1, seed=seed), beats_champion("wape", by=0.02)).opinions[0]
        outcomes.append(opinion.outcome)
        lucky += opinion.effect > 0.02
    assert outcomes.count("passed") <= 6
    assert lucky > 20


def test_the_same_answers_are_no_better_and_no_worse_and_refused_all_the_same():
    pair = Paired(TWIN.units, TWIN.moments, TWIN.truth, TWIN.champion, TWIN.champion)
    assert verdict(pair, beats_champion("wape")).outcome == "failed"
    one = verdict(pair, as_good_as_champion("wape"))
    assert [o.outcome for o in one.opinions] == ["passed", "failed"]
    assert one.outcome == "failed"
    assert one.opinions[1].sentence == "The candidate answers all 600 questions exactly as the champion does, so nothing would change"


def test_as_good_as_forgives_its_margin_only():
    slightly = shop(2000, 2, champion=0.3, candidate=0.33)
    assert verdict(slightly, as_good_as_champion("wape", margin=0.15)).outcome == "passed"
    assert verdict(WORSE, as_good_as_champion("wape", margin=0.05)).outcome == "failed"
    assert verdict(shop(60, 1), as_good_as_champion("wape", margin=0.01)).outcome == "not enough evidence"


def test_a_metric_that_is_not_said_is_the_models_own():
    assert verdict(BETTER, beats_champion()).opinions[0].measure == "wape"


@pytest.mark.parametrize(("pair", "reason"), [(None, "no question after the gap"), (BETTER.take(np.zeros(600, dtype=bool)), "no question")])
def test_an_empty_contest_is_not_enough_evidence_and_says_why(pair, reason):
    one = verdict(
        pair, beats_champion(), at_most("wape", 0.5), why_empty="no question after the gap has a mature truth yet", rows=0, body=None
    )
    assert one.outcome == "not enough evidence"
    assert all(reason in o.sentence for o in one.opinions)


def test_too_few_questions_prove_nothing():
    opinion = verdict(BETTER.take(np.arange(40)), beats_champion()).opinions[0]
    assert opinion.outcome == "not enough evidence"
    assert "40 questions" in opinion.sentence
    assert opinion.effect is not None


def test_truths_nobody_knows_are_not_enough_evidence():
    unknown = Paired(TWIN.units, TWIN.moments, np.full(600, np.nan), TWIN.champion, TWIN.candidate)
    opinion = verdict(unknown, beats_champion()).opinions[0]
    assert (opinion.outcome, opinion.rows, opinion.effect) == ("not enough evidence", 0, None)


def test_a_candidate_that_is_silent_where_it_is_hard_has_failed():
    said = BETTER.champion.value.copy()
    hard = np.abs(said - BETTER.truth) > np.quantile(np.abs(said - BETTER.truth), 0.8)
    said[hard] = np.nan
    sly = Paired(BETTER.units, BETTER.moments, BETTER.truth, numbers(np.where(hard, said * 0 + 5, BETTER.champion.value)), numbers(said))
    sly = Paired(sly.units, sly.moments, sly.truth, BETTER.champion, sly.candidate)
    opinion = verdict(sly, beats_champion()).opinions[0]
    assert opinion.outcome == "failed"
    assert "leaves 120 of 600 questions with a known truth unanswered" in opinion.sentence


def test_a_few_silent_answers_are_left_out_on_both_sides():
    said = BETTER.candidate.value.copy()
    said[:3] = np.inf
    opinion = verdict(replace(BETTER, candidate=numbers(said)), beats_champion()).opinions[0]
    assert (opinion.outcome, opinion.rows) == ("passed", 597)


def test_a_champion_without_error_is_not_beaten():
    truth = np.maximum(BETTER.truth, 1)
    pair = Paired(BETTER.units, BETTER.moments, truth, numbers(truth), numbers(truth + 1))
    opinion = verdict(pair, beats_champion()).opinions[0]
    assert opinion.outcome == "failed"
    assert "no error at all" in opinion.sentence


# -- floors --------------------------------------------------------------------------------------------------------------------------


def test_a_floor_is_reached_missed_or_not_settled():
    value = verdict(BETTER, at_most("wape", 1.0)).opinions[0].candidate
    assert verdict(BETTER, at_most("wape", value * 1.5)).outcome == "passed"
    assert verdict(BETTER, at_most("wape", value * 0.5)).outcome == "failed"
    assert verdict(BETTER, at_most("wape", value)).outcome == "not enough evidence"
    assert verdict(BETTER, at_least("bias", -1.0)).outcome == "passed"


def test_the_share_of_failing_answers_is_bounded_too():
    said = BETTER.candidate.value.copy()
    said[::10] = np.nan
    silent = replace(BETTER, candidate=numbers(said))
    assert verdict(silent, at_most("errors", 0.01)).outcome == "failed"
    assert verdict(silent, at_most("errors", 0.2)).outcome == "passed"


def test_p99_is_bounded_by_what_was_timed():
    fast = tuple(np.linspace(1, 9, 2000))
    assert verdict(BETTER, at_most("p99_ms", 20), milliseconds=fast).outcome == "passed"
    assert verdict(BETTER, at_most("p99_ms", 5), milliseconds=fast).outcome == "failed"
    assert verdict(BETTER, at_most("p99_ms", 20), milliseconds=fast[:50]).outcome == "not enough evidence"


# -- fast ----------------------------------------------------------------------------------------------------------------------------


def test_answers_are_fast_enough_by_proof_only():
    quick = answers_within(ms=30)
    assert verdict(None, quick, milliseconds=(5.0,) * 400).outcome == "passed"
    assert verdict(None, quick, milliseconds=(5.0,) * 380 + (90.0,) * 20).outcome == "failed"
    few = verdict(None, quick, milliseconds=(5.0,) * 200)
    assert few.outcome == "not enough evidence"
    assert "takes 299 timings" in few.opinions[0].sentence
    assert verdict(None, quick).opinions[0].sentence == "No answer was timed"


def test_a_time_that_is_no_time_counts_as_slow():
    assert verdict(None, answers_within(ms=30), milliseconds=(float("nan"),) * 400).outcome == "failed"


def test_enough_timings_are_asked_for_to_forgive_two_slow_ones():
    count = timings_needed([beats_champion(), answers_within(ms=30)])
    assert verdict(None, answers_within(ms=30), milliseconds=(5.0,) * (count - 2) + (90.0, 90.0)).outcome == "passed"
    assert timings_needed([beats_champion()]) == 0


# -- fair ----------------------------------------------------------------------------------------------------------------------------


def grouped(pair, groups):
    return Paired(pair.units, pair.moments, pair.truth, pair.champion, pair.candidate, {DEPARTMENT.reading.name: groups})


def test_a_candidate_that_serves_one_group_badly_fails():
    groups = words(np.arange(600) % 2)
    said = numbers(BETTER.candidate.value * np.where(groups == "0", 1.0, 2.0))
    opinion = verdict(grouped(replace(BETTER, candidate=said), groups), DEPARTMENT).opinions[0]
    assert opinion.outcome == "failed"
    assert opinion.sentence.startswith("1 is served by WAPE ")


def test_a_candidate_that_serves_all_alike_passes_where_there_is_enough_to_see_it():
    pair = shop(4000, 2, candidate=0.2, spread=0.5)
    groups = words(np.arange(8000) % 2)
    assert verdict(grouped(pair, groups), DEPARTMENT).outcome == "passed"
    assert verdict(grouped(pair, groups).take(np.arange(120)), DEPARTMENT).outcome == "not enough evidence"


def test_groups_too_small_or_unheard_of_are_not_enough_evidence():
    assert verdict(grouped(BETTER, words(np.arange(600))), DEPARTMENT).outcome == "not enough evidence"
    assert verdict(BETTER, DEPARTMENT).outcome == "not enough evidence"


def test_yeses_are_compared_where_no_metric_is_said():
    rng = np.random.default_rng(0)
    groups = words(np.where(np.arange(3000) % 2, "men", "women"))
    said = chances(np.where(rng.random(3000) < np.where(groups == "men", 0.5, 0.2), 0.9, 0.1))
    yes = (rng.random(3000) < 0.3).astype(float)
    pair = Paired(words(range(3000)), np.zeros(3000, dtype=np.int64), yes, said, said, {DEPARTMENT.reading.name: groups})
    opinion = verdict(pair, fair_across(orders.latest("department")), model=churn).opinions[0]
    assert opinion.outcome == "failed"
    by_metric = verdict(pair, fair_across(orders.latest("department"), on="logloss"), model=churn).opinions[0]
    assert (by_metric.measure, by_metric.candidate is None) == (None, False), "a ratio of groups is no log loss"
    assert opinion.sentence.startswith("women is told yes ")


# -- together ------------------------------------------------------------------------------------------------------------------------


def opinions(*outcomes):
    return [Opinion(clause="", outcome=o, sentence="") for o in outcomes]


def test_one_failure_fails_and_one_doubt_is_a_doubt():
    assert together(opinions("passed", "not enough evidence", "failed")) == "failed"
    assert together(opinions("passed", "not enough evidence")) == "not enough evidence"
    assert together(opinions("passed", "passed")) == "passed"


def test_without_a_condition_a_candidate_passes():
    assert verdict(None).outcome == "passed"


def test_the_same_contest_always_gets_the_same_verdict():
    asked = (beats_champion(), at_most("wape", 0.4), DEPARTMENT)
    assert verdict(BETTER, *asked, seed=3) == verdict(BETTER, *asked, seed=3)


def test_a_condition_of_traffic_cannot_be_judged_before_it():
    with pytest.raises(EverloopError, match="Move it out of promote_when"):
        verdict(BETTER, worse_than_champion())


def test_auc_is_judged_as_well():
    rng = np.random.default_rng(1)
    yes = (rng.random(2000) < 0.3).astype(float)
    sides = [chances(1 / (1 + np.exp(-(yes * d + rng.normal(0, 1, 2000))))) for d in (0.5, 1.5)]
    pair = Paired(words(range(2000)), np.zeros(2000, dtype=np.int64), yes, *sides)
    opinion = verdict(pair, beats_champion("auc", by=0.05), model=churn).opinions[0]
    assert opinion.outcome == "passed"
    assert opinion.sentence.startswith("AUC 0.8")


def test_a_win_over_a_champion_that_answers_the_same_to_everybody_says_what_it_is_worth():
    rng = np.random.default_rng(1)
    yes = (rng.random(2000) < 0.3).astype(float)
    better = chances(1 / (1 + np.exp(-(yes + rng.normal(0, 1, 2000)))))
    average = chances(np.full(2000, 0.3))
    pair = Paired(words(range(2000)), np.zeros(2000, dtype=np.int64), yes, average, better)
    said = verdict(pair, beats_champion("auc", by=0.05), model=churn).opinions[0]
    assert said.outcome == "passed"
    assert "AUC 0.7" in said.sentence
    assert said.sentence.endswith("the champion answers the same to everybody, so that any signal passes")
    others = (replace(pair, champion=chances(np.where(yes == 1, 0.31, 0.3))), replace(pair, champion=better, candidate=average))
    for other in others:
        assert "any signal" not in verdict(other, beats_champion("auc", by=0.05), model=churn).opinions[0].sentence


def test_one_outlier_does_not_decide():
    """One absurd answer makes the candidate's WAPE absurd, but it is one unit: there is not enough evidence, and no crash."""
    said = BETTER.candidate.value.copy()
    said[5] = 1e12
    assert verdict(replace(BETTER, candidate=numbers(said)), beats_champion()).outcome == "not enough evidence"


def test_an_answer_may_be_huge_on_both_sides():
    huge = Answers(BETTER.champion.shape, BETTER.champion.value * 1e200)
    pair = Paired(BETTER.units, BETTER.moments, BETTER.truth * 1e200, huge, huge)
    assert verdict(pair, beats_champion()).outcome == "failed"


# -- a person's word -----------------------------------------------------------------------------------------------------------------


def test_a_person_may_override_with_a_name_and_a_reason():
    refused = verdict(WORSE, beats_champion())
    allowed = override(refused, by=" Ada ", reason="the holdout was the strike", now=NOW, id="w")
    assert (allowed.outcome, allowed.by, allowed.reason, allowed.id) == ("passed", "Ada", "the holdout was the strike", "w")
    assert allowed.opinions == refused.opinions
    assert allowed.made_from == (refused.id,)


@pytest.mark.parametrize(("by", "reason", "lacks"), [("", "because", "name"), ("Ada", "  ", "reason")])
def test_without_a_name_or_a_reason_there_is_no_override(by, reason, lacks):
    with pytest.raises(EverloopError, match=lacks):
        override(verdict(WORSE, beats_champion()), by=by, reason=reason, now=NOW, id="w")
