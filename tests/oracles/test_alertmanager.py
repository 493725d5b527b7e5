"""An incident in the real Alertmanager, from its beginning to its end."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.loop.houses import demand, house_at
from tests.oracles.prometheus_tools import alertmanager, asked

from everloop.clock import wall
from everloop.connect.alertmanager import Alertmanager
from everloop.connect.message import Message
from everloop.loop.adopt import adopt
from everloop.loop.keep import keep_record
from everloop.loop.news.again import tell_again
from everloop.records import Signal, Signals
from everloop.settings import Address


def message(incident="41c9a0d2", state="firing", over=None, hours=2):
    began = (wall() - timedelta(hours=hours)).isoformat()
    facts = {
        "model": "demand",
        "incident": incident,
        "cause": "change",
        "urgency": "warning",
        "state": state,
        "fired_at": began,
        "head": "4:9f",
    }
    if over is not None:
        facts["resolved_at"] = over.isoformat()
    return Message(
        key=f"{incident}/{state}", severity="warning", title="demand: warning", body="demand: price drifted\nNext: x", facts=facts
    )


@pytest.mark.slow
def test_an_incident_fires_once_until_it_is_over(tmp_path):
    with alertmanager(tmp_path) as url:
        line = Alertmanager(url.replace("http", "alertmanager"))
        firing = message()
        assert [line.send(firing) for _ in range(3)] == [None] * 3, "told again is told once"
        assert line.send(message("other")) is None
        (one, _) = sorted(asked(f"{url}/api/v2/alerts"), key=lambda a: a["labels"]["incident"])
        assert one["labels"] == {
            "alertname": "EverloopIncident", "model": "demand", "cause": "change", "severity": "warning", "incident": "41c9a0d2",
        }  # fmt: skip
        assert one["annotations"]["summary"] == "demand: price drifted"
        assert one["annotations"]["journal"] == "4:9f"
        assert one["status"]["state"] == "active"
        over = replace(firing, facts={**firing.facts, "resolved_at": (wall() - timedelta(seconds=1)).isoformat(), "state": "resolved"})
        assert line.send(over) is None
        assert [a["labels"]["incident"] for a in asked(f"{url}/api/v2/alerts")] == ["other"]


@pytest.mark.slow
def test_what_the_real_one_refuses_is_told(tmp_path):
    with alertmanager(tmp_path) as url:
        line = Alertmanager(url.replace("http", "alertmanager"))
        early = message(over=wall() - timedelta(days=9))
        assert "400" in line.send(early), "an end before its beginning"
        assert line.send(Message(key="k", severity="info", title="t", body="hello\nNext: x")) is None
        assert [a["labels"]["alertname"] for a in asked(f"{url}/api/v2/alerts")] == ["EverloopNews"]


@pytest.mark.slow
def test_a_real_one_that_was_restarted_hears_again_what_is_so(tmp_path):
    house = with_people(house_at(tmp_path, (demand,)), "")
    adopt(house, demand, wall() - timedelta(days=9))
    slip = Signal(clause=repr(demand.tell_when[0]), kind="slip", fired=True, outcome="passed", sentence="MAE 9 against 5")
    for days in (5, 4, 3, 2):
        at = wall() - timedelta(days=days)
        look = Signals(id=f"look-{days}", made_at=at, model="demand", until=at, signals=(replace(slip, fired=days == 5),))
        with house.store.transaction() as t:
            keep_record(house, t, look, model=demand, turn=f"turn-{days}", verb="watch")
        if days == 5:
            for _ in range(2):  # two lives of it, each without a memory of the one before
                shutil.rmtree(tmp_path / "am", ignore_errors=True)
                (tmp_path / "am").mkdir()
                with alertmanager(tmp_path / "am") as url:
                    told = with_people(house, url.replace("http", "alertmanager"))
                    assert asked(f"{url}/api/v2/alerts") == []
                    assert tell_again(told, wall()) == 1
                    assert [a["labels"]["cause"] for a in asked(f"{url}/api/v2/alerts")] == ["change"]
    assert house.incidents.all()[0].state == "resolved"
    with alertmanager(tmp_path) as url:
        told = with_people(house, url.replace("http", "alertmanager"))
        soon = house.incidents.all()[0].resolved_at + timedelta(minutes=5)
        assert tell_again(told, soon) == 1
        assert asked(f"{url}/api/v2/alerts") == []


def with_people(house, url):
    return replace(house, settings=replace(house.settings, people={"everybody": (Address(url),)}))
