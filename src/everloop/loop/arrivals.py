"""What arrives: files and rows into the lake, by the names of the project file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import reduce
from pathlib import Path

import pyarrow as pa

from everloop.clock import utc
from everloop.connect.dvc import pin_of
from everloop.connect.lying import lying
from everloop.errors import EverloopError
from everloop.lake.ingest import ingest
from everloop.lake.receive import receive
from everloop.lake.tables import Delivery
from everloop.lake.withdraw import accept_columns, deliveries, withdraw
from everloop.loop.arriving import take_file
from everloop.loop.house import House
from everloop.loop.keep import ANY
from everloop.records import Received, Withdrawal, identity
from everloop.settings import SourceFiles


def ingest_files(
    house: House, source: str | None, files: Sequence[Path], *, now: datetime, known_after: timedelta | None = None
) -> list[Received]:
    """Files of one source; or, where none is named, every file that everloop.toml names.

    ``known_after``: the rows are history, known so long after they happened. Raises Unknown for a source nobody declared.
    """
    if source is not None:
        declared = house.project.source(source)
        there = house.settings.sources.get(source)
        if not files and there and _elsewhere(there):
            return [_named(house, source, there, now, known_after)]
        paths = list(files) or (there.paths() if there else [])
        if not paths:
            raise EverloopError(f"Which files? Say: everloop ingest {source} FILES…, or name them in [sources] of everloop.toml.")
        if known_after is None and there and not files:
            known_after = there.known_after
        return [ingest(house.lake, declared, paths, now=now, known_after=known_after, pins=_pins(paths))]
    if not house.settings.sources:
        raise EverloopError("everloop.toml names no files. Say: everloop ingest SOURCE FILES…, or name them in [sources].")
    found = {name: said.paths() for name, said in house.settings.sources.items() if not _elsewhere(said)}
    return [
        ingest(
            house.lake,
            house.project.source(name),
            found[name],
            now=now,
            known_after=known_after if known_after is not None else said.known_after,
            pins=_pins(found[name]),
        )
        if name in found
        else _named(house, name, said, now, known_after)
        for name, said in house.settings.sources.items()
    ]


def _elsewhere(said: SourceFiles) -> bool:
    return any("://" in file for file in said.files)


def _named(house: House, name: str, said: SourceFiles, now: datetime, known_after: timedelta | None) -> Received:
    """The files of a source that lie, some or all, in object storage."""
    there = [one for pattern in said.files for one in lying(pattern, house.settings.storage)]
    if not there:
        raise EverloopError(f"Nothing lies at {' or '.join(said.files)}. Put it there, or mend [sources] in everloop.toml.")
    source = house.project.source(name)
    return reduce(Received.then, [take_file(house, source, one, now, known_after) for one in there])


def _pins(paths: Sequence[Path]) -> dict[Path, str]:
    """What DVC knows the files by that it tracks. Raises EverloopError for one that is not what is pinned."""
    return {path: pin for path in paths if (pin := pin_of(path)) is not None}


def receive_rows(
    house: House, source: str, rows: Sequence[dict[str, object]] | pa.Table, *, now: datetime, known_after: timedelta | None = None
) -> Received:
    """Rows as they come in, one or many. Those that cannot be read are named in what is returned; the others are kept."""
    return receive(house.lake, house.project.source(source), rows, now=now, known_after=known_after)


def delivered(house: House, source: str) -> list[Delivery]:
    """What came in, delivery by delivery, oldest first. Raises Unknown for a source nobody declared."""
    return deliveries(house.lake, house.project.source(source))


def take_back(house: House, source: str, number: int, *, by: str, reason: str, now: datetime) -> Received:
    """A delivery is taken back: newer rows answer it, and the journal keeps by whom and why, once for each delivery.

    Raises Unknown for a number there is not; EverloopError without a name and a reason.
    """
    if not by.strip() or not reason.strip():
        raise EverloopError("Taking a delivery back needs a name and a reason. Say --by and --reason.")
    answered = withdraw(house.lake, house.project.source(source), number, now=now)
    record = Withdrawal(
        id=identity("withdrawal", source, number), made_at=utc(now), source=source, number=number, rows=answered.kept, by=by, reason=reason
    )
    with house.store.transaction() as t:
        if house.journal.find(record.id, within=t) is None:
            house.journal.append(t, record, verb="withdraw", back=ANY)
    return answered


def accept(house: House, source: str) -> tuple[str, ...]:
    """The columns nobody declared are as they should be; their names."""
    return accept_columns(house.lake, house.project.source(source))


def columns_told(house: House, source: str) -> str:
    """How the columns of the newest delivery differ from what was declared, in a sentence; nothing where they do not."""
    found = deliveries(house.lake, house.project.source(source))
    if not found:
        return ""
    newest = found[-1]
    parts = [f"lacks {', '.join(newest.missing)}"] if newest.missing else []
    parts += [f"brings {', '.join(newest.new)}, which nobody declared"] if newest.new else []
    parts += list(newest.retyped)
    return f"{source}: the delivery {'; '.join(parts)}. Nothing is learnt from it like that: everloop check" if parts else ""
