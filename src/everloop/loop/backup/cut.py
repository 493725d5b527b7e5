"""The instant of a backup: everything a house is made of, held as it is now, while it goes on.

For some milliseconds nobody decides anything (the writer's lock of house.db is held). Meanwhile transactions that read are opened on every
database, every table's version is noted, and every other file gets a second name, so that none of it goes away while it is copied:

- events.db first, then the tables: rows that are sealed in between are in both, never in neither; a table is taken at a version that
  reaches no further than the log does.
- segments of answers first, then the table of answers; one that is sealed in between is in both, and is appended once.
- whatever house.db names by then is there.

Nobody is forgotten meanwhile, since that takes files away: whoever forgets waits.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from everloop.clock import wall
from everloop.errors import StoreError
from everloop.lake.delta import DeltaTables
from everloop.lake.events import SqliteLog
from everloop.lake.place import table_of
from everloop.lake.seal import MARKER
from everloop.lake.trouble import told
from everloop.loop.answers import TABLE
from everloop.loop.backup.shelf import files_at
from everloop.loop.forget.plan import ALONE
from everloop.loop.house import House
from everloop.registry.journal import Head
from everloop.sql.copies import Frozen, FrozenFile, frozen, frozen_file

if TYPE_CHECKING:
    from deltalake import DeltaTable

PATIENCE = 600.0
"""Seconds that a forgetting under way is waited for."""
TRIES = 10
MADE_AGAIN = re.compile(
    r"runs(-\d+)?\.db.*|routes\.json.*|house\.json|serving\.json|compiled|metrics|workers|working|turns|parts-.*|backing-up|"
    r".*\.lock|.*\.door|.*-(wal|shm)|.*\.part|\..*"
)
"""What a house makes again by itself, or what only says who is at it just now."""
OF_A_HOUSE = frozenset(("house.db", "events.db", "events.files", "lake", "blobs", "answers"))
"""What only a house itself has in its backup: what lies under these names in a folder whose house has them elsewhere is not its own."""
OLDER = re.compile(r".*-\d{4}\.db")
"""Copies from before the tables were brought up to a newer release."""


class _Sealed(StoreError):  # noqa: N818
    """A file that was named a moment ago has gone into the lake."""


@dataclass(frozen=True)
class Held:
    """A house as it was ``at`` one instant. ``files`` have their path in a house folder, a name that stays, and how much of it counts."""

    at: datetime
    head: Head
    databases: dict[str, Frozen] = field(default_factory=dict)
    files: dict[str, tuple[Path, int]] = field(default_factory=dict)
    tables: dict[str, DeltaTable] = field(default_factory=dict)


@contextmanager
def held(house: House, scratch: Path) -> Iterator[Held]:
    """A house as it is now, until the end. ``scratch`` is a folder beside what it holds. Raises HouseBusy where somebody is being
    forgotten, StoreError."""
    import deltalake  # noqa: F401  # loaded before anybody has to wait for it

    with house.lake.log.alone(ALONE, "forgetting somebody, or being backed up", patience=PATIENCE):
        for _ in range(TRIES):
            with ExitStack() as stack:
                try:
                    found = _held(house, scratch, stack)
                except _Sealed:
                    continue
                yield found
                return
    raise StoreError("Files of this house go faster than they can be held. Run it again.")


def _held(house: House, scratch: Path, stack: ExitStack) -> Held:
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    # Before anybody has to wait: on object storage that takes its time.
    opened = {name: _pinned(house.lake.tables, name, None, None) for name in tables_of(house)}
    with house.store.transaction() as t:
        found = Held(wall(), house.journal.head(within=t))
        found.databases["house.db"] = stack.enter_context(frozen(house.store.engine))
        reached = _events(house, found, scratch, stack)
        for path in _below(house.settings.answers):
            with suppress(_Sealed):  # then the table has it, which is looked at next
                _hold(found, f"answers/{path.name}", path, scratch)
        for name in sorted({*opened, *reached, TABLE}):  # those that were made meanwhile, too
            table = _pinned(house.lake.tables, name, opened.get(name), reached.get(name))
            if table is not None:
                found.tables[name] = table
        _others(house, found, scratch, stack)
    return found


def _events(house: House, found: Held, scratch: Path, stack: ExitStack) -> Mapping[str, int]:
    """The log of events, and how far each table may reach."""
    log = house.lake.log
    if not isinstance(log, SqliteLog):
        from everloop.connect.postgres_copies import frozen_events

        rows = stack.enter_context(frozen_events(log))
        found.databases["events.db"] = rows
        return {table_of(name): seq for name, seq in rows.reached().items()}
    log.connection()  # the log makes its file, and refuses one of another kind
    there: FrozenFile = stack.enter_context(frozen_file(log.file))
    found.databases["events.db"] = there
    for (name,) in there.rows("SELECT file FROM files"):
        _hold(found, f"events.files/{name}", log.beside / str(name), scratch)
    return {table_of(str(name)): int(str(last)) for name, last in there.rows("SELECT name, last_seq FROM sources")}


def tables_of(house: House) -> list[str]:
    """The names of all tables of the lake, those of sources nobody declares any more, too."""
    from pyarrow.fs import FileSelector, FileType

    files, root = files_at(house.settings.lake, house.settings.storage)
    names = []
    for within in ("", "events"):
        there = files.get_file_info(FileSelector(f"{root}/{within}".rstrip("/"), allow_not_found=True))
        folders = [one.base_name for one in there if one.type is FileType.Directory and not one.base_name.startswith(".")]
        names += [f"{within}/{name}".lstrip("/") for name in folders]
    logs = files.get_file_info([f"{root}/{name}/_delta_log" for name in names])
    return sorted(name for name, log in zip(names, logs, strict=True) if log.type is FileType.Directory)


def _pinned(tables: object, name: str, found: DeltaTable | None, reaches: int | None) -> DeltaTable | None:
    """A table that was opened before, if there was one, at its newest version, or at the newest that reaches no further than the log."""
    assert isinstance(tables, DeltaTables)
    if found is None:
        found = tables.opened(name)
    else:
        with told(tables.path(name)):
            found.update_incremental()
    while found is not None and reaches is not None and (found.transaction_version(MARKER) or 0) > reaches:
        found = tables.opened(name, found.version() - 1)
    return found


def _others(house: House, found: Held, scratch: Path, stack: ExitStack) -> None:
    """Whatever else lies in the house folder and is not made again by itself."""
    settings = house.settings
    elsewhere = {Path(url.removeprefix("sqlite:///")) for url in (settings.registry, settings.events)}
    elsewhere |= {Path(settings.lake), Path(settings.blobs), settings.answers, *(one.with_name(f"{one.stem}.files") for one in elsewhere)}
    for path in sorted(settings.house.iterdir()):
        if (
            path in elsewhere
            or path.name in {*OF_A_HOUSE, *found.databases}
            or MADE_AGAIN.fullmatch(path.name)
            or OLDER.fullmatch(path.name)
        ):
            continue
        if path.suffix == ".db":
            found.databases[path.name] = stack.enter_context(frozen_file(path))
            continue
        for inner in [path] if path.is_file() else _below(path):
            if not MADE_AGAIN.fullmatch(inner.name):
                with suppress(_Sealed):  # it went by itself
                    _hold(found, inner.relative_to(settings.house).as_posix(), inner, scratch)


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _hold(found: Held, name: str, path: Path, scratch: Path) -> None:
    """Give a file a second name: whoever takes the first away leaves it there. Raises _Sealed where it is gone."""
    second = scratch / f"held-{len(found.files)}"
    try:
        try:
            os.link(path, second)
        except FileNotFoundError:
            raise
        except OSError:  # another disk, or one that knows no second names
            shutil.copyfile(path, second)
        found.files[name] = (second, second.stat().st_size)
    except FileNotFoundError:
        raise _Sealed from None
