"""The noun of a version that goes from one house to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from everloop.records.record import Record


@dataclass(frozen=True, kw_only=True)
class Handover(Record):
    """A version went from one house to another: kept by the house it left (``way`` out) and by the one it came to (in).

    ``version`` is what it is called where it came from, ``file`` the SHA-256 of the file it went as, ``head`` where the journal there
    ended. Of one that came in, ``lineage`` is a body with what that journal says of it, and ``judged`` the verdict it brought.
    """

    model: str
    version: str
    way: Literal["out", "in"]
    file: str
    head: str = ""
    place: str = ""  # the stage, file or server it went to or came from
    lineage: str | None = None
    judged: str = ""
    signed: bool = False  # by the key this house asks for
