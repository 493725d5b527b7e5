"""Spark: the offline reading for data beyond one machine, by the same text DuckDB is given. The only file that imports pyspark.

In: readings, a model, questions and event tables: Spark data frames, paths of Parquet or Delta tables, URLs of Delta tables on object
storage, or Arrow tables. Out: a Spark data frame with a row for each question. Events are never brought to the driver; the exact parts
become floats in the executors, in Python. Objects are read there as well, by the libraries the house reads them with: Spark needs no jar
of any cloud. Reads no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.connect.objects import NO_STORAGE, SCHEMES, delta_options, opened
from everloop.errors import EverloopError, Unknown
from everloop.features.definition import Nature, nature_of
from everloop.features.moments import micros
from everloop.features.portable import ASKED, Portable, portable
from everloop.features.reader import EVENT_COLUMNS
from everloop.features.truth import matured
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Reading, leaves
from everloop.settings import Storage

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyspark.sql import Column, DataFrame, SparkSession

#: A table as it may be given: a data frame, the folder or file of a Parquet or Delta table, a Delta table's URL, or an Arrow table.
Given: TypeAlias = "DataFrame | str | Path | pa.Table"
#: What the text is read under, whatever the session says: sums that overflow are errors, and no day begins anywhere but in UTC.
_SETTINGS = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true", "spark.sql.variable.substitute": "false"}


def features(
    readings: Sequence[AnyReading],
    questions: Given,
    tables: Mapping[str, Given],
    *,
    model: Model,
    session: SparkSession,
    storage: Storage = NO_STORAGE,
) -> DataFrame:
    """The columns of these readings for each question, as known strictly before its moment: ``question``, then the columns in their order.

    As ``everloop.features.compile.features``, digit for digit. ``questions`` has ``moment`` (whole microseconds UTC, or a timestamp), the
    model's unit columns, ``row`` where it asks about the rows of a source, whatever else a request carries, and ``question``, a number of
    its own for each row: rows of a data frame have no place. Of an Arrow table without it rows are numbered from 0. ``tables``: an event
    table for each source. ``storage``: how URLs are reached, as the house's settings say; who asks is said by the cloud's own variables
    where the executors run. Nothing is read before the frame is written or shown, except the questions' numbers.

    Everloop has to be installed where the executors run. Raises Unknown for a table or a column that is not there or a verb the text
    cannot say, ValueError for questions without a moment or a number of their own.
    """
    asked = _numbered(session, questions)
    said = portable(readings, model=model, carries=_natures(asked))
    return _answered(said, asked, tables, model, session, _columns, said.schema, storage)


def truths(
    predicts: AnyReading,
    questions: Given,
    tables: Mapping[str, Given],
    *,
    model: Model,
    known_at: datetime,
    session: SparkSession,
    storage: Storage = NO_STORAGE,
) -> DataFrame:
    """What came of each question as known strictly before ``known_at`` (aware): ``question``, ``truth`` and ``mature``.

    As ``everloop.features.truth.truths``: null, never a partial sum, until what is looked ahead and the ``late`` of its source have passed.
    Raises EverloopError for a model with ``void_when``, Unknown for ``outcome``: those are read where one row is looked at, by DuckDB.
    """
    if model.void_when:
        raise EverloopError(f"{model.name} says void_when=, which is not read on Spark. Read its truths with everloop.features.truth.")
    until = micros(known_at)
    asked = _numbered(session, questions)
    said = portable([predicts], model=model, carries=_natures(asked), known_at=until)
    ahead = tuple(reading for reading in leaves(predicts) if reading.looks_ahead)
    schema = pa.schema([("truth", said.schema.field(0).type), ("mature", pa.bool_())])
    return _answered(said, asked, tables, model, session, partial(_truth, ahead=ahead, until=until), schema, storage)


def in_order(answered: DataFrame) -> pa.Table:
    """The columns of a frame ``features`` gave as an Arrow table, in the order of the questions' numbers, without them."""
    table: pa.Table = answered.orderBy("question").toArrow()
    return table.drop_columns(["question"])


# -- what is done with the rows -------------------------------------------------------------------------------------------------------

Finish: TypeAlias = Callable[[Portable, pa.Table], pa.Table]


