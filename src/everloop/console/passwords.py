"""Passwords: argon2id with the parameters of RFC 9106's second recommended choice (64 MiB, 3 passes), and what a password must be."""

from __future__ import annotations

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from everloop.errors import EverloopError

SHORTEST, LONGEST = 12, 200
"""Characters. Long rather than strange: NIST SP 800-63B asks for length, and for no mixture of kinds."""
AT_ONCE = 2
"""Each hash takes 64 MiB and a core: who tries many passwords at once waits in a line (``doors.py``), and takes neither from anybody."""


@lru_cache(1)
def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)


@lru_cache(1)
def _nobody() -> str:
    """What the password of a name nobody has is held against, so that it takes as long."""
    return _hasher().hash("nobody at all has this password")


def hashed(password: str, name: str) -> str:
    """What is kept of a password. Raises EverloopError for one that is too short, too long or the person's own name."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise EverloopError(f"A password has {SHORTEST} to {LONGEST} characters; several words do well.")
    if len(set(password)) < 5 or (name.casefold() in password.casefold() and len(password) < len(name) + 8):
        raise EverloopError("This password is too easy to guess. Several words that do not belong together do well.")
    return _hasher().hash(password)


def fits(kept: str | None, password: str) -> bool:
    """Whether this is the password; None is kept of whoever has none, and takes as long."""
    try:
        return _hasher().verify(kept or _nobody(), password[: LONGEST + 1]) and kept is not None
    except (VerificationError, InvalidHashError):
        return False
