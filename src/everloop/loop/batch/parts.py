"""Parts: what a batch has answered so far, beside the file it is to become. A part is there whole or not at all, and so is the file.

``.NAME.parts/`` holds the plan, the lock and the parts, each a Parquet file with its own count. Killed anywhere, the same batch goes on
with the parts that are there; another one begins anew. The last step is one rename.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from everloop.clock import instant
from everloop.disk import synced
from everloop.errors import EverloopError, HouseBusy, HouseFull
from everloop.lake.alone import alone
from everloop.loop.batch.columns import flat

ENDINGS: Final = (".parquet", ".pq", ".csv")
COUNT: Final = b"everloop"
PLAN, LOCK = "plan.json", "lock"
EXAMPLES = 5


class Count(msgspec.Struct):
    """What came of some rows: how many were answered, had nothing to rank, ask about nobody known, are no request, or nobody could answer;
    who answered how many, by version; and the first few reasons, each with its row."""

    rows: int = 0
    answered: int = 0
    nothing: int = 0
    unknown: int = 0
    refused: int = 0
    failed: int = 0
    versions: dict[str, int] = msgspec.field(default_factory=dict)
    examples: list[str] = msgspec.field(default_factory=list)

    def __add__(self, other: Count) -> Count:
        versions = dict(self.versions)
        for name, count in other.versions.items():
            versions[name] = versions.get(name, 0) + count
        sums = {
            name: getattr(self, name) + getattr(other, name) for name in ("rows", "answered", "nothing", "unknown", "refused", "failed")
        }
        return Count(**sums, versions=versions, examples=(self.examples + other.examples)[:EXAMPLES])

    @property
    def without(self) -> int:
        """How many rows have an error."""
        return self.unknown + self.refused + self.failed


@dataclass(frozen=True)
class Plan:
    """What a batch is: ``asked`` says of whom, whom, by what and when it asks; ``now`` and how far each source was read were settled
    when it was begun, so that whoever goes on with it sees the same."""

    asked: Mapping[str, str]
    now: datetime
    reach: Mapping[str, int]

    def written(self) -> bytes:
        return msgspec.json.encode({"asked": dict(self.asked), "now": self.now.isoformat(), "reach": dict(self.reach)})


@dataclass(frozen=True)
class Parts:
    """The parts of one target: whether they go on with what was begun before, and if something else was, what became of it."""

    target: Path
    plan: Plan
    goes_on: bool = False
    other: str = ""

    @property
    def folder(self) -> Path:
        return folder_of(self.target)

    def there(self, number: int, rows: int) -> Count | None:
        """The count of a part that is there from before, and has so many rows."""
        try:
            count = _count_in(_path(self.folder, number))
        except (OSError, KeyError, TypeError, pa.ArrowException, msgspec.MsgspecError):
            return None
        return count if count.rows == rows else None

    def join(self, schema: pa.Schema, count: int, *, overwrite: bool) -> None:
        """Make one file of the parts, put it in its place, and remove them. Raises EverloopError where something else stands there now."""
        made = self.folder / f"whole{self.target.suffix.lower()}"
        with writing(self.target):
            _write(made, schema, (_path(self.folder, number) for number in range(count)))
            if not overwrite:
                free(self.target)
            made.replace(self.target)
            with suppress(OSError):  # some file systems cannot sync a folder
                synced(self.target.parent)
            # Without its plan a folder that is left over is nobody's.
            (self.folder / PLAN).unlink()
            shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def parts_of(target: Path, plan: Plan, newest: Mapping[str, int]) -> Iterator[Parts]:
    """The parts of a target, held by this process alone: those of the same plan where there are any, else none.

    ``newest``: how far each source can be read now. Raises HouseBusy where another process writes the same file.
    """
    folder = folder_of(target)
    with writing(target):
        folder.mkdir(parents=True, exist_ok=True)
    with alone(folder / LOCK, f"writing {target}", patience=0):
        if not (folder / LOCK).exists():  # who held it has just removed it with everything else
            raise HouseBusy(f"Another process has just written {target}. Look at it, then run again.")
        before = _planned(folder)
        if before is not None and before.asked == plan.asked and all(newest.get(s, 0) >= n for s, n in before.reach.items()):
            yield Parts(target, before, goes_on=True)
            return
        with writing(target):
            other = "" if before is None else _other(before, plan)
            for path in [*folder.glob("part-*"), *folder.glob("whole*"), *folder.glob(PLAN)]:
                path.unlink()
            _put(folder / PLAN, plan.written())
        yield Parts(target, plan, other=other)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """What goes wrong while a file is written, told as the house tells it."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HouseFull(
                f"The disk of {target.parent} is full; {target.name} is not there. What was answered is kept beside it: make room, then "
                "run the same again, and it goes on."
            ) from error
        raise EverloopError(f"{target} cannot be written: {error.strerror or error}. Nothing was half-written.") from error


def free(target: Path) -> None:
    """Raise EverloopError unless a file may be written here."""
    if target.is_dir():
        raise EverloopError(f"{target} is a folder. Name a file: --to {target / 'answers.parquet'}")
    if target.exists():
        raise EverloopError(f"{target} is there already. Name another file, or say --overwrite.")


def folder_of(target: Path) -> Path:
    """Where the parts of a file lie until it is whole."""
    return target.with_name(f".{target.name}.parts")


def keep(folder: Path, number: int, table: pa.Table, count: Count) -> None:
    """Put a part in its place, on the disk."""
    import pyarrow.parquet as pq

    path = _path(folder, number)
    with writing(folder.with_name(folder.name.removeprefix(".").removesuffix(".parts"))):
        half = path.with_suffix(".half")
        pq.write_table(table.replace_schema_metadata({COUNT: msgspec.json.encode(count)}), half, compression="zstd")
        synced(half)
        half.replace(path)


def _path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}.parquet"


def _count_in(path: Path) -> Count:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        count = msgspec.json.decode(file.schema_arrow.metadata[COUNT], type=Count)
        if file.metadata.num_rows != count.rows:
            raise OSError("other rows than it says")
    return count


def _planned(folder: Path) -> Plan | None:
    """The plan that was begun here; None where there is none that can be read."""
    try:
        said: Any = msgspec.json.decode((folder / PLAN).read_bytes())
        return Plan(dict(said["asked"]), instant(said["now"]), dict(said["reach"]))
    except (OSError, KeyError, TypeError, ValueError, EverloopError, msgspec.MsgspecError):
        return None


def _other(before: Plan, plan: Plan) -> str:
    """Why what was begun before is not gone on with."""
    names = [name for name in {**before.asked, **plan.asked} if before.asked.get(name) != plan.asked.get(name)]
    what = " and ".join(names) if names else "history, which is shorter now"
    return f"What was begun here before was about another {what}; it begins anew."


def _write(made: Path, schema: pa.Schema, parts: Iterator[Path]) -> None:
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    spelled = made.name.endswith(".csv")
    kinds = flat(schema.empty_table()).schema if spelled else schema
    with csv.CSVWriter(made, kinds) if spelled else pq.ParquetWriter(made, kinds, compression="zstd") as writer:
        for path in parts:
            with pq.ParquetFile(path) as file:
                table = file.read().replace_schema_metadata(None)
            writer.write_table(flat(table) if spelled else table)
    synced(made)


def _put(path: Path, body: bytes) -> None:
    half = path.with_suffix(".half")
    half.write_bytes(body)
    synced(half)
    half.replace(path)
