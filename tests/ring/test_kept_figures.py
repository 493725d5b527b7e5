"""What pages read and do not work out: kept when a model is watched or judged, as it was worked out, and with nobody's secret."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from everloop import Source, days, every, fair_across
from everloop.clock import EPOCH
from everloop.loop.answers import answers_of
from everloop.loop.profiles import profiles_kept, profiles_of
from everloop.loop.realised import Realised, by_group, groups_of, keep_realised, newest_realised, realised_since
from everloop.loop.sliced import hidden, slices, slices_of
from everloop.loop.turn import turn
from everloop.monitor.seen import Answered
from everloop.records import Shape
from everloop.serving.answered import private_columns
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers, Paired
from everloop.training.rehearse import read_paired
from tests.ring.conftest import END

DAY = days(1)


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(11)


def answered(rng, off, rows=400):
    """Answers of which those in the south are off by four times as much as those in the north."""
    where = np.array(["north", "south"] * (rows // 2), dtype=object)
    truth = rng.gamma(2.0, 20.0, rows)
    value = truth + np.where(where == "south", 4 * off, off) * rng.choice([-1.0, 1.0], rows) * rng.uniform(0.9, 1.1, rows)
    units = np.array([f"u{n}" for n in range(rows)], dtype=object)
    moments = np.repeat(np.arange(4), rows // 4) * 86_400_000_000
    return Answered(
        version="v", units=units, moments=moments, truth=truth, answers=Answers(Shape(kind="number"), value), groups={"region": where}
    )


def test_each_group_has_its_own_error_with_an_interval_that_holds_it(rng):
    north, south = by_group(measure("mae"), answered(rng, 2.0), DAY)
    assert (north.name, north.of, south.of) == ("region", "north", "south")
    assert north.value == pytest.approx(2.0, rel=0.05)
    assert south.value == pytest.approx(8.0, rel=0.05)
    assert north.low <= north.value <= north.high < south.low


def test_a_group_of_a_few_questions_is_not_told(rng):
    few = answered(rng, 2.0).take(np.arange(90))
    assert not list(by_group(measure("mae"), few, DAY))


def test_a_candidate_that_is_better_in_one_group_and_worse_in_another_is_shown_as_both(rng):
    table = answered(rng, 2.0)
    candidate = Answers(table.answers.shape, table.truth + np.where(table.groups["region"] == "south", 2.0, 6.0))
    paired = Paired(table.units, table.moments, table.truth, table.answers, candidate, groups=table.groups)
    found = {one.of: one for one in slices(measure("mae"), paired, DAY)}
    assert found["south"].low > 0 > found["north"].high
    together = slices(measure("mae"), replace(paired, groups={"all": np.full(len(paired), "all", dtype=object)}), DAY)
    assert next(together).effect == pytest.approx(0.2, abs=0.05), "all together hides that"


def test_what_was_kept_of_a_contest_is_what_its_answers_come_to(rolling):
    house, model = rolling
    contest = next(e.record for e in house.journal.read(kind="Contest", model=model.name))
    kept = slices_of(house, contest)
    assert kept
    paired = read_paired(house.blobs.read(contest.body))
    assert all(one.rows <= len(paired) for one in kept)
    assert all(one.low <= one.effect <= one.high for one in kept if one.low is not None)


def test_profiles_are_read_as_they_were_counted(rolling):
    house, model = rolling
    traffic = house.traffic(model)
    turn(house, model, END + days(1))
    counted = profiles_of(house, model, traffic, answers_of(house, model, since=EPOCH))
    kept = profiles_kept(house, model, house.champion(traffic))
    assert (kept[0] is None) == (counted[0] is None)
    if counted[0] is not None:
        assert kept[0].to_plain() == counted[0].to_plain()
        answers = [w for w in kept[1] if w.to_plain() in [c.to_plain() for c in counted[1]]]
        assert len(answers) >= len(counted[1])
    assert len(kept[2]) == len(counted[2])


def test_an_error_is_kept_with_what_it_rests_on_and_not_again_without_new_truth(rolling, rng):
    house, model = rolling
    traffic, table = house.traffic(model), answered(rng, 2.0)
    for hours in (1, 2, 3):
        keep_realised(house, model, traffic, table, 0.5, END + days(hours))
    known = newest_realised(house, model.name)
    assert (known.at, known.rows, known.coverage, known.version) == (END + days(1), 400, 0.5, traffic.champion)
    assert known.low < known.value < known.high
    keep_realised(house, model, traffic, table.take(np.arange(380)), 0.5, END + days(4))
    assert [one.rows for one in realised_since(house, model.name, END, END + days(9))] == [400, 380]
    assert [group.of for group in groups_of(house, model.name, traffic.champion)] == ["north", "south"]
    assert groups_of(house, model.name, "somebody else") == ()


def test_an_error_is_kept_anew_where_as_many_answers_are_newer_ones_or_their_truth_was_set_right(rolling, rng):
    house, model = rolling
    traffic, table = house.traffic(model), answered(rng, 2.0)
    rolled = replace(table, moments=table.moments + 86_400_000_000)
    righted = replace(rolled, truth=rolled.truth + np.where(np.arange(len(rolled)) == 0, 100.0, 0.0))
    for hours, one in enumerate((table, rolled, rolled, righted), start=1):
        keep_realised(house, model, traffic, one, 0.5, END + days(hours))
    known = realised_since(house, model.name, END, END + days(9))
    assert [(one.at, one.rows) for one in known] == [(END + days(n), 400) for n in (1, 2, 4)]
    assert known[-1].value != known[0].value


def test_of_a_long_time_so_many_figures_are_read_as_a_plot_needs(rolling):
    house, model = rolling
    body = {**vars(Realised(END, "v", "mae", 1.0, 0.5, 1.5, 9, None))}
    del body["at"]
    with house.store.transaction() as t:
        for hour in range(1, 101):
            house.facts.put(t, model.name, "error", END + timedelta(hours=hour), {**body, "rows": hour})
    found = realised_since(house, model.name, END, END + days(9), most=10)
    assert [one.rows for one in found] == list(range(10, 101, 10))


def test_nothing_is_kept_where_no_truth_is_known(rolling):
    house, model = rolling
    keep_realised(house, model, house.traffic(model), None, None, END)
    assert newest_realised(house, model.name) is None


def test_groups_that_would_show_a_private_column_are_nobodys_to_see():
    from everloop import Model

    people = Source("people", id="person_id", time="seen_at", columns={"name": str, "region": str, "spent": int}, private="name")
    model = Model(
        "spending", predicts=people.total("spent", next=DAY), per="region", asked=every(DAY), learner=print, fed_as="arrow",
        knows=[people.latest("name"), people.count(last=DAY)], tell_when=fair_across(people.latest("name"), on="mae", ratio=0.8),
    )  # fmt: skip
    assert hidden(model) == private_columns(model) | {c.reading.name for c in model.tell_when} != frozenset()
    open_to_all = model.but("spending", knows=[people.count(last=DAY)], tell_when=())
    assert hidden(open_to_all) == frozenset()
