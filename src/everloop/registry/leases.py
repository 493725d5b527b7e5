"""Leases: who may do what only one may do (lead a house, turn a model by hand), until when. Wall time is an argument.

A process holds its leases under one name and renews them together. What a dead one held is given back; the ``fence`` counts takers, so
that a holder who slept through its end can be told apart from the one who holds it now.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Table, Text, select

from everloop.clock import from_microseconds, microseconds
from everloop.errors import Overtaken
from everloop.registry.store import Store
from everloop.sql.schema import METADATA

LEASES = Table(
    "leases",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("holder", Text),
    Column("until", BigInteger, nullable=False),
    Column("fence", Integer, nullable=False),
)
Index(None, LEASES.c.holder)


@dataclass(frozen=True)
class Lease:
    """The right to do one thing, held until an instant of wall time."""

    name: str
    holder: str
    until: datetime
    fence: int


@dataclass(frozen=True)
class Leases:
    """The leases of one house."""

    store: Store

    def seize(self, connection: Connection, name: str, holder: str, *, seen: Lease | None, now: datetime, lasts: timedelta) -> Lease:
        """Take a lease whatever its ``until`` says, if it still is as it was ``seen``: its holder is known to be dead.

        For who does not trust two machines' clocks: a lease that nobody renewed while one watched it for as long as it lasts is nobody's.
        Raises Overtaken where it was renewed, given back or taken in between.
        """
        there = self.there(name, within=connection)
        if there != seen:
            raise Overtaken(f"{name} was taken or renewed by {there.holder if there else 'nobody'} in the meantime.")
        lease = Lease(name, holder, now + lasts, (seen.fence if seen else 0) + 1)
        values = {"holder": holder, "until": microseconds(lease.until), "fence": lease.fence}
        if seen is None:
            connection.execute(LEASES.insert().values(name=name, **values))
        else:
            connection.execute(LEASES.update().where(LEASES.c.name == name).values(**values))
        return lease

    def check(self, connection: Connection, lease: Lease) -> None:
        """The fence: raises Overtaken unless this very lease is in force, whatever any clock says; ask it where one's work is committed."""
        there = self.there(lease.name, within=connection)
        if there is None or (there.holder, there.fence) != (lease.holder, lease.fence):
            who = there.holder if there and there.holder else "nobody"
            raise Overtaken(f"{lease.name} belongs to {who} now, no longer to {lease.holder}. Nothing was kept; stop what it was held for.")

    def renew(self, connection: Connection, lease: Lease, *, now: datetime, lasts: timedelta) -> Lease:
        """The same lease for longer, even a moment after its end if nobody took it. Raises Overtaken if somebody did."""
        renewed = Lease(lease.name, lease.holder, now + lasts, lease.fence)
        mine = LEASES.update().where(LEASES.c.name == lease.name, LEASES.c.holder == lease.holder, LEASES.c.fence == lease.fence)
        if connection.execute(mine.values(until=microseconds(renewed.until))).rowcount != 1:
            raise Overtaken(f"{lease.name} was taken over from {lease.holder}, who did not renew it in time. Stop what it was held for.")
        return renewed

    def renew_all(self, connection: Connection, holder: str, *, now: datetime, lasts: timedelta) -> int:
        """Everything this holder has for longer; how much that is. None at all: somebody took it for dead."""
        mine = LEASES.update().where(LEASES.c.holder == holder)
        return connection.execute(mine.values(until=microseconds(now + lasts))).rowcount

    def vacate(self, connection: Connection, holder: str, *, seen: Collection[Lease] | None = None) -> None:
        """Give back everything that a holder has; if it was ``seen``, only as long as it is as it was then.

        Raises Overtaken where it gave a sign of life since.
        """
        there = [lease for lease in self.all(within=connection) if lease.holder == holder]
        if seen is not None and (not there or set(there) != set(seen)):
            raise Overtaken(f"{holder} gave a sign of life, or somebody else took over from it.")
        connection.execute(LEASES.update().where(LEASES.c.holder == holder).values(holder=None, until=0))

    def end(self, connection: Connection, name: str) -> None:
        """Forget a lease that nobody will ever take again."""
        connection.execute(LEASES.delete().where(LEASES.c.name == name))

    def all(self, *, within: Connection | None = None) -> list[Lease]:
        """Every lease that somebody has, in force or not, by name."""
        with self.store.reading(within) as connection:
            rows = connection.execute(select(LEASES).where(LEASES.c.holder.is_not(None)).order_by(LEASES.c.name))
            return [Lease(row.name, row.holder, from_microseconds(row.until), row.fence) for row in rows]

    def release(self, connection: Connection, lease: Lease) -> None:
        """Give a lease back; one that somebody else took meanwhile stays theirs."""
        mine = LEASES.update().where(LEASES.c.name == lease.name, LEASES.c.holder == lease.holder, LEASES.c.fence == lease.fence)
        connection.execute(mine.values(holder=None, until=0))

    def held(self, name: str, *, now: datetime, within: Connection | None = None) -> Lease | None:
        """The lease in force at ``now``, or None."""
        there = self.there(name, within=within)
        return None if there is None or not there.holder or there.until <= now else there

    def there(self, name: str, *, within: Connection | None = None) -> Lease | None:
        """The lease as it was last written, in force or not; given back it has no holder (""). None if nobody ever took it."""
        with self.store.reading(within) as connection:
            row = connection.execute(select(LEASES).where(LEASES.c.name == name)).first()
        return None if row is None else Lease(name, row.holder or "", from_microseconds(row.until), row.fence)
