"""Tables that only grow, on Delta: each commit carries a marker, each version can be read again. In: Arrow. Out: Arrow.

A marker is Delta's own application transaction (a name and a number). Delta does not refuse a repeat, so the marker is read first, under
a lock; it outlives checkpoints. Logs are never expired and nothing is vacuumed, but by ``rewrite``, which takes something out of every
version there is. On this machine's disk a commit is synced before it counts; on object storage it is there whole, or not at all, and of
several that want the same number one is let in: the others look again.

A column is kept under its own name; where a table has it as another type already, or under a name that differs only in its capitals
(Delta cannot tell those apart), beside it under a longer one, and both are read as one.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as kept_field
from functools import reduce
from operator import and_
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from everloop.disk import synced
from everloop.errors import HouseBusy, StoreError
from everloop.lake.alone import alone
from everloop.lake.hot import as_declared
from everloop.lake.taken_off import taken_off
from everloop.lake.trouble import told

if TYPE_CHECKING:
    from deltalake import DeltaTable

#: The marker at which a table was last rewritten: versions below it are read as this one, for their own files are gone.
REWRITTEN: Final = "everloop.rewritten"
#: So often a commit is tried again that others on other machines were before.
AGAIN: Final = 20
Done = TypeVar("Done")
_KEEP_ALL: Final = {"delta.enableExpiredLogCleanup": "false", "delta.logRetentionDuration": "interval 36500 days"}


@dataclass(frozen=True)
class DeltaTables:
    """Delta tables below one folder, or below a URL of object storage, reached as ``options`` say (deltalake's ``storage_options``)."""

    folder: str
    options: Mapping[str, str] = kept_field(default_factory=dict, repr=False, hash=False)

    def append_once(self, name: str, table: pa.Table, *, marker: str, seq: int, said: Mapping[str, str] | None = None) -> bool:
        """Append in one commit that carries ``marker`` at ``seq`` (1 or more); False, and nothing done, if it stands there or beyond.

        Columns the table lacks are added, empty in all earlier rows. ``said`` goes into the commit for people to read.
        Raises HouseFull where there is no room: nothing of it is in the table then.
        """
        with told(self.path(name)), self._alone(name):
            return self._again(lambda: self._append(name, table, marker, seq, said or {}))

    def _append(self, name: str, table: pa.Table, marker: str, seq: int, said: Mapping[str, str]) -> bool:
        from deltalake import CommitProperties, Transaction, write_deltalake

        found = self._open(name)
        if found is not None and (found.transaction_version(marker) or 0) >= seq:
            return False
        written = _as_kept(table, _schema(found) if found else pa.schema([]))
        commit = CommitProperties(
            custom_metadata={"marker": marker, "seq": str(seq)} | dict(said), app_transactions=[Transaction(marker, seq)]
        )
        same = found is None or written.column_names == _schema(found).names
        write_deltalake(
            found or self.path(name), written, mode="append" if found else "error", configuration=None if found else _KEEP_ALL,
            schema_mode=None if same else "merge", commit_properties=commit, storage_options=None if found else dict(self.options),
        )  # fmt: skip
        self._sync(name)
        return True

    def marker(self, name: str, marker: str) -> int:
        """Where a marker stands; 0 if it never was."""
        with told(self.path(name)):
            found = self._open(name)
            return (found.transaction_version(marker) or 0) if found else 0

    def version(self, name: str) -> int | None:
        """The newest version, or None where there is no table."""
        with told(self.path(name)):
            found = self._open(name)
            return found.version() if found else None

    def opened(self, name: str, version: int | None = None) -> DeltaTable | None:
        """A table as the library knows it, at a version (the newest); None where there is none. Raises StoreError."""
        with told(self.path(name)):
            return self._open(name, version)

    def read(
        self,
        name: str,
        *,
        version: int | None = None,
        schema: pa.Schema | None = None,
        through_seq: int | None = None,
        among: Mapping[str, Collection[str]] | None = None,
        since: Mapping[str, int] | None = None,
        until: Mapping[str, int] | None = None,
        most: int | None = None,
    ) -> pa.Table:
        """The rows of a version (the newest): columns of ``schema`` (all), ``seq <= through_seq`` (all), in order of ``seq`` if it has one;
        only those whose texts are ``among`` these and whose numbers are not below those of ``since`` nor above those of ``until``, by
        column: the others are never in memory all at once. Of more than ``most`` rows any so many are given.

        No table, no rows: with a schema an empty one is given. Raises StoreError where files of that version are gone.
        """
        with told(self.path(name)):
            found = self._open(name, version)
            if found is None:
                return (schema or pa.schema([])).empty_table()
            kept = _schema(found)
            wanted = [column for column in kept.names if schema is None or _said(column) in schema.names]
            if "seq" in kept.names and "seq" not in wanted:
                wanted.append("seq")
            bounds = [] if through_seq is None else [pc.field("seq") <= through_seq]
            bounds += [pc.field(column).isin(pa.array(sorted(texts), pa.string())) for column, texts in (among or {}).items()]
            bounds += [pc.field(column) >= least for column, least in (since or {}).items()]
            bounds += [pc.field(column) <= largest for column, largest in (until or {}).items()]
            scanner = found.to_pyarrow_dataset().scanner(wanted, filter=reduce(and_, bounds) if bounds else None)
            rows = _in_order(scanner.to_table() if most is None else scanner.head(most))
        return _as_said(rows, schema)

    def added(self, name: str, after: int | None, schema: pa.Schema) -> tuple[int | None, pa.Table]:
        """The newest version, and the rows that came after another one (all: None): those of files that it did not have. After a rewrite
        every file is another, so all rows are given.

        No table: no version and no rows. Raises StoreError where files of a version are gone.
        """
        import pyarrow.dataset as ds

        with told(self.path(name)):
            found = self._open(name)
            if found is None or after == found.version():
                return (None if found is None else found.version()), schema.empty_table()
            newest = found.to_pyarrow_dataset()
            there = set[str]()
            if after is not None and after >= (found.transaction_version(REWRITTEN) or 0):
                before = self._open(name, after)
                there = {piece.path for piece in before.to_pyarrow_dataset().get_fragments()} if before else there
            new = [piece for piece in newest.get_fragments() if piece.path not in there]
            wanted = [column for column in newest.schema.names if _said(column) in schema.names]
            rows = ds.FileSystemDataset(new, newest.schema, newest.format, newest.filesystem).to_table(wanted) if new else None
        return found.version(), _as_said(rows, schema) if rows is not None else schema.empty_table()

    def pieces(self, name: str, *, version: int | None = None, schema: pa.Schema, through_seq: int | None = None) -> Iterator[pa.Table]:
        """The rows that ``read`` gives, some at a time and in no order: what is in memory is one piece. No table, no piece."""
        with told(self.path(name)):
            found = self._open(name, version)
            if found is None:
                return
            wanted = [column for column in _schema(found).names if _said(column) in schema.names or column == "seq"]
            bound = None if through_seq is None else pc.field("seq") <= through_seq
            for batch in found.to_pyarrow_dataset().to_batches(columns=wanted, filter=bound):
                if batch.num_rows:
                    yield _as_said(pa.Table.from_batches([batch]), schema)

    def rows(self, name: str, *, version: int | None = None) -> int:
        """How many rows a version has, by what its files say of themselves."""
        with told(self.path(name)):
            found = self._open(name, version)
            return int(found.count()) if found else 0

    def rewrite(self, name: str, change: Callable[[pa.Table], pa.Table]) -> int:
        """Put what ``change`` makes of some rows (the same columns; the same object where it changes nothing) in the place of every piece
        of a table, and take what was before off the disk, with the log that told its least and greatest values. Returns how many rows went.

        Older versions are read from the new one from now on, bounded by their ``seq`` as ever. Killed at any moment, it
        is done by being called again. A reader who holds an older version open may fail once.
        """
        with told(self.path(name)), self._alone(name):
            return self._again(lambda: self._rewrite(name, change))

    def _rewrite(self, name: str, change: Callable[[pa.Table], pa.Table]) -> int:
        from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

        found = self._open(name)
        if found is None:
            return 0
        gone, differs = 0, any(change(piece) is not piece for piece in _pieces(found))
        for _ in range(AGAIN):
            if not differs and self._stands(name, found):
                break
            at = found.version() + 1
            commit = CommitProperties(custom_metadata={"rewritten": str(at)}, app_transactions=[Transaction(REWRITTEN, at)])
            # The library cannot read while it writes: what stays waits in a file without a name.
            with TemporaryFile(dir=None if self.is_remote else self.folder) as file:
                with pa.ipc.new_file(file, _schema(found)) as out:
                    for piece in _pieces(found):
                        made = change(piece)
                        gone += piece.num_rows - made.num_rows
                        out.write_table(made)
                batches = pa.ipc.open_file(file)
                there = (batches.get_batch(n) for n in range(batches.num_record_batches))
                reader = pa.RecordBatchReader.from_batches(_schema(found), there)
                write_deltalake(found, reader, mode="overwrite", commit_properties=commit)
            self._sync(name)
            found, differs = DeltaTable(self.path(name), storage_options=dict(self.options)), False
        else:
            raise HouseBusy(f"Others append to {self.path(name)} all the time, so it cannot be rewritten now. Run it again.")
        if at := found.transaction_version(REWRITTEN):
            self._take_off(name, at)
        return gone

    def _stands(self, name: str, found: DeltaTable) -> bool:
        """Whether the newest rewrite is the version its marker says. The library lets in a rewrite and what somebody else appended
        meanwhile, one after the other: then it is a later one, and versions from the marker on are older than it."""
        at = found.transaction_version(REWRITTEN)
        if not at:
            return True
        there = self._open(name, at)
        return there is not None and there.transaction_version(REWRITTEN) == at

    def _take_off(self, name: str, at: int) -> None:
        """Everything of a table that version ``at``, which was rewritten, and those after it do not need goes from where it lies."""
        from deltalake import DeltaTable

        if self.is_remote:
            taken_off(self.path(name), self.options, at)
            return
        DeltaTable(self.path(name)).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
        DeltaTable(self.path(name), version=at).create_checkpoint()
        log = Path(self.path(name), "_delta_log")
        for path in log.iterdir():
            number = path.name.split(".")[0]
            if number.isdigit() and int(number) < at:
                path.unlink(missing_ok=True)
        synced(log)

    @property
    def is_remote(self) -> bool:
        """Whether the tables lie on object storage, where no lock of this machine keeps others out."""
        return "://" in self.folder

    def path(self, name: str) -> str:
        """Where a table lies."""
        return f"{self.folder.rstrip('/')}/{name}"

    def _open(self, name: str, version: int | None = None) -> DeltaTable | None:
        if not self._begun(name):
            self._refuse_absent(name, version)
            return None
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            newest = DeltaTable(self.path(name), storage_options=dict(self.options))
            if version is None or version < (newest.transaction_version(REWRITTEN) or 0):
                return newest
            return DeltaTable(self.path(name), version=version, storage_options=dict(self.options))
        except TableNotFoundError:
            self._refuse_absent(name, version)
            return None

    def _again(self, work: Callable[[], Done]) -> Done:
        """Do it; where somebody on another machine committed meanwhile what it was not told of, look again and do it anew."""
        from deltalake.exceptions import CommitFailedError, DeltaError

        for _ in range(AGAIN if self.is_remote else 0):
            try:
                return work()
            except DeltaError as error:
                # The first commit of all is lost by another word: somebody else has made the table.
                if not isinstance(error, CommitFailedError) and "already exists" not in str(error):
                    raise
                time.sleep(random.random() / 10)
        return work()

    def _begun(self, name: str) -> bool:
        """Whether there can be a table; where there is none on this machine, the library is not even loaded."""
        return self.is_remote or Path(self.path(name), "_delta_log").is_dir()

    def _refuse_absent(self, name: str, version: int | None) -> None:
        if version is not None:
            raise StoreError(f"{self.path(name)} has no version {version}. Restore the house folder from a backup.") from None

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        if self.is_remote:
            yield
            return
        with alone(Path(self.folder, ".locks", name.replace("/", ".") + ".lock"), f"appending to {name}"):
            yield

    def _sync(self, name: str) -> None:
        """Put the newest commit and the files it adds on the disk: whoever hands rows over lets go of them afterwards."""
        if self.is_remote:
            return
        folder = Path(self.path(name))
        commit = sorted((folder / "_delta_log").glob("*.json"))[-1]
        actions = [json.loads(line) for line in commit.read_bytes().splitlines()]  # bytes: in text, what an id holds may end a line
        for path in (*(folder / action["add"]["path"] for action in actions if "add" in action), folder, commit, commit.parent):
            if path.exists():
                synced(path)


def append_once(folder: str | Path, name: str, table: pa.Table, *, marker: str, seq: int) -> bool:
    """Append to the table ``name`` below ``folder`` exactly once per (``marker``, ``seq``); ``seq`` only grows. See ``DeltaTables``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [append_once(folder, "answers", pa.table({"x": [1]}), marker="worker-1", seq=n) for n in (1, 1, 2)]
    [True, False, True]
    """
    return DeltaTables(str(folder)).append_once(name, table, marker=marker, seq=seq)


def read_table(folder: str | Path, name: str, *, columns: Iterable[str] | None = None, version: int | None = None) -> pa.Table:
    """The rows of a table ``append_once`` made: all columns, or these, those it lacks left out; no table has no rows and no columns."""
    table = DeltaTables(str(folder)).read(name, version=version)
    return table if columns is None else table.select([column for column in columns if column in table.column_names])


# -- names -------------------------------------------------------------------------------------------------------------------------

_BESIDE: Final = "\N{MIDDLE DOT}"


def _said(column: str) -> str:
    """The name a kept column was said under."""
    return column.split(_BESIDE)[0] if not column.startswith(_BESIDE) else column


def _as_kept(table: pa.Table, kept: pa.Schema) -> pa.Table:
    """A table's columns under the names they are kept under."""
    taken = {name.lower(): (name, kept.field(name).type) for name in kept.names}
    names = []
    for field in table.schema:
        name = field.name
        if _BESIDE in name:
            raise StoreError(f"A column cannot be called {name!r}: {_BESIDE} is kept for columns that changed their type. Rename it.")
        if taken.get(name.lower(), (name, field.type)) != (name, field.type):
            name = f"{name}{_BESIDE}{field.type}{_BESIDE}{sum(c.isupper() for c in name)}"
            name = name if taken.get(name.lower(), (name, None))[0] == name else f"{name}{_BESIDE}{len(taken)}"
        taken[name.lower()] = (name, field.type)
        names.append(name)
    return table.rename_columns(names)


def _as_said(rows: pa.Table, schema: pa.Schema | None) -> pa.Table:
    """Kept columns under the names they were said under; of several types, as the schema wants it (the newest), else what can be cast."""
    kept: dict[str, list[str]] = {}
    for name in rows.column_names:
        kept.setdefault(_said(name), []).append(name)
    fields = list(schema) if schema is not None else [pa.field(said, rows.schema.field(names[-1]).type) for said, names in kept.items()]
    columns = []
    for field in fields:
        names = sorted(kept.get(field.name, ()), key=lambda name: rows.schema.field(name).type != field.type)
        parts = [as_declared(pa.table({field.name: rows.column(name)}), pa.schema([field])).column(0) for name in names]
        columns.append(pc.coalesce(*parts) if len(parts) > 1 else parts[0] if parts else pa.nulls(rows.num_rows, field.type))
    return pa.table(columns, schema=pa.schema(fields))


def _pieces(found: DeltaTable) -> Iterator[pa.Table]:
    """A table's rows piece by piece, never all at once."""
    for batch in found.to_pyarrow_dataset().to_batches():
        if batch.num_rows:
            yield pa.Table.from_batches([batch])


def _schema(found: DeltaTable) -> pa.Schema:
    return pa.schema(found.schema())


def _in_order(rows: pa.Table) -> pa.Table:
    if "seq" not in rows.column_names or rows.num_rows < 2:
        return rows
    seq = rows.column("seq").to_numpy()
    return rows if (seq[1:] > seq[:-1]).all() else rows.take(pc.sort_indices(seq))
