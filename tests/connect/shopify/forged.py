"""What Shopify would send, signed by the documents' own words and no package of Shopify's; and a shop's settings to believe it by."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from urllib.parse import quote

from everloop.settings import Shopify

SECRET = "hush-hush-hush-hush-hush-hush-hush"
SHOP = "beans.myshopify.com"
CLIENT = "5d1f00"


def settings(**said: object) -> Shopify:
    return Shopify(
        **{"shop": SHOP, "client_id": CLIENT, "secret": SECRET, "admin": f"https://{SHOP}", "house": "http://127.0.0.1:1", **said}
    )


def signed(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def webhook(body: bytes, topic: str = "orders/create", id: str = "b54557e4-bdd9", secret: str = SECRET, **said: str) -> dict[str, str]:
    return {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": signed(body, secret),
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-API-Version": "2026-10",
        "X-Shopify-Webhook-Id": id,
        "X-Shopify-Triggered-At": "2026-11-02T09:30:01.250Z",
        "X-Shopify-Event-Id": "e-1",
        **said,
    }


def event(body: bytes, topic: str = "Order", action: str = "update") -> dict[str, str]:
    return {
        "shopify-topic": topic,
        "shopify-action": action,
        "shopify-handle": "orders",
        "shopify-hmac-sha256": signed(body),
        "shopify-shop-domain": SHOP,
        "shopify-api-version": "2026-10",
        "shopify-webhook-id": "ev-1",
        "shopify-triggered-at": "2026-11-02T09:30:01.250Z",
    }


def query(said: Mapping[str, str | list[str]], secret: str = SECRET, key: str = "signature") -> str:
    """A query of the app proxy: names in order, values of one name joined by commas, nothing between the pairs, HMAC in hex."""
    joined = {name: ",".join(value) if isinstance(value, list) else value for name, value in said.items()}
    signature = hmac.new(secret.encode(), "".join(f"{n}={v}" for n, v in sorted(joined.items())).encode(), hashlib.sha256).hexdigest()
    pairs = [(name, one) for name, value in said.items() for one in (value if isinstance(value, list) else [value])]
    return "&".join(f"{quote(n)}={quote(v)}" for n, v in [*pairs, (key, signature)])


def asked(**said: str | list[str]) -> dict[str, str | list[str]]:
    return {"shop": SHOP, "path_prefix": "/apps/recs", "timestamp": str(int(time.time())), "logged_in_customer_id": "7", **said}


def token(secret: str = SECRET, alg: str = "HS256", **said: object) -> str:
    """An ID token, put together by hand (RFC 7519)."""
    now = int(time.time())
    claims = {
        "iss": f"https://{SHOP}/admin",
        "dest": f"https://{SHOP}",
        "aud": CLIENT,
        "sub": "42",
        "exp": now + 60,
        "nbf": now - 1,
        "iat": now - 1,
        "jti": "j",
        "sid": "s",
        **said,
    }
    claims = {name: value for name, value in claims.items() if value is not ...}
    head, body = (_part(json.dumps(one).encode()) for one in ({"alg": alg, "typ": "JWT"}, claims))
    mac = _part(hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()) if alg != "none" else ""
    return f"{head}.{body}.{mac}"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
