"""Deliveries arrive: what receiving rows, gathering them and ingesting a file have in common. In: rows as kept. Out: what became of them.

Several deliveries that arrive together are one transaction, and come to what they would have come to one after another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate, groupby

import msgspec
import numpy as np

from everloop.clock import microseconds, said
from everloop.errors import EverloopError, Overtaken
from everloop.lake.few import Few, few, settle_few
from everloop.lake.place import Lake
from everloop.lake.rows import Brought, Kept, Offered, declared, kept_together
from everloop.lake.settle import UNSAID, Callers, delivered, settle
from everloop.lake.tables import Delivery, Origin
from everloop.project.source import Source
from everloop.records import Received

#: Fewer single rows than this may lack a column: each carries what it has to say.
FEW = 20


@dataclass(frozen=True)
class Coming:
    """How a delivery comes in: when, how long after it happened each row was known, whether as a single row, and of which file."""

    now: datetime
    known_after: timedelta | None = None
    single: bool = False
    name: str | None = None
    sha: str | None = None
    pin: str | None = None
    origin: Origin | None = None


@dataclass(frozen=True)
class Marks:
    """How far each partition of a stream had been taken ``before`` this arrival, and is ``after`` it."""

    before: Mapping[str, int]
    after: Mapping[str, int]


def read(source: Source, several: Sequence[Offered]) -> Kept | Few:
    """Deliveries as their source declares them."""
    return few(source, several) or kept_together(source, several)


def arrive(lake: Lake, source: Source, kept: Kept | Few, coming: Coming) -> Received:
    """Settle one delivery and commit it to the log, all of it or nothing. The same file (``sha``) again is all duplicates."""
    return arrive_together(lake, source, kept, [coming])[0]


def arrive_together(
    lake: Lake, source: Source, kept: Kept | Few, coming: Sequence[Coming], *, marks: Marks | None = None
) -> list[Received]:
    """Settle deliveries, one ``coming`` for each that was ``kept``, in one transaction; what became of each, as if one after another.

    What the lake does ``also`` is done once, with all rows that are new. A file comes alone.
    ``marks``: what came is of a stream, and how far that was taken moves with it. Raises Overtaken where somebody else moved it first.
    """
    for one in coming:
        refuse_known_after(source, one.known_after)
    rows = kept if isinstance(kept, Few) else delivered(source, kept.table)
    callers = _callers(coming)
    with lake.log.arrivals(source.name) as log:
        before = log.deliveries(only_last=not any(one.typed for one in kept.brought))
        if marks is not None:
            _not_moved(source, before, marks)
        sha = coming[0].sha
        if sha is not None and any(d.sha == sha for d in before):
            offered, through = kept.brought[0].offered, log.counters.last_seq
            return [Received(source=source.name, kept=0, duplicates=offered, refused=0, through_seq=through)]
        if isinstance(rows, Few):
            settled = settle_few(source, rows, log.known(rows.ids), log.counters, callers)
        else:
            of = np.repeat(np.arange(len(coming), dtype=np.int64), [one.rows for one in kept.brought])
            settled = settle(source, rows, of, log.known(rows.names.to_pylist()), log.counters, callers)
        reached = [log.counters.last_seq + n for n in accumulate(settled.kept)]
        log.append(settled.events, settled.digests, last_known=settled.last_known)
        for note in _marked(_notes(source, kept.brought, coming, before, reached, settled.kept), before, marks):
            log.note(note)
        also = lake.also(source.name) if settled.events.num_rows else None
        if also is not None:
            log.also(also, settled.events)
        lake.pause("arrived, not committed")
    lake.pause("committed")
    return [
        Received(
            source=source.name, kept=new, duplicates=one.rows - new, refused=one.refused, examples=one.examples, reasons=one.reasons,
            through_seq=through, ahead=ahead,
        )
        for one, new, through, ahead in zip(kept.brought, settled.kept, reached, settled.ahead, strict=True)
    ]  # fmt: skip


LONGEST_AFTER = timedelta(days=36_525)


def refuse_known_after(source: Source, known_after: timedelta | None) -> None:
    """Raises EverloopError for a span below zero."""
    if known_after is not None and known_after < timedelta(0):
        raise EverloopError(f"{source.name}: known_after={known_after} is below zero: nothing is known before it happens.")
    if known_after is not None and known_after > LONGEST_AFTER:
        raise EverloopError(f"{source.name}: known_after={known_after.days} days is longer than any history. Say 0, 10m, 6h or 2d.")


def _callers(coming: Sequence[Coming]) -> Callers:
    after = [UNSAID if one.known_after is None else one.known_after // timedelta(microseconds=1) for one in coming]
    return Callers([microseconds(one.now) for one in coming], after)


def _notes(
    source: Source, brought: Sequence[Brought], coming: Sequence[Coming], before: Sequence[Delivery], reached: Sequence[int],
    new: Sequence[int],
) -> list[Delivery]:  # fmt: skip
    """The deliveries to remember, as the last of these left each; ``reached`` is through which row each came, ``new`` how many it kept."""
    there, noted = list(before), dict[int, Delivery]()
    told = [at for at, rows in enumerate(new) if rows or (coming[at].sha is not None and brought[at].rows)]
    for _, some in groupby(told, lambda at: coming[at].now.date() if coming[at].single else at):
        first, *others = some
        last = others[-1] if others else first
        one = brought[first]
        if others:
            lacking = set(one.missing).intersection(*(brought[at].missing for at in others))
            missing = tuple(name for name in one.missing if name in lacking)
            rows, refused = (one.rows + sum(brought[at].rows for at in others), one.refused + sum(brought[at].refused for at in others))
            one = replace(one, rows=rows, refused=refused, missing=missing)
        note = _noted(source, one, coming[first], there, reached[first] - new[first] + 1, reached[last])
        there = [*(d for d in there if d.number != note.number), note]
        noted[note.number] = note
    return list(noted.values())


def _not_moved(source: Source, before: Sequence[Delivery], marks: Marks) -> None:
    there = dict(before[-1].marks) if before else {}
    moved = [name for name, position in marks.before.items() if there.get(name, 0) != position]
    if moved:
        raise Overtaken(
            f"{source.name}: somebody else took {moved[0]} further meanwhile, to {there.get(moved[0], 0):,}. Nothing was kept of it."
        )


def _marked(notes: list[Delivery], before: Sequence[Delivery], marks: Marks | None) -> list[Delivery]:
    """The notes, each saying how far streams were taken by the one before it, the last how far they are now."""
    there = dict(before[-1].marks) if before else {}
    marked = [msgspec.structs.replace(note, marks=tuple(there.items())) for note in notes] if there else notes
    if marks is None:
        return marked
    # Where nothing of it was new nothing is noted; how far it was taken is, with whatever came last.
    noted = marked or list(before[-1:])
    return noted and [*noted[:-1], msgspec.structs.replace(noted[-1], marks=tuple(sorted({**there, **marks.after}.items())))]


def _noted(source: Source, brought: Brought, coming: Coming, before: Sequence[Delivery], first: int, through: int) -> Delivery:
    """A delivery to remember; single rows join the last one of their UTC day."""
    last = before[-1] if before else None
    if coming.single and last is not None and last.singles and last.withdrawn_at is None and last.at.date() == coming.now.date():
        missing = tuple(name for name in last.missing if name in brought.missing)
        rows, refused = last.rows + brought.rows, last.refused + brought.refused
        return msgspec.structs.replace(last, last_seq=through, rows=rows, refused=refused, missing=missing)
    new: tuple[str, ...] = ()
    if brought.typed:
        # Only what says its types is compared: single events carry what they like.
        accepted = {name for d in before if d.withdrawn_at is None for name, _ in d.columns if name not in d.new}
        expected = declared(source)
        new = tuple(name for name, _ in brought.columns if name not in accepted and name not in expected) if accepted else ()
    return Delivery(
        source=source.name, number=last.number + 1 if last else 1, at=coming.now, first_seq=first, last_seq=through, rows=brought.rows,
        refused=brought.refused, missing=brought.missing, new=new, retyped=brought.retyped, name=coming.name, origin=coming.origin,
        # A file some rows of which were refused may come again, once the project is mended.
        sha=None if brought.refused else coming.sha, pin=coming.pin, singles=coming.single,
        columns=brought.columns if brought.typed else (),
    )  # fmt: skip


def spoken(delivery: Delivery) -> str:
    """A delivery in a few words.

    >>> from datetime import UTC
    >>> spoken(Delivery(source="orders", number=3, at=datetime(2026, 11, 2, tzinfo=UTC), first_seq=1, last_seq=2, rows=2))
    'delivery 3 of orders (2 rows at 2026-11-02 00:00 UTC)'
    """
    return f"delivery {delivery.number} of {delivery.source} ({delivery.rows:,} rows at {said(delivery.at)})"
