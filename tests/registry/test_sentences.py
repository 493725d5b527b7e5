"""Every record can be said in one line."""

from dataclasses import replace

import pytest

from everloop.records import Approval, Contest, Finding, Report, Signal, Signals, Verdict
from everloop.registry.sentences import clause
from everloop.testing.registry import MONDAY, decision, traffic

WHEN = {"made_at": MONDAY, "model": "demand"}
FOUND = Finding(source="orders", clause="fresh", outcome="failed", rows=1, broken=1, met=0.0, share=1.0, sentence="nothing came for 3 days")
FIRED = Signal(clause="drifted()", kind="drift", fired=True, outcome="passed", sentence="price drifted")
LET_IN = Verdict(id="v", candidate="c", champion="b", opinions=(), outcome="failed", by="Ada", reason="I know better", **WHEN)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (traffic(1), "v0 answers everybody"),
        (traffic(1, stage="canary", candidate="v1", share=0.25), "v1 answers 25 % of the units, v0 the others"),
        (
            traffic(1, stage="bake", previous="v9", because="why not"),
            "v0 answers everybody; v9, which it replaced, goes on in shadow (why not)",
        ),
        (decision(1, action="ask", asks="promote", because=()), "asked a person whether to promote"),
        (Report(id="r", findings=(), **WHEN), "the data was fit to learn from"),
        (Report(id="r", findings=(FOUND,), **WHEN), "the data was not fit to learn from: orders: nothing came for 3 days"),
        (
            Signals(id="s", until=MONDAY, signals=(FIRED, replace(FIRED, fired=False, sentence="x")), **WHEN),
            "watching found: price drifted",
        ),
        (Signals(id="s", until=MONDAY, signals=(), **WHEN), "watching found nothing"),
        (Approval(id="a", decision="d", approved=False, by="Ada", reason="too soon", **WHEN), "Ada said no: too soon"),
        (LET_IN, "Ada let the candidate in past the gate: I know better"),
        (replace(LET_IN, by=None, outcome="not enough evidence"), "not enough evidence"),
        (
            Contest(id="c", champion="a", candidate="b", body=None, rows=0, first_at=None, last_at=None, why_empty="no truth yet", **WHEN),
            "no contest: no truth yet",
        ),
    ],
)
def test_a_record_in_one_line(record, said):
    assert clause(record) == said


def test_versions_are_called_by_their_names():
    assert clause(traffic(1), {"v0": "demand@0"}.get) == "demand@0 answers everybody"
