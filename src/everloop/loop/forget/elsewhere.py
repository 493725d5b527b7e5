"""Where copies may be that a house cannot reach: told with every forgetting. No disk."""

from __future__ import annotations

from collections.abc import Iterator

from everloop.connect.objects import is_url
from everloop.loop.house import House

ALWAYS = (
    "backups keep what they have until they go (everloop backup TO --keep N); everloop restore forgets again, copies made by hand do not",
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
    for place in dict.fromkeys((settings.lake, settings.blobs)):
        if is_url(place):
            yield f"older versions of objects below {place}, where its bucket keeps any: let them expire there"
    if settings.online:
        yield "snapshots and append-only files that the Redis server has written of itself"
    if not (settings.registry.startswith("sqlite") and settings.events.startswith("sqlite")):
        yield "the write-ahead log of the Postgres server, until it is used again, and what was archived or copied of it"
