"""Tokens that open a shop: asked for, kept sealed in ``shopify.db``, and renewed by one process at a time before they end.

Two kinds. The merchant's own app asks by its *client credentials* whenever it wants; such a token lives a day. An embedded app's *offline
token* lives an hour and comes with another that renews it; each renewal gives a new pair, and the old one still renews until the new one
was used, so that an answer that got lost costs nothing. https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens

How long a token lives is counted from our own clock at the moment it was asked for; the shop's is never compared with it. What a wrong
clock believes too long, the shop refuses, and it is renewed then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from everloop.clock import wall
from everloop.connect.shopify.house import Refused, Row, Unreachable
from everloop.connect.shopify.place import Place
from everloop.errors import Missing
from everloop.lake.alone import alone
from everloop.settings import Shopify

EARLY = 0.1
"""A token is renewed when this share of its life is left, or five minutes where that is less."""
SECONDS = 20.0
TRIES = 4
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
_OFFLINE = "urn:shopify:params:oauth:token-type:offline-access-token"
_TABLE = "create table if not exists tokens (shop text primary key, sealed blob not null)"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A token, when it was got and until when it is good (seconds since the epoch by our clock), and what renews it."""

    access: str = field(repr=False)
    got_at: float
    ends_at: float
    scopes: tuple[str, ...] = ()
    refresh: str | None = field(default=None, repr=False)
    refresh_ends_at: float | None = None

    def good_at(self, now: float) -> bool:
        """Whether it is to be used at this time. One from the future is not: somebody set the clock back.

        >>> day = Pair(access="x", got_at=0, ends_at=86_400)
        >>> day.good_at(80_000), day.good_at(86_200), day.good_at(-600)
        (True, False, False)
        """
        return self.got_at - 60 <= now < self.ends_at - min(300.0, EARLY * (self.ends_at - self.got_at))


