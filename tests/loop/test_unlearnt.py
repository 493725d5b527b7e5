"""What a version may have learnt from is no evidence for or against it, and what was asked once is not asked again: whatever the clock of a
house was turned to, and however late its rows come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from everloop import Model, Source, as_good_as_champion, days, shadow
from everloop.clock import microseconds
from everloop.loop.adopt import adopt
from everloop.loop.ahead import known_ahead
from everloop.loop.answers import ANSWERED, answer_due, answers_of
from everloop.loop.arrivals import receive_rows
from everloop.loop.house import open_house
from everloop.loop.lift import _lifts as lifts_of
from everloop.loop.off_policy import _met as met_in_log
from everloop.loop.project_file import project_of
from everloop.loop.turn import turn
from everloop.loop.unlearnt import seen_by, unlearnt
from everloop.loop.watching import seen
from everloop.settings import read_settings

END, DAY, HOUR = datetime(2026, 11, 1, tzinfo=UTC), timedelta(days=1), timedelta(hours=1)
calls = Source("calls", id="call_id", time="began_at", columns={"line": int, "minutes": int})


class PerLine:
    """Answers three minutes a line."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return 3.0 * np.asarray(X)[:, 0]


length = Model(
    "length",
    predicts=calls.outcome("minutes"),
    per=calls,
    knows=calls.given("line"),
    learner=PerLine(),
    promote_when=as_good_as_champion("mae", margin=0.5),
    roll_out=[shadow(days(30))],
    roll_back_when=(),
    retrain_when=(),
    autonomy="act",
)


def call(name, at):
    number = crc32(name.encode())
    line = number % 7 + 1
    return {"call_id": name, "began_at": at, "line": line, "minutes": 3 * line + number % 5}


def history(skips=range(0)):
    """Twelve calls on each of forty days, but for those so many days before the end."""
    return [call(f"h{n}-{k}", END - n * DAY + (2 * k + 1) * HOUR) for n in range(40, 0, -1) if n not in skips for k in range(12)]


def arrive(house, rows, now):
    receive_rows(house, "calls", pa.Table.from_pylist(rows), now=now, known_after=timedelta(0))


@pytest.fixture
def house(tmp_path):
    settings = replace(read_settings(tmp_path, house=tmp_path / "house"), child=False)
    house = open_house(project_of(length), settings=settings, turned=True)
    yield house
    house.store.close()


# -- score ----------------------------------------------------------------------------------------------------------------------------


def asked(house):
    return answers_of(house, length).column("unit").to_pylist()


@pytest.fixture
def turned_ahead(house):
    """A house whose very first row is known only in a year: it came while the clock was not turned."""
    receive_rows(house, "calls", pa.Table.from_pylist([call("ahead", END - HOUR)]), now=END + 365 * DAY)
    arrive(house, history(), END)
    return house


def test_a_row_that_is_known_only_later_lets_no_question_be_answered_twice(turned_ahead):
    assert answer_due(turned_ahead, length, END) == 12
    assert answer_due(turned_ahead, length, END + HOUR) == 0
    arrive(turned_ahead, [call("new", END + HOUR)], END + 2 * HOUR)
    assert answer_due(turned_ahead, length, END + 3 * HOUR) == 1
    assert answer_due(turned_ahead, length, END + 4 * HOUR) == 0
    assert sorted(asked(turned_ahead)) == sorted(["new", *(f"h1-{k}" for k in range(12))])


def test_rows_that_are_known_only_later_are_told_of(turned_ahead):
    told = "1 row of calls is known only from 2027-11-01 00:00 UTC on: the house's clock stood later when it came."
    assert known_ahead(turned_ahead, length, END) == (told,)
    assert known_ahead(turned_ahead, length, END + 365 * DAY - HOUR) == (), "an hour is no trouble"


def test_a_row_that_is_known_only_later_is_answered_when_it_is_known_and_once(house):
    receive_rows(house, "calls", pa.Table.from_pylist([call("ahead", END + HOUR)]), now=END + 2 * DAY)
    arrive(house, history(), END)
    assert [answer_due(house, length, END + n * DAY) for n in (0, 1, 3, 4)] == [12, 0, 1, 0]
    assert asked(house).count("ahead") == 1


