"""Everybody forgotten: a house is emptied of all it was told and all it learnt. The journal stays, which names nobody."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete

import everloop.loop.forget.plan as plan
from everloop.clock import utc
from everloop.errors import EverloopError
from everloop.lake.alone import alone
from everloop.lake.events import SqliteLog
from everloop.loop.forget.elsewhere import elsewhere
from everloop.loop.forget.erase import PATIENCE, answers_closed, every_source, nobody_turns, online_again
from everloop.loop.forget.plan import FOLDER
from everloop.loop.house import House
from everloop.loop.keep import ANY
from everloop.records import Redaction
from everloop.registry.facts import FACTS
from everloop.registry.letters import LETTERS
from everloop.registry.outbox import ALERTS
from everloop.registry.scrub import Scrub

EVERYBODY = "*"
FOLDERS = ("compiled", "signatures", "mlflow")


def empty(house: House, *, by: str, reason: str, now: datetime) -> Redaction:
    """Erase everything that a house was told, answered and learnt. What it decided stays in its journal, and what answers has to be learnt
    again: nothing of what was learnt is there any more.

    It goes on where it was killed when it is said again. Raises EverloopError without a name and a reason, StoreError for a lake that is
    not on this machine, HouseBusy where a turn does not end.
    """
    assert isinstance(house.lake.log, SqliteLog)
    if not by.strip() or not reason.strip():
        raise EverloopError("Emptying a house needs a name and a reason. Say --by and --reason.")
    if "://" in house.settings.lake:
        raise EverloopError(
            "The lake of this house is on object storage: empty that there, then say this again with a lake of this machine."
        )
    rows = {source.name: house.lake.log.counters(source.name).last_seq for source in every_source(house)}
    with alone(house.settings.house / FOLDER / "forgetting.lock", "forgetting somebody", patience=PATIENCE), nobody_turns(house, by):
        house.lake.log.tell_gone()
        late = answers_closed(house)
        record = Redaction(
            id=plan.plan_id(EVERYBODY, "", utc(now)), made_at=utc(now), column=EVERYBODY, person="", by=by, reason=reason,
            rows=tuple(sorted(rows.items())), left=(*elsewhere(house), *late),
        )  # fmt: skip
        # Written first: who looks at a house half emptied finds why.
        with house.store.transaction() as t:
            house.journal.append(t, record, verb="forget", back=ANY)
        house.pause("written, not emptied")
        for folder in (Path(house.settings.lake), house.settings.blobs, *(house.settings.house / name for name in FOLDERS)):
            shutil.rmtree(folder, ignore_errors=True)
        for damaged in house.settings.answers.glob("*.damaged"):
            damaged.unlink(missing_ok=True)
        _empty_log(house.lake.log)
        online_again(house, {source.name for source in every_source(house)})
        house.lake.log.wiped()
        with house.store.transaction() as t:
            for table in (LETTERS, ALERTS):
                t.execute(delete(table))
            t.execute(delete(FACTS).where(FACTS.c.name != "salt"))
        Scrub(house.store).wiped()
        for one in plan.planned(house.settings.house):
            plan.done(house.settings.house, one)
    return record


def _empty_log(log: SqliteLog) -> None:
    connection = log.connection()
    connection.execute("BEGIN IMMEDIATE")
    for table in ("hot", "files", "versions", "deliveries", "sources"):
        connection.execute(f"DELETE FROM {table}")
    connection.execute("COMMIT")
    for path in log.beside.glob("*.arrow"):
        path.unlink(missing_ok=True)
