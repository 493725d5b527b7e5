"""Incidents in a house: kept with the record that causes them or not at all, told once, acknowledged, snoozed, and over."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.errors import EverloopError, Overtaken, Unknown
from everloop.loop.adopt import adopt
from everloop.loop.house import fenced
from everloop.loop.incidents import acknowledge, incidents_of, snooze, snoozed_until, spoken_incident, spoken_incidents
from everloop.loop.keep import keep_record
from everloop.loop.serve.doors import HouseDoors
from everloop.records import Signal, Signals
from everloop.registry.written import as_data
from everloop.serving.app import app as serving_app
from everloop.serving.keys import Keys, new_key
from everloop.serving.metrics import Metrics
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

    with pytest.raises(Overtaken):
        look(fenced(house, lost), 0, SLIP)
    assert (house.incidents.open(), news(house), house.journal.read(kind="Signals")) == ([], [], [])


def test_two_causes_are_two_incidents_and_the_same_look_kept_again_is_nothing_more(house):
    look(house, 0, SLIP, ERRORS)
    assert {i.cause for i in house.incidents.open()} == {"change", "service"}
    head = house.journal.head()
    for incident in house.incidents.open():
        with house.store.transaction() as t:
            house.incidents.move(t, incident)
    assert house.journal.head() == head


def test_an_open_incident_is_known_however_many_were_over_since(house):
    look(house, 0, SLIP)
    (there,) = house.incidents.open()
    over = replace(there, cause="service", state="resolved", made_at=NOW + DAY, resolved_at=NOW + DAY, symptoms=())
    with house.store.transaction() as t:
        for n in range(25):
            house.incidents.move(t, replace(over, id=f"over-{n}", incident=f"over-{n}"))
    look(house, 3, SLIP)
    assert [i.incident for i in house.incidents.open()] == [there.incident]


def test_two_people_who_say_something_at_once_do_not_overwrite_each_other(house):
    look(house, 0, SLIP)
    (incident,) = house.incidents.open()
    acknowledge(house, incident.incident, by="Ada", reason="mine", now=NOW)
    from everloop.monitor.incident import said_by

    late = said_by(incident, "snooze", by="Bob", reason="sale", now=NOW, until=NOW + DAY)
    with pytest.raises(Overtaken, match="changed by somebody else"), house.store.transaction() as t:
        house.incidents.move(t, late)


def test_a_word_needs_a_name_a_reason_an_open_incident_and_a_time_that_comes(house):
    look(house, 0, SLIP)
    (incident,) = house.incidents.open()
    begin, ada = incident.incident[:6], {"by": "Ada", "reason": "x"}
    for word, said, wrong in [
        (acknowledge, {"id": begin, "by": " ", "reason": "x"}, "who and why"),
        (acknowledge, {"id": "abc", **ada}, "incident"),
        (acknowledge, {"id": "%%%%", **ada}, "incident"),
        (acknowledge, {"id": "", **ada}, "incident"),
        (snooze, {"id": begin, "until": NOW.isoformat(), **ada}, "later than now"),
        (snooze, {"id": begin, "until": "0", **ada}, "later than now"),
        (snooze, {"id": begin, "until": "soon", **ada}, "neither a span nor an instant"),
        (snooze, {"id": begin, "until": "", **ada}, "neither a span nor an instant"),
        (snooze, {"id": begin, "until": "9999999d", **ada}, "past the last instant"),
    ]:
        with pytest.raises(EverloopError, match=wrong):
            word(house, now=NOW, **said)
    with pytest.raises(EverloopError) as wrong:
        snoozed_until(NOW, "x" * 100_000)
    assert len(str(wrong.value)) < 200
    for day in (1, 2, 3, 4):
        look(house, day, FINE)
    with pytest.raises(EverloopError, match="is over"):
        acknowledge(house, begin, by="Ada", reason="x", now=NOW)
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


def test_the_same_word_twice_is_one_and_another_persons_is_another(house):
    look(house, 0, SLIP)
    id = house.incidents.open()[0].incident
    first = acknowledge(house, id, by="Ada", reason="mine", now=NOW)
    assert acknowledge(house, id, by="Ada", reason="mine", now=NOW + DAY) == first
    later = acknowledge(house, id, by="Bob", reason="on duty", now=NOW)
    assert (later.change, later.because) == (3, "Bob has seen it, as Ada had before")
    asleep = snooze(house, id, "2d", by="Bob", reason="sale", now=NOW)
    assert snooze(house, id, (NOW + 2 * DAY).isoformat(), by="Bob", reason="sale", now=NOW) == asleep
    assert acknowledge(house, id, by="Bob", reason="sale", now=NOW).change == 5


def test_a_word_is_taken_though_the_clock_was_set_back(house):
    look(house, 0, SLIP)
    id = house.incidents.open()[0].incident
    word = acknowledge(house, id, by="Ada", reason="mine", now=NOW - DAY)
    assert house.incidents.open() == [word]
    look(house, 1, SLIP, ERRORS)
    assert {i.acknowledged_by for i in house.incidents.open()} == {"Ada", None}
    house.journal.verify()


SAYS = """
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from everloop.loop.incidents import acknowledge
from tests.loop.houses import demand, house_at

house = house_at(Path(sys.argv[1]), (demand,))
id = house.incidents.open()[0].incident
print(flush=True)
for n in range(5):
    acknowledge(house, id, by="Ada", reason=f"word {n}", now=datetime.fromisoformat("2026-11-02T12:00Z"))
