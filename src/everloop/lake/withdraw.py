"""Deliveries looked at again: which there were, taking a bad one back, and agreeing to columns that are new.

Nothing is overwritten: what a delivery said is answered by newer rows, known from now on. What was trained on it can still be read again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import microseconds, utc
from everloop.errors import Unknown
from everloop.lake.arrive import FEW
from everloop.lake.place import Lake
from everloop.lake.settle import Longs, marks
from everloop.lake.shape import ALWAYS, event_schema
from everloop.lake.snapshot import read_source
from everloop.lake.tables import Delivery
from everloop.project.source import Source
from everloop.records import Received


def deliveries(lake: Lake, source: Source, *, through_seq: int | None = None) -> list[Delivery]:
    """What was delivered, in order; only what began by ``through_seq``, and nothing whose rows are forgotten with everybody's. A few
    single rows that lack a column lack nothing yet."""
    found = [d for d in lake.log.deliveries(source.name) if d.rows and (through_seq is None or d.first_seq <= through_seq)]
    return [msgspec.structs.replace(d, missing=()) if not d.columns and d.rows < FEW else d for d in found]


def withdraw(lake: Lake, source: Source, number: int, *, now: datetime) -> Received:
    """Take back a delivery: where it was the last word on a row, what was said before stands again, or the row is gone.

    The same file does not come in again; the rows, mended, may. ``kept`` of what is returned counts the rows answered. A delivery withdrawn
    before is no matter. Raises Unknown for a number there is not.
    """
    with lake.log.arrivals(source.name) as log:
        found = {d.number: d for d in log.deliveries()}
        if number not in found:
            raise Unknown("delivery", str(number), [str(n) for n in sorted(found)], where=source.name)
        delivery = found[number]
        nothing = Received(source=source.name, kept=0, duplicates=0, refused=0, through_seq=log.counters.last_seq)
        if delivery.withdrawn_at is not None:
            return nothing
        events = read_source(lake, source)
        answers = _answers(source, events, delivery, log.counters.last_seq, max(microseconds(now), log.counters.last_known + 1))
        if source.version is not None:
            said = events.filter((pc.field("seq") >= delivery.first_seq) & (pc.field("seq") <= delivery.last_seq))
            log.forget(list(zip(said.column("id").to_pylist(), said.column("version").to_pylist(), strict=True)))
        last_known = max([log.counters.last_known, *answers.column("known_at").to_pylist()])
        log.append(answers, marks(source, answers), last_known=last_known)
        if source.version is not None:
            log.forget(list(zip(answers.column("id").to_pylist(), answers.column("version").to_pylist(), strict=True)))
        log.note(msgspec.structs.replace(delivery, withdrawn_at=utc(now)))
        through = log.counters.last_seq
    return replace(nothing, kept=answers.num_rows, through_seq=through)


def accept_columns(lake: Lake, source: Source) -> tuple[str, ...]:
    """Agree to the columns that are new in the newest delivery: from now on they are expected, if not read. Returns their names."""
    with lake.log.arrivals(source.name) as log:
        newest = log.deliveries(only_last=True)
        if not newest or not newest[0].new:
            return ()
        log.note(msgspec.structs.replace(newest[0], new=()))
        return newest[0].new


def _answers(source: Source, events: pa.Table, delivery: Delivery, last_seq: int, now: int) -> pa.Table:
    """One row for each id on which the delivery had the last word: the word before, again, or that it is gone."""
    schema = event_schema(source)
    ordered = events.take(pc.sort_indices(events, [("id", "ascending"), ("version", "ascending"), ("seq", "ascending")]))
    seq = ordered.column("seq").to_numpy()
    withdrawn = (seq >= delivery.first_seq) & (seq <= delivery.last_seq)
    ids = ordered.column("id").combine_chunks().dictionary_encode()
    codes = ids.indices.to_numpy() if isinstance(ids, pa.DictionaryArray) else ids.combine_chunks().indices.to_numpy()
    last = [int(i) for i in range(len(codes)) if withdrawn[i] and (i + 1 == len(codes) or codes[i + 1] != codes[i])]
    rows, gone, latest = [], [], _latest_known(ordered, codes)
    for at in last:
        before = at
        while before >= 0 and codes[before] == codes[at] and withdrawn[before]:
            before -= 1
        stands = before >= 0 and codes[before] == codes[at]
        rows.append(before if stands else at)
        gone.append(not stands)
    said = ordered.take(pa.array(rows, pa.int64()))
    newest = ordered.take(pa.array(last, pa.int64()))
    known = [max(now + n, latest[int(codes[at])] + 1) for n, at in enumerate(last)]
    version = newest.column("version") if source.version is not None else pc.add(newest.column("version"), 1)
    fresh = {
        "seq": pa.array(range(last_seq + 1, last_seq + 1 + len(last)), pa.int64()),
        "version": version,
        "event_at": said.column("event_at") if source.time else pa.array(known, pa.int64()),
        "known_at": pa.array(known, pa.int64()),
        "deleted": pc.or_(said.column("deleted"), pa.array(gone, pa.bool_())),
    }
    return pa.table([fresh.get(name, said.column(name)) for name in schema.names], schema=schema)


def _latest_known(ordered: pa.Table, codes: Longs) -> dict[int, int]:
    latest: dict[int, int] = {}
    for code, known_at in zip(codes.tolist(), ordered.column("known_at").to_pylist(), strict=True):
        latest[code] = max(latest.get(code, ALWAYS), known_at)
    return latest
