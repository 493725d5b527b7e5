"""Who is champion, who was, and why: the journal, versions, traffic, turns, approvals, alerts, facts and blobs of one house.

One file for each noun, each with its own table; ``store.py`` opens the database and holds the transaction they share.

A noun is loaded when it is first named: who reads routes only does not load what reads databases.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everloop.registry.approvals import Approvals, Question
    from everloop.registry.blobs import Blobs
    from everloop.registry.claims import Claims
    from everloop.registry.errands import Errand, Errands
    from everloop.registry.facts import Fact, Facts
    from everloop.registry.incidents import Incidents
    from everloop.registry.journal import Entry, Head, Journal
    from everloop.registry.keys import ApiKeys, KeptKey
    from everloop.registry.leases import Lease, Leases
    from everloop.registry.letters import Letter, Letters
    from everloop.registry.outbox import Kept, Outbox
    from everloop.registry.people import KeptPerson, People, Person
    from everloop.registry.runs import Run, Runs
    from everloop.registry.sessions import Links, Session, Sessions
    from everloop.registry.store import Store, open_store
    from everloop.registry.traffic import Pointers
    from everloop.registry.turns import Turn, Turns
    from everloop.registry.versions import Versions

__all__ = [
    "ApiKeys",
    "Approvals",
    "Blobs",
    "Claims",
    "Entry",
    "Errand",
    "Errands",
    "Fact",
    "Facts",
    "Head",
    "Incidents",
    "Journal",
    "Kept",
    "KeptKey",
    "KeptPerson",
    "Lease",
    "Leases",
    "Letter",
    "Letters",
    "Links",
    "Outbox",
    "People",
    "Person",
    "Pointers",
    "Question",
    "Run",
    "Runs",
    "Session",
    "Sessions",
    "Store",
    "Turn",
    "Turns",
    "Versions",
    "open_store",
]

_FILES = {
    "approvals": "Approvals Question",
    "blobs": "Blobs",
    "claims": "Claims",
    "errands": "Errand Errands",
    "facts": "Fact Facts",
    "incidents": "Incidents",
    "journal": "Entry Head Journal",
    "keys": "ApiKeys KeptKey",
    "leases": "Lease Leases",
    "letters": "Letter Letters",
    "outbox": "Kept Outbox",
    "runs": "Run Runs",
    "people": "KeptPerson People Person",
    "sessions": "Links Session Sessions",
    "store": "Store open_store",
    "traffic": "Pointers",
    "turns": "Turn Turns",
    "versions": "Versions",
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
