"""Signing in by an OpenID provider: the code flow with PKCE (OpenID Connect Core 1.0, RFC 6749, RFC 7636, RFC 8414). In: a provider's
issuer and what a browser brought back. Out: who that is, as the provider says.

The only file that imports authlib: what is asked is written, and what is said is checked, by it; it is asked over HTTP by httpx.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from everloop.clock import monotonic
from everloop.errors import EverloopError, Missing

PATIENCE = 10.0
KNOWN_FOR = 600.0
"""Seconds that what a provider says of itself counts."""
LEEWAY = 60
"""Seconds two clocks may differ by."""
SIGNED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""How an ID token may be signed: by the provider's private key, never by what both of us know, nor not at all."""


class NotSignedInError(EverloopError):
    """The provider does not say who this is, or not to us."""


@dataclass(frozen=True)
class Going:
    """Somebody on the way to a provider: where they are sent, and what must come back with them."""

    url: str
    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True)
class Who:
    """Who came back: ``subject`` is issuer and subject, which no two share and none changes; ``name`` what they are called."""

    subject: str
    name: str


@dataclass(frozen=True)
class Provider:
    """One OpenID provider, as it knows this house. ``claim`` is what of its word is a person's name here."""

    issuer: str
    client: str
    secret: str = field(repr=False)
    claim: str = "email"
    _known: dict[str, tuple[float, Any]] = field(default_factory=dict, repr=False, compare=False)

    def away(self, back: str) -> Going:
        """Where a browser is sent to; it comes back to ``back``. Raises NotSignedInError where the provider cannot be asked, Missing."""
        try:
            from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
            from authlib.oauth2.rfc7636 import create_s256_code_challenge
        except ImportError:
            raise Missing("authlib", "oidc", "Signing in by an OpenID provider") from None
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        scope = "openid profile email" if self.claim != "sub" else "openid"
        more = {"nonce": nonce, "code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"}
        where = self._said()["authorization_endpoint"]
        url = prepare_grant_uri(where, self.client, "code", redirect_uri=back, scope=scope, state=state, **more)
        return Going(str(url), state, nonce, verifier)

    def back(self, to: str, query: Mapping[str, str], going: Going) -> Who:
        """Who came back to ``to`` with this query, having been sent there as ``going`` says. Raises NotSignedInError."""
        if not secrets.compare_digest(query.get("state", "").encode(), going.state.encode()):
            raise NotSignedInError("This is not the answer to what this browser asked. Sign in again.")
        if "error" in query:
            raise NotSignedInError(f"The provider says: {query.get('error_description') or query['error']}"[:300])
        # RFC 9207: an answer of another provider is not taken for this one's.
        if query.get("iss", self.issuer).rstrip("/") != self.issuer.rstrip("/"):
            raise NotSignedInError("This is the answer of another provider. Sign in again.")
        fields = {
            "grant_type": "authorization_code", "code": query.get("code", ""), "redirect_uri": to, "code_verifier": going.verifier,
        }  # fmt: skip
        said = self._said()
        methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if "client_secret_basic" in methods:
            auth, more = (quote(self.client, safe=""), quote(self.secret, safe="")), {}
        else:
            auth, more = None, {"client_id": self.client, "client_secret": self.secret}
        token = self._asked("POST", said["token_endpoint"], data={**fields, **more}, auth=auth)
        claims = self._checked(token, going.nonce)
        if self.claim not in claims and "userinfo_endpoint" in said:
            told = self._asked("GET", said["userinfo_endpoint"], headers={"authorization": f"Bearer {token.get('access_token', '')}"})
            if told.get("sub") != claims["sub"]:
                raise NotSignedInError("The provider tells of two different people. Nobody is let in.")
            claims = {**told, **claims}
        return self._who(claims)

    def _who(self, claims: Mapping[str, Any]) -> Who:
        name = claims.get(self.claim)
        if not isinstance(name, str) or not name.strip():
            raise NotSignedInError(
                f'The provider does not say the {self.claim} of who this is. By its own word for them: [console] oidc_claim = "sub"'
            )
        if self.claim == "email" and claims.get("email_verified") is not True:
            raise NotSignedInError(f"The provider has not verified that {name} is theirs, so nobody is let in by it.")
        return Who(f"{claims['iss']} {claims['sub']}", name.strip())

    def _checked(self, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """What an ID token claims, once its signature and everything it must say are right."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        raw = token.get("id_token")
        if not isinstance(raw, str):
            raise NotSignedInError("The provider gave no ID token. Is its client one of OpenID Connect?")
        offered = [alg for alg in self._said().get("id_token_signing_alg_values_supported", ["RS256"]) if alg in SIGNED]
        registry = JWSRegistry(algorithms=offered or ["RS256"], strict_check_header=False)
        try:
            try:
                read = jwt.decode(raw, KeySet.import_key_set(self._keys()), registry=registry)
            except InvalidKeyIdError:  # it changed its keys
                read = jwt.decode(raw, KeySet.import_key_set(self._keys(anew=True)), registry=registry)
            must = {"iss": {"essential": True, "value": self.issuer_said}, "aud": {"essential": True, "value": self.client}}
            params = {"nonce": nonce, "client_id": self.client, "access_token": token.get("access_token")}
            claims = CodeIDToken(read.claims, read.header, must, params)
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError, KeyError) as error:
            raise NotSignedInError(f"What the provider says cannot be believed ({type(error).__name__}: {error}).") from error
        return dict(claims)

    @property
    def issuer_said(self) -> str:
        """The issuer by its own word, which has to be ours."""
        return str(self._said()["issuer"])

    def _said(self) -> dict[str, Any]:
        """What the provider says of itself."""
        said: dict[str, Any] = self._remembered("metadata", self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if str(said.get("issuer", "")).rstrip("/") != self.issuer.rstrip("/"):
            raise NotSignedInError(f"{self.issuer} calls itself {said.get('issuer')}. Say that one: [console] oidc")
        missing = [name for name in ("authorization_endpoint", "token_endpoint", "jwks_uri") if name not in said]
        if missing:
            raise NotSignedInError(f"{self.issuer} does not say its {' and '.join(missing)}.")
        return said

    def _keys(self, *, anew: bool = False) -> Any:
        return self._remembered("keys", self._said()["jwks_uri"], anew=anew)

    def _remembered(self, what: str, url: str, *, anew: bool = False) -> Any:
        since, found = self._known.get(what, (0.0, None))
        if found is None or anew or monotonic() - since > KNOWN_FOR:
            found = self._asked("GET", url)
            self._known[what] = (monotonic(), found)
        return found

    def _asked(self, method: str, url: str, **words: Any) -> Any:
        import httpx

        try:
            with httpx.Client(timeout=PATIENCE) as client:
                reply = client.request(method, url, **words)
                reply.raise_for_status()
                return reply.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise NotSignedInError(
                f"The provider {self.issuer} does not answer as it should ({type(error).__name__}). Try again."
            ) from error
