"""The table of evidence and actions, row by row: the same evidence leads to the same action, whatever else is wished."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop import at_least, days, drifted, every, slipped
from everloop.loop.decide import decide
from everloop.loop.govern import Memory
from tests.loop.test_decide import LEARNT, NOW, SLIPPED, WORSE, model, signal, signals, steady

DRIFTED = signal("drifted()", "drift", about="price")
FLAT = signal("slipped('wape', by=0.1)", "slip", fired=False)
FLAT = replace(FLAT, outcome="failed")
BROKEN = signal("data", "data", about="price")
STALE = signal("fresh(hours(6))", "data", about="orders")
OUTAGE = signal("outage", "outage")
SEASON = signal("usual_volume()", "season", about="orders")
ODD_DAY = signal("usual_volume()", "volume", about="orders")
ERRORS = signal("guardrails", "errors", about="v1")
TELLS = {"retrain_when": slipped("wape", by=0.1), "tell_when": drifted()}
SOON = replace(SLIPPED, since=NOW - timedelta(days=2))
NEW = {"promoted_at": NOW - timedelta(days=3)}
NOT_WORSE = replace(WORSE, fired=False, outcome="failed")

# name, signals, words of the model, words of the memory, the stage, action, cause, a part of the reason
ROWS = [
    ("nothing", [], {}, {}, "steady", "hold", "schedule", "nothing fired"),
    ("broken features", [BROKEN], {}, {}, "steady", "hold", "data", "nothing is learnt from such data"),
    ("a stale source, though drift is wished", [STALE, DRIFTED], {}, {}, "steady", "hold", "data", "nothing is learnt from such data"),
    ("broken data, though a slip is proven", [BROKEN, SLIPPED], {}, {}, "steady", "hold", "data", "data it is"),
    ("broken yesterday", [SLIPPED], {}, {"broken_at": NOW - timedelta(days=1)}, "steady", "hold", "data", "broken until 2026-11-01"),
    ("broken yesterday, but a clock wishes", [signal("every(days(7))", "schedule")], {"retrain_when": every(days(7))},
     {"broken_at": NOW - timedelta(days=1)}, "steady", "retrain", "schedule", "schedule it is"),
    ("broken data, before anything was learnt", [BROKEN], {}, {"ever_learnt": False}, "steady", "hold", "data", "data it is"),
    ("broken data, but a person asks: the check judges", [BROKEN], {}, {"cause": "demand"}, "steady", "retrain", "demand", "asked"),
    ("answers fail since a takeover", [ERRORS, SLIPPED], {"roll_back_when": ()}, {}, "steady", "undo", "errors", "errors it is"),
    ("answers fail in bake", [ERRORS], {}, {}, "bake", "undo", "errors", "errors it is"),
    ("harm is taken back though the data is broken", [WORSE, BROKEN], {}, {}, "bake", "undo", "worse", "worse it is"),
    ("a drop that began with the takeover", [SOON], {}, NEW, "steady", "undo", "slip", "slip it is"),
    ("the same drop, but the one before is no better", [SOON, NOT_WORSE], {}, NEW, "steady", "retrain", "slip", "slip it is"),
    ("the same drop on broken data", [SOON, BROKEN], {}, NEW, "steady", "hold", "data", "data it is"),
    ("a drop long after the takeover", [SOON], {}, {"promoted_at": NOW - timedelta(days=60)}, "steady", "retrain", "slip", "slip it is"),
    ("a slip the user fears", [SLIPPED], {"roll_back_when": slipped("wape", by=0.1)}, {}, "steady", "undo", "slip", "slip it is"),
    ("a slip is no reason to take a candidate back", [SLIPPED], {"roll_back_when": slipped("wape", by=0.1)}, {}, "canary", "hold",
     "schedule", "roll-out"),
    ("proven worse on sound data", [SLIPPED], {}, {}, "steady", "retrain", "slip", "slip it is"),
    ("drift that retrain_when lists", [DRIFTED, FLAT], {}, {}, "steady", "retrain", "drift", "drift it is"),
    ("drift that is only told, and no loss", [DRIFTED, FLAT], TELLS, {}, "steady", "hold", "drift", "the truth shows no loss (slip it is)"),
    ("drift that is only told, and no truth yet", [DRIFTED], TELLS, {}, "steady", "hold", "drift", "truths have yet to tell"),
    ("the season, though a slip is proven", [SEASON, SLIPPED], {}, {}, "steady", "hold", "season", "season that passes"),
    ("the season, though drift is told", [SEASON, DRIFTED], TELLS, {}, "steady", "hold", "season", "it is noted"),
    ("the season of last week", [SLIPPED], {}, {"season_at": NOW - timedelta(days=6)}, "steady", "hold", "season", "until 2026-10-27"),
    ("the season does not stop a clock", [SEASON, signal("every(days(7))", "schedule")], {"retrain_when": every(days(7))}, {}, "steady",
     "retrain", "schedule", "schedule it is"),
    ("an odd day that nobody vouched for", [ODD_DAY], {}, {}, "steady", "hold", "volume", "a person is told"),
    ("an odd day does not forbid", [ODD_DAY, SLIPPED], {}, {}, "steady", "retrain", "slip", "slip it is"),
    ("no truths come", [OUTAGE], {}, {}, "steady", "hold", "outage", "until truths come again"),
    ("no truths come, so a slip means nothing", [OUTAGE, SLIPPED], {}, {}, "steady", "hold", "outage", "until truths come again"),
    ("no truths come, but drift is wished", [OUTAGE, DRIFTED], {}, {}, "steady", "retrain", "drift", "drift it is"),
    ("no truths come in a roll-out", [OUTAGE], {}, {"plan": "advance"}, "canary", "hold", "outage", "it does not go on, for outage it is"),
    ("a bound the user fears", [signal("at_least('errors', 0.01)", "errors")], {"roll_back_when": at_least("errors", 0.01)}, {}, "steady",
     "undo", "errors", "errors it is"),
    ("a bound the user wishes by", [signal("at_least('wape', 0.9)", "slip")], {"retrain_when": at_least("wape", 0.9)}, {}, "steady",
     "retrain", "slip", "slip it is"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "words", "memory", "stage", "action", "cause", "why"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_evidence_leads_to_its_action(found, words, memory, stage, action, cause, why):
    traffic = steady(stage=stage, candidate="v2" if stage == "canary" else None, share=0.2 if stage == "canary" else 0.0)
    decision = decide(model(**words), traffic, signals(*found), Memory(**(LEARNT | memory)), now=NOW, id="d")
    assert (decision.action, decision.cause) == (action, cause)
    assert why in "; ".join(decision.because)


def test_a_person_who_only_wants_suggestions_is_asked_before_anything_is_taken_back():
    decision = decide(model(autonomy="suggest"), steady(), signals(ERRORS), Memory(**LEARNT), now=NOW, id="d")
    assert (decision.action, decision.asks) == ("ask", "undo")
