"""Who is champion, who was, and why: the journal, versions, traffic, turns, approvals, alerts, facts and blobs of one house.

One file for each noun, each with its own table; ``store.py`` opens the database and holds the transaction they share.
"""

from everloop.registry.approvals import Approvals, Question
from everloop.registry.blobs import Blobs
from everloop.registry.facts import Fact, Facts
from everloop.registry.journal import Entry, Head, Journal
from everloop.registry.leases import Lease, Leases
from everloop.registry.outbox import Kept, Outbox
from everloop.registry.store import Store, open_store
from everloop.registry.traffic import Pointers
from everloop.registry.turns import Turn, Turns
from everloop.registry.versions import Versions

__all__ = [
    "Approvals",
    "Blobs",
    "Entry",
    "Fact",
    "Facts",
    "Head",
    "Journal",
    "Kept",
    "Lease",
    "Leases",
    "Outbox",
    "Pointers",
    "Question",
    "Store",
    "Turn",
    "Turns",
    "Versions",
    "open_store",
]
