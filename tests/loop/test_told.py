"""Truths that are no event: kept once, corrected, taken back, joined; bad ones refused one by one."""

from __future__ import annotations

import math
import multiprocessing
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from everloop import Source
from everloop.errors import EverloopError, ProjectError
from everloop.features.truth import Truths, with_told
from everloop.lake.receive import receive
from everloop.loop.answers import answers_of, seal_answers
from everloop.loop.arrivals import receive_rows
from everloop.loop.house import with_pause
from everloop.loop.look import status
from everloop.loop.steps import training_table
from everloop.loop.tell.meant import LONGEST, told_id
from everloop.loop.tell.own import own_source
from everloop.loop.tell.told import TRUTHS, seal_told, tell_predictions, tell_truths, told_truths
from everloop.loop.truths import told_of
from everloop.loop.watching import seen
from tests.loop.houses import NOW, day, demand, house_at, leaves, likes, spread, topics

LATER = NOW + timedelta(seconds=1)


@pytest.fixture
def house(tmp_path):
    return house_at(tmp_path)


def about(truth, n=3, unit="p1", **more):
    return {"model": "demand", "product_id": unit, "moment": day(n).isoformat(), "truth": truth, **more}


def known(house, model=demand, now=LATER):
    return {(row["unit"], row["moment"]): "void" if row["void"] else row["truth"] for row in told_truths(house, model, now).to_pylist()}


def answered(house, unit="p1", n=3, value=3.0, **more):
    told = [{"model": "demand", "product_id": unit, "moment": day(n).isoformat(), "version": "v1", "value": value, **more}]
    tell_predictions(house, told, NOW)
    return answers_of(house, demand).column("id").to_pylist()[-1]


def test_a_truth_is_kept_and_the_same_again_is_a_duplicate(house):
    assert tell_truths(house, [about(4)], NOW).kept == 1
    again = tell_truths(house, [about(4.0), about(4)], NOW + timedelta(hours=1))
    assert (again.kept, again.duplicates, again.refused) == (0, 2, 0)
    assert list(known(house).values()) == [4.0]


def test_a_later_word_corrects_the_one_before_and_null_takes_it_back(house):
    for truth, expected in ((4, [4.0]), (5, [5.0]), (4, [4.0]), (None, []), (4, [4.0])):
        tell_truths(house, [about(truth)], NOW)
        assert list(known(house).values()) == expected


def test_what_is_corrected_counts_from_when_it_is_known_on(house):
    early, late = day(2), day(1)
    tell_truths(house, [about(5, known_at=late.isoformat()), about(4, known_at=early.isoformat())], NOW)
    assert list(known(house).values()) == [5.0]
    assert list(known(house, now=late).values()) == [4.0]
    assert known(house, now=early) == {}


def test_what_came_before_arriving_later_changes_nothing(house):
    tell_truths(house, [about(5, known_at=day(1).isoformat())], NOW)
    tell_truths(house, [about(4, known_at=day(2).isoformat())], NOW)
    tell_truths(house, [about(5, known_at=day(1).isoformat())], NOW)
    assert list(known(house).values()) == [5.0]


def test_a_word_without_an_instant_is_newer_than_one_known_before(house):
    tell_truths(house, [about(4)], NOW)
    tell_truths(house, [about(9, known_at=day(1).isoformat())], NOW)
    assert list(known(house).values()) == [4.0]


def test_an_answer_is_named_by_its_id_or_by_the_name_the_service_gave_it(house):
    id = answered(house, id="their 1")
    assert id == told_id("demand", "their 1")
    assert tell_truths(house, [{"prediction": "their 1", "truth": 4}, {"prediction": id, "truth": 4}], NOW).duplicates == 1
    assert known(house) == {("p1", answers_of(house, demand)["moment"][0].as_py()): 4.0}


def test_an_answer_is_found_before_and_after_it_is_sealed(house):
    id = answered(house)
    assert tell_truths(house, [{"prediction": id, "truth": 4}], NOW).kept == 1
    seal_answers(house)
    assert tell_truths(house, [{"prediction": id, "truth": 5}], NOW).kept == 1
    assert list(known(house).values()) == [5.0]


def test_one_name_in_two_models_has_to_say_which(house):
    answered(house, id="1")
    tell_predictions(house, [{"model": "leaves", "customer_id": "c", "version": "v", "value": 0.5, "id": "1"}], NOW)
    made = tell_truths(house, [{"prediction": "1", "truth": 1}, {"prediction": "1", "model": "leaves", "truth": True}], NOW)
    assert (made.kept, made.refused) == (1, 1)
    assert "say which model" in made.examples[0]
    assert list(known(house, leaves).values()) == [1.0]


