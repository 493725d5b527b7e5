"""Who was forgotten after a backup was made is forgotten again when it is restored: nobody comes back that way.

Every place backups were put is told of each forgetting: the column, and the hash of the key with the house's own salt; the key is kept
nowhere. Whoever restores hashes what the backup says in that column, and forgets whom it fits. A newer backup in the same place tells it
too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import said
from everloop.errors import StoreError
from everloop.lake.place import table_of
from everloop.lake.seal import seal
from everloop.lake.shape import SEPARATOR, event_schema, own_columns
from everloop.loop.answers import TABLE
from everloop.loop.backup.manifest import EVERYBODY, Gone, Manifest, Place
from everloop.loop.forget.erase import every_source, forget
from everloop.loop.forget.person import Person
from everloop.loop.house import House
from everloop.loop.tell.outcomes import OUTCOMES
from everloop.loop.tell.told import TRUTHS
from everloop.records import Redaction


def since(place: Place, id: str, backup: Manifest) -> list[Gone]:
    """Who was forgotten after this backup was made, as far as its place knows.

    Raises StoreError where everybody was: such a backup is not restored.
    """
    found = {one.id: one for one in place.told_gone()}
    for other, manifest in place.readable():
        if other > id and manifest.house == backup.house:
            found |= {one.id: one for one in manifest.gone}
    after = [one for one in found.values() if one.id not in {gone.id for gone in backup.gone}]
    everybody = [one for one in after if one.column == EVERYBODY]
    if everybody:
        raise StoreError(
            f"Everybody was forgotten on {said(everybody[0].at)}, after {id} was made: it is not restored. "
            f"Take it out of {place.shelf.said}."
        )
    return sorted(after, key=lambda one: (one.at, one.id))


def forget_again(house: House, after: list[Gone], *, backup: str, now: datetime) -> tuple[list[Redaction], list[Gone]]:
    """Forget them in a restored house; the records, and those of whom it has nothing."""
    done, absent = list[Redaction](), list[Gone]()
    for source in every_source(house) if after else ():
        if house.lake.log.counters(source.name).last_seq:
            seal(house.lake, source)
    for gone in after:
        value = next((v for v in _values(house, gone.column) if Person(gone.column, v).hashed(house.salt) == gone.person), None)
        if value is None:
            absent.append(gone)
            continue
        reason = f"forgotten on {said(gone.at)} already ({gone.id}), and in the backup {backup} still"
        done.append(forget(house, gone.column, value, by="everloop restore", reason=reason, now=now))
    return done, absent


def _values(house: House, column: str) -> Iterator[str]:
    """Everything the house has in a column, as text: in events, and in the units of answers, truths and outcomes."""
    for source in house.project.sources.values():
        if column in own_columns(source):
            schema = pa.schema([event_schema(source).field(column)])
            yield from _texts(house.lake.tables.read(table_of(source.name), schema=schema).column(column))
    places = {model.name: model.unit.index(column) for model in house.project.models.values() if column in model.unit}
    units = pa.schema([("model", pa.string()), ("unit", pa.string())])
    for table in (table_of(TRUTHS.name), table_of(OUTCOMES.name), TABLE) if places else ():
        told = house.lake.tables.read(table, schema=units)
        for name, place in places.items():
            for unit in _texts(told.filter(pc.equal(told.column("model"), name)).column("unit")):
                with suppress(IndexError):
                    yield unit.split(SEPARATOR)[place]


def _texts(values: pa.ChunkedArray) -> list[str]:
    return [one for one in pc.unique(values.cast(pa.string())).to_pylist() if one is not None]
