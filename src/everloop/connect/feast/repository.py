"""A feature repository for Feast: one model's finalized rows as Parquet, and the definitions by which Feast 0.67 reads them.

In: a model, rows, a folder. Out: files; nothing of Feast is imported, and what is written holds no code but constructors and constants.
In the folder are ``feature_store.yaml`` (a local one, written only where there is none: a team's own stays as it is),
``everloop_MODEL.py`` and ``data/everloop_MODEL.parquet``. Absent: clock, house.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from everloop.clock import microseconds, utc
from everloop.connect.whole import parquet, put
from everloop.errors import EverloopError
from everloop.project.model import Model
from everloop.records import identity

EVENT_AT: Final = "event_timestamp"
MADE_AT: Final = "created_timestamp"
MARK: Final = "# Written by everloop export feast; written anew by the next one."
INSTANT: Final = pa.timestamp("us", tz="UTC")
STORE: Final = """\
# Written by everloop export feast, once; it is yours to change.
project: everloop
provider: local
registry: data/registry.db
online_store:
  type: sqlite
  path: data/online_store.db
offline_store:
  type: file
entity_key_serialization_version: 3
"""


def write(folder: Path, model: Model, rows: pa.Table, features: Sequence[str], *, made_at: datetime) -> list[Path]:
    """Write a model's part of a feature repository; the paths written, the Parquet file first.

    ``rows``: ``moment`` (microseconds UTC), the unit's columns and ``features``. Each file is there whole or not at all, and what was there
    and is none of ours is left alone. Raises EverloopError where a name is taken or the folder cannot be written.
    """
    table = finalized(model, rows, features, made_at=made_at)
    script = folder / f"everloop_{model.name}.py"
    if script.exists() and not script.read_text("utf-8").startswith(MARK):
        raise EverloopError(f"{script} is there already and was not written by everloop. Move it, or export to another folder.")
    data = Path("data", f"everloop_{model.name}.parquet")
    made = [put(folder / data, parquet(table)), put(script, definitions(model, table.schema, features, data).encode())]
    store = folder / "feature_store.yaml"
    return made if store.exists() else [*made, put(store, STORE.encode())]


def finalized(model: Model, rows: pa.Table, features: Sequence[str], *, made_at: datetime) -> pa.Table:
    """Rows as Feast reads them: the unit's columns, ``event_timestamp`` and ``created_timestamp`` (UTC), the features."""
    for name in (EVENT_AT, MADE_AT):
        if name in (*model.unit, *features):
            raise EverloopError(f"{model.name} has a column named {name}, which is what Feast reads the time from. Say .named(…) at it.")
    columns = {name: _plain(rows[name]) for name in model.unit}
    columns[EVENT_AT] = rows["moment"].cast(INSTANT)
    columns[MADE_AT] = pa.array([microseconds(utc(made_at))] * rows.num_rows, INSTANT)
    return pa.table(columns | {name: _plain(rows[name]) for name in features})


def definitions(model: Model, schema: pa.Schema, features: Sequence[str], data: Path) -> str:
    """The Python file by which Feast knows a model: its entities, one feature view and one feature service of its name.

    Rows have no time to live: Feast's online store knows none, and what training reads must be what is served.
    """
    kinds = {name: _kind(schema.field(name).type) for name in (*model.unit, *features)}
    about = f"What the model {model.name} knows, finalized by Everloop: each row is as known strictly before its {EVENT_AT}."
    names = [f"unit_{number}" for number in range(1, len(model.unit) + 1)]
    lines = [MARK, f'"""{about}"""', "", "from datetime import timedelta", ""]
    lines += ["from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType"]
    lines += [f"from feast.types import {', '.join(sorted(set(kinds.values())))}", ""]
    for variable, column in zip(names, model.unit, strict=True):
        value = {"String": "STRING", "Int64": "INT64", "Float64": "DOUBLE"}[kinds[column]]
        lines.append(f"{variable} = Entity(name={column!r}, join_keys=[{column!r}], value_type=ValueType.{value})")
    lines += [
        "rows = FileSource(",
        f"    name={'everloop_' + model.name!r},",
        f"    path={data.as_posix()!r},",
        f"    timestamp_field={EVENT_AT!r},",
        f"    created_timestamp_column={MADE_AT!r},",
        ")",
        "view = FeatureView(",
        f"    name={model.name!r},",
        f"    entities=[{', '.join(names)}],",
        "    ttl=timedelta(0),",
        "    schema=[",
        *(f"        Field(name={name!r}, dtype={kind})," for name, kind in kinds.items()),
        "    ],",
        "    online=True,",
        "    source=rows,",
        f"    description={about!r},",
        f"    tags={{'everloop': {identity(model.said)!r}}},",
        ")",
        f"service = FeatureService(name={model.name!r}, features=[view])",
    ]
    return "\n".join(lines) + "\n"


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.float64()) if pa.types.is_boolean(column.type) else column


def _kind(held: pa.DataType) -> str:
    if pa.types.is_integer(held):
        return "Int64"
    return "Float64" if pa.types.is_floating(held) else "String"
