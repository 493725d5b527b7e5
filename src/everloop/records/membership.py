"""The noun of who is let into a house: somebody's role from then on, by whose word."""

from __future__ import annotations

from dataclasses import dataclass, field

from everloop.records.record import Record


@dataclass(frozen=True, kw_only=True)
class Membership(Record):
    """From now on ``person`` may in this house what their ``role`` says (viewer, operator, approver, admin); None: nothing any more.

    With a role, ``reason`` is what was done to how they come in (a link to set a password, the password itself); the role is as before.
    """

    person: str
    role: str | None
    by: str
    reason: str = ""
    why: str | None = field(default=None, metadata={"empty": "left out"})  # what was said for letting them in, or for another role
