"""The controller: the one process that turns a house. It takes errands, in order, and carries them out on DBOS; and it does the chores.

In: a house, and an event that tells it to stop. Out: what the errands do to the house. This is the only file that knows DBOS. DBOS
carries one workflow, ``errand(id)``: what it has begun and not ended in ``runs.db`` it begins again after a crash. ``runs.db`` is the truth
of nothing: what is to be done stands in house.db, so the file may be deleted at any time, and one that is broken is.

Never two errands of one model at once, and ``BESIDE`` models beside each other. Workflows are begun directly and not put on a queue of
DBOS: its queues are polled, which costs 19 % of a core for 27 ms of delay, or 500 ms of delay for 2 %; this costs neither.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dbos import DBOS, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy.exc import SQLAlchemyError

from everloop.clock import monotonic, wall
from everloop.errors import EverloopError, HouseBusy, Overtaken, StoreError
from everloop.loop.answers import seal_answers
from everloop.loop.control.chores import (
    Chores,
    Routes,
    Schedule,
    Sealing,
    Tiles,
    deliver_alerts,
    finish_forgetting,
    forget_errands,
    look_for_skew,
    tell_incidents_again,
)
from everloop.loop.control.errands import carry_out, said_of
from everloop.loop.control.gauges import Gauges
from everloop.loop.control.held import Held, held
from everloop.loop.house import House
from everloop.loop.keep import Cancelled, Interrupted
from everloop.loop.news.again import EVERY
from everloop.loop.serve.routes import spread
from everloop.records import Alert
from everloop.registry.errands import Errand, Errands
from everloop.registry.errands import State as ErrandState
from everloop.sql.engine import BUSY_SECONDS
from everloop.sql.wal import write_ahead

FORM = "1"
"""The format of what runs.db keeps. Another number: what an older release had begun is begun anew from house.db."""
BESIDE = 2
LOOK_EVERY = 0.02
MOST_TAKES = 3
FORGOTTEN = 20.0
"""Seconds after which an errand that was begun and is not carried out is begun once more."""
BUSY_AGAIN = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait before an errand is tried again that found the house busy."""
UNKEPT_AGAIN = (1.0, 5.0, 30.0)
"""Seconds before an errand is begun again whose beginning or end could not be kept: the first time, the second, and from then on."""
LAST_BREATH = 3.0


def control(house: House, *, stop: threading.Event, told: Callable[[str], None] = print, grace: float = 5.0) -> None:
    """Turn a house until ``stop`` is set: carry out errands, ask for what is due, do the chores.

    On ``stop`` no errand is begun any more; what is under way has ``grace`` seconds, then its children are ended and its turn stays open
    for the next controller. Work in this very process that does not end is left behind in its thread, unable to keep anything: a process
    that wants to be gone then calls ``os._exit``.

    Raises HouseBusy where another controller turns the house, Overtaken where one took it over (nothing was kept since).
    """
    with held(house, told) as mine:
        work = Errandry(house, mine, told)
        threads = [
            threading.Thread(target=beside, name=f"everloop {beside.__name__}", daemon=True)
            for beside in (work.chores, work.post, work.meter, *((work.mirror, work.contests) if house.settings.mlflow else ()))
        ]
        with launched(house.settings.house / "runs.db", work.carry, told) as begin:
            for thread in threads:
                thread.start()
            try:
                work.feed(begin, stop)
            finally:
                work.wind_up(grace)
                for thread in threads:
                    thread.join(LAST_BREATH)
    if mine.lost.is_set():
        raise Overtaken("Another controller turns this house now. This one has stopped; nothing was kept since it was replaced.")


@dataclass(frozen=True)
class Unkept:
    """How often in a row an errand's beginning or end could not be kept, and until when (monotonic) it is left alone."""

    times: int
    until: float


