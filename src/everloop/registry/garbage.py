"""Garbage: bodies that nothing names any more, because a turn was killed between saving a body and keeping the record that names it.

Whatever a record of the journal or a fact names is reached, and so is every version that lives or that undo may bring back, for these are
records. In: the store, the blobs. Out: what goes and what stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import select

from everloop.registry.facts import FACTS
from everloop.registry.journal import JOURNAL
from everloop.registry.store import Store, SweptStore

_SHA = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True)
class Garbage:
    """What went, or would go: so many ``bodies`` and ``leftovers`` of ``size`` bytes. ``kept`` are named, ``young`` not named and too young
    to be told from those whose record is about to be kept."""

    bodies: tuple[str, ...]
    leftovers: int
    size: int
    kept: int
    young: int


def named(store: Store) -> set[str]:
    """The SHA-256 of every body that a record or a fact names."""
    found: set[str] = set()
    with store.reading() as connection:
        for column in (JOURNAL.c.body, FACTS.c.body):
            for row in connection.execute(select(column).execution_options(yield_per=1_000)):
                found.update(_SHA.findall(row[0]))
    return found


def collect(store: Store, blobs: SweptStore, *, untouched_since: float, dry_run: bool = False) -> Garbage:
    """Drop every body that nothing names and that was not saved after ``untouched_since`` (seconds since 1970), and what was half-written
    before. ``dry_run`` drops nothing and tells what would go."""
    left, left_size = blobs.tidied(untouched_since=untouched_since, dry_run=dry_run)
    # Bodies are listed before names are read: one that is saved after this is not looked at, one whose record is kept meanwhile is named.
    there = {one.sha: one for one in blobs.saved()}
    loose = there.keys() - named(store)
    old = sorted(sha for sha in loose if there[sha].at < untouched_since)
    gone = {sha: there[sha].size if dry_run else blobs.drop(sha, untouched_since=untouched_since) for sha in old}
    went = tuple(sha for sha in old if gone[sha] or not blobs.has(sha) or dry_run)
    return Garbage(went, left, sum(gone.values()) + left_size, kept=len(there) - len(loose), young=len(loose) - len(went))
