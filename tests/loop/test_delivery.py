"""Deployments, lead time, failures, detection and recovery, from records alone; what was never seen is None, never zero."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from random import Random
from statistics import median_high, median_low

import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.clock import instant, microseconds
from everloop.loop.delivery import Spans, delivery, delivery_of
from everloop.records import Candidate, Incident, Shape, Signal, Signals, Symptom, Verdict
from everloop.testing.registry import MONDAY, decision, traffic
from tests.loop.houses import demand, house_at

DAY = timedelta(days=1)


def at(day, record):
    return replace(record, made_at=MONDAY + day * DAY)


def learnt(until):
    return Candidate(
        id="c", made_at=MONDAY, model="demand", artefact="a", format="skops", columns=(), shape=Shape(kind="number"), learner="l",
        parameters="", learnt_until=MONDAY + until * DAY,
    )  # fmt: skip


BEHIND = {"v1": learnt(1), "v2": learnt(2), "v0": None}.get
FEARED = Signal(clause="worse", kind="worse", fired=True, outcome="passed", sentence="it is worse")


def look(day, *found):
    now = MONDAY + day * DAY
    return Signals(id=f"s{day}", made_at=now, model="demand", until=now, signals=found)


def undone(day, generation, looked, champion="v1", **words):
    back = decision(day, action="undo", because=("it is worse",), made_from=(looked,))
    return [at(day, back), at(day, traffic(generation, champion=champion, made_from=(back.id,), **words))]


LIFE = [
    at(0, traffic(1, champion="v0")),
    at(3, traffic(2, champion="v0", candidate="v1", stage="canary", share=0.1)),
    at(4, traffic(3, champion="v1", stage="bake", previous="v0")),  # deployed: three days after its newest data
    at(8, traffic(4, champion="v1", candidate="v2", stage="canary")),
    look(9, FEARED),
    *undone(9, 5, "s9"),  # a roll-out that failed, undone at once
    at(12, traffic(6, champion="v2", stage="bake", previous="v1")),  # deployed: ten days after
    look(13), look(14, FEARED), look(15, FEARED), look(16, FEARED),
    *undone(16, 7, "s16"),  # a deployment undone, two days after it was first found
]  # fmt: skip


def told(records, until=21):
    return delivery(records, "demand", until=MONDAY + until * DAY, candidate=BEHIND)


def test_a_life_in_figures():
    found = told(LIFE)
    assert (found.deployments, found.failed, found.undone) == (2, 1, 1)
    assert found.per_week == pytest.approx(2 / 3)
    assert found.lead == Spans(2, 6.5 * DAY, 10 * DAY)
    assert found.recover == Spans(2, DAY, 2 * DAY)


def test_what_was_never_seen_is_none_and_said_so():
    empty, young = told([]), told(LIFE[:2], until=3)
    assert str(empty) == "demand: has not begun. Next: everloop turn demand"
    assert (young.deployments, young.per_week, young.lead.median, young.detect.median) == (0, None, None, None)
    assert "no deployment yet" in str(young)
    assert "no incident yet" in str(young)


def test_time_to_detect_begins_where_harm_began_and_ends_when_the_incident_first_fired():
    def change(n, state, day, fired=None, since=None):
        shown = (Symptom(clause="slipped()", kind="slip", sentence="s", since=since),)
        return Incident(
            id=f"i{n}", made_at=MONDAY + day * DAY, model="demand", incident="i", change=n, cause="change", state=state, severity="warning",
            symptoms=shown, opened_at=MONDAY, fired_at=fired,
        )  # fmt: skip

    fired, began = MONDAY + 6 * DAY, MONDAY + 2 * DAY
    life = [LIFE[0], change(1, "pending", 5, None, began), change(2, "firing", 6, fired, began), change(3, "resolved", 9, fired, began)]
    assert told(life).detect == Spans(1, 4 * DAY, 4 * DAY)
    assert told([LIFE[0], change(1, "firing", 5, fired, None)]).detect == Spans(), "a beginning nobody knows counts as nothing"


def test_an_undo_that_no_look_asked_for_counts_as_undone_and_recovers_from_nothing():
    life = [*LIFE[:3], at(5, decision(5, action="undo", by="Kim")), at(5, traffic(4, champion="v0", made_from=("decision-5",)))]
    assert (told(life).undone, told(life).recover) == (1, Spans())


def test_a_verdict_that_is_no_pass_is_a_refused_candidate_not_a_deployment():
    lost = Verdict(id="v", made_at=MONDAY, model="demand", candidate="c", champion="b", opinions=(), outcome="not enough evidence")
    assert (told([LIFE[0], lost]).refused, told([LIFE[0], lost]).deployments) == (1, 0)


def test_clocks_that_disagree_make_no_time_below_zero():
    assert Spans.of([-DAY, DAY]).longest == DAY
    assert Spans.of([-DAY]).median == timedelta(0)


def test_the_terminal_tells_it_in_sentences_and_as_data(tmp_path):
    (tmp_path / "project.py").write_text("from tests.loop.houses import demand\n")
    house_at(tmp_path, (demand,))
    where = ["-p", str(tmp_path / "project.py"), "--house", str(tmp_path / "house")]
    run = CliRunner().invoke
    assert run(app, ["status", "--delivery", *where]).output == "demand: has not begun. Next: everloop turn demand\n"
    assert '"per_week": null' in run(app, ["status", "--delivery", "--json", *where]).output


def counted(folder, until):
    """The figures of the journal's own rows, counted again in SQL and by hand: traffics in order, and which decisions undo."""
    with closing(sqlite3.connect(folder / "house" / "house.db")) as db:
        rows = db.execute(
            "SELECT kind, body FROM journal WHERE model = 'demand' AND at <= ? ORDER BY seq", (microseconds(until),)
        ).fetchall()
        versions = dict(db.execute("SELECT id, candidate FROM versions"))
        learnt = {c: json.loads(b).get("learnt_until") for c, b in db.execute("SELECT id, body FROM journal WHERE kind = 'Candidate'")}
    said = [(kind, json.loads(body)) for kind, body in rows]
    undo = {body["id"] for kind, body in said if kind == "Decision" and body["action"] == "undo"}
    found, champion, leads = Counter(), None, []
    for kind, body in said:
        if kind == "Verdict":
            found["refused"] += body["outcome"] != "passed"
        if kind != "Traffic":
            continue
        taken_back, other = bool(undo & set(body["made_from"])), champion not in (None, body["champion"])
        found["undone"] += taken_back and other
        found["failed"] += taken_back and not other
        if other and not taken_back:
            found["deployments"] += 1
            leads.append(instant(body["made_at"]) - instant(learnt[versions[body["champion"]]]))
        champion = body["champion"]
    return found, sorted(leads)


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_of_a_home_with_a_history_are_those_of_another_count(tmp_path, seed):
    draw, house = Random(seed), house_at(tmp_path, (demand,))
    generation, champion, previous, candidate, number = 0, None, None, None, 0
    for day in range(40):
        now, records = MONDAY + day * DAY, []
        step = draw.choice(["let in", "go on", "take back", "nothing", "refuse"]) if champion else "let in"
        made_from, moved = (), True
        if step == "let in" and candidate is None:
            number += 1
            records.append(replace(learnt(day - draw.randrange(1, 9)), id=f"c{number}", made_at=now, artefact=f"a{number}"))
            candidate = f"v{number}" if champion else None
            champion = champion or f"v{number}"
        elif step == "go on" and candidate:
            previous, champion, candidate = champion, candidate, None
        elif step == "take back" and (candidate or previous):
            records.append(replace(decision(day, action="undo", by="Kim"), made_at=now))
            made_from = (f"decision-{day}",)
            champion, previous, candidate = (champion, previous, None) if candidate else (previous, None, None)
        else:
            moved = False
        if step == "refuse":
            records.append(
                Verdict(id=f"lost-{day}", made_at=now, model="demand", candidate="c", champion="b", opinions=(), outcome="failed")
            )
        with house.store.transaction() as t:
            for record in records:
                house.journal.append(t, record)
                if isinstance(record, Candidate):
                    house.versions.admit(t, record, None, now=now, id=f"v{number}")
            if moved:
                generation += 1
                words = {"id": f"t{generation}", "made_at": now, "candidate": candidate, "previous": previous, "made_from": made_from}
                house.journal.append(t, traffic(generation, champion=champion, stage="canary" if candidate else "steady", **words))
    for until in (MONDAY + 20 * DAY, MONDAY + 40 * DAY):
        found, (again, leads) = delivery_of(house, "demand", until=until), counted(tmp_path, until)
        told = {"deployments": found.deployments, "failed": found.failed, "undone": found.undone, "refused": found.refused}
        assert told == {name: again[name] for name in told}
        assert found.per_week == pytest.approx(again["deployments"] / ((until - MONDAY) / (7 * DAY)))
        assert (found.lead.count, found.lead.longest) == (len(leads), max(leads, default=None))
        assert found.lead.median == (median_low(leads) + median_high(leads)) / 2 if leads else found.lead.median is None
    assert sum(told.values()) > 5, "there is something to count"