def test_a_truth_without_an_answer_is_kept_where_it_names_the_question(house):
    assert tell_truths(house, [about(4, unit="never asked")], NOW).kept == 1
    id = answered(house, unit="never asked")
    found = told_of(house, demand, answers_of(house, demand), LATER)
    assert (found.truth[0], bool(found.mature[0])) == (4.0, True), id


def test_a_told_truth_wins_over_what_the_events_say_and_gives_way_when_taken_back(house):
    row = {"line_id": "l1", "ordered_at": day(3) + timedelta(hours=1), "product_id": "p1", "customer_id": "c", "quantity": 7, "price": 1}
    receive_rows(house, "orders", [row], now=day(2))
    answered(house)

    def joined(now=LATER):
        found = told_of(house, demand, answers_of(house, demand), now)
        return found.truth[0], bool(found.mature[0])

    assert joined() == (7.0, True)
    tell_truths(house, [about(4)], NOW)
    assert joined() == (4.0, True)
    assert joined(NOW) == (7.0, True)  # not known before it was told
    tell_truths(house, [about(None)], NOW)
    assert joined() == (7.0, True)
    tell_truths(house, [about(None, void=True)], NOW)
    assert not joined()[1]


def test_a_told_truth_is_mature_at_once(house):
    answered(house, n=0)
    given = answers_of(house, demand)
    assert not told_of(house, demand, given, LATER).mature[0]
    tell_truths(house, [about(4, n=0)], NOW)
    assert told_of(house, demand, given, LATER).mature[0]
    tell_truths(house, [about(None, n=0)], NOW)
    assert not told_of(house, demand, given, LATER + timedelta(seconds=1)).mature[0]


def test_where_nothing_ever_arrived_the_events_say_nothing_rather_than_zero(house):
    answered(house, n=30)
    assert not told_of(house, demand, answers_of(house, demand), NOW).mature[0]
    row = {"line_id": "l1", "ordered_at": day(40), "product_id": "p2", "customer_id": "c", "quantity": 7, "price": 1}
    receive_rows(house, "orders", [row], now=day(39))
    found = told_of(house, demand, answers_of(house, demand), NOW)
    assert (found.truth[0], bool(found.mature[0])) == (0.0, True)


def test_told_truths_are_counted_as_new_ones(house):
    for n in range(1, 6):
        answered(house, n=n)
        tell_truths(house, [about(4, n=n)], NOW)
    assert seen(house, demand, house.traffic(demand), now=LATER).truths_since_training == 5


@pytest.mark.parametrize(
    ("model", "unit", "truth", "kept"),
    [
        (demand, {"product_id": "p"}, 4, 4.0),
        (demand, {"unit": "p"}, -0.0, 0.0),
        (leaves, {"customer_id": "c"}, True, 1.0),
        (leaves, {"customer_id": 5}, 0, 0.0),
        (likes, {"customer_id": "c"}, ["a", "b", "a"], ["a", "b"]),
        (likes, {"customer_id": "c"}, [], "void"),
        (spread, {"product_id": "p", "customer_id": "c"}, 2, 2.0),
        (spread, {"unit": ["p", "c"]}, 2, 2.0),
        (spread, {"unit": "p\x1fc"}, 2, 2.0),
        (topics, {"ticket_id": "t"}, "billing", "billing"),
    ],
)
def test_each_kind_of_model_has_its_kind_of_truth(house, model, unit, truth, kept):
    made = tell_truths(house, [{"model": model.name, **unit, "moment": day(3).isoformat(), "truth": truth}], NOW)
    assert made.kept == 1, made.examples
    assert list(known(house, model).values()) == [kept]


