"""What each flag was last seen to say, and what was done about it; in the shop's own database, so that a restart does nothing twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from everloop.connect.shopify.place import Place

TABLE: Final = "create table if not exists flags (handle text primary key, body text not null) without rowid"


@dataclass(frozen=True)
class Seen:
    """One flag. ``rolled`` is the candidate that ``percent`` was set for; ``answered`` the answer that was carried out, ``tried`` the
    question it was for, noted before; ``notes`` what came of percent and answer, for people."""

    model: str = ""
    updated_at: str = ""
    kill: bool = False
    percent: int | None = None
    rolled: str | None = None
    answered: str = ""
    tried: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    def newer_than(self, updated_at: str) -> bool:
        """Whether what was seen is newer than what was changed then (both as Shopify says instants: UTC, to the second).

        >>> Seen(updated_at="2026-11-02T09:30:01Z").newer_than("2026-11-02T09:30:00Z"), Seen().newer_than("")
        (True, False)
        """
        return self.updated_at > updated_at


@dataclass(frozen=True)
class SeenFlags:
    """Every flag of a shop. Make it once: that makes its table."""

    place: Place

    def __post_init__(self) -> None:
        with self.place.transaction() as t:
            t.execute(TABLE)

    def of(self, handle: str) -> Seen:
        """What a flag was last seen to say; of one never seen, nothing."""
        with self.place.transaction(write=False) as t:
            row = t.execute("select body from flags where handle = ?", (handle,)).fetchone()
        return Seen(**json.loads(row[0])) if row else Seen()

    def keep(self, handle: str, **words: Any) -> Seen:
        """Remember something else of a flag."""
        now = replace(self.of(handle), **words)
        with self.place.transaction() as t:
            body = json.dumps(asdict(now))
            t.execute("insert into flags values (?, ?) on conflict (handle) do update set body = excluded.body", (handle, body))
        return now

    def forget(self, handle: str) -> None:
        """A flag that is no more."""
        with self.place.transaction() as t:
            t.execute("delete from flags where handle = ?", (handle,))


def without(notes: Mapping[str, str], name: str) -> dict[str, str]:
    """The notes but this one."""
    return {key: value for key, value in notes.items() if key != name}
