"""Which lake a house has, by its URLs: tables in a folder or on object storage, events in a SQLite file of this machine or on Postgres."""

from __future__ import annotations

from everloop.connect.objects import delta_options
from everloop.lake.place import Lake, open_lake
from everloop.lake.tables import EventLog
from everloop.settings import Durability, Settings

POSTGRES = ("postgres://", "postgresql://", "postgresql+psycopg://")


def lake_of(settings: Settings, *, durability: Durability = "sync") -> Lake:
    """The lake of a house; nothing is made or connected to yet. See ``open_lake`` for ``durability``.

    Raises SettingsError and StoreError for URLs that cannot be; Missing where the library for one is not there.
    """
    options = delta_options(settings.lake, settings.storage)
    return open_lake(settings.lake, log_of(settings, durability), durability=durability, options=options)


def log_of(settings: Settings, durability: Durability) -> str | EventLog:
    """The event log of a house, as ``open_lake`` takes it."""
    if not settings.events.startswith(POSTGRES):
        return settings.events
    from everloop.connect.postgres import PostgresLog

    return PostgresLog(settings.events, durability)
