"""The controller: a process that works for a house. It takes errands, in order, carries them out on DBOS, and leads where nobody does.

In: a house, and an event that tells it to stop. Out: what the errands do to the house. Any number of such processes work for one house,
on one machine or on many: each joins (``joined.py``), claims errands in one transaction (``registry/claims.py``), and takes over from the
dead (``signs.py``, ``leading.py``). Never two errands of one model at once; ``[workers] beside`` models beside each other in one process,
and ``heavy`` turns in the whole house.

This is the only file that knows DBOS. DBOS carries one workflow, ``errand(id)``, and notes it in a file of this process, ``runs.db``. That
is the truth of nothing: what is to be done and who does it stands in house.db, so the file may be deleted at any time, and one that is
broken is. Workflows are begun directly and not put on a queue of DBOS: its queues are polled, which costs 19 % of a core for 27 ms of
delay, or 500 ms of delay for 2 %; this costs neither.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path

from dbos import DBOS, DBOSPortableJSONSerializer, SetWorkflowID, WorkflowStatus
from sqlalchemy.exc import SQLAlchemyError

from everloop.clock import monotonic, wall
from everloop.errors import CodeChanged, EverloopError, HouseBusy, Overtaken, StoreError
from everloop.lake.alone import alone
from everloop.loop.code import code_of
from everloop.loop.control.by_hand import held_by_hand
from everloop.loop.control.changes import Changes
from everloop.loop.control.chores import Chores
from everloop.loop.control.errands import carry_out, line_of, said_of
from everloop.loop.control.folder import Keeping
from everloop.loop.control.joined import Joined, joined
from everloop.loop.control.leading import Leading
from everloop.loop.house import House, fenced
from everloop.loop.keep import Cancelled, Interrupted
from everloop.loop.serve.routes import spread
from everloop.records import Alert
from everloop.registry.claims import Claims, claimable
from everloop.registry.errands import MOST_TAKEOVERS, Errand, Errands
from everloop.registry.errands import State as ErrandState
from everloop.registry.leases import Leases
from everloop.sql.engine import BUSY_SECONDS
from everloop.sql.wal import write_ahead

FORM = "1"
"""The format of what runs.db keeps. Another number: what an older release had begun is begun anew from house.db."""
LOOK_EVERY = 0.02
FORGOTTEN = 20.0
"""Seconds after which an errand that was begun and is not carried out is begun once more."""
BUSY_AGAIN = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait before an errand is tried again that found the house busy."""
UNKEPT_AGAIN = (1.0, 5.0, 30.0)
"""Seconds before an errand is begun again whose beginning or end could not be kept: the first time, the second, and from then on."""
LAST_BREATH = 3.0
TAKEN_FOR_DEAD = "This process was taken for dead by another one, which works for the house now. It has stopped; nothing was kept since."


def control(house: House, *, stop: threading.Event, told: Callable[[str], None] = print, grace: float = 5.0) -> None:
    """Work for a house until ``stop`` is set: carry out errands; and lead where nobody does: ask for what is due, do the chores.

    On ``stop`` no errand is begun any more; what is under way has ``grace`` seconds, then its children are ended and its turn stays open
    for the next worker. Work in this very process that does not end is left behind in its thread, unable to keep anything: a process
    that wants to be gone then calls ``os._exit``.

    Raises Overtaken where this process was taken for dead (nothing was kept since), CodeChanged where the project file was changed
    under it: start the process again.
    """
    with joined(house) as mine:
        work = Errandry(house, mine, told)
        lead = Leading(house, mine, told, work.stopping)
        here = Keeping(fenced(house, mine.fence, ended=work.why_ended), told, work.stopping)
        threads = [
            threading.Thread(target=beside, name=f"everloop {beside.__name__}", daemon=True)
            for beside in (*lead.all(), here.keep, here.finish)
        ]
        with _runs(house.settings.house) as runs, launched(runs, work.carry, told, mine.name) as begin:
            for thread in threads:
                thread.start()
            try:
                work.feed(begin, stop)
            finally:
                work.wind_up(grace)
                for thread in threads:
                    thread.join(LAST_BREATH)
    if mine.lost.is_set():
        raise Overtaken(TAKEN_FOR_DEAD)
    if work.stale is not None:
        raise work.stale


