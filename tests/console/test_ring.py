"""The ring, a model, a contest and a roll-out as records: what the pages are made of, from houses as they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.console.conftest import END
from tests.ring.shops import Shop, usual

from everloop.console import over_time, rollout
from everloop.console.contests import contest_view, contests_of
from everloop.console.hands import share_of
from everloop.console.model import model_view
from everloop.console.ring import Data, data_of, drift_of, parts_of, ring_of
from everloop.console.rollout import rollout_view, steps_said
from everloop.console.said import called
from everloop.errors import EverloopError, Unknown
from everloop.loop.hand import hold
from everloop.loop.house import open_house
from everloop.loop.people import undo
from everloop.loop.project_file import project_of
from everloop.loop.realised import newest_realised
from everloop.loop.remembered import champion_since
from everloop.loop.turn import turn
from everloop.records import Finding, Incident, Report, Signal, Signals, Symptom
from everloop.registry.turns import Turn
from everloop.settings import read_settings

HOUR = timedelta(hours=1)
NOW = END + 3 * HOUR


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A house whose candidate has been in canary for some days."""
    made = Shop(tmp_path_factory.mktemp("shop"), usual)
    for _ in range(3):
        made.day()
    return made


def prices(house):
    return house.project.model("prices")


def test_the_line_of_a_model_says_who_answers_whom_what_is_under_way_and_what_comes_next(house):
    ring = ring_of(house, NOW)
    (line,) = ring.lines
    assert (line.model, line.champion, line.baseline, line.age) == ("prices", "prices@0", True, "3 hours")
    assert [(part.version, part.percent, part.who) for part in line.parts] == [
        ("prices@0", "50 %", "champion"), ("prices@1", "50 %", "candidate"),
    ]  # fmt: skip
    assert (line.state.word, line.state.tone) == ("in canary", "busy")
    assert line.state.until == END + HOUR + timedelta(days=7)
    assert NOW < line.next_at <= NOW + HOUR
    assert ring.counts == ("1 is being rolled out",)


def test_a_champion_is_as_old_as_it_is_however_many_roll_outs_were_taken_back_meanwhile(house):
    traffic = house.traffic(prices(house))
    with house.store.transaction() as t:
        for day in range(1, 231):
            at = NOW + timedelta(days=day)
            house.journal.append(t, replace(traffic, id=f"traffic {day}", made_at=at, since=at, generation=traffic.generation + day))
    assert champion_since(house, house.journal.get("traffic 230")) == END


def test_a_model_that_has_not_begun_says_the_next_command(tmp_path):
    settings = read_settings(tmp_path, house=tmp_path / "house")
    fresh = open_house(project_of(usual), settings=settings)
    (line,) = ring_of(fresh, NOW).lines
    assert (line.champion, line.wrong, line.state.word) == (None, None, "not begun")
    assert "everloop turn offers" in line.state.sentence
    view = model_view(fresh, fresh.project.model("offers"), NOW)
    assert (view.error, view.known.features) == (None, ())
    assert rollout_view(fresh, fresh.project.model("offers"), NOW) is None


def test_of_many_models_those_that_need_somebody_come_first_and_a_page_reads_only_its_own(tmp_path):
    many = [usual.but(f"m{n:03}") for n in range(60)]
    house = open_house(project_of(*many), settings=read_settings(tmp_path, house=tmp_path / "house"))
    hold(house, house.project.model("m047"), by="Kim", reason="odd", now=NOW)
    first, last = ring_of(house, NOW), ring_of(house, NOW, page=99)
    assert (first.lines[0].model, first.lines[1].model, len(first.lines)) == ("m047", "m000", 25)
    assert (first.pages, last.page, last.lines[-1].model) == (3, 3, "m059")
    assert first.counts == ("1 is held", "59 have not begun")
    assert [line.model for line in ring_of(house, NOW, find="M04").lines][:2] == ["m047", "m040"]


def test_the_error_on_mature_truth_stands_on_the_line_with_its_interval_and_on_the_page_of_the_model(shop):
    known = newest_realised(shop.house, "offers")
    assert known.low < known.value < known.high
    assert known.version == shop.traffic.champion
    (line,) = ring_of(shop.house, shop.now).lines
    assert line.wrong.figure.startswith("WAPE ")
    assert "…" in line.wrong.figure
    assert "answers, the truth of" in line.wrong.rests_on
    view = model_view(shop.house, shop.model, shop.now)
    assert "on mature truth" in view.error.svg
    assert not view.error.empty
    assert "deploy" in {one.what for one in view.happened}
    assert view.happened[0].at >= view.happened[-1].at


