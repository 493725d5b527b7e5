"""Fourteen planted troubles, each in a house of its own on a turned clock, through real turns: is the right thing done, and nothing else?

The houses are copies of one in which a candidate was learnt, let in and has answered for three weeks. A trouble begins on one day and goes
on; sixteen days are turned. What was done is read from the journal, what fired from the incidents.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

# Sixty small trees are waited for by threads that spin; beside other work one thread is quicker.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import joblib
import pyarrow as pa

from bench.goal import Goal, at_least, at_most
from bench.monitor_faults_shop import END, HISTORY, START, TROUBLES, Day, Generous, Trouble, World, demand
from everloop.loop.answers import answer_due
from everloop.loop.arrivals import receive_rows
from everloop.loop.house import House, open_house
from everloop.loop.people import admit_file
from everloop.loop.project_file import project_of
from everloop.loop.turn import turn
from everloop.records import Decision, Incident, Signal, Signals
from everloop.settings import read_settings

QUIET, TROUBLED = 21, 16
BEGINS = END + timedelta(days=QUIET)


@dataclass(frozen=True)
class Outcome:
    """What came of one trouble: what was done, which incidents fired (causes), who was named first, after how many days, how slowly."""

    trouble: Trouble
    done: tuple[str, ...]
    causes: tuple[str, ...]
    culprit: str | None
    days: int | None
    slowest: float

    @property
    def right(self) -> bool:
        """Whether the right thing was done, and nothing was learnt or taken back that should not have been."""
        wanted = self.trouble.action
        allowed = {"retrain", "undo"} & {wanted}
        return wanted in (self.done or ("nothing",)) and not ({"retrain", "undo"} & set(self.done)) - allowed

    def __str__(self) -> str:
        done, told = ", ".join(self.done) or "nothing", ", ".join(self.causes) or "nothing"
        return f"{self.trouble.name}: wanted {self.trouble.action}, done {done}, incidents: {told}"

    @property
    def named(self) -> bool | None:
        """Whether what is to blame was named first; None where nothing is to blame."""
        if not self.trouble.culprit:
            return None
        return self.culprit is not None and any(one in self.culprit for one in self.trouble.culprit)


def measure() -> Iterator[Goal]:
    outcomes = list(played(TROUBLES))
    wrong = [o for o in outcomes if "retrain" in o.done and o.trouble.action != "retrain"]
    told = [o for o in outcomes if o.trouble.action not in ("nothing", "season")]
    named = [o for o in outcomes if o.named is not None]
    missed, several = [str(o) for o in outcomes if not o.right], [str(o) for o in told if len(o.causes) != 1]
    unnamed = [f"{o.trouble.name}: {o.culprit}" for o in named if not o.named]
    late = max((o.days for o in outcomes if o.days is not None), default=0)
    yield at_least(
        "planted troubles, of 14, in which the right thing is done", 14 - len(missed), 13, "troubles", "; ".join(missed) or "all of them"
    )
    yield at_most("trainings nobody should have begun", len(wrong), 0, "trainings", ", ".join(o.trouble.name for o in wrong))
    yield at_least("troubles that are one incident", len(told) - len(several), len(told), "troubles", "; ".join(several))
    yield at_least(
        "what is to blame is named first", (len(named) - len(unnamed)) / len(named), 0.9, "share", f"of {len(named)}; {', '.join(unnamed)}"
    )
    yield at_most("from the end of a window to what is done", max(o.slowest for o in outcomes), 5, "s", f"the latest after {late} days")


def played(troubles: Sequence[Trouble]) -> Iterator[Outcome]:
    """Each trouble, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        house = opened(before)
        history(house)
        for n in range(QUIET):
            a_day(house, World().day(END + timedelta(days=n - 1)) if n else None, END + timedelta(days=n))
        house.store.close()
        for trouble in troubles:
            here = Path(shutil.copytree(before, Path(folder) / trouble.name))
            yield play(here, trouble)
            shutil.rmtree(here)


def opened(folder: Path) -> House:
    """The shop's house."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "everloop.toml").write_text("[training]\nchild = false\n\n[artefacts]\npickle = true\n")
    return open_house(project_of(demand), settings=read_settings(folder, house=folder / "house"))


def history(house: House) -> None:
    """Everything that happened before the first turn, known as it happened."""
    past = [HISTORY.day(START + timedelta(days=n)) for n in range((END - START).days)]
    for name in ("orders", "stock"):
        rows = pa.Table.from_pylist([row for day in past for row in day[name]])
        receive_rows(house, name, rows, now=END, known_after=timedelta(0))


def a_day(house: House, happened: Day | None, now: datetime) -> Decision:
    """What happened since yesterday comes in, the model is turned, and answers."""
    for name, rows in (happened or {}).items():
        if rows:
            receive_rows(house, name, pa.Table.from_pylist(rows), now=now, known_after=timedelta(0))
    decision = turn(house, demand, now)
    answer_due(house, demand, now)
    return decision


def play(folder: Path, trouble: Trouble) -> Outcome:
    """Sixteen days with a trouble in them."""
    house, slowest = opened(folder), 0.0
    if trouble.deploys:
        joblib.dump(Generous(), folder / "generous.joblib")
        words = {"override": True, "trust": True, "by": "Kim", "reason": "shelves were empty"}
        admit_file(house, demand, folder / "generous.joblib", BEGINS - timedelta(hours=12), **words)  # type: ignore[arg-type]
    for n in range(TROUBLED):
        now = BEGINS + timedelta(days=n)
        yesterday = now - timedelta(days=1)
        happened = trouble.spoils(trouble.world(n).day(yesterday), n) if n else World().day(yesterday)
        began = time.perf_counter()
        a_day(house, happened, now)
        slowest = max(slowest, time.perf_counter() - began)
    found = outcome(house, trouble, slowest)
    house.store.close()
    return found


def outcome(house: House, trouble: Trouble, slowest: float) -> Outcome:
    """What the journal says was done, and which incidents fired, since the trouble began."""
    done: list[str] = []
    fired: dict[str, Incident] = {}
    first: tuple[Incident | Signal, datetime] | None = None
    for entry in house.journal.read(model=demand.name, since=BEGINS):
        record = entry.record
        if isinstance(record, Incident) and record.state == "firing":
            first = (record, record.made_at) if first is None else first
            fired.setdefault(record.incident, record)
        elif isinstance(record, Signals) and first is None and record.fired("season"):
            first = record.fired("season")[0], record.made_at
        elif isinstance(record, Decision):
            done += what(record)
    causes = tuple(f"{one.cause} ({', '.join(dict.fromkeys(s.kind for s in one.symptoms))})" for one in fired.values())
    return Outcome(
        trouble,
        tuple(dict.fromkeys(done)),
        causes,
        first and culprit(house, first[0]),
        (first[1] - BEGINS).days if first else None,
        slowest,
    )


def culprit(house: House, first: Incident | Signal) -> str | None:
    """Who is named first: of a version its name, of anything else what it is about."""
    shown = first.symptoms[0] if isinstance(first, Incident) else first
    return house.versions.get(shown.about).name if shown.kind == "worse" and shown.about else shown.about


def what(decision: Decision) -> list[str]:
    """The kind of thing a decision does."""
    if decision.undoes:
        return ["undo"]
    if decision.retrains:
        return ["retrain"]
    return {"data": ["data"], "outage": ["data"], "season": ["season"], "drift": ["told"], "volume": ["told"]}.get(decision.cause, [])
