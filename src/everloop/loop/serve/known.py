"""What is known of a unit at this moment, for answers on request. In: requests. Out: the feature table ``features.as_of.live`` would give.

Tiles tell most of it: a state in the house folder that all workers share, brought up to the event log before it is read, so that what was
acknowledged before is seen. What tiles cannot tell is read from the event tables, which are kept and read on from where they end.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import from_microseconds, microseconds
from everloop.errors import EverloopError
from everloop.features import online
from everloop.features.as_of import live
from everloop.features.definition import hashed
from everloop.features.questions import of_units, unit_text
from everloop.features.tiles import Tiles
from everloop.lake.place import Lake
from everloop.lake.shape import event_schema
from everloop.lake.snapshot import read_source
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Arithmetic, Reading, column_names
from everloop.project.source import Source
from everloop.sql.wal import write_ahead

FEW = 20_000
"""So many rows are folded while a request waits; more are folded beside it, and the request is answered from the event tables."""
AHEAD = timedelta(seconds=1)
CHUNKS, UNITS = 64, 100_000
BUSY_SECONDS = 0.25  # a request waits no longer for another process to fold


@dataclass(frozen=True)
class _Open:
    connection: sqlite3.Connection
    tiles: Tiles


class Known:
    """What one process knows of a house's sources. Safe between threads; any number of processes may share the folder.

    ``turned``: business time is said by requests, to the microsecond. Elsewhere a request that came while rows arrived is about the
    instant after the newest of them, which is when it is read.
    """

    def __init__(self, lake: Lake, folder: Path, models: Sequence[Model], *, turned: bool = False) -> None:
        self.lake, self.turned = lake, turned
        self._states = {m.name: online.states_of(m, readings_of(m)) for m in models if m.kind != "ranking"}
        self._all = tuple(dict.fromkeys(state for states in self._states.values() for state in states))
        # Another project file keeps other states; sharing a file with it would leave some of them behind.
        self._file = folder / "tiles" / f"{hashed(sorted(state.id for state in self._all))}.db"
        self._writer: _Open | None = None
        self._free: list[_Open] = []
        self._writing_lock, self._pool_lock, self._tables_lock = threading.RLock(), threading.Lock(), threading.RLock()
        self._tables: dict[str, tuple[int, pa.Table]] = {}
        self._seen: dict[tuple[str, str], None] = {}
        self._folding: threading.Thread | None = None

    def features(self, model: Model, requests: pa.Table, now: datetime) -> pa.Table:
        """A row for each request (several for a list): question, moment, unit, the unit's columns, what the model knows, its baseline."""
        if model.kind != "ranking" and self._up_to_date(model):
            try:
                return self._from_tiles(model, requests, now)
            except sqlite3.DatabaseError as error:
                self._lost(error)
        return live(model, self.tables(model), moment=now, units=requests)

    def _from_tiles(self, model: Model, requests: pa.Table, now: datetime) -> pa.Table:
        with self._reading() as tiles:
            moment = self._moment(model, tiles, now)
            asked = of_units(model, requests, from_microseconds(moment))
            found = online.now(model, asked, store=tiles, moment=moment, tables=lambda: self.tables(model), readings=readings_of(model))
        table = asked.select(["question", "moment"]).append_column("unit", unit_text(asked, model.unit))
        for column in model.unit:
            table = table.append_column(column, asked[column])
        for name in (name for reading in model.knows for name in column_names(reading)):
            table = table.append_column(name, found.columns[name])
        past = baseline_of(model)
        return table if past is None else table.append_column("baseline", found.columns[past.name])

    def ever_seen(self, model: Model, units: Sequence[str]) -> list[bool]:
        """Whether any source that has the unit's columns has a row of each unit (its columns joined as one text)."""
        new = [unit for unit in dict.fromkeys(units) if (model.name, unit) not in self._seen]
        if new:
            known = set(self._in_tiles(model, new)) if self._up_to_date(model) else set()
            left = [unit for unit in new if unit not in known]
            known |= set(_in_tables(model, left, self.tables(model))) if left else set()
            for unit in known:
                self._seen[(model.name, unit)] = None
            while len(self._seen) > UNITS:
                self._seen.pop(next(iter(self._seen)), None)
            return [unit in known or (model.name, unit) in self._seen for unit in units]
        return [True] * len(units)

    def tables(self, model: Model) -> dict[str, pa.Table]:
        """The event tables a model reads, as they are now."""
        return {source.name: self._table(source) for source in model.sources}

    def close(self) -> None:
        """Let go of the tiles."""
        if self._folding is not None and self._folding is not threading.current_thread():
            self._folding.join()
        with self._writing_lock, self._pool_lock:
            for opened in (*self._free, *([self._writer] if self._writer else [])):
                opened.connection.close()
            self._free, self._writer = [], None

    # -- event tables --

    def _table(self, source: Source) -> pa.Table:
        with self._tables_lock:
            last = self.lake.log.counters(source.name).last_seq
            kept = self._tables.get(source.name)
            if kept is None or kept[0] < last:
                newer = None if kept is None else self._after(source, kept[0], last)
                rows = read_source(self.lake, source) if kept is None or newer is None else pa.concat_tables([kept[1], newer])
                if rows.column(0).num_chunks > CHUNKS:
                    rows = rows.combine_chunks()
                kept = self._tables[source.name] = (int(rows["seq"][-1].as_py()) if rows.num_rows else 0, rows)
            return kept[1]

    def _after(self, source: Source, seq: int, last: int) -> pa.Table | None:
        """The rows after ``seq`` through ``last`` at least; None where some of them are no longer in the log."""
        schema = event_schema(source)
        rows = pa.concat_tables([schema.empty_table(), *self.lake.log.unsealed(source.name, schema, after=seq)])
        through = seq + rows.num_rows
        return rows if rows.num_rows and through >= last and rows["seq"][-1].as_py() == through else None

    # -- tiles --

    def _moment(self, model: Model, tiles: Tiles, now: datetime) -> int:
        asked = microseconds(now)
        newest = max((tiles.mark(state).known_at for state in self._states[model.name]), default=asked - 1)
        return newest + 1 if not self.turned and asked <= newest < microseconds(now + AHEAD) else asked

    def _up_to_date(self, model: Model) -> bool:
        """Bring the tiles a model reads up to the log; False where that takes longer than a request may wait, or cannot be done now."""
        states = self._states.get(model.name, ())
        if not states:
            return True
        if self._folding is not None and self._folding.is_alive():
            return False
        try:
            behind = self._behind(states)
            if sum(behind.values()) > FEW:
                self._folding = threading.Thread(target=self._fold_beside, args=(states,), daemon=True, name="tiles")
                self._folding.start()
                return False
            if behind:
                self.fold(states)
        except sqlite3.DatabaseError as error:
            self._lost(error)
            return False
        return True

    def _behind(self, states: Sequence[online.State]) -> dict[str, int]:
        """How many rows of each source the tiles have not taken in yet."""
        with self._writing_lock:
            self._writer = self._writer or self._kept()
        marks: dict[str, int] = {}
        with self._reading() as tiles:
            for state in states:
                name, seq = state.source.name, tiles.mark(state).seq
                marks[name] = min(seq, marks.get(name, seq))
        behind = {name: self.lake.log.counters(name).last_seq - seq for name, seq in marks.items()}
        return {name: rows for name, rows in behind.items() if rows > 0}

    def fold(self, states: Sequence[online.State] = ()) -> None:
        """Take in what the log has beyond the tiles, source by source; twice, or by two processes at once, is once."""
        wanted = {state.source.name: state.source.base for state in states or self._all}
        for name, source in wanted.items():
            # Of a source all states are folded together: one that lagged behind would miss what the others have taken in.
            mine = [state for state in self._all if state.source.name == name]
            with self._writing() as tiles:
                seqs = {tiles.mark(state).seq for state in mine}
                last = self.lake.log.counters(name).last_seq
                if min(seqs) >= last:
                    continue
                newer = self._after(source, min(seqs), last) if len(seqs) == 1 and min(seqs) > 0 else None
                if newer is not None and newer.num_rows <= FEW:
                    tiles.fold(name, newer)
                else:
                    tiles.build(mine, read_source(self.lake, source))

    def _fold_beside(self, states: Sequence[online.State]) -> None:
        # Where another process folds, or the log cannot be read now, the next request tries again; nobody's answer depends on it.
        with suppress(sqlite3.DatabaseError, EverloopError):
            self.fold(states)

    def _in_tiles(self, model: Model, units: Sequence[str]) -> list[str]:
        keyed = [state for state in self._states.get(model.name, ()) if state.keys == model.unit]
        if not keyed:
            return []
        with self._reading() as tiles:
            return [unit for unit in units if any(tiles.read(state, [unit], None, None)[0].rows for state in keyed)]

    def _lost(self, error: sqlite3.DatabaseError) -> None:
        """Tiles that cannot be read are thrown away and folded anew; a full disk or a busy file is waited out, answers come from tables."""
        if isinstance(error, sqlite3.OperationalError):
            return
        self.close()
        for name in (self._file, self._file.with_name(f"{self._file.name}-wal"), self._file.with_name(f"{self._file.name}-shm")):
            name.unlink(missing_ok=True)

    def _kept(self) -> _Open:
        opened = self._opened()
        opened.tiles.keep(self._all)
        return opened

    def _opened(self) -> _Open:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        write_ahead(connection, BUSY_SECONDS)
        # What the power takes away is folded again from the log.
        connection.execute("PRAGMA synchronous = NORMAL")
        return _Open(connection, Tiles(connection))

    @contextmanager
    def _reading(self) -> Iterator[Tiles]:
        """The tiles at one moment: what others fold meanwhile is not seen."""
        with self._pool_lock:
            opened = self._free.pop() if self._free else None
        opened = opened or self._opened()
        try:
            with _transaction(opened.connection, "BEGIN"):
                yield opened.tiles
        except sqlite3.DatabaseError:
            opened.connection.close()
            raise
        except BaseException:
            self._give_back(opened)
            raise
        self._give_back(opened)

    def _give_back(self, opened: _Open) -> None:
        with self._pool_lock:
            self._free.append(opened)

    @contextmanager
    def _writing(self) -> Iterator[Tiles]:
        with self._writing_lock:
            opened = self._writer = self._writer or self._kept()
            with _transaction(opened.connection, "BEGIN IMMEDIATE"):
                yield opened.tiles


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def readings_of(model: Model) -> tuple[AnyReading, ...]:
    """What an answer of a model is made from: what it knows, and the past its baseline answers by."""
    past = baseline_of(model)
    return model.knows if past is None else (*model.knows, past)


def baseline_of(model: Model) -> Reading | Arithmetic | None:
    """The reading a baseline answers by, where it is one."""
    past = model.baseline_reading
    return past if isinstance(past, Reading | Arithmetic) else None


def _in_tables(model: Model, units: Sequence[str], tables: Mapping[str, pa.Table]) -> Iterator[str]:
    wanted = pa.array(units, pa.string())
    found: dict[str, None] = {}
    for events in tables.values():
        if set(model.unit) <= set(events.column_names) and len(events):
            there = unit_text(events, model.unit)
            found |= dict.fromkeys(pc.unique(there.filter(pc.is_in(there, value_set=wanted))).to_pylist())
    yield from (unit for unit in units if unit in found)
