"""API keys: who may do what, and what is kept of a key."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.errors import EverloopError
from everloop.serving import keys as keys_module
from everloop.serving.keys import UNIX_SOCKET, Key, Keys, allowed, digest_of, from_here, new_key

FAR = {"peer": "203.0.113.9", "host": "shop.example", "forwarded": False}
HERE = {"peer": "127.0.0.1", "host": "localhost:8321", "forwarded": False}
KEY, SECRET = new_key("till", ["predict"])
REVOKED, REVOKED_SECRET = new_key("old", ["predict"])
KEYS = Keys((KEY, Key(REVOKED.id, REVOKED.name, REVOKED.scopes, REVOKED.digest, revoked=True)))


def test_what_is_kept_is_the_digest_of_256_random_bits_and_never_the_secret():
    secret = SECRET.split("_", 2)[2]
    assert len(secret) == 43
    assert KEY.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(KEY)
    assert KEY.digest not in repr(Keys((KEY,)))


def test_two_keys_are_never_the_same():
    assert len({new_key("k", ["ingest"])[1] for _ in range(100)}) == 100


@pytest.mark.parametrize("scopes", [[], ["predict", "everything"]])
def test_a_key_has_scopes_that_there_are(scopes):
    with pytest.raises(EverloopError, match="Say one or more of predict, ingest, operate"):
        new_key("k", scopes)


@pytest.mark.parametrize(
    ("header", "scope", "status"),
    [
        (f"Bearer {SECRET}", "predict", None),
        (f"bearer  {SECRET} ", "predict", None),
        (f"Bearer {SECRET}", "operate", 403),
        (None, "predict", 401),
        ("", "predict", 401),
        (f"Basic {SECRET}", "predict", 401),
        (SECRET, "predict", 401),
        (f"Bearer {SECRET[:-1]}", "predict", 401),
        (f"Bearer {SECRET}x", "predict", 401),
        (f"Bearer {SECRET.replace(KEY.id, '00000000')}", "predict", 401),
        (f"Bearer ev_{KEY.id}_{digest_of('x')[:43]}", "predict", 401),
        (f"Bearer {REVOKED_SECRET}", "predict", 401),
        (f"Bearer ev_{KEY.id}_{KEY.digest}", "predict", 401),
    ],
    ids=[str(n) for n in range(13)],  # a secret is another one each time, and no name of a test
)
def test_from_afar_only_a_good_key_with_the_scope_is_let_in(header, scope, status):
    denied = allowed(KEYS, header, scope=scope, **FAR)
    assert (denied.status if denied else None) == status


def test_from_here_no_key_is_needed_but_one_that_is_shown_must_be_good():
    assert allowed(Keys(), None, scope="operate", **HERE) is None
    revoked = Keys(tuple(key for key in KEYS.entries if key.revoked))
    assert allowed(revoked, None, scope="operate", **HERE) is None
    assert allowed(KEYS, f"Bearer {REVOKED_SECRET}", scope="predict", **HERE).status == 401
    assert allowed(KEYS, f"Bearer {SECRET}", scope="operate", **HERE).status == 403


def test_a_proxy_on_this_machine_opens_nothing_once_there_is_a_key():
    """It looks like this machine itself: loopback at one end, and whatever Host it likes at the other."""
    denied = allowed(KEYS, None, scope="operate", **HERE)
    assert denied is not None
    assert denied.status == 401
    assert allowed(KEYS, None, scope="operate", peer=UNIX_SOCKET, host="localhost", forwarded=False) is None


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", UNIX_SOCKET])
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8321", "[::1]", "[::1]:8321"])
def test_this_machine_is_known_by_both_ends(peer, host):
    assert from_here(peer, host, False)


@pytest.mark.parametrize(
    ("peer", "host", "forwarded"),
    [
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", None, False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "evil.example:8321", False),
        ("127.0.0.1", "127.0.0.1.nip.example", False),
        ("127.0.0.1", "localhost@evil.example", False),
        ("127.0.0.1", "localhost:80:80", False),
        ("127.0.0.1", "localhost\n", False),
        ("10.0.0.1", "localhost", False),
        ("::ffff:10.0.0.1", "localhost", False),
        ("0.0.0.0", "localhost", False),
        ("", "localhost", False),
        ("localhost", "localhost", False),
        (None, "localhost", False),
    ],
)
def test_whatever_else_is_not_this_machine(peer, host, forwarded):
    assert not from_here(peer, host, forwarded)


@given(st.text())
def test_no_header_at_random_is_a_key(header):
    assert allowed(KEYS, header, scope="predict", **FAR).status == 401


def test_digests_are_compared_in_constant_time_and_for_unknown_ids_too(monkeypatch):
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(keys_module.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    allowed(KEYS, f"Bearer {SECRET.replace(KEY.id, '00000000')}", scope="predict", **FAR)
    assert len(compared) == 1


def test_a_secret_that_is_no_text_of_ours_is_not_hashed(monkeypatch):
    monkeypatch.setattr(keys_module, "digest_of", lambda _: pytest.fail("it was hashed"))
    assert allowed(KEYS, "Bearer " + "x" * 1_000_000, scope="predict", **FAR).status == 401
