"""Where copies may be that a house cannot reach: told with every forgetting. No disk."""

from __future__ import annotations

from collections.abc import Iterator

from everloop.loop.house import House

ALWAYS = (
    "backups and copies of the house folder: forget again after each is restored",
    "files that were ingested, scored into or exported: they are yours",
    "learnt models keep what they counted of all rows together: train the versions named again to be rid of that, too",
    "alerts that were delivered",
)


def elsewhere(house: House) -> tuple[str, ...]:
    """What is told of places out of reach, for a house with these settings."""
    return (*ALWAYS, *_of(house))


def _of(house: House) -> Iterator[str]:
    settings = house.settings
    if settings.mlflow:
        yield "the MLflow server this house is mirrored to: runs and input examples there"
    if "://" in settings.lake:
        yield f"older commits and checkpoints in the lake at {settings.lake.split('?')[0]}: the store expires them"
    if settings.online:
        yield "snapshots and append-only files that the Redis server has written of itself"
    if not settings.registry.startswith("sqlite"):
        yield "the write-ahead log and dead rows of the Postgres server, until it vacuums"
