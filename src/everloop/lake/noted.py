"""A delivery as JSON text, and back; what a newer Everloop may have added is passed over."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from everloop.lake.tables import Delivery

_encode = msgspec.json.Encoder().encode
delivery = msgspec.json.Decoder(Delivery).decode


def without_rows(several: Sequence[Delivery]) -> list[Delivery]:
    """What stays of a source's deliveries (in order of number) whose rows are all gone: where each file lay, and how far streams were
    taken by the last. Else what was forgotten would come again from where it lies."""
    kept = [one for one in several if one.origin is not None or (one is several[-1] and one.marks)]
    marks = several[-1].marks if several else ()
    return [
        Delivery(source=one.source, number=one.number, at=one.at, first_seq=1, last_seq=0, rows=0, origin=one.origin,
                 marks=marks if one is kept[-1] else ())
        for one in kept
    ]  # fmt: skip


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
