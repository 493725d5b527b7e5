"""A version that was learnt because of drift says from what drift is measured once it answers."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from everloop.loop.wiring import _new_reference
from everloop.records import Candidate, Decision, Shape, TrainingSet, Version

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def step(cause):
    """A step of a house whose newest candidate was learnt for this cause."""
    made = {"made_at": NOW, "model": "demand"}
    learnt = TrainingSet(
        id="set", **made, made_from=("snapshot", "why"), body="", columns=(), rows=10, learn_rows=8, judge_rows=2,
        first_at=datetime(2026, 5, 1, tzinfo=UTC), learn_until=datetime(2026, 10, 1, tzinfo=UTC), judge_from=None, last_at=None,
        truths_known_at=NOW,
    )  # fmt: skip
    candidate = Candidate(
        id="c", **made, made_from=("set",), artefact="", format="skops", columns=(), shape=Shape(kind="number"), learner="", parameters=""
    )
    records = {r.id: r for r in (learnt, candidate, Decision(id="why", **made, action="retrain", because=(), cause=cause))}
    house = SimpleNamespace(journal=SimpleNamespace(find=records.get), candidate=records.__getitem__, learnt_from=lambda _: learnt)
    return SimpleNamespace(house=house)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("drift", "; once it answers, drift is measured from training set set (8 questions, 2026-05-01 to 2026-10-01)"),
        ("slip", ""),
        ("schedule", ""),
    ],
)
def test_only_drift_makes_the_new_reference_worth_a_word(cause, said):
    version = Version(id="v", made_at=NOW, model="demand", number=2, candidate="c")
    assert _new_reference(step(cause), version) == said
