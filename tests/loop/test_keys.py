"""A key is made, opens what it is for, and is revoked within a second, in other processes too."""

import pytest

from everloop.errors import EverloopError
from everloop.loop.house import open_house
from everloop.loop.serve import keys as keeping
from everloop.loop.serve.keys import add_key, keys_of, list_keys, revoke_key
from everloop.loop.serve.routes import read_routes
from everloop.registry.store import open_store
from everloop.serving.keys import allowed
from everloop.testing.registry import MONDAY

PROJECT = 'from everloop import Source\norders = Source("orders", id="order_id", columns={"item": str})\n'


@pytest.fixture
def house(tmp_path):
    (tmp_path / "project.py").write_text(PROJECT)
    made = open_house(tmp_path / "project.py")
    yield made
    made.store.close()


@pytest.fixture
def clock(monkeypatch):
    at = [1000.0]
    monkeypatch.setattr(keeping, "monotonic", lambda: at[0])
    return at


def status(house, secret, scope="predict"):
    denied = allowed(keys_of(house), f"Bearer {secret}", peer="203.0.113.9", host="shop.example", forwarded=False, scope=scope)
    return 200 if denied is None else denied.status


def test_a_key_opens_what_it_is_for(house):
    secret = add_key(house, "till", ["predict"], MONDAY)
    assert (status(house, secret), status(house, secret, "operate"), status(house, secret[:-1] + "x")) == (200, 403, 401)


def test_the_secret_is_nowhere_in_the_house(house, tmp_path):
    secret = add_key(house, "till", ["predict"], MONDAY)
    house.store.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert secret.rpartition("_")[2][-40:].encode() not in kept
    assert list_keys(house)[0].digest.encode() in kept
    house.store.close()


def test_a_revoked_key_opens_nothing_and_the_workers_are_told(house, tmp_path):
    secret = add_key(house, "till", ["predict"], MONDAY)
    assert status(house, secret) == 200
    elsewhere = open_house(tmp_path / "project.py")
    revoke_key(elsewhere, "till", MONDAY)
    elsewhere.store.close()
    assert status(house, secret) == 401
    [told] = read_routes(house.settings.house / "routes.json").keys
    assert told.revoked


def test_another_house_has_other_keys(house, tmp_path):
    add_key(house, "till", ["predict"], MONDAY)
    other = type(house)(house.project, house.settings, open_store(f"sqlite:///{tmp_path / 'other.db'}"), house.lake)
    assert (len(keys_of(house).entries), len(keys_of(other).entries)) == (1, 0)
    other.store.close()


@pytest.mark.parametrize(("name", "scopes"), [("a b", ["predict"]), ("till", ["all"]), ("till", []), ("till", "predict")])
def test_a_key_that_cannot_be_is_not_made(house, name, scopes):
    with pytest.raises(EverloopError):
        add_key(house, name, scopes, MONDAY)
    assert list_keys(house) == []


def test_a_name_is_used_once(house):
    add_key(house, "till", ["predict"], MONDAY)
    with pytest.raises(EverloopError, match="till"):
        add_key(house, "till", ["predict"], MONDAY)
    assert len(list_keys(house)) == 1


def test_the_workers_are_told_how_often_a_key_may_ask(house):
    add_key(house, "till", ["predict"], MONDAY, per_second=2.5)
    add_key(house, "feed", ["ingest"], MONDAY)
    told = read_routes(house.settings.house / "routes.json")
    assert sorted((key.name, key.per_second) for key in told.keys) == [("feed", None), ("till", 2.5)]
    assert keys_of(house).any_limited
