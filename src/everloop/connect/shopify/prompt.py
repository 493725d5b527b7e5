"""Promptness: what a merchant said in the admin is heard before anything that came before it, however much waits in the inbox.

The drain takes deliveries in the order they came, a kill switch behind ten thousand orders. This looks for those about metaobjects alone,
as soon as they are on the disk. The drain hands them on as well, and again changes nothing; so what fails here is done there.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Final

from everloop.connect.shopify.hand import Hand
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.place import Place

EVERY: Final = 0.1
"""Seconds between two looks."""
_NEW: Final = "select seq, body from inbox where seq > ? and state = 'waiting' and topic like 'metaobjects/%' order by seq"
_log = logging.getLogger("everloop.shopify")


def hears(hand: Hand) -> Callable[[Delivery], None]:
    """Who is handed the deliveries about metaobjects (``metaobjects/*``). Raises Unreachable: then it is handed on again."""

    def heard(delivery: Delivery) -> None:
        for sentence in hand.heard(json.loads(delivery.body)):
            _log.info("%s", sentence)

    return heard


class Promptly:
    """Who hears metaobjects first: ``carry`` for a thread beside the door."""

    def __init__(self, place: Place, hand: Hand, told: Callable[[str], object] = _log.info) -> None:
        self.place, self.hand, self.told = place, hand, told
        self._last = 0

    def look(self) -> int:
        """Hear what came since the last look; how much that was."""
        with self.place.transaction(write=False) as t:
            found = t.execute(_NEW, (self._last,)).fetchall()
        for seq, body in found:
            self._last = int(seq)
            try:
                for sentence in self.hand.heard(json.loads(body)):
                    self.told(sentence)
            except Exception as error:
                _log.info("A flag is not heard yet, and is handed on again: %s", error)
        return len(found)

    def carry(self, stop: threading.Event) -> None:
        """Look until ``stop``."""
        while not stop.wait(EVERY):
            try:
                self.look()
            except Exception as error:
                _log.warning("The inbox could not be looked into: %s", error)
