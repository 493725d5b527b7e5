"""Columns that say how a row ends up, and so may come later than the row."""

from __future__ import annotations

from everloop import Model, Source, days
from everloop.project.resolve import awaited

parcels = Source("parcels", id="parcel_id", time="booked_at", columns={"weight": float, "late": bool, "city": str})
SAID = {"per": parcels, "learner": print, "fed_as": "pandas"}
lateness = Model("lateness", predicts=parcels.outcome("late", within=days(2)), knows=parcels.given("weight"), **SAID)


def test_a_column_that_models_read_only_as_an_outcome_is_awaited():
    assert awaited([lateness]) == {"parcels": {"late"}}


def test_a_column_that_any_model_reads_otherwise_is_not():
    other = Model("other", predicts=parcels.outcome("weight", within=days(2)), knows=parcels.given("late", "city"), **SAID)
    assert awaited([lateness, other]) == {"parcels": frozenset()}
