"""The controller: takes errands in order, carries each out once, asks for what is due, and lets go in good order."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

import everloop
from everloop.errors import ClockWentBack, EverloopError, HouseBusy, HouseFull, LearnerFailed, Overtaken, UnderWay, Unknown
from everloop.loop.control import chores, controller
from everloop.loop.control import errands as wishes
from everloop.loop.control.controller import control
from everloop.loop.control.errands import ask, awaited, came_of, carry_out, controller_of
from everloop.loop.control.joined import given_back, joined
from everloop.loop.control.leading import Leading
from everloop.loop.house import open_house
from everloop.loop.keep import Cancelled
from everloop.loop.turn import turn
from everloop.registry.claims import Claims
from everloop.registry.errands import Errands
from everloop.registry.leases import Leases
from everloop.serving.refused import refusal
from tests.ring.conftest import END
from tests.waiting import until

LONG = 180  # seconds, on a machine that has other things to do
HOUR = timedelta(hours=1)
TICK = END - HOUR  # midnight in Berlin, when demand is asked


@contextmanager
def controlled(house, **words):
    """A controller of this house in a thread; what it told, and what it raised."""
    stop, told, raised = threading.Event(), [], []

    def run():
        try:
            control(house, stop=stop, told=lambda line: None if line.endswith("leads this house.") else told.append(line), **words)
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: raised or controller_of(house))
        yield told, raised
    finally:
        stop.set()
        thread.join(LONG)
        assert not thread.is_alive()


@pytest.fixture
def turned(opened):
    """A house whose business time is what requests say, so that nothing is due by itself."""

    def house(kind="shop", change=lambda text: text):
        made, _ = opened(kind, change)
        made.store.close()
        made = open_house(made.project.path, turned=True)
        return made, next(iter(made.project.models.values()))

    return house


def test_errands_are_carried_out_in_the_order_they_were_asked(turned):
    house, model = turned()
    wanted = [("turn", END), ("score", END), ("turn", END + HOUR), ("score", END + HOUR)]
    ids = [ask(house, verb, model.name, now).id for verb, now in wanted]
    with controlled(house) as (told, _):
        done = [awaited(house, id, LONG) for id in ids]
    assert [line.split(": ")[0] for line in told] == ["demand turned (demand), retrain", "demand turned (demand), hold"]
    assert [e.state for e in done] == ["done"] * 4
    assert [e.done_at for e in done] == sorted(e.done_at for e in done)
    said = [came_of(e) for e in done]
    assert said[0]["decision"] in {e.record.id for e in house.journal.read(kind="Decision")}
    assert said[0]["action"] == "retrain"
    assert said[0]["sentence"].startswith("demand: ")
    assert said[1] == {"answers": 40}
    assert controller_of(house) is None


def test_the_same_wish_is_carried_out_once_whoever_asks(turned, monkeypatch):
    house, model = turned()
    calls = []
    monkeypatch.setattr(controller, "carry_out", lambda house, errand: calls.append(errand.id) or "{}")
    with controlled(house):
        ids = {ask(house, "turn", model.name, END.astimezone(tz)).id for tz in (UTC, None) for _ in range(3)}
        assert len(ids) == 1
        awaited(house, *ids, LONG)
        assert ask(house, "turn", model.name, END).state == "done"
    assert calls == list(ids)


def test_models_are_beside_each_other_and_errands_of_one_never(turned, monkeypatch):
    house, model = turned()
    names = ["a", "b", "c"]
    house.project.models.update({name: model.but(name) for name in names})
    busy, most, together, lock = [], [], [], threading.Lock()

    def slowly(house, errand):
        with lock:
            together.append(errand.model in busy)
            busy.append(errand.model)
            most.append(len(busy))
        time.sleep(0.05)
        with lock:
            busy.remove(errand.model)
        return "{}"

    monkeypatch.setattr(controller, "carry_out", slowly)
    with controlled(house):
        ids = [ask(house, "turn", name, END + i * HOUR).id for i in range(4) for name in names]
        for id in ids:
            assert awaited(house, id, LONG).state == "done"
    assert not any(together)
    assert max(most) == house.settings.workers.beside == 2


def test_a_second_worker_joins_and_leads_as_soon_as_the_first_has_gone(turned):
    house, _ = turned()
    other = open_house(house.project.path, turned=True)
    with joined(other) as second:
        lead = Leading(other, second, print, threading.Event())
        with controlled(house):
            first = controller_of(house).holder
            lead.look()
            assert not lead.leads
            with pytest.raises(Overtaken, match="Another process leads"), lead.house.store.transaction():
                pass
        lead.look()
        assert lead.leads
        assert controller_of(house).holder == second.name != first
        with lead.house.store.transaction():
            pass
    assert controller_of(house) is None
    other.store.close()


def test_what_a_turn_fails_with_is_said_and_raised_again_where_it_is_awaited(turned):
    house, model = turned("shop", lambda text: text.replace("max_iter=60", "max_iter=-1"))
    with controlled(house) as (told, _):
        failed = awaited(house, ask(house, "turn", model.name, END).id, LONG)
        after = awaited(house, ask(house, "score", model.name, END).id, LONG)
    assert failed.state == "failed"
    with pytest.raises(LearnerFailed, match="max_iter"):
        came_of(failed)
    assert came_of(after) == {"answers": 40}
    assert any("The turn of demand failed" in line for line in told)


def test_a_clock_set_back_fails_the_errand_with_what_it_is(turned):
    house, model = turned()
    with controlled(house):
        awaited(house, ask(house, "turn", model.name, END + HOUR).id, LONG)
        with pytest.raises(ClockWentBack, match="Nothing was done"):
            came_of(awaited(house, ask(house, "turn", model.name, END).id, LONG))


def test_a_busy_house_is_tried_again(turned, monkeypatch):
    house, model = turned()
    monkeypatch.setattr(controller, "BUSY_AGAIN", (0.01, 0.01, 0.01))
    tries = []

    def busy(house, errand):
        tries.append(errand.id)
        if len(tries) < 3:
            raise HouseBusy("Another process is turning demand.")
        return carry_out(house, errand)

    monkeypatch.setattr(controller, "carry_out", busy)
    with controlled(house):
        assert awaited(house, ask(house, "score", model.name, END).id, LONG).state == "done"
        assert len(tries) == 3
        tries.extend([""] * -10)
        monkeypatch.setattr(controller, "carry_out", lambda *_: (_ for _ in ()).throw(HouseBusy("Another process is turning demand.")))
        given_up = awaited(house, ask(house, "turn", model.name, END).id, LONG)
    with pytest.raises(HouseBusy, match="turning demand"):
        came_of(given_up)


def test_nobody_is_waited_for_where_nobody_turns_the_house(turned, monkeypatch):
    house, model = turned()
    monkeypatch.setattr(wishes, "GIVE_UP", 0.05)
    monkeypatch.setattr(wishes, "controller_of", lambda _house: None)
    errand = ask(house, "turn", model.name, END)
    with pytest.raises(UnderWay, match=r"Nobody turns this house: start everloop run.* is waiting; whoever comes carries it out"):
        awaited(house, errand.id, LONG)


def test_waiting_has_an_end_and_the_errand_stays(turned, monkeypatch):
    house, model = turned()
    errand = ask(house, "turn", model.name, END)
    monkeypatch.setattr(wishes, "controller_of", lambda _house: "somebody")
    with pytest.raises(HouseBusy, match=r"not done within 0\.05 seconds; it is waiting"):
        awaited(house, errand.id, 0.05)
    assert Errands(house.store).unfinished() == [errand]


def test_an_unknown_model_or_an_instant_without_a_zone_is_no_errand(turned):
    house, model = turned()
    with pytest.raises(Unknown, match="model 'demnd'"):
        ask(house, "turn", "demnd", END)
    with pytest.raises(EverloopError, match="no time zone"):
        ask(house, "turn", model.name, datetime(2026, 11, 1))
    with pytest.raises(Unknown, match="errand"):
        awaited(house, "nobody", 1)


def test_deleting_runs_db_loses_nothing_and_a_broken_one_is_made_anew(turned):
    house, model = turned()
    ids = [ask(house, "score", model.name, END).id]
    with controlled(house):
        awaited(house, ids[0], LONG)
    runs = house.settings.house / "runs.db"
    for name in ("runs.db", "runs.db-wal", "runs.db-shm"):
        runs.with_name(name).unlink(missing_ok=True)
    ids.append(ask(house, "score", model.name, END + HOUR).id)
    with controlled(house) as (told, _):
        assert awaited(house, ids[1], LONG).state == "done"
        assert told == []
    runs.write_bytes(b"this is no database, " * 500)
    ids.append(ask(house, "score", model.name, END + 2 * HOUR).id)
    with controlled(house) as (told, _):
        assert awaited(house, ids[2], LONG).state == "done"
    assert "made anew" in told[0]


def test_what_has_ended_leaves_runs_db(turned):
    house, model = turned()
    with controlled(house):
        for hour in range(3):
            awaited(house, ask(house, "score", model.name, END + hour * HOUR).id, LONG)
        until(lambda: not controller.DBOS.list_workflows(status="PENDING"))
        assert len(controller.DBOS.list_workflows()) == 3
        controller.forget_ended()
        assert controller.DBOS.list_workflows() == []


def test_an_errand_whose_run_is_lost_in_runs_db_is_begun_again(turned, monkeypatch):
    """The mutant beside it: without looking again it would wait for ever."""
    house, model = turned()
    monkeypatch.setattr(controller, "FORGOTTEN", 0.2)
    begin, lost = controller._begin, []

    def forgetful(id):
        if not lost:
            lost.append(id)
            return
        begin(id)

    monkeypatch.setattr(controller, "_begin", forgetful)
    with controlled(house):
        assert awaited(house, ask(house, "score", model.name, END).id, LONG).state == "done"
    assert lost


@pytest.fixture
def unkept(monkeypatch):
    """The ends of errands cannot be kept until ``well`` is set; says when each was tried."""
    tried, well, finish = [], threading.Event(), Errands.finish

    def full(self, *words):
        tried.append(time.monotonic())
        if not well.is_set():
            raise HouseFull("The disk is full.")
        return finish(self, *words)

    monkeypatch.setattr(Errands, "finish", full)
    monkeypatch.setattr(controller, "carry_out", lambda house, errand: "{}")
    return tried, well


def test_an_errand_whose_end_cannot_be_kept_is_put_off_and_not_blamed(turned, unkept, monkeypatch):
    tried, well = unkept
    monkeypatch.setattr(controller, "UNKEPT_AGAIN", (0.1, 0.2, 0.4))
    house, model = turned()
    errand = ask(house, "turn", model.name, END)
    with controlled(house) as (told, _):
        until(lambda: len(tried) > 3)
        assert Errands(house.store).find(errand.id).takeovers == 0, "no worker has died over it"
        well.set()
        assert awaited(house, errand.id, LONG).state == "done"
    pauses = [after - before for before, after in pairwise(tried)]
    assert all(pause >= wanted for pause, wanted in zip(pauses, (0.1, 0.2, 0.4, 0.4), strict=False))
    assert "could not be kept (The disk is full.). It is begun again in 0.1 s." in told[0]


def test_what_was_put_off_rests_and_without_its_rest_is_begun_at_once(turned):
    house, model = turned()
    errand = ask(house, "turn", model.name, END)
    work = controller.Errandry(house, SimpleNamespace(fence=lambda _t: None, lost=threading.Event(), store=house.store, name="me"), print)
    with house.store.transaction() as t:
        [claim] = Claims(house.store).take(t, "me", most=1)
    work.claims[claim.id] = claim
    begun = []
    for times in (1, 2, 3, 4):
        work._put_off(errand, HouseFull("The disk is full."))
        rests = work.unkept[errand.id].until - time.monotonic()
        assert controller.UNKEPT_AGAIN[min(times, 3) - 1] - 0.5 < rests <= controller.UNKEPT_AGAIN[min(times, 3) - 1]
    work._begin_some(begun.append)
    assert begun == []
    work.unkept.clear()  # the mutant that does not rest
    work._begin_some(begun.append)
    assert begun == [errand.id]


def test_an_errand_that_was_cancelled_is_a_conflict_for_whoever_waits_for_it(turned):
    house, model = turned()
    errand = ask(house, "turn", model.name, END)
    with house.store.transaction() as t:
        ended = Errands(house.store).finish(t, errand.id, "cancelled", wishes.said_of(Cancelled("Kim ended it.")), END)
    with pytest.raises(Overtaken, match=r"Kim ended it\.") as raised:
        came_of(ended)
    assert refusal(raised.value).status == 409


def test_errands_of_long_ago_are_forgotten(turned):
    house, model = turned()
    now = END + timedelta(days=100)
    with house.store.transaction() as t:
        for days in (0, 60, 80):
            errand = ask(house, "score", model.name, END + timedelta(days=days), within=t)
            Errands(house.store).finish(t, errand.id, "done", "{}", END + timedelta(days=days))
    assert chores.forget_errands(house, now, timedelta(days=30)) == 2
    assert chores.forget_errands(house, now + timedelta(days=100), timedelta(days=30)) == 0, "the latest tells what was asked for already"


def test_an_errand_that_kills_its_workers_is_given_up(turned):
    house, model = turned()
    poison = ask(house, "turn", model.name, END)
    for n in range(controller.MOST_TAKEOVERS):
        with house.store.transaction() as t:
            Claims(house.store).take(t, f"worker {n}", most=1)
            assert [e.takeovers for e in Claims(house.store).take_over(t, f"worker {n}")] == [n + 1]
    with house.store.transaction() as t:  # what the last one had open
        from everloop.loop.keep import turn_id
        from everloop.registry.turns import Turn

        left = Turn(id=turn_id(model, END, "demand"), model=model.name, now=END, cause="demand", started_at=END)
        house.turns.open(t, left)
    with controlled(house):
        given_up = awaited(house, poison.id, LONG)
        after = awaited(house, ask(house, "turn", model.name, END + HOUR).id, LONG)
    with pytest.raises(EverloopError, match="5 workers have died over it"):
        came_of(given_up)
    assert after.state == "done"
    assert house.turns.find(left.id).state == "cancelled"
    assert house.turns.opened(model.name) is None


def test_a_controller_that_stops_leaves_a_turn_open_and_the_next_one_finishes_it(turned):
    house, model = turned()
    slow = threading.Event()

    def pause(moment):
        if moment == "after rehearse, not kept":
            slow.set()
            time.sleep(0.4)

    from everloop.loop.house import with_pause

    errand = ask(house, "turn", model.name, END)
    with controlled(with_pause(house, pause), grace=0.05):
        assert slow.wait(LONG)
    left = Errands(house.store).find(errand.id)
    assert (left.state, left.taken) == ("waiting", 0)
    assert house.turns.opened(model.name).now == END
    kept = [e.verb for e in house.journal.read(turn=house.turns.opened(model.name).id)]
    assert "train" in kept
    assert "begin" not in kept
    with controlled(house):
        assert awaited(house, errand.id, LONG).state == "done"
    assert len([e for e in house.journal.read(kind="Version") if e.record.number > 0]) == 1
    house.journal.verify()


def test_who_was_replaced_keeps_nothing_any_more_and_says_so(turned):
    """The zombie: it slept in the middle of a turn while another one took the lease."""
    house, model = turned()
    heads = []

    def pause(moment):
        if moment == "after judge, not kept":
            with house.store.transaction() as t:
                take_over(house, t)
            heads.append(house.journal.head())

    from everloop.loop.house import with_pause

    errand = ask(house, "turn", model.name, END)
    with controlled(with_pause(house, pause)) as (_, raised):
        until(lambda: raised)
    assert isinstance(raised[0], Overtaken)
    assert house.journal.head() == heads[0]
    assert house.turns.opened(model.name) is not None  # not even its end is written
    left = Errands(house.store).find(errand.id)
    assert (left.state, left.takeovers, left.holder) == ("waiting", 1, None)
    assert not [e for e in house.journal.read(kind="Version") if e.record.number > 0]


def test_without_the_fence_the_zombie_would_publish(turned):
    """The mutant of the test above: the same turn, the same take-over, and no fence."""
    from everloop.loop.house import with_pause

    house, model = turned()

    def pause(moment):
        if moment == "after judge, not kept":
            with house.store.transaction() as t:
                take_over(house, t)

    turn(with_pause(house, pause), model, END)
    assert [e for e in house.journal.read(kind="Version") if e.record.number > 0]


def take_over(house, t):
    """What another worker does that has watched this one for as long as a lease lasts."""
    [holder] = {lease.holder for lease in Leases(house.store).all(within=t)} or {""}
    given_back(house.store, t, holder)
    Claims(house.store).take_over(t, holder)


def test_a_tick_is_asked_for_once_turn_first_and_a_clock_set_back_is_told_once(opened):
    house, _ = opened("shop")
    told = []
    schedule = chores.Schedule(house, told.append)
    errands = Errands(house.store)
    assert schedule.look(END) == 1
    assert [(e.verb, e.now, e.cause) for e in errands.unfinished()] == [("turn", TICK, "schedule"), ("score", TICK, "schedule")]
    assert schedule.look(END + HOUR) == 0
    assert chores.Schedule(house, told.append).look(END + HOUR) == 0  # and not by the next controller either
    assert schedule.look(TICK - HOUR) == schedule.look(TICK - HOUR) == 0
    assert len(told) == 1
    assert "nothing is due until it has passed" in told[0]
    schedule.look(END + timedelta(days=30))
    assert len(errands.unfinished()) == 4  # one tick for a month away, no storm


def test_a_person_who_turned_later_than_the_tick_is_not_turned_back(opened):
    house, model = opened("shop")
    turn(house, model, END + HOUR)
    schedule = chores.Schedule(house, print)
    schedule.look(END + 2 * HOUR)
    assert [(e.verb, e.now) for e in Errands(house.store).unfinished()] == [("score", END + HOUR)]


def test_on_a_turned_house_nothing_is_due_by_itself(turned):
    house, _ = turned()
    assert chores.Schedule(house, print).look(END + timedelta(days=30)) == 0
    assert Errands(house.store).unfinished() == []


def test_a_scheduled_turn_that_fails_is_news_for_a_person(turned):
    house, model = turned("shop", lambda text: text.replace("max_iter=60", "max_iter=-1"))
    with controlled(house):
        awaited(house, ask(house, "turn", model.name, END, "schedule").id, LONG)
    kept = house.outbox.waiting()
    assert any("the turn for 2026-11-01 00:00 UTC failed" in k.alert.sentence for k in kept)


def test_a_chore_that_fails_is_told_once_and_again_after_it_went_well():
    told, states = [], iter([OSError("full"), OSError("full"), None, OSError("full")])
    jobs = chores.Chores(None, told.append)

    def chore():
        if error := next(states):
            raise error

    for _ in range(4):
        jobs.do("seal events", 0.0, chore)
    assert told == ["Could not seal events: full"] * 2


def test_events_are_sealed_when_they_have_been_hot_for_long_enough(opened, monkeypatch):
    from everloop.lake.place import table_of
    from everloop.loop.arrivals import receive_rows

    house, _ = opened("shop")
    clock = [time.monotonic()]
    monkeypatch.setattr(chores, "monotonic", lambda: clock[0])
    sealing = chores.Sealing(house)

    def look(seconds):
        clock[0] += seconds
        sealing.look()
        return house.lake.tables.marker(table_of("orders"), "everloop")

    look(0)
    at_first = look(chores.LONGEST_HOT)
    receive_rows(house, "orders", [{"line_id": "new", "ordered_at": END, "product_id": "p1", "quantity": 1, "price": 1}], now=END + HOUR)
    assert look(1) == at_first
    assert look(chores.LONGEST_HOT - 1) == at_first
    assert look(2) == at_first + 1 == house.lake.log.counters("orders").last_seq


def test_only_the_controller_knows_dbos():
    root = Path(everloop.__file__).parent
    knows = [p.relative_to(root).as_posix() for p in root.rglob("*.py") if "import DBOS" in p.read_text() or "from dbos" in p.read_text()]
    assert knows == ["loop/control/controller.py"]


def test_dbos_says_nothing_and_keeps_plain_json(turned, capfd):
    house, model = turned()
    with controlled(house):
        errand = awaited(house, ask(house, "score", model.name, END).id, LONG)
        until(lambda: controller.DBOS.list_workflows(status="SUCCESS"))
    assert capfd.readouterr() == ("", "")
    file = sqlite3.connect(house.settings.house / "runs.db")
    names = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    kept = [value for name in names for row in file.execute(f'SELECT * FROM "{name}"') for value in row if isinstance(value, str)]
    file.close()
    assert "portable_json" in kept
    assert [json.loads(value)["positionalArgs"] for value in kept if value.startswith("{") and "positionalArgs" in value] == [[errand.id]]
    assert not [value for value in kept if value.startswith("gAS")]  # a pickle, as DBOS would write it by itself


def test_who_comes_to_lead_says_so_once(opened):
    from everloop.loop.control.joined import joined
    from everloop.loop.control.leading import Leading

    house, _ = opened("shop")
    told = []
    with joined(house) as mine:
        lead = Leading(house, mine, told.append, threading.Event())
        for _ in range(3):
            lead.look()
    assert [line.partition(" on ")[2].partition(" ")[2] for line in told] == ["leads this house."]
