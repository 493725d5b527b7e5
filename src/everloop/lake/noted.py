"""A delivery as JSON text, and back."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from everloop.lake.tables import Delivery

_INSTANTS = ("at", "withdrawn_at")


def text(delivery: Delivery) -> str:
    """A delivery as JSON; what is unsaid is left out.

    >>> from datetime import UTC
    >>> one = Delivery(source="orders", number=1, at=datetime(2026, 11, 2, tzinfo=UTC), first_seq=1, last_seq=2, rows=2, new=("tip",))
    >>> delivery(text(one)) == one
    True
    """
    said: dict[str, Any] = {}
    for f in fields(delivery):
        value = getattr(delivery, f.name)
        if value != f.default:
            said[f.name] = value.isoformat() if isinstance(value, datetime) else value
    return json.dumps(said, ensure_ascii=False)


def delivery(said: str) -> Delivery:
    """The delivery a text says; what a newer Everloop may have added is passed over."""
    found = json.loads(said)
    known = {f.name for f in fields(Delivery)}
    values: dict[str, Any] = {name: _whole(name, value) for name, value in found.items() if name in known}
    return Delivery(**values)


def _whole(name: str, value: Any) -> Any:
    if name in _INSTANTS:
        return datetime.fromisoformat(value)
    if isinstance(value, list):
        return tuple(tuple(v) if isinstance(v, list) else v for v in value)
    return value
