"""Who answers now: one pointer per model to the traffic in force, moved by compare-and-set on its generation. Reads no clock."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, Integer, Table, Text, select

from everloop.clock import microseconds
from everloop.errors import Overtaken, StoreError
from everloop.records import Traffic
from everloop.registry.store import Store
from everloop.registry.written import read_as, written
from everloop.sql.schema import METADATA

TRAFFIC = Table(
    "traffic",
    METADATA,
    Column("model", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)


@dataclass(frozen=True)
class Pointers:
    """The traffic in force, model by model."""

    store: Store

    def current(self, model: str, *, within: Connection | None = None) -> Traffic | None:
        """The traffic in force; None for a model that has not begun."""
        with self.store.reading(within) as connection:
            body = connection.execute(select(TRAFFIC.c.body).where(TRAFFIC.c.model == model)).scalar()
        return None if body is None else read_as(Traffic, body)

    def all(self, *, within: Connection | None = None) -> dict[str, Traffic]:
        """The traffic in force of every model that has any, by name."""
        with self.store.reading(within) as connection:
            rows = connection.execute(select(TRAFFIC.c.model, TRAFFIC.c.body).order_by(TRAFFIC.c.model)).all()
        return {row.model: read_as(Traffic, row.body) for row in rows}

    def move(self, connection: Connection, traffic: Traffic, *, expected_generation: int) -> Traffic:
        """Put this traffic in force, if the one in force is still of ``expected_generation`` (0: there is none yet).

        The same traffic again is a no-op. Raises Overtaken if somebody else moved first, StoreError for a generation that is not the next.
        """
        if traffic.generation != expected_generation + 1:
            raise StoreError(f"{traffic.model}: generation {traffic.generation} does not follow {expected_generation}.")
        there = self.current(traffic.model, within=connection)
        if there == traffic:
            return traffic
        row = {"generation": traffic.generation, "id": traffic.id, "at": microseconds(traffic.made_at), "body": written(traffic)}
        if expected_generation == 0 and there is None:
            connection.execute(TRAFFIC.insert().values(model=traffic.model, **row))
            return traffic
        moved = connection.execute(
            TRAFFIC.update().where(TRAFFIC.c.model == traffic.model, TRAFFIC.c.generation == expected_generation).values(**row)
        )
        if moved.rowcount != 1:
            now = f"generation {there.generation} ({there.because or there.stage})" if there else "nothing"
            raise Overtaken(
                f"{traffic.model}: somebody else moved the traffic first; {now} is in force, not generation {expected_generation}. "
                f"Nothing was changed. See why: everloop history {traffic.model}"
            )
        return traffic
