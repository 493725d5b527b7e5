"""Tiles on Postgres: the online state beside the events it is a fold of, so that rows and tiles are one transaction.

In and out: bytes with their sequence numbers, as ``OnlineStore`` says. Absent: what the bytes mean, who waits for whom, clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from everloop.connect.postgres_client import IDLE, bodies, committed, longs, words
from everloop.connect.postgres_tables import ONLINE, SCHEMA
from everloop.features.store import Changes, Mark, Members, Packed, Seen

if TYPE_CHECKING:
    from psycopg import Connection

_PLACES: Final = "unnest(%s::bytea[], %s::bytea[], %s::bigint[], %s::bytea[])"
_SEEN: Final = f"""
SELECT a.at, s.seq, s.known_at, NULL::bytea FROM unnest(%s::bytea[]) WITH ORDINALITY AS a (state, at)
LEFT JOIN {SCHEMA}.online_states AS s ON s.state = a.state
UNION ALL
SELECT -b.at, NULL, NULL, p.body FROM unnest(%s::bytea[], %s::bytea[]) WITH ORDINALITY AS b (state, key, at)
LEFT JOIN {SCHEMA}.online_packed AS p ON p.state = b.state AND p.key = b.key""".encode()
_PUT: Final = f"""
INSERT INTO {SCHEMA}.online_packed AS t SELECT * FROM {_PLACES}
ON CONFLICT (state, key) DO UPDATE SET seq = excluded.seq, body = excluded.body WHERE excluded.seq > t.seq
RETURNING t.state, t.key""".encode()
_PUT_ROWS: Final = f"""
INSERT INTO {SCHEMA}.online_rows AS t SELECT * FROM {_PLACES}
ON CONFLICT (state, id) DO UPDATE SET seq = excluded.seq, body = excluded.body WHERE excluded.seq > t.seq""".encode()
_PUT_MARKS: Final = f"""
INSERT INTO {SCHEMA}.online_states AS t SELECT * FROM unnest(%s::bytea[], %s::bigint[], %s::bigint[])
ON CONFLICT (state) DO UPDATE SET seq = greatest(t.seq, excluded.seq), known_at = greatest(t.known_at, excluded.known_at)""".encode()
_MEMBERS: Final = "unnest(%s::bytea[], %s::bytea[], %s::bigint[], %s::bytea[]) AS g (state, key, event_at, id)"
_GAIN: Final = f"INSERT INTO {SCHEMA}.online_members SELECT * FROM {_MEMBERS} ON CONFLICT DO NOTHING".encode()
_LOSE: Final = f"""
DELETE FROM {SCHEMA}.online_members AS m USING {_MEMBERS}
WHERE m.state = g.state AND m.key = g.key AND m.event_at = g.event_at AND m.id = g.id""".encode()
_FADE: Final = f"""
DELETE FROM {SCHEMA}.online_members AS m USING unnest(%s::bytea[], %s::bytea[], %s::bigint[]) AS g (state, key, since)
WHERE m.state = g.state AND m.key = g.key AND m.event_at < g.since""".encode()
#: The edges of time as Postgres keeps it.
FIRST, LAST = -(2**63), 2**63 - 1


class PostgresTiles:
    """An ``OnlineStore`` over a connection whose log has made its tables. Where the connection is already in a transaction, it stays the
    caller's to commit; else every verb is a transaction of its own, and a kill leaves the state as it was before."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, states: Sequence[str], places: Sequence[tuple[str, str]]) -> Seen:
        """How far these states have come, and the packed rows of these (state, key), in the order asked for and as of one instant."""
        marks: list[Mark | None] = [None] * len(states)
        packed: list[bytes | None] = [None] * len(places)
        if states or places:
            asked = (words(states), words(state for state, _ in places), words(key for _, key in places))
            for at, seq, known_at, body in self._rows(_SEEN, asked):
                if at < 0:
                    packed[-at - 1] = body
                elif seq is not None:
                    marks[at - 1] = Mark(seq, known_at)
        return Seen(marks, packed)

    def marks(self) -> dict[str, Mark]:
        """Every state that is kept, and how far it has come."""
        found = self._rows(f"SELECT state, seq, known_at FROM {SCHEMA}.online_states".encode(), ())
        return {state.decode(): Mark(seq, known_at) for state, seq, known_at in found}

    def rows(self, state: str, ids: Sequence[str]) -> list[bytes | None]:
        """The row last folded of each id, deleted ones too."""
        asked = f"SELECT id, body FROM {SCHEMA}.online_rows WHERE state = %s AND id = ANY(%s::bytea[])".encode()
        there = dict(self._rows(asked, (state.encode(), words(ids)))) if ids else {}
        return [there.get(id.encode()) for id in ids]

    def members(self, state: str, key: str, start: int | None, stop: int | None, newest: int | None = None) -> list[str]:
        """The ids of a key's rows from ``start`` up to, not including, ``stop`` (None: no end), in order; of those the ``newest`` last."""
        ends = "" if stop is None else " AND event_at < %s"
        asked = (
            f"SELECT id FROM {SCHEMA}.online_members WHERE state = %s AND key = %s AND event_at >= %s{ends} "
            "ORDER BY event_at DESC, id DESC LIMIT %s"
        )
        edges = (FIRST if start is None else start, *(() if stop is None else (stop,)))
        found = self._rows(asked.encode(), (state.encode(), key.encode(), *edges, newest))
        return [id.decode() for (id,) in found][::-1]

    def put(self, changes: Changes) -> None:
        """Keep these; what is there already with a sequence number as high stays as it is. Marks never go back, and make a state kept."""
        with self._transaction():
            found = self._rows(_PUT, _placed(changes.packed)) if changes.packed else ()
            kept = {(state.decode(), key.decode()) for state, key in found}
            self._put_members([(p, members) for p, members in changes.members.items() if p in kept or p not in changes.packed])
            self._put_rest(changes.rows, changes.marks)

    def replace(self, states: Mapping[str, Mark], changes: Iterable[Changes]) -> None:
        """Make states anew: what they had goes, these come in its place, and at the end their marks."""
        with self._transaction():
            self.forget([*states])
            for some in changes:
                self.put(some)
            self._put_rest({}, states)

    def forget(self, states: Sequence[str]) -> None:
        """Keep these states no longer."""
        with self._transaction():
            for table in ONLINE:
                self._connection.execute(f"DELETE FROM {SCHEMA}.{table} WHERE state = ANY(%s::bytea[])".encode(), (words(states),))

    def _put_members(self, several: Sequence[tuple[tuple[str, str], Members]]) -> None:
        # In the order of their keys, so that of two who write at once none waits for the other in a ring.
        several = sorted(several, key=lambda one: one[0])
        for statement, some in (
            (_LOSE, [(*place, *member) for place, members in several for member in sorted(members.lost)]),
            (_GAIN, [(*place, *member) for place, members in several for member in sorted(members.gained)]),
        ):
            if some:
                states, keys, instants, ids = zip(*some, strict=True)
                self._connection.execute(statement, (words(states), words(keys), longs(instants), words(ids)))
        if faded := [(*place, members.since) for place, members in several if members.since is not None]:
            states, keys, since = zip(*faded, strict=True)
            self._connection.execute(_FADE, (words(states), words(keys), longs(since)))

    def _put_rest(self, rows: Mapping[tuple[str, str], Packed], marks: Mapping[str, Mark]) -> None:
        if rows:
            self._connection.execute(_PUT_ROWS, _placed(rows))
        if marks:
            found = sorted(marks.items())
            said = (longs(mark.seq for _, mark in found), longs(mark.known_at for _, mark in found))
            self._connection.execute(_PUT_MARKS, (words(state for state, _ in found), *said))

    def _rows(self, statement: bytes, said: Sequence[Any]) -> list[Any]:
        with self._connection.cursor(binary=True) as cursor:
            return cursor.execute(statement, said).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._connection.pgconn.transaction_status != IDLE:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            if not self._connection.closed:
                self._connection.execute("ROLLBACK")
            raise
        committed(self._connection)


def _placed(several: Mapping[tuple[str, str], Packed]) -> tuple[str, str, str, str]:
    """Packed rows by their place as four arrays, in the order of places: of two who write at once none waits for the other in a ring."""
    found = sorted(several.items())
    said = (longs(packed.seq for _, packed in found), bodies(packed.body for _, packed in found))
    return (words(place[0] for place, _ in found), words(place[1] for place, _ in found), *said)
