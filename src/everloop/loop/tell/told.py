"""Truths that are no event: somebody tells what came of a question. In: rows as told. Out: what became of them; and, to whoever joins
them, the newest of each question.

They lie in a source of the house's own, through the very door events come in by: kept once, durable, sealed into the lake. Its name holds
a dot, which no source of a project file can have.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import from_microseconds, microseconds
from everloop.lake.receive import receive
from everloop.lake.seal import seal
from everloop.lake.shape import SEPARATOR, event_schema
from everloop.lake.snapshot import read
from everloop.loop.house import House
from everloop.loop.tell.elsewhere import tell_predictions
from everloop.loop.tell.meant import Meant, Refused, Row, at, finite, not_later, read_rows, shown, writable
from everloop.loop.tell.outcomes import OUTCOMES, tell_outcomes
from everloop.loop.tell.own import own_events, own_source
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import Received, Snapshot

__all__ = ["TRUTHS", "seal_told", "tell_outcomes", "tell_predictions", "tell_truths", "told_by", "told_truths"]

MOST_ITEMS = 10_000  # of one list

TRUTHS = own_source(
    Source(
        "truths",
        id="said",
        time="moment",
        known="told_at",
        deleted="taken_back",
        columns={"model": str, "unit": str, "number": float, "label": str, "items": str, "void": bool},
    )
)
"""``said`` is model, moment, when it was known if that was said, and unit: so what is told again is known again, in whatever order."""


def tell_truths(house: House, told: Sequence[Row], now: datetime) -> Received:
    """What came of questions, as somebody tells it; once this returns it is kept.

    A row names its question by ``prediction`` (an id), or by ``model``, the unit's columns (or ``unit``) and ``moment``; and says
    ``truth``: a number; true or false; a label; a list of items; null takes back what was told. ``void``: true, and the question does not
    count. ``known_at`` says since when it is known (not after ``now``); unsaid, from now on. The newest known counts. Bad rows are refused
    with a reason, the others kept. Raises HouseFull or HouseBusy, and then nothing was kept.
    """
    kept, refused = read_rows(house, told, now, _truth)
    return refused.received("truths", receive(house.lake, TRUTHS, list(kept.values()), now=now) if kept else None)


def told_truths(house: House, model: Model, now: datetime) -> pa.Table:
    """What has been told of a model's questions as known strictly before ``now``: ``moment`` (µs), ``unit``, ``truth``, ``void``, and
    ``first_known_at`` (µs), when something was first told that had not been taken back before.

    The newest of each question; what was taken back is not there.
    """
    return newest_told(model, own_events(house, TRUTHS), now)


def told_by(house: House, snapshot: Snapshot, model: Model, now: datetime) -> pa.Table:
    """As ``told_truths``, of what a snapshot holds: always the same."""
    if snapshot.extent(TRUTHS.name) is None:
        return newest_told(model, event_schema(TRUTHS).empty_table(), now)
    return newest_told(model, read(house.lake, snapshot, TRUTHS), now)


def own_sources(house: House) -> tuple[Source, ...]:
    """The house's own sources that anything was told to and that models learn from; they belong in a snapshot."""
    return (TRUTHS,) if house.lake.log.counters(TRUTHS.name).last_seq else ()


def seal_told(house: House) -> None:
    """Move what was told from the hot log into the lake, each row once."""
    for source in (TRUTHS, OUTCOMES):
        if house.lake.log.counters(source.name).last_seq:
            seal(house.lake, source)


# -- one row -----------------------------------------------------------------------------------------------------------------------------


def _truth(row: Row, meant: Meant, now: datetime) -> dict[str, object]:
    """One telling as the source keeps it."""
    if meant.model.steps > 1:
        raise Refused(f"{meant.model.name} answers in {meant.model.steps} steps, each with a truth of its own, which events tell")
    if meant.moment is None:
        raise Refused("it does not say the moment of the question")
    told_at = not_later(at(row, "known_at"), now, "known_at")
    void = row.get("void", False)
    if not isinstance(void, bool):
        raise Refused(f"void is {type(void).__name__}, neither true nor false")
    if "truth" not in row and not void:
        raise Refused("it says no truth; null takes one back")
    if void and row.get("truth") is not None:
        raise Refused("it says a truth and that the question is void; say one of them")
    truth = None if void else row["truth"]
    said = SEPARATOR.join((meant.model.name, str(meant.moment), "" if told_at is None else str(told_at), meant.unit))
    kept: dict[str, object] = {"said": said, "model": meant.model.name, "unit": meant.unit, "void": void}
    kept |= {"moment": from_microseconds(meant.moment), "told_at": None if told_at is None else from_microseconds(told_at)}
    if truth is None and not void:
        return kept | {"taken_back": True}
    return kept | ({} if void else _of_kind(meant.model, truth))


