"""Versions: candidates that were let in, numbered per model. The same content is the same version, however often it is let in.

Content is the artefact's hash, its columns and the model's definition. A model's first baseline is number 0. Reads no clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Integer, Row, Table, Text, UniqueConstraint, func, select

from everloop.clock import from_microseconds, microseconds
from everloop.errors import Unknown
from everloop.records import Candidate, Verdict, Version, identity
from everloop.registry.store import Store
from everloop.registry.written import canonical
from everloop.sql.schema import METADATA

VERSIONS = Table(
    "versions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("verdict", Text),
    Column("made_at", BigInteger, nullable=False),
    Column("made_from", Text, nullable=False),
    UniqueConstraint("model", "number"),
    UniqueConstraint("model", "content"),
)


@dataclass(frozen=True)
class Versions:
    """The versions of every model of one house."""

    store: Store

    def admit(
        self,
        connection: Connection,
        candidate: Candidate,
        verdict: Verdict | None,
        *,
        now: datetime,
        id: str,
        number: int | None = None,
    ) -> Version:
        """Let a candidate in, and give it its number; one of the same content is already in and returned as it is, with its own id.

        The caller journals the version in the same transaction. A baseline has no verdict. ``number``: the one it has where it is
        from.
        """
        content = content_of(candidate)
        known = connection.execute(select(VERSIONS).where(VERSIONS.c.model == candidate.model, VERSIONS.c.content == content)).first()
        if known is not None:
            return _version(known)
        highest = connection.execute(select(func.max(VERSIONS.c.number)).where(VERSIONS.c.model == candidate.model)).scalar()
        if number is None:
            number = 0 if candidate.format == "baseline" and highest is None else (highest or 0) + 1
        made_from = (candidate.id, verdict.id) if verdict else (candidate.id,)
        version = Version(
            id=id,
            made_at=now,
            made_from=made_from,
            model=candidate.model,
            number=number,
            candidate=candidate.id,
            verdict=verdict.id if verdict else None,
        )
        connection.execute(
            VERSIONS.insert().values(
                id=id,
                model=version.model,
                number=number,
                content=content,
                candidate=version.candidate,
                verdict=version.verdict,
                made_at=microseconds(now),
                made_from=canonical(made_from),
            )
        )
        return version

    def get(self, id: str, *, within: Connection | None = None) -> Version:
        """The version of this id. Raises Unknown."""
        with self.store.reading(within) as connection:
            row = connection.execute(select(VERSIONS).where(VERSIONS.c.id == id)).first()
        if row is None:
            raise Unknown("version", id, where="this house")
        return _version(row)

    def named(self, name: str, *, within: Connection | None = None) -> Version:
        """The version called ``demand@3``, the last that was let in (``demand@newest``), or of that id. Raises Unknown, naming those there
        are."""
        model, at, number = name.rpartition("@")
        if not at:
            return self.get(name, within=within)
        known = self.all(model, within=within)
        if number == "newest" and known:
            return known[-1]
        for version in known:
            if str(version.number) == number:
                return version
        raise Unknown("version", name, [v.name for v in known], where="this house")

    def naming(self) -> Callable[[str], str]:
        """From a version's id to its name, each looked up when it is first asked for; any other id stays as it is."""
        known: dict[str, str] = {}

        def name(id: str) -> str:
            if id not in known:
                with self.store.reading() as connection:
                    row = connection.execute(select(VERSIONS.c.model, VERSIONS.c.number).where(VERSIONS.c.id == id)).first()
                known[id] = id if row is None else f"{row.model}@{row.number}"
            return known[id]

        return name

    def all(self, model: str, *, within: Connection | None = None) -> list[Version]:
        """Every version of a model, by number."""
        with self.store.reading(within) as connection:
            rows = connection.execute(select(VERSIONS).where(VERSIONS.c.model == model).order_by(VERSIONS.c.number)).all()
        return [_version(row) for row in rows]


def content_of(candidate: Candidate) -> str:
    """What makes a version the same version: artefact, columns and definition.

    >>> from dataclasses import replace
    >>> from everloop.records import Shape
    >>> one = Candidate(id="a", made_at=datetime(2026, 1, 1), model="m", artefact="f0", format="skops", columns=("x",),
    ...                 shape=Shape(kind="number"), learner="L", parameters="{}")
    >>> content_of(one) == content_of(replace(one, id="b", seconds=3.0)) != content_of(replace(one, columns=("y",)))
    True
    """
    return identity(candidate.artefact, json.dumps(candidate.columns), candidate.definition)


def _version(row: Row[Any]) -> Version:
    return Version(
        id=row.id,
        made_at=from_microseconds(row.made_at),
        made_from=tuple(json.loads(row.made_from)),
        model=row.model,
        number=row.number,
        candidate=row.candidate,
        verdict=row.verdict,
    )
