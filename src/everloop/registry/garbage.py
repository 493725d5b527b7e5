"""Garbage: bodies that nothing names any more, because a turn was killed between saving a body and keeping the record that names it.

Whatever a record of the journal or a fact names is reached, and so is every version that lives or that undo may bring back, for these are
records. In: the store, the blobs. Out: what goes and what stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import select

from everloop.registry.blobs import Blobs
from everloop.registry.facts import FACTS
from everloop.registry.journal import JOURNAL
from everloop.registry.store import Store

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


def collect(store: Store, blobs: Blobs, *, untouched_since: float, dry_run: bool = False) -> Garbage:
    """Drop every body that nothing names and that was not saved after ``untouched_since`` (seconds since 1970), and what was half-written
    before. ``dry_run`` drops nothing and tells what would go."""
    if not dry_run:
        blobs.put_back()
    # Bodies are listed before names are read: one that is saved after this is not looked at, one whose record is kept meanwhile is named.
    there = {sha: blobs.path(sha).stat() for sha in blobs.all() if blobs.has(sha)}
    loose = there.keys() - named(store)
    old = sorted(sha for sha in loose if there[sha].st_mtime < untouched_since)
    left = [(path, path.stat().st_size) for path in blobs.leftovers(untouched_since=untouched_since)]
    gone = {sha: there[sha].st_size if dry_run else blobs.drop(sha, untouched_since=untouched_since) for sha in old}
    if not dry_run:
        for path, _ in left:
            path.unlink(missing_ok=True)
    went = tuple(sha for sha in old if gone[sha] or not blobs.has(sha) or dry_run)
    size = sum(gone.values()) + sum(size for _, size in left)
    return Garbage(went, len(left), size, kept=len(there) - len(loose), young=len(loose) - len(went))