@dataclass(frozen=True)
class Unkept:
    """How often in a row an errand's beginning or end could not be kept, and until when (monotonic) it is left alone."""

    times: int
    until: float


@dataclass
class Errandry:
    """The errands this process has claimed, and those of them under way, model by model; what feeds, carries and ends them."""

    opened: House
    mine: Joined
    told: Callable[[str], None]
    claims: dict[str, Errand] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)
    begun: dict[str, float] = field(default_factory=dict)
    unkept: dict[str, Unkept] = field(default_factory=dict)
    woken: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    ending: threading.Event = field(default_factory=threading.Event)
    stale: CodeChanged | None = None
    """Why this process has to be started again; None: it has not."""

    def __post_init__(self) -> None:
        self.store = self.mine.store
        self.errands = Errands(self.store)

    def why_ended(self) -> BaseException | None:
        if self.ending.is_set() or self.mine.lost.is_set():
            return Interrupted("The controller ends.")
        return None

    def house_of(self, claim: Errand) -> House:
        """The house for as long as this errand is this process's own: in every transaction the claim is asked for."""
        return fenced(self.opened, lambda t: Claims(self.store).check(t, claim), self.mine.name, ended=self.why_ended)

    # -- feeding --

    def feed(self, begin: Callable[[str], None], stop: threading.Event) -> None:
        """Begin errands in the order they were asked until told to stop, taken for dead, or started by code that is no more."""
        chores = Chores(fenced(self.opened, self.mine.fence), self.told)
        look, again = partial(self._begin_some, begin), partial(self._begin_again, begin)
        with closing(Changes(self.opened.store)) as changes:
            while not (stop.is_set() or self.mine.lost.is_set() or self.stale is not None):
                if changes.seen() or self.woken.is_set():
                    self.woken.clear()
                    chores.next.pop("take errands", None)
                chores.do("take errands", 1.0, look)
                chores.do("begin errands again", 5.0, again)
                chores.do("clear runs.db", 60.0, forget_ended)
                self.woken.wait(LOOK_EVERY)

    def _begin_some(self, begin: Callable[[str], None]) -> None:
        for claim in [*self.claims.values()]:
            rests = self.unkept.get(claim.id)
            if claim.model not in self.running and (rests is None or monotonic() >= rests.until):
                self._begin(claim, begin)
        for claim in self._claimed():
            self.claims[claim.id] = claim
            self._begin(claim, begin)

    def _begin(self, claim: Errand, begin: Callable[[str], None]) -> None:
        self.running[claim.model], self.begun[claim.id] = claim.id, monotonic()
        try:
            begin(claim.id)
        except BaseException:
            self.running.pop(claim.model, None)
            raise

    def _claimed(self) -> list[Errand]:
        """What this process claims now; nobody is kept waiting by a look that finds nothing."""
        said = self.opened.settings.workers
        free = said.beside - len(self.running)
        if free <= 0 or not claimable(self.errands.unfinished(), most=free, heavy=said.heavy):
            return []
        with self.store.transaction() as t:
            self.mine.fence(t)
            passing = held_by_hand(Leases(self.store).all(within=t))
            return Claims(self.store).take(t, self.mine.name, most=free, heavy=said.heavy, passing=passing)

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
        claim = self.claims.get(id)
        if claim is None or id in self.carried:
            self._done(claim, id)
            return
        self.carried.add(id)
        try:
            self._carry(claim)
        except Exception as error:
            if self._lost(claim):
                self.claims.pop(id, None)
                self.told(f"The {claim.verb} of {claim.model} is somebody else's now; nothing of it was kept here since.")
            else:
                self._put_off(claim, error)
            raise
        except BaseException:
            self.claims.pop(id, None)
            raise
        else:
            self.claims.pop(id, None)
            self.unkept.pop(id, None)
        finally:
            self.carried.discard(id)
            self._done(claim, id)

    def _lost(self, claim: Errand) -> bool:
        """Whether it is known that an errand is somebody else's by now."""
        try:
            with self.store.reading() as t:
                Claims(self.store).check(t, claim)
        except Overtaken:
            return True
        except StoreError:
            pass
        return False

    def _put_off(self, claim: Errand, error: Exception) -> None:
        """Its beginning or its end could not be kept. At once that would only fail again, and all it did would be done in vain."""
        times = self.unkept[claim.id].times + 1 if claim.id in self.unkept else 1
        pause = UNKEPT_AGAIN[min(times, len(UNKEPT_AGAIN)) - 1]
        self.unkept[claim.id] = Unkept(times, monotonic() + pause)
        if not self.mine.lost.is_set():
            self.told(f"The {claim.verb} of {claim.model} could not be kept ({error}). It is begun again in {pause:g} s.")

    def _done(self, claim: Errand | None, id: str) -> None:
        if claim is not None and id not in self.carried and self.running.get(claim.model) == id:
            self.running.pop(claim.model)
        self.begun.pop(id, None)
        self.woken.set()

    def _carry(self, claim: Errand) -> None:
        house = self.house_of(claim)
        if claim.takeovers >= MOST_TAKEOVERS:
            self._give_up(house, claim)
            return
        try:
            if self.stopping.is_set():
                raise Interrupted("The controller ends.")
            said = self._patiently(house, claim)
        except Interrupted:
            self._give_back(house, claim)
            raise
        except CodeChanged as error:
            self.stale = error
            self._give_back(house, claim)
            raise Interrupted(str(error)) from error
        except Cancelled as error:
            self._finish(house, claim, "cancelled", said_of(error))
        except Exception as error:
            if self.mine.lost.is_set():
                raise Interrupted(TAKEN_FOR_DEAD) from error
            self._finish(house, claim, "failed", said_of(error), error)
        else:
            self._finish(house, claim, "done", said)
            if line := line_of(claim, said):
                self.told(line)

    def _give_back(self, house: House, claim: Errand) -> None:
        with suppress(StoreError), house.store.transaction() as t:
            Claims(house.store).give_back(t, claim.id)

    def _patiently(self, house: House, claim: Errand) -> str:
        for pause in BUSY_AGAIN:
            try:
                return self._carried_out(house, claim)
            except HouseBusy:
                if self.stopping.wait(pause):
                    raise Interrupted("The controller ends.") from None
        return self._carried_out(house, claim)

    def _carried_out(self, house: House, claim: Errand) -> str:
        self._same_code(house)
        before = house.pointers.current(claim.model)
        said = carry_out(house, claim)
        now = house.pointers.current(claim.model)
        if now is not None and now != before:
            # Who waits for a turn wants to be answered by it: it is done when the workers do so.
            spread(house, claim.model, now.generation)
        return said

    def _same_code(self, house: House) -> None:
        path = house.project.path
        with suppress(OSError):  # it is being replaced this very moment
            if path is not None and house.project.code and code_of(path) != house.project.code:
                raise CodeChanged(f"{path.name}, or what it imports, was changed. This process starts again with it.")

    def _finish(self, house: House, claim: Errand, state: ErrandState, said: str, error: Exception | None = None) -> None:
        with house.store.transaction() as t:
            self.errands.finish(t, claim.id, state, said, wall())
            if error is not None and claim.cause == "schedule":
                # Nobody waits for the answer of a schedule: somebody has to be told.
                model = house.project.models.get(claim.model)
                key = f"{claim.model}/{claim.verb} failed/{type(error).__name__}/{claim.now:%Y-%m-%d}"
                sentence = f"{claim.model}: the {claim.verb} for {claim.now:%Y-%m-%d %H:%M} UTC failed: {error}"
                owner = model.owner if model else None
                house.outbox.put(t, Alert(model=claim.model, severity="warning", sentence=sentence, owner=owner, key=key), at=wall())
        if error is not None:
            what = error if isinstance(error, EverloopError) else f"{type(error).__name__}: {error}"
            self.told(f"The {claim.verb} of {claim.model} failed: {what}")

    def _give_up(self, house: House, claim: Errand) -> None:
        """An errand that took its worker with it too often: it is failed, and its turn not gone on with."""
        why = f"{claim.takeovers} workers have died over it; it is not tried again."
        with house.store.transaction() as t:
            left = house.turns.opened(claim.model, within=t)
            if left is not None and claim.verb == "turn":
                house.turns.finish(t, left.id, at=wall(), state="cancelled")
        self._finish(house, claim, "failed", said_of(EverloopError(why)), EverloopError(why))

    # -- ending --

    def wind_up(self, grace: float) -> None:
        """Begin nothing any more; wait for what is under way; after ``grace`` seconds end its children and leave its turns open."""
        self.stopping.set()
        self._wait(grace if not self.mine.lost.is_set() else 0.0)
        self.ending.set()
        self._wait(LAST_BREATH)
        for model in list(self.running):
            self.told(f"The errand of {model} does not end; it is left behind and cannot keep anything.")

    def _wait(self, seconds: float) -> None:
        until = monotonic() + seconds
        while self.running and monotonic() < until:
            self.woken.wait(LOOK_EVERY)
            self.woken.clear()