BAD = [
    (3, "no object"),
    (None, "no object"),
    ({}, "neither a prediction nor a model"),
    ({"model": "demnd", "unit": "p", "truth": 1}, "unknown model"),
    ({"model": 7, "unit": "p", "truth": 1}, "unknown model"),
    ({"prediction": "nobody", "truth": 1}, "unknown prediction"),
    ({"prediction": 5, "truth": 1}, "no text"),
    ({"prediction": "", "truth": 1}, "is empty"),
    ({"prediction": "a" * 9_999, "truth": 1}, "characters"),
    ({"prediction": "\ud800", "truth": 1}, "no valid text"),
    ({"prediction": "nobody", "model": "\ud800", "truth": 1}, "unknown prediction"),
    ({"model": "demand", "moment": "2026-10-30T00:00Z", "truth": 1}, "does not say product_id"),
    ({"model": "demand", "unit": "p", "truth": 1}, "does not say the moment"),
    ({"model": "demand", "unit": "p", "moment": "yesterday", "truth": 1}, "no instant"),
    ({"model": "demand", "unit": "p", "moment": "2026-10-30T00:00", "truth": 1}, "without a zone"),
    ({"model": "demand", "unit": "p", "moment": 17, "truth": 1}, "no instant"),
    ({"model": "demand", "unit": "p", "moment": "2027-10-30T00:00Z", "truth": 1}, "lies after now"),
    ({"model": "demand", "unit": ["p", "q"], "moment": "2026-10-30T00:00Z", "truth": 1}, "2 of 1 parts"),
    ({"model": "demand", "unit": {"a": 1}, "moment": "2026-10-30T00:00Z", "truth": 1}, "names no unit"),
    ({"model": "demand", "unit": "a\x1fb", "moment": "2026-10-30T00:00Z", "truth": 1}, "U+001F"),
    ({"model": "demand", "unit": "\ud800", "moment": "2026-10-30T00:00Z", "truth": 1}, "no valid text"),
    ({"model": "demand", "unit": "x" * (LONGEST + 1), "moment": "2026-10-30T00:00Z", "truth": 1}, "characters"),
    ({"model": "demand", "unit": 10**5000, "moment": "2026-10-30T00:00Z", "truth": 1}, "too large"),
    ({"model": "spread", "unit": "p", "moment": "2026-10-30T00:00Z", "truth": 1}, "1 of 2 parts"),
    ({"model": "spread", "product_id": "p", "moment": "2026-10-30T00:00Z", "truth": 1}, "does not say customer_id"),
    (about(1, known_at="2026-11-02T12:00:01Z"), "known_at lies after now"),
    (about(1, known_at="soon"), "no instant"),
    (about(1, void="yes"), "neither true nor false"),
    (about(1, void=True), "say one of them"),
    ({"model": "demand", "unit": "p", "moment": "2026-10-30T00:00Z"}, "says no truth"),
    (about("4"), "is a number"),
    (about(True), "is a number"),
    (about([4]), "is a number"),
    (about(math.nan), "finite"),
    (about(math.inf), "finite"),
    (about(10**400), "too large"),
    ({"model": "leaves", "unit": "c", "moment": "2026-10-30T00:00Z", "truth": 0.5}, "true or false"),
    ({"model": "leaves", "unit": "c", "moment": "2026-10-30T00:00Z", "truth": 10**5000}, "true or false"),
    ({"model": "likes", "unit": "c", "moment": "2026-10-30T00:00Z", "truth": "a"}, "list of items"),
    ({"model": "likes", "unit": "c", "moment": "2026-10-30T00:00Z", "truth": ["a", 1]}, "list of items"),
    ({"model": "likes", "unit": "c", "moment": "2026-10-30T00:00Z", "truth": ["a"] * 10_001}, "are the most"),
    ({"model": "topics", "unit": "t", "moment": "2026-10-30T00:00Z", "truth": ""}, "is empty"),
    ({"model": "topics", "unit": "t", "moment": "2026-10-30T00:00Z", "truth": 3}, "is a label"),
]


@pytest.mark.parametrize(("row", "why"), BAD)
def test_a_bad_row_is_refused_with_the_reason_and_the_others_are_kept(house, row, why):
    made = tell_truths(house, [about(4), row, about(5, unit="p2")], NOW)
    assert (made.kept, made.refused) == (2, 1)
    assert made.examples[0].startswith("row 2: ")
    assert why in made.examples[0]
    assert len(known(house)) == 2


def test_who_names_an_answer_and_another_question_is_refused(house):
    id = answered(house)
    for wrong in ({"model": "leaves"}, {"unit": "p2"}, {"product_id": "p2"}, {"moment": day(1).isoformat()}):
        made = tell_truths(house, [{"prediction": id, "truth": 1} | wrong], NOW)
        assert (made.kept, made.refused) == (0, 1), wrong
    assert tell_truths(house, [{"prediction": id, "truth": 1, "model": "demand", "product_id": "p1", "moment": day(3)}], NOW).kept == 1


@pytest.mark.parametrize("told", ["text", 7, None, b"bytes"])
def test_what_is_no_list_is_refused_whole(house, told):
    with pytest.raises(EverloopError, match="list of objects"):
        tell_truths(house, told, NOW)


def test_hostile_text_is_only_text(house):
    unit = "'; DROP TABLE hot; --\n\x00☃"
    assert tell_truths(house, [about(4, unit=unit)], NOW).kept == 1
    assert [key[0] for key in known(house)] == [unit]


def test_nothing_told_is_nothing_kept(house):
    made = tell_truths(house, [], NOW)
    assert (made.source, made.kept, made.duplicates, made.refused) == ("truths", 0, 0, 0)
    assert known(house) == {}


