"""What the model has brought: units it answers held against those that a control keeps on the baseline. Gathers and works out; decides
nothing.

Whose a unit is follows from its hash alone. It is the honest figure where answers change what happens, or what is ever heard of it (a
payment that is refused shows no fraud): every other comparison is between versions that all had their part in what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop import rollout
from everloop.loop.answers import answers_of
from everloop.loop.house import House
from everloop.loop.split import READ, SERVED, figures, sizes, split_units
from everloop.loop.unlearnt import unlearnt
from everloop.project.metrics import OF_KIND, needs_yes
from everloop.project.model import Model
from everloop.project.reading import Arithmetic, Reading
from everloop.project.spoken_conditions import say_measure
from everloop.project.spoken_voice import Voice
from everloop.project.steps import ab, bandit
from everloop.records import Lift, Traffic
from everloop.registry import history
from everloop.stats.losses import adds_up
from everloop.stats.measures import measure
from everloop.stats.sequences import difference
from everloop.stats.shapes import Floats

BLOCK = timedelta(days=28)
MET = pa.schema([("arm", pa.string()), ("answered_at", pa.int64()), ("unit", pa.string()), ("kept", pa.bool_())])


def lifts(house: House, model: Model, traffic: Traffic, now: datetime) -> tuple[Lift, ...]:
    """Each figure that matters, over the units met in the last four to eight weeks (less, where ``learnt_since`` is younger;
    ``counted_since``): the metric the model is held to by itself, and what its tests are about. Nothing where no unit keeps the baseline,
    or every unit does."""
    since = learnt_since(house, traffic)
    if since is None:
        return ()
    rows, names = _answered(house, model, counted_since(since, now))
    return tuple(_lifts(house, model, traffic, rows, names, now))


def first_met(house: House, model: Model, traffic: Traffic) -> pa.Table:
    """Each unit that was answered from ``learnt_since`` on, by its first answer since, in order: ``unit``, ``arm``, ``answered_at`` (µs),
    and ``kept``, whether the control has it."""
    since = learnt_since(house, traffic)
    if since is None:
        return MET.empty_table()
    rows, names = _answered(house, model, since)
    units, first = np.unique(names.astype(str), return_index=True)
    order = np.argsort(first)
    met = rows.select(["arm", "answered_at"]).take(pa.array(first[order]))
    kept = [rollout.kept(str(unit), traffic) for unit in units[order]]
    return met.append_column("unit", pa.array(units[order].tolist(), pa.string())).append_column("kept", pa.array(kept, pa.bool_()))


def _answered(house: House, model: Model, since: datetime) -> tuple[pa.Table, NDArray[np.object_]]:
    """What was answered to somebody since, in order, and whose each answer is."""
    given = answers_of(house, model, since=since)
    rows = given.select(READ).filter(pc.is_in(given.column("arm"), value_set=pa.array([*SERVED, "control"])))
    rows = rows.sort_by([("answered_at", "ascending"), ("unit", "ascending"), ("arm", "ascending")])
    names = np.array([*split_units(house, model, rows), None], dtype=object)[:-1]
    there = np.array([name is not None for name in names], dtype=bool)
    return rows.take(pa.array(np.flatnonzero(there))), names[there]


def _lifts(house: House, model: Model, traffic: Traffic, rows: pa.Table, names: NDArray[np.object_], now: datetime) -> Iterator[Lift]:
    if not len(rows):
        return
    units, first, owner = np.unique(names.astype(str), return_index=True, return_inverse=True)
    order = np.argsort(first)  # in the order in which they were met
    kept = np.array([rollout.kept(str(unit), traffic) for unit in units], dtype=bool)
    new = unlearnt(house, model.name, rows)
    for on in figures_of(model):
        if isinstance(on, str):
            by = measure(on)
            found, mature = sizes(house, model, by, rows, now)
            mature &= new
            counts = np.bincount(owner[mature], minlength=len(units))
            means = np.bincount(owner[mature], found[mature], minlength=len(units)) / np.maximum(counts, 1)
            what = f"{'loss' if by.better == 'lower' else 'gain'} by {say_measure(Voice(model), on)}"
            yield from _compared(what, means[order], kept[order], counts[order] > 0, traffic.control)
        else:
            values, closed = figures(house, model, on, rows.take(pa.array(first[order])), now)
            yield from _compared(say_measure(Voice(model), on), np.nan_to_num(values), kept[order], closed, traffic.control)


def _compared(what: str, values: Floats, kept: NDArray[np.bool_], there: NDArray[np.bool_], control: float) -> Iterator[Lift]:
    """The mean of the model's units less that of those that keep the baseline, with an interval that holds at all times at once, as long as
    the start of the count stands still."""
    values, kept = np.asarray(values[there], dtype=np.float64), kept[there]
    if not kept.any() or kept.all():
        return
    course = difference(values, (~kept).astype(np.float64), np.full(len(values), 1 - control))
    low, high = course.now if course is not None else (None, None)
    yield Lift(
        what=what, model=float(values[~kept].mean()), control=float(values[kept].mean()), units=int((~kept).sum()), kept=int(kept.sum()),
        low=low, high=high,
    )  # fmt: skip


def figures_of(model: Model) -> list[str | Reading | Arithmetic]:
    """What matters of a model: the metric it is held to by itself, or where that does not add up over answers (as auc) the next of its kind
    that does; and what its tests are about."""
    hoped = [win.on for step in model.roll_out if isinstance(step, ab | bandit) for win in step.wins_when]
    have = (model.metric, *OF_KIND[model.kind])
    mine = [metric for metric in have if adds_up(measure(metric)) and not needs_yes(metric, model.kind)]
    return [*mine[:1], *{repr(on): on for on in hoped if isinstance(on, Reading | Arithmetic)}.values()]


def counted_since(began: datetime, now: datetime) -> datetime:
    """From when on units are counted: the start of the four weeks before those under way, both counted from ``began``.

    A confidence sequence holds from one start, known before anything that is counted happened; one that slid along with ``now`` would begin
    a new one at every look. This one stands still for four weeks, and moves by the calendar alone.

    >>> began = datetime(2026, 1, 1)
    >>> [counted_since(began, began + timedelta(days=n)).isoformat()[:10] for n in (0, 55, 56, 83, 84)]
    ['2026-01-01', '2026-01-01', '2026-01-29', '2026-01-29', '2026-02-26']
    """
    return began + max((now - began) // BLOCK - 1, 0) * BLOCK


def learnt_since(house: House, traffic: Traffic) -> datetime | None:
    """Since when units are answered by something else than what the control keeps, while the same share keeps it; None: none is yet.

    Who was met before met nothing that was learnt: they would hide what it brings, and say nothing of it.
    """
    since = None
    for lived in reversed(history.history(house.journal, traffic.model)) if 0 < traffic.control < 1 else ():
        if (lived.control, lived.baseline) != (traffic.control, traffic.baseline):
            break
        if lived.champion != lived.baseline or (lived.stage == "canary" and lived.share):
            since = lived.made_at
    return since
