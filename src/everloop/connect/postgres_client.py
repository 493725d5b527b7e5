"""Connections to one Postgres database, taken and given back. Imports psycopg, here only, when asked to.

In: a URL. Out: connections that nobody else uses meanwhile; what a server cannot do as one of our errors. Absent: tables.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from everloop.clock import monotonic
from everloop.errors import EverloopError, Missing, SettingsError, StoreError
from everloop.sql.trouble import postgres_trouble

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")
#: A server that has gone is noticed within these seconds, whoever waits for it: neither end of a cut line hears of it by itself.
LIMITS: Final = {
    "connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000,
    "client_encoding": "utf8", "application_name": "everloop",
}  # fmt: skip
#: What is read and written here is found by its whole key. A plan made while a table was empty must not be kept when it is no longer so.
KEYED: Final = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off"
#: Who has waited for a lock sees what was committed meanwhile, however the database is set.
FRESH: Final = "SET default_transaction_isolation = 'read committed'"
#: And the server lets go of what a machine held that has gone, within half a minute.
NOTICED: Final = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
FREE: Final = 8
#: Who has waited for so many seconds for a server that did not come keeps others from waiting for it for so many.
SLOW, AGAIN = 0.5, 2.0
IDLE: Final = 0  # what libpq says of a connection without a transaction
_OF_PARENTS: list[Connection] = []


class Lines:
    """The connections of one process to one database, made when needed. Safe between threads; after a fork the child makes its own.

    >>> Lines("postgresql://shop:hush@127.0.0.1/house")
    Lines('postgresql://shop@127.0.0.1/house')

    Raises SettingsError for what is no URL of a Postgres server; Missing without psycopg.
    """

    def __init__(self, url: str, *, setup: str = "") -> None:
        """``setup``: what every connection is told when it is made, as SQL."""
        self._said, self._setup = parsed(url), "; ".join(filter(None, (KEYED, FRESH, NOTICED, setup)))
        self.where = where(self._said)
        self._lock = threading.Lock()
        self._free: list[tuple[int, Connection]] = []
        self._waits = (0.0, "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.where!r})"

    @contextmanager
    def taken(self) -> Iterator[Connection]:
        """A connection in autocommit. What goes wrong with the server inside comes out as StoreError, HouseBusy or HouseFull; a transaction
        that is left open is undone."""
        with self.told():
            connection = self._next()
            try:
                yield connection
            finally:
                self._give_back(connection)

    @contextmanager
    def told(self) -> Iterator[None]:
        """What psycopg raises, in our words. What it quotes of rows is left out."""
        try:
            yield
        except EverloopError:
            raise
        except Exception as error:
            if not _is_trouble(error):
                raise
            raise postgres_trouble(self.where, getattr(error, "sqlstate", None), str(error)) from None

    def close(self) -> None:
        """Close the connections nobody uses; the others stay with who has them."""
        with self._lock:
            free, self._free = self._free, []
        for pid, connection in free:
            _let_go(pid, connection)

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()

    def _next(self) -> Connection:
        while True:
            with self._lock:
                if not self._free:
                    break
                pid, connection = self._free.pop()
            if pid != os.getpid():
                _OF_PARENTS.append(connection)  # closing it here would end the parent's
            elif _stands(connection):
                return connection
            else:
                _let_go(pid, connection)
        return self._made()

    def _made(self) -> Connection:
        said: dict[str, Any] = {**LIMITS, **self._said}
        began = monotonic()
        if began < self._waits[0]:
            raise postgres_trouble(self.where, None, self._waits[1])
        try:
            connection = _kind().connect(**said, autocommit=True)
        except Exception as error:
            # A server that does not even refuse is asked by one at a time: the others would wait as long, one after another.
            if monotonic() - began > SLOW:
                self._waits = (monotonic() + AGAIN, str(error))
            raise
        connection.execute(self._setup.encode())
        return connection

    def _give_back(self, connection: Connection) -> None:
        if not connection.closed and connection.pgconn.transaction_status != IDLE:
            with suppress(Exception):  # it is of no more use then, and is seen to be
                connection.execute("ROLLBACK")
        with self._lock:
            if not connection.closed and connection.pgconn.transaction_status == IDLE and len(self._free) < FREE:
                self._free.append((os.getpid(), connection))
                return
        _let_go(os.getpid(), connection)


def parsed(url: str) -> dict[str, Any]:
    """What a URL says, by the words of libpq. Raises SettingsError without repeating it: it may hold a password."""
    try:
        from psycopg import Error
        from psycopg.conninfo import conninfo_to_dict
    except ModuleNotFoundError:
        raise Missing("psycopg", "postgres", "An event log on Postgres") from None
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] not in ("postgres", "postgresql") or not rest:
        raise SettingsError('This is no URL of Postgres. Say events = "postgresql://user:${PG_PASSWORD}@host/house".')
    try:
        return dict(conninfo_to_dict(f"postgresql://{rest}"))
    except Error:
        raise SettingsError(
            "The URL of Postgres cannot be read. Write postgresql://user:password@host:port/database, with what is special in a password "
            "percent-encoded (an @ as %40)."
        ) from None


def where(said: dict[str, Any]) -> str:
    """Where a URL leads, without a password."""
    host, user = str(said.get("host", "localhost")), said.get("user")
    at = f"{user}@" if user else ""
    port = f":{said['port']}" if "port" in said else ""
    database = said.get("dbname", "")
    return f"postgresql://{at}/{database}?host={host}" if host.startswith("/") else f"postgresql://{at}{host}{port}/{database}"


@cache
def _kind() -> type[Connection]:
    from psycopg import Connection

    class Kept(Connection):
        """A connection that is kept for who comes next, and so ends with its process: that is no mistake to warn of."""

        def __del__(self, *_: Any) -> None:
            pass

    return Kept


def _stands(connection: Connection) -> bool:
    """Whether a connection nobody uses still leads to a server: one that was cut has something to read, if only the end."""
    if connection.closed:
        return False
    readable, _, _ = select.select([connection.fileno()], [], [], 0)
    return not readable


def _let_go(pid: int, connection: Connection) -> None:
    if pid != os.getpid():
        _OF_PARENTS.append(connection)
        return
    with suppress(Exception):
        connection.close()


def _is_trouble(error: Exception) -> bool:
    return any(kind.__module__.partition(".")[0] == "psycopg" for kind in type(error).__mro__)


# -- words of the protocol -------------------------------------------------------------------------------------------------------------


def committed(connection: Connection) -> None:
    """Commit. Raises StoreError where the server undid it instead: something in it had failed."""
    if connection.execute("COMMIT").statusmessage != "COMMIT":
        raise StoreError("Postgres undid a transaction in which something had failed. Nothing of it was kept; run it again.")


def last_row(cursor: Any) -> tuple[Any, ...] | None:
    """The row of the last of several statements."""
    while cursor.nextset():
        pass
    row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def batches(things: Iterable[T], many: int) -> Iterator[list[T]]:
    """Pieces of so many at most.

    >>> list(batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(things)
    while some := list(islice(rest, many)):
        yield some


# Arrays are written as Postgres reads them: a tenth of what the driver takes for it, item by item.


def longs(numbers: Iterable[int]) -> str:
    """Whole numbers as an array.

    >>> longs([1, -2])
    '{1,-2}'
    """
    return f"{{{','.join(map(str, numbers))}}}"


def flags(said: Iterable[bool]) -> str:
    """Yes and no as an array.

    >>> flags([True, False])
    '{t,f}'
    """
    return f"{{{','.join('t' if one else 'f' for one in said)}}}"


def bodies(several: Iterable[bytes]) -> str:
    r"""Bytes as an array.

    >>> bodies([b"l1", b""])
    '{"\\\\x6c31","\\\\x"}'
    """
    return "{" + ",".join([f'"\\\\x{body.hex()}"' for body in several]) + "}"


def words(several: Iterable[str]) -> str:
    """Texts as an array of their UTF-8 bytes. Raises UnicodeEncodeError for what is no text."""
    return bodies([word.encode() for word in several])
