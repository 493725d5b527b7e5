"""Lake: what happened. Events come in, snapshots go out, nothing is overwritten. Every ``now`` is an argument; no clock is read.

``receive`` takes rows through the hot log (events.db), ``ingest`` takes whole files, ``seal`` moves what is hot into Delta tables exactly
once, ``snapshot`` says how far each source counts and ``read`` reads that again, row for row, whenever it is asked.
"""

from everloop.lake.gather import Gathering
from everloop.lake.ingest import ingest
from everloop.lake.place import Lake, open_lake
from everloop.lake.receive import receive
from everloop.lake.seal import seal
from everloop.lake.shape import ALWAYS, event_schema
from everloop.lake.snapshot import read, read_source, snapshot
from everloop.lake.tables import Delivery
from everloop.lake.withdraw import accept_columns, deliveries, withdraw

__all__ = [
    "ALWAYS",
    "Delivery",
    "Gathering",
    "Lake",
    "accept_columns",
    "deliveries",
    "event_schema",
    "ingest",
    "open_lake",
    "read",
    "read_source",
    "receive",
    "seal",
    "snapshot",
    "withdraw",
]
