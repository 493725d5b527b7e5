"""What was live at 14:03, and why: questions to the journal. Out: records, and lines for people. Changes nothing, reads no clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection

from everloop.clock import said
from everloop.errors import Unknown
from everloop.records import Record, Traffic, Version
from everloop.registry.journal import Entry
from everloop.registry.sentences import Naming, clause
from everloop.registry.store import JournalStore

PAGE = 20
"""Records that are read at once, by whoever looks for the newest that fits: some kinds are large."""


@dataclass(frozen=True)
class Reason:
    """A record and the records it was made from. ``record`` is None where the journal has none of this id; ``again`` marks one that
    stands in full elsewhere in the tree."""

    id: str
    record: Record | None
    parents: tuple[Reason, ...] = ()
    again: bool = False


def history(journal: JournalStore, model: str, *, since: datetime | None = None, until: datetime | None = None) -> list[Traffic]:
    """Every traffic that was in force for a model, oldest first: who answered, since when, and because of what."""
    return [cast(Traffic, entry.record) for entry in journal.read(kind="Traffic", model=model, since=since, until=until)]


def backwards(
    journal: JournalStore, kind: str, model: str, *, since: datetime | None = None, until: datetime | None = None, page: int = PAGE
) -> Iterator[Entry]:
    """The records of one kind about a model, newest first, a ``page`` of them read at a time: who stops early has read little more."""
    before: int | None = None
    while True:
        found = journal.read(kind=kind, model=model, since=since, until=until, before=before, newest_first=True, limit=page)
        yield from found
        if len(found) < page:
            return
        before = found[-1].seq


def at(journal: JournalStore, model: str, instant: datetime) -> Traffic:
    """The traffic in force at an instant of business time. Raises Unknown for one before the model's first."""
    lived = history(journal, model, until=instant)
    if not lived:
        every = history(journal, model)
        when = f"It began at {said(every[0].made_at)}." if every else "Begin with: everloop turn"
        raise Unknown("traffic of", model, where=f"force at {said(instant)}", next=when)
    return max(lived, key=lambda traffic: traffic.generation)


def champions(journal: JournalStore, model: str, *, within: Connection | None = None) -> tuple[str, ...]:
    """The way back: the version ids undo would walk through, the champion of now last. What was undone is not on it."""
    way: list[str] = []
    for entry in journal.read(kind="Traffic", model=model, within=within):
        traffic = cast(Traffic, entry.record)
        if way and traffic.champion == way[-1]:
            continue
        if traffic.stage != "bake" and traffic.champion in way:
            del way[way.index(traffic.champion) + 1 :]
        else:
            way.append(traffic.champion)
    return tuple(way)


def champion_before(journal: JournalStore, model: str, version: str | None, *, within: Connection | None = None) -> str | None:
    """Who was champion before this version last took over; None if nobody was. What ``rollout.undo`` calls ``before``."""
    way = champions(journal, model, within=within)
    if version not in way:
        return None
    place = len(way) - 1 - way[::-1].index(version)
    return way[place - 1] if place else None


def why(journal: JournalStore, id: str) -> Reason:
    """The records behind a record, along ``made_from``, down to the snapshots. ``id`` may be a version's name, such as ``demand@3``.

    Raises Unknown for an id the journal does not have.
    """
    record = journal.find(id) or _version_named(journal, id)
    if record is None:
        raise Unknown("record", id, where="the journal", next="See what there is: everloop history <model>")
    return behind(journal.find, record.id)


def behind(find: Callable[[str], Record | None], id: str) -> Reason:
    """The records behind a record, along ``made_from``, as far as ``find`` knows them by id."""
    return _reason(find, id, find(id), set())


def told(reason: Reason, *, name: Naming = str, depth: int = 0) -> list[str]:
    """A tree of reasons as indented lines.

    >>> from datetime import datetime, timezone
    >>> now = datetime(2026, 11, 2, 14, 3, tzinfo=timezone.utc)
    >>> told(Reason("v", Version(id="v", made_at=now, model="demand", number=3, candidate="c"), (Reason("c", None),)))
    ['2026-11-02 14:03 UTC  demand@3 was let in  [v]', '  c is not in this journal']
    """
    space = "  " * depth
    if reason.record is None:
        return [f"{space}{reason.id} is not in this journal"]
    above = " (told above)" if reason.again else ""
    lines = [f"{space}{said(reason.record.made_at)}  {clause(reason.record, name)}{above}  [{reason.id}]"]
    for parent in reason.parents:
        lines += told(parent, name=name, depth=depth + 1)
    return lines


def names(journal: JournalStore) -> Naming:
    """From a version's id to its name, for every version journalled; any other id stays as it is."""
    known = {entry.record.id: cast(Version, entry.record).name for entry in journal.read(kind="Version")}
    return lambda id: known.get(id, id)


def _reason(find: Callable[[str], Record | None], id: str, record: Record | None, seen: set[str]) -> Reason:
    if record is None:
        return Reason(id, None)
    if id in seen:
        return Reason(id, record, again=True)
    seen.add(id)
    parents = dict.fromkeys(parent for parent in _parents(record) if parent != id)
    return Reason(id, record, tuple(_reason(find, parent, find(parent), seen) for parent in parents))


def _parents(record: Record) -> tuple[str, ...]:
    """Where a record comes from. A traffic's own past is a chain as long as the model's life: of it, only what this one changed counts."""
    if isinstance(record, Traffic):
        versions = record.candidates or (record.champion,)
        return record.made_from[1:] + versions if record.generation > 1 else record.made_from + versions
    return record.made_from


def _version_named(journal: JournalStore, name: str) -> Record | None:
    match = re.fullmatch(r"(.+)@(\d+|newest)", name)
    if match is None:
        return None
    found = journal.read(kind="Version", model=match[1], newest_first=True)
    return next((e.record for e in found if match[2] == "newest" or cast(Version, e.record).number == int(match[2])), None)