@dataclass
class Errandry:
    """The errands under way in this process, model by model; what feeds, carries and ends them."""

    opened: House
    held: Held
    told: Callable[[str], None]
    running: dict[str, str] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)
    begun: dict[str, float] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    unkept: dict[str, Unkept] = field(default_factory=dict)
    woken: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    ending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.house = replace(self.opened, fence=self.held.fence, ended=self._ended)
        self.errands = Errands(self.house.store)

    def _ended(self) -> BaseException | None:
        if self.ending.is_set() or self.held.lost.is_set():
            return Interrupted("The controller ends.")
        return None

    # -- feeding --

    def feed(self, begin: Callable[[str], None], stop: threading.Event) -> None:
        """Begin errands in the order they were asked until told to stop, or overtaken."""
        schedule, chores = Schedule(self.house, self.told), Chores(self.house, self.told)
        look, again = partial(self._begin_some, begin), partial(self._begin_again, begin)
        with closing(_Changes(self.house.settings.registry)) as changes:
            while not (stop.is_set() or self.held.lost.is_set()):
                chores.do("ask for what is due", 1.0, lambda: schedule.look(wall()))
                if changes.seen() or self.woken.is_set():
                    self.woken.clear()
                    chores.next.pop("take errands", None)
                chores.do("take errands", 1.0, look)
                chores.do("begin errands again", 5.0, again)
                self.woken.wait(LOOK_EVERY)

    def _begin_some(self, begin: Callable[[str], None]) -> None:
        there = self.errands.unfinished()
        resting = {e.model for e in there if e.id in self.unkept and monotonic() < self.unkept[e.id].until}
        # What was taken before a crash comes first: DBOS may have begun it again already.
        for errand in sorted(there, key=lambda e: e.state == "waiting"):
            if errand.model in self.running or errand.model in resting:
                continue
            if len(self.running) >= BESIDE:
                break
            self.running[errand.model], self.begun[errand.id] = errand.id, monotonic()
            try:
                begin(errand.id)
            except BaseException:
                self.running.pop(errand.model, None)
                raise

    def _begin_again(self, begin: Callable[[str], None]) -> None:
        """What DBOS said it had begun, or would begin again, and did not: nothing waits for ever because of runs.db."""
        for id in list(self.running.values()):
            if id not in self.carried and monotonic() - self.begun.get(id, 0.0) > FORGOTTEN:
                self.begun[id] = monotonic()
                DBOS.delete_workflow(id)
                begin(id)

    # -- carrying --

    def carry(self, id: str) -> None:
        """The body of the one workflow: carry out an errand, and remember what came of it. Raises Interrupted where the process ends."""
        errand = self.errands.find(id)
        if errand is None or errand.ended or id in self.carried:
            self._done(errand, id)
            return
        self.carried.add(id)
        try:
            self._carry(errand)
        except Exception as error:
            self._put_off(errand, error)
            raise
        else:
            self.unkept.pop(id, None)
            self.taken.discard(id)
        finally:
            self.carried.discard(id)
            self._done(errand, id)

    def _put_off(self, errand: Errand, error: Exception) -> None:
        """Its beginning or its end could not be kept. At once that would only fail again, and all it did would be done in vain."""
        times = self.unkept[errand.id].times + 1 if errand.id in self.unkept else 1
        pause = UNKEPT_AGAIN[min(times, len(UNKEPT_AGAIN)) - 1]
        self.unkept[errand.id] = Unkept(times, monotonic() + pause)
        if not self.held.lost.is_set():
            self.told(f"The {errand.verb} of {errand.model} could not be kept ({error}). It is begun again in {pause:g} s.")

    def _done(self, errand: Errand | None, id: str) -> None:
        if errand is not None and id not in self.carried and self.running.get(errand.model) == id:
            self.running.pop(errand.model)
        self.begun.pop(id, None)
        self.woken.set()

    def _carry(self, errand: Errand) -> None:
        if errand.taken >= MOST_TAKES and errand.id not in self.taken:
            self._give_up(errand)
            return
        if self.stopping.is_set():
            raise Interrupted("The controller ends.")
        self._take(errand)
        try:
            said = self._patiently(errand)
        except Interrupted:
            with suppress(StoreError), self.house.store.transaction() as t:
                self.house.fence(t)
                self.errands.give_back(t, errand.id)
            raise
        except Cancelled as error:
            self._finish(errand, "cancelled", said_of(error))
        except Exception as error:
            if self.held.lost.is_set():
                raise Interrupted("Another controller turns this house.") from error
            self._finish(errand, "failed", said_of(error), error)
        else:
            self._finish(errand, "done", said)

    def _take(self, errand: Errand) -> None:
        """Begin it. What this controller began before it did not die of, so that is not counted again."""
        if errand.id in self.taken:
            return
        with self.house.store.transaction() as t:
            self.house.fence(t)
            self.errands.take(t, errand.id)
        self.taken.add(errand.id)

    def _patiently(self, errand: Errand) -> str:
        for pause in BUSY_AGAIN:
            try:
                return self._carried_out(errand)
            except HouseBusy:
                if self.stopping.wait(pause):
                    raise Interrupted("The controller ends.") from None
        return self._carried_out(errand)

    def _carried_out(self, errand: Errand) -> str:
        before = self.house.pointers.current(errand.model)
        said = carry_out(self.house, errand)
        now = self.house.pointers.current(errand.model)
        if now is not None and now != before:
            # Who waits for a turn wants to be answered by it: it is done when the workers do so.
            spread(self.house, errand.model, now.generation)
        return said

    def _finish(self, errand: Errand, state: ErrandState, said: str, error: Exception | None = None) -> None:
        with self.house.store.transaction() as t:
            self.house.fence(t)
            self.errands.finish(t, errand.id, state, said, wall())
            if error is not None and errand.cause == "schedule":
                # Nobody waits for the answer of a schedule: somebody has to be told.
                model = self.house.project.models.get(errand.model)
                key = f"{errand.model}/{errand.verb} failed/{type(error).__name__}/{errand.now:%Y-%m-%d}"
                sentence = f"{errand.model}: the {errand.verb} for {errand.now:%Y-%m-%d %H:%M} UTC failed: {error}"
                owner = model.owner if model else None
                self.house.outbox.put(t, Alert(model=errand.model, severity="warning", sentence=sentence, owner=owner, key=key), at=wall())
        if error is not None:
            what = error if isinstance(error, EverloopError) else f"{type(error).__name__}: {error}"
            self.told(f"The {errand.verb} of {errand.model} failed: {what}")

    def _give_up(self, errand: Errand) -> None:
        """An errand that took its controller with it too often: it is failed, and its turn not gone on with."""
        why = f"{errand.taken} controllers have died over it; it is not tried again."
        with self.house.store.transaction() as t:
            self.house.fence(t)
            left = self.house.turns.opened(errand.model, within=t)
            if left is not None and errand.verb == "turn":
                self.house.turns.finish(t, left.id, at=wall(), state="cancelled")
        self._finish(errand, "failed", said_of(EverloopError(why)), EverloopError(why))

    # -- beside and afterwards --

    def chores(self) -> None:
        """What is done beside the turns, in a thread of its own."""
        house, chores = self.house, Chores(self.house, self.told)
        routes, sealing, tiles, gauges = Routes(house), Sealing(house), Tiles(house), Gauges(house)
        while not (self.stopping.is_set() or self.held.lost.is_set()):
            chores.do("write the routes", 1.0, routes.look)
            chores.do("keep tiles", 2.0, tiles.look)
            chores.do("seal answers", 5.0, lambda: seal_answers(house))
            chores.do("seal events", 5.0, sealing.look)
            chores.do("write gauges", 5.0, lambda: gauges.look(wall()))
            chores.do("clear runs.db", 60.0, forget_ended)
            chores.do("forget old errands", 3600.0, lambda: forget_errands(house, wall()))
            self.stopping.wait(0.2)

    def post(self) -> None:
        """Alerts on their way to people; an address that hangs holds up no chore."""
        chores = Chores(self.house, self.told)
        while not (self.stopping.is_set() or self.held.lost.is_set()):
            chores.do("deliver alerts", 2.0, lambda: deliver_alerts(self.house))
            chores.do("tell Alertmanager of incidents again", EVERY.total_seconds(), lambda: tell_incidents_again(self.house))
            self.stopping.wait(0.2)

    def meter(self) -> None:
        """What takes long and must hold up nothing else: the daily look at skew, which reads a day's answers again, and forgetting
        somebody where whoever began it died."""
        chores = Chores(self.house, self.told)
        while not (self.stopping.is_set() or self.held.lost.is_set()):
            chores.do("look for skew", 600.0, lambda: look_for_skew(self.house, wall()))
            chores.do("finish forgetting", 20.0, lambda: finish_forgetting(self.house))
            self.stopping.wait(1.0)

    def mirror(self) -> None:
        """What MLflow is told; a server that is down or slow holds up nothing else."""
        from everloop.loop.mirror import mirror

        chores = Chores(self.house, self.told)
        while not (self.stopping.is_set() or self.held.lost.is_set()):
            chores.do("tell MLflow", 5.0, lambda: mirror(self.house))
            self.stopping.wait(0.5)

    def contests(self) -> None:
        """What MLflow asks for; a contest may take an hour, and the mirror goes on meanwhile."""
        from everloop.loop.control.contests import hold_contests

        chores = Chores(self.house, self.told)
        while not (self.stopping.is_set() or self.held.lost.is_set()):
            chores.do("see what MLflow asks for", 30.0, lambda: hold_contests(self.house, self.told))
            self.stopping.wait(0.5)

    def wind_up(self, grace: float) -> None:
        """Begin nothing any more; wait for what is under way; after ``grace`` seconds end its children and leave its turns open."""
        self.stopping.set()
        self._wait(grace if not self.held.lost.is_set() else 0.0)
        self.ending.set()
        self._wait(LAST_BREATH)
        for model in list(self.running):
            self.told(f"The errand of {model} does not end; it is left behind and cannot keep anything.")

    def _wait(self, seconds: float) -> None:
        until = monotonic() + seconds
        while self.running and monotonic() < until:
            self.woken.wait(LOOK_EVERY)
            self.woken.clear()


