"""API keys: who may do what over HTTP. Values and arithmetic only: no clock, no disk, and no secret is kept.

A key is ``ev_<id>_<secret>``. What is kept is the SHA-256 of the secret and never the secret: it holds 256 random bits, so nobody can try
them all, and the slow hash that people's passwords need would only make every request slow. Beyond this machine everything is denied unless
a key allows it; from this machine, where whoever can ask can read the house's files too, no key is needed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal, TypeAlias, get_args

from everloop.errors import EverloopError

Scope: TypeAlias = Literal["predict", "ingest", "operate", "look"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
UNIX_SOCKET = "unix socket"
"""The peer of a request that came over a unix socket."""

_SHAPE = re.compile(r"ev_([0-9a-z]{1,32})_([A-Za-z0-9_-]{43})")
_HERE = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_NOBODY = "0" * 64


@dataclass(frozen=True)
class Key:
    """One key as it is kept: ``digest`` is the SHA-256 of the secret in hex; ``per_second`` how many requests a second each worker takes
    from it (None: as many as come)."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str = field(repr=False)
    revoked: bool = False
    per_second: float | None = None


@dataclass(frozen=True)
class Keys:
    """All keys of a house, also the revoked ones."""

    entries: tuple[Key, ...] = ()

    @cached_property
    def any_good(self) -> bool:
        """Whether there is a key that is not revoked. From then on a proxy on this machine, which looks like it, opens nothing."""
        return any(not key.revoked for key in self.entries)

    @cached_property
    def any_limited(self) -> bool:
        """Whether there is a key that may not ask as often as it likes."""
        return any(key.per_second is not None for key in self.entries)

    @cached_property
    def by_id(self) -> Mapping[str, Key]:
        return {key.id: key for key in self.entries}


@dataclass(frozen=True)
class Denied:
    """Why a request may not: 401, nobody knows who asks; 403, who asks may not do this."""

    status: Literal[401, 403]
    message: str


def new_key(name: str, scopes: Iterable[Scope], *, per_second: float | None = None) -> tuple[Key, str]:
    """A new key and its secret text, which is shown once and kept nowhere.

    >>> key, secret = new_key("till", ["predict"])
    >>> secret.startswith(f"ev_{key.id}_"), len(secret.rpartition(key.id)[2]), key.scopes
    (True, 44, ('predict',))

    Raises EverloopError for a scope there is not, or none at all.
    """
    wanted = tuple(dict.fromkeys(scopes))
    wrong = [scope for scope in wanted if scope not in SCOPES]
    if wrong or not wanted:
        raise EverloopError(f"{wrong[0] if wrong else 'Nothing'!r} is no scope of a key. Say one or more of {', '.join(SCOPES)}.")
    id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    return Key(id, name, wanted, digest_of(secret), per_second=per_second), f"ev_{id}_{secret}"


def key_of(text: str, name: str, scopes: tuple[Scope, ...]) -> Key:
    """A key as it is kept, from its text, which is not. Raises EverloopError for a text that is no key; what it was is not repeated.

    >>> key, text = new_key("till", ["predict"])
    >>> key_of(text, "till", ("predict",)) == key
    True
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise EverloopError("That is no key. It begins with ev_ and is told once: everloop key add till predict")
    return Key(match[1], name, scopes, digest_of(match[2]))


def digest_of(secret: str) -> str:
    """The SHA-256 of a secret in hex.

    >>> digest_of("x")[:8]
    '2d711642'
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def allowed(
    keys: Keys, authorization_header: str | None, *, peer: str | None, host: str | None, forwarded: bool, scope: Scope
) -> Denied | None:
    """None if a request may do what needs ``scope``; else why not.

    ``peer`` is the address at the other end of the connection (``UNIX_SOCKET`` for one; None: unknown), ``host`` the Host header (None:
    none, or more than one), ``forwarded`` whether anything says that it came by way of somebody else. A key that is shown is always looked
    at, also from this machine.

    >>> key, secret = new_key("till", ["predict"])
    >>> far = {"peer": "203.0.113.9", "host": "shop.example", "forwarded": False}
    >>> allowed(Keys((key,)), f"Bearer {secret}", scope="predict", **far) is None
    True
    >>> allowed(Keys((key,)), None, scope="predict", **far).status, allowed(Keys((key,)), f"Bearer {secret}", scope="operate", **far).status
    (401, 403)
    >>> allowed(Keys(), None, scope="operate", peer="127.0.0.1", host="localhost:8321", forwarded=False) is None
    True
    """
    if authorization_header is None:
        if from_here(peer, host, forwarded) and (peer == UNIX_SOCKET or not keys.any_good):
            return None
        where = "here, since this house has keys" if keys.any_good else "from beyond this machine"
        return Denied(401, f"A key is needed {where}. Send Authorization: Bearer ev_…; everloop key add makes one.")
    key = shown(keys, authorization_header)
    if key is None:
        return Denied(401, "Nobody knows this key, or it was revoked. Send Authorization: Bearer ev_…; everloop key add makes one.")
    if scope not in key.scopes and not (scope == "look" and "operate" in key.scopes):
        return Denied(403, f"The key {key.name!r} may {' and '.join(key.scopes)}; this needs the scope {scope}. Use a key that has it.")
    return None


def from_here(peer: str | None, host: str | None, forwarded: bool) -> bool:
    """Whether a request comes from this machine itself.

    The Host must say so too: a page in a browser whose name was pointed at this machine (DNS rebinding) says its own.

    >>> from_here("127.0.0.1", "localhost:8321", False)
    True
    >>> from_here("127.0.0.1", "evil.example", False), from_here("10.0.0.4", "localhost", False)
    (False, False)
    """
    return not forwarded and host is not None and _HERE.fullmatch(host) is not None and peer is not None and is_here(peer)


@lru_cache(256)
def is_here(peer: str) -> bool:
    """Whether an address is this machine's own."""
    if peer == UNIX_SOCKET:
        return True
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _said(header: str) -> str:
    """The key in a header: a bearer's, or the password of whoever can say no other (Amazon SNS, by its URL); anything else is none."""
    how, _, said = header.partition(" ")
    if how.lower() == "basic":
        try:
            return base64.b64decode(said.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return said.strip() if how.lower() == "bearer" else ""


def shown(keys: Keys, header: str) -> Key | None:
    """The key a header shows, if it is one of ours and still good. An id nobody knows takes as long as a wrong secret."""
    match = _SHAPE.fullmatch(_said(header))
    if match is None:
        return None
    key = keys.by_id.get(match[1])
    same = hmac.compare_digest(digest_of(match[2]), key.digest if key else _NOBODY)
    return key if key is not None and same and not key.revoked else None