"""


def test_two_processes_that_acknowledge_at_once_lose_no_word(house, tmp_path):
    look(house, 0, SLIP)
    id, root = house.incidents.open()[0].incident, Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", SAYS, str(tmp_path)], cwd=root, stdout=subprocess.PIPE) as ada:
        ada.stdout.readline()
        for n in range(5):
            acknowledge(house, id, by="Bob", reason=f"word {n}", now=NOW)
        assert ada.wait(60) == 0
    kept = [e.record for e in house.journal.read(kind="Incident")]
    assert [r.change for r in kept] == list(range(1, 12))
    assert sorted((r.by, r.reason) for r in kept[1:]) == sorted((who, f"word {n}") for who in ("Ada", "Bob") for n in range(5))
    assert house.incidents.open() == [kept[-1]]
    house.journal.verify()


@pytest.fixture
def web(house, tmp_path):
    """The house over HTTP: asks, and gives the reply's status and what it says."""
    nothing = dict.fromkeys(("follow", "known", "log", "gathering"))
    doors = HouseDoors(house.project.models, house.project.sources, house=lambda: house, turned=True, **nothing)
    key, secret = new_key("pager", ["operate"])
    little, predicts = new_key("till", ["predict"])
    served = serving_app(doors, keys=lambda: Keys((key, little)), metrics=Metrics(tmp_path, "w1"))

    def ask(method, path, body=None, *, operates=True, now=NOW):
        async def once():
            transport = httpx.ASGITransport(served, client=("203.0.113.9", 50000))
            headers = {"authorization": f"Bearer {secret if operates else predicts}", "everloop-now": now.isoformat()}
            async with httpx.AsyncClient(transport=transport, base_url="http://shop.example", headers=headers) as client:
                return await client.request(method, path, json=body)

        reply = asyncio.run(once())
        return reply.status_code, reply.json()

    return ask


def test_the_web_tells_acknowledges_and_snoozes_in_the_words_of_the_terminal(house, web):
    assert web("GET", "/v1/incidents") == (200, {"incidents": []})
    look(house, 0, SLIP)
    (there,) = house.incidents.open()
    assert web("GET", "/v1/incidents?model=demand")[1]["incidents"] == [as_data(there)]
    id, word = there.incident[:6], {"by": "Ada", "reason": "it is me"}
    assert web("POST", f"/v1/incidents/{id}/acknowledge", word, operates=False)[0] == 403
    status, said = web("POST", f"/v1/incidents/{id}/acknowledge", word)
    assert (status, said["sentence"], said["incident"]["acknowledged_by"]) == (200, spoken_incident(house.incidents.open()[0]), "Ada")
    status, said = web("POST", f"/v1/incidents/{id}/snooze", word | {"until": "2d"})
    assert (status, said["incident"]["snoozed_until"]) == (200, "2026-11-04T12:00:00Z")
    kept = [e.record for e in house.journal.read(kind="Incident")]
    assert [(r.change, r.by, r.reason) for r in kept[1:]] == [(2, "Ada", "it is me"), (3, "Ada", "it is me")]
    for day in (1, 2, 3, 4):
        look(house, day, FINE)
    assert web("GET", "/v1/incidents")[1] == {"incidents": []}
    assert [i["state"] for i in web("GET", "/v1/incidents?all=true&model=demand")[1]["incidents"]] == ["resolved"]
    assert web("POST", f"/v1/incidents/{id}/acknowledge", word)[0] == 422


def test_what_cannot_be_said_of_an_incident_is_refused_over_the_web_and_nothing_is_kept(house, web):
    look(house, 0, SLIP)
    id, word = house.incidents.open()[0].incident, {"by": "Ada", "reason": "x"}
    head = house.journal.head()
    for path, body, status, about in [
        ("zzzz/acknowledge", word, 404, "There is no incident 'zzzz'"),
        ("%25%25%25%25/acknowledge", word, 404, "There is no incident '%%%%'"),
        (f"{'z' * 5000}/acknowledge", word, 404, "everloop incidents"),
        (f"{id}/acknowledge", {"by": " ", "reason": "x"}, 422, "by is empty"),
        (f"{id}/acknowledge", word | {"until": "2d"}, 422, "until"),
        (f"{id}/snooze", word, 422, "until"),
        (f"{id}/snooze", word | {"until": 5}, 422, "until"),
        (f"{id}/snooze", word | {"until": "soon"}, 422, "neither a span nor an instant"),
        (f"{id}/snooze", word | {"until": "2026-11-02"}, 422, "later than now"),
        (f"{id}/snooze", word | {"until": "99999999d"}, 422, "past the last instant"),
    ]:
        found, said = web("POST", f"/v1/incidents/{path}", body)
        assert (found, about in str(said), len(said["message"]) < 300) == (status, True, True), said
    for query in ("?modle=demand", "?model=nobody", "?all=yes", "?all=true&all=true"):
        assert web("GET", f"/v1/incidents{query}")[0] in (404, 422), query
    assert house.journal.head() == head


def test_no_incident_is_said_and_one_without_a_symptom_of_its_own_too(house):
    assert spoken_incidents([]) == "No incident."
    assert at("/v1/incidents")[0]["GET"].scope == "operate"


def test_what_was_wrong_at_an_instant_is_told_as_it_stood_then(house):
    look(house, 0, SLIP)
    for day in (1, 2, 3, 4):
        look(house, day, FINE)
    assert incidents_of(house) == []
    (then,) = incidents_of(house, at=NOW + DAY)
    assert (then.state, then.cause) == ("firing", "change")
    assert incidents_of(house, at=NOW - DAY, every=True) == []
    assert [one.state for one in incidents_of(house, every=True, at=NOW + 5 * DAY)] == ["resolved"]
