"""Many who wish the same, ticks that were missed, code that changes under a turn, and a turn that a person ends."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psutil

from bench.goal import Goal, at_least, at_most
from bench.workers_house import LONG, NOW, Crew, crew, ended, eventually, pids, taken
from everloop.loop.code import code_of
from everloop.loop.control.cancel import cancel
from everloop.loop.control.errands import ask
from everloop.loop.house import House
from everloop.records import Candidate, Version
from everloop.registry.errands import Errand, Errands
from everloop.registry.journal import Entry

ALARMS, SECONDS = 1000, 10.0
MANY, HEAVY = 20, 3
#: One of two processes in which alarms go off: each wishes for a turn of demand, at its own moment.
ALARM = """
import sys, time
from datetime import timedelta
from pathlib import Path
from bench.workers_house import NOW, Crew
from everloop.loop.control.errands import ask
house, first, count, over = Crew(Path(sys.argv[1])).house(), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
began = time.monotonic()
for n in range(count):
    time.sleep(max(0.0, began + n * over / count - time.monotonic()))
    ask(house, "turn", "demand", NOW + timedelta(milliseconds=2 * n + first), joins=True)
"""
#: One of two processes that look what is due at an instant.
SCHEDULER = """
import sys
from datetime import datetime
from pathlib import Path
from dataclasses import replace
from bench.workers_house import Crew
from everloop.loop.control.chores import Schedule
house = replace(Crew(Path(sys.argv[1])).house(), turned=False)
print("ready", flush=True)
sys.stdin.readline()
Schedule(house, print).look(datetime.fromisoformat(sys.argv[2]))
"""


# -- a storm -----------------------------------------------------------------------------------------------------------------------------


def storm(alarms: int = ALARMS, seconds: float = SECONDS, many: int = MANY) -> Iterator[Goal]:
    """A thousand alarms about one model from two processes; then twenty models at once, for two workers."""
    with tempfile.TemporaryDirectory() as folder, crew(Path(folder) / "shop", models=many, heavy=HEAVY) as house:
        opened = house.house()
        first = [house.worker(), house.worker()]
        eventually(lambda: len(pids(opened)) == 2)
        bells = [_python(house, ALARM, str(house.folder), str(n), str(alarms // 2), str(seconds)) for n in range(2)]
        most = 0
        while any(bell.poll() is None for bell in bells):
            most = max(most, len(Errands(opened.store).unfinished()))
            time.sleep(0.002)
        for bell in bells:
            bell.communicate()
        assert [bell.returncode for bell in bells] == [0, 0]
        eventually(lambda: not Errands(opened.store).unfinished())
        turns = {e.turn for e in opened.journal.read(model="demand", kind="Decision")}
        wanted = [ask(opened, "turn", name, NOW + timedelta(hours=1)) for name in opened.project.models]
        crowd, twice = 0, 0
        while not ended(opened, wanted):
            there = taken(opened)
            crowd, twice = max(crowd, len(there)), twice + (len({e.model for e in there}) != len(there))
            time.sleep(0.002)
        done = sum((e := Errands(opened.store).find(w.id)) is not None and e.state == "done" for w in wanted)
        assert all(process.poll() is None for process in first)
        opened.store.close()
    beside = f"{alarms:,} alarms in {seconds:g} s from two processes came to {len(turns)} turns, one after another"
    yield at_most("an alarm storm: turns of the model under way or waiting", most, 2, "turns", beside)
    yield at_most("models at once: moments at which two turns of one were under way", twice, 0, "moments")
    yield at_most("models at once: turns under way, at most", crowd, HEAVY, "turns", f"heavy = {HEAVY}, two workers of two places each")
    yield at_least("models at once: turns under way, at least", crowd, HEAVY, "turns", "the places there are were used")
    yield at_least("models at once: turns done", done, many, "turns")


# -- ticks that were missed ----------------------------------------------------------------------------------------------------------------


def ticks(days: int = 10) -> Iterator[Goal]:
    """Nobody works for ten days, over the end of summer time in Berlin; then two schedulers start at once, and two workers."""
    zone, stop = ZoneInfo("Europe/Berlin"), datetime(2026, 10, 20, 12, tzinfo=NOW.tzinfo)
    now = stop + timedelta(days=days)
    with tempfile.TemporaryDirectory() as folder, crew(Path(folder) / "shop") as house:
        from everloop.loop.answers import answer_due, answers_of

        opened = house.house()
        demand = opened.project.model("demand")
        answer_due(opened, demand, stop)
        before = set(answers_of(opened, demand).column("moment").to_pylist())
        both = [_python(house, SCHEDULER, str(house.folder), now.isoformat()) for _ in range(2)]
        for one in both:
            assert one.stdout is not None
            one.stdout.readline()
        for one in both:
            one.communicate("go\n", timeout=LONG)
        asked = Counter(e.verb for e in Errands(opened.store).unfinished())
        house.worker()
        house.worker()
        eventually(lambda: not Errands(opened.store).unfinished())
        given = answers_of(opened, demand)
        served = [
            (m, u) for m, u, a in zip(*(given.column(c).to_pylist() for c in ("moment", "unit", "arm")), strict=True) if a != "shadow"
        ]
        turns = {e.turn for e in opened.journal.read(model="demand", kind="Decision")}
        opened.store.close()
    day = stop.astimezone(zone).date()
    due = {datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=n + 1) for n in range(days)}
    due = {datetime(t.year, t.month, t.day, tzinfo=zone).astimezone(NOW.tzinfo) for t in due}
    there = {datetime.fromtimestamp(m / 1e6, NOW.tzinfo) if isinstance(m, int) else m for m, _ in served if m not in before}
    hours = sorted({t.hour for t in due})
    yield at_most(
        "ticks that were missed and not answered, or answered beside them", len(there ^ due), 0, "ticks", f"of {days}; at {hours} UTC"
    )
    yield at_most(
        "questions of those ticks answered twice", sum(n > 1 for n in Counter(served).values()), 0, "questions", f"of {len(served)}"
    )
    yield at_most("errands that two schedulers asked for, beyond a turn and its answers", sum(asked.values()) - 2, 0, "errands")
    yield at_most("turns of the days missed, beyond the newest", len(turns) - 1, 0, "turns", "one sees what all of them would have seen")


# -- code that changes ---------------------------------------------------------------------------------------------------------------------


def changed() -> Iterator[Goal]:
    """The project file is changed in the middle of a turn: under a worker that lives, before and after its child read the file, and between
    one that died and the next."""
    cases = (("wait", "before train"), ("wait", "kept train"), ("die", "after train, not kept"), ("die", "kept train"))
    mixed, left, done, by_new = 0, 0, 0, 0
    for what, when in cases:
        with tempfile.TemporaryDirectory() as folder, crew(Path(folder) / "shop", child=True) as house:
            opened = house.house()
            wanted = [ask(opened, "turn", "demand", NOW)]
            first = house.worker(log="log", what=what, when=when)
            if what == "wait":
                eventually((house.folder / "log.waits").exists)
            else:
                first.wait(LONG)
            old = code_of(house.project)
            house.project.write_text(house.project.read_text().replace("max_iter=60", "max_iter=30"))
            (house.folder / "log.go").touch()
            if (what, when) == ("wait", "kept train"):
                eventually(lambda opened=opened, wanted=wanted: ended(opened, wanted))  # nothing of it is read from the file any more
                wanted.append(ask(opened, "turn", "demand", NOW + timedelta(hours=1)))
            first.wait(LONG)
            house.worker()
            eventually(lambda opened=opened, wanted=wanted: ended(opened, wanted))
            done += all((e := Errands(opened.store).find(w.id)) is not None and e.state == "done" for w in wanted)
            left += len(Errands(opened.store).unfinished()) + (opened.turns.opened("demand") is not None)
            learnt = {e.turn: "max_iter=30" in e.record.parameters for e in _learnt(opened) if isinstance(e.record, Candidate)}
            begun = {turn: opened.turns.find(turn or "") for turn in learnt}
            mixed += sum(new != (at is None or at.code != old) for new, at in ((learnt[turn], begun[turn]) for turn in learnt))
            mixed += sum(
                e.turn not in learnt for e in opened.journal.read(kind="Version") if isinstance(e.record, Version) and e.record.number
            )
            last = opened.turns.last("demand")
            by_new += last is not None and last.code == code_of(house.project)
            opened.store.close()
    yield at_most("turns that mixed what two states of the project file say", mixed, 0, "turns", f"of {len(cases)} whose file was changed")
    yield at_least("houses whose next turn was of the new file", by_new, len(cases), "houses")
    yield at_least("houses whose errands were done all the same", done, len(cases), "houses")
    yield at_most("errands or turns left open", left, 0, "errands")


def _learnt(house: House) -> list[Entry]:
    return [e for e in house.journal.read(kind="Candidate", model="demand") if e.verb == "train"]


# -- a turn that a person ends -------------------------------------------------------------------------------------------------------------

TREE = '''

import subprocess
import sys


class Tree:
    """Learns for a minute, in a process of its own beside the child's."""

    def fit(self, X, y):
        self.other = None
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
        time.sleep(300)
        return self

    def predict(self, X):
        return [0.0] * len(X)


