"""API keys of a house: made, revoked, listed, and looked up by what answers over HTTP. Only here a secret is seen, once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import cast

from sqlalchemy import Connection

from everloop.loop.house import House
from everloop.loop.serve.routes import write_routes
from everloop.registry.keys import ApiKeys, KeptKey, checked
from everloop.serving.keys import Key, Keys, Scope, new_key


def add_key(house: House, name: str, scopes: Iterable[str], now: datetime, *, per_second: float | None = None) -> str:
    """A new key under a name nobody uses: its secret text, which is shown once and kept nowhere. ``now`` is wall time; ``per_second``
    how many requests a second each worker takes from it (None: as many as come).

    Raises EverloopError for a name that is none or in use, for a scope there is not, and for a rate that is none.
    """
    key, secret = new_key(name, cast("tuple[Scope, ...]", checked(name, tuple(scopes), per_second)), per_second=per_second)
    with house.store.transaction() as t:
        ApiKeys(house.store).add(t, key.id, key.name, key.scopes, key.digest, now=now, per_second=per_second)
    write_routes(house)
    return secret


def revoke_key(house: House, id_or_name: str, now: datetime) -> KeptKey:
    """End a key; within a second no worker takes it any more. Raises Unknown; StoreError where the workers cannot be told."""
    with house.store.transaction() as t:
        revoked = ApiKeys(house.store).revoke(t, id_or_name, now=now)
    write_routes(house)
    return revoked


def list_keys(house: House) -> list[KeptKey]:
    """Every key there ever was, oldest first, without its secret, which nobody has."""
    return ApiKeys(house.store).all()


def keys_of(house: House, *, within: Connection | None = None) -> Keys:
    """The keys as they are now, without their secrets. Raises StoreError where the house cannot be read."""
    kept = ApiKeys(house.store).all(within=within)
    return Keys(tuple(Key(k.id, k.name, cast("tuple[Scope, ...]", k.scopes), k.digest, k.revoked, k.per_second) for k in kept))
