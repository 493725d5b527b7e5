"""A house's tables brought up to this release: ``upgrade(url)``. The revisions are files in ``migrations/versions``, oldest first.

In: a URL or an engine. Out: the tables as this release's code expects them, in one transaction: killed at any moment the old ones stand, or
the new ones. A house written by a newer release is left alone: StoreError says so. Reads no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from everloop.errors import StoreError
from everloop.sql.engine import open_engine, reading, writing

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010")
"""Every revision this release knows, oldest first; the last is what its code expects."""
_FOLDER = Path(__file__).parent / "migrations"


def _nothing(_engine: Engine, _at: str) -> None:
    """Nothing is done before tables are changed."""


def upgrade(url: str | Engine, *, before: Callable[[Engine, str], None] = _nothing) -> Engine:
    """The house at this URL with its tables as this release expects them; made where there are none. Twice is as good as once.

    ``before`` is called with the revision of tables that are older, once the writer's lock is held and before anything is changed.

    >>> revision(upgrade("sqlite:///:memory:")) == REVISIONS[-1]
    True

    Raises StoreError for a house of a newer release, HouseBusy, HouseFull.
    """
    engine = open_engine(url) if isinstance(url, str) else url
    if revision(engine) != REVISIONS[-1]:
        with writing(engine) as connection:
            # Looked at again under the lock: another process may have done it meanwhile, or be about to.
            at = revision_within(connection)
            if at is not None and at != REVISIONS[-1]:
                before(engine, at)
            migrate(connection, REVISIONS[-1])
    return engine


def revision(engine: Engine) -> str | None:
    """The revision a house's tables are at, None for an empty database. Raises StoreError for one this release does not know."""
    with reading(engine) as connection:
        return revision_within(connection)


def revision_within(connection: Connection) -> str | None:
    """The same, within a transaction that is open."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found not in REVISIONS:
        raise StoreError(
            f"The house at {connection.engine.url.render_as_string(hide_password=True)} was written by a newer release of everloop "
            f"(revision {found}; this one knows up to {REVISIONS[-1]}). Nothing was changed. Run: pip install --upgrade everloop"
        )
    return found


def migrate(connection: Connection, to: str) -> None:
    """The tables of a database brought to a revision, within the transaction that is open."""
    # alembic costs a third of a second to import, and a house is seldom new.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(_FOLDER))

    def outstanding(at: Any, _context: Any) -> Any:
        return script._upgrade_revs(to, at)

    with EnvironmentContext(Config(), script, fn=outstanding) as environment:
        environment.configure(connection=connection)
        with environment.begin_transaction():
            environment.run_migrations()
