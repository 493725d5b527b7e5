"""Files of rows: CSV (also gzipped), Parquet and Arrow. In: a path. Out: an Arrow table and the SHA-256 of the bytes it was read from.

CSV is read as text, column by column, and then as each column is declared: ``007`` stays a key, nothing is guessed. An empty field says
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from everloop.errors import EverloopError

TOGETHER = 1_024
"""Rows that are unpacked at a time where there is a bound on what all of them may come to."""
_CSV, _PARQUET, _ARROW = (".csv", ".csv.gz"), (".parquet", ".pq"), (".arrow", ".feather", ".ipc")


@dataclass(frozen=True)
class FileRows:
    """What a file holds; ``spelled``: every column is text, yet to be read as it is declared."""

    table: pa.Table
    sha: str
    spelled: bool


class TooMuch(EverloopError):  # noqa: N818
    """A file holds more than its reader was told to take in."""


def read_file(path: Path, *, most: int | None = None) -> FileRows:
    """All rows of a file; of no more than ``most`` bytes once it is unpacked.

    Raises TooMuch where it holds more; EverloopError for a file that is not there, is of no known kind, cannot be read (half-written, say)
    or is still being written.
    """
    name = path.name.lower()
    if not name.endswith((*_CSV, *_PARQUET, *_ARROW)):
        raise EverloopError(f"{path} is neither CSV, Parquet nor Arrow by its name. Files end in {', '.join((*_CSV, *_PARQUET, *_ARROW))}.")
    try:
        before = path.stat()
        with path.open("rb") as file:
            sha = hashlib.file_digest(file, "sha256").hexdigest()
        table = _csv(path) if name.endswith(_CSV) else _parquet(path, most) if name.endswith(_PARQUET) else _arrow(path, most)
        after = path.stat()
    except FileNotFoundError:
        raise EverloopError(f"There is no file {path}.") from None
    except (OSError, EOFError, pa.ArrowException, UnicodeDecodeError) as error:
        why = str(error).strip().split("\n")[0][:200].rstrip(".")
        raise EverloopError(
            f"{path} cannot be read: {why}. It may be half-written; copy it whole and run again. Nothing of it came in."
        ) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise EverloopError(f"{path} is still being written. Run again when it is whole. Nothing of it came in.")
    return FileRows(table, sha, name.endswith(_CSV))


def _csv(path: Path) -> pa.Table:
    import pyarrow.csv as csv

    reading = csv.ReadOptions(block_size=8 << 20)
    parsing = csv.ParseOptions(newlines_in_values=True)
    with pa.input_stream(str(path), compression="detect") as file:
        names = _names(path)
        text = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True)
        return csv.read_csv(file, read_options=reading, parse_options=parsing, convert_options=text)


def _names(path: Path) -> list[str]:
    import pyarrow.csv as csv

    with (
        pa.input_stream(str(path), compression="detect") as file,
        csv.open_csv(file, read_options=csv.ReadOptions(block_size=1 << 20)) as reader,
    ):
        names: list[str] = reader.schema.names
        return names


def _parquet(path: Path, most: int | None) -> pa.Table:
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(path)
    if most is None:
        return file.read()
    # What it says of itself, first: a value that is written once may be said a billion times.
    said = file.metadata
    packed = sum(said.row_group(n).total_byte_size for n in range(said.num_row_groups))
    if max(packed, said.num_rows * said.num_columns) > most:
        raise _too_much(path, most)
    return _gathered(file.iter_batches(batch_size=TOGETHER), file.schema_arrow, path, most)


def _arrow(path: Path, most: int | None) -> pa.Table:
    with path.open("rb") as file:
        if file.read(6) == b"ARROW1":
            there = pa.ipc.open_file(file)
            if most is None:
                return there.read_all()
            return _gathered((there.get_batch(n) for n in range(there.num_record_batches)), there.schema, path, most)
        file.seek(0)
        stream = pa.ipc.open_stream(file)
        return stream.read_all() if most is None else _gathered(stream, stream.schema, path, most)


def _gathered(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, most: int) -> pa.Table:
    found, size = [], 0
    for batch in batches:
        found.append(batch)
        size += batch.nbytes
        if size > most:
            raise _too_much(path, most)
    return pa.Table.from_batches(found, schema)


def _too_much(path: Path, most: int) -> TooMuch:
    return TooMuch(f"{path} holds more than {most:,} bytes once it is unpacked. Nothing of it came in.")