def test_an_error_is_kept_again_only_when_more_truth_has_come(shop):
    before = shop.house.facts.read("offers", "error")
    turn(shop.house, shop.model, shop.now + timedelta(minutes=5))
    assert shop.house.facts.read("offers", "error") == before
    assert len(before) >= 3


def test_a_question_a_hold_and_a_turn_under_way_are_what_the_state_says_first(house):
    hold(house, prices(house), by="Kim", reason="it doubles", now=NOW)
    (line,) = ring_of(house, NOW).lines
    assert (line.state.word, line.state.tone) == ("held", "asks")
    assert "Kim: it doubles" in line.state.sentence
    assert "held" in line.next_why


def test_a_drift_that_fired_is_a_drift_and_one_that_cannot_be_judged_is_none(shop):
    look = next(e.record for e in shop.house.journal.read(kind="Signals", newest_first=True))
    assert isinstance(look, Signals)
    assert drift_of(look)[0] == "not watched"
    found = ((False, "failed", "inputs keep to the habit"), (True, "passed", "price drifted"), (False, "not enough evidence", "too few"))
    drifts = [Signal(clause="d", kind="drift", fired=fired, outcome=outcome, sentence=says) for fired, outcome, says in found]
    assert drift_of(replace(look, signals=tuple(drifts))) == ("drifted", "price drifted")
    assert drift_of(replace(look, signals=(drifts[0], drifts[2]))) == ("as usual", "inputs keep to the habit")
    assert drift_of(replace(look, signals=(drifts[2],))) == ("not told yet", "too few")
    moved = [replace(drifts[1], sentence=f"{name} drifted", value=psi) for name, psi in (("price", 0.3), ("area", 0.9), ("age", 0.4))]
    assert drift_of(replace(look, signals=tuple(moved))) == ("drifted", "area drifted; and 2 more")


def test_the_data_of_a_model_is_as_bad_as_the_worst_that_is_known_of_it(house):
    model, quiet = prices(house), Signal(clause="d", kind="drift", fired=False, outcome="failed", sentence="inputs keep to the habit")
    look = Signals(id="look", made_at=NOW, model="prices", until=NOW, signals=(quiet,))
    assert data_of(house, model, look, (), NOW) == Data("as usual", "inputs keep to the habit")
    told = "Of houses half have no area."
    unfit = Finding(source="houses", clause="always", outcome="failed", rows=4, broken=2, met=0.5, share=1.0, sentence=told)
    with house.store.transaction() as t:
        house.journal.append(t, Report(id="unfit", made_at=NOW, model="prices", findings=(unfit,)))
    assert data_of(house, model, look, (), NOW) == Data("not fit", "Of houses half have no area")
    shown = Symptom(clause="data", kind="data", about="houses", sentence="no row of houses came")
    late = replace(shown, clause="arrives=every(days(1))", kind="volume", sentence="houses were due and have not come")
    open_one = Incident(
        id="i-1", made_at=NOW, model="prices", incident="abcd", change=1, cause="data", state="firing", severity="critical",
        symptoms=(late, shown), opened_at=NOW, fired_at=NOW,
    )  # fmt: skip
    found = data_of(house, model, look, (open_one,), NOW)
    assert (found, found.tone) == (Data("broken", "no row of houses came"), "bad")
    over = replace(open_one, symptoms=(late,))
    assert data_of(house, model, look, (over,), NOW).word == "not fit", "whether rows are overdue is asked of the deliveries"


def test_a_turn_under_way_says_when_it_began_and_no_step_that_ends(house):
    model, began = prices(house), NOW + timedelta(minutes=1)
    with house.store.transaction() as t:
        house.turns.open(t, Turn(id="turn-9", model="prices", now=NOW, cause="schedule", started_at=began))
    state = rollout_view(house, model, NOW).state
    assert (state.until, state.since, state.tone) == (None, began, "busy")