def test_rows_that_are_late_are_answered_once_unless_they_are_too_late_or_older_than_the_model(house):
    adopt(house, length, END - 20 * DAY)
    arrive(house, history(skips=range(1, 40)), END)
    answer_due(house, length, END)
    late = [call(name, END - days) for name, days in (("fresh", 3 * DAY), ("stale", 8 * DAY), ("old", 30 * DAY))]
    arrive(house, late, END + HOUR)
    assert [answer_due(house, length, END + n * HOUR) for n in (2, 3)] == [1, 0]
    assert "fresh" in asked(house)


def test_what_is_older_than_the_model_is_filled_in_and_not_answered(house):
    answer_due(house, length, END)  # there is nothing yet
    arrive(house, history(), END + HOUR)
    assert answer_due(house, length, END + 2 * HOUR) == 12, "the day before, as if it had been there the first time"


def test_a_house_that_answered_before_this_was_noted_answers_nothing_again(turned_ahead):
    answer_due(turned_ahead, length, END)
    with turned_ahead.store.transaction() as t:
        turned_ahead.facts.put(t, "length", ANSWERED, END + HOUR, {"answers": 12, "through": 0})
    assert answer_due(turned_ahead, length, END + 2 * HOUR) == 0


# -- evidence -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def learnt(house):
    """A candidate is in shadow that has learnt from, or was judged by, calls until an hour ago; those of the second and third day
    before were lost, and come in after."""
    adopt(house, length, END - 20 * DAY)
    arrive(house, history(skips=(2, 3)), END)
    answer_due(house, length, END)
    assert turn(house, length, END).retrains
    traffic = house.traffic(length)
    assert traffic.stage == "shadow", [e.record.opinions for e in house.journal.read(kind="Verdict")]
    assert seen_by(house, traffic.versions) == microseconds(END - HOUR)
    arrive(house, [row for row in history() if row["call_id"][:3] in ("h2-", "h3-")], END + HOUR)
    arrive(house, [call(f"new{k}", END + (k + 1) * HOUR) for k in range(5)], END + 7 * HOUR)
    assert answer_due(house, length, END + 8 * HOUR) == 29
    return house


def test_questions_from_before_the_end_of_what_a_candidate_saw_do_not_count_in_its_roll_out(learnt):
    found = seen(learnt, length, learnt.traffic(length), now=END + 9 * HOUR)
    assert found.live is not None
    assert sorted(found.live.units) == [f"new{k}" for k in range(5)]


def test_what_a_champion_learnt_from_is_no_part_of_its_realised_error(learnt):
    traffic = learnt.traffic(length)
    champion = replace(traffic, champion=traffic.candidate, candidate=None, previous=traffic.champion, stage="steady")
    given = answers_of(learnt, length)
    assert {"h2-1", "new1"} <= set(given.filter(pc.equal(given.column("version"), traffic.candidate)).column("unit").to_pylist())
    found = seen(learnt, length, champion, now=END + 9 * HOUR)
    assert found.answered is not None
    assert sorted(found.answered.units) == [f"new{k}" for k in range(5)]


def test_both_arms_lose_the_same_questions_by_whoever_could_have_answered_them_then(learnt):
    given = answers_of(learnt, length)
    counts = unlearnt(learnt, "length", given)
    units = np.array(given.column("unit").to_pylist())
    arms = np.array(given.column("arm").to_pylist())
    for arm in ("champion", "shadow"):
        assert set(units[arms == arm]) > {f"new{k}" for k in range(5)} == set(units[counts & (arms == arm)])


def test_nor_do_they_count_in_what_a_model_brings_or_in_what_another_version_would(learnt):
    now, traffic = END + 9 * HOUR, learnt.traffic(length)
    given = answers_of(learnt, length)
    rows = given.filter(pc.field("arm") == "champion")
    names = np.array([*rows.column("unit").to_pylist(), None], dtype=object)[:-1]
    held = replace(traffic, control=0.5, baseline=traffic.champion)
    (lift,) = lifts_of(learnt, length, held, rows, names, now)
    assert lift.units + lift.kept == 5
    met = met_in_log(learnt, length, set(), None, now)
    assert {met.given.column("unit")[row].as_py() for row in met.first} == {f"new{k}" for k in range(5)}
    met = met_in_log(learnt, length, set(), END + 3 * HOUR, now)
    assert {met.given.column("unit")[row].as_py() for row in met.first} == {"new3", "new4"}, "the version that is asked about has learnt"
