"""What everloop.toml says of a shop: ``[shopify]``, and ``[shopify.streams]`` in it. Reads nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from everloop.errors import SettingsError
from everloop.settings.checks import Checker, count, filled, near, site, span_of, text, yes_or_no
from everloop.settings.records import FILE, Shopify, Streams
from everloop.settings.streams import address

SHOP = r"[a-zA-Z0-9][a-zA-Z0-9\-]*\.myshopify\.com"
"""What a shop's permanent domain looks like, as Shopify's documentation of the authorization code grant says."""


def _shop(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(SHOP, value):
        raise ValueError('must be the shop\'s permanent domain, such as "beans.myshopify.com"')
    return value.lower()


def _api_version(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"20\d\d-(01|04|07|10)", value):
        raise ValueError('must be a version of the Admin API, such as "2026-10"')
    return value


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError('must be a currency, such as "EUR"')
    return value


def _streams(value: Any) -> dict[str, Any]:
    rules: dict[str, Checker] = {"url": address, "subject": _subject, "publish": yes_or_no, "consume": yes_or_no}
    if not isinstance(value, dict) or "url" not in value or (unknown := sorted(value.keys() - rules.keys())):
        hint = "" if not isinstance(value, dict) or "url" not in value else f"; there is no {unknown[0]}{near(unknown[0], rules)}"
        raise SettingsError(f'say url = "nats://127.0.0.1:4222", and subject, publish and consume if you like{hint}.')
    return {key: rules[key](inner) for key, inner in value.items()}


def _subject(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", value):
        raise ValueError("must be letters, digits, _ and -")
    return value


KEYS: dict[str, Checker] = {
    "shop": _shop,
    "client_id": text,
    "secret": text,
    "old_secret": text,
    "api_version": _api_version,
    "admin": site,
    "host": text,
    "port": count,
    "house": site,
    "key": text,
    "poll": span_of,
    "recommends": text,
    "forecasts": text,
    "within": span_of,
    "settles": span_of,
    "currency": _currency,
    "newcomers": count,
    "envelopes": text,
    "streams": _streams,
}
"""The keys of ``[shopify]``, and what each must be."""


def settled(said: Mapping[str, Any], serving: Mapping[str, Any], env: Mapping[str, str]) -> Shopify:
    lacking = [name for name in ("shop", "client_id", "secret") if name not in said]
    if lacking:
        cure = 'Secrets come from the environment: secret = "${SHOPIFY_SECRET}"'
        raise SettingsError(f"{FILE}: [shopify] lacks {' and '.join(lacking)}. {cure}")
    true: dict[str, Any] = {
        name: filled(value, env, f"shopify.{name}") if isinstance(value, str) else value for name, value in said.items()
    }
    here = f"http://{serving.get('host', '127.0.0.1')}:{serving.get('port', 8321)}"
    if "streams" in said:
        true["streams"] = Streams(**{**said["streams"], "url": filled(said["streams"]["url"], env, "shopify.streams.url")})
    return Shopify(**{"admin": f"https://{said['shop']}", "house": here, **true})
