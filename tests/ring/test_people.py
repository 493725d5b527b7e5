"""What people say: approve, reject, undo, override; with a name and a reason, in the journal."""

from __future__ import annotations

from datetime import timedelta

import joblib
import numpy as np
import pytest

from everloop.errors import EverloopError, Overtaken, Unknown
from everloop.loop.admitted import admitted
from everloop.loop.answers import answer_due, answer_one, answers_of
from everloop.loop.look import history, status, why
from everloop.loop.people import admit_file, answer_question, override, undo
from everloop.loop.spoken import spoken_answer
from everloop.loop.turn import turn
from everloop.records import Approval, Verdict
from tests.ring.conftest import END, first_turn

BEGIN = END - timedelta(days=28)  # so that there is truth to come


class Twice:
    """Answers twice what was sold in the last week: a model that does harm."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return 2.5 * np.asarray(X)[:, 0]


def test_where_a_person_has_to_agree_nothing_takes_over_until_they_do(after):
    house, model = after(first_turn, "price")
    assert not house.traffic(model).rolling
    said = answer_question(house, model, True, by="Kim", reason="looks right", now=END + timedelta(hours=1))
    assert "yes" in said
    assert house.traffic(model).stage == "canary"
    [word] = [e.record for e in house.journal.read(kind="Approval")]
    assert isinstance(word, Approval)
    assert (word.by, word.reason) == ("Kim", "looks right")


def test_a_no_leaves_everything_as_it_is(after):
    house, model = after(first_turn, "price")
    answer_question(house, model, False, by="Kim", reason="not now", now=END)
    assert not house.traffic(model).rolling
    assert not house.approvals.waiting(model.name)
    with pytest.raises(EverloopError, match="not waiting"):
        answer_question(house, model, True, by="Kim", reason="again", now=END)


@pytest.mark.parametrize(("by", "reason"), [("", "because"), ("Kim", " ")])
def test_a_word_needs_a_name_and_a_reason(after, by, reason):
    house, model = after(first_turn, "price")
    with pytest.raises(EverloopError, match="name and a reason"):
        answer_question(house, model, True, by=by, reason=reason, now=END)
    assert house.approvals.waiting(model.name)


def test_undo_takes_a_roll_out_back_at_once_and_says_who_did_it(after):
    house, model = after(first_turn, "shop")
    before = house.traffic(model).champion
    assert house.traffic(model).stage == "shadow"
    undo(house, model, by="Kim", reason="I saw odd answers", now=END + timedelta(minutes=5))
    assert (house.traffic(model).stage, house.traffic(model).champion) == ("steady", before)
    lines, _ = history(house, model)
    assert "Kim" in lines[-1]


def test_an_undo_too_many_names_the_version_as_the_first_one_did(after):
    house, model = after(first_turn, "shop")
    undo(house, model, by="Kim", reason="odd", now=END + timedelta(minutes=5))
    with pytest.raises(EverloopError, match="nothing to take back; no version before demand@0 is known"):
        undo(house, model, by="Kim", reason="odder", now=END + timedelta(minutes=6))


def test_with_nothing_to_take_back_undo_says_so(opened):
    house, model = opened("shop")
    with pytest.raises(EverloopError, match="nothing to take back"):
        undo(house, model, by="Kim", reason="?", now=END)


def test_a_turn_that_was_overtaken_by_undo_is_superseded_and_moves_nothing(after):
    from everloop.loop.house import with_pause

    house, model = after(first_turn, "shop")
    later = END + timedelta(days=1)

    def pause(moment):
        if moment == "after advance, not kept":
            undo(house, model, by="Kim", reason="stop", now=later)

    with pytest.raises(Overtaken):
        turn(with_pause(house, pause), model, later)
    assert house.traffic(model).stage == "steady"
    states = {t.state for t in [house.turns.find(e.turn) for e in house.journal.read() if e.turn] if t}
    assert "superseded" in states


def test_what_was_live_then_is_known_later(after):
    house, model = after(first_turn, "shop")
    undo(house, model, by="Kim", reason="stop", now=END + timedelta(hours=2))
    lines, _ = history(house, model, END + timedelta(hours=1))
    assert "in shadow" in lines[0]
    lines, _ = history(house, model, END + timedelta(hours=3))
    assert "answers everybody" in lines[0]
    assert "steady" in {r.stage for r in status(house)}


def test_a_harmful_model_is_stopped_by_the_gate_and_when_forced_past_it_by_what_it_does(opened, tmp_path):
    house, model = opened("shop")
    file = tmp_path / "twice.joblib"
    joblib.dump(Twice(), file)
    refused = admit_file(house, model, file, BEGIN, trust=True)
    assert refused.outcome == "failed"
    assert not house.traffic(model).rolling
    with pytest.raises(EverloopError, match="name and a reason"):
        admit_file(house, model, file, BEGIN, trust=True, override=True)
    later = BEGIN + timedelta(hours=1)
    with pytest.raises(Unknown, match="verdict"):
        override(house, model, "c" * 16, by="Kim", reason="we believe in it", now=later)
    with pytest.raises(EverloopError, match="judged here already"):
        admitted(house, model, refused.candidate, later)
    (forced,) = admitted(house, model, refused.candidate, later, override=True, by="Kim", reason="we believe in it")
    assert (forced.outcome, forced.by, forced.opinions) == ("passed", "Kim", refused.opinions)
    assert forced.made_from == (refused.id,)
    with pytest.raises(EverloopError, match="is demand@1 already"):
        override(house, model, refused.id, by="Kim", reason="again", now=later + timedelta(hours=1))
    harmful = house.traffic(model).candidate
    assert harmful
    for day in range(1, 15):
        now = BEGIN + timedelta(days=day)
        turn(house, model, now)
        answer_due(house, model, now)
        if not house.traffic(model).rolling:
            break
    assert day < 14
    decisions = [e.record for e in house.journal.read(kind="Decision")]
    assert [d.cause for d in decisions if d.undoes] == ["worse"]
    given = answers_of(house, model)
    served = given.filter(given.column("version").to_numpy(zero_copy_only=False) == harmful)
    assert len(served) > 0
    assert house.versions.get(house.traffic(model).champion).number == 0


def test_a_model_file_that_could_run_code_is_not_loaded_without_leave(opened, tmp_path):
    house, model = opened("shop")
    file = tmp_path / "twice.joblib"
    joblib.dump(Twice(), file)
    with pytest.raises(EverloopError, match="trust"):
        admit_file(house, model, file, END)
    assert not [e for e in house.journal.read() if isinstance(e.record, Verdict)]


def test_why_leads_from_a_version_to_everything_behind_it(after):
    house, _ = after(first_turn, "shop")
    lines, records = why(house, "demand@1")
    assert {"Version", "Candidate", "Verdict", "Contest", "TrainingSet", "Snapshot"} <= {type(r).__name__ for r in records}
    assert lines[0].endswith("]")


def test_status_and_an_answer_say_that_the_baseline_answers_until_something_else_does(opened):
    house, model = opened(
        "shop",
        lambda text: text.replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]").replace(
            "roll_out=[shadow(days(1)), canary(0.25, every=days(2))]", "roll_out=[]"
        ),
    )
    (before,) = status(house)
    assert str(before).endswith("Next: everloop turn demand")
    first = answer_one(house, model, ["p07"], BEGIN)
    (standing,) = status(house)
    assert standing.baseline
    assert str(standing).startswith("demand: demand@0, the baseline, answers since ")
    assert ", by demand@0, the baseline, in " in spoken_answer(house, first)
    turn(house, model, END)
    (standing,) = status(house)
    assert not standing.baseline
    assert str(standing).startswith("demand: demand@1 answers since ")
    assert ", by demand@1 in " in spoken_answer(house, answer_one(house, model, ["p07"], END))
