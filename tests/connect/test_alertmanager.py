"""Alertmanager as an address: what it is told, and what people are told of it. The real one is asked in tests/oracles."""

from datetime import UTC, datetime, timedelta

import pytest

from everloop.connect.alertmanager import Alertmanager, alert_of
from everloop.connect.message import Message, masked
from everloop.errors import SettingsError
from everloop.loop.news.lines import mistake, opened

NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)
FACTS = {
    "model": "demand", "incident": "41c9", "cause": "data", "urgency": "critical", "state": "firing",
    "fired_at": "2026-11-02T12:00:00+00:00",
}  # fmt: skip
FIRING = Message(key="k", severity="critical", title="demand: critical", body="demand: price is empty\nNext: x", facts=FACTS)


def test_the_labels_of_an_incident_are_the_same_at_its_beginning_and_its_end():
    over = Message(
        key="k2", severity="info", title="t", body="over", facts={**FACTS, "state": "resolved", "resolved_at": "2026-11-03T12:00:00+00:00"}
    )
    assert alert_of(FIRING, NOW)["labels"] == alert_of(over, NOW)["labels"]
    assert (alert_of(FIRING, NOW)["endsAt"], alert_of(over, NOW)["endsAt"]) == ("2026-11-06T12:00:00+00:00", "2026-11-03T12:00:00+00:00")
    early = alert_of(FIRING, NOW - timedelta(days=30))
    assert early["endsAt"] > early["startsAt"], "a house whose clock is turned may be ahead of the wall"
    assert "endsAt" not in alert_of(Message(key="k", severity="info", title="t", body="b"), NOW), "it lets news go by itself"


def test_it_is_told_by_post_on_its_own_path(web):
    assert opened(web.url("am", scheme="alertmanager")).send(FIRING) is None
    (told,) = web.told
    assert (told.path, told.headers["content-type"], told.headers["idempotency-key"]) == ("/am/api/v2/alerts", "application/json", "k")
    (alert,) = told.json
    assert {**alert, "endsAt": ""} == {**alert_of(FIRING, NOW), "endsAt": ""}
    line = Alertmanager(f"alertmanager://ada:hu%40sh@127.0.0.1:{web.port}")
    assert line.send(FIRING) is None
    assert web.told[-1].headers["authorization"] == "Basic YWRhOmh1QHNo"


@pytest.mark.parametrize("does", [500, 302, "close"])
def test_what_did_not_take_it_is_told_without_secrets(web, does):
    web.does["api/v2/alerts"] = does
    said = Alertmanager(f"alertmanager://ada:hushhush@127.0.0.1:{web.port}").send(FIRING)
    assert said
    assert "hushhush" not in said


@pytest.mark.parametrize("url", ["alertmanager://", "alertmanager://host:port", "alertmanagers:///path", "alertmanager://[::1"])
def test_what_is_no_address_is_told_with_the_cure(url):
    assert "say alertmanager://host:9093" in (mistake(url) or "")
    with pytest.raises(SettingsError):
        opened(url)
    assert mistake("alertmanager://127.0.0.1:9093") is None


def test_its_host_may_be_said_aloud_and_its_password_not():
    assert masked("alertmanager://ada:hush@am.shop.example:9093/x") == "alertmanager://am.shop.example:9093/…"
