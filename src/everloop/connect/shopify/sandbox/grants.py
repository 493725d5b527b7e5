"""Tokens as a shop gives them: by client credentials, for an ID token, or for one that renews another. They end, and are refused then."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from everloop.clock import monotonic

DAY, HOUR, QUARTER = 86_399.0, 3_600.0, 90 * 86_400.0


@dataclass
class Grants:
    """The tokens given so far. ``lives`` is how many seconds one lives, None: as long as at Shopify."""

    client_id: str
    secret: str
    scopes: Sequence[str]
    lives: float | None = None
    given: int = 0
    """How many were given."""
    _good: dict[str, float] = field(default_factory=dict)
    _renews: dict[str, str | None] = field(default_factory=dict)
    """What renews, and what came of it: the pair given for it, until the new one was used."""
    _before: dict[str, str] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def knows(self, token: str | None) -> bool:
        """Whether this token opens the shop now."""
        with self._lock:
            return token is not None and self._good.get(token, 0.0) > monotonic()

    def take_back(self) -> None:
        """No token is good any more, as when somebody uninstalls the app or changes its secret."""
        with self._lock:
            self._good.clear()

    def answer(self, said: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of POST /admin/oauth/access_token."""
        with self._lock:
            if said.get("client_id") != self.client_id or said.get("client_secret") != self.secret:
                return 400, {"error": "invalid_client", "error_description": "client_id or client_secret is not known"}
            kind = said.get("grant_type")
            if kind == "client_credentials":
                return 200, self._token(self.lives or DAY)
            if kind == "refresh_token":
                return self._renewed(str(said.get("refresh_token")))
            if str(kind).endswith(":token-exchange") and said.get("subject_token"):
                lives = self.lives or HOUR
                return 200, self._pair(lives) if str(said.get("expiring")) == "1" else self._token(10 * QUARTER)
            return 400, {"error": "unsupported_grant_type"}

    def _renewed(self, old: str) -> tuple[int, dict[str, Any]]:
        """Each renewal gives a new pair; the one before still renews until the new one was used."""
        if old not in self._renews:
            return 400, {"error": "invalid_grant", "error_description": "This refresh token is not known or was used up"}
        before = self._before.pop(old, None)
        if before is not None:
            self._renews.pop(before, None)
        pair = self._pair(self.lives or HOUR)
        self._before[pair["refresh_token"]] = old
        return 200, pair

    def _pair(self, lives: float) -> dict[str, Any]:
        refresh = f"shprt_{secrets.token_hex(16)}"
        self._renews[refresh] = None
        return {**self._token(lives), "refresh_token": refresh, "refresh_token_expires_in": int(QUARTER)}

    def _token(self, lives: float) -> dict[str, Any]:
        token = f"shpat_{secrets.token_hex(16)}"
        self._good[token] = monotonic() + lives
        self.given += 1
        return {"access_token": token, "scope": ",".join(self.scopes), "expires_in": max(1, int(lives))}
