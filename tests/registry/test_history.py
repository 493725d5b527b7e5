"""What was live at 14:03, and why."""

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop.errors import Unknown
from everloop.project.steps import canary, shadow
from everloop.records import Candidate, Extent, Opinion, Shape, Snapshot, TrainingSet, Verdict, Version
from everloop.registry import history
from everloop.registry.journal import Journal
from everloop.rollout import begin, first, step, undo
from everloop.testing.registry import MONDAY, decision

HOUR = timedelta(hours=1)
PLAN = [shadow(HOUR), canary(0.1, every=HOUR)]


def hour(number):
    return MONDAY + number * HOUR


def lived(store, *moves):
    """A journal in which the traffic of ``demand`` made these moves, an hour apart: a version to roll out, "step" or "undo"."""
    journal, traffic = Journal(store), first("demand", "v0", now=MONDAY, id="t0")
    with store.transaction() as t:
        journal.append(t, traffic)
        for number, move in enumerate(moves, 1):
            words = {"now": hour(number), "id": f"t{number}"}
            if move == "undo":
                before = history.champion_before(journal, "demand", traffic.previous, within=t)
                traffic = undo(traffic, before=before, because="worse", **words)
            elif move == "step":
                traffic = step(traffic, PLAN, **words)
            else:
                traffic = begin(traffic, move, PLAN if move == "v1" else [], **words)
            journal.append(t, traffic)
    return journal


def test_what_was_live_at_an_instant(store):
    journal = lived(store, "v1", "step", "step", "step")
    assert [t.stage for t in history.history(journal, "demand")] == ["steady", "shadow", "canary", "bake", "steady"]
    assert history.at(journal, "demand", hour(2) + HOUR / 2).stage == "canary"
    assert history.at(journal, "demand", hour(2)).stage == "canary"
    assert history.at(journal, "demand", hour(2) - timedelta(microseconds=1)).stage == "shadow"
    assert history.at(journal, "demand", hour(3)).champion == "v1"
    assert history.at(journal, "demand", hour(99)).id == "t4"


def test_before_the_beginning_nothing_was_live(store):
    journal = lived(store)
    with pytest.raises(Unknown, match="It began at 2026-11-02 00:00 UTC"):
        history.at(journal, "demand", MONDAY - HOUR)
    with pytest.raises(Unknown, match="everloop turn"):
        history.at(journal, "churn", MONDAY)


@pytest.mark.parametrize(
    ("moves", "way"),
    [
        ((), "v0"),
        (("v1",), "v0"),
        (("v1", "step", "step"), "v0 v1"),
        (("v1", "step", "undo"), "v0"),
        (("v1", "step", "step", "undo"), "v0"),
        (("v2", "step", "v3", "step"), "v0 v2 v3"),
        (("v2", "step", "v3", "undo"), "v0 v2"),
        (("v2", "step", "v3", "undo", "undo"), "v0"),
        (("v2", "step", "v3", "undo", "v3", "step"), "v0 v2 v3"),
        (("v2", "step", "v3", "undo", "v4", "step", "undo"), "v0 v2"),
        (("v2", "step", "v3", "undo", "v4", "undo", "undo"), "v0"),
        (("v2", "step", "v0", "step"), "v0 v2 v0"),
        (("v2", "step", "v0", "step", "undo"), "v0 v2"),
        (("v2", "step", "v0", "step", "undo", "undo"), "v0"),
    ],
)
def test_the_way_back_forgets_what_was_undone(store, moves, way):
    journal = lived(store, *moves)
    assert " ".join(history.champions(journal, "demand")) == way


def test_a_version_that_took_over_twice_goes_back_to_whom_it_replaced_last(store):
    journal = lived(store, "v2", "step", "v0", "step")
    assert history.champion_before(journal, "demand", "v0") == "v2"
    assert history.champion_before(journal, "demand", "v2") == "v0"


def test_undoing_twice_goes_back_twice_and_no_further(store):
    journal = lived(store, "v2", "step", "v3", "step", "undo", "undo")
    now = history.history(journal, "demand")[-1]
    assert (now.champion, now.previous) == ("v0", None)
    assert history.champion_before(journal, "demand", "v0") is None
    assert history.champion_before(journal, "demand", "nobody") is None


@pytest.fixture
def explained(store):
    snapshot = Snapshot(id="s", made_at=hour(0), extents=(Extent(source="orders", version=3, through_seq=90, rows=90),))
    learnt = TrainingSet(
        id="ts", made_at=hour(0), made_from=("s",), model="demand", body="b", columns=("x",), rows=90, learn_rows=60, judge_rows=20,
        first_at=None, learn_until=None, judge_from=None, last_at=None, truths_known_at=hour(0),
    )  # fmt: skip
    candidate = Candidate(
        id="c", made_at=hour(0), made_from=("ts",), model="demand", artefact="a", format="skops", columns=("x",),
        shape=Shape(kind="number"),
        learner="Ridge()", parameters="", rows=60,
    )  # fmt: skip
    opinion = Opinion(clause="beats_champion('wape')", outcome="passed", sentence="its wape is 3 % better")
    verdict = Verdict(
        id="vd", made_at=hour(0), made_from=("c", "ts"), model="demand", candidate="c", champion="v0", opinions=(opinion,), outcome="passed"
    )
    version = Version(id="v1", made_at=hour(0), made_from=("c", "vd"), model="demand", number=1, candidate="c", verdict="vd")
    moved = replace(
        begin(first("demand", "v0", now=hour(0), id="t1"), "v1", PLAN, now=hour(1), id="t2", because="it was let in"),
        made_from=("t1", "v1"),
    )
    journal = Journal(store)
    with store.transaction() as t:
        for record in (snapshot, learnt, candidate, verdict, version, moved, decision(2, made_from=("t2", "lost"))):
            journal.append(t, record)
    return journal


def test_why_walks_back_to_the_snapshot_and_says_each_thing_once(explained):
    lines = history.told(history.why(explained, "decision-2"), name=history.names(explained))
    assert [line.split("UTC  ")[-1] for line in lines] == [
        "decided to hold, because nothing fired  [decision-2]",
        "v0 answers everybody, demand@1 in shadow (it was let in)  [t2]",
        "demand@1 was let in  [v1]",
        "Ridge() learnt from 60 rows  [c]",
        "60 questions to learn from, 20 held out  [ts]",
        "a snapshot of orders (90 rows)  [s]",
        "passed: its wape is 3 % better  [vd]",
        "Ridge() learnt from 60 rows (told above)  [c]",
        "60 questions to learn from, 20 held out (told above)  [ts]",
        "  lost is not in this journal",
    ]


def test_a_version_is_explained_by_its_name(explained):
    assert history.why(explained, "demand@1") == history.why(explained, "v1")
    for nobody in ("demand@9", "churn@1", "nobody", ""):
        with pytest.raises(Unknown):
            history.why(explained, nobody)


def test_a_record_made_from_itself_does_not_go_on_for_ever(store):
    journal = Journal(store)
    with store.transaction() as t:
        journal.append(t, decision(1, id="a", made_from=("a", "b")))
        journal.append(t, decision(2, id="b", made_from=("a",)))
    reason = history.why(journal, "a")
    assert [p.id for p in reason.parents] == ["b"]
    assert reason.parents[0].parents[0].again


def test_a_long_life_is_told_without_its_whole_past(store):
    journal = lived(store, *["v2", "undo"] * 200)
    assert len(history.told(history.why(journal, "t400"))) <= 3
