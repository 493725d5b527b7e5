"""One delivery arrives: what receiving rows and ingesting a file have in common. In: rows as kept. Out: what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from everloop.clock import microseconds, said
from everloop.errors import EverloopError
from everloop.lake.place import Lake
from everloop.lake.rows import Kept
from everloop.lake.settle import delivered, settle
from everloop.lake.tables import Also, Arrivals, Delivery
from everloop.project.source import Source
from everloop.records import Received

#: Fewer single rows than this may lack a column: each carries what it has to say.
FEW = 20


def arrive(
    lake: Lake, source: Source, kept: Kept, *, now: datetime, known_after: timedelta | None, also: Also | None = None,
    name: str | None = None, sha: str | None = None, single: bool = False,
) -> Received:  # fmt: skip
    """Settle a delivery and commit it to the log, all of it or nothing. The same file (``sha``) again is all duplicates."""
    if known_after is not None and known_after < timedelta(0):
        raise EverloopError(f"{source.name}: known_after={known_after} is below zero: nothing is known before it happens.")
    rows = delivered(source, kept.table)
    with lake.log.arrivals(source.name) as log:
        typed = bool(kept.columns) and kept.columns[0][1] != ""
        before = log.deliveries(only_last=not typed)
        if sha is not None and any(d.sha == sha for d in before):
            return Received(source=source.name, kept=0, duplicates=kept.offered, refused=0, through_seq=log.counters.last_seq)
        settled = settle(source, rows, log.known(rows.names), log.counters, now=microseconds(now), known_after=known_after)
        first = log.counters.last_seq + 1
        log.append(settled.events, settled.digests, last_known=settled.last_known)
        if settled.events.num_rows or (sha is not None and settled.duplicates):
            # A file some rows of which were refused may come again, once the project is mended.
            _note(log, source, kept, before, now, first, single=single, name=name, sha=None if kept.refused else sha)
        if also is not None and settled.events.num_rows:
            log.also(also, settled.events)
        lake.pause("arrived, not committed")
        through = log.counters.last_seq
    lake.pause("committed")
    return Received(
        source=source.name, kept=settled.events.num_rows, duplicates=settled.duplicates, refused=kept.refused, examples=kept.examples,
        through_seq=through,
    )  # fmt: skip


def _note(
    log: Arrivals, source: Source, kept: Kept, before: Sequence[Delivery], now: datetime, first: int, *, single: bool, name: str | None,
    sha: str | None,
) -> None:  # fmt: skip
    """Remember the delivery; single rows join the last one of their UTC day."""
    last, through = (before[-1] if before else None), log.counters.last_seq
    if single and last is not None and last.singles and last.withdrawn_at is None and last.at.date() == now.date():
        missing = tuple(name for name in last.missing if name in kept.missing)
        log.note(replace(last, last_seq=through, rows=last.rows + kept.offered, missing=missing))
        return
    typed = bool(kept.columns) and kept.columns[0][1] != ""
    # Only what says its types is compared: single events carry what they like.
    accepted = {name for d in before if d.withdrawn_at is None for name, _ in d.columns if name not in d.new}
    new = tuple(name for name, _ in kept.columns if name not in accepted and name not in _declared(source)) if typed and accepted else ()
    log.note(
        Delivery(
            source=source.name, number=last.number + 1 if last else 1, at=now, first_seq=first, last_seq=through, rows=kept.offered,
            missing=kept.missing, new=new, retyped=kept.retyped, name=name, sha=sha, singles=single, columns=kept.columns if typed else (),
        )
    )  # fmt: skip


def _declared(source: Source) -> set[str]:
    return {*source.every_column, *filter(None, (source.version, source.known, source.deleted))}


def spoken(delivery: Delivery) -> str:
    """A delivery in a few words.

    >>> from datetime import UTC
    >>> spoken(Delivery(source="orders", number=3, at=datetime(2026, 11, 2, tzinfo=UTC), first_seq=1, last_seq=2, rows=2))
    'delivery 3 of orders (2 rows at 2026-11-02 00:00 UTC)'
    """
    return f"delivery {delivery.number} of {delivery.source} ({delivery.rows:,} rows at {said(delivery.at)})"