tree = demand.but("tree", learner=Tree())
'''


def cancelled(rounds: int = 3) -> Iterator[Goal]:
    """A person ends a turn in the middle of training, from another process; the only place for turns is then another model's."""
    gone, free, kept, states = [], [], 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder, crew(Path(folder) / "shop", heavy=1, child=True) as house:
        house.project.write_text(house.project.read_text() + TREE)
        opened = house.house()
        worker = house.worker()
        eventually(lambda: worker.pid in pids(opened))
        tree = opened.project.model("tree")
        for n in range(rounds):
            errand = ask(opened, "turn", "tree", NOW + timedelta(minutes=n))
            eventually(lambda: len(_below(worker)) >= 2)
            waits = ask(opened, "turn", "demand", NOW + timedelta(minutes=n))
            there, began = _below(worker), time.monotonic()
            cancel(opened, tree, "Kim", "the prices are wrong")
            gone.append(eventually(lambda there=there: not any(p.is_running() for p in there), every=0.01))
            eventually(lambda waits=waits: _begun(opened, waits), every=0.01)
            free.append(time.monotonic() - began)
            eventually(lambda errand=errand, waits=waits: ended(opened, [errand, waits]))
            found = Errands(opened.store).find(errand.id)
            states[found.state if found is not None else "gone"] += 1
            kept += sum(e.kind in ("Candidate", "Version") and e.verb != "adopt" for e in opened.journal.read(model="tree"))
        opened.store.close()
    yield at_most("a cancelled training: its whole tree of processes gone after", max(gone), 5, "s", f"slowest of {rounds}")
    yield at_most("a cancelled training: its place another model's after", max(free), 2, "s", f"slowest of {rounds}")
    yield at_least("a cancelled training: errands that ended as cancelled", states["cancelled"], rounds, "errands")
    yield at_most("a cancelled training: things learnt or let in all the same", kept, 0, "records")


def _begun(house: House, wanted: Errand) -> bool:
    errand = Errands(house.store).find(wanted.id)
    return errand is not None and errand.state != "waiting"


def _below(worker: subprocess.Popen[str]) -> list[psutil.Process]:
    """The child that trains, and what its learner started; not the server that children are forked from."""
    found = psutil.Process(worker.pid).children(recursive=True)
    sleeps = [p for p in found if "time.sleep(300)" in " ".join(_line(p))]
    return [*sleeps, *(p.parent() for p in sleeps if p.parent() is not None)]  # type: ignore[list-item]


def _line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _python(house: Crew, code: str, *words: str) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code, *words], env=house.environment(), text=True, **pipes)  # type: ignore[call-overload,no-any-return]
