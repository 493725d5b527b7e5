"""Deliveries that came another way than by a webhook of our own: EventBridge, Pub/Sub push, SQS. In: the envelope's bytes. Out: deliveries.

Nobody signs these, so they are believed only where they come by a way that is somebody's own: a queue, or a route that asks for a key. What
is inside is the same: Shopify's headers as attributes, and the payload. https://shopify.dev/docs/apps/build/webhooks/subscribe
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

import everloop.clock as clock
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.verify import NotFromShopify, instant

Reads: TypeAlias = Callable[[bytes], list[Delivery]]


def opened(shop: str, envelope: bytes) -> list[Delivery]:
    """The deliveries in an envelope of one of these kinds, told apart by what they look like.

    - EventBridge: ``detail`` holds ``metadata`` (the headers) and ``payload``;
    - Pub/Sub push: ``message`` holds ``attributes`` and ``data`` (base64);
    - SQS: ``Records`` or ``Messages``, each with a ``body`` that is one of the above as text, or ``{"metadata", "payload"}``.

    >>> event = b'{"detail": {"metadata": {"X-Shopify-Topic": "orders/create", "X-Shopify-Shop-Domain": "beans.myshopify.com",'
    >>> event += b'"X-Shopify-Webhook-Id": "b5", "X-Shopify-API-Version": "2026-10"}, "payload": {"id": 1}}}'
    >>> [(one.id, one.topic, one.body) for one in opened("beans.myshopify.com", event)]
    [('b5', 'orders/create', b'{"id":1}')]

    Raises NotFromShopify (400) for what is none, or another shop's.
    """
    try:
        return _opened(shop, msgspec.json.decode(envelope), depth=0)
    except (msgspec.DecodeError, RecursionError, binascii.Error, UnicodeDecodeError):
        raise NotFromShopify(400, "The envelope is no JSON.") from None


def _opened(shop: str, said: Any, depth: int) -> list[Delivery]:
    if isinstance(said, Mapping) and depth < 4:
        several = next((said[name] for name in ("Records", "Messages") if isinstance(said.get(name), list)), None)
        if several is not None:
            return [one for record in several for one in _opened(shop, record, depth + 1)]
        body = said.get("body", said.get("Body"))
        if isinstance(body, str):
            return _opened(shop, msgspec.json.decode(body.encode()), depth + 1)
        detail = said.get("detail", said)
        if isinstance(detail, Mapping) and isinstance(detail.get("metadata"), Mapping) and "payload" in detail:
            return [delivery(shop, detail["metadata"], msgspec.json.encode(detail["payload"]), said.get("id"))]
        message = said.get("message")
        if isinstance(message, Mapping) and isinstance(message.get("attributes"), Mapping) and isinstance(message.get("data"), str):
            return [delivery(shop, message["attributes"], base64.b64decode(message["data"], validate=True), message.get("messageId"))]
    raise NotFromShopify(400, "This is no envelope of EventBridge, Pub/Sub or SQS with a delivery of Shopify in it.")


def delivery(shop: str, attributes: Mapping[str, Any], body: bytes, id: object) -> Delivery:
    """A delivery from Shopify's headers, said as attributes, and its body; the bus's own ``id`` stands in for one that is not there.

    Raises NotFromShopify."""
    said = {str(name).lower().removeprefix("x-").removeprefix("shopify-"): value for name, value in attributes.items()}
    said = {name: value for name, value in said.items() if isinstance(value, str) and value}
    known_by = said.get("webhook-id") or (id if isinstance(id, str) else None)
    topic = said.get("topic", "") + (f"/{said['action']}" if said.get("action") and said.get("topic", "")[:1].isupper() else "")
    if known_by is None or not topic or len(known_by) > 200 or len(topic) > 130:
        raise NotFromShopify(400, "The envelope does not say which delivery it is, or of what.")
    if said.get("shop-domain", "").lower() != shop:
        raise NotFromShopify(401, "This is another shop's house.")
    return Delivery(
        id=known_by,
        topic=topic,
        shop=shop,
        triggered_at=instant(said.get("triggered-at")) or clock.wall(),
        api_version=said.get("api-version", ""),
        body=body,
        event_id=said.get("event-id"),
    )
