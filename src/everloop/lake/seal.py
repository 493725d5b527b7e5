"""Seal: what is hot in the log goes into the source's table, every row exactly once, whatever dies in between.

Each commit carries how far it reaches. The sealer, alone for its source, reads that first: what the table already has it only lets go of
in the log, the rest it appends; the log lets go of rows only after the commit that has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from everloop.errors import StoreError
from everloop.lake.place import Lake, table_of
from everloop.lake.shape import event_schema
from everloop.project.source import Source

#: The marker in every commit of a source's table: its ``seq`` is through which row the table reaches.
MARKER: Final = "everloop"
#: Rows in one commit, unless more of them arrived at once.
TOGETHER: Final = 500_000


def seal(lake: Lake, source: Source) -> int:
    """Seal a source; returns through which sequence number its table reaches.

    Raises HouseBusy if another process has been sealing for too long, HouseFull where there is no room (the rows stay in the log), and
    StoreError if the table has rows the log has never given out.
    """
    name, table = source.name, table_of(source.name)
    with lake.log.sealing(name):
        through = lake.tables.marker(table, MARKER)
        last = lake.log.counters(name).last_seq
        if through > last:
            raise StoreError(
                f"The table of {name} reaches row {through:,}, its event log only row {last:,}: the log is older than the lake. "
                "Restore both from one backup."
            )
        lake.log.sealed(name, through)
        for events in _together(lake.log.unsealed(name, event_schema(source), after=through)):
            reaches = events.column("seq")[-1].as_py()
            # A table must not reach further than the log does after a power cut.
            lake.log.synced()
            lake.pause("not sealed")
            said = {"source": name, "through_seq": str(reaches)}
            lake.tables.append_once(table, events, marker=MARKER, seq=reaches, said=said)
            lake.pause("sealed, still hot")
            lake.log.sealed(name, reaches)
            lake.pause("let go")
            through = reaches
        return through


def _together(pieces: Iterator[pa.Table]) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(table.num_rows for table in waiting) >= TOGETHER:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