def test_a_clock_that_was_set_back_loses_nothing_and_keeps_the_order(house):
    tell_truths(house, [about(4)], NOW)
    tell_truths(house, [about(5)], NOW - timedelta(hours=6))
    assert list(known(house).values()) == [5.0]


def test_no_source_of_a_project_file_can_have_the_name_of_the_houses_own(house):
    assert TRUTHS.name == "everloop.truths"
    with pytest.raises(ProjectError, match="no name"):
        Source(TRUTHS.name, id="said", columns={})
    receive(house.lake, own_source(Source("orders", id="x", columns={})), [{"x": "1"}], now=NOW)
    assert house.lake.log.counters("orders").last_seq == 0
    assert TRUTHS.name not in house.project.sources
    tell_truths(house, [about(4)], NOW)
    assert "truths" not in "".join(map(str, status(house)))


def test_what_was_told_is_sealed_once_and_reads_the_same(house):
    tell_truths(house, [about(n, n=n) for n in range(1, 50)], NOW)
    before = known(house)
    seal_told(house)
    seal_told(house)
    house.reads.clear()
    assert known(house) == before
    assert house.lake.tables.rows("events/everloop.truths") == 49


def _told(folder, first):
    house = house_at(folder)
    for n in range(first, first + 40):
        tell_truths(house, [about(n, unit=f"u{n % 50}", known_at=(day(2) + timedelta(seconds=n)).isoformat())], NOW)


def test_two_processes_tell_at_once_and_nothing_is_lost(tmp_path):
    house = house_at(tmp_path)
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_told, args=(tmp_path, first)) for first in (0, 20)]
    for other in others:
        other.start()
    for other in others:
        other.join(120)
    assert [other.exitcode for other in others] == [0, 0]
    assert {unit: truth for (unit, _), truth in known(house).items()} == {f"u{n % 50}": float(n) for n in range(60)}


def test_who_learns_from_told_truths_learns_from_the_questions_they_are_about(house):
    rows = [
        {"line_id": f"l{n}", "ordered_at": day(n) + timedelta(hours=1), "product_id": "p1", "customer_id": "c", "quantity": n, "price": 1}
        for n in range(1, 30)
    ]
    receive_rows(house, "orders", rows, now=day(0), known_after=timedelta(0))
    before = training_table(house, demand, NOW)
    truth = {row["moment"]: row["truth"] for row in before.to_pylist()}
    noon = (day(5) + timedelta(hours=12)).isoformat()
    tell_truths(house, [about(99, n=5), about(None, n=6, void=True), about(None, n=7), about(50) | {"moment": noon}], NOW)
    tell_truths(house, [about(1, unit="never heard of") | {"moment": noon}], NOW)
    after = training_table(house, demand, LATER)
    told = {(row["moment"], row["unit"]): row["truth"] for row in after.to_pylist()}
    assert len(after) == len(before) - 1 + 2
    micros = [int(day(n).timestamp()) * 1_000_000 for n in (5, 6, 7)]
    assert told[micros[0], "p1"] == 99
    assert (micros[1], "p1") not in told
    assert told[micros[2], "p1"] == truth[micros[2]]
    assert told[micros[0] + 43_200_000_000, "p1"] == 50
    assert after["moment"].to_pylist() == sorted(after["moment"].to_pylist())


def test_in_a_question_about_a_row_the_unit_alone_says_which():
    found = Truths(pa.array([None, "a"], pa.string()), np.array([False, True]), np.array([False, False]))
    told = pa.table({"moment": [7], "unit": ["t1"], "truth": ["b"], "void": [False]})
    assert with_told(found, np.array([1, 2]), ["t1", "t2"], told, by_unit=True).truth.to_pylist() == ["b", "a"]
    assert with_told(found, np.array([1, 2]), ["t1", "t2"], told).truth.to_pylist() == [None, "a"]


def test_what_dies_before_it_is_kept_was_not_told_and_can_be_told_again(house):
    def dies(moment):
        if moment == "arrived, not committed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell_truths(with_pause(house, dies), [about(4)], NOW)
    assert known(house) == {}
    assert tell_truths(house, [about(4)], NOW).kept == 1


def test_many_are_told_at_once_by_id_and_asked_for_once(house):
    rows = [{"model": "demand", "unit": f"u{n}", "moment": day(3), "version": "v1", "value": 1.0, "id": str(n)} for n in range(3_000)]
    assert tell_predictions(house, rows, NOW).kept == 3_000
    made = tell_truths(house, [{"prediction": str(n), "truth": n} for n in range(3_100)], NOW)
    assert (made.kept, made.refused, len(made.examples)) == (3_000, 100, 5)
    found = told_of(house, demand, answers_of(house, demand), LATER)
    assert found.mature.all()
    assert sum(found.truth) == sum(range(3_000))
