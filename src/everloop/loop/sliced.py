"""A contest group by group: how a candidate did beside the champion in each of the larger groups of the questions, with intervals; kept
when it is judged, so that asking costs nothing. It can be worked out again, and decides nothing: what a gate asks of groups is
``fair_across``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from everloop.loop.house import House
from everloop.project.conditions import fair_across
from everloop.project.model import Model
from everloop.project.reading import leaves
from everloop.project.resolve import truth_span
from everloop.records import Contest
from everloop.serving.answered import private_columns, private_in
from everloop.stats.bootstrap import compare
from everloop.stats.measures import Measure, measure
from everloop.stats.shapes import Paired, Strings
from everloop.stats.whole import Whole
from everloop.training.rehearse import read_paired
from everloop.training.rows import first_rows

MOST, VALUES, LEAST_ROWS, ROUNDS = 24, 50, 50, 500


@dataclass(frozen=True)
class Slice:
    """The questions of a contest whose ``name`` is ``of``: by what share of the champion's ``measure`` the candidate is better (``effect``,
    between ``low`` and ``high`` with 95 %, None where too little can be said), on ``rows`` questions."""

    name: str
    of: str
    measure: str
    champion: float | None
    candidate: float | None
    effect: float | None
    low: float | None
    high: float | None
    rows: int


def keep_slices(house: House, model: Model, contest: Contest, body: bytes, asked: pa.Table) -> None:
    """Cut a contest by the groups its conditions name and by the few-valued texts its candidate knows; ``asked`` are its questions as a
    training table, ``body`` the answers to them."""
    one = measure(model.metric)
    if not body or isinstance(one, Whole):
        return
    paired = read_paired(body)
    groups = {**_texts(model, asked, len(paired)), **paired.groups}
    paired = replace(paired, groups={name: values for name, values in groups.items() if name not in hidden(model)})
    found = [asdict(slice_) for slice_ in slices(one, paired, truth_span(model))]
    if found:
        with house.store.transaction() as t:
            house.facts.put(t, model.name, f"slices {contest.id}", contest.made_at, found)


def slices(one: Measure, paired: Paired, span: timedelta = timedelta(0)) -> Iterator[Slice]:
    """The effect in each group with enough questions, the largest groups first; ``span`` is how long a truth takes.

    >>> from everloop.records import Shape
    >>> from everloop.stats.shapes import Answers
    >>> truth, where = np.arange(1.0, 201.0), np.array(["north", "south"] * 100, dtype=object)
    >>> said = [Answers(Shape(kind="number"), truth + off) for off in (2.0, 1.0)]
    >>> units = np.array([str(n) for n in range(200)], dtype=object)
    >>> found = list(slices(measure("mae"), Paired(units, np.zeros(200, dtype=np.int64), truth, *said, groups={"region": where})))
    >>> [(each.of, each.effect, each.rows) for each in found]
    [('north', 0.5, 100), ('south', 0.5, 100)]
    """
    for name, of, rows in _largest(paired.groups):
        found = compare(one, paired.take(rows), span=span, rounds=ROUNDS)
        yield Slice(name, of, one.name, found.champion, found.candidate, found.effect, found.low, found.high, found.rows)


def slices_of(house: House, contest: Contest) -> tuple[Slice, ...]:
    """What was kept of a contest; empty where nobody knows groups of its questions, or it was judged before they were kept."""
    fact = house.facts.latest(contest.model, f"slices {contest.id}")
    return () if fact is None else tuple(Slice(**each) for each in fact.body)


def _largest(groups: Mapping[str, Strings]) -> list[tuple[str, str, np.ndarray[tuple[int], np.dtype[np.bool_]]]]:
    found = []
    for name, values in groups.items():
        said = np.array([None if v is None else str(v) for v in values] + [None], dtype=object)[:-1]
        for of in sorted({v for v in said if v is not None}):
            rows = said == of
            if rows.sum() >= LEAST_ROWS:
                found.append((name, of, rows))
    return sorted(found, key=lambda each: -int(each[2].sum()))[:MOST]


def hidden(model: Model) -> frozenset[str]:
    """The groups that would show a private column's own values."""
    conditions = (*model.promote_when, *model.roll_back_when, *model.tell_when)
    readings = [c.reading for c in conditions if isinstance(c, fair_across)]
    secret = [r.name for r in readings if any(leaf.column in private_in(leaf.source) for leaf in leaves(r))]
    return private_columns(model) | frozenset(secret)


def _texts(model: Model, asked: pa.Table, questions: int) -> dict[str, Strings]:
    """The texts a candidate knows that have few values, one row for each question."""
    rows = asked.take(pa.array(first_rows(asked)))
    if len(rows) != questions:
        return {}
    known = [name for name in model.columns if name in rows.column_names and name not in model.unit]
    texts = [name for name in known if pa.types.is_string(rows.schema.field(name).type)]
    found = {name: np.array([*rows.column(name).to_pylist(), None], dtype=object)[:-1] for name in texts}
    return {name: values for name, values in found.items() if len({v for v in values if v is not None}) <= VALUES}
