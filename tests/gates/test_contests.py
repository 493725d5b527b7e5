"""A model learnt again and again against one champion: no contest is judged as if it were the only one. And how many questions it takes."""

from dataclasses import replace

import numpy as np
import pytest
from tests.gates.test_judge import BETTER, verdict
from tests.stats.shop import shop

from everloop import as_good_as_champion, at_most, beats_champion
from everloop.errors import EverloopError
from everloop.gates.better import confidence_of
from everloop.gates.enough import questions_needed
from everloop.stats.multiple import share_of_contest


def test_later_contests_have_wider_intervals_and_say_so():
    first, tenth = (verdict(BETTER, beats_champion("wape", by=0.02), number=n).opinions[0] for n in (1, 10))
    assert (first.confidence, round(tenth.confidence, 5)) == (0.95, 0.99909)
    assert tenth.low < first.low < first.high < tenth.high
    assert "contest" not in first.sentence
    assert "with 99.91 % confidence, as it takes in contest 10 with this champion), 2 % asked" in tenth.sentence


def test_what_is_settled_stays_settled_however_late():
    assert verdict(BETTER, beats_champion("wape"), number=500).outcome == "passed"


def test_all_contests_together_spend_what_was_asked_and_the_first_half_of_it():
    spent = sum((1 - confidence_of(0.95, k)) / 2 for k in range(1, 20_000))
    assert spent == pytest.approx(0.05, abs=1e-5)
    assert (1 - confidence_of(0.9, 1)) / 2 == pytest.approx(0.05)
    with pytest.raises(ValueError, match="counted from 1"):
        share_of_contest(0)


def test_twins_tried_every_week_are_let_in_by_a_rival_that_forgets_and_seldom_by_us():
    """Forty reigns of ten contests; the rival judges each contest as if it were the first."""
    ours = rival = 0
    for reign in range(40):
        won = [False, False]
        for week in range(1, 11):
            pair = shop(80, 1, seed=1000 * reign + week)
            for side, number in enumerate((week, 1)):
                won[side] |= verdict(pair, beats_champion("wape"), number=number).outcome == "passed"
        ours, rival = ours + won[0], rival + won[1]
    assert ours <= 6  # 2 are expected; more than 6 have a chance of 1 in 100
    assert rival > 6


# -- how many questions it takes -----------------------------------------------------------------------------------------------------


def test_a_doubt_says_how_many_questions_would_settle_it():
    doubt = verdict(shop(120, 1, champion=0.4, candidate=0.36), beats_champion("wape")).opinions[0]
    assert doubt.outcome == "not enough evidence"
    assert doubt.needed > 120
    assert doubt.sentence.endswith("questions like these would settle it")


def test_so_many_questions_do_settle_it():
    """What a small contest says it takes is taken, ten times over, for it is a guess from an effect that was seen."""
    small = shop(100, 1, champion=0.5, candidate=0.42, seed=3)
    doubt = verdict(small, beats_champion("wape")).opinions[0]
    assert doubt.outcome == "not enough evidence"
    assert verdict(shop(min(20_000, 10 * doubt.needed), 1, champion=0.5, candidate=0.42, seed=4), beats_champion("wape")).passed


def test_what_passed_or_failed_needs_no_more():
    assert verdict(BETTER, beats_champion("wape")).opinions[0].needed is None
    assert verdict(BETTER, at_most("wape", 1.0)).opinions[0].needed is None


def test_a_floor_and_a_margin_say_it_too():
    value = verdict(BETTER, at_most("wape", 1.0)).opinions[0].candidate
    assert verdict(BETTER, at_most("wape", value * 1.01)).opinions[0].needed > 600
    assert verdict(shop(60, 1), as_good_as_champion("wape", margin=0.01)).opinions[0].needed is not None


def test_four_times_the_precision_takes_sixteen_times_the_questions():
    one, other = (questions_needed(500, -0.1, 0.1, apart, confidence=0.95) for apart in (0.08, 0.02))
    assert other == pytest.approx(16 * one, rel=1e-2)
    assert questions_needed(500, None, None, 0.1, confidence=0.95) is None
    assert questions_needed(500, -1e9, 1e9, 0.001, confidence=0.95) is None  # nobody waits for that


def test_a_contest_too_small_for_the_smallest_effect_decides_nothing_even_where_luck_would():
    lucky = next(
        p for p in (shop(60, 1, champion=0.45, candidate=0.3, seed=s) for s in range(50)) if verdict(p, beats_champion("wape")).passed
    )
    opinion = verdict(lucky, beats_champion("wape", finds=0.02)).opinions[0]
    assert opinion.outcome == "not enough evidence"
    assert opinion.needed > 60
    assert "60 questions are too few to find 2 % in nine contests of ten" in opinion.sentence
    assert verdict(shop(4000, 2, champion=0.45, candidate=0.3), beats_champion("wape", finds=0.05)).passed


def test_a_smallest_effect_no_larger_than_what_is_asked_is_refused():
    with pytest.raises(EverloopError, match=r"finds=0.02 is not more than by=0.02"):
        beats_champion("wape", by=0.02, finds=0.02)


# -- units and weeks, both drawn anew -------------------------------------------------------------------------------------------------


def test_weeks_that_go_on_in_the_next_count_for_fewer():
    """In long spells the candidate is far off for everybody. One that takes each week for a proof of its own is sure of too much."""
    rng = np.random.default_rng(4)
    day = 86_400_000_000
    spells = np.repeat(rng.normal(0, 0.5, 12), 5)
    pair = shop(40, 60, champion=0.3, candidate=0.3, seed=5)
    which = pair.moments // (7 * day)
    off = pair.candidate.value * np.exp(spells[which])
    lasting = replace(pair, moments=which * 7 * day, candidate=replace(pair.candidate, value=off))
    mixed = replace(lasting, moments=rng.permutation(60)[which] * 7 * day)  # the same weeks in another order
    wide, narrow = (verdict(p, beats_champion("wape")).opinions[0] for p in (lasting, mixed))
    assert wide.effect == pytest.approx(narrow.effect)
    assert wide.high - wide.low > 1.4 * (narrow.high - narrow.low)
