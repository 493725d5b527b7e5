"""Latest: the newest value each point knows, however old. In: points and versions. Out: the order number ``o`` of that version.

For many moments, versions that nothing ever takes the place of are put in order once and found by an ASOF join; only the few others are
compared one by one.
"""

from __future__ import annotations

from typing import Final

from everloop.features.moments import FOREVER
from everloop.features.reader import Reader, quoted
from everloop.features.window import ANOTHER, IN_FORCE, KNOWN, Points

#: Up to so many moments every version is simply compared with each: ordering them first would cost more.
FEW: Final = 4


def newest(reader: Reader, points: Points, table: str) -> str:
    """For each point that knows any version, the one that happened last (ties: the larger id); the name of a table ``point, o``."""
    keys = [f"CAST(v.{quoted(key)} AS VARCHAR)" for key in points.keys]
    same = [f"{key} = p.k{i}" for i, key in enumerate(keys)]
    seen = [KNOWN.format(at=points.at), IN_FORCE.format(at=points.at)]
    if points.without_asked or points.known_at is not None or points.moments <= FEW:
        met = " AND ".join([*same, *seen, *([ANOTHER] if points.without_asked else [])])
        last = "arg_max(v.o, {'at': v.event_at, 'id': v.id})"
        return reader.make(f"SELECT p.point, {last} AS o FROM {points.name} p JOIN {table} v ON {met} GROUP BY p.point")
    named = "".join(f", {key} AS k{i}" for i, key in enumerate(keys))
    frame = f"PARTITION BY {', '.join(keys)} ORDER BY v.known_at" if keys else "ORDER BY v.known_at"
    steady = reader.make(f"SELECT v.known_at{named}, max(v.o) OVER ({frame}) AS o FROM {table} v WHERE v.next_known = {FOREVER}")
    found = " AND ".join([*(f"v.k{i} = p.k{i}" for i in range(len(keys))), KNOWN.format(at="p.moment")])
    changed = " AND ".join([*same, *seen, f"v.next_known <> {FOREVER}"])
    made = reader.make(
        f"SELECT point, max(o) AS o FROM (SELECT p.point, v.o FROM {points.name} p ASOF JOIN {steady} v ON {found} "
        f"UNION ALL SELECT p.point, max(v.o) FROM {points.name} p JOIN {table} v ON {changed} GROUP BY p.point) GROUP BY point"
    )
    reader.drop(steady)
    return made
