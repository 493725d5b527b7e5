"""What happened to a model, in a few words each: a story is told once, and what is no news is not told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from everloop.loop.happened import happenings
from everloop.records import Decision, Incident, Signal, Signals, Symptom, Traffic

DAY = datetime(2026, 11, 2, tzinfo=UTC)


def at(n):
    return DAY + timedelta(days=n)


def traffic(n, stage="steady", champion="m@1", candidate=None, share=0.0):
    return Traffic(
        id=f"t{n}", made_at=at(n), since=at(n), model="m", generation=n + 1, stage=stage, champion=champion, candidate=candidate,
        share=share, previous="m@0" if stage == "bake" else None,
    )  # fmt: skip


def look(n, *drifted):
    signals = tuple(Signal(clause="d", kind="drift", fired=True, outcome="passed", sentence=f"{a} drifted", about=a) for a in drifted)
    return Signals(id=f"s{n}", made_at=at(n), model="m", until=at(n), signals=signals)


def words(*records):
    return [(one.what, one.words) for one in happenings(records)]


def test_a_roll_out_is_told_step_by_step_and_a_share_that_moves_is_not():
    told = words(
        traffic(0), traffic(1, "shadow", candidate="m@2"), traffic(2, "canary", candidate="m@2", share=0.1),
        traffic(3, "canary", candidate="m@2", share=0.5), traffic(4, "bake", champion="m@2"), traffic(5, champion="m@2"),
    )  # fmt: skip
    assert [said for _, said in told] == ["m@1", "m@2 in shadow", "m@2 in canary", "m@2 in bake", "m@2"]
    assert {what for what, _ in told} == {"deploy"}


def test_a_drift_that_lasts_is_told_when_it_is_first_seen_and_again_when_it_comes_back():
    assert words(look(1, "price"), look(2, "price"), look(3, "price", "size"), look(4), look(5, "price")) == [
        ("drift", "price"), ("drift", "size"), ("drift", "price"),
    ]  # fmt: skip


def test_a_decision_that_nothing_follows_from_is_no_news():
    made = [
        Decision(id=a, made_at=DAY, model="m", action=a, because=("why",), cause="c")
        for a in ("hold", "advance", "promote", "retrain", "undo")
    ]
    asked = Decision(id="q", made_at=DAY, model="m", action="ask", asks="promote", because=("it passed",), cause="verdict")
    assert words(*made, asked) == [("decision", "retrain"), ("decision", "undo"), ("decision", "asked: let the candidate take over")]


def test_an_incident_is_told_when_it_begins_and_when_it_is_over_but_not_what_is_said_of_it_meanwhile():
    shown = (Symptom(clause="d", kind="drift", about="price", sentence="price drifted"),)
    plain = {
        "model": "m",
        "incident": "i",
        "cause": "change",
        "severity": "warning",
        "symptoms": shown,
        "opened_at": at(0),
        "fired_at": at(1),
    }
    changes = [
        Incident(id="i1", made_at=at(1), change=1, state="firing", **plain),
        Incident(id="i2", made_at=at(2), change=2, state="firing", because="Kim has seen it", by="Kim", reason="ok", **plain),
        Incident(id="i3", made_at=at(3), change=3, state="resolved", because="calm", **plain),
    ]
    assert words(*changes) == [("incident", "price"), ("incident", "over")]
