"""Which records are news, how urgent, and that the same news has the same key."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from everloop.loop.news.alerts import alert_of, clock_set_back, not_loaded, not_remembered, taken_over
from everloop.testing.registry import decision, traffic

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MODEL = SimpleNamespace(name="demand", owner="ada", tell_when=())


@pytest.mark.parametrize(
    ("words", "severity"), [({"action": "undo"}, "critical"), ({"action": "ask", "asks": "promote"}, "warning"), ({"action": "hold"}, None)]
)
def test_a_decision_is_news_as_far_as_a_person_needs_to_know(words, severity):
    alert = alert_of(decision(1, **words), MODEL)
    assert (alert and alert.severity) == severity
    assert alert is None or (alert.key, alert.owner, alert.model) == ("decision-1", "ada", "demand")


def test_a_traffic_in_bake_is_news_and_a_steady_one_is_not():
    assert alert_of(traffic(2, stage="bake", previous="v9"), MODEL).severity == "info"
    assert alert_of(traffic(2), MODEL) is None


def test_a_version_that_cannot_be_loaded_is_one_piece_of_news_of_its_owner():
    first, second = not_loaded(MODEL, "demand@4", "no such bytes."), not_loaded(MODEL, "demand@4", "still none")
    assert first.key == second.key != not_loaded(MODEL, "demand@5", "").key
    assert (first.severity, first.owner) == ("critical", "ada")
    assert first.sentence == "demand: demand@4 cannot be loaded by a worker (no such bytes), so what answered before goes on answering."


def test_each_lost_controller_is_news():
    assert taken_over("a", "b", [], "a:1").key != taken_over("b", "c", [], "b:2").key


def test_answers_that_were_not_remembered_are_news_once_an_hour():
    same = {not_remembered(n, NOON + timedelta(minutes=n)).key for n in (1, 59)}
    assert len(same) == 1
    assert not_remembered(1, NOON + timedelta(hours=1)).key not in same
    assert "1 answer was given" in not_remembered(1, NOON).sentence


def test_a_clock_set_back_is_news_once_a_day():
    assert clock_set_back(timedelta(hours=1), NOON).key == clock_set_back(timedelta(hours=2), NOON + timedelta(hours=3)).key
    assert clock_set_back(timedelta(hours=1), NOON).key != clock_set_back(timedelta(hours=1), NOON - timedelta(days=1)).key
