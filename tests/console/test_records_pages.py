"""The pages of the records: each says what the house knows, as a person reads it; a form does what it says, by who sent it."""

import html
import re
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.console.conftest import END
from tests.loop.houses import MODELS, house_at

from everloop.clock import wall
from everloop.console import cost, data, delivery, features, incidents, journal, pane, runs, why
from everloop.console.model import model_view
from everloop.console.page import Asking, Person
from everloop.console.shown import Around, page
from everloop.errors import EverloopError, Unknown
from everloop.loop.answers import answer_one
from everloop.loop.control.again import ask_again
from everloop.loop.control.errands import ask
from everloop.loop.verified import last_verified, verify
from everloop.records import Approval, Incident, Symptom
from everloop.registry.errands import Errands
from everloop.registry.searched import Asked
from everloop.registry.turns import Turn

NOW = END + timedelta(hours=3)
PAGES = ("why", "runs", "pane", "delivery", "features", "data", "incidents", "cost", "journal")


def read(text):
    """What a person reads of a page: no tags, one blank between words."""
    body = re.sub(r"<(script|style|title|desc).*?</\1>", " ", text, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def broken(model, number, **words):
    shown = (Symptom(clause="drifted()", kind="drift", about="area", sentence="area drifted: PSI 0.4"),)
    said = {"id": f"i{number}-1", "made_at": NOW, "model": model, "incident": f"abcd{number}", "change": 1, "cause": "change"}
    said |= {"state": "firing", "severity": "warning", "symptoms": shown, "opened_at": NOW, "fired_at": NOW}
    return Incident(**{**said, **words})


def put_incident(house, incident):
    with house.store.transaction() as t:
        house.journal.append(t, incident, verb="incident", back=timedelta(days=9999))
        house.incidents.move(t, incident)
    return incident


@pytest.fixture
def asking(house):
    return lambda path=(), query=(), name="Ada": Asking(house, Person(name, "admin"), NOW, dict(path), dict(query))


def test_every_page_of_the_records_can_be_read_and_none_is_heavy(client, house):
    for name in PAGES:
        got = client.get(f"/console/{name}")
        assert got.status_code == 200, (name, read(got.text)[:400])
        assert len(got.content) < 200_000, name
        assert 'aria-current="page"' in got.text, name
    assert client.get("/console/data/houses").status_code == 200
    (run,) = house.runs.page()
    assert client.get(f"/console/runs/{run.candidate}").status_code == 200


def test_a_house_in_which_nothing_happened_says_the_next_command(tmp_path):
    house = house_at(tmp_path, MODELS)
    said = {}
    for module in (why, runs, pane, delivery, features, data, incidents, cost, journal):
        route = module.ROUTES[0]
        from everloop.console.routes import NAVIGATION, ROUTES

        shown = route.does(Asking(house, Person("Ada", "admin"), NOW, {}, {}))
        said[route.name] = read(page(shown, Around("shop", Person("Ada", "admin"), ROUTES, NAVIGATION, "x")))
    assert "Nothing was trained yet. Next: everloop turn" in said["runs"]
    assert "has not begun. Next: everloop turn demand" in said["delivery"]
    assert "never. Next: everloop ingest orders FILE" in said["data"]
    assert "Nothing has happened yet. Next: everloop turn" in said["journal"]
    assert "Nothing is wrong now" in said["incidents"]
    assert "nobody was answered" in house_pane(house)
    house.store.close()


def house_pane(house):
    return pane.pane_of(house, house.project.model("demand"), until=NOW).picture


# -- why -----------------------------------------------------------------------------------------------------------------------------


def test_an_answer_leads_down_to_snapshot_code_and_features(house, client):
    (model,) = house.project.models.values()
    row = {"house_id": "h-1", "area": "80", "rooms": "3", "zip": "10115", "advert": "bright"}
    given = answer_one(house, model, [f"{name}={row.get(name, 1)}" for name in model.request], NOW)
    found = why.behind(house, given.id)
    assert found.answer == replace(given, unusual=()), "what a version never met is said, not kept"
    assert found.chain.kind == "Version"
    version = house.version(house.traffic(model).candidate)
    deep = why.behind(house, version.name)
    snapshot = next(e.record for e in house.journal.read(kind="Snapshot"))
    assert deep.ground.snapshot == snapshot.id
    assert deep.ground.data == (("houses", snapshot.extents[0].rows, snapshot.extents[0].through_seq, snapshot.extents[0].version),)
    assert any("area" in one for one in deep.ground.features)
    said = read(client.get(f"/console/why?id={version.name}").text)
    assert "What it comes down to" in said
    assert "the chain of records" in said.lower()
    assert "rows, through number" in said


def test_what_was_live_at_an_instant_is_the_traffic_of_then(house, client):
    (model,) = house.project.models.values()
    first = house.journal.read(kind="Traffic", model=model.name)[0].record
    assert why.live_at(house, model.name, first.made_at).asked == first.id
    assert why.live_at(house, model.name, NOW).asked == house.traffic(model).id != first.id
    said = read(client.get("/console/why", params={"model": model.name, "at": f"{first.made_at:%Y-%m-%dT%H:%M}"}).text)
    assert "the baseline" in said or "answers everybody" in said
    assert client.get("/console/why", params={"model": model.name, "at": "1999-01-01"}).status_code == 404
    assert client.get("/console/why", params={"id": "nonsense"}).status_code == 404


# -- runs ----------------------------------------------------------------------------------------------------------------------------


def second_run(house):
    """Another candidate as the first one, with one feature fewer and other parameters."""
    (first,) = [e.record for e in house.journal.read(kind="Candidate") if e.record.format != "baseline"]
    other = replace(first, id="feedbeef" * 2, made_at=NOW, knows=first.knows[:-1], rows=first.rows + 10, parameters='{"max_iter": 99}')
    with house.store.transaction() as t:
        house.journal.append(t, other, verb="train")
        house.runs.learnt(t, other)
    return first, other


def test_two_runs_beside_one_another_say_what_differs_and_by_how_much(house, client):
    first, other = second_run(house)
    found = runs.beside(house, [first.id, other.id])
    measures = dict(found.parts)["Measures"]
    (rows,) = [line for line in measures if line.name == "rows"]
    assert rows.differs
    assert rows.by.startswith("+10")
    assert found.fewer == ("the house's own advert",)
    assert found.more == ()
    said = read(client.get("/console/runs/beside", params={f"run.{first.id}": "1", f"run.{other.id}": "1"}).text)
    assert "Difference of two runs" in said
    assert "max_iter" in said
    with pytest.raises(EverloopError, match="two to 6"):
        runs.beside(house, [first.id])


def test_runs_are_filtered_and_a_filter_that_is_none_is_said(house, client):
    first, _ = second_run(house)
    said = read(client.get("/console/runs", params={"q": "max_iter=99"}).text)
    assert first.id[:8] not in client.get("/console/runs", params={"q": "max_iter=99"}).text
    assert "feedbeef" in client.get("/console/runs", params={"q": "max_iter=99"}).text
    assert "No run fits" not in said
    assert "No run fits" in read(client.get("/console/runs", params={"q": "learner~nonsense"}).text)
    assert "filters nothing" in read(client.get("/console/runs", params={"q": "=3"}).text)


def test_a_filter_that_fits_nothing_says_which_word_and_what_words_there_are(house, client):
    second_run(house)

    def told(**query):
        return read(client.get("/console/runs", params=query).text)

    said = told(q="foo bar=")
    assert "'bar=' filters nothing: after = a value is missing." in said
    assert "Names there are: model , learner , verdict , version ," in said
    assert "max_iter" in said
    said = told(q="max_itre=99")
    assert "'max_itre' is the name of no parameter and no measure of the newest runs. Did you mean 'max_iter'?" in said
    assert "Names there are" in said
    assert "'foo' stands in no learner and in no model." in told(q="foo max_iter=99")
    assert "No run has verdict=pased." in told(q="verdict=pased")
    assert "No run has a number that is called 'wap' to be ordered by." in told(by="wap")
    assert "Did you mean" not in told(by="kind", q=""), "what is no number is named, not guessed at"
    said = told(q="max_iter=99")
    assert "Names there are" not in said, "who finds something is told nothing"
    assert "No run fits. Take a term away." in told(q="max_iter=98")


def test_what_failed_is_asked_again_by_who_says_so_and_stands_in_the_journal(house, client):
    errand = ask(house, "turn", "prices", NOW)
    with house.store.transaction() as t:
        Errands(house.store).finish(t, errand.id, "failed", '{"error": "StoreError", "message": "the disk was full"}', wall())
    assert "the disk was full" in read(client.get("/console/runs").text)
    assert (
        client.send_form(f"/console/runs/errands/{errand.id}/again", {"reason": "there is room now"}, page="/console/runs").status_code
        == 303
    )
    assert Errands(house.store).find(errand.id).state == "waiting"
    word = house.journal.read(kind="Decision", newest_first=True, limit=1)[0].record
    assert (word.by, word.cause) == ("Ada", "asked again")
    assert "there is room now" in word.because[0]
    with pytest.raises(EverloopError, match="only what failed"):
        ask_again(house, errand.id, by="Ada", reason="again", now=NOW)
    with pytest.raises(EverloopError, match="a name and a reason"):
        ask_again(house, errand.id, by="Ada", reason=" ", now=NOW)
    with pytest.raises(Unknown):
        ask_again(house, "none", by="Ada", reason="again", now=NOW)


def test_a_turn_under_way_is_cancelled_by_who_is_signed_in(house, client):
    opened = Turn(id="turn-9", model="prices", now=NOW, cause="schedule", started_at=wall())
    with house.store.transaction() as t:
        house.turns.open(t, opened)
    assert "prices is being turned since" in read(client.get("/console/runs").text)
    assert client.send_form("/console/runs/turns/prices/cancel", {"reason": "wrong file"}, page="/console/runs").status_code == 303
    assert house.turns.find("turn-9").state == "cancelled"
    word = house.journal.read(kind="Decision", newest_first=True, limit=1)[0].record
    assert (word.by, word.cause) == ("Ada", "cancelled")
    assert "ended the turn" in read(client.get("/console/runs").text), "what came of it is said"
    assert client.send_form("/console/runs/turns/prices/cancel", {"reason": "again"}, page="/console/runs").status_code == 409


# -- incidents -----------------------------------------------------------------------------------------------------------------------


def test_an_incident_is_acknowledged_and_snoozed_by_who_is_signed_in(house, signed_in):
    put_incident(house, broken("prices", 1))
    otto = signed_in("Otto")
    assert "area drifted: PSI 0.4" in read(otto.get("/console/incidents").text)
    assert otto.send_form("/console/incidents/abcd1/acknowledge", {"reason": "I look"}, page="/console/incidents").status_code == 303
    assert house.incidents.find("abcd1").acknowledged_by == "Otto"
    assert (
        otto.send_form("/console/incidents/abcd1/snooze", {"reason": "at lunch", "until": "2h"}, page="/console/incidents").status_code
        == 303
    )
    there = house.incidents.find("abcd1")
    assert there.snoozed_until is not None
    assert there.by == "Otto"
    assert house.journal.read(kind="Incident", newest_first=True, limit=1)[0].record.by == "Otto"
    assert otto.send_form("/console/incidents/abcd1/snooze", {"reason": "", "until": "2h"}, page="/console/incidents").status_code == 409


def test_what_is_critical_stands_first_and_what_is_snoozed_last(house):
    put_incident(house, broken("prices", 1, snoozed_until=NOW + timedelta(hours=1), severity="critical"))
    put_incident(house, broken("prices", 2))
    put_incident(house, broken("prices", 3, severity="critical"))
    assert [one.incident for one in incidents.open_now(house, NOW)] == ["abcd3", "abcd2", "abcd1"]


# -- the journal ---------------------------------------------------------------------------------------------------------------------


def test_the_journal_is_filtered_by_whose_word_it_is(house, client):
    found = journal.journal_of(house, Asked(by="Kim"))
    assert found.kept
    assert all(one.by == "Kim" for one in found.kept)
    assert any(isinstance(house.journal.get(one.id), Approval) for one in found.kept)
    said = read(client.get("/console/journal", params={"by": "Kim", "kind": "Approval"}).text)
    assert "Kim said yes: looks right" in said
    assert "No record fits" in read(client.get("/console/journal", params={"kind": "Redaction"}).text)
    assert client.get("/console/journal", params={"since": "whenever"}).status_code == 409


def test_the_chain_is_verified_while_nobody_waits_and_what_was_found_is_kept(house, client):
    assert "was not verified from here yet" in read(client.get("/console/journal").text)
    assert client.send_form("/console/journal/verify", page="/console/journal").status_code == 303
    until = time.monotonic() + 20
    while (found := last_verified(house)) is None or found.goes_on:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert found.by == "Ada"
    assert found.head == str(house.journal.head())
    assert "holds through record" in read(client.get("/console/journal").text)


def test_a_chain_that_somebody_changed_is_said_to_be_broken(house, client):
    with house.store.engine.connect() as raw:
        raw.exec_driver_sql("DROP TRIGGER IF EXISTS journal_no_update")
        for (name,) in raw.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.exec_driver_sql(f"DROP TRIGGER {name}")
        raw.exec_driver_sql("UPDATE journal SET body = replace(body, 'looks right', 'looks wrong')")
        raw.commit()
    assert "what it says is not what was sealed" in (verify(house, by="Ada", now=NOW).broken or "")
    assert "what it says is not what was sealed" in read(client.get("/console/journal").text)


# -- the others ----------------------------------------------------------------------------------------------------------------------


def test_the_pane_counts_what_was_answered_and_marks_what_happened(house):
    (model,) = house.project.models.values()
    row = {"house_id": "h-1", "area": "80", "rooms": "3", "zip": "10115", "advert": "bright"}
    for _ in range(3):
        answer_one(house, model, [f"{name}={row.get(name, 1)}" for name in model.request], NOW)
    found = pane.pane_of(house, model, until=NOW + timedelta(minutes=1), span="1d")
    given = pane.given_between(house, model, NOW - timedelta(hours=1), NOW + timedelta(hours=1), timedelta(hours=1))
    assert found.answers == sum(given.answers) >= 1
    assert given.answers[0] == 0
    assert all(at is not None for at, n in zip(given.middle, given.answers, strict=True) if n)
    assert ("deploy", "prices@1 in canary") in {(kind, what) for _, kind, what in found.happened}
    told = model_view(house, model, NOW).happened
    assert found.happened == tuple((one.at, one.what, one.words) for one in told), "two pages tell one story of a day"
    assert "Latency" in found.picture


def test_a_pane_counts_what_this_house_answered_up_to_its_end_and_says_where_that_is_more_than_a_page_counts(house, client, monkeypatch):
    (model,) = house.project.models.values()
    row = {"house_id": "h-1", "area": "80", "rooms": "3", "zip": "10115", "advert": "bright"}
    for minutes in (0, 30):
        answer_one(house, model, [f"{name}={row.get(name, 1)}" for name in model.request], NOW + timedelta(minutes=minutes))
    hour = timedelta(hours=1)
    both, first = (pane.given_between(house, model, NOW, NOW + minutes * hour / 60, hour) for minutes in (40, 20))
    assert sum(both.answers) == sum(first.answers) + 1 > 1
    monkeypatch.setitem(vars(house), "mark", "another house")
    assert sum(pane.given_between(house, model, NOW, NOW + hour, hour).answers) == sum(both.answers) - 2
    monkeypatch.undo()
    monkeypatch.setattr(pane, "MOST", 1)
    assert pane.given_between(house, model, NOW, NOW + hour, hour).too_many
    page = read(client.get("/console/pane?until=2026-11-03").text)
    assert "more than 1 answers, which no page counts (choose a shorter time)" in page


def test_a_source_tells_what_must_hold_and_what_last_failed_with_examples(house, client):
    newest = house.journal.read(kind="Report", newest_first=True, limit=1)[0].record
    worst = replace(newest.findings[0], outcome="failed", broken=3, sentence="3 rows are too small", examples=("house_id h7: area is 2",))
    report = replace(newest, id="report-2", made_at=NOW, findings=(worst, *newest.findings[1:]))
    with house.store.transaction() as t:
        house.journal.append(t, report, verb="check")
    found = data.source_of(house, "houses", NOW)
    assert found.line.state == "not fit"
    assert found.failures[0][2].examples == ("house_id h7: area is 2",)
    assert [one.written for one in found.conditions] == [repr(c) for c in house.project.sources["houses"].must]
    assert all(one.finding is not None for one in found.conditions)
    said = read(client.get("/console/data/houses").text)
    assert "house_id h7: area is 2" in said
    assert "not fit to learn from" in said


def test_features_are_read_aloud_with_the_models_that_know_them(house, client):
    (model,) = house.project.models.values()
    known = features.features_of(house)
    assert sum(len(one.columns) for one in known.features) == len(model.columns)
    assert all(one.models == ("prices",) for one in known.features)
    assert [one.columns for one in features.features_of(house, text="zip").features] == [("zip",)]
    with house.store.transaction() as t:
        house.facts.put(t, "prices", "skew", NOW, {"answers": 9, "values": 36, "unread": 0, "features": ["zip"]})
    assert "served otherwise than the log tells: zip" in read(client.get("/console/features?model=prices").text)


def test_costs_are_what_the_records_of_the_turns_took(house, client):
    (model,) = house.project.models.values()
    (spent,) = cost.spent_by(house, [model], NOW)
    took = [e.record.cost for e in house.journal.read(model=model.name) if e.record.cost is not None and e.turn]
    assert spent.cpu_seconds == pytest.approx(sum(c.cpu_seconds for c in took))
    account = cost.account_of(house, model, NOW)
    assert sum(one.cost.cpu_seconds for one in account.loops) == pytest.approx(spent.cpu_seconds)
    assert any(one.trained for one in account.loops)
    assert "Nothing has a price" in read(client.get("/console/cost").text)


def test_the_delivery_board_tells_the_same_as_the_terminal(house):
    board = delivery.board_of(house, NOW)
    from everloop.loop.delivery import delivery_of

    assert board.models == (delivery_of(house, "prices", until=NOW),)
    assert (board.page, board.pages, board.more) == (1, 1, None)


def test_a_viewer_may_look_and_change_nothing(house, signed_in):
    put_incident(house, broken("prices", 1))
    vera = signed_in("Vera")
    for name in ("incidents", "runs", "journal"):
        assert 'method="post"' not in vera.get(f"/console/{name}").text.split("<main", 1)[1], name
    for address in ("/console/incidents/abcd1/acknowledge", "/console/journal/verify", "/console/runs/turns/prices/cancel"):
        assert vera.send_form(address, {"reason": "me too"}, page="/console/journal").status_code == 403
    assert house.incidents.find("abcd1").acknowledged_by is None
