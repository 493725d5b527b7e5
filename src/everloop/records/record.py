"""What every record has: who it is, when it was made, what of and at what cost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from datetime import datetime


def identity(*parts: object) -> str:
    """A short stable id from what something is made of: the first 16 hex digits of SHA-256 over the parts.

    >>> identity("demand", 3) == identity("demand", 3) != identity("demand", "3x")
    True
    """
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a step of a turn took, its child processes included: CPU seconds, and the bytes that were read and written by it.

    ``money`` is in whatever currency ``[prices]`` of everloop.toml is; None where nobody said a price. Bytes are None where the system does
    not count them.
    """

    cpu_seconds: float
    bytes_read: int | None = None
    bytes_written: int | None = None
    money: float | None = None
    peak_bytes: int | None = field(default=None, compare=False, metadata={"empty": "left out"})  # memory, in the process that held most


@dataclass(frozen=True, kw_only=True)
class Record:
    """Whatever the loop remembers. ``cost`` is known of the steps of a turn."""

    id: str
    made_at: datetime
    made_from: tuple[str, ...] = ()
    cost: Cost | None = field(default=None, compare=False, metadata={"empty": "left out"})

    def _repr_markdown_(self) -> str:
        """How a record shows itself in a notebook: a table of what it says."""
        rows = [(f.name, getattr(self, f.name)) for f in fields(self)]
        lines = [f"| {name} | {_in_a_cell(value)} |" for name, value in rows if value not in (None, (), "")]
        return "\n".join([f"**{type(self).__name__}**", "", "| | |", "|---|---|", *lines])


def _in_a_cell(value: object) -> str:
    if isinstance(value, tuple):
        return "<br>".join(_in_a_cell(v) for v in value)
    told = getattr(value, "sentence", None) or (f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value))
    return str(told).replace("|", "\\|").replace("<br>", "\0").replace("<", "&lt;").replace("\0", "<br>").replace("\n", " ")
