"""API keys of a house: made, revoked, listed, and looked up by what answers over HTTP. Only here a secret is seen, once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import cast
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from everloop.clock import monotonic
from everloop.loop.house import House
from everloop.registry.keys import ApiKeys, KeptKey, checked
from everloop.serving.keys import Key, Keys, Scope, new_key

FRESH_SECONDS = 0.5
"""How old what a worker knows of the keys may be: well under the second after which a revoked key must open nothing."""
_known: WeakKeyDictionary[Engine, tuple[float, Keys]] = WeakKeyDictionary()


def add_key(house: House, name: str, scopes: Iterable[str], now: datetime) -> str:
    """A new key under a name nobody uses: its secret text, which is shown once and kept nowhere. ``now`` is wall time.

    Raises EverloopError for a name that is none or in use, and for a scope there is not.
    """
    key, secret = new_key(name, cast("tuple[Scope, ...]", checked(name, tuple(scopes))))
    with house.store.transaction() as t:
        ApiKeys(house.store).add(t, key.id, key.name, key.scopes, key.digest, now=now)
    return secret


def revoke_key(house: House, id_or_name: str, now: datetime) -> KeptKey:
    """End a key; within a second no worker takes it any more. Raises Unknown."""
    with house.store.transaction() as t:
        return ApiKeys(house.store).revoke(t, id_or_name, now=now)


def list_keys(house: House) -> list[KeptKey]:
    """Every key there ever was, oldest first, without its secret, which nobody has."""
    return ApiKeys(house.store).all()


def keys_of(house: House) -> Keys:
    """The keys as they are now, or were at most ``FRESH_SECONDS`` ago.

    Raises StoreError where the house cannot be read: nobody is let in by what may have been revoked.
    """
    before = _known.get(house.store.engine)
    now = monotonic()
    if before is not None and now - before[0] < FRESH_SECONDS:
        return before[1]
    entries = (Key(k.id, k.name, cast("tuple[Scope, ...]", k.scopes), k.digest, k.revoked) for k in ApiKeys(house.store).all())
    keys = Keys(tuple(entries))
    # Dated by when reading began: what was revoked while it was read is not believed for longer.
    _known[house.store.engine] = (now, keys)
    return keys
