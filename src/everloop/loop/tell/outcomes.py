"""Outcomes: what people then did. Any named number of a unit or of an answer: click, order, rating, retention. In: rows as told. Out: what
became of them; and, to whoever counts, each beside the answer it belongs to.

They lie in a source of the house's own, through the very door events come in by. Nothing is decided here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import from_microseconds, microseconds
from everloop.lake.receive import receive
from everloop.lake.shape import SEPARATOR
from everloop.loop.answers import answers_of
from everloop.loop.house import House
from everloop.loop.tell.meant import Meant, Refused, Row, at, finite, read_rows, word
from everloop.loop.tell.own import own_events, own_source
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import Received, identity

OUTCOMES = own_source(
    Source(
        "outcomes",
        id="said",
        time="at",
        version="once",
        columns={"event_id": str, "model": str, "unit": str, "prediction": str, "name": str, "value": float},
    )
)
"""``said`` is model, name and event id: the first one of these stays, whatever comes again under the same."""

FOUND = pa.schema(
    [
        ("event_id", pa.string()),
        ("name", pa.string()),
        ("value", pa.float64()),
        ("at", pa.int64()),  # µs UTC
        ("unit", pa.string()),
        ("prediction", pa.string()),  # the answer it belongs to; null where there is none, and so the next three
        ("version", pa.string()),
        ("arm", pa.string()),
        ("moment", pa.int64()),  # µs UTC
    ]
)


@dataclass(frozen=True)
class ArmCount:
    """One arm of one version: how many units it answered, how many of those had the outcome, the sum of its values, and the sum for each
    unit answered.

    ``mean`` is None where nobody was answered.
    """

    version: str
    arm: str
    units: int
    with_outcome: int
    sum: float
    mean: float | None


def tell_outcomes(house: House, told: Sequence[Row], now: datetime) -> Received:
    """Named outcomes, as they come in; once this returns they are kept.

    A row names ``prediction`` (an answer's id), or ``model`` and the unit's columns (or ``unit``); it says ``name``, ``value`` (a number,
    or true and false; unsaid, 1) and ``at`` (unsaid, or after ``now``: now). The same ``event_id`` of a model and name is kept once, the
    first time; without one, what says the same is the same. However late, it is kept. Bad rows are refused with a reason. Raises HouseFull
    or HouseBusy, and then nothing was kept.
    """
    kept, refused = read_rows(house, told, now, _outcome)
    return refused.received("outcomes", receive(house.lake, OUTCOMES, list(kept.values()), now=now) if kept else None)


def outcomes_of(house: House, model: Model, name: str | None = None, since: datetime | None = None) -> pa.Table:
    """Outcomes of a model (of one ``name``; from ``since`` on), in the columns of ``FOUND``, by ``at``, each beside its answer.

    Its answer is the one it names; else the newest one its unit was given at or before ``at``, no longer ago than the model's truth takes
    to mature (a model whose truth takes no time: however long ago).
    """
    events = own_events(house, OUTCOMES)
    mine = pc.field("model") == model.name
    if name is not None:
        mine = mine & (pc.field("name") == name)
    if since is not None:
        mine = mine & (pc.field("at") >= microseconds(since))
    found = events.filter(mine).sort_by([("at", "ascending"), ("seq", "ascending")])
    given = answers_of(house, model) if len(found) else None
    return beside_answers(found, given, window=model.matures_after // _MICROSECOND) if given is not None else FOUND.empty_table()


def beside_answers(outcomes: pa.Table, given: pa.Table, *, window: int) -> pa.Table:
    """Outcomes (``event_id``, ``name``, ``value``, ``at``, ``unit``, ``prediction``) beside the answers (``id``, ``version``, ``arm``,
    ``unit``, ``moment``, ``error``) they belong to, in the columns of ``FOUND``. ``window``: µs; 0: no bound. What nobody saw (shadow) and
    what failed is nobody's answer, unless it is named.
    """
    by_id = {id: i for i, id in enumerate(given.column("id").to_pylist())}
    place = np.array([-1 if id is None else by_id.get(id, -1) for id in outcomes["prediction"].to_pylist()], dtype=np.int64)
    unnamed = np.flatnonzero(outcomes["prediction"].is_null().to_numpy())
    if len(unnamed):
        place[unnamed] = _newest_before(outcomes.take(pa.array(unnamed)), given, window)
    rows = pa.array(place, mask=place < 0)
    columns = [outcomes[column] for column in FOUND.names[:5]]
    columns += [given[column].take(rows) for column in ("id", "version", "arm", "moment")]
    return pa.table(columns, schema=FOUND)


def counts_by_arm(given: pa.Table, outcomes: pa.Table) -> tuple[ArmCount, ...]:
    """Units answered and what they did, for each version and arm, in order of their names; a unit in two arms counts in both.

    ``given`` (``version``, ``arm``, ``unit``, ``error``): answers, of which shadow and failures do not count. ``outcomes``: as
    ``outcomes_of`` gives them, of one name.

    >>> given = pa.table({"version": ["v", "v", "w"], "arm": ["champion", "champion", "candidate"], "unit": ["a", "b", "c"],
    ...                   "error": pa.nulls(3, pa.string())})
    >>> did = pa.table({"version": ["v", "v"], "arm": ["champion"] * 2, "unit": ["a", "a"], "value": [1.0, 2.0]})
    >>> counts_by_arm(given, did)[1]
    ArmCount(version='v', arm='champion', units=2, with_outcome=1, sum=3.0, mean=1.5)
    """
    asked = given.filter(_seen()).group_by(["version", "arm"]).aggregate([("unit", "count_distinct")])
    did = outcomes.group_by(["version", "arm"]).aggregate([("unit", "count_distinct"), ("value", "sum")])
    done = {(row["version"], row["arm"]): row for row in did.to_pylist()}
    nothing = {"unit_count_distinct": 0, "value_sum": 0.0}
    found = []
    for row in sorted(asked.to_pylist(), key=lambda r: (r["arm"], r["version"])):
        units, what = row["unit_count_distinct"], done.get((row["version"], row["arm"]), nothing)
        total = float(what["value_sum"] or 0.0)
        found.append(ArmCount(row["version"], row["arm"], units, what["unit_count_distinct"], total, total / units if units else None))
    return tuple(found)


def outcome_counts(house: House, model: Model, name: str, since: datetime | None = None) -> tuple[ArmCount, ...]:
    """``counts_by_arm`` of one outcome, of answers given from ``since`` on and what came of these; what was told since of an answer given
    before is left out, for its unit is not counted."""
    given = answers_of(house, model, since=since).filter(_seen())
    told = outcomes_of(house, model, name, since)
    return counts_by_arm(given, told.filter(pc.is_in(told["prediction"], value_set=given["id"].combine_chunks())))


_MICROSECOND = from_microseconds(1) - from_microseconds(0)


def _outcome(row: Row, meant: Meant, now: datetime) -> dict[str, object]:
    """One outcome as the source keeps it."""
    name, event_id = word(row, "name"), word(row, "event_id")
    if name is None:
        raise Refused("it does not say the name of the outcome")
    value = row.get("value")
    number = 1.0 if value is None else float(value) if isinstance(value, bool) else finite(value, "the value of an outcome")
    happened = min(now, from_microseconds(said)) if (said := at(row, "at")) is not None else now
    # Without an id of its own, what it says is its id.
    key = event_id or identity("said", meant.unit, meant.prediction, number, happened.isoformat())
    return {
        "said": SEPARATOR.join((meant.model.name, name, "id" if event_id else "content", key)),
        "once": 0,
        "at": happened,
        "event_id": event_id,
        "model": meant.model.name,
        "unit": meant.unit,
        "prediction": meant.prediction,
        "name": name,
        "value": number,
    }


def _seen() -> pc.Expression:
    """Answers that somebody was given."""
    return (pc.field("arm") != "shadow") & pc.field("error").is_null()


def _newest_before(outcomes: pa.Table, given: pa.Table, window: int) -> NDArray[np.int64]:
    """For each outcome the place of the newest answer its unit was given at or before it; -1 where there is none."""
    placed = given.append_column("place", pa.array(np.arange(len(given))))
    served = placed.filter(_seen() & pc.field("unit").isin(outcomes["unit"].combine_chunks())).sort_by("moment")
    moments: dict[str, list[int]] = {}
    places: dict[str, list[int]] = {}
    for unit, moment, place in zip(*(served[column].to_pylist() for column in ("unit", "moment", "place")), strict=True):
        moments.setdefault(unit, []).append(moment)
        places.setdefault(unit, []).append(place)
    found = np.full(len(outcomes), -1, dtype=np.int64)
    for row, (unit, did) in enumerate(zip(outcomes["unit"].to_pylist(), outcomes["at"].to_pylist(), strict=True)):
        there = bisect_right(moments.get(unit, []), did) - 1
        if there >= 0 and (not window or did - moments[unit][there] <= window):
            found[row] = places[unit][there]
    return found
