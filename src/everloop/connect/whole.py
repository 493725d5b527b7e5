"""Files that others read: there whole or not at all, and the same table always as the same bytes. In: bytes or a table. Out: files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from everloop.disk import put_whole
from everloop.errors import EverloopError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_OF_A_GROUP = 1 << 17


def put(path: Path, body: bytes) -> Path:
    """Write a file beside its place, sync it, and rename it there; what was linked there before keeps its bytes.

    Raises EverloopError where the folder cannot be written or is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        put_whole(path, body)
    except OSError as error:
        raise EverloopError(f"{path} cannot be written: {error.strerror}. Nothing was half-written.") from error
    return path


def put_own(folder: Path, bodies: Mapping[str, str], mark: str) -> list[Path]:
    """Write files that all say ``mark``; where one is there that does not, it is somebody else's, and nothing is written.

    Each file is there whole or not at all. Raises EverloopError.
    """
    for path in (folder / name for name in bodies):
        if path.exists() and (path.is_dir() or mark.encode() not in path.read_bytes()):
            raise EverloopError(f"{path} is there already and was not written by everloop. Move it, or export to another folder.")
    return [put(folder / name, body.encode()) for name, body in bodies.items()]


def parquet(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file: the same rows give the same bytes, however they lie in memory.

    The bytes also depend on the release of pyarrow that writes them.

    >>> import pyarrow as pa
    >>> parts = pa.chunked_array([["a"], ["b", "a"]])
    >>> parquet(pa.table({"x": parts})) == parquet(pa.table({"x": parts.combine_chunks()}))
    True
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    whole = table.replace_schema_metadata(None).combine_chunks()
    pq.write_table(whole, sink, compression="zstd", row_group_size=ROWS_OF_A_GROUP)
    return bytes(sink.getvalue())
