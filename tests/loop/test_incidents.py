"""Incidents in a house: kept with the record that causes them or not at all, told once, acknowledged, snoozed, and over."""

from datetime import timedelta

import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.errors import EverloopError, Overtaken, Unknown
from everloop.loop.adopt import adopt
from everloop.loop.incidents import say_of, spoken_incidents
from everloop.loop.keep import keep_record
from everloop.records import Signal, Signals
from everloop.serving.paths import at
from tests.loop.houses import NOW, demand, house_at

DAY = timedelta(days=1)
SLIPPED, FAIL = map(repr, demand.tell_when)
SLIP = Signal(clause=SLIPPED, kind="slip", fired=True, outcome="passed", sentence="MAE 9 against 5", since=NOW - 2 * DAY)
ERRORS = Signal(clause=FAIL, kind="errors", fired=True, outcome="passed", sentence="30 % of answers fail")
FINE = Signal(clause=SLIPPED, kind="slip", fired=False, outcome="failed", sentence="MAE 5")


@pytest.fixture
def house(tmp_path):
    opened = house_at(tmp_path, (demand,))
    adopt(opened, demand, NOW)
    return opened


def look(house, day, *found):
    now = NOW + day * DAY
    signals = Signals(id=f"look-{day}", made_at=now, model="demand", until=now, signals=found)
    with house.store.transaction() as t:
        keep_record(house, t, signals, model=demand, turn=f"turn-{day}", verb="watch")


def news(house):
    return [kept.alert for kept in reversed(house.outbox.all("demand"))]


def test_an_incident_is_opened_told_and_ended_in_the_transactions_of_what_causes_it(house):
    look(house, 0, SLIP)
    (incident,) = house.incidents.open()
    assert (incident.cause, incident.state, incident.since) == ("change", "firing", SLIP.since)
    assert house.journal.get(incident.id) == incident
    assert incident.made_from == ("look-0",)
    for day in (1, 2, 3, 4):
        look(house, day, FINE)
    assert house.incidents.open() == []
    assert [(a.severity, a.owner) for a in news(house)] == [("warning", "shop"), ("info", "shop")]
    assert "MAE 9 against 5" in news(house)[0].sentence
    assert "it is over, it has been calm for 3 windows" in news(house)[1].sentence.lower()
    house.journal.verify()


def test_where_the_record_cannot_be_kept_there_is_no_incident(house):
    def lost(_):
        raise Overtaken("somebody else turns this house")

    from dataclasses import replace

    with pytest.raises(Overtaken):
        look(replace(house, fence=lost), 0, SLIP)
    assert (house.incidents.open(), news(house), house.journal.read(kind="Signals")) == ([], [], [])


def test_two_causes_are_two_incidents_and_the_same_look_kept_again_is_nothing_more(house):
    look(house, 0, SLIP, ERRORS)
    assert {i.cause for i in house.incidents.open()} == {"change", "service"}
    head = house.journal.head()
    for incident in house.incidents.open():
        with house.store.transaction() as t:
            house.incidents.move(t, incident)
    assert house.journal.head() == head


def test_two_people_who_say_something_at_once_do_not_overwrite_each_other(house):
    look(house, 0, SLIP)
    (incident,) = house.incidents.open()
    say_of(house, incident.incident, "acknowledge", by="Ada", reason="mine", now=NOW)
    from everloop.monitor.incident import said_by

    late = said_by(incident, "snooze", by="Bob", reason="sale", now=NOW, until=NOW + DAY)
    with pytest.raises(Overtaken, match="changed by somebody else"), house.store.transaction() as t:
        house.incidents.move(t, late)


def test_a_word_needs_a_name_a_reason_an_open_incident_and_a_time_that_comes(house):
    look(house, 0, SLIP)
    (incident,) = house.incidents.open()
    begin = incident.incident[:6]
    for words, wrong in [
        ({"id": begin, "what": "acknowledge", "by": " ", "reason": "x"}, "who and why"),
        ({"id": begin, "what": "snooze", "by": "Ada", "reason": "x", "until": NOW}, "later than now"),
        ({"id": "abc", "what": "acknowledge", "by": "Ada", "reason": "x"}, "incident"),
        ({"id": "%%%%", "what": "acknowledge", "by": "Ada", "reason": "x"}, "incident"),
        ({"id": "", "what": "acknowledge", "by": "Ada", "reason": "x"}, "incident"),
    ]:
        with pytest.raises(EverloopError, match=wrong):
            say_of(house, now=NOW, **words)
    for day in (1, 2, 3, 4):
        look(house, day, FINE)
    with pytest.raises(EverloopError, match="is over"):
        say_of(house, begin, "acknowledge", by="Ada", reason="x", now=NOW)
    with pytest.raises(Unknown):
        house.incidents.named("0000")


def test_the_terminal_tells_acknowledges_and_snoozes(tmp_path, monkeypatch):
    project = tmp_path / "project.py"
    project.write_text("from tests.loop.houses import demand\n")
    run = CliRunner().invoke
    opened = house_at(tmp_path, (demand,))
    adopt(opened, demand, NOW)
    where = ["-p", str(project), "--house", str(tmp_path / "house")]
    assert run(app, ["incidents", *where]).output == "No incident.\n"
    look(opened, 0, SLIP)
    (incident,) = opened.incidents.open()
    told = run(app, ["incidents", "demand", *where])
    assert told.output.startswith("demand: firing since 2026-11-02 12:00 UTC (change, warning)"), told.output
    who = ["--by", "Ada", "--reason", "it is me", "--now", NOW.isoformat(), *where]
    assert run(app, ["acknowledge", incident.incident[:8], *who]).exit_code == 0
    said = run(app, ["snooze", incident.incident, "--until", "2d", *who])
    assert "acknowledged by Ada, snoozed until 2026-11-04 12:00 UTC" in said.output, said.output
    assert '"acknowledged_by": "Ada"' in run(app, ["incidents", "--all", "--json", *where]).output
    kept = [e.record for e in opened.journal.read(kind="Incident")]
    assert [(r.change, r.by, r.reason) for r in kept[1:]] == [(2, "Ada", "it is me"), (3, "Ada", "it is me")]


def test_no_incident_is_said_and_one_without_a_symptom_of_its_own_too(house):
    assert spoken_incidents([]) == "No incident."
    assert at("/v1/incidents")[0]["GET"].scope == "operate"
