"""How soon a candidate for the demo's ``demand`` that is 12 % worse is stopped: by the paired test, and by the traffic split alone.

The house, the data (84.51's Complete Journey), the learnt champion with its answers, the truths, the verdicts and the conditions are the
real ones; the candidate is made: see ``worse_by``. Needs the extra ``everloop[demo]``; about three CPU minutes.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.goal import Goal, at_least
from everloop import canary, days, worse_than_champion
from everloop.clock import microseconds
from everloop.demo import project as demo
from everloop.demo.hands import Inside
from everloop.demo.shop import load, starts
from everloop.loop import trial
from everloop.loop.answers import answer_due, answers_of
from everloop.loop.house import House, open_house
from everloop.loop.project_file import project_of
from everloop.loop.truths import told_of
from everloop.loop.turn import turn
from everloop.project.model import Model
from everloop.records import Signals, Traffic, identity
from everloop.rollout import arm_of, begin
from everloop.serving.answered import SCHEMA
from everloop.serving.log import AnswersLog
from everloop.settings import read_settings

LEARNT, LAST = 27, 53
FIRSTS: Final = range(28, 38)  # the week in which each run begins
WEEKS: Final = 8
WORSE: Final = 0.12
FEARED: Final = worse_than_champion("wape")
ALONE: Final = {"autonomy": "act", "retrain_when": (), "tell_when": (), "roll_back_when": ()}
PLAN: Final = canary(0.5, every=days(7 * WEEKS + 1))

champion_of: Final = demo.demand.but("demand", roll_out=(), **ALONE)
paired: Final = demo.demand.but("demand", **ALONE | {"roll_out": PLAN, "roll_back_when": FEARED})
split: Final = paired.but("demand", answer_changes_truth=True)


def measure() -> Iterator[Goal]:
    with tempfile.TemporaryDirectory() as folder:
        champion, truth = answered(Path(folder) / "first")
        runs = [run(Path(folder), week, champion, truth) for week in FIRSTS]
    by_pairs, by_arms = (np.array([found[which] for found in runs], dtype=np.float64) for which in (0, 1))
    beside = f"weeks: {said(by_pairs)}; the split alone: {said(by_arms)}"
    yield at_least("12 % worse: stopped by pairs in the first matured week", float((by_pairs == 1).sum()), 9, "of 10 runs", beside)
    late = float((by_arms > 1).sum())
    yield at_least("12 % worse: not stopped by the split alone in that week", late, 9, "of 10 runs", f"within {WEEKS} weeks or never")


def said(weeks: NDArray[np.float64]) -> str:
    """In which week each run was stopped."""
    return ", ".join(f"{week:.0f}" if np.isfinite(week) else "never" for week in weeks)


def answered(folder: Path) -> tuple[pa.Table, NDArray[np.float64]]:
    """A year of the shop in a house whose champion learnt half of it and answers the rest: its answers, week by week, and the truths of
    them. Leaves a copy of the house in which nobody answered yet."""
    house = opened(folder, champion_of)
    shop, hands = load(), Inside(house)
    hands.deliver("products", shop.products, starts(LAST))
    hands.deliver("lines", shop.lines, starts(LAST))
    turn(house, champion_of, starts(LEARNT))
    turn(house, champion_of, starts(LEARNT + 1))
    assert house.champion(house.traffic(champion_of)).format != "baseline", "nothing learnt passed the gate"
    house.store.close()
    shutil.copytree(folder, folder.with_name("unanswered"))
    house = opened(folder, champion_of)
    for week in range(LEARNT + 1, LAST):
        answer_due(house, champion_of, starts(week))
    given = answers_of(house, champion_of)
    told = told_of(house, champion_of, given, starts(LAST) + timedelta(hours=1))
    assert told.mature.all()
    house.store.close()
    return given, told.truth.astype(np.float64)


def opened(folder: Path, model: Model) -> House:
    """A house of this one model."""
    folder.mkdir(exist_ok=True)
    settings = replace(read_settings(folder, house=folder / "house"), child=False)
    return open_house(project_of(model), settings=settings, turned=True)


def run(folder: Path, week: int, champion: pa.Table, truth: NDArray[np.float64]) -> tuple[float, float]:
    """In which week after the first a candidate is stopped by pairs, and by the split alone; infinite if not within ``WEEKS``."""
    here = folder / f"from {week}"
    shutil.copytree(folder / "unanswered", here)
    house = opened(here, paired)
    steady = house.traffic(paired)
    made = replace(house.champion(steady), id=f"made {week}", artefact=f"made {week}", made_at=starts(week))
    with house.store.transaction() as t:
        house.journal.append(t, made)
        version = house.versions.admit(t, made, house.verdict(house.version(steady.champion).verdict), now=starts(week), id=f"v {week}")
        house.journal.append(t, version)
        now = begin(steady, version.id, paired.roll_out, now=starts(week), id=f"from {week}")
        house.journal.append(t, now)
        house.pointers.move(t, now, expected_generation=steady.generation)
    log(house, now, champion, truth, week)
    found = first_week(week, partial(by_pairs, house, now)), first_week(week, partial(by_split, house, now))
    house.store.close()
    shutil.rmtree(here)
    return found


def first_week(week: int, found: Callable[[datetime], bool]) -> float:
    """The first week in which it is found, one look a week, each when the truths of one more have matured."""
    return next((float(later) for later in range(1, WEEKS + 1) if found(starts(week + later) + timedelta(hours=1))), float("inf"))


def by_pairs(house: House, traffic: Traffic, now: datetime) -> bool:
    """Whether watching finds what the model fears: both versions answered every question."""
    signals = trial.watch(house, paired, traffic, now=now, id="look")
    return any(signal.fired and signal.clause == repr(FEARED) for signal in signals.signals)


def by_split(house: House, traffic: Traffic, now: datetime) -> bool:
    """Whether the verdict takes it back where each version is judged by its own products alone, each once."""
    nothing = Signals(id="look", made_at=now, model=split.name, until=now, signals=())
    found = trial.trial_of(house, split, traffic, nothing, now=now)
    return found is not None and found.says == "roll back"


def log(house: House, traffic: Traffic, champion: pa.Table, truth: NDArray[np.float64], week: int) -> None:
    """What was answered: before the start the champion alone; after it both, whoever's the unit is seen, the other in shadow."""
    moment = champion.column("moment").to_numpy()
    begun, over = microseconds(starts(week)), microseconds(starts(week + WEEKS))
    after = np.flatnonzero((moment >= begun) & (moment < over))
    value = np.array([answer["value"] for answer in champion.column("answer").to_pylist()], dtype=np.float64)
    both = champion.take(pa.array(after))
    mine = np.array([arm_of(unit, traffic) == "candidate" for unit in both.column("unit").to_pylist()])
    answers = pa.array([{"value": v, "values": [], "items": []} for v in worse_by(both, value[after], truth[after], week)])
    ids = pa.array([identity(id, traffic.salt) for id in both.column("id").to_pylist()])
    theirs = both
    for name, column in (("id", ids), ("version", pa.array([traffic.candidate] * len(both))), ("answer", answers)):
        theirs = set_column(theirs, name, column)
    rows = [
        champion.take(pa.array(np.flatnonzero(moment < begun))),
        set_column(both, "arm", pa.array(np.where(mine, "shadow", "champion"))),
        set_column(theirs, "arm", pa.array(np.where(mine, "candidate", "shadow"))),
    ]
    with AnswersLog(house.settings.answers, patience=60.0) as kept:
        for part in rows:
            kept.write(part.select(SCHEMA.names).cast(SCHEMA))


def set_column(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    """The same table with one column said anew."""
    at = table.column_names.index(name)
    return table.set_column(at, name, column.cast(table.schema.field(name).type))


def worse_by(rows: pa.Table, value: NDArray[np.float64], truth: NDArray[np.float64], run: int) -> NDArray[np.float64]:
    """The champion's answers, of half of the products e^δ times as large and of the others e^-δ times, by a coin for each product (the
    SHA-256 of the run and its id), with the δ at which the WAPE of all eight weeks is 12 % larger than the champion's."""
    heads = [hashlib.sha256(f"{run}:{unit}".encode()).digest()[0] % 2 for unit in rows.column("unit").to_pylist()]
    sign = np.array(heads, dtype=np.float64) * 2 - 1
    wanted = (1 + WORSE) * np.abs(truth - value).sum()
    low, high = 0.0, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.abs(truth - value * np.exp(middle * sign)).sum() < wanted else (low, middle)
    return np.asarray(value * np.exp(low * sign))
