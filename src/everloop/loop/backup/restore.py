"""Restoring: a house from a backup, in a folder where there is none. It begins at *observe*, and tells nothing that was told already.

All of it is made in a folder beside first, proven there, and then moved into its place, the house folder last: killed at any moment there
is no house, or a whole one. What belongs elsewhere (a lake on object storage, a database on Postgres) goes there just before that.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect, text

from everloop.clock import microseconds, said, wall
from everloop.connect.objects import without_secret
from everloop.disk import synced
from everloop.errors import StoreError
from everloop.lake.alone import alone
from everloop.lake.place import table_of
from everloop.lake.seal import MARKER
from everloop.loop.answers import seal_answers
from everloop.loop.autonomy import put_level
from everloop.loop.backup.cut import MADE_AGAIN
from everloop.loop.backup.forgotten import forget_again, since
from everloop.loop.backup.manifest import Gone, Manifest, Place
from everloop.loop.backup.places import named, places_of, remember
from everloop.loop.backup.proof import write
from everloop.loop.backup.shelf import files_at, open_shelf
from everloop.loop.belonging import marked_anew
from everloop.loop.forget.erase import every_source
from everloop.loop.house import House, open_house
from everloop.loop.lakes import lake_of
from everloop.loop.online import online_of
from everloop.loop.project_file import Project
from everloop.loop.stored import OWNER
from everloop.records import Alert, Autonomy, Redaction, identity
from everloop.registry.claims import Claims
from everloop.registry.errands import Errands
from everloop.registry.journal import Head, Journal
from everloop.registry.leases import LEASES
from everloop.registry.letters import ENDED, LETTERS
from everloop.registry.outbox import ALERTS
from everloop.registry.sessions import Sessions
from everloop.registry.store import Store
from everloop.registry.turns import TURNS
from everloop.settings import Level, Settings, Storage
from everloop.sql.copies import proven, put_back
from everloop.sql.engine import open_engine, reading
from everloop.sql.wal import rewritten

OBSERVE: Level = "observe"


@dataclass(frozen=True)
class Restored:
    """A house that was restored. ``withdrawn`` alerts waited and are told no more; ``again`` were forgotten once more."""

    id: str
    house: Path
    manifest: Manifest
    head: Head
    level: Level
    withdrawn: int
    again: tuple[Redaction, ...]
    absent: tuple[Gone, ...]
    changed: bool
    """Whether the project file is another than when the backup was made."""

    def __str__(self) -> str:
        m = self.manifest
        lines = [f"{self.id} is restored in {self.house}: as of {said(m.taken_at)}, {self.head.seq:,} records, proven."]
        if self.level != "act":
            lines.append(
                f"  No model acts above {self.level}: another house may still act. "
                "Let it act again: everloop autonomy act --by … --reason …"
            )
        if self.withdrawn:
            lines.append(f"  {self.withdrawn:,} alerts waited when it was made, and are not told again.")
        lines += [f"  {one.column} {one.person} was forgotten after it was made, and is forgotten again." for one in self.again]
        if self.changed:
            lines.append("  ! The project file is another than when it was made: everloop explain")
        lines.append("  ! Keys that were revoked after it was made are valid again: everloop key list")
        return "\n".join(lines)


def restore(
    project: Project, settings: Settings, frm: str, *, backup: str | None = None, level: Level = OBSERVE, by: str = "", now: datetime
) -> Restored:
    """Make the house of these settings from a backup (by its id, or the newest) in a folder or at a URL.

    Raises StoreError where there is a house already, where the backup is not whole, where everybody was forgotten since, and where it is of
    a newer release; Unknown for a backup that is not there; HouseFull, HouseBusy.
    """
    stage = settings.house.with_name(f".{settings.house.name}.restoring")
    with alone(stage.with_suffix(".lock"), "restoring this house", patience=0):
        return _restored(project, settings, frm, backup=backup, level=level, by=by, now=now, stage=stage)


def _restored(
    project: Project, settings: Settings, frm: str, *, backup: str | None, level: Level, by: str, now: datetime, stage: Path
) -> Restored:
    place = Place(open_shelf(frm, settings.storage))
    id, manifest = place.manifest(backup)
    after = since(place, id, manifest)
    require_empty(settings)
    shutil.rmtree(stage, ignore_errors=True)
    try:
        for part in manifest.parts:
            if "/" in part.path or not MADE_AGAIN.fullmatch(part.path):  # older releases copied some of it
                write(place, part, _inside(stage, part.path))
        head = _proven(stage, manifest)
        house = _staged(project, settings, stage)
        try:
            withdrawn = wake(house, id, manifest, level=level, by=by or "everloop restore", now=now)
            # The places were told of these already, when they were forgotten first.
            places = places_of(house)
            remember(house, {}, alone=True)
            again, absent = forget_again(house, after, backup=id, now=now)
            remember(house, {**places, named(frm): id}, alone=True)
            _fits(house, manifest)
            seal_answers(house)  # they say they are of the house that was backed up
            mark = marked_anew(house, settings)
        finally:
            house.lake.log.close()
            house.store.close()
        _moved(settings, stage, mark)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return Restored(
        id, settings.house, manifest, head, level, withdrawn, tuple(again), tuple(absent),
        changed=manifest.project is not None and manifest.project != _sha(project),
    )  # fmt: skip


def require_empty(settings: Settings) -> None:
    """Raises StoreError where there is anything already that a house would be restored into."""
    from pyarrow.fs import FileSelector

    cure = "A house is restored where there is none. Move it away, or say another: everloop restore … --house NEW"
    folder = settings.house
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is not empty. {cure}")
    for what, where in (("lake", settings.lake), ("bodies", settings.blobs)):
        files, root = files_at(where, settings.storage)
        there = files.get_file_info(FileSelector(root, allow_not_found=True))
        if any(one.base_name != OWNER for one in there):
            raise StoreError(f"The {what} at {without_secret(where)}: it is not empty. {cure}")
    for url, what, table in ((settings.registry, "registry", "journal"), (settings.events, "events", "everloop_events.sources")):
        if url.startswith("sqlite:///"):
            if Path(url.removeprefix("sqlite:///")).exists():
                raise StoreError(f"{url.removeprefix('sqlite:///')} is there already. {cure}")
            continue
        engine = open_engine(url)
        try:
            with reading(engine) as connection:
                schema, _, name = table.rpartition(".")
                there = inspect(connection).has_table(name, schema=schema or None)
                if there and connection.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first():
                    raise StoreError(f"The database of {what} is not empty. {cure}")
        finally:
            engine.dispose()


def wake(house: House, id: str, manifest: Manifest, *, level: Level, by: str, now: datetime) -> int:
    """Let a restored house begin: nobody holds it, nobody is signed in, nothing is half done, nothing that waited is told,
    nothing acts. Returns how many alerts waited."""
    reason = f"restored from the backup {id} of {said(manifest.taken_at)}"
    record = Autonomy(id=identity("restored", id, now.isoformat()), made_at=now, level=level, by=by, reason=reason, backup=id)
    with house.store.transaction() as t:
        t.execute(LEASES.update().values(holder=None, until=0, fence=LEASES.c.fence + 1))
        for errand in Errands(house.store).unfinished(within=t):
            Claims(house.store).give_back(t, errand.id)
        for (turn,) in t.execute(TURNS.select().with_only_columns(TURNS.c.id).where(TURNS.c.state == "open")).all():
            house.turns.finish(t, turn, at=wall(), state="cancelled")
        waited = ALERTS.c.delivered_at.is_(None) & ALERTS.c.ended.is_(None)
        withdrawn: int = t.execute(ALERTS.update().where(waited).values(ended="unwanted")).rowcount
        t.execute(LETTERS.update().where(LETTERS.c.state.not_in(ENDED)).values(state="withdrawn", ended_at=microseconds(now), why=reason))
        Sessions(house.store).end_all(t)
        put_level(house, t, record)
        house.outbox.put(t, _news(record, withdrawn), at=now, head=str(house.journal.head(within=t)))
    return withdrawn


def _news(record: Autonomy, withdrawn: int) -> Alert:
    told = f" {withdrawn:,} alerts that waited then are not told again." if withdrawn else ""
    held = " No model acts until somebody says so: everloop autonomy act --by … --reason …" if record.level == OBSERVE else ""
    return Alert(model="", severity="warning", sentence=f"This house was {record.reason}.{told}{held}", key=f"restored/{record.id}")


def _inside(stage: Path, path: str) -> Path:
    """Where a file of a backup goes. Raises StoreError for a path that leads out of the house."""
    to = (stage / path).resolve()
    if not to.is_relative_to(stage.resolve()):
        raise StoreError(f"The backup names a file outside the house: {path}. It is not restored.")
    return to


def _proven(stage: Path, manifest: Manifest) -> Head:
    """The journal of then, to the record it ended with; every database page by page. Raises JournalBroken, StoreError."""
    for file in sorted(stage.glob("*.db")):
        proven(file)
    store = Store(open_engine(f"sqlite:///{stage / 'house.db'}"))
    try:
        return Journal(store).verify(Head.read(manifest.head))
    finally:
        store.close()


def _staged(project: Project, settings: Settings, stage: Path) -> House:
    """The house in the folder where it is made: by itself, known to nobody."""
    return open_house(project, settings=alone_in(settings, stage), as_is=True)


def alone_in(settings: Settings, folder: Path) -> Settings:
    """The settings of a house that lies in one folder, whole, and tells nobody of anything."""
    here = {
        "house": folder, "lake": str(folder / "lake"), "blobs": str(folder / "blobs"), "registry": f"sqlite:///{folder / 'house.db'}",
        "events": f"sqlite:///{folder / 'events.db'}", "online": None, "people": {}, "mlflow": None, "shopify": None, "streams": {},
    }  # fmt: skip
    return replace(settings, **{field.name: here[field.name] for field in fields(settings) if field.name in here})  # type: ignore[arg-type]


def _fits(house: House, manifest: Manifest) -> None:
    """Raises StoreError where a table is older than what was copied, reaches further than the log, or cannot be read at that version."""
    tables, log = house.lake.tables, house.lake.log
    for name, cut in manifest.tables.items():
        there = tables.version(name)
        if there is None or there < cut.version:
            raise StoreError(f"The table {name} is at version {there}, not {cut.version}. The backup is not restored; take another.")
        tables.rows(name, version=cut.version)
    for source in every_source(house):
        if tables.marker(table_of(source.name), MARKER) > log.counters(source.name).last_seq:
            raise StoreError(f"The table of {source.name} reaches further than its log. The backup is not restored; take another.")


def _moved(settings: Settings, stage: Path, mark: str) -> None:
    """Everything into its place; the house folder last."""
    for file in stage.glob("*.db"):
        with closing(sqlite3.connect(file)) as connection:
            rewritten(connection)  # a file may leave its log behind
    for there, to, usual in ((stage / "lake", settings.lake, "lake"), (stage / "blobs", settings.blobs, "blobs")):
        if to != str(settings.house / usual) and there.is_dir():
            _folder_moved(there, to, settings.storage)
    _events_moved(settings, stage, mark)
    _registry_moved(settings, stage)
    if settings.online:
        _online_forgotten(settings)
    settings.house.parent.mkdir(parents=True, exist_ok=True)
    stage.replace(settings.house)
    synced(settings.house.parent)


def _folder_moved(there: Path, to: str, storage: Storage) -> None:
    if "://" not in to:
        Path(to).parent.mkdir(parents=True, exist_ok=True)
        with_nothing(Path(to))
        shutil.move(there, to)
        return
    from pyarrow.fs import LocalFileSystem, copy_files

    files, root = files_at(to, storage)
    # Data first: a table whose log is not there is no table.
    for log in (False, True):
        for path in sorted(p for p in there.rglob("*") if p.is_file() and ("_delta_log" in p.parts) == log):
            aim = f"{root}/{path.relative_to(there).as_posix()}"
            copy_files(str(path), aim, source_filesystem=LocalFileSystem(), destination_filesystem=files)
    shutil.rmtree(there)


def _registry_moved(settings: Settings, stage: Path) -> None:
    there = stage / "house.db"
    if settings.registry.startswith("sqlite:///"):
        _file_moved(there, Path(settings.registry.removeprefix("sqlite:///")), settings, stage)
        return
    engine = open_engine(settings.registry)
    try:
        put_back(there, engine)
    finally:
        engine.dispose()
    there.unlink()


def _events_moved(settings: Settings, stage: Path, mark: str) -> None:
    there = stage / "events.db"
    if settings.events.startswith("sqlite:///"):
        to = Path(settings.events.removeprefix("sqlite:///"))
        beside = to.with_name(f"{to.stem}.files")
        if (stage / "events.files").is_dir() and beside != settings.house / "events.files":
            shutil.move(stage / "events.files", beside if beside.parent != settings.house else stage / beside.name)
        _file_moved(there, to, settings, stage)
        return
    from everloop.connect.postgres_copies import events_back

    events_back(settings.events, there)
    log = lake_of(settings).log
    log.owned_by(mark, instead=True)
    log.close()
    there.unlink()
    shutil.rmtree(stage / "events.files", ignore_errors=True)


def _file_moved(there: Path, to: Path, settings: Settings, stage: Path) -> None:
    """A database to where the settings say it is: into the house folder that is being made, or anywhere else."""
    aim = stage / to.relative_to(settings.house) if to.is_relative_to(settings.house) else to
    if aim != there:
        aim.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(there, aim)


def _online_forgotten(settings: Settings) -> None:
    """On a server: what is kept of each key may be of later rows than the backup has, and is made again from those it has."""
    state = online_of(lake_of(settings), settings)
    try:
        with state.writing() as tiles:
            tiles.forget(list(tiles.marks()))
    finally:
        state.close()


def with_nothing(folder: Path) -> None:
    """An empty folder goes, so that another may come in its place."""
    if folder.is_dir():
        (folder / OWNER).unlink(missing_ok=True)
        folder.rmdir()


def _sha(project: Project) -> str | None:
    return hashlib.sha256(project.path.read_bytes()).hexdigest() if project.path is not None and project.path.is_file() else None
