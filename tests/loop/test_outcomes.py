"""What people then did: kept once, joined to the answer it belongs to, counted by arm."""

from __future__ import annotations

import math
from datetime import timedelta

import pyarrow as pa
import pytest

from everloop.loop.tell.elsewhere import tell_predictions
from everloop.loop.tell.outcomes import ArmCount, beside_answers, counts_by_arm, outcome_counts, outcomes_of, tell_outcomes
from everloop.loop.tell.told import seal_told
from tests.loop.houses import NOW, day, demand, house_at, leaves, topics

HOUR = 3_600_000_000


@pytest.fixture
def house(tmp_path):
    made = house_at(tmp_path)
    told = [
        {"model": "demand", "product_id": unit, "moment": day(n).isoformat(), "version": "v1", "value": 1.0, "id": f"{unit}-{n}"}
        for unit in ("p1", "p2")
        for n in (1, 2)
    ]
    tell_predictions(made, told, NOW)
    return made


def click(unit="p1", hours=0, **more):
    return {"model": "demand", "product_id": unit, "name": "click", "at": (day(1) + timedelta(hours=hours)).isoformat(), **more}


def test_the_same_event_is_kept_once_whatever_it_says_the_second_time(house):
    assert tell_outcomes(house, [click(event_id="e1")], NOW).kept == 1
    again = tell_outcomes(house, [click(event_id="e1"), click(event_id="e1", value=5, hours=3)], NOW + timedelta(days=1))
    assert (again.kept, again.duplicates) == (0, 2)
    assert outcomes_of(house, demand)["value"].to_pylist() == [1.0]


def test_an_event_id_belongs_to_its_model_and_name(house):
    rows = [click(event_id="e1"), click(event_id="e1", name="order"), {"model": "leaves", "unit": "c", "name": "click", "event_id": "e1"}]
    assert tell_outcomes(house, rows, NOW).kept == 3


def test_without_an_id_what_says_the_same_is_the_same(house):
    made = tell_outcomes(house, [click(), click(), click(hours=1), click(value=2), click(unit="p2")], NOW)
    assert (made.kept, made.duplicates) == (4, 1)
    assert tell_outcomes(house, [click()], NOW + timedelta(days=3)).duplicates == 1


def test_a_value_is_a_number_or_yes_and_unsaid_it_is_one(house):
    tell_outcomes(house, [click(event_id=str(n), value=v) for n, v in enumerate((None, True, False, 2.5, -3))], NOW)
    assert outcomes_of(house, demand)["value"].to_pylist() == [1.0, 1.0, 0.0, 2.5, -3.0]


def test_an_outcome_belongs_to_the_answer_it_names_or_to_the_newest_before_it(house):
    rows = [
        click(event_id="named", hours=5) | {"prediction": "p1-2"},
        click(event_id="at the moment", hours=0),
        click(event_id="a microsecond before") | {"at": (day(1) - timedelta(microseconds=1)).isoformat()},
        click(event_id="after the window", hours=25),
        click(event_id="before anything") | {"at": day(9).isoformat()},
        click(event_id="nobody", unit="p9"),
    ]
    made = tell_outcomes(house, [{k: v for k, v in row.items() if k != "at" or row["at"]} for row in rows], NOW)
    assert made.kept == 6, made.examples
    found = {row["event_id"]: row for row in outcomes_of(house, demand).to_pylist()}
    moments = {
        id: None if row["moment"] is None else (row["moment"] - int(day(1).timestamp()) * 1_000_000) // HOUR for id, row in found.items()
    }
    assert moments == {
        "named": -24,
        "at the moment": 0,
        "a microsecond before": -24,
        "after the window": None,
        "before anything": None,
        "nobody": None,
    }
    assert {row["arm"] for row in found.values()} == {"champion", None}


