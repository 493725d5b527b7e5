"""Cut: event tables in parts by whom they are about, so that each part answers for its units alone.

A source is cut where every reading of it takes the rows of the unit asked about; every other is whole in each part. All versions of a row
stay together: a row that was corrected to be about another unit is in the parts of both. In: a model and event tables, in memory or as SQL.
Out: parts in memory, or as files in a folder. Absent: clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from everloop.features.as_of import is_undated
from everloop.features.candidates import candidate_readings
from everloop.features.reader import Reader, literal, quoted
from everloop.features.spine import keys_of
from everloop.features.versions import value_sql
from everloop.project.model import Model
from everloop.project.resolve import carried, readings_in
from everloop.project.source import Source


@dataclass(frozen=True)
class Cut:
    """``count`` parts; ``sources`` are those of which each part holds the rows of its own units."""

    count: int
    sources: frozenset[str]

    def place(self, columns: Sequence[str], texts: Sequence[str] | None = None) -> str:
        """SQL for the part, 0 to ``count`` - 1, that a unit belongs to; ``texts``: how its columns are said, where not by their names.

        By MD5, so that all machines agree, whatever their engine's own hash is.

        >>> Cut(4, frozenset()).place(["product_id"]).endswith(" % 4")
        True
        """
        said = ", ".join(f"CAST({text} AS VARCHAR)" for text in (texts or [quoted(column) for column in columns]))
        return f"md5_number_lower(concat_ws('\x1f', {said})) % {self.count}"


class Part(Protocol):
    """The event tables of some of the units, wherever they lie."""

    @property
    def number(self) -> int: ...

    def tables(self) -> Mapping[str, pa.Table]:
        """An event table for each source, in order of ``seq``."""
        ...


@dataclass(frozen=True)
class Held:
    """A part in memory; sent elsewhere, its rows go along."""

    number: int
    held: Mapping[str, pa.Table]

    def tables(self) -> Mapping[str, pa.Table]:
        return self.held


@dataclass(frozen=True)
class InFiles:
    """A part as Parquet files in a folder that whoever reads it can reach; in memory only while it is read."""

    number: int
    folder: Path
    cut: tuple[str, ...]
    whole: tuple[str, ...]
    schemas: Mapping[str, pa.Schema]

    def tables(self) -> Mapping[str, pa.Table]:
        mine = {name: self.folder / name / f"part={self.number}" for name in self.cut}
        return {name: _read(folder, self.schemas[name]) for name, folder in (mine | {n: self.folder / n for n in self.whole}).items()}


def cut_of(model: Model, count: int) -> Cut | None:
    """How a model's events can be cut into so many parts; None where its units have to be looked at together (undated rows)."""
    if is_undated(model):
        return None
    return Cut(count, frozenset(source.name for source in model.sources if _about_units(model, source)))


def cut_up(model: Model, cut: Cut, tables: Mapping[str, pa.Table]) -> list[Held]:
    """The parts of event tables that are in memory."""
    held: list[dict[str, pa.Table]] = [{} for _ in range(cut.count)]
    sources = {source.name: source for source in model.sources}
    with Reader(tables) as reader:
        for name, table in tables.items():
            if name in cut.sources:
                places = reader.rows(f"{_places(cut, sources[name], reader.events(sources[name]), model.unit, 'nr')} ORDER BY part, row_at")
                part, rows = places["part"].to_numpy().astype(np.int64), places["row_at"]
                ends = np.searchsorted(part, np.arange(cut.count + 1))
                for number in range(cut.count):
                    held[number][name] = table.take(rows.slice(ends[number], ends[number + 1] - ends[number]))
            else:
                for one in held:
                    one[name] = table
    return [Held(number, one) for number, one in enumerate(held)]


