"""What Shopify signs with the app's secret: what a buyer asks through the app proxy, and what Flow and webhooks say."""

from __future__ import annotations

import base64
import hashlib
import hmac


def proxy_signature(said: list[tuple[str, str]], secret: str) -> str:
    """What Shopify signs a proxied request with: its parameters, several of a name joined, sorted and run together.

    The example of Shopify's page:

    >>> said = [("extra", "1"), ("extra", "2"), ("shop", "shop-name.myshopify.com"), ("logged_in_customer_id", "1"),
    ...         ("path_prefix", "/apps/awesome_reviews"), ("timestamp", "1317327555")]
    >>> proxy_signature(said, "hush")
    '4c68c8624d737112c91818c11017d24d334b524cb5c2b8ba08daa056f7395ddb'
    """
    joined: dict[str, list[str]] = {}
    for name, value in said:
        joined.setdefault(name, []).append(value)
    text = "".join(sorted(f"{name}={','.join(values)}" for name, values in joined.items()))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def body_signature(body: bytes, secret: str) -> str:
    """What webhooks and the actions of Flow are signed with."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
