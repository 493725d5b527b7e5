"""The kill switch and a share set by hand, in a house: at once, for good, in the journal, whatever turn is under way."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from everloop import canary, days
from everloop.cli import app
from everloop.clock import wall
from everloop.errors import ClockWentBack, EverloopError, Overtaken
from everloop.loop.delivery import delivery_of
from everloop.loop.hand import go_on, hold, release, set_share
from everloop.loop.house import open_house, with_pause
from everloop.loop.keep import keep_record
from everloop.loop.look import history, status, why
from everloop.loop.people import answer_question, undo
from everloop.loop.serve.routes import read_routes
from everloop.loop.turn import turn
from everloop.records import Decision, Traffic
from tests.ring.conftest import END, first_turn
from tests.ring.shops import Shop, usual

HOUR = timedelta(hours=1)
LATER = END + 2 * HOUR
KIM = {"by": "Kim", "reason": "it doubles on Mondays"}


def newest(house, kind):
    return next(e.record for e in house.journal.read(kind=kind, newest_first=True))


def test_a_hold_takes_the_candidate_from_everybody_and_the_champion_answers(rolling):
    house, model = rolling
    before = house.traffic(model)
    said = hold(house, model, **KIM, now=LATER)
    now = house.traffic(model)
    assert (now.stage, now.candidates, now.champion) == ("steady", (), before.champion)
    assert now.held == "Kim: it doubles on Mondays"
    assert "nothing is rolled out until it is released" in said
    assert read_routes(house.settings.house / "routes.json").models[model.name].traffic == now
    word = newest(house, "Decision")
    assert (word.action, word.by, word.cause, word.because) == ("hold", "Kim", "held", ("it doubles on Mondays",))
    house.journal.verify()


def test_a_hold_outlives_the_process_and_is_told_by_status_history_why_and_explain(rolling):
    house, model = rolling
    hold(house, model, **KIM, now=LATER)
    house.store.close()
    again = open_house(house.project.path)
    assert again.traffic(model).held
    (standing,) = status(again)
    assert "held by Kim: it doubles on Mondays (everloop release" in str(standing)
    lines, _ = history(again, model)
    assert "nothing is rolled out until it is released (Kim: it doubles on Mondays)" in lines[-1]
    told, _ = why(again, again.traffic(model).id)
    assert any("Kim put a stop to roll-outs: it doubles on Mondays" in line for line in told)
    aloud = CliRunner().invoke(app, ["explain", "--project", str(house.project.path)])
    assert "Now it is held by Kim: it doubles on Mondays" in aloud.output
    again.store.close()


def test_while_it_is_held_a_turn_learns_nothing_and_says_why_whoever_asks(rolling):
    house, model = rolling
    hold(house, model, **KIM, now=LATER)
    for day, cause in ((1, "schedule"), (2, "demand"), (60, "schedule")):
        decision = turn(house, model, END + timedelta(days=day), cause)
        assert (decision.action, decision.cause) == ("hold", "held")
        assert "Kim: it doubles on Mondays" in decision.because[0]
    assert not house.traffic(model).rolling


@pytest.mark.parametrize("moment", ["after begin, not kept", "before begin", "before admit", "after judge, not kept", "kept snapshot"])
def test_a_turn_under_way_when_the_switch_comes_begins_nothing(opened, moment):
    house, model = opened("shop")
    pulled = []

    def pause(where):
        if where == moment and not pulled:
            pulled.append(hold(house, model, **KIM, now=LATER))

    with suppress(Overtaken):  # one that has begun nothing yet ends as any other
        turn(with_pause(house, pause), model, END)
    assert pulled
    if moment in ("after judge, not kept", "kept snapshot"):
        assert len(house.versions.all(model.name)) == 1, "what may not begin is not let in"
    traffic = house.traffic(model)
    assert (traffic.stage, traffic.candidates, bool(traffic.held)) == ("steady", (), True)
    assert turn(house, model, END + timedelta(days=1)).cause == "held"


def test_a_turn_that_would_go_a_step_on_is_overtaken_by_the_switch(rolling):
    house, model = rolling
    later = END + timedelta(days=40)

    def pause(where):
        if where == "after advance, not kept":
            hold(house, model, **KIM, now=later)

    with pytest.raises(Overtaken):
        turn(with_pause(house, pause), model, later)
    assert (house.traffic(model).stage, bool(house.traffic(model).held)) == ("steady", True)


def test_who_says_yes_while_it_is_held_is_told_so_and_the_question_waits_on(after):
    house, model = after(first_turn, "price")
    hold(house, model, **KIM, now=LATER)
    waiting = house.approvals.waiting(model.name)
    assert waiting, "nothing was taken back, so nothing is withdrawn"
    with pytest.raises(Overtaken, match="is held"):
        answer_question(house, model, True, by="Ann", reason="looks right", now=LATER)
    assert house.approvals.waiting(model.name) == waiting
    release(house, model, by="Ann", reason="all is well", now=LATER + HOUR)
    answer_question(house, model, True, by="Ann", reason="looks right", now=LATER + HOUR)
    assert house.traffic(model).stage == "canary"


def test_a_yes_to_learning_waits_as_well(rolling):
    house, model = rolling
    hold(house, model, **KIM, now=LATER)
    asked = Decision(id="d1", made_at=LATER, model=model.name, action="ask", because=("it drifted",), cause="drift", asks="retrain")
    with house.store.transaction() as t:
        keep_record(house, t, asked, model=model, turn=None, verb="decide")
    with pytest.raises(Overtaken, match="is held"):
        answer_question(house, model, True, by="Ann", reason="go on", now=LATER)
    assert [question.decision for question in house.approvals.waiting(model.name)] == ["d1"]
    answer_question(house, model, False, by="Ann", reason="no", now=LATER)
    assert not house.approvals.waiting(model.name)


def test_an_answer_to_a_question_that_waits_no_more_is_no_answer_to_another(after):
    house, model = after(first_turn, "price")
    (waiting,) = house.approvals.waiting(model.name)
    with pytest.raises(Overtaken, match="does not wait for an answer to 0123abcd any more"):
        answer_question(house, model, True, by="Ann", reason="looks right", now=LATER, question="0123abcd" * 2)
    assert house.approvals.waiting(model.name) == [waiting]
    answer_question(house, model, True, by="Ann", reason="looks right", now=LATER, question=waiting.decision)
    assert house.traffic(model).stage == "canary"


def test_undo_works_under_a_hold_and_leaves_it_in_force(tmp_path):
    shop = Shop(tmp_path, usual.but("offers", roll_out=canary(0.5, every=days(1)), roll_back_when=()))
    shop.day()
    hold(shop.house, shop.model, **KIM, now=shop.now)
    held = shop.traffic
    assert (held.stage, bool(held.held)) == ("bake", True)
    for _ in range(3):
        shop.day()
    assert shop.traffic == held, "a bake does not end while it is held"
    undo(shop.house, shop.model, by="Ann", reason="still odd", now=shop.now)
    assert (shop.traffic.champion, shop.traffic.held) == (held.previous, held.held)


def test_a_hold_that_takes_a_candidate_back_counts_as_a_roll_out_taken_back_and_others_do_not(rolling):
    house, model = rolling
    hold(house, model, **KIM, now=LATER)
    release(house, model, by="Kim", reason="it was the clock", now=LATER + HOUR)
    hold(house, model, **KIM, now=LATER + 2 * HOUR)
    figures = delivery_of(house, model.name, until=LATER + 3 * HOUR)
    assert (figures.failed, figures.undone, figures.deployments) == (1, 0, 0)


def test_a_share_by_hand_is_in_force_at_once_and_no_turn_moves_it_until_it_is_given_back(rolling):
    house, model = rolling
    set_share(house, model, 0.11, by="Kim", reason="slowly", now=LATER)
    assert read_routes(house.settings.house / "routes.json").models[model.name].traffic.share == 0.11
    word = newest(house, "Decision")
    assert (word.action, word.by) == ("share", "Kim")
    assert word.because[0].startswith("11 % instead of ")
    later = END + timedelta(days=40)
    decision = turn(house, model, later)
    assert decision.action == "hold"
    assert "set by hand (Kim: slowly)" in decision.because[-1]
    (standing,) = status(house)
    assert "11 % of the units, set by Kim: slowly (everloop share" in str(standing)
    set_share(house, model, None, by="Kim", reason="as planned", now=later)
    assert (house.traffic(model).by_hand, house.traffic(model).share) == (None, model.roll_out[-1].shares[0])


def test_units_are_still_compared_after_a_share_was_lowered_by_hand(tmp_path):
    shop = Shop(tmp_path, usual)
    for _ in range(3):
        shop.day()
    assert shop.traffic.share == 0.5
    set_share(shop.house, shop.model, 0.1, by="Kim", reason="slowly", now=shop.now)
    for _ in range(3):
        shop.day()
    trial = shop.trials()[-1]
    assert trial.mismatch < 1000, "whoever was let go is not taken for lost"
    assert shop.traffic.share == 0.1
    assert sum(e.candidate for e in trial.epochs) > 60


@pytest.mark.parametrize(("by", "reason"), [("", "because"), ("Kim", " ")])
def test_a_word_needs_a_name_and_a_reason(rolling, by, reason):
    house, model = rolling
    before = house.traffic(model)
    for said in (hold, release, lambda *g, **w: set_share(*g, 0.2, **w)):
        with pytest.raises(EverloopError, match="name and a reason"):
            said(house, model, by=by, reason=reason, now=LATER)
    assert house.traffic(model) == before


WORDS = {
    "undo": undo,
    "hold": hold,
    "release": release,
    "a share": lambda *given, **words: set_share(*given, 0.2, **words),
    "a step": go_on,
}


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_nobody_decides_who_answers_at_a_moment_before_it_was_decided_last(rolling, word):
    house, model = rolling
    before, kept = house.traffic(model), house.journal.head()
    with pytest.raises(ClockWentBack, match=r"Who answers for prices was decided at .* Nothing was done"):
        word(house, model, **KIM, now=before.made_at - timedelta(minutes=1))
    assert (house.traffic(model), house.journal.head()) == (before, kept)


def test_a_yes_given_before_the_question_is_refused_and_the_question_waits_on(after):
    house, model = after(first_turn, "price")
    for yes in (True, False):
        with pytest.raises(ClockWentBack):
            answer_question(house, model, yes, **KIM, now=house.traffic(model).made_at - timedelta(days=1))
    assert house.approvals.waiting(model.name)


def test_where_a_clock_was_ahead_the_kill_switch_works_all_the_same_by_the_clock_there_is(rolling):
    house, model = rolling
    set_share(house, model, 0.2, **KIM, now=wall() + timedelta(days=1))
    hold(house, model, **KIM, now=wall())
    assert house.traffic(model).held


def test_of_two_who_pull_the_switch_at_once_one_is_told_it_is_held(rolling):
    house, model = rolling
    hold(house, model, **KIM, now=LATER)
    held = house.traffic(model)
    with pytest.raises(EverloopError, match=r"held already \(Kim"):
        hold(house, model, by="Ann", reason="me too", now=LATER)
    assert house.traffic(model) == held


def test_a_model_that_has_not_begun_can_be_held(opened):
    house, model = opened("shop")
    hold(house, model, **KIM, now=END)
    assert house.traffic(model).held
    assert turn(house, model, END + HOUR).cause == "held"


def test_in_a_terminal(rolling):
    house, model = rolling
    where = ["--project", str(house.project.path), "--now", "2026-11-01T03:00Z"]
    run = CliRunner()
    told = run.invoke(app, ["share", model.name, "0.2", "--by", "Kim", "--reason", "slowly", *where])
    assert told.exit_code == 0
    assert "20 %" in told.output
    assert run.invoke(app, ["share", model.name, "lots", "--by", "Kim", "--reason", "slowly", *where]).exception
    assert run.invoke(app, ["hold", model.name, *where]).exit_code == 2, "as release and share, it asks who says so"
    told = run.invoke(app, ["hold", model.name, "--by", "Kim", "--reason", "odd", *where])
    assert told.exit_code == 0
    assert "until it is released" in told.output
    told = run.invoke(app, ["release", model.name, "--by", "Kim", "--reason", "done", *where])
    assert told.exit_code == 0
    assert house.traffic(model).held is None


def test_what_was_dropped_does_not_come_back_by_itself(rolling):
    house, model = rolling
    hold(house, model, **KIM, now=LATER)
    release(house, model, by="Kim", reason="done", now=LATER + HOUR)
    traffic = house.traffic(model)
    assert (traffic.stage, traffic.candidates, traffic.held) == ("steady", (), None)
    kinds = [type(e.record) for e in house.journal.read(newest_first=True, limit=2)]
    assert kinds == [Traffic, Decision]
