"""How far a house goes by itself: a person's word, journalled, under which no model of it acts, whatever settings and project file allow.

A house restored from a backup begins at *observe*: the one it is a copy of may still act.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from everloop.clock import EPOCH, utc
from everloop.errors import EverloopError
from everloop.loop.house import AUTONOMY, House
from everloop.loop.keep import ANY
from everloop.records import Alert, Autonomy, identity
from everloop.settings import LEVELS, Level


def set_level(house: House, level: Level, *, by: str, reason: str, now: datetime, backup: str | None = None) -> Autonomy:
    """Let no model of the house act above a level from now on; returns the record. What is rolled out stays as it is.

    Raises EverloopError without a name and a reason, and for another word than observe, suggest or act.
    """
    if not by.strip() or not reason.strip():
        raise EverloopError("How far a house goes by itself needs a name and a reason. Say --by and --reason.")
    if level not in LEVELS:
        raise EverloopError(f"{level} is no level. Say {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.")
    id = identity("autonomy", level, by, utc(now).isoformat())
    record = Autonomy(id=id, made_at=utc(now), level=level, by=by, reason=reason, backup=backup)
    with house.store.transaction() as t:
        put_level(house, t, record)
        house.outbox.put(t, level_said(record), at=record.made_at, head=str(house.journal.head(within=t)))
    return record


def put_level(house: House, t: Connection, record: Autonomy) -> None:
    """The word and what it moves, in one transaction."""
    house.journal.append(t, record, verb="autonomy", back=ANY)
    house.facts.put(t, "", AUTONOMY, EPOCH, {"level": record.level, "record": record.id})


def level_said(record: Autonomy) -> Alert:
    """The word as news for everybody."""
    back = " Let it act again: everloop autonomy act --by … --reason …" if record.level != "act" else ""
    sentence = f"No model acts above {record.level} in this house, by {record.by}: {record.reason}.{back}"
    return Alert(model="", severity="warning" if record.level != "act" else "info", sentence=sentence, key=f"autonomy/{record.id}")


def spoken_level(house: House) -> list[str]:
    """For ``status``: that a house is held down by somebody's word; nothing where it is not."""
    if house.level == "act":
        return []
    return [f"No model acts above {house.level} in this house, by somebody's word (everloop autonomy act --by … --reason …)."]
