"""The secrets of the console: random words nobody can guess, what is kept of them, and the words that forms carry. Values only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets

from everloop.serving.keys import digest_of

__all__ = ["digest_of", "form_word", "new_secret", "same", "sealed", "unsealed"]


def new_secret() -> str:
    """256 random bits as text that an address can carry.

    >>> len(new_secret()), new_secret() == new_secret()
    (43, False)
    """
    return secrets.token_urlsafe(32)


def form_word(secret: str) -> str:
    """What the forms of a session carry, made of its secret: who cannot read the cookie cannot know it (RFC 2104).

    >>> form_word("a") == form_word("a") != form_word("b")
    True
    """
    return hmac.new(secret.encode(), b"everloop console form", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that does not say how much of them is."""
    return hmac.compare_digest(one.encode(), other.encode())


def sealed(key: str, values: list[str]) -> str:
    """Values a browser keeps for us, which it cannot change: JSON, and what only who has the key can make of it.

    >>> unsealed("k", sealed("k", ["a", "b"])), unsealed("other", sealed("k", ["a", "b"])), unsealed("k", "x.y")
    (['a', 'b'], None, None)
    """
    body = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")  # which a cookie would put in quotes
    return f"{body}.{_made(key, body)}"


def unsealed(key: str, text: str) -> list[str] | None:
    """The values again; None: nobody with the key sealed this."""
    body, _, seal = text.partition(".")
    if not same(seal, _made(key, body)):
        return None
    return [str(value) for value in json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))]


def _made(key: str, body: str) -> str:
    return hmac.new(key.encode(), body.encode(), hashlib.sha256).hexdigest()
