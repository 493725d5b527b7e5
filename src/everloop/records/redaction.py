"""The noun of forgetting: what was known of a person is gone from a house."""

from __future__ import annotations

from dataclasses import dataclass

from everloop.records.record import Record


@dataclass(frozen=True, kw_only=True)
class Redaction(Record):
    """What was known of one person, or of everybody, was erased from whatever it was ``made_from``: snapshots, training sets, contests.

    ``person`` is a hash of the key with the house's own salt, empty where everybody was erased; the key itself is kept nowhere. ``rows``
    are how many went from each place, ``bodies`` the SHA-256 of each body before and now. ``versions`` had learnt from rows about the
    person; ``counted`` had only counted them among others. ``left`` says in words where copies may be that no house can reach.
    """

    column: str
    person: str
    by: str
    reason: str
    rows: tuple[tuple[str, int], ...] = ()
    bodies: tuple[tuple[str, str], ...] = ()
    versions: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