def _answered(
    said: Portable, asked: DataFrame, tables: Mapping[str, Given], model: Model, session: SparkSession, finish: Finish, schema: pa.Schema,
    storage: Storage,
) -> DataFrame:  # fmt: skip
    from pyspark.sql.pandas.types import from_arrow_schema

    here = _apart(session)
    _show(session, here, ASKED, asked, ["question", "moment"], said.columns[ASKED], _natures(asked).__getitem__, "the questions")
    for source in model.sources:
        named = said.columns.get(f"events_{source.name}")
        if named is not None:
            if source.name not in tables:
                cure = "Give one event table for each source that is read."
                raise Unknown("table of source", source.name, sorted(tables), next=cure)
            frame, where = _frame(session, tables[source.name], storage), f"the table of {source.name}"
            _show(session, here, f"events_{source.name}", frame, EVENT_COLUMNS, named, partial(nature_of, source), where)
    whole = pa.schema([("question", pa.int64()), *schema])
    _work_through(here, said)
    return here.sql(said.last).mapInArrow(partial(_finished, said=said, finish=finish, schema=whole), from_arrow_schema(whole))


def _work_through(here: SparkSession, said: Portable) -> None:
    """Say each step of the text under its name. What is named more than once is worked out once: Spark would do it each time.

    Kept in the executors, on their disks where memory ends, for as long as anything made of it is held.
    """
    for name, query in said.steps:
        step = here.sql(query)
        if sum(len(re.findall(rf"\b{name}\b", other)) for other in (*(query for _, query in said.steps), said.last)) > 1:
            step = step.localCheckpoint()
        step.createOrReplaceTempView(name)


