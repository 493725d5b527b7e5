"""Ingest: whole files come in, each of them once, and go straight on into the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from everloop.errors import HouseBusy, HouseFull, StoreError
from everloop.lake.arrive import Coming, arrive
from everloop.lake.files import read_file
from everloop.lake.place import Lake
from everloop.lake.rows import kept
from everloop.lake.seal import seal
from everloop.lake.tables import Origin
from everloop.project.source import Source
from everloop.records import Received

#: Told after each file: which, and how many rows of it are new.
Progress = Callable[[str, int], None]


def ingest(
    lake: Lake, source: Source, files: str | Path | Sequence[str | Path], *, now: datetime, known_after: timedelta | None = None,
    progress: Progress | None = None, pins: Mapping[Path, str] | None = None, origins: Mapping[Path, Origin] | None = None,
    most: int | None = None,
) -> Received:  # fmt: skip
    """Take in CSV, Parquet or Arrow files, in the order given; a file whose bytes came in before is all duplicates.

    ``known_after`` says that this is history: each row was known so long after it happened. Unsaid, it is known now. A file is kept whole
    or not at all; the ones before a bad file stay. Text in a number column, or a type that cannot be what is declared, leaves the column
    empty and is remembered with the delivery; what cannot be a row (no id, no time, a wrong value) is refused row by row.
    ``pins``: what DVC knows a file by, remembered with its delivery and in every snapshot that reaches it. ``origins``: where it lay.
    ``most``: bytes that a file may unpack to; TooMuch is raised for one of more.

    Raises EverloopError for a file that cannot be read, HouseFull or HouseBusy where nothing of the file came in; StoreError, too, where
    the tables do not answer: then it says what is kept and waits for them.
    """
    several = [files] if isinstance(files, str | Path) else files
    total = Received(source=source.name, kept=0, duplicates=0, refused=0, through_seq=lake.log.counters(source.name).last_seq)
    for file in map(Path, several):
        rows = read_file(file, most=most)
        coming = Coming(now, known_after, name=file.name, sha=rows.sha, pin=(pins or {}).get(file), origin=(origins or {}).get(file))
        made = arrive(lake, source, kept(source, rows.table, spelled=rows.spelled), coming)
        total = total.then(made)
        try:
            seal(lake, source)
        except StoreError as error:
            raise _kept_all_the_same(error, total, file.name) from error
        if progress is not None:
            progress(file.name, made.kept)
    return total


def _kept_all_the_same(error: StoreError, total: Received, name: str) -> StoreError:
    kind = next(kind for kind in (HouseFull, HouseBusy, StoreError) if isinstance(error, kind))
    return kind(
        f"{error} What came in until {name} is kept: {total.kept:,} rows of {total.source} wait in the event log until their table can be "
        "written. Nothing has to be taken in again."
    )
