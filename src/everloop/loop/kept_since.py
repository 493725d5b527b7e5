"""What the journal kept since somebody last looked: who answers whom, what went wrong. In: a house, a number. Out: data, oldest first.

For whoever tells others of it (a Flow of a shop, a chat): with the number of each reply nothing is told twice, and nothing is missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from everloop.loop.house import House
from everloop.loop.spoken import spoken_record
from everloop.records import Incident, Traffic
from everloop.registry.history import names
from everloop.registry.journal import Entry
from everloop.registry.sentences import Naming
from everloop.registry.written import as_data

KINDS = ("Traffic", "Incident")
MOST = 500


def kept_since(house: House, after: int | None) -> tuple[list[Mapping[str, Any]], int]:
    """Traffic and incidents kept beyond number ``after``, at most 500, and the number to go on from; without a number only the newest one.

    A traffic has ``verb`` (``undo``, ``begin``, ``advance`` …), ``champion``, ``candidate``, ``stage``; an incident ``cause``, ``state``,
    ``severity``, ``symptoms``, ``news``; both ``seq``, ``at``, ``kind``, ``model`` and ``sentence``. Versions go by their names.
    """
    through = house.journal.head().seq
    if after is None:
        return [], through
    kept = house.journal.read(kind=KINDS, after=after, limit=MOST)
    name = names(house.journal)
    return [_told(entry, name) for entry in kept], kept[-1].seq if len(kept) == MOST else max([through, *(entry.seq for entry in kept)])


def _told(entry: Entry, name: Naming) -> dict[str, Any]:
    record = entry.record
    told = {"seq": entry.seq, "at": as_data(entry.at), "kind": entry.kind, "verb": entry.verb, "sentence": spoken_record(record, name)}
    if isinstance(record, Traffic):
        told |= {"model": record.model, "stage": record.stage, "champion": name(record.champion), "because": record.because}
        told |= {"candidate": ", ".join(map(name, record.candidates)) or None, "generation": record.generation}
    elif isinstance(record, Incident):
        told |= {"model": record.model, "incident": record.incident, "cause": record.cause, "state": record.state}
        told |= {"severity": record.severity, "news": record.news, "symptoms": [as_data(one) for one in record.symptoms]}
    return told