def test_late_ones_are_kept_and_one_from_the_future_happened_now(house):
    made = tell_outcomes(house, [click() | {"at": "1999-01-01T00:00Z"}, click() | {"at": "2030-01-01T00:00Z"}], NOW)
    assert made.kept == 2
    assert outcomes_of(house, demand)["at"].to_pylist()[1] == int(NOW.timestamp()) * 1_000_000
    assert len(outcomes_of(house, demand, since=day(1))) == 1
    assert len(outcomes_of(house, demand, name="order")) == 0
    assert len(outcomes_of(house, leaves)) == 0


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (click() | {"name": None}, "does not say the name"),
        (click() | {"name": ""}, "is empty"),
        (click() | {"name": 3}, "no text"),
        (click(value="much"), "is a number"),
        (click(value=math.inf), "finite"),
        (click(value=[1]), "is a number"),
        (click() | {"at": "then"}, "no instant"),
        (click(event_id=7), "no text"),
        ({"prediction": "nobody", "name": "click"}, "unknown prediction"),
        ({"name": "click"}, "neither a prediction nor a model"),
        ("click", "no object"),
    ],
)
def test_a_bad_outcome_is_refused_and_the_others_are_kept(house, row, why):
    made = tell_outcomes(house, [click(event_id="1"), row], NOW)
    assert (made.kept, made.refused) == (1, 1)
    assert why in made.examples[0]


def test_sealed_outcomes_read_the_same(house):
    tell_outcomes(house, [click(event_id=str(n), hours=n % 9, value=n) for n in range(30)], NOW)
    before = outcomes_of(house, demand)
    seal_told(house)
    house.reads.clear()
    assert outcomes_of(house, demand) == before


def test_counting_by_arm_counts_units_not_clicks(house):
    tell_outcomes(house, [click(event_id=str(n), value=n) for n in (1, 2)], NOW)
    [count] = outcome_counts(house, demand, "click")
    assert (count.units, count.with_outcome, count.sum, count.mean) == (2, 1, 3.0, 1.5)


def test_what_came_since_of_an_answer_given_before_is_not_counted(house):
    older = {"model": "demand", "product_id": "p3", "moment": day(2).isoformat(), "version": "v1", "value": 1.0, "id": "p3-2"}
    tell_predictions(house, [older], NOW)
    tell_outcomes(house, [click(event_id=u, unit=u, hours=1) | {"prediction": f"{u}-2"} for u in ("p1", "p2", "p3")], NOW)
    tell_outcomes(house, [click(event_id="mine", hours=1)], NOW)
    [count] = outcome_counts(house, demand, "click", day(1) - timedelta(hours=1))
    assert (count.units, count.with_outcome, count.sum) == (2, 1, 1.0)


def given(*rows):
    names = ("id", "version", "arm", "unit", "moment", "error")
    return pa.table(
        {n: pa.array(c, pa.int64() if n == "moment" else pa.string()) for n, c in zip(names, zip(*rows, strict=True), strict=True)}
    )


def test_what_nobody_saw_and_what_failed_is_nobodys_answer():
    answers = given(
        ("1", "v", "champion", "a", 10, None), ("2", "w", "shadow", "a", 20, None), ("3", "v", "champion", "a", 30, "died")
    )  # fmt: skip
    did = {"event_id": ["e"], "name": ["click"], "value": [1.0], "at": [40], "unit": ["a"], "prediction": pa.nulls(1, pa.string())}
    [found] = beside_answers(pa.table(did), answers, window=0).to_pylist()
    assert found["prediction"] == "1"
    assert counts_by_arm(answers, beside_answers(pa.table(did), answers, window=0)) == (ArmCount("v", "champion", 1, 1, 1.0, 1.0),)


def test_a_unit_that_changed_its_arm_counts_in_both():
    answers = given(("1", "v", "champion", "a", 10, None), ("2", "w", "candidate", "a", 20, None), ("3", "v", "champion", "b", 10, None))
    nulls = pa.nulls(2, pa.string())
    did = pa.table(
        {"event_id": ["x", "y"], "name": ["click"] * 2, "value": [1.0, 1.0], "at": [15, 25], "unit": ["a", "a"], "prediction": nulls}
    )
    found = {c.arm: (c.units, c.with_outcome, c.mean) for c in counts_by_arm(answers, beside_answers(did, answers, window=0))}
    assert found == {"champion": (2, 1, 0.5), "candidate": (1, 1, 1.0)}


def test_a_truth_that_takes_no_time_sets_no_window(house):
    tell_predictions(house, [{"model": "topics", "unit": "t", "moment": day(300).isoformat(), "version": "v", "shares": {"a": 1}}], NOW)
    tell_outcomes(house, [{"model": "topics", "unit": "t", "name": "rating", "value": 4}], NOW)
    assert outcomes_of(house, topics)["arm"].to_pylist() == ["champion"]
