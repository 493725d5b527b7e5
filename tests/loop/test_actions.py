"""The table of evidence and actions, row by row: the same evidence leads to the same action, whatever else is wished."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop import at_least, days, drifted, every, slipped
from everloop.loop.decide import decide, permit
from everloop.loop.govern import Memory
from tests.loop.test_decide import LEARNT, NOW, SLIPPED, WORSE, model, signal, signals, steady, verdict

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


def test_drift_that_is_told_is_rehearsed_once_when_a_week_of_truths_since_is_mature():
    told = model(**TELLS)
    due = NOW - told.matures_after - days(7)

    def decided(*found, **memory):
        return decide(told, steady(), signals(*found), Memory(**(LEARNT | memory)), now=NOW, id="d")

    first = decided(DRIFTED, FLAT)
    assert (first.action, first.because[-1]) == ("hold", "a candidate is held beside the champion as evidence from 2026-11-16 00:00 UTC on")
    assert decided(DRIFTED, FLAT, drift_told_at=due + days(1)).action == "hold"
    assert decided(DRIFTED, FLAT, drift_told_at=due).action == "rehearse"
    assert decided(drift_told_at=due).action == "rehearse"  # what drifts for a fortnight has become a habit by then
    again = decided(DRIFTED, FLAT, drift_told_at=due, rehearsed_at=NOW - days(1), evidence="the verdict is: failed")
    assert (again.action, again.because[-1]) == (
        "hold",
        "a candidate learnt on 2026-11-01 was held beside the champion since: the verdict is: failed",
    )
    assert decided(BROKEN, drift_told_at=due).action == "hold"
    governed = decided(DRIFTED, drift_told_at=due, runs_today=4)
    assert (governed.action, "4 times in 24 hours" in governed.because[-1]) == ("hold", True)


def test_a_rehearsal_that_passes_is_a_question_to_a_person_even_where_the_model_acts():
    passed = verdict("passed")
    assert permit(model(), passed, now=NOW, id="d").action == "promote"
    asked = permit(model(), passed, now=NOW, id="d", rehearsed=True)
    assert (asked.action, asked.asks) == ("ask", "promote")
