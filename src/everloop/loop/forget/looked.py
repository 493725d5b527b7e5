"""Looking afterwards: every byte of a place is read for a key, Parquet, Arrow and zip opened. In: a folder or a URL. Out: files with it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from everloop.connect.objects import opened
from everloop.loop.forget.plan import FOLDER
from everloop.settings import Storage

LEAST = 6
"""A key of fewer characters says other things, too, and is not looked for in free text."""
PIECE = 8 << 20
_OPENED = (b"PAR1", b"ARROW1", b"PK\x03\x04")


def found_in(folder: Path, key: str) -> Iterator[Path]:
    """The files below a folder in which a key still stands, plain or packed; what is being forgotten is not looked at."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and FOLDER not in path.relative_to(folder).parts and _holds(path, key):
            yield path


def holds(body: bytes, key: str) -> bool:
    """Whether bytes have a key, plain or packed.

    >>> from zipfile import ZIP_DEFLATED, ZipFile
    >>> with ZipFile(packed := BytesIO(), "w", ZIP_DEFLATED) as file:
    ...     file.writestr("a", "rare-key " * 9)
    >>> b"rare-key" in packed.getvalue(), holds(packed.getvalue(), "rare-key")
    (False, True)
    """
    if key.encode() in body:
        return True
    try:
        if body.startswith(b"PAR1"):
            import pyarrow.parquet as pq

            return any(_in_batch(batch, key) for batch in pq.ParquetFile(pa.BufferReader(body)).iter_batches())
        if body.startswith(b"ARROW1"):
            file = pa.ipc.open_file(pa.BufferReader(body))
            return any(_in_batch(file.get_batch(n), key) for n in range(file.num_record_batches))
        if body.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(BytesIO(body)) as parts:
                return any(holds(parts.read(name), key) for name in parts.namelist())
    except (pa.ArrowException, OSError, zipfile.BadZipFile, ValueError):
        return False  # half-written: its bytes were looked at as they are
    return False


def _holds(path: Path, key: str) -> bool:
    word, before = key.encode(), b""
    try:
        with path.open("rb") as file:
            begins = file.read(6)
            if begins.startswith(_OPENED):
                return holds(begins + file.read(), key)
            before = begins
            while piece := file.read(PIECE):
                if word in before + piece:
                    return True
                before = piece[-len(word) :]
            return word in before
    except FileNotFoundError:
        return False


def _in_batch(batch: pa.RecordBatch, key: str) -> bool:
    return any(_in_array(column, key) for column in batch.columns)


def _in_array(values: pa.Array, key: str) -> bool:
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _in_array(values.dictionary, key)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _in_array(values.flatten(), key)
    if pa.types.is_struct(kind):
        return any(_in_array(values.field(n), key) for n in range(kind.num_fields))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return bool(pc.any(pc.match_substring(values, key)).as_py())
    if pa.types.is_integer(kind) and key.isdecimal() and len(key) < 19:
        return bool(pc.any(pc.equal(values, pa.scalar(int(key), pa.int64()))).as_py())
    return False


def found_on(url: str, storage: Storage, key: str) -> Iterator[str]:
    """The objects below a URL in which a key still stands, plain or packed."""
    from pyarrow.fs import FileSelector

    system, path = opened(url, storage)
    for info in system.get_file_info(FileSelector(path, recursive=True, allow_not_found=True)):
        if info.is_file:
            with suppress(FileNotFoundError), system.open_input_file(info.path) as file:
                if holds(bytes(file.read()), key):
                    yield f"{url}{info.path.removeprefix(path)}"


def told(paths: Iterable[Path], folder: Path) -> tuple[str, ...]:
    """Files that still have a key, for people."""
    return tuple(f"{path.relative_to(folder)} still has it" for path in paths)
