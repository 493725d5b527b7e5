"""What is too good, or too brittle, to be let in, whatever was asked of it."""

import numpy as np
import pytest
from tests.gates.test_judge import BETTER, TWIN, churn, verdict
from tests.stats.shop import chances, words

from everloop import as_good_as_champion, at_least, at_most, beats_champion
from everloop.records import Alone, Shaken
from everloop.stats.shapes import Paired


def told(*values, measure="r2"):
    return tuple(Alone(column=f"column_{i}", measure=measure, value=value, rows=600) for i, value in enumerate(values))


def clauses(one):
    return [o.clause for o in one.opinions if o.outcome == "failed"]


def test_a_candidate_that_is_its_champion_over_again_is_refused():
    same = Paired(TWIN.units, TWIN.moments, TWIN.truth, TWIN.champion, TWIN.champion)
    assert clauses(verdict(same, at_most("wape", 9.0))) == ["not its champion over again"]
    changed = TWIN.champion.value.copy()
    changed[17] = np.nextafter(changed[17], np.inf)
    other = Paired(TWIN.units, TWIN.moments, TWIN.truth, TWIN.champion, TWIN.champion.__class__(TWIN.champion.shape, changed))
    assert verdict(other, as_good_as_champion("wape")).passed


def test_forty_equal_answers_are_an_accident():
    same = Paired(TWIN.units, TWIN.moments, TWIN.truth, TWIN.champion, TWIN.champion).take(np.arange(40))
    assert clauses(verdict(same, at_most("wape", 9.0))) == []


def test_where_nothing_is_asked_nothing_is_refused():
    same = Paired(TWIN.units, TWIN.moments, TWIN.truth, TWIN.champion, TWIN.champion)
    assert verdict(same, alone=told(1.0)).passed


def test_a_column_that_tells_the_truth_is_named():
    one = verdict(BETTER, beats_champion("wape"), alone=told(0.998, 0.7))
    assert clauses(one) == ["too good to be true"]
    assert one.opinions[1].sentence.startswith(
        "column_0 alone tells the truth: an R² of 0.998 on 600 questions, the next best, column_1, 0.700"
    )
    assert "known only afterwards" in one.opinions[1].sentence


def test_a_column_far_ahead_of_all_others_is_named_too():
    assert clauses(verdict(BETTER, at_most("wape", 9.0), alone=told(0.95, 0.3))) == ["too good to be true"]
    assert clauses(verdict(BETTER, at_most("wape", 9.0), alone=told(0.95, 0.9))) == []
    assert clauses(verdict(BETTER, at_most("wape", 9.0), alone=told(0.95))) == []  # there is nothing else to be ahead of


def test_where_the_champion_knows_as_much_honestly_it_is_no_leak():
    """A rival with the threshold alone would refuse every candidate on a truth that is easy to tell."""
    easy = Paired(
        BETTER.units, BETTER.moments, BETTER.truth, BETTER.champion.__class__(BETTER.champion.shape, BETTER.truth * 1.01), BETTER.candidate
    )
    assert clauses(verdict(easy, at_most("wape", 9.0), alone=told(0.995, 0.7))) == []


def test_a_yes_or_no_that_is_told_by_one_column_is_found():
    rng = np.random.default_rng(2)
    yes = (rng.random(800) < 0.3).astype(float)
    said = [chances(np.clip(0.3 + 0.1 * yes + rng.normal(0, 0.1, 800), 0.01, 0.99)) for _ in range(2)]
    pair = Paired(words(range(800)), np.zeros(800, dtype=np.int64), yes, *said)
    one = verdict(pair, at_least("auc", 0.5), model=churn, alone=told(0.997, 0.8, measure="auc"))
    assert clauses(one) == ["too good to be true"]
    assert "an AUC of 0.997" in one.opinions[1].sentence
    assert clauses(verdict(pair, at_least("auc", 0.5), model=churn, alone=told(0.97, 0.8, measure="auc"))) == []


@pytest.mark.parametrize(
    ("shaken", "says"),
    [
        (Shaken(rows=500, least=0.4, noise=0.4, jumped=0.3), "30 % of its answers jump where what it knows changes by the least"),
        (Shaken(rows=500, least=0.0, noise=0.6, jumped=0.0), "1 % of noise in what it knows moves its answers by 60 %"),
    ],
)
def test_answers_that_jump_are_reported(shaken, says):
    one = verdict(BETTER, beats_champion("wape"), shaken=shaken)
    assert clauses(one) == ["answers that do not jump"]
    assert one.opinions[1].sentence.startswith(says)


def test_answers_that_move_a_little_are_nothing_to_report():
    assert verdict(BETTER, beats_champion("wape"), shaken=Shaken(rows=500, least=0.001, noise=0.05, jumped=0.002)).passed
