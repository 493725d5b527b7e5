"""Bodies without somebody: training sets, held-out answers and golden rows, each made again without their rows. No decision, no clock."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import microseconds
from everloop.errors import ArtefactBroken
from everloop.loop.forget.person import Person
from everloop.loop.house import House
from everloop.project.model import Model
from everloop.project.reading import column_names, leaves
from everloop.records import Candidate, Contest, TrainingSet
from everloop.training.rows import ERASED

PARQUET = b"PAR1"


@dataclass(frozen=True)
class Body:
    """A body with rows about units, and what names it: its SHA-256 of then, the record, the model it is of."""

    sha: str
    record: TrainingSet | Contest | Candidate
    model: str


def bodies_of(house: House) -> Iterator[Body]:
    """Every body that a record names and that tells of units: training sets, contests, golden rows; but those whose bytes are gone."""
    for entry in house.journal.read(kind=("TrainingSet", "Contest", "Candidate")):
        record = entry.record
        if isinstance(record, TrainingSet | Contest | Candidate):
            sha = record.golden if isinstance(record, Candidate) else record.body
            if sha is not None and house.blobs.has(sha):
                yield Body(sha, record, record.model)


def opened(house: House, sha: str) -> pa.Table | None:
    """The rows of a body that is Parquet; None for any other, and for one whose bytes are not what they were."""
    import pyarrow.parquet as pq

    try:
        body = house.blobs.read(sha)
        return pq.ParquetFile(pa.BufferReader(body)).read() if body.startswith(PARQUET) else None
    except (ArtefactBroken, pa.ArrowException, OSError):
        return None


def their_rows(table: pa.Table, person: Person, model: Model | None) -> pa.Array:
    """Which rows of a body are about the person: by its units, and where it has the person's column or a ``row``, by that as well."""
    found = [person.theirs(model, table.column("unit").cast(pa.string()))] if "unit" in table.column_names else []
    unit = model.unit if model is not None else (person.column,)
    if person.column in table.column_names and person.column in unit:
        found.append(pc.equal(table.column(person.column).cast(pa.string()).combine_chunks(), person.value))
    nobody = pa.array(np.zeros(table.num_rows, dtype=np.bool_))
    return reduce(pc.or_, (pc.fill_null(one, False) for one in found), nobody)


def without(table: pa.Table, person: Person, model: Model | None, words: Collection[str], record: object) -> pa.Table:
    """A body without their rows, and with nothing in the place of their key elsewhere; the same object where there is nothing of either."""
    theirs = their_rows(table, person, model)
    left = emptied(table.filter(pc.invert(theirs)) if pc.any(theirs).as_py() else table, names_of(model, person.column), words)
    if left is table or not isinstance(record, TrainingSet) or record.learn_until is not None:
        return left
    # Rows without a time are told apart by how many learn and how many judge, so that has to be counted down with them.
    mask = np.asarray(theirs.to_numpy(zero_copy_only=False), dtype=np.bool_)
    before = json.loads((table.schema.metadata or {}).get(ERASED, b"[0,0]"))
    learn, judge = record.learn_rows - before[0], record.judge_rows - before[1]
    gone = [before[0] + int(mask[:learn].sum()), before[1] + int(mask[len(mask) - judge :].sum())]
    return left.replace_schema_metadata((table.schema.metadata or {}) | {ERASED: json.dumps(gone).encode()})


def emptied(table: pa.Table, names: Collection[str], words: Collection[str]) -> pa.Table:
    """A table whose columns (and keys of JSON objects) of these names never say one of these words any more: what did is empty.

    >>> told = pa.table({"who": ["c1", "x"], "said": ['{"who":"c1","n":"c1"}', "{}"], "n": ["c1", "2"]})
    >>> emptied(told, ["who"], ["c1"]).to_pydict()
    {'who': [None, 'x'], 'said': ['{"who":null,"n":"c1"}', '{}'], 'n': ['c1', '2']}
    >>> emptied(told, ["who"], ["c9"]) is told
    True
    """
    made = table
    for at, column in enumerate(table.schema):
        if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
            continue
        before = table.column(at)
        found = [pc.fill_null(pc.match_substring(before, word), False) for word in words]
        rows = reduce(pc.or_, found)
        if not pc.any(rows).as_py():
            continue
        said = before.to_pylist()
        after = [
            _without(value, column.name in names, names, words) if mine else value
            for value, mine in zip(said, rows.to_pylist(), strict=True)
        ]
        if after != said:
            made = made.set_column(at, column, pa.array(after, column.type))
    return made


def _without(value: str, named: bool, names: Collection[str], words: Collection[str]) -> str | None:
    if value in words:
        return None if named else value
    if not value.startswith("{"):
        return value
    try:
        said: dict[str, Any] = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value
    if not any(said.get(name) in words for name in names if isinstance(said.get(name), str)):
        return value
    return msgspec.json.encode({name: None if name in names and one in words else one for name, one in said.items()}).decode()


def names_of(model: Model | None, column: str) -> frozenset[str]:
    """The columns of a body that may say a person's key: the column itself, and what a model reads of it."""
    readings = () if model is None else model.knows
    read = [reading for reading in readings if any(column in leaf.columns for leaf in leaves(reading))]
    return frozenset({column, *(name for reading in read for name in column_names(reading))})


def parquet_again(table: pa.Table) -> bytes:
    """A body's table as bytes again."""
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def learnt_from(body: Body, table: pa.Table, theirs: pa.Array) -> bool:
    """Whether any of the person's rows were to be learnt from, not only to judge by."""
    record = body.record
    if not isinstance(record, TrainingSet) or not pc.any(theirs).as_py():
        return False
    if record.learn_until is None:
        return bool(pc.any(theirs.slice(0, record.learn_rows)).as_py())
    before = pc.less(table.column("moment"), microseconds(record.learn_until))
    return bool(pc.any(pc.and_(before.combine_chunks(), theirs)).as_py())
