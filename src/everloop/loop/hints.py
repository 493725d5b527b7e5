"""What may explain a change, gathered: how much each column moves the champion's answers, the newest values, what happened of late.

Nothing is judged here: ``monitor/causes.py`` ranks what is gathered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop import lake
from everloop.errors import EverloopError
from everloop.lake.tables import Delivery
from everloop.loop.house import House
from everloop.monitor.hints import Hints, Nearby
from everloop.monitor.profile import ANSWERS, Profile
from everloop.monitor.units import quantiles
from everloop.project.model import Model
from everloop.project.spoken_values import spoken_count, spoken_list
from everloop.records import Candidate, Report, Traffic
from everloop.registry.sentences import clause
from everloop.serving.answered import features_of, private_columns
from everloop.stats.mix import Side
from everloop.stats.shapes import Answers, Floats, Strings, of_a_step
from everloop.training.importance import importance
from everloop.training.rows import learnable

NEAR = timedelta(days=92)  # farther back nothing is near a change that is new
VALUES = 50  # of how many values a category may be to be a segment
ROWS = 20_000  # of the newest answers the segments are looked at
NEWEST = 3  # windows that a drift is seen in; the answers before them are those it is held against

Groups = Callable[[list[str]], Mapping[str, Strings]]


def hints_of(
    house: House, model: Model, traffic: Traffic, *, champion: Candidate, reference: Profile | None, given: pa.Table, groups: Groups,
    now: datetime,
) -> Hints:  # fmt: skip
    """Everything ``causes`` may want to know; ``given`` are the answers, ``groups`` says the segments of units."""
    mine = given.filter((pc.field("arm") != "shadow") & (pc.field("version") == traffic.champion) & pc.field("error").is_null())
    near = tuple(sorted(nearby(house, model, now), key=lambda n: n.at))
    if champion.shape.kind == "ranking":
        return Hints(nearby=near)  # what is known belongs to each candidate of a question, not to the question
    return Hints(
        importance=importance_of(house, model, champion),
        quantiles=_quantiles(reference, mine),
        nearby=near,
        answers=_answers(champion, _segments(model, reference), mine.slice(max(0, len(mine) - ROWS)), groups),
    )


def importance_of(house: House, model: Model, champion: Candidate) -> dict[str, float]:
    """How much each column moves a version's answers, worked out once on what it learnt from; empty where that cannot be told."""
    name = f"importance {champion.id}"
    kept = house.facts.latest(model.name, name)
    if kept is not None:
        return dict(kept.body)
    training_set = house.learnt_from(champion)
    if training_set is None or not training_set.learn_rows or champion.format in ("baseline", "elsewhere"):
        return {}
    table = learnable(house.table(training_set), training_set, champion.shape)
    try:
        found = importance(house.predictor(champion), table, seed=champion.seed)
    except EverloopError:
        return {}  # a version whose columns are not in its own training set any more still answers, and is watched
    with house.store.transaction() as t:
        house.facts.put(t, model.name, name, champion.made_at, found)
    return found


def nearby(house: House, model: Model, now: datetime) -> Iterator[Nearby]:
    """What happened of late that may move what a model is given or says: deliveries that came otherwise, reports that failed, versions
    that moved, definitions that were edited."""
    since = now - NEAR
    for source in model.sources:
        for delivery in lake.deliveries(house.lake, source):
            if since <= delivery.at <= now and (wrong := _otherwise(delivery)):
                yield Nearby(delivery.at, "data", f"{source.name}: delivery {delivery.number} {wrong}")
    name = _names(house)
    traffic: Traffic | None = None
    learnt: Candidate | None = None
    for entry in house.journal.read(kind=("Traffic", "Candidate", "Report"), model=model.name, until=now):
        record, told = entry.record, entry.at >= since
        if isinstance(record, Traffic):
            if told and traffic is not None and (record.champion, record.stage) != (traffic.champion, traffic.stage):
                yield Nearby(record.made_at, "version", clause(record, name))
            traffic = record
        elif isinstance(record, Candidate):
            if told and learnt is not None and record.knows != learnt.knows:
                yield Nearby(record.made_at, "definition", _edited(learnt, record))
            learnt = record if record.knows else learnt
        elif isinstance(record, Report) and told and not record.passed:
            worst = next(f for f in record.findings if f.outcome != "passed")
            yield Nearby(record.made_at, "data", f"{worst.source}: not fit to learn from. {worst.sentence}")