@dataclass
class Tokens:
    """The tokens of one shop. Safe between threads and processes of one machine; ``said`` reads the disk only when it has to."""

    settings: Shopify
    place: Place
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=SECONDS), repr=False)
    now: Callable[[], float] = field(default=lambda: wall().timestamp(), repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    _last: Pair | None = field(default=None, init=False, repr=False)

    def said(self) -> str:
        """A token that is good now. Raises Unreachable where the shop does not answer, Refused where it gives none."""
        pair = self._last
        if pair is None or not pair.good_at(self.now()):
            pair = self._renewed(None)
        return pair.access

    def instead_of(self, refused: str) -> str:
        """Another token: the shop did not take this one. Somebody else may have renewed it already."""
        return self._renewed(refused).access

    def scopes(self) -> tuple[str, ...]:
        """What the token kept now allows, as Shopify said when it gave it."""
        self.said()
        return self._last.scopes if self._last else ()

    def exchange(self, id_token: str) -> None:
        """Get the offline token of an embedded app for the ID token its page brought; kept from now on. Raises Unreachable or Refused."""
        with self._alone():
            self._keep(self._asked({
                "grant_type": _EXCHANGE,
                "subject_token": id_token,
                "subject_token_type": _ID_TOKEN,
                "requested_token_type": _OFFLINE,
                "expiring": 1,
            }))  # fmt: skip

    def forget(self) -> None:
        """Nothing is kept of this shop's tokens: it uninstalled the app."""
        with self._alone(), self.place.transaction() as t:
            t.execute(_TABLE)
            t.execute("delete from tokens where shop = ?", (self.settings.shop,))
        self._last = None

    def _renewed(self, refused: str | None) -> Pair:
        with self._alone():
            kept = self._kept()
            if kept is not None and kept.access != refused and kept.good_at(self.now()):
                self._last = kept
                return kept
            return self._keep(self._asked(self._grant(kept)))

    def _grant(self, kept: Pair | None) -> Row:
        if kept is None or kept.refresh is None:
            return {"grant_type": "client_credentials"}
        return {"grant_type": "refresh_token", "refresh_token": kept.refresh}

    def _alone(self) -> Any:
        return alone(self.place.file.with_suffix(".tokens.lock"), "renewing the token of the shop")

    def _asked(self, grant: Row) -> Pair:
        """What the shop gives for this. Asking again is harmless for every grant."""
        url, said = f"{self.settings.admin}/admin/oauth/access_token", ""
        for failed in range(TRIES):
            asked_at = self.now()
            try:
                reply = self.client.post(url, json={"client_id": self.settings.client_id, "client_secret": self.settings.secret, **grant})
            except httpx.HTTPError as error:
                said = str(error) or type(error).__name__
            else:
                if reply.status_code < 400:
                    return _pair(reply, asked_at)
                if reply.status_code < 500 and reply.status_code != 429:
                    raise Refused(reply.status_code, _word(reply), _why(reply, grant, self.settings))
                said = f"status {reply.status_code}"
            if failed + 1 < TRIES:
                self.sleep(0.5 * 2**failed)
        raise Unreachable(f"The shop gives no token at {url}: {said}. It is tried again later.")

    def _keep(self, pair: Pair) -> Pair:
        sealed = _box(self.settings.secret).encrypt(json.dumps(asdict(pair)).encode())
        with self.place.transaction() as t:
            t.execute(_TABLE)
            t.execute("insert or replace into tokens values (?, ?)", (self.settings.shop, sealed))
        self._last = pair
        return pair

    def _kept(self) -> Pair | None:
        """The pair on the disk; None where there is none, or none that this secret or the one before opens."""
        with self.place.transaction() as t:
            t.execute(_TABLE)
            row = t.execute("select sealed from tokens where shop = ?", (self.settings.shop,)).fetchone()
        opened = None if row is None else _opened(row[0], self.settings)
        return None if opened is None else Pair(**{**opened, "scopes": tuple(opened["scopes"])})


def _pair(reply: httpx.Response, asked_at: float) -> Pair:
    try:
        said = reply.json()
        access, lives = str(said["access_token"]), float(said.get("expires_in") or 10 * 365 * 86_400.0)
    except (ValueError, KeyError, TypeError):
        raise Unreachable(f"{reply.request.url} answered {reply.status_code} and no token: is [shopify] admin a shop?") from None
    refresh_lives = said.get("refresh_token_expires_in")
    return Pair(
        access=access,
        got_at=asked_at,
        ends_at=asked_at + lives,
        scopes=tuple(scope for scope in str(said.get("scope") or "").split(",") if scope),
        refresh=said.get("refresh_token"),
        refresh_ends_at=asked_at + float(refresh_lives) if refresh_lives else None,
    )


def _word(reply: httpx.Response) -> str:
    try:
        return str(reply.json().get("error") or "refused")
    except (ValueError, AttributeError):
        return "refused"


def _why(reply: httpx.Response, grant: Row, settings: Shopify) -> str:
    step = {
        "client_credentials": "Is the app of the shop's own organisation, installed there, and [shopify] client_id and secret its own?",
        "refresh_token": "Nothing renews it any more: open the app in the shop's admin, and it is exchanged anew.",
    }.get(str(grant["grant_type"]), "The ID token lives a minute and is for one app: open the app's page again.")
    return f"{settings.shop} gives no token ({reply.status_code} {_word(reply)}). {step}"


def _opened(sealed: bytes, settings: Shopify) -> dict[str, Any] | None:
    """What was sealed with the secret of now or the one before. A token nobody can open is asked for anew, so this is no error."""
    try:
        from cryptography.fernet import InvalidToken
    except ImportError:
        raise Missing("cryptography", "shopify", "Keeping a shop's tokens") from None
    for secret in filter(None, (settings.secret, settings.old_secret)):
        try:
            opened: dict[str, Any] = json.loads(_box(secret).decrypt(sealed))
            return opened
        except InvalidToken:
            continue
    return None


def _box(secret: str) -> Any:
    """What seals and opens by a key made of the app's secret. HKDF: RFC 5869; Fernet: AES-128-CBC with HMAC-SHA256."""
    import base64

    try:
        from cryptography.fernet import Fernet
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError:
        raise Missing("cryptography", "shopify", "Keeping a shop's tokens") from None
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"everloop shopify tokens").derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))