class _Changes:
    """Whether somebody has written to house.db since one last looked: some microseconds on SQLite; on Postgres it may always be so."""

    def __init__(self, registry: str) -> None:
        file = registry.removeprefix("sqlite:///")
        self.file = sqlite3.connect(file) if file != registry and file not in ("", ":memory:") else None
        self.version, self.next = -1, 0.0

    def seen(self) -> bool:
        if self.file is None:
            if monotonic() < self.next:
                return False
            self.next = monotonic() + 5 * LOOK_EVERY
            return True
        before, self.version = self.version, self.file.execute("PRAGMA data_version").fetchone()[0]
        return bool(before != self.version)

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


# -- DBOS ------------------------------------------------------------------------------------------------------------------------------


@contextmanager
def launched(runs: Path, work: Callable[[str], None], told: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """DBOS over ``runs.db`` with its one workflow; gives what begins an errand by its id. What an earlier process had begun goes on."""
    quiet = logging.getLogger("dbos")
    quiet.propagate = False
    if not quiet.handlers:
        quiet.addHandler(logging.NullHandler())
    try:
        _launch(runs, work)
    except (SQLAlchemyError, sqlite3.Error) as error:
        told(f"runs.db cannot be read ({str(error).splitlines()[0]}); it is made anew. Nothing is lost: what is to be done is in house.db.")
        DBOS.destroy(destroy_registry=True)
        for name in ("runs.db", "runs.db-wal", "runs.db-shm"):
            runs.with_name(name).unlink(missing_ok=True)
        _launch(runs, work)
    try:
        yield _begin
    finally:
        DBOS.destroy(destroy_registry=True)


def _launch(runs: Path, work: Callable[[str], None]) -> None:
    runs.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(runs)) as file:
        write_ahead(file, BUSY_SECONDS)
    DBOS(
        config={
            "name": "everloop",
            "system_database_url": f"sqlite:///{runs}",
            "application_version": FORM,
            "executor_id": "controller",  # the same after a restart, so that what was begun is found again
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "CRITICAL",
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": 1.0,
            "scheduler_polling_interval_sec": 3600.0,
        }
    )

    # How often an errand was begun is counted in house.db, so DBOS need not.
    @DBOS.workflow(name="errand", max_recovery_attempts=None)
    def errand(id: str) -> None:
        work(id)

    _REGISTERED["errand"] = errand
    DBOS.launch()


_REGISTERED: dict[str, Callable[[str], None]] = {}
"""DBOS knows one set of workflows in a process; so does this."""


def _begin(id: str) -> None:
    """Begin the workflow of an errand; one that is being begun again after a crash is left to DBOS."""
    there = DBOS.get_workflow_status(id)
    if there is not None:
        if there.status not in OVER and there.app_version == FORM:
            return
        DBOS.delete_workflow(id)  # it ended without ending the errand: house.db was restored, or the errand is tried again
    with SetWorkflowID(id):
        DBOS.start_workflow(_REGISTERED["errand"], id)


OVER = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


def forget_ended() -> None:
    """Take what has ended out of runs.db."""
    ended = DBOS.list_workflows(status=list(OVER), limit=1000, load_input=False, load_output=False)
    if ended:
        DBOS.delete_workflows([workflow.workflow_id for workflow in ended])
