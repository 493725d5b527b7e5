"""News that no record caused: into the outbox, with the journal's head. What becomes of it there is ``deliver``'s."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from everloop.records import Alert

if TYPE_CHECKING:
    from everloop.loop.house import House


def put_news(house: House, alert: Alert, at: datetime) -> bool:
    """Put it into the outbox, dated ``at`` (aware); False where it is the same news as before."""
    with house.store.transaction() as t:
        return house.outbox.put(t, alert, at=at, head=str(house.journal.head(within=t)))
