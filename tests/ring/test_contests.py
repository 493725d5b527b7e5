"""What a rehearsal finds beside the answers: which contest with its champion it is, how long answers take with their features read, and
what makes a candidate suspect."""

from __future__ import annotations

from datetime import timedelta

import pytest

from everloop.loop.steps import judge_now, train_now
from everloop.loop.turn import turn
from everloop.records import Contest
from tests.ring.conftest import END

EARLIER = END - timedelta(days=14)


def contests(house):
    return [e.record for e in house.journal.read(kind="Contest")]


def hard_to_beat(text):
    found = 'promote_when=beats_champion("wape", by=0.02)'
    assert found in text
    return text.replace(found, 'promote_when=[beats_champion("wape", by=0.9), answers_within(ms=500, share=0.9)]').replace(
        "beats_champion,", "answers_within,\n    beats_champion,", 1
    )


def retrained(house, model, now):
    return turn(house, model, now, "demand")


@pytest.mark.slow
def test_each_turn_is_a_contest_more_with_the_same_champion_and_a_look_is_none(opened):
    house, model = opened("shop", hard_to_beat)
    retrained(house, model, EARLIER)
    train_now(house, model, EARLIER + timedelta(hours=1))
    verdict = judge_now(house, model, None, EARLIER + timedelta(hours=2))
    assert verdict.opinions[0].confidence is None or round(verdict.opinions[0].confidence, 4) == 0.9833
    retrained(house, model, EARLIER + timedelta(days=7))
    assert [c.number for c in contests(house)] == [1, 2, 2]


def test_answers_are_timed_with_their_features_read_from_what_is_kept_of_each_unit(opened):
    house, model = opened("shop", hard_to_beat)
    retrained(house, model, EARLIER)
    (contest,) = contests(house)
    assert contest.features_read
    assert len(contest.milliseconds) >= 29
    opinion = next(e.record for e in house.journal.read(kind="Verdict")).opinions[1]
    assert "features were given" not in opinion.sentence


def test_a_contest_keeps_what_columns_tell_alone_and_how_far_answers_move(opened):
    house, model = opened("shop", hard_to_beat)
    retrained(house, model, EARLIER)
    (contest,) = contests(house)
    assert isinstance(contest, Contest)
    assert contest.alone[0].column in model.columns
    assert contest.shaken is not None
    assert 0 <= contest.shaken.noise < 1
