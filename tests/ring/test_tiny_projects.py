"""Once round the ring, for each of the tiny projects, on a clock that is turned."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from everloop.loop.answers import answer_due, answer_one, answers_of
from everloop.loop.turn import turn
from everloop.records import Candidate, Report, Verdict
from tests.ring.conftest import END, first_turn


def kinds(house):
    return [e.kind for e in house.journal.read()]


def newest(house, kind):
    return [e.record for e in house.journal.read(kind=kind.__name__)][-1]


@pytest.mark.parametrize("kind", ["shop", "churn", "fraud", "price", "recommend"])
def test_a_first_candidate_is_learnt_and_judged_against_the_baseline(opened, kind):
    house, model = opened(kind)
    decision = turn(house, model, END)
    assert decision.retrains
    assert newest(house, Report).passed
    verdict = newest(house, Verdict)
    assert verdict.passed, [o.sentence for o in verdict.opinions]
    assert all(o.low is None or o.low <= o.effect <= o.high for o in verdict.opinions if o.effect is not None)
    traffic = house.traffic(model)
    rolls = model.autonomy["promote"] == "act"
    assert traffic.rolling is rolls
    assert bool(house.approvals.waiting(model.name)) is not rolls


@pytest.mark.parametrize("kind", ["shop", "churn", "fraud", "price", "recommend"])
def test_every_shape_of_answer_is_given_remembered_and_read_again(opened, kind):
    house, model = opened(kind)
    count = answer_due(house, model, END)
    given = answers_of(house, model)
    assert count == given.num_rows > 0
    assert given.column("error").null_count == count
    unit = given.column("unit")[0].as_py()
    answer = answer_one(house, model, [unit], END + timedelta(hours=1))
    shape = {"number": "value", "chance": "value", "ranking": "items"}[model.kind]
    assert getattr(answer, shape) is not None
    assert answers_of(house, model).num_rows == count + 1


def test_a_turn_repeated_is_a_no_op(opened):
    house, model = opened("shop")
    first = turn(house, model, END)
    before = kinds(house)
    assert turn(house, model, END) == first
    assert kinds(house) == before


def test_answers_that_were_given_are_not_given_twice(opened):
    house, model = opened("shop")
    answer_due(house, model, END)
    assert answer_due(house, model, END) == 0
    assert answers_of(house, model).num_rows == 40


def test_a_roll_out_goes_shadow_canary_bake_and_is_over(opened):
    house, model = opened("shop")
    stages = []
    for day in range(14):
        now = END + timedelta(days=day)
        turn(house, model, now)
        answer_due(house, model, now)
        stages.append(house.traffic(model).stage)
    order = [s for i, s in enumerate(stages) if i == 0 or s != stages[i - 1]]
    assert order == ["shadow", "canary", "bake", "steady"]
    assert house.versions.get(house.traffic(model).champion).name == "demand@1"
    house.journal.verify()


def test_the_same_history_and_the_same_clock_make_the_same_decisions(opened, after, tmp_path):
    def decided(house):
        said = [(o.effect, o.low, o.high) for o in newest(house, Verdict).opinions]
        return said, house.candidate(newest(house, Candidate).id).golden

    house, _ = after(first_turn, "shop")
    before = decided(house)
    house.store.close()
    shutil.rmtree(tmp_path / "shop")
    house, model = opened("shop")
    turn(house, model, END)
    assert decided(house) == before


def test_lineage_leads_from_an_answer_down_to_the_snapshot(opened):
    from everloop.loop.look import why

    house, model = opened("churn")
    turn(house, model, END)
    answer_due(house, model, END)
    given = answers_of(house, model)
    lines, records = why(house, given.column("id")[0].as_py())
    assert "was answered" in lines[0]
    assert any(type(r).__name__ == "TrainingSet" for r in records)
