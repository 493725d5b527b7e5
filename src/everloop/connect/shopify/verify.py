"""Who says so? Nothing gets past this file that Shopify did not sign for this shop. In: what came. Out: what it says, or NotFromShopify.

The signatures are checked by Shopify's own package, ``shopifyapp``; what it lets pass or stumbles over is refused before it is asked:
signatures and tokens that are not ASCII, headers that are missing, empty or come twice, both families of headers at once, bodies that are
no text, another shop's domain, ID tokens that never end. Headers are not signed, only bodies are: what a body says of its shop counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

import msgspec

import everloop.clock as clock
from everloop.connect.shopify.inbox import Delivery
from everloop.errors import EverloopError, Missing
from everloop.settings import SHOP, Shopify

if TYPE_CHECKING:
    from shopify_app import RequestInput, ShopifyApp

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[bytes, bytes]]
"""Headers as text, or as ASGI has them, where one that came twice is seen."""

CLASSIC, EVENTS = "x-shopify-", "shopify-"
"""How the headers of classic webhooks and of Next-Gen Events begin."""
_NEEDED = ("hmac-sha256", "topic", "shop-domain", "api-version", "webhook-id")
_OURS = (*_NEEDED, "event-id", "triggered-at", "action", "handle", "name")
_TOPIC = re.compile(r"[A-Za-z_]{1,60}(/[a-z_]{1,60})?")
_ID = re.compile(r"[\x21-\x7e]{1,200}")
_LONGEST_QUERY = 16_384
_ONCE = ("shop", "timestamp", "signature", "path_prefix", "logged_in_customer_id")


class NotFromShopify(EverloopError):  # noqa: N818 - named by what happened, as those of errors.py
    """Not believed. ``status`` is what HTTP answers: 400 where something needed is not there, 401 where it is and is not right."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


def webhook(settings: Shopify, headers: Headers, body: bytes) -> Delivery:
    """A webhook or Next-Gen Event as it was delivered; ``body`` is the raw bytes. What the body says is not read here.

    An event's topic is kept as ``Order/update``, its action behind it; a classic one as it is, ``orders/updated``. The instant it was
    triggered at is UTC; where Shopify does not say, or says it in no way that can be read, it is now. Raises NotFromShopify.
    https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
    """
    said = _family(headers)
    for name in _NEEDED:
        if not said.get(name):
            raise NotFromShopify(400, f"The header {name} is missing.")
    _signed(settings, said["hmac-sha256"], said["shop-domain"], body, flow=False)
    topic = said["topic"] + (f"/{said['action']}" if "action" in said else "")
    if not _TOPIC.fullmatch(topic):
        raise NotFromShopify(400, "The topic is none.")
    for name in ("webhook-id", "api-version", "event-id"):
        if name in said and not _ID.fullmatch(said[name]):
            raise NotFromShopify(400, f"The header {name} cannot be that.")
    return Delivery(
        id=said["webhook-id"],
        topic=topic,
        shop=settings.shop,
        triggered_at=instant(said.get("triggered-at")) or clock.wall(),
        api_version=said["api-version"],
        body=body,
        event_id=said.get("event-id"),
    )


def flow(settings: Shopify, headers: Headers, body: bytes) -> dict[str, Any]:
    """What a Flow action asks: the JSON object of its body. Raises NotFromShopify.

    https://shopify.dev/docs/apps/build/flow/actions/endpoints
    """
    said = _family(headers)
    if not said.get("hmac-sha256"):
        raise NotFromShopify(400, "The header hmac-sha256 is missing.")
    _signed(settings, said["hmac-sha256"], said.get("shop-domain"), body, flow=True)
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise NotFromShopify(400, "The body is no JSON.") from None
    if not isinstance(asked, dict):
        raise NotFromShopify(400, "The body is no JSON object.")
    _this_shop(settings, asked.get("shopify_domain"))
    return asked


def proxy(settings: Shopify, query: str | bytes) -> dict[str, str]:
    """What the storefront asks through the app proxy: the names and values of a raw query string, its signature left out.

    A name that came several times has its values joined by commas, as they were signed; those of Shopify's own come once. Signed at most
    90 seconds ago. Raises NotFromShopify.
    https://shopify.dev/docs/apps/build/online-store/app-proxies/authenticate-app-proxies
    """
    if len(query) > _LONGEST_QUERY:
        raise NotFromShopify(400, "The query is too long.")
    try:
        text = query.decode("ascii") if isinstance(query, bytes) else query
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        raise NotFromShopify(400, "The query cannot be read.") from None
    said: dict[str, str] = {}
    for name, value in pairs:
        if name in said and name in _ONCE:
            raise NotFromShopify(400, f"{name} comes more than once.")
        said[name] = f"{said[name]},{value}" if name in said else value
    signature = said.pop("signature", "")
    if not re.fullmatch(r"[0-9a-f]{64}", signature):
        raise NotFromShopify(401, "The signature is missing, or none.")
    if not re.fullmatch(r"[0-9]{1,12}", said.get("timestamp", "")):
        raise NotFromShopify(401, "The timestamp is missing, or none.")
    _this_shop(settings, said.get("shop"))
    # Written anew, so that what is checked and what is given back are the same names and values.
    url = f"https://app.invalid/?{urlencode(pairs)}"
    result = _app(settings).verify_app_proxy_req({"method": "GET", "headers": {}, "url": url, "body": ""})
    if not result.ok:
        raise NotFromShopify(401, f"Shopify did not sign this query ({result.log.code}).")
    return said