def _of_kind(model: Model, truth: object) -> dict[str, object]:
    """A truth in the column of its model's kind. Raises Refused for one of another kind."""
    kind = model.kind
    if kind == "ranking":
        return _list(model, truth)
    if kind == "shares":
        if not isinstance(truth, str):
            raise Refused(f"the truth of {model.name} is a label, and {shown(truth)} is none")
        return {"label": writable(truth, "truth")}
    if kind == "chance":
        if truth not in (True, False):  # 1 and 0 are the same as these
            raise Refused(f"the truth of {model.name} is true or false, and {shown(truth)} is neither")
        return {"number": float(truth)}
    return {"number": finite(truth, f"the truth of {model.name}")}


def _list(model: Model, truth: object) -> dict[str, object]:
    """The items that came up, each once; where none did the question does not count, as with truths that are events."""
    if not isinstance(truth, list | tuple) or not all(isinstance(item, str) for item in truth):
        raise Refused(f"the truth of {model.name} is a list of items, and {shown(truth)} is none")
    if len(truth) > MOST_ITEMS:
        raise Refused(f"the truth has {len(truth):,} items; {MOST_ITEMS:,} are the most")
    items = list(dict.fromkeys(writable(item, "an item") for item in truth))
    return {"items": json.dumps(items)} if items else {"void": True}


# -- what is kept ------------------------------------------------------------------------------------------------------------------------


def newest_told(model: Model, events: pa.Table, now: datetime) -> pa.Table:
    """The newest telling of each question, in the columns truths are joined in; of two known at the same instant, the one told later."""
    mine = (pc.field("model") == model.name) & (pc.field("known_at") < microseconds(now))
    rows = events.filter(mine)
    units, moments = (rows.column(name).combine_chunks().dictionary_encode() for name in ("unit", "moment"))
    which = units.indices.to_numpy().astype(np.int64) * max(len(moments.dictionary), 1) + moments.indices.to_numpy()
    known, seq = (rows.column(name).to_numpy() for name in ("known_at", "seq"))
    in_turn = len(seq) < 2 or bool((seq[1:] > seq[:-1]).all())  # as they usually lie; a stable sort then keeps them so
    order = np.lexsort((known, which) if in_turn else (seq, known, which))
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = which[order][1:] != which[order][:-1]
    since = _since(last, rows.column("deleted").to_numpy()[order], known[order])
    kept = order[last]
    rows = rows.select(["moment", "unit", "deleted", "number", "label", "items", "void"]).take(pa.array(kept))
    rows = rows.append_column("first_known_at", pa.array(since)).take(pa.array(np.argsort(kept))).filter(~pc.field("deleted"))
    return pa.table(
        {
            "moment": rows["moment"],
            "unit": rows["unit"],
            "truth": _truths(model, rows),
            "void": pc.fill_null(rows["void"], False),
            "first_known_at": rows["first_known_at"],
        }
    )


def _since(last: NDArray[np.bool_], deleted: NDArray[np.bool_], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """When each question's truth was first known since it was last taken back; tellings lie question by question, oldest first."""
    begins = np.concatenate([[True], last[:-1]]) if len(last) else last
    begins[1:] |= deleted[:-1]
    first = np.maximum.accumulate(np.where(begins, np.arange(len(last)), 0))
    return known[first[last]]


def _truths(model: Model, rows: pa.Table) -> pa.ChunkedArray:
    """Truths as the training table has them: numbers, labels or lists."""
    if model.kind == "ranking":
        lists = [None if items is None else json.loads(items) for items in rows["items"].to_pylist()]
        return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])
    return rows["label"] if model.kind == "shares" else rows["number"]
