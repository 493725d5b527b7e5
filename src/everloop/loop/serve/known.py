"""What is known of a unit at this moment, for answers on request. In: requests. Out: the feature table ``features.as_of.live`` would give.

Tiles tell most of it: they are folded as rows arrive (``loop.online``), and brought up to the event log before they are read where they lag
behind, so that what was acknowledged before is seen. What tiles cannot tell is read from the event tables, which are kept and read on from
where they end.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import from_microseconds, microseconds
from everloop.errors import EverloopError, StoreError, Unknown
from everloop.features.as_of import live
from everloop.features.fold import NEVER, Fold
from everloop.features.online import Online, has_rows
from everloop.features.plan import Status, Told
from everloop.features.questions import of_units, unit_text
from everloop.features.served import reach, up_to, with_as_of
from everloop.features.shortlist import Shortlists, allowed_by_tables, from_tables, shared_lists
from everloop.features.store import Changes, Mark, OnlineStore
from everloop.lake.place import Lake
from everloop.lake.shape import event_schema
from everloop.lake.snapshot import read_source
from everloop.loop.online import OnlineState, baseline_of, readings_of, states_kept
from everloop.loop.serve.listed import Shared
from everloop.project.model import Model
from everloop.project.reading import column_names
from everloop.project.source import Source

FEW = 20_000
"""So many rows are folded while a request waits; more are folded beside it, and the request is answered from the event tables."""
AT_A_TIME = 2_000
"""So many rows are folded while others wait to write."""
AHEAD = timedelta(seconds=1)
LEFT = 7 * 86_400_000_000
"""Microseconds. States of another project file that have not moved for so long are forgotten."""
CHUNKS, UNITS = 64, 100_000
_lines = logging.getLogger(__name__)
Statuses: TypeAlias = Mapping[str, Sequence[Status]]
Carts: TypeAlias = Sequence[Sequence[str]]
TROUBLE = (sqlite3.DatabaseError, EverloopError, msgspec.MsgspecError)


class Known:
    """What one process knows of a house's sources. Safe between threads; any number of processes may share what is kept.

    ``turned``: business time is said by requests, to the microsecond. Elsewhere a request that came while rows arrived is about the
    instant after the newest of them, which is when it is read.
    """

    def __init__(self, lake: Lake, models: Sequence[Model], state: OnlineState, *, turned: bool = False) -> None:
        self.lake, self.turned, self._state = lake, turned, state
        self._all = states_kept(models)
        self._online = {m.name: Online(m, readings_of(m), self._all) for m in models if m.kind != "ranking" and m.steps == 1}
        self._lists = {m.name: Shortlists(m, self._all) for m in models if m.kind == "ranking"}
        self._shared = {m.name: Shared(partial(self._shared_of, m), exactly=turned) for m in models if m.kind == "ranking"}
        self._folds = {name: Fold([s for s in self._all if s.source.name == name]) for name in {s.source.name for s in self._all}}
        self._tables_lock = threading.RLock()
        self._tables: dict[str, tuple[int, pa.Table]] = {}
        self._went = lake.log.went
        self._seen: dict[tuple[str, str], None] = {}
        self._folding: threading.Thread | None = None

    def features(self, model: Model, requests: pa.Table, now: datetime, carts: Carts = ()) -> pa.Table:
        """A row for each request (several for a list): question, moment, unit, the unit's columns, what the model knows, its baseline.
        What lies in a request's cart is no candidate of its list."""
        return self.looked_up(model, requests, now, carts)[0]

    def given(self, model: Model, request: Mapping[str, object], moment: int) -> dict[str, Told] | None:
        """As ``features``, of a request that says all of it itself, by column; None where something has to be read. ``request``: its values
        as ``asked.asked_by_key`` reads them; ``moment`` in microseconds UTC."""
        online = self._online.get(model.name)
        said = online.given(request, moment) if online is not None else None
        if said is None:
            return None
        return self._named(model, said)

    def _named(self, model: Model, said: Sequence[Told]) -> dict[str, Told]:
        found = dict(zip(model.columns, said, strict=False))
        return found if baseline_of(model) is None else found | {"baseline": said[-1]}

    def one(self, model: Model, request: Mapping[str, object], now: datetime) -> tuple[dict[str, Told], dict[str, int], int] | None:
        """As ``features``, of one request by what is kept of its keys: values by column, how far each source was read, and the moment they
        are about, microseconds UTC; None where the event tables have to be read. ``request``: as for ``given``, with its unit."""
        online = self._online.get(model.name)
        if online is None or not self._up_to_date(model):
            return None
        try:
            with self._state.reading() as tiles:
                moment = self._moment(_marks(tiles, online.plan.states), now)
                said = online.read(tiles, [request], moment)
        except (sqlite3.DatabaseError, EverloopError, msgspec.MsgspecError):
            return None  # also where a value is told by no state: ``looked_up`` says what is to be said of it
        return self._named(model, said.values[0]), {source: mark.seq for source, mark in said.as_of.items()}, moment

    def looked_up(self, model: Model, requests: pa.Table, now: datetime, carts: Carts = ()) -> tuple[pa.Table, Statuses]:
        """As ``features``, and by column whether a value is present, missing or expired; without where the event tables were read."""
        if model.steps == 1 and self._up_to_date(model):  # tiles tell one window of a reading, not one for each step
            try:
                if model.kind != "ranking":
                    return self._from_tiles(model, requests, now)
                with suppress(Unknown):  # of a moment that is over, tiles tell nothing
                    return self._lists_from_tiles(model, requests, now, carts), {}
            except (sqlite3.DatabaseError, StoreError) as error:
                _lines.warning("The online state cannot be read, so the event tables are: %s", error)
            except msgspec.MsgspecError:
                self._made_anew(model)
        tables = self.tables(model)
        if model.kind == "ranking":
            return with_as_of(from_tables(model, tables, requests, microseconds(now), carts), reach(tables)), {}
        return live(model, tables, moment=now, units=requests), {}

    def _from_tiles(self, model: Model, requests: pa.Table, now: datetime) -> tuple[pa.Table, Statuses]:
        online = self._online[model.name]
        with self._state.reading() as tiles:
            kept, read = _marks(tiles, online.plan.states), dict[str, pa.Table]()
            moment = self._moment(kept, now)
            asked = of_units(model, requests, from_microseconds(moment))
            marks = {piece.state.source.name: kept[piece.state.id].seq for piece in online.plan.pieces}

            def tables() -> dict[str, pa.Table]:
                # What tiles cannot tell is read as far as the tiles are, so that one answer has one reading of each source.
                read.update(up_to(self.tables(model), marks))
                return read

            found = online.now(tiles, asked, moment, tables=tables)
        table = asked.select(["question", "moment"]).append_column("unit", unit_text(asked, model.unit))
        for column in model.unit:
            table = table.append_column(column, asked[column])
        for name in (name for reading in model.knows for name in column_names(reading)):
            table = table.append_column(name, found.columns[name])
        past = baseline_of(model)
        table = table if past is None else table.append_column("baseline", found.columns[past.name])
        return with_as_of(table, reach(read) | dict(found.as_of)), found.statuses

    def _lists_from_tiles(self, model: Model, requests: pa.Table, now: datetime, carts: Carts) -> pa.Table:
        lists = self._lists[model.name]
        with self._state.reading() as tiles:
            kept = _marks(tiles, [state for state, _, _ in lists.pieces])
            moment = self._moment(kept, now)
            shared = self._shared[model.name].now(moment, max((mark.seq for mark in kept.values()), default=0))
            table, as_of = lists.now(tiles, requests, moment, shared, carts)
        last = {source.name: self.lake.log.counters(source.name).last_seq for source in model.sources if source.name not in as_of}
        return with_as_of(table, last | {source: mark.seq for source, mark in as_of.items()})

    def _shared_of(self, model: Model, moment: int) -> list[list[str]]:
        return shared_lists(model, self.tables(model), moment)

    def allowed(self, model: Model, items: Sequence[str], now: datetime) -> list[str]:
        """Those items that may be listed at all: the conditions of ``among`` on a candidate hold. For lists only."""
        lists = self._lists[model.name]
        if not lists.has_rules:
            return list(items)
        if self._up_to_date(model):
            with suppress(sqlite3.DatabaseError, EverloopError, msgspec.MsgspecError), self._state.reading() as tiles:
                kept = _marks(tiles, [state for state, _, _ in lists.pieces])
                return lists.among(tiles, items, self._moment(kept, now))
        return allowed_by_tables(model, self.tables(model), items, microseconds(now))

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
        """Let go of what is kept."""
        if self._folding is not None and self._folding is not threading.current_thread():
            self._folding.join()
        self._state.close()

    # -- event tables --

    def _table(self, source: Source) -> pa.Table:
        with self._tables_lock:
            self.let_go()
            last = self.lake.log.counters(source.name).last_seq
            kept = self._tables.get(source.name)
            if kept is None or kept[0] < last:
                newer = None if kept is None else self._after(source, kept[0], last)
                rows = read_source(self.lake, source) if kept is None or newer is None else pa.concat_tables([kept[1], newer])
                if rows.column(0).num_chunks > CHUNKS:
                    rows = rows.combine_chunks()
                # What was erased at the end leaves a gap there; nothing is missing for that.
                kept = self._tables[source.name] = (max(last, int(rows["seq"][-1].as_py()) if rows.num_rows else 0), rows)
            return kept[1]

    def let_go(self) -> None:
        """Remember nothing that was read before somebody was erased."""
        with self._tables_lock:
            if (went := self.lake.log.went) != self._went:
                self._went = went
                self._tables.clear()
                self._seen.clear()

    def _after(self, source: Source, seq: int, last: int) -> pa.Table | None:
        """The rows after ``seq`` through ``last`` at least; None where some of them are no longer in the log."""
        schema = event_schema(source)
        rows = pa.concat_tables([schema.empty_table(), *self.lake.log.unsealed(source.name, schema, after=seq)])
        through = seq + rows.num_rows
        return rows if rows.num_rows and through >= last and rows["seq"][-1].as_py() == through else None

    # -- tiles --

    def _moment(self, marks: Mapping[str, Mark], now: datetime) -> int:
        asked = microseconds(now)
        newest = max((mark.known_at for mark in marks.values()), default=asked - 1)
        return newest + 1 if not self.turned and asked <= newest < microseconds(now + AHEAD) else asked

    def _up_to_date(self, model: Model) -> bool:
        """Bring the tiles a model reads up to the log; False where that takes longer than a request may wait, or cannot be done now."""
        names = dict.fromkeys(source for _, source, _ in self._pieces(model))
        if model.kind == "ranking" and not self._lists[model.name].able:
            return False
        if self._folding is not None and self._folding.is_alive():
            return not names
        try:
            behind = sum(self._behind(name) for name in names)
            if behind > FEW:
                self._folding = threading.Thread(target=self._fold_beside, args=(tuple(names),), daemon=True, name="tiles")
                self._folding.start()
                return False
            if behind:
                self.fold(*names)
        except TROUBLE:
            return False
        return True

    def _pieces(self, model: Model) -> list[tuple[str, str, tuple[str, ...]]]:
        """The states a model reads: their ids, the names of their sources, and their keys."""
        if model.name in self._lists:
            return self._lists[model.name].pieces
        online = self._online.get(model.name)
        return [(p.state.id, p.state.source.name, p.state.keys) for p in online.plan.pieces] if online is not None else []

    def _behind(self, source: str) -> int:
        """How many rows of a source its states have not taken in yet; states nobody has made have not taken in any."""
        mine = [state.id for state in self._folds[source].states]
        with self._state.reading() as tiles:
            marks = _marks(tiles, mine).values()
        return max(0, self.lake.log.counters(source).last_seq - min(mark.seq for mark in marks))

    def fold(self, *sources: str) -> None:
        """Take in what the log has beyond the tiles, source by source (none named: all); twice, or by two processes at once, is once.

        Raises sqlite3.DatabaseError and EverloopError where somebody else is at it, or where the store cannot do it now.
        """
        for name in sources or self._folds:
            while self._behind(name):
                self._step(name)

    def _step(self, name: str) -> None:
        """Fold the next rows of a source; where that is not possible, or where they are many, make its states anew."""
        fold = self._folds[name]
        source = fold.states[0].source.base
        with self._state.writing() as tiles:
            # What is not there yet cannot arrive meanwhile where the store lies beside the log, and does no harm where it does not.
            marks, last = _marks(tiles, [state.id for state in fold.states]).values(), self.lake.log.counters(name).last_seq
            least, most = min(mark.seq for mark in marks), max(mark.seq for mark in marks)
            if least >= last:
                return
            newer = self._after(source, least, last) if least >= 0 and last - least <= FEW and most - least <= FEW else None
            if newer is not None and not fold.take_in(tiles, newer.slice(0, AT_A_TIME)):
                return
        self._make(name, source)

    def _make(self, name: str, source: Source) -> None:
        """Make the states of a source from its whole event table, and forget those that no process has moved for long."""
        with self._state.writing() as tiles:
            kept, mine = tiles.marks(), {state.id for state in self._all}
            newest = max((mark.known_at for mark in kept.values()), default=NEVER)
            left = [id for id, mark in kept.items() if id not in mine and mark.known_at < newest - LEFT]
            tiles.forget(left)
        last, rows = self.lake.log.counters(name).last_seq, read_source(self.lake, source)
        self._state.make(self._folds[name].states, rows)
        if (rows["seq"][-1].as_py() if rows.num_rows else 0) < last:
            # The newest rows were erased: there is nothing left to take in of them.
            with self._state.writing() as tiles:
                marks = tiles.marks()
                tiles.put(Changes(marks={s.id: Mark(last, marks[s.id].known_at) for s in self._folds[name].states if s.id in marks}))

    def _in_tiles(self, model: Model, units: Sequence[str]) -> list[str]:
        names = [state for state, _, keys in self._pieces(model) if keys == model.unit]
        if not names:
            return []
        with self._state.reading() as tiles:
            return [unit for unit in units if any(map(has_rows, tiles.read((), [(name, unit) for name in names]).packed))]

    def _made_anew(self, model: Model) -> None:
        """What is kept for a model cannot be understood: it goes, and is folded again."""
        with suppress(*TROUBLE), self._state.writing() as tiles:
            tiles.forget([state for state, _, _ in self._pieces(model)])

    def _fold_beside(self, sources: Sequence[str]) -> None:
        # Where another process folds, or the log cannot be read now, the next request tries again; nobody's answer depends on it.
        with suppress(*TROUBLE):
            self.fold(*sources)


def _marks(store: OnlineStore, states: Sequence[str]) -> dict[str, Mark]:
    """How far each state has come; one that was never made has come nowhere."""
    return {state: mark or Mark(-1, NEVER) for state, mark in zip(states, store.read(states, ()).marks, strict=True)}


def _in_tables(model: Model, units: Sequence[str], tables: Mapping[str, pa.Table]) -> Iterator[str]:
    wanted = pa.array(units, pa.string())
    found: dict[str, None] = {}
    for events in tables.values():
        if set(model.unit) <= set(events.column_names) and len(events):
            there = unit_text(events, model.unit)
            found |= dict.fromkeys(pc.unique(there.filter(pc.is_in(there, value_set=wanted))).to_pylist())
    yield from (unit for unit in units if unit in found)