def _finished(batches: Iterable[pa.RecordBatch], *, said: Portable, finish: Finish, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Runs in the executors: exact parts become the columns of the readings."""
    for batch in batches:
        parts = pa.Table.from_batches([batch])
        made = finish(said, parts).add_column(0, "question", parts["question"])
        yield from made.cast(schema).to_batches()


def _columns(said: Portable, parts: pa.Table) -> pa.Table:
    return said.finished(parts)


def _truth(said: Portable, parts: pa.Table, *, ahead: Sequence[Reading], until: int) -> pa.Table:
    found = said.finished(parts).column(0).combine_chunks()
    moments = np.asarray(parts["moment"].to_numpy(), dtype=np.int64)
    mature = pa.array(np.all([np.ones(len(moments), dtype=np.bool_), *(matured(reading, moments, until) for reading in ahead)], axis=0))
    return pa.table({"truth": pc.if_else(mature, found, pa.scalar(None, found.type)), "mature": mature})


# -- tables as the text reads them ----------------------------------------------------------------------------------------------------


def _apart(session: SparkSession) -> SparkSession:
    """A session of our own beside the caller's: the same executors and settings, but our names, and our meaning of SQL."""
    here = session.newSession()
    for name, value in session.conf.getAll.items():
        if here.conf.isModifiable(name):
            here.conf.set(name, value)
    for name, value in _SETTINGS.items():
        here.conf.set(name, value)
    return here


def _show(
    session: SparkSession, here: SparkSession, name: str, frame: DataFrame, whole: Sequence[str], columns: Mapping[str, str],
    nature: Callable[[str], Nature], where: str,
) -> None:  # fmt: skip
    """Let the text read a frame under a name, its columns held as the text reads them. Raises Unknown for a column that is not there."""
    for column in (*whole, *columns):
        if column not in frame.columns:
            raise Unknown("column", column, frame.columns, where=where)
    # Only what is global is seen from one session in another.
    passing = f"everloop_{uuid4().hex}"
    frame.createGlobalTempView(passing)
    try:
        there = here.table(f"global_temp.{passing}")
        kinds = {field.name: field.dataType.typeName() for field in there.schema}
        shown = [_held(column, _own(column), kinds[column]).alias(column) for column in whole]
        shown += [_held(column, nature(column), kinds[column]).alias(short) for column, short in columns.items()]
        there.select(*shown).createOrReplaceTempView(name)
    finally:
        session.catalog.dropGlobalTempView(passing)


def _own(column: str) -> Nature | None:
    """How the columns every table has are held; yes and no as they are."""
    return "words" if column == "id" else None if column == "deleted" else "instant"


def _held(column: str, nature: Nature | None, kind: str) -> Column:
    from pyspark.sql import functions as sql

    name = "`" + column.replace("`", "``") + "`"
    if nature is None:
        return sql.col(name)
    if kind == "date":
        return sql.expr(f"CAST(unix_date({name}) AS BIGINT) * 86400000000")
    if kind in ("timestamp", "timestamp_ntz"):
        return sql.expr(f"unix_micros(CAST({name} AS TIMESTAMP))")
    return sql.col(name).cast({"words": "string", "decimal": "double"}.get(nature, "bigint"))


def _numbered(session: SparkSession, questions: Given) -> DataFrame:
    """The questions, each with a number of its own. Raises Unknown without the column, ValueError where it is not so."""
    if isinstance(questions, pa.Table) and "question" not in questions.column_names:
        questions = questions.append_column("question", pa.array(np.arange(questions.num_rows, dtype=np.int64)))
    frame = _frame(session, questions)
    for column in ("question", "moment"):
        if column not in frame.columns:
            cure = "Rows of a data frame have no place: give each question a number." if column == "question" else ""
            raise Unknown("column", column, frame.columns, where="the questions", next=cure)
    from pyspark.sql import functions as sql

    counted = frame.agg(sql.count(sql.lit(1)), sql.count_distinct("question"), sql.count("moment")).first()
    rows, numbers, moments = (0, 0, 0) if counted is None else counted
    if numbers != rows:
        raise ValueError(f"Of {rows:,} questions {rows - numbers:,} have no number of their own. Number the column 'question' anew.")
    if moments != rows:
        raise ValueError(f"Of {rows:,} questions {rows - moments:,} have no moment. Leave them out, or say when they are asked.")
    return frame


def _natures(frame: DataFrame) -> dict[str, Nature]:
    return {field.name: _nature(field.dataType.typeName()) for field in frame.schema}


def _nature(kind: str) -> Nature:
    if kind == "boolean":
        return "flag"
    if kind in ("date", "timestamp", "timestamp_ntz"):
        return "instant"
    if kind in ("byte", "short", "integer", "long"):
        return "whole"
    return "decimal" if kind in ("float", "double", "decimal") else "words"


def _frame(session: SparkSession, given: Given, storage: Storage = NO_STORAGE) -> DataFrame:
    """What was given as a data frame. Raises Unknown for a path where nothing is."""
    if isinstance(given, pa.Table):
        return session.createDataFrame(given)
    if not isinstance(given, str | Path):
        return given
    path = str(given)
    if path.partition("://")[0] in SCHEMES:
        return _objects(session, path, storage)
    if "://" not in path:
        # Spark runs in a process of its own, and would look from where that began.
        path = str(Path(path).absolute())
        if not Path(path).exists():
            raise Unknown("table at", path, next="Give the folder of a Parquet or Delta table.")
    from deltalake import DeltaTable

    if Path(path).is_file() or not DeltaTable.is_deltatable(path):
        return session.read.parquet(path)
    return _delta(session, DeltaTable(path))


def _delta(session: SparkSession, table: DeltaTable) -> DataFrame:
    """The newest version of a Delta table, file by file: Spark alone would read withdrawn files too, and needs a jar to know better."""
    files = _files(table)
    if not files:
        return session.createDataFrame(pa.schema(table.schema()).empty_table())
    return session.read.option("basePath", table.table_uri).option("mergeSchema", "true").parquet(*files)


def _objects(session: SparkSession, url: str, storage: Storage) -> DataFrame:
    """The newest version of a Delta table on object storage, each file read by the executor that needs it. Raises Unknown where none is."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError
    from pyspark.sql.pandas.types import from_arrow_schema

    try:
        table = DeltaTable(url, storage_options=delta_options(url, storage))
    except TableNotFoundError:
        raise Unknown("table at", url, next="Give the URL of a Delta table.") from None
    schema, files = pa.schema(table.schema()), _files(table)
    if not files:
        return session.createDataFrame(schema.empty_table())
    there = session.createDataFrame([(file,) for file in files], "url STRING").repartition(len(files))
    return there.mapInArrow(partial(_read, schema=schema, storage=storage), from_arrow_schema(schema))


def _read(batches: Iterable[pa.RecordBatch], *, schema: pa.Schema, storage: Storage) -> Iterator[pa.RecordBatch]:
    """Runs in the executors: the rows of the objects of these URLs, with nothing in the columns an older one has not."""
    import pyarrow.parquet as pq

    for url in (url for batch in batches for url in batch.column(0).to_pylist()):
        system, path = opened(url, storage)
        with system.open_input_file(path) as file:
            for piece in pq.ParquetFile(file).iter_batches():
                there = set(piece.schema.names)
                columns = [piece.column(f.name).cast(f.type) if f.name in there else pa.nulls(len(piece), f.type) for f in schema]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _files(table: DeltaTable) -> list[str]:
    """The files of the newest version. Raises EverloopError for a table that is read in a way we do not know."""
    features = table.protocol().reader_features or []
    if features:
        what = f"The Delta table at {table.table_uri} needs {', '.join(features)} to be read."
        raise EverloopError(
            f"{what} Start Spark with Delta's own package, and give session.read.format('delta').load(…) instead of the path."
        )
    return list(table.file_uris())