# -- DBOS ------------------------------------------------------------------------------------------------------------------------------


@contextmanager
def _runs(folder: Path) -> Iterator[Path]:
    """The runs.db of this process: the first one that no other worker of this folder has."""
    with ExitStack() as held:
        for name in chain(("runs",), (f"runs-{n}" for n in count(2))):
            try:
                held.enter_context(alone(folder / f"{name}.lock", "noting its runs there", patience=0))
                break
            except HouseBusy:
                continue
        yield folder / f"{name}.db"


@contextmanager
def launched(runs: Path, work: Callable[[str], None], told: Callable[[str], None], name: str) -> Iterator[Callable[[str], None]]:
    """DBOS over ``runs.db`` with its one workflow; gives what begins an errand by its id. What an earlier process had begun is forgotten:
    it stands in house.db, and is claimed anew."""
    quiet = logging.getLogger("dbos")
    quiet.propagate = False
    if not quiet.handlers:
        quiet.addHandler(logging.NullHandler())
    try:
        _launch(runs, work, name)
    except (SQLAlchemyError, sqlite3.Error) as error:
        why = str(error).splitlines()[0]
        told(f"{runs.name} cannot be read ({why}); it is made anew. Nothing is lost: what is to be done is in house.db.")
        DBOS.destroy(destroy_registry=True)
        for end in ("", "-wal", "-shm"):
            runs.with_name(runs.name + end).unlink(missing_ok=True)
        _launch(runs, work, name)
    try:
        yield _begin
    finally:
        DBOS.destroy(destroy_registry=True)


def _launch(runs: Path, work: Callable[[str], None], name: str) -> None:
    runs.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(runs)) as file:
        write_ahead(file, BUSY_SECONDS)
    DBOS(
        config={
            "name": "everloop",
            "system_database_url": f"sqlite:///{runs}",
            "application_version": FORM,
            "executor_id": name,  # nobody else's, so that nothing of a dead process is begun by DBOS itself
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
    _forget(DBOS.list_workflows(limit=100_000, load_input=False, load_output=False))


_REGISTERED: dict[str, Callable[[str], None]] = {}
"""DBOS knows one set of workflows in a process; so does this."""


def _begin(id: str) -> None:
    """Begin the workflow of an errand; one that is under way is left to DBOS."""
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
    _forget(DBOS.list_workflows(status=list(OVER), limit=1000, load_input=False, load_output=False))


def _forget(runs: list[WorkflowStatus]) -> None:
    if runs:
        DBOS.delete_workflows([run.workflow_id for run in runs])
