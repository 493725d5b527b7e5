"""What the model brings over its control is counted from a start that the calendar alone moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from everloop.loop.adopt import adopt
from everloop.loop.lift import first_met, learnt_since, lifts
from everloop.serving.answered import SCHEMA
from tests.loop.houses import NOW, demand, house_at

DAY = timedelta(days=1)


def test_units_are_counted_from_a_start_that_stands_still_for_four_weeks_of_looks(tmp_path, monkeypatch):
    house = house_at(tmp_path, (demand,))
    adopt(house, demand, NOW)
    before = house.traffic(demand)
    held = replace(before, id="held", generation=before.generation + 1, control=0.2, baseline=before.champion, champion="learnt")
    with house.store.transaction() as t:
        house.journal.append(t, held)
        house.pointers.move(t, held, expected_generation=before.generation)
    starts = []

    def looked(_house, _model, since):
        starts.append(since)
        return SCHEMA.empty_table()

    monkeypatch.setattr("everloop.loop.lift.answers_of", looked)
    for day in range(112):
        assert lifts(house, demand, held, NOW + day * DAY) == ()
    assert starts == [NOW] * 56 + [NOW + 28 * DAY] * 28 + [NOW + 56 * DAY] * 28, "four to eight weeks are counted"


def test_units_count_from_when_something_else_than_the_baseline_first_answers_some(tmp_path):
    """Who was answered before met nothing that was learnt, whoever they are."""
    house = house_at(tmp_path, (demand,))
    adopt(house, demand, NOW)
    traffic, steps = house.traffic(demand), []
    kept = {"control": 0.2, "baseline": traffic.champion}
    said = (
        {"stage": "shadow", "candidate": "a"},
        {"stage": "canary", "candidate": "a", "share": 0.1},
        {"stage": "steady", "champion": "a"},
        {"stage": "steady"},  # taken back
    )
    for day, words in enumerate(({}, *said)):
        before, traffic = (
            traffic,
            replace(house.traffic(demand), id=f"t{day}", generation=traffic.generation + 1, made_at=NOW + day * DAY, **kept, **words),
        )
        if "champion" not in words:
            traffic = replace(traffic, champion=kept["baseline"])
        if "candidate" not in words:
            traffic = replace(traffic, candidate=None, share=0.0)
        with house.store.transaction() as t:
            house.journal.append(t, traffic)
            house.pointers.move(t, traffic, expected_generation=before.generation)
        steps.append(learnt_since(house, traffic))
    assert steps == [None, None, NOW + 2 * DAY, NOW + 2 * DAY, NOW + 2 * DAY]
    assert first_met(house, demand, replace(traffic, control=0.3)).num_rows == 0, "another share keeps it: another question"
