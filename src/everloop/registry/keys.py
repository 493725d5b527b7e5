"""API keys at rest: who may ask this house what, as a digest of a secret that nobody here knows. Instants are arguments.

Two keys in use never have the same name; a name is free again when its key is revoked. Makes no secrets and checks none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Float, Row, Table, Text, select

from everloop.clock import from_microseconds, microseconds
from everloop.errors import EverloopError, Unknown
from everloop.registry.store import Store
from everloop.sql.schema import METADATA

SCOPES = ("predict", "ingest", "operate", "look")
SLOWEST, FASTEST = 0.001, 1_000_000
"""Requests a second that may be said of a key."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

KEYS = Table(
    "keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("per_second", Float),
)


@dataclass(frozen=True)
class KeptKey:
    """One key as it is kept: ``digest`` is what its secret hashes to, ``per_second`` how many requests a second each worker takes from
    it (None: as many as come)."""

    id: str
    name: str
    scopes: tuple[str, ...]
    digest: str
    made_at: datetime
    revoked_at: datetime | None = None
    per_second: float | None = None

    @property
    def revoked(self) -> bool:
        return self.revoked_at is not None

    def __repr__(self) -> str:
        return f"KeptKey({self.id!r}, {self.name!r}, {self.scopes!r}{', revoked' if self.revoked else ''})"


@dataclass(frozen=True)
class ApiKeys:
    """The keys of one house."""

    store: Store

    def add(
        self,
        connection: Connection,
        id: str,
        name: str,
        scopes: Sequence[str],
        digest: str,
        *,
        now: datetime,
        per_second: float | None = None,
    ) -> KeptKey:
        """Keep a key. Raises EverloopError for a name in use or that is none, for scopes there are not, and for a rate that is none."""
        scopes, made_at = checked(name, scopes, per_second), microseconds(now)
        if connection.execute(select(KEYS.c.id).where(KEYS.c.name == name, KEYS.c.revoked_at.is_(None))).first():
            raise EverloopError(f"A key named {name} is in use. Take another name, or revoke that one first: everloop key revoke {name}")
        if connection.execute(select(KEYS.c.id).where((KEYS.c.id == id) | (KEYS.c.id == name) | (KEYS.c.name == id))).first():
            raise EverloopError(f"There is a key {id} already. Nothing was kept; ask for another one.")
        row = {"id": id, "name": name, "scopes": ",".join(scopes), "digest": digest, "made_at": made_at, "per_second": per_second}
        connection.execute(KEYS.insert().values(row))
        return KeptKey(id, name, scopes, digest, now, per_second=per_second)

    def revoke(self, connection: Connection, id_or_name: str, *, now: datetime) -> KeptKey:
        """End a key, by its id or the name it is in use under; the first time counts. Raises Unknown."""
        named = (KEYS.c.name == id_or_name) & KEYS.c.revoked_at.is_(None)
        row = connection.execute(select(KEYS).where((KEYS.c.id == id_or_name) | named)).first()
        row = row or connection.execute(select(KEYS).where(KEYS.c.name == id_or_name).order_by(KEYS.c.revoked_at.desc())).first()
        if row is None:
            names = [key.name for key in self.all(within=connection) if not key.revoked]
            raise Unknown("key", id_or_name, names, next="See them: everloop key list")
        connection.execute(KEYS.update().where(KEYS.c.id == row.id, KEYS.c.revoked_at.is_(None)).values(revoked_at=microseconds(now)))
        return _key(connection.execute(select(KEYS).where(KEYS.c.id == row.id)).one())

    def all(self, *, within: Connection | None = None) -> list[KeptKey]:
        """Every key there ever was, oldest first; revoked ones too."""
        with self.store.reading(within) as connection:
            return [_key(row) for row in connection.execute(select(KEYS).order_by(KEYS.c.made_at, KEYS.c.id))]


def checked(name: str, scopes: Sequence[str], per_second: float | None = None) -> tuple[str, ...]:
    """The scopes, each once and in their own order, where they, the name and the rate may be a key's.

    >>> checked("till-3", ["ingest", "predict", "ingest"])
    ('predict', 'ingest')

    Raises EverloopError.
    """
    if not _NAME.fullmatch(name):
        raise EverloopError(f"{name!r} is no name for a key. Say up to 64 letters, digits, dots, dashes or underscores, such as till-3.")
    if per_second is not None and not SLOWEST <= per_second <= FASTEST:
        raise EverloopError(f"{per_second:g} requests a second is no rate. Say {SLOWEST:g} to {FASTEST:,}, or nothing: as many as come.")
    strange = [scope for scope in scopes if scope not in SCOPES]
    if isinstance(scopes, str) or strange or not scopes:
        said = f"{', '.join(map(repr, strange))} may not be said of a key. " if strange else "A key needs to be for something. "
        raise EverloopError(said + f"There is {', '.join(SCOPES)}.")
    return tuple(scope for scope in SCOPES if scope in scopes)


def _key(row: Row[Any]) -> KeptKey:
    revoked = None if row.revoked_at is None else from_microseconds(row.revoked_at)
    return KeptKey(row.id, row.name, tuple(row.scopes.split(",")), row.digest, from_microseconds(row.made_at), revoked, row.per_second)
