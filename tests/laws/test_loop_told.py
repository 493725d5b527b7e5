"""Told in any order, any number of times, in any portions: the same truths. What was told is never lost, and never counts twice."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.loop.houses import NOW, day, demand, house_at

from everloop.loop.tell.elsewhere import tell_predictions
from everloop.loop.tell.outcomes import outcomes_of, tell_outcomes
from everloop.loop.tell.told import seal_told, tell_truths, told_truths

LATER = NOW + timedelta(seconds=1)

# Of one question, known at one instant, one thing is told: contradictions within an instant are settled by the order they come in.
tellings = st.dictionaries(
    st.tuples(st.sampled_from(["p1", "p2"]), st.integers(1, 3), st.integers(0, 50)),
    st.one_of(st.none(), st.integers(-3, 3), st.just("void")),
    max_size=12,
)


def rows_of(told):
    for (unit, n, known), truth in told.items():
        known_at = (day(1) + timedelta(minutes=known)).isoformat()
        row = {"model": "demand", "unit": unit, "moment": day(n).isoformat(), "known_at": known_at}
        yield row | ({"void": True} if truth == "void" else {"truth": truth})


def expected(told, minute):
    """The rival: of each question, the newest word known before a minute; nothing where it takes one back."""
    newest = {}
    for (unit, n, known), truth in sorted(told.items(), key=lambda item: item[0][2]):
        if known < minute:
            newest[unit, n] = truth
    return {key: truth for key, truth in newest.items() if truth is not None}


def joined(house, minute):
    found = told_truths(house, demand, day(1) + timedelta(minutes=minute)).to_pylist()
    days = {int(day(n).timestamp()) * 1_000_000: n for n in range(1, 4)}
    return {(row["unit"], days[row["moment"]]): "void" if row["void"] else row["truth"] for row in found}


@settings(max_examples=25, deadline=None)
@given(tellings, st.data())
def test_in_any_order_and_repetition_the_newest_known_counts(told, data):
    rows = list(rows_of(told))
    repeated = data.draw(st.permutations(rows + data.draw(st.lists(st.sampled_from(rows), max_size=6) if rows else st.just([]))))
    cut = data.draw(st.integers(0, len(repeated)))
    with tempfile.TemporaryDirectory() as folder:
        house = house_at(Path(folder), [demand])
        made = [tell_truths(house, part, NOW) for part in (repeated[:cut], repeated[cut:])]
        assert sum(m.kept for m in made) == len(rows)
        assert sum(m.duplicates for m in made) == len(repeated) - len(rows)
        for minute in (0, 25, 51):
            assert joined(house, minute) == expected(told, minute)
        seal_told(house)
        house.reads.clear()
        assert joined(house, 51) == expected(told, 51)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.sampled_from(["v1", "v2"])), min_size=1, max_size=12), st.randoms())
def test_answers_and_outcomes_told_in_any_order_are_the_same_ones(told, chance):
    answers = [
        {"model": "demand", "unit": unit, "moment": day(n).isoformat(), "version": version, "value": float(n)} for unit, n, version in told
    ]
    clicks = [{"model": "demand", "unit": unit, "name": "click", "event_id": f"{unit}{n}", "at": day(n).isoformat()} for unit, n, _ in told]
    seen = []
    for _ in range(2):
        chance.shuffle(answers)
        chance.shuffle(clicks)
        with tempfile.TemporaryDirectory() as folder:
            house = house_at(Path(folder), [demand])
            made = tell_predictions(house, answers, NOW)
            assert (made.kept, made.duplicates) == (len(set(told)), len(told) - len(set(told)))
            for part in (clicks[: len(clicks) // 2], clicks):
                tell_outcomes(house, part, NOW)
            found = outcomes_of(house, demand).drop_columns("prediction").to_pylist()
            seen.append(sorted((row["event_id"], row["moment"]) for row in found))
    assert seen[0] == seen[1]
