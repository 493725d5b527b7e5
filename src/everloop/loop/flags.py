"""Flags: people stop a roll-out where they flip all their other flags. In: a house, a client of their flag service. Out: what was undone.

Nothing calls this but the team's own program: what is stopped is undone by the same word as by hand, journalled with the flag's name.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from everloop.errors import Overtaken
from everloop.loop.house import House
from everloop.loop.people import undo

if TYPE_CHECKING:
    from openfeature.client import OpenFeatureClient

BY = "openfeature"


def obey_flags(house: House, client: OpenFeatureClient, now: datetime) -> list[str]:
    """Take back every candidate in shadow or canary whose boolean flag ``model:NAME`` is off; a sentence for each.

    Called twice, or by two programs at once, it undoes once: what is undone is the roll-out that was asked about, and no other. While a
    flag stays off a later roll-out is taken back as well, at the next call. Raises StoreError.
    """
    from everloop.connect.openfeature import PREFIX, stopped

    told = []
    for name, traffic in house.pointers.all().items():
        model = house.project.models.get(name)
        if model is None or traffic.stage not in ("shadow", "canary") or not stopped(client, traffic):
            continue
        with suppress(Overtaken):  # whoever moved it was first; the next call looks at what stands then
            reason = f"the flag {PREFIX}{name} is off"
            told.append(undo(house, model, by=BY, reason=reason, now=now, generation=traffic.generation))
    return told