def id_token(settings: Shopify, headers: Headers) -> dict[str, Any]:
    """The claims of the ID token by which Shopify's admin says who is asking (``sub``: the user). Raises NotFromShopify.

    https://shopify.dev/docs/apps/build/authentication-authorization/session-tokens
    """
    said = _once(headers, ("authorization",)).get("authorization", "")
    token = said.removeprefix("Bearer ")
    if token == said or not re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", token):
        raise NotFromShopify(401, "There is no ID token.")
    request: RequestInput = {"method": "GET", "headers": {"authorization": said}, "url": "https://app.invalid/", "body": ""}
    try:
        result = _app(settings).verify_admin_ui_ext_req(request)
    except Exception:
        # Claims of other kinds than it looks for: whatever it stumbles over is no token of Shopify's.
        raise NotFromShopify(401, "The ID token is none.") from None
    if not result.ok or result.id_token is None:
        raise NotFromShopify(401, f"The ID token is not right ({result.log.code}).")
    claims: dict[str, Any] = result.id_token.claims
    for name in ("exp", "nbf"):
        if not isinstance(claims.get(name), int | float):
            raise NotFromShopify(401, f"The ID token has no {name}.")
    dest, iss = claims.get("dest"), claims.get("iss")
    # Shopify's documentation says https://, and its own library for tests does not.
    if (
        not isinstance(dest, str)
        or iss not in (f"{dest}/admin", f"{dest}/admin".removeprefix("https://"))
        or not dest.startswith("https://")
    ):
        raise NotFromShopify(401, "The ID token is for nobody.")
    _this_shop(settings, dest.removeprefix("https://"))
    return claims


def instant(text: object) -> datetime | None:
    """An instant as Shopify writes it, in UTC; None where it is none.

    >>> instant("2026-11-02T09:30:00-05:00").isoformat(), instant("soon"), instant(None)
    ('2026-11-02T14:30:00+00:00', None, None)
    """
    try:
        return clock.instant(text) if isinstance(text, str) and not text.isdigit() else None
    except EverloopError:
        return None


def _family(headers: Headers) -> dict[str, str]:
    """The headers Shopify adds, without what they begin with, of one family; a request that has both is of neither."""
    found = _once(headers, tuple(f"{prefix}{name}" for prefix in (CLASSIC, EVENTS) for name in _OURS))
    classic = {name.removeprefix(CLASSIC): value for name, value in found.items() if name.startswith(CLASSIC)}
    events = {name.removeprefix(EVENTS): value for name, value in found.items() if name.startswith(EVENTS)}
    if classic and events:
        raise NotFromShopify(400, "Headers of webhooks and of events at once.")
    classic.pop("action", None)  # a classic webhook's topic says all of it
    return classic or events


def _once(headers: Headers, wanted: tuple[str, ...]) -> dict[str, str]:
    """These headers by their names in small letters. Raises NotFromShopify for one that comes twice or is no plain text."""
    pairs: Iterable[tuple[Any, Any]] = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, str] = {}
    for name, value in pairs:
        key = (name.decode("latin-1") if isinstance(name, bytes) else str(name)).lower()
        if key not in wanted:
            continue
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if key in found:
            raise NotFromShopify(400, f"The header {key} comes more than once.")
        if not text.isascii():
            raise NotFromShopify(401, f"The header {key} is no plain text.")
        found[key] = text.strip()
    return found


def _signed(settings: Shopify, hmac: str, shop: str | None, body: bytes, *, flow: bool) -> None:
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}=", hmac):
        raise NotFromShopify(401, "The signature is none.")
    _this_shop(settings, shop)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NotFromShopify(401, "The body is no text, so nobody signed it.") from None
    request: RequestInput = {
        "method": "POST",
        "headers": {"x-shopify-hmac-sha256": hmac, "x-shopify-shop-domain": settings.shop},
        "url": "https://app.invalid/",
        "body": text,
    }
    app = _app(settings)
    try:
        result = app.verify_flow_action_req(request) if flow else app.verify_webhook_req(request)
    except RecursionError:
        # It reads the body to keep secrets out of its log, however deep that goes, before it looks at the signature.
        raise NotFromShopify(401, "The body is nested too deeply.") from None
    if not result.ok:
        raise NotFromShopify(401, f"Shopify did not sign this body ({result.log.code}).")


def _this_shop(settings: Shopify, shop: object) -> None:
    if not isinstance(shop, str) or not re.fullmatch(SHOP, shop):
        raise NotFromShopify(401, "The shop's domain is missing, or none.")
    if shop.lower() != settings.shop:
        raise NotFromShopify(401, "This is another shop's house.")


def _app(settings: Shopify) -> ShopifyApp:
    return _opened(settings.client_id, settings.secret, settings.old_secret)


@lru_cache(maxsize=8)
def _opened(client_id: str, secret: str, old_secret: str | None) -> ShopifyApp:
    try:
        from shopify_app import ShopifyApp
    except ImportError:
        raise Missing("shopifyapp", "shopify", "Believing what Shopify says") from None
    return ShopifyApp(client_id=client_id, client_secret=secret, old_client_secret=old_secret)