def test_the_roll_out_shows_where_it_is_what_comes_and_what_undo_does(house):
    view = rollout_view(house, prices(house), NOW)
    assert [(step.says, step.state) for step in view.steps] == [
        ("50 % of the units", "now"), ("bake: it answers everybody, and the version before goes on in shadow", "to come"),
    ]  # fmt: skip
    assert view.steps[0].ends == END + HOUR + timedelta(days=7) <= view.steps[1].ends
    assert view.undoes == "prices@1 answers nobody any more; prices@0 answers everybody."
    assert (view.can_share, view.can_go_on) == (True, True)
    undo(house, prices(house), by="Kim", reason="no", now=NOW)
    after = rollout_view(house, prices(house), NOW)
    assert [step.state for step in after.steps] == ["ended here", "not reached"]
    assert (after.rolling, after.undoes, after.can_go_on) == (False, "", False)


def test_evidence_is_drawn_look_by_look_with_the_level_from_which_it_is_taken_back(shop):
    view = rollout_view(shop.house, shop.model, shop.now)
    (trial,) = view.trials
    assert [trial.candidate] == [shop.house.version(version).name for version in shop.traffic.candidates]
    assert "20 : 1" in trial.svg
    assert "harm, all together" in trial.svg
    assert {guard.role for guard in trial.guards} <= {"would take it back", "has to be proven", "is only told"}
    assert "units were compared" in trial.units


def test_the_looks_at_a_roll_out_that_are_drawn_are_spread_over_all_of_it(shop, monkeypatch):
    all_of_them = rollout._looks(shop.house, shop.model, shop.traffic, shop.now)
    monkeypatch.setattr(over_time, "MOST_LOOKS", 2)
    some = rollout._looks(shop.house, shop.model, shop.traffic, shop.now)
    assert len(some) == 2 < len(all_of_them)
    assert some[-1] == all_of_them[-1]


def test_how_often_one_without_fault_is_taken_back_is_what_was_asked_of_its_trial(shop, monkeypatch):
    (entry,) = shop.house.journal.read(kind="Signals", model=shop.model.name, newest_first=True, limit=1)
    strict = replace(entry.record, trial=replace(entry.record.trial, rolls_back=50.0))
    monkeypatch.setattr(rollout, "_looks", lambda *_: (strict,))
    (trial,) = rollout.rollout_view(shop.house, shop.model, shop.now).trials
    assert trial.one_in == "50"


def test_a_plan_that_was_shortened_meanwhile_still_has_a_step_it_is_in(house):
    traffic = replace(house.traffic(prices(house)), step=5)
    assert [step.state for step in steps_said(prices(house), traffic)] == ["now", "to come"]


def test_a_contest_says_its_verdict_in_sentences_with_intervals_and_what_more_it_would_take(house):
    model = prices(house)
    (listed,) = contests_of(house, model, called(house, "prices"))
    view = contest_view(house, model, listed.id)
    assert (view.candidate, view.champion, view.outcome) == ("prices@1", "prices@0", "passed")
    assert view.verdict == "The candidate may take the champion’s place."
    assert view.questions.startswith("Both answered the same ")
    first = view.weighed[0]
    assert first.asks == "it is proven at least 5 % better than the champion on MAE"
    assert first.better_by.startswith("+")
    assert "(+" in first.better_by
    assert view.overridable == "The gate let this candidate pass already; there is nothing to override."
    with pytest.raises(Unknown, match="contest"):
        contest_view(house, model, "0" * 16)


def test_a_contest_is_cut_by_the_groups_its_candidate_knows_and_each_has_an_interval(house):
    model = prices(house)
    (listed,) = contests_of(house, model, called(house, "prices"))
    view = contest_view(house, model, listed.id)
    assert view.slices, "what an advert says is a text with few values"
    assert {one.name for one in view.slices} <= {"zip", "advert"}
    assert all(one.low <= one.effect <= one.high for one in view.slices if one.low is not None)
    assert "group by group" in view.slices_svg


def test_shares_of_the_units_are_those_of_everybody_a_control_included(shop):
    with_control = replace(shop.traffic, stage="canary", candidate="b", champion="a", share=0.5, control=0.1, baseline="z")
    assert [(part.version, part.percent) for part in parts_of(with_control, str)] == [("a", "45 %"), ("b", "45 %"), ("z", "10 %")]
    assert sum(part.share for part in parts_of(with_control, str)) == pytest.approx(1)


@pytest.mark.parametrize("text", ["lots", "1e", "%%"])
def test_what_is_no_share_is_said_to_be_none(text):
    with pytest.raises(EverloopError, match="is no share"):
        share_of(text)
