"""Where the backups of a house were put, as it remembers; and telling those places of somebody who is forgotten."""

from __future__ import annotations

from everloop.clock import EPOCH
from everloop.connect.objects import NO_STORAGE, is_url, without_secret
from everloop.errors import EverloopError
from everloop.loop.backup.manifest import Gone, Place
from everloop.loop.backup.shelf import open_shelf
from everloop.loop.house import House

PLACES = "backups"
"""The fact that says where backups of a house were put, and which was the last."""


def places_of(house: House) -> dict[str, str]:
    """Each place, without a secret that was in its URL, and the id of the newest backup that was put there."""
    fact = house.facts.latest("", PLACES)
    return dict(fact.body) if fact is not None else {}


def remember(house: House, places: dict[str, str], *, alone: bool = False) -> None:
    """Note places with the newest backup of each, beside those there are; ``alone``: instead of them."""
    with house.store.transaction() as t:
        fact = house.facts.latest("", PLACES, within=t)
        house.facts.put(t, "", PLACES, EPOCH, places if alone or fact is None else {**fact.body, **places})


def named(to: str) -> str:
    """A place as it is remembered: no path starts from where somebody just stood, no secret is kept."""
    return without_secret(to) if is_url(to) else open_shelf(to, NO_STORAGE).said


def tell_places(house: House, gone: Gone) -> tuple[str, ...]:
    """Tell every place where backups of this house were put; in words, those that could not be told."""
    left = []
    for where in places_of(house):
        try:
            Place(open_shelf(where, house.settings.storage)).tell_gone(gone)
        except EverloopError as error:
            left.append(f"the backups in {where} were not told ({error}): back up there once more, or forget again after one is restored")
    return tuple(left)
