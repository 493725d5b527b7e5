"""Profiles kept: what the champion learnt from, and each window since, counted once and remembered as facts that can be worked out again.

The windows of what was learnt from come first: they are the habit that the newest one is held against from the first day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import from_microseconds, microseconds
from everloop.loop.house import House
from everloop.monitor.profile import ANSWERS, Profile, Spec, answers_as_column, describe, profile
from everloop.project.model import Model
from everloop.records import Candidate, Shape, Traffic, TrainingSet
from everloop.registry.facts import Facts
from everloop.serving.answered import features_of
from everloop.stats.shapes import Answers
from everloop.training.rows import learnable

FIRST_WINDOWS, FIRST_ANSWERS = 4, 200
HABIT = 26  # so many past windows are held against the newest
DAY = 86_400_000_000


def reference_of(house: House, model: Model, champion: Candidate) -> Profile | None:
    """The profile of what a champion learnt from, its own answers to it included; None for one that learnt nothing."""
    kept = house.facts.latest(model.name, f"reference {champion.id}")
    if kept is not None:
        spec = Spec.from_plain(kept.body["spec"])
        return Profile.from_plain(kept.body["profile"], spec)
    training_set = next((r for r in map(house.journal.find, champion.made_from) if isinstance(r, TrainingSet)), None)
    if training_set is None or not training_set.learn_rows:
        return None
    table = learnable(house.table(training_set), training_set, champion.shape)
    columns = table.select([c for c in model.columns if c in table.column_names])
    if champion.shape.kind != "ranking":
        columns = columns.append_column(ANSWERS, _as_column(house.predictor(champion).answer(table)))
    moments = table.column("moment").to_numpy().astype(np.int64)
    found = profile(describe(columns), columns, moments)
    with house.store.transaction() as t:
        body = {"spec": found.spec.to_plain(), "profile": found.to_plain(), "habit": _habit(found.spec, model, columns, moments)}
        house.facts.put(t, model.name, f"reference {champion.id}", champion.made_at, body)
    return found


def reference_elsewhere(house: House, model: Model, traffic: Traffic, given: pa.Table) -> Profile | None:
    """The profile of what a service elsewhere first answered, features it told included: nobody here knows what it learnt from.

    Made once, of its first windows (at least four, and 200 answers), when there is one after them; None until then.
    """
    champion = house.champion(traffic)
    good = (pc.field("version") == traffic.champion) & pc.field("error").is_null()
    mine = in_windows(model, given.filter(good))
    starts = _starts(model, mine.column("moment").to_numpy().astype(np.int64))
    opened, sizes = np.unique(starts, return_counts=True)
    enough = max(FIRST_WINDOWS, int(np.searchsorted(np.cumsum(sizes), FIRST_ANSWERS)) + 1)
    if len(opened) <= enough or champion.shape.kind == "ranking":
        return None
    rows = mine.filter(pa.array(starts < opened[enough]))
    names = sorted({name for said in rows.column("features").to_pylist() for name in msgspec.json.decode(said or "{}")})
    columns = _with_answers(rows, names, champion.shape)
    found = profile(describe(columns), columns, rows.column("moment").to_numpy().astype(np.int64))
    with house.store.transaction() as t:
        body = {"spec": found.spec.to_plain(), "profile": found.to_plain(), "habit": []}
        house.facts.put(t, model.name, f"reference {champion.id}", champion.made_at, body)
    return found


def in_windows(model: Model, given: pa.Table) -> pa.Table:
    """Answers at the beginning of the window each was given in: those of a service elsewhere come at any moment, not at ticks."""
    span = DAY if model.asked is None else model.asked.span // timedelta(microseconds=1)
    moments = given.column("moment").to_numpy().astype(np.int64)
    return given.set_column(given.schema.get_field_index("moment"), "moment", pa.array(moments - moments % span))


def windows_of(house: House, model: Model, champion: Candidate, reference: Profile | None, given: pa.Table) -> tuple[Profile, ...]:
    """One profile for each window of answers, oldest first, counted against the reference's bins."""
    if reference is None or not len(given):
        return ()
    name = f"window {champion.id}"
    habit = house.facts.latest(model.name, f"reference {champion.id}")
    served = given.filter(pc.not_equal(given.column("arm"), "shadow"))
    moments = served.column("moment").to_numpy()
    starts = _starts(model, moments)
    windows = np.unique(starts)[-HABIT:]
    if not len(windows):
        return ()
    kept = {microseconds(f.at): f.body for f in house.facts.read(model.name, name, since=from_microseconds(int(windows[0])))}
    past = [Profile.from_plain(plain, reference.spec) for plain in (habit.body["habit"] if habit else [])]
    found = [p for p in past if p.last_at is not None and p.last_at < windows[0]][-HABIT:]
    fresh: dict[int, Profile] = {}
    for start in windows.tolist():
        rows = np.flatnonzero(starts == start)
        body = kept.get(start)
        # A window that has grown since is counted again.
        if body is not None and body["rows"] == len(rows):
            found.append(Profile.from_plain(body, reference.spec))
            continue
        fresh[start] = _counted(reference.spec, served.take(pa.array(rows)), model, champion.shape)
        found.append(fresh[start])
    if fresh:
        _keep(house.facts, house, model, name, fresh)
    return tuple(found)


def _habit(spec: Spec, model: Model, columns: pa.Table, moments: NDArray[np.int64]) -> list[dict[str, object]]:
    """The windows of what was learnt from, one by one."""
    starts = _starts(model, moments)
    rows = [np.flatnonzero(starts == start) for start in np.unique(starts)[-HABIT:]]
    return [profile(spec, columns.take(pa.array(r)), moments[r]).to_plain() for r in rows]


def _starts(model: Model, moments: NDArray[np.int64]) -> NDArray[np.int64]:
    """The window of each moment: its own tick, or its UTC day where questions come at any time."""
    return moments if model.asked is not None else moments - moments % DAY


def _counted(spec: Spec, rows: pa.Table, model: Model, shape: Shape) -> Profile:
    if shape.kind == "ranking":
        return profile(spec, pa.table({}).select([]), rows.column("moment").to_numpy().astype(np.int64))
    columns = _with_answers(rows, [n for n in spec.features if n != ANSWERS], shape)
    return profile(spec, columns, rows.column("moment").to_numpy().astype(np.int64))


def _with_answers(rows: pa.Table, names: Sequence[str], shape: Shape) -> pa.Table:
    """What was known when these answers were given, and the answers."""
    known = features_of(rows, names)
    answers = _as_column(Answers.from_arrow(shape, rows.column("answer")))
    return pa.table({**{name: known.column(name) for name in known.column_names}, ANSWERS: answers})


def _as_column(answers: Answers) -> pa.Array:
    column = answers_as_column(answers)
    return pa.array(column.tolist(), pa.float64() if column.dtype.kind == "f" else pa.string(), from_pandas=True)


def _keep(facts: Facts, house: House, model: Model, name: str, fresh: dict[int, Profile]) -> None:
    with house.store.transaction() as t:
        for start, found in fresh.items():
            facts.put(t, model.name, name, from_microseconds(start), found.to_plain())
