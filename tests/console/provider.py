"""A small OpenID provider that is really asked: authlib's own server on Flask, with two people, and a way to make it lie."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.models import ClientMixin
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, jsonify, request
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "everloop", "a secret of the client's & the provider's"


@dataclass
class User:
    sub: str
    email: str
    verified: bool = True


@dataclass
class Lies:
    """What the provider says otherwise than it is: claims of its ID tokens, its key, how they are signed."""

    claims: dict = field(default_factory=dict)
    key: RSAKey | None = None
    alg: str = "RS256"
    issuer: str | None = None


@dataclass
class Client(ClientMixin):
    back: list

    def get_client_id(self):
        return CLIENT

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, uri):
        return uri in self.back

    def check_client_secret(self, secret):
        return secret == SECRET

    def check_endpoint_auth_method(self, method, _endpoint):
        return method == "client_secret_basic"

    def check_response_type(self, kind):
        return kind == "code"

    def check_grant_type(self, kind):
        return kind == "authorization_code"

    id_token_signed_response_alg = None


@dataclass
class Code:
    data: dict

    def get_redirect_uri(self):
        return self.data["redirect_uri"]

    def get_scope(self):
        return self.data["scope"]

    def get_nonce(self):
        return self.data["nonce"]

    def get_auth_time(self):
        return int(time.time())

    def get_acr(self):
        return None

    def get_amr(self):
        return None

    @property
    def code_challenge(self):
        return self.data["challenge"]

    @property
    def code_challenge_method(self):
        return self.data["method"]


@dataclass
class Given:
    """A provider that answers: its issuer, who its people are, to whom it sends back, and how it lies."""

    issuer: str
    users: dict
    back: list
    lies: Lies


@contextmanager
def provider():
    """A provider on a port of this machine."""
    users = {
        "kim": User("1001", "kim@shop.example"),
        "mal": User("1002", "kim@shop.example", verified=False),
        "noor": User("1003", "noor@x.example"),
    }
    app, lies, codes, back = Flask("provider"), Lies(), {}, []
    key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})

    class Grant(AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]

        def save_authorization_code(self, code, asked):
            data = asked.payload.data
            codes[code] = Code(
                {
                    "redirect_uri": asked.payload.redirect_uri,
                    "scope": asked.payload.scope,
                    "nonce": data.get("nonce"),
                    "challenge": data.get("code_challenge"),
                    "method": data.get("code_challenge_method"),
                    "user": asked.user,
                }
            )

        def query_authorization_code(self, code, _client):
            return codes.get(code)

        def delete_authorization_code(self, code):
            for name in [name for name, kept in codes.items() if kept is code]:
                del codes[name]

        def authenticate_user(self, code):
            return code.data["user"]

    class OpenID(OpenIDCode):
        def exists_nonce(self, nonce, _request):
            return any(code.data["nonce"] == nonce for code in codes.values())

        def resolve_client_private_key(self, _client):
            return lies.key or key

        def get_client_algorithm(self, _client):
            return lies.alg

        def get_encode_header(self, _client):
            return {"alg": lies.alg, "kid": "one"}

        def get_client_claims(self, _client):
            return {"iss": lies.issuer or given.issuer}

        def generate_user_info(self, user, _scope):
            return {"sub": user.sub, "email": user.email, "email_verified": user.verified, **lies.claims}

    server = AuthorizationServer(app, query_client=lambda id: Client(back) if id == CLIENT else None, save_token=lambda *_: None)
    server.register_grant(Grant, [OpenID(require_nonce=True), CodeChallenge(required=True)])

    @app.get("/.well-known/openid-configuration")
    def metadata():
        here = given.issuer
        return jsonify(
            issuer=here, authorization_endpoint=f"{here}/authorize", token_endpoint=f"{here}/token", jwks_uri=f"{here}/keys",
            response_types_supported=["code"], subject_types_supported=["public"],
            id_token_signing_alg_values_supported=["RS256", "HS256", "none"],
            token_endpoint_auth_methods_supported=["client_secret_basic"], code_challenge_methods_supported=["S256"],
        )  # fmt: skip

    @app.get("/keys")
    def keys():
        return jsonify(KeySet([key]).as_dict(private=False))

    @app.post("/token")
    def token():
        return server.create_token_response()

    @app.get("/authorize")
    def authorize():
        user = users[request.cookies.get("user", "kim")]
        grant = server.get_consent_grant(end_user=user)
        return server.create_authorization_response(grant_user=user, grant=grant)

    listener = make_server("127.0.0.1", 0, app, threaded=True)
    given = Given(f"http://localhost:{listener.server_port}", users, back, lies)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield given
    finally:
        listener.shutdown()
        thread.join(10)
        listener.server_close()
