"""Keys: whom a batch asks about, read from a file a part at a time. In: CSV, Parquet or NDJSON. Out: requests as HTTP takes them.

The file is never in memory whole. CSV is text, read as each column is declared; NDJSON lines are bodies of requests. What a row says is
judged by what judges a request over HTTP (``serving/fits.py``); a row that does not fit is kept with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa

from everloop.errors import EverloopError, Unknown
from everloop.lake.values import instant, parser
from everloop.project.columns import Kind, money
from everloop.serving.bodies import json_value
from everloop.serving.fits import Fit
from everloop.serving.refused import RefusedError, did_you_mean

CSV: Final = (".csv", ".csv.gz")
PARQUET: Final = (".parquet", ".pq")
LINES: Final = (".ndjson", ".jsonl")
MOMENT, FEATURES = "moment", "features"
LONGEST_LINE = 1 << 20
"""Bytes of one line of NDJSON."""
BLOCK = 4 << 20
Row: TypeAlias = dict[str, Any]
Trouble = (OSError, EOFError, pa.ArrowException, UnicodeDecodeError, NotImplementedError)


@dataclass(frozen=True)
class Part:
    """Some rows of the keys, one after the other: the requests they make, and the moment each says (µs UTC; None: the batch's own).

    ``number`` counts parts from 0, ``first`` the rows before this part. ``wrong``: by place why a row is no request.
    """

    number: int
    first: int
    requests: Sequence[Row]
    moments: Sequence[int | None]
    wrong: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.requests)


@dataclass(frozen=True)
class Keys:
    """A file of keys: the SHA-256 of its bytes, and about how many rows it has (None: nobody can tell before they are read)."""

    path: Path
    sha: str
    rows: int | None
    seen: tuple[int, int]

    def parts(self, fit: Fit, size: int) -> Iterator[Part]:
        """The rows in parts of ``size``. Raises EverloopError where the file cannot be read to its end, or changed meanwhile."""
        first = 0
        with reading(self.path):
            for number, rows in enumerate(_in_parts(_rows(self.path, fit), size)):
                yield _part(number, first, rows, fit)
                first += len(rows)
        if _stamp(self.path) != self.seen:
            raise EverloopError(f"{self.path} changed while it was read. Run again when it is whole.")


def open_keys(path: Path, fit: Fit) -> Keys:
    """A file of keys, its columns looked at.

    Raises EverloopError for a file that is not there, is of no known kind, empty, cannot be read, or lacks a column of the unit; Unknown
    for a column that no request of the model has.
    """
    name = path.name.lower()
    if not name.endswith((*CSV, *PARQUET, *LINES)):
        raise EverloopError(f"{path} is neither CSV, Parquet nor NDJSON by its name. Keys end in {', '.join((*CSV, *PARQUET, *LINES))}.")
    with reading(path):
        seen = _stamp(path)
        if not seen[0]:
            raise EverloopError(f"{path} is empty. Say at least its columns: {', '.join(fit.model.unit)}.")
        if not name.endswith(LINES):
            _fitting(path, _names(path), fit)
        sha, lines = _sha(path)
    return Keys(path, sha, _rows_told(path, lines), seen)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What goes wrong while keys are read, told as the house tells it."""
    try:
        yield
    except FileNotFoundError:
        raise EverloopError(f"There is no file {path}.") from None
    except Trouble as error:
        why = str(error).strip().split("\n")[0][:200].rstrip(".")
        raise EverloopError(f"{path} cannot be read: {why}. It may be half-written; copy it whole and run again.") from error


# -- columns ---------------------------------------------------------------------------------------------------------------------------


def _fitting(path: Path, names: Sequence[str], fit: Fit) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise EverloopError(f"{path} has the column {twice[0]!r} twice. Name each once.")
    missing = [name for name in fit.model.unit if name not in names]
    if missing:
        cure = f"Keys of {fit.model.name} say {' and '.join(fit.model.unit)}."
        raise Unknown("column", missing[0], list(names), where=str(path), next=f"{cure}{did_you_mean(missing[0], names)}")
    brought = {f"{FEATURES}.{name}" for name in fit.features} if any(name.startswith(f"{FEATURES}.") for name in names) else set()
    known = [*fit.columns, MOMENT, *sorted(brought)]
    other = [name for name in names if name not in known]
    if other:
        cure = f"Leave it out, since no request of {fit.model.name} has it."
        raise Unknown("column", other[0], known, where=f"the keys of {fit.model.name}", next=f"{cure}{did_you_mean(other[0], known)}")


def _names(path: Path) -> list[str]:
    if path.name.lower().endswith(PARQUET):
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            return _flat(file.schema_arrow.empty_table()).column_names  # type: ignore[no-any-return]
    with _csv(path, None) as reader:
        return list(reader.schema.names)


def _flat(table: pa.Table) -> pa.Table:
    """A struct of features as a column for each of them."""
    return table.flatten() if any(pa.types.is_struct(one.type) and one.name == FEATURES for one in table.schema) else table


def _rows_told(path: Path, lines: int) -> int | None:
    name = path.name.lower()
    if name.endswith(PARQUET):
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            return int(file.metadata.num_rows)
    return None if name.endswith(".gz") else max(0, lines - name.endswith(CSV))


def _sha(path: Path) -> tuple[str, int]:
    """The hash of a file's bytes, and how many lines end in it."""
    found, lines = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
            lines += block.count(b"\n")
    return found.hexdigest(), lines


def _stamp(path: Path) -> tuple[int, int]:
    there = path.stat()
    return there.st_size, there.st_mtime_ns


# -- rows ------------------------------------------------------------------------------------------------------------------------------


def _rows(path: Path, fit: Fit) -> Iterator[Row | str]:
    """Each row as what a request would say, or why it says nothing."""
    name = path.name.lower()
    if name.endswith(LINES):
        yield from _lines(path)
        return
    for table in _parquet(path) if name.endswith(PARQUET) else _text(path):
        yield from _said(table, fit, spelled=name.endswith(CSV))


def _lines(path: Path) -> Iterator[Row | str]:
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise EverloopError(f"{path} has a line of more than {LONGEST_LINE:,} bytes. Say one object in each line.")
            if line.strip():
                try:
                    row = json_value(line, "The line")
                except RefusedError as error:
                    yield error.message
                    continue
                yield row if isinstance(row, dict) else "It is no object, such as a request is."


def _parquet(path: Path) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(8_192):
            yield _flat(pa.Table.from_batches([batch]))


def _text(path: Path) -> Iterator[pa.Table]:
    with _csv(path, _names(path)) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _csv(path: Path, names: Sequence[str] | None) -> Any:
    import pyarrow.csv as csv

    file = pa.input_stream(str(path), compression="detect")
    kinds = dict.fromkeys(names or (), pa.string())
    return csv.open_csv(
        file,
        read_options=csv.ReadOptions(block_size=1 << 20),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=kinds, null_values=[""], strings_can_be_null=True),
    )


