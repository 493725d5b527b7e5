"""A delivery as JSON text, and back; what a newer Everloop may have added is passed over."""

from __future__ import annotations

import msgspec

from everloop.lake.tables import Delivery

_encode = msgspec.json.Encoder().encode
delivery = msgspec.json.Decoder(Delivery).decode


def text(delivery: Delivery) -> str:
    """A delivery as JSON; what is unsaid is left out.

    >>> from datetime import UTC, datetime
    >>> one = Delivery(source="orders", number=1, at=datetime(2026, 11, 2, tzinfo=UTC), first_seq=1, last_seq=2, rows=2, new=("tip",))
    >>> text(one)
    '{"source":"orders","number":1,"at":"2026-11-02T00:00:00Z","first_seq":1,"last_seq":2,"rows":2,"new":["tip"]}'
    >>> delivery(text(one)) == one
    True
    """
    return _encode(delivery).decode()
