"""The secrets of the console: random words nobody can guess, what is kept of them, and the words that forms carry. Values only."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_secret() -> str:
    """256 random bits as text that an address can carry.

    >>> len(new_secret()), new_secret() == new_secret()
    (43, False)
    """
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What is kept of a secret: its SHA-256 in hex; it needs no slow hash, since nobody can try 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def form_word(secret: str) -> str:
    """What the forms of a session carry, made of its secret: who cannot read the cookie cannot know it (RFC 2104).

    >>> form_word("a") == form_word("a") != form_word("b")
    True
    """
    return hmac.new(secret.encode(), b"everloop console form", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that does not say how much of them is."""
    return hmac.compare_digest(one.encode(), other.encode())