def _names(house: House) -> Callable[[str], str]:
    from everloop.registry.history import names

    return names(house.journal)


def _otherwise(delivery: Delivery) -> str:
    parts = [f"came without {spoken_list(list(delivery.missing))}"] if delivery.missing else []
    parts += [f"came with {spoken_list(list(delivery.new))}, which nobody declared"] if delivery.new else []
    parts += list(delivery.retyped)
    parts += [f"({spoken_count(delivery.rows, 'row')}) was taken back"] if delivery.withdrawn_at else []
    return "; ".join(parts)


def _edited(before: Candidate, after: Candidate) -> str:
    gone, new = ([r for r in one if r not in other] for one, other in ((before.knows, after.knows), (after.knows, before.knows)))
    parts = ([f"no longer {spoken_list(gone)}"] if gone else []) + ([f"now {spoken_list(new)}"] if new else [])
    return f"what the model knows was edited: {'; '.join(parts) or 'the order of its columns'}"


def _quantiles(reference: Profile | None, mine: pa.Table) -> dict[str, Floats]:
    """The quantiles of every number in the newest window."""
    if reference is None or not len(mine):
        return {}
    names = [n for n, bins in reference.spec.features.items() if n != ANSWERS and bins.kind == "number"]
    newest = mine.filter(pc.equal(mine.column("moment"), pc.max(mine.column("moment"))))
    if len(newest) < VALUES:  # questions that come at any moment: the newest day of them
        last = int(pc.max(mine.column("moment")).as_py())
        newest = mine.filter(pc.greater(mine.column("moment"), last - 86_400_000_000))
    columns = features_of(newest, names)
    return {
        n: quantiles(columns.column(n).to_numpy()) for n in names if pa.types.is_floating(columns.column(n).type)
    }  # fmt: skip


def _segments(model: Model, reference: Profile | None) -> list[str]:
    """The categories the model itself knows, where they are few and nobody's secret."""
    features = {} if reference is None else reference.spec.features
    few = [n for n, b in features.items() if n != ANSWERS and b.kind == "category" and len(b.top) + len(b.rest) <= VALUES]
    return [n for n in few if n not in private_columns(model)]


def _answers(champion: Candidate, names: list[str], mine: pa.Table, groups: Groups) -> tuple[Side, Side] | None:
    """The answers of the newest windows and those of earlier ones, as amounts with their segments; None where answers are no numbers."""
    if champion.shape.kind not in ("number", "chance") or len(mine) < 2:
        return None
    moments = mine.column("moment").to_numpy()
    starts = np.unique(moments if len(np.unique(moments)) * 2 < len(moments) else moments - moments % 86_400_000_000)
    if len(starts) < 2:
        return None
    newest = moments >= starts[-min(NEWEST, len(starts) - 1)]
    value = Answers.from_arrow(of_a_step(champion.shape), mine.column("answer")).value
    there = np.isfinite(value)
    known = features_of(mine, names) if names else pa.table({})
    own = {name: np.array([*known.column(name).to_pylist(), None], dtype=object)[:-1] for name in names}
    segments = {**groups(mine.column("unit").to_pylist()), **own}
    sides = [
        Side(value[rows], np.ones(int(rows.sum())), {name: g[rows] for name, g in segments.items()})
        for rows in (there & ~newest, there & newest)
    ]
    return (sides[0], sides[1]) if all(len(side.amount) for side in sides) else None