def _said(table: pa.Table, fit: Fit, *, spelled: bool) -> Iterator[Row]:
    names = table.column_names
    columns = []
    for name in names:
        reads = (_spelled if spelled else _plain)(_kind(name, fit))
        columns.append([None if value is None else reads(value) for value in _micro(table[name]).to_pylist()])
    brought = [name for name in names if name.startswith(f"{FEATURES}.") and name not in fit.columns]
    for values in zip(*columns, strict=True):
        row = dict(zip(names, values, strict=True))
        if brought:
            row[FEATURES] = {name.removeprefix(f"{FEATURES}."): row.pop(name) for name in brought}
        yield row


def _micro(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Python has no nanoseconds."""
    kind = column.type
    return column.cast(pa.timestamp("us", kind.tz), safe=False) if pa.types.is_timestamp(kind) and kind.unit == "ns" else column


def _kind(name: str, fit: Fit) -> Kind:
    """How the file's column is declared; of a feature, how it is read."""
    if name in fit.columns or not name.startswith(f"{FEATURES}."):
        return fit.columns.get(name, str)
    kinds: dict[str, Kind] = {"number": float, "instant": float, "yes or no": bool}
    return kinds.get(fit.features.get(name.removeprefix(f"{FEATURES}."), ""), str)


def _spelled(kind: Kind) -> Callable[[Any], Any]:
    """Text as the value it spells, as JSON would say it; what spells none stays text, and is refused as such."""
    if kind in (datetime, date) or kind is str:
        return lambda value: value
    reads = parser(kind)

    def read(text: str) -> object:
        try:
            return reads(text)
        except ValueError:
            return text

    return read


def _plain(kind: Kind) -> Callable[[Any], Any]:
    """A value of a table as JSON would say it; whole numbers that pandas made decimals are whole again."""
    whole = kind is int or isinstance(kind, money)

    def read(value: object) -> object:
        if isinstance(value, Decimal):
            value = float(value)
        if isinstance(value, float):
            if value != value:
                return None
            return int(value) if whole and value.is_integer() else value
        return value.isoformat() if isinstance(value, date) else value

    return read


# -- parts -----------------------------------------------------------------------------------------------------------------------------


def _in_parts(rows: Iterator[Row | str], size: int) -> Iterator[list[Row | str]]:
    part: list[Row | str] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _part(number: int, first: int, rows: Sequence[Row | str], fit: Fit) -> Part:
    requests: list[Row] = []
    moments: list[int | None] = []
    wrong: dict[int, str] = {}
    for place, row in enumerate(rows):
        moment = None
        if isinstance(row, str):
            wrong[place], row = row, {}
        else:
            try:
                moment = _moment(row, fit)
                fit.check(row, "")
            except RefusedError as error:
                wrong[place] = error.message
        requests.append(row)
        moments.append(moment)
    return Part(number, first, requests, moments, wrong)


def _moment(row: Row, fit: Fit) -> int | None:
    """The moment a row says, taken out of it; a model's own column of that name is no moment. Raises RefusedError."""
    if MOMENT in fit.columns or MOMENT not in row:
        return None
    said = row.pop(MOMENT)
    if FEATURES in row and FEATURES not in fit.columns and said is not None:
        raise RefusedError("invalid", "It brings its features, so nothing is looked up at its moment. Leave moment out.", field=MOMENT)
    try:
        return instant(said, UTC)
    except ValueError as error:
        raise RefusedError("invalid", f"moment is {error}.", field=MOMENT) from None
