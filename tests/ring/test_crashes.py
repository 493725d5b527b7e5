"""A turn that dies between any two commits is finished by the next one: every record once, one promotion, the chain intact."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pyarrow as pa
import pytest

from everloop.errors import ClockWentBack, HouseBusy
from everloop.loop.answers import answer_due, answers_of
from everloop.loop.house import open_house, with_pause
from everloop.loop.turn import turn
from everloop.serving.log import unsealed
from tests.ring.conftest import END, first_turn


class Crash(BaseException):
    """The process ends here: nothing that would run after an ordinary exception runs."""


def work(house, model):
    for day in (0, 1):
        turn(house, model, END + timedelta(days=day))
        answer_due(house, model, END + timedelta(days=day))


def crashing(at):
    count = 0

    def pause(_moment):
        nonlocal count
        count += 1
        if count == at:
            raise Crash

    return pause


def what_is_there(house, model):
    house.journal.verify()
    entries = house.journal.read()
    # Counted where they lie, before anything is read as once: the sealed table and the segments themselves.
    raw = pa.concat_tables(
        [t.select(["moment", "unit", "arm"]) for t in (house.lake.tables.read("answers"), unsealed(house.settings.answers))]
    )
    served = Counter((r["moment"], r["unit"]) for r in raw.to_pylist() if r["arm"] != "shadow")
    assert max(served.values()) == 1
    promotions = [e for e in entries if e.kind == "Version" and e.record.number > 0]
    assert len(promotions) == 1
    return [(e.kind, e.verb) for e in entries], len(served), house.traffic(model).generation


@pytest.mark.slow
def test_after_a_crash_at_any_pause_the_work_is_finished_as_if_nothing_had_happened(opened, tmp_path):
    import shutil

    house, model = opened("shop")
    path = tmp_path / "shop"
    shutil.copytree(path, tmp_path / "fresh")
    pauses = 0

    def count(_moment):
        nonlocal pauses
        pauses += 1

    work(with_pause(house, count), model)
    expected = what_is_there(house, model)
    house.store.close()
    assert pauses > 25
    for at in range(1, pauses + 1):
        again = tmp_path / f"crash{at}"
        shutil.copytree(tmp_path / "fresh", again)
        broken = open_house(again / "project.py")
        with pytest.raises(Crash):
            work(with_pause(broken, crashing(at)), broken.project.model("demand"))
        broken.store.close()
        whole = open_house(again / "project.py")
        work(whole, whole.project.model("demand"))
        assert what_is_there(whole, whole.project.model("demand")) == expected, f"after a crash at pause {at}"
        whole.store.close()
        shutil.rmtree(again)


def test_what_was_kept_is_read_back_and_not_done_again(after, monkeypatch):
    house, model = after(first_turn, "shop")
    before = house.journal.head()
    calls = []

    def train(step, training_set):
        calls.append(step.id)

    monkeypatch.setattr("everloop.loop.wiring.train", train)
    turn(house, model, END)
    assert not calls
    assert house.journal.head() == before


def test_a_keep_that_forgot_would_be_found_by_the_journal(after, monkeypatch):
    """The mutant: a keep that never reads back. Another body under a kept id is refused, so nothing is ever kept twice."""
    from everloop.errors import StoreError
    from everloop.registry.journal import Journal

    house, model = after(first_turn, "shop")
    before = house.journal.head()
    steps, find = {e.record.id for e in house.journal.read() if e.turn}, Journal.find
    forgetful = {id for id in steps if type(find(house.journal, id)).__name__ in ("Report", "Signals", "Decision")}
    monkeypatch.setattr(Journal, "find", lambda self, id, within=None: None if id in forgetful else find(self, id, within=within))
    with pytest.raises(StoreError):
        turn(house, model, END)
    monkeypatch.undo()
    assert house.journal.head() == before


def test_a_clock_set_back_does_nothing_and_says_so(after):
    house, model = after(first_turn, "shop")
    before = house.journal.head()
    with pytest.raises(ClockWentBack, match="Nothing was done"):
        turn(house, model, END - timedelta(days=1))
    assert house.journal.head() == before


def test_two_turns_of_one_model_never_run_at_once(opened):
    house, model = opened("shop")
    with house.keeping(model, END, "schedule"), pytest.raises(HouseBusy, match="turning demand"):
        turn(house, model, END + timedelta(hours=1))


def test_a_learner_that_fails_leaves_the_house_as_it_was_and_the_next_turn_free(opened):
    from everloop.errors import LearnerFailed

    house, model = opened("shop", lambda text: text.replace("max_iter=60", "max_iter=-1"))
    with pytest.raises(LearnerFailed):
        turn(house, model, END)
    assert house.traffic(model).stage == "steady"
    house.store.close()
    mended, model = opened("shop", lambda text: text.replace("max_iter=-1", "max_iter=60"))
    assert turn(mended, model, END + timedelta(hours=1)).retrains


def test_a_full_disk_while_journaling_loses_nothing_and_is_told(opened):
    from everloop.errors import HouseFull

    house, model = opened("shop")
    house.journal.verify()
    with house.store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(HouseFull, match="no room"):
        for day in range(30):
            turn(house, model, END + timedelta(days=day))
    house.store.close()
    roomy = open_house(house.project.path)
    roomy.journal.verify()
    decision = turn(roomy, roomy.project.model("demand"), END + timedelta(days=31))
    assert decision.id in {e.record.id for e in roomy.journal.read(kind="Decision")}


def test_a_candidate_whose_bytes_are_gone_never_answers_and_the_champion_does(after):
    house, model = after(first_turn, "shop")
    candidate = house.candidate(house.versions.get(house.traffic(model).candidate).candidate)
    path = house.blobs.path(candidate.artefact)
    path.write_bytes(path.read_bytes()[:100])
    house.predictors.clear()
    assert answer_due(house, model, END) == 40
    given = answers_of(house, model)
    served = [row for row in given.to_pylist() if row["arm"] != "shadow"]
    assert len(served) == 40
    assert all(row["answer"]["value"] is not None for row in served)


def test_a_turn_that_was_killed_is_finished_before_the_next_one_begins(opened):
    from everloop.loop.resume import go_round

    house, model = opened("shop")
    with pytest.raises(Crash):
        turn(with_pause(house, crashing(12)), model, END)
    assert house.turns.opened(model.name).now == END
    later = END + timedelta(hours=3)
    go_round(house, model, later)
    assert house.turns.opened(model.name) is None
    versions = [e for e in house.journal.read(kind="Version") if e.record.number > 0]
    assert len(versions) == 1
    assert house.traffic(model).stage == "shadow"


def test_rows_that_arrive_late_are_answered_all_the_same(opened):
    from everloop.loop.arrivals import receive_rows

    house, model = opened("fraud")
    answer_due(house, model, END)
    row = {"payment_id": "late1", "asked_at": END - timedelta(hours=5), "card_id": "k1", "merchant_id": "m1", "amount": 5, "online": True}
    receive_rows(house, "payments", [row], now=END + timedelta(minutes=31))
    assert answer_due(house, model, END + timedelta(hours=1)) == 1
    assert "late1" in answers_of(house, model).column("unit").to_pylist()
