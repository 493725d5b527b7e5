"""The tables of an event log on Postgres, and of the online state beside it: made once, under a lock, in a schema of their own.

In: a connection. Out: the tables are there, in the form this release reads. What users say is kept as bytes of UTF-8: so any text can be,
with a zero byte, too; it is ordered by its bytes whatever the database's collation, and no statistics hold a copy of somebody's key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everloop.errors import StoreError

if TYPE_CHECKING:
    from psycopg import Connection

SCHEMA: Final = "everloop_events"
FORMAT: Final = 1
#: The first half of the keys of advisory locks: making the tables, an arrival in a source, folding, being the only one at something.
MAKING, ARRIVING, FOLDING, ALONE = 0x0E7E_2000, 0x0E7E_2001, 0x0E7E_2002, 0x0E7E_2003
EVENTS: Final = ("hot", "files", "versions", "deliveries", "sources")
ONLINE: Final = ("online_packed", "online_rows", "online_members", "online_states")

_TABLES: Final = f"""
SET LOCAL search_path = {SCHEMA};
CREATE TABLE house (one boolean PRIMARY KEY DEFAULT true CHECK (one), format integer NOT NULL, went bigint NOT NULL, id text NOT NULL);
CREATE TABLE sources (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name bytea NOT NULL UNIQUE, last_seq bigint NOT NULL,
    last_known bigint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE versions (
    source integer NOT NULL, id bytea NOT NULL, version bigint NOT NULL, known_at bigint NOT NULL, digest bigint NOT NULL,
    PRIMARY KEY (source, id, version)
);
CREATE TABLE hot (
    source integer NOT NULL, seq bigint NOT NULL, id bytea NOT NULL, version bigint NOT NULL, event_at bigint NOT NULL,
    known_at bigint NOT NULL, deleted boolean NOT NULL, said bytea NOT NULL, PRIMARY KEY (source, seq)
);
CREATE TABLE files (
    source integer NOT NULL, first_seq bigint NOT NULL, last_seq bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY (source, first_seq)
);
CREATE TABLE deliveries (source integer NOT NULL, number bigint NOT NULL, said bytea NOT NULL, PRIMARY KEY (source, number));
CREATE TABLE online_states (state bytea PRIMARY KEY, seq bigint NOT NULL, known_at bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE online_packed (state bytea NOT NULL, key bytea NOT NULL, seq bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY (state, key));
CREATE TABLE online_rows (state bytea NOT NULL, id bytea NOT NULL, seq bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY (state, id));
CREATE TABLE online_members (
    state bytea NOT NULL, key bytea NOT NULL, event_at bigint NOT NULL, id bytea NOT NULL, PRIMARY KEY (state, key, event_at, id)
);
ALTER TABLE files ALTER COLUMN body SET STORAGE EXTERNAL;
"""
#: Of these the server keeps no samples for its planner.
_UNSAMPLED: Final = {
    "versions": ("id",), "hot": ("id", "said"), "deliveries": ("said",), "files": ("body",), "online_packed": ("key", "body"),
    "online_rows": ("id", "body"), "online_members": ("key", "id"),
}  # fmt: skip


def make(connection: Connection) -> None:
    """See to it that the tables are there. Raises StoreError for those of a newer release, psycopg's own errors for what cannot be done."""
    if _format(connection) != FORMAT:
        with connection.transaction():
            connection.execute(f"SELECT pg_advisory_xact_lock({MAKING}, 0)".encode())
            if _format(connection) is None:
                if not _there(connection, f"pg_namespace WHERE nspname = '{SCHEMA}'"):
                    connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
                connection.execute(_TABLES.encode())
                for table, columns in _UNSAMPLED.items():
                    for column in columns:
                        connection.execute(f"ALTER TABLE {SCHEMA}.{table} ALTER COLUMN {column} SET STATISTICS 0".encode())
                connection.execute(f"INSERT INTO {SCHEMA}.house VALUES (true, {FORMAT}, 0, gen_random_uuid()::text)".encode())
    found = _format(connection)
    if found != FORMAT:
        raise StoreError(f"The events at {SCHEMA} were written by a newer Everloop (format {found}). Upgrade: pip install -U everloop")


def _format(connection: Connection) -> int | None:
    if not _there(connection, f"pg_namespace AS n, pg_class AS c WHERE n.nspname = '{SCHEMA}' AND c.relnamespace = n.oid"):
        return None
    found = connection.execute(f"SELECT format FROM {SCHEMA}.house".encode()).fetchone()
    return None if found is None else int(found[0])


def _there(connection: Connection, what: str) -> bool:
    # Asked of the catalogue itself: functions such as to_regclass may answer from before the lock was taken.
    found = connection.execute(f"SELECT EXISTS (SELECT FROM {what})".encode()).fetchone()
    return found is not None and bool(found[0])


def owner(connection: Connection) -> str | None:
    """The mark of the house the log belongs to; None: nobody's yet."""
    table = f"pg_namespace AS n, pg_class AS c WHERE n.nspname = '{SCHEMA}' AND c.relnamespace = n.oid AND c.relname = 'owner'"
    if not _there(connection, table):
        return None
    found = connection.execute(f"SELECT mark FROM {SCHEMA}.owner".encode()).fetchone()
    return None if found is None else str(found[0])


def owned_by(connection: Connection, mark: str, instead: bool) -> str:
    """Let the log belong to a house, unless (or ``instead``) it belongs to one; returns whose it is then."""
    with connection.transaction():
        connection.execute(f"SELECT pg_advisory_xact_lock({MAKING}, 0)".encode())
        there = None if instead else owner(connection)
        if there is None:
            # Logs that were made before a log had an owner have no table for it.
            said = f"CREATE TABLE IF NOT EXISTS {SCHEMA}.owner (one boolean PRIMARY KEY DEFAULT true CHECK (one), mark text NOT NULL)"
            connection.execute(said.encode())
            keep = f"INSERT INTO {SCHEMA}.owner VALUES (true, %s) ON CONFLICT (one) DO UPDATE SET mark = excluded.mark"
            connection.execute(keep.encode(), (mark,))
    return there or mark