def cut_into_files(
    model: Model,
    cut: Cut,
    events: Mapping[str, Callable[[], object]],
    folder: Path,
    *,
    schemas: Mapping[str, pa.Schema],
    memory: str = "2GB",
    threads: int = 2,
) -> list[InFiles]:
    """The parts as files, read and written a few rows at a time: what is held at once is within ``memory``, however much there is.

    ``events`` gives by source, as often as it is called, something DuckDB can scan (a pyarrow dataset of a Delta table, a table), and
    ``schemas`` the columns that parts have; ``folder`` is made.
    """
    import duckdb

    sources = {source.name: source for source in model.sources}
    spilled = folder / "spilled"
    spilled.mkdir(parents=True)
    with duckdb.connect(":memory:", config={"threads": threads, "memory_limit": memory, "temp_directory": str(spilled)}) as engine:
        engine.execute("SET preserve_insertion_order = false")
        for name, given in events.items():
            columns, target = ", ".join(f"e.{quoted(column)}" for column in schemas[name].names), folder / name
            if name not in cut.sources:
                target.mkdir()
                _copied(engine, given, f"SELECT {columns} FROM given e", str(target / "whole.parquet"))
                continue
            engine.register("given", given())
            moved = engine.execute(_moved(cut, sources[name], "given", model.unit) + " LIMIT 1").fetchone() is not None
            rows = f"SELECT {columns}, {cut.place(model.unit, _texts(sources[name], model.unit))} AS part FROM given e"
            if moved:
                engine.register("given", given())
                engine.execute(f"CREATE OR REPLACE TABLE places AS {_places(cut, sources[name], 'given', model.unit, 'seq')}")
                rows = f"SELECT {columns}, p.part FROM given e JOIN places p ON p.row_at = e.seq"
            _copied(engine, given, rows, str(target), ", PARTITION_BY (part)")
    whole = tuple(name for name in events if name not in cut.sources)
    mine = tuple(name for name in events if name in cut.sources)
    return [InFiles(number, folder, mine, whole, dict(schemas)) for number in range(cut.count)]


def _about_units(model: Model, source: Source) -> bool:
    """Whether every reading of a source takes rows of the unit asked about, and nothing looks anything else up in it."""
    own = all(column in source.every_column and source.parent_of(column) is None for column in model.unit)
    if not own or any(source.name == parent.name for other in model.sources for parent in other.of):
        return False
    said = (model.predicts, model.knows, model.candidates, model.among, model.void_when, model.promote_when, model.baseline_reading)
    ranked = candidate_readings(model) if model.kind == "ranking" else ()
    mine = [reading for reading in readings_in((*said, ranked)) if reading.source.name == source.name]
    looked_up = set(source.id) <= set(carried(model)) and not set(source.id) <= set(model.unit)
    return bool(mine) and not looked_up and all(set(model.unit) <= set(keys_of(model, reading)) for reading in mine)


def _texts(source: Source, unit: Sequence[str]) -> list[str]:
    """The unit's columns in a source's events ``e``, held as they are when questions are asked."""
    return [value_sql(source, column) for column in unit]


def _placed(cut: Cut, source: Source, events: str, unit: Sequence[str], at: str = "") -> str:
    """A query of each row's id, as a hash (two ids of one hash only mean that rows are in more parts than they need be), and its part."""
    return f"SELECT {at}hash(e.id) AS h, {cut.place(unit, _texts(source, unit))} AS part FROM {events} e"


def _moved(cut: Cut, source: Source, events: str, unit: Sequence[str]) -> str:
    """A query of the ids whose versions are about units of several parts."""
    return f"SELECT h FROM ({_placed(cut, source, events, unit)}) GROUP BY h HAVING min(part) <> max(part)"


def _places(cut: Cut, source: Source, events: str, unit: Sequence[str], at: str) -> str:
    """A query of ``part`` and ``row_at``: where each row goes; all versions of one that moved from unit to unit, to the parts of each."""
    return (
        f"WITH placed AS ({_placed(cut, source, events, unit, f'e.{at} AS row_at, ')}), "
        "moved AS (SELECT h FROM placed GROUP BY h HAVING min(part) <> max(part)), "
        "moving AS (SELECT * FROM placed WHERE h IN (SELECT h FROM moved)) "
        "SELECT part, row_at FROM placed WHERE h NOT IN (SELECT h FROM moved) "
        "UNION ALL SELECT b.part, a.row_at FROM moving a JOIN (SELECT DISTINCT h, part FROM moving) b USING (h)"
    )


def _copied(engine: Any, given: Callable[[], object], query: str, target: str, how: str = "") -> None:
    engine.register("given", given())
    engine.execute(f"COPY ({query}) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd{how})")
    engine.unregister("given")


def _read(folder: Path, schema: pa.Schema) -> pa.Table:
    """The rows of a folder, in order of ``seq``; none where it is not there."""
    import pyarrow.parquet as pq

    files = sorted(folder.glob("*.parquet"))
    if not files:
        return schema.empty_table()
    # Each file by itself: a dataset would take the folder's name for a column.
    rows = pa.concat_tables([pq.ParquetFile(file).read().cast(schema) for file in files])
    return rows.sort_by("seq")
