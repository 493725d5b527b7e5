"""Snapshot: how far each source counts, said once, readable again row for row as long as the lake stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import microseconds, utc
from everloop.errors import Unknown
from everloop.lake.place import Lake, table_of
from everloop.lake.seal import MARKER, seal
from everloop.lake.shape import OWN, event_schema
from everloop.project.source import Source
from everloop.records import Extent, Snapshot


def snapshot(lake: Lake, sources: Iterable[Source], *, now: datetime, id: str) -> Snapshot:
    """Seal these sources and say how far each reaches. A source without rows reaches row 0."""
    extents = []
    for source in sources:
        through = seal(lake, source)
        table = table_of(source.name)
        version = lake.tables.version(table)
        # seq has no gaps: through row n there are n rows.
        pins = dict.fromkeys(f"{d.name} {d.pin}" for d in lake.log.deliveries(source.name) if d.pin and d.first_seq <= through)
        extents.append(Extent(source=source.name, version=version or 0, through_seq=through, rows=through, pins=tuple(pins) or None))
    return Snapshot(id=id, made_at=utc(now), extents=tuple(extents))


def read(lake: Lake, snapshot: Snapshot, source: Source, *, columns: Sequence[str] | None = None) -> pa.Table:
    """The event table of one source in a snapshot, in order of ``seq``; always the same. ``columns``: of its own columns only these.

    Raises Unknown if the snapshot does not have the source, StoreError if its table is gone.
    """
    extent = snapshot.extent(source.name)
    if extent is None:
        raise Unknown("source", source.name, [e.source for e in snapshot.extents], where=f"snapshot {snapshot.id}")
    schema = _only(event_schema(source), columns)
    if extent.through_seq == 0:
        return schema.empty_table()
    return lake.tables.read(table_of(source.name), version=extent.version, schema=schema, through_seq=extent.through_seq)


def pieces(lake: Lake, snapshot: Snapshot, source: Source) -> pa.RecordBatchReader:
    """The rows that ``read`` gives, some at a time and in no order, for whoever cannot hold them all. Raises as ``read`` does."""
    extent, schema = snapshot.extent(source.name), event_schema(source)
    if extent is None:
        raise Unknown("source", source.name, [e.source for e in snapshot.extents], where=f"snapshot {snapshot.id}")
    through = extent.through_seq
    tables = lake.tables.pieces(table_of(source.name), version=extent.version, schema=schema, through_seq=through) if through else ()
    return pa.RecordBatchReader.from_batches(schema, (batch for table in tables for batch in table.to_batches()))


def read_source(lake: Lake, source: Source, *, known_before: datetime | None = None, columns: Sequence[str] | None = None) -> pa.Table:
    """The event table of one source as it is now, sealed and hot, in order of ``seq``; with an instant, only what was known before it."""
    schema = _only(event_schema(source), columns)
    table = table_of(source.name)
    # The log first: what is sealed in between is in the table, which is read after.
    hot = list(lake.log.unsealed(source.name, schema, after=lake.tables.marker(table, MARKER)))
    sealed = lake.tables.read(table, schema=schema)
    through = sealed.column("seq")[-1].as_py() if sealed.num_rows else 0
    rows = pa.concat_tables([sealed, *(piece.filter(pc.field("seq") > through) for piece in hot)])
    return rows if known_before is None else rows.filter(pc.field("known_at") < microseconds(known_before))


def _only(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    if columns is None:
        return schema
    own = [name for name in schema.names if name not in OWN.names]
    for name in columns:
        if name not in schema.names:
            raise Unknown("column", name, own)
    return pa.schema([*OWN, *(schema.field(name) for name in own if name in columns)])
