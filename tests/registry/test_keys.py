"""API keys at rest: under one name at a time, ended for good, and without a secret."""

import hashlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.errors import EverloopError, Unknown
from everloop.registry.keys import SCOPES, ApiKeys, checked
from everloop.testing.registry import MONDAY

HOUR = timedelta(hours=1)
DIGEST = hashlib.sha256(b"hush").hexdigest()


def do(store, verb, *words, now=MONDAY):
    with store.transaction() as t:
        return getattr(ApiKeys(store), verb)(t, *words, now=now)


def test_a_key_is_kept_as_its_digest(store):
    made = do(store, "add", "k1", "till-3", ["predict", "ingest"], DIGEST)
    assert ApiKeys(store).all() == [made]
    assert (made.scopes, made.digest, made.made_at, made.revoked) == (("predict", "ingest"), DIGEST, MONDAY, False)
    assert DIGEST not in repr(made)


@pytest.mark.parametrize("by", ["k1", "till"])
def test_a_revoked_key_stays_revoked_since_the_first_time(store, by):
    do(store, "add", "k1", "till", ["predict"], DIGEST)
    assert do(store, "revoke", by, now=MONDAY + HOUR).revoked_at == MONDAY + HOUR
    assert do(store, "revoke", by, now=MONDAY + 2 * HOUR).revoked_at == MONDAY + HOUR
    assert [key.revoked for key in ApiKeys(store).all()] == [True]


def test_a_name_in_use_is_refused_and_free_again_when_its_key_ends(store):
    do(store, "add", "k1", "till", ["predict"], DIGEST)
    with pytest.raises(EverloopError, match=r"named till .*everloop key revoke till"):
        do(store, "add", "k2", "till", ["predict"], DIGEST)
    do(store, "revoke", "till")
    do(store, "add", "k3", "till", ["operate"], DIGEST, now=MONDAY + HOUR)
    assert do(store, "revoke", "till", now=MONDAY + HOUR).id == "k3", "the name means the key in use"
    assert [(key.id, key.revoked) for key in ApiKeys(store).all()] == [("k1", True), ("k3", True)]


def test_a_name_is_never_another_keys_id(store):
    do(store, "add", "k1", "till", ["predict"], DIGEST)
    for id, name in (("k2", "k1"), ("till", "other"), ("k1", "third")):
        with pytest.raises(EverloopError, match="already"):
            do(store, "add", id, name, ["predict"], DIGEST)
    assert len(ApiKeys(store).all()) == 1


def test_nobody_revokes_what_is_not_there(store):
    do(store, "add", "k1", "till", ["predict"], DIGEST)
    with pytest.raises(Unknown, match=r"'tell'.*till"):
        do(store, "revoke", "tell")


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a" * 65, "a\n", "a,b", "töpfe", "a/b"])
def test_what_is_no_name_is_refused(store, name):
    with pytest.raises(EverloopError, match="is no name for a key"):
        do(store, "add", "k1", name, ["predict"], DIGEST)


@pytest.mark.parametrize("scopes", [[], "predict", ["predict", "everything"], ["predict,operate"], [""]])
def test_scopes_there_are_not_are_refused(store, scopes):
    with pytest.raises(EverloopError, match="There is predict, ingest, operate"):
        do(store, "add", "k1", "till", scopes, DIGEST)
    assert ApiKeys(store).all() == []


@given(st.lists(st.sampled_from(SCOPES), min_size=1))
def test_scopes_are_kept_once_and_in_one_order(scopes):
    kept = checked("till", scopes)
    assert set(kept) == set(scopes)
    assert list(kept) == sorted(kept, key=SCOPES.index)


def test_an_addition_that_failed_leaves_nothing(store):
    with pytest.raises(ZeroDivisionError), store.transaction() as t:
        ApiKeys(store).add(t, "k1", "till", ["predict"], DIGEST, now=MONDAY)
        1 / 0
    assert ApiKeys(store).all() == []


def test_how_often_a_key_may_ask_is_kept_and_without_it_nothing_is(store):
    with store.transaction() as t:
        ApiKeys(store).add(t, "k1", "till", ["predict"], DIGEST, now=MONDAY, per_second=0.5)
        ApiKeys(store).add(t, "k2", "feed", ["ingest"], DIGEST, now=MONDAY + HOUR)
    assert [key.per_second for key in ApiKeys(store).all()] == [0.5, None]
    assert do(store, "revoke", "till").per_second == 0.5


@pytest.mark.parametrize("per_second", [0, -1, 1e-9, 1e9, float("nan"), float("inf")])
def test_what_is_no_rate_is_refused(store, per_second):
    with pytest.raises(EverloopError, match="is no rate"), store.transaction() as t:
        ApiKeys(store).add(t, "k1", "till", ["predict"], DIGEST, now=MONDAY, per_second=per_second)
    assert ApiKeys(store).all() == []
