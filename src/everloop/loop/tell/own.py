"""Sources the house keeps for itself: what is told over HTTP and is no source of the user's. They live in the lake like any other.

Their names hold a dot, which no name in a project file can have; nothing that lists the project's sources knows them.
"""

from __future__ import annotations

import pyarrow as pa

from everloop.lake.snapshot import read_source
from everloop.loop.house import House
from everloop.project.source import Source, replace_rows


def own_source(source: Source) -> Source:
    """The same source under a name that only the house can give.

    >>> own_source(Source("truths", id="said", columns={})).name
    'everloop.truths'
    """
    made = replace_rows(source, ())
    object.__setattr__(made, "name", f"everloop.{source.name}")
    return made


def own_events(house: House, source: Source) -> pa.Table:
    """The event table of one of them as it is now; read again only where something arrived."""
    reached = house.reached(source.name)
    kept = house.reads.get(source.name)
    if kept is None or kept[0] != reached:
        kept = house.reads[source.name] = (reached, read_source(house.lake, source))
    return kept[1]
