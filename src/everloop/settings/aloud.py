"""Which values of everloop.toml are secrets that stand in it as they are: the file goes into images. In: its tables. Reads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

SECRET: Final = {"console.oidc_secret", "shopify.secret", "shopify.old_secret", "shopify.key", "signing.password"}
"""The keys whose value is nobody's to read."""
_NAMED = re.compile(
    r"[?&;](?:pass|passwd|password|token|secret|sig|signature|x-amz-signature|api_?key|access_?key)=([^&;#\s]+)", re.IGNORECASE
)
_INSIDE = re.compile(r"://[^/\s@:]*:([^/\s@]+)@|(?:nats|tls)://([^/\s@:]+)@")
"""A password before a host; NATS takes a token alone there."""
_PLAIN = ("alertmanager://", "alertmanagers://", "mailto://", "mailtos://")
"""Addresses of people that hold no secret but where a password stands in them; of all others the address itself is the token."""


def said_aloud(tables: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys, in every stage, whose secret stands there itself and not as ``${NAME}``.

    >>> said_aloud({"registry": "postgresql://u:${PG}@db/h", "prod": {"registry": "postgresql://u:hush@db/h", "shopify": {"secret": "x"}}})
    ('prod.registry', 'prod.shopify.secret')
    >>> said_aloud({"people": {"ada": ["slack://T/B/x", "mailto://ada@shop.example"], "all": {"to": "slack://${SLACK}"}}})
    ('people.ada',)
    >>> said_aloud({"sources": {"people": "s3://shop/people.csv"}})
    ()
    """
    return tuple(dict.fromkeys(name for name, value in _leaves(tables) if _aloud(name, value)))


def of_person(name: str) -> bool:
    """Is a key, in whichever stage, an address of somebody?

    >>> of_person("prod.people.ada"), of_person("sources.people")
    (True, False)
    """
    table = name.split(".")
    return table[0] == "people" or (table[1:2] == ["people"] and table[0] not in ("sources", "streams"))


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    elif isinstance(value, str):
        yield name, value


def _aloud(name: str, value: str) -> bool:
    inside = ("".join(found) for found in _INSIDE.findall(value))
    if any("${" not in secret for secret in (*inside, *_NAMED.findall(value))):
        return True
    if "${" in value:
        return False
    table = name.split(".")
    return ".".join(table[-2:]) in SECRET or (of_person(name) and "://" in value and not value.strip().startswith(_PLAIN))
