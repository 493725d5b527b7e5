"""What the model brings over its control is counted from a start that the calendar alone moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from everloop.loop.adopt import adopt
from everloop.loop.lift import lifts
from everloop.serving.answered import SCHEMA
from tests.loop.houses import NOW, demand, house_at

DAY = timedelta(days=1)


def test_units_are_counted_from_a_start_that_stands_still_for_four_weeks_of_looks(tmp_path, monkeypatch):
    house = house_at(tmp_path, (demand,))
    adopt(house, demand, NOW)
    before = house.traffic(demand)
    held = replace(before, id="held", generation=before.generation + 1, control=0.2, baseline=before.champion)
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
