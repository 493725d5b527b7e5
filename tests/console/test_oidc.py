"""Signing in by an OpenID provider that really answers: who it vouches for is let in if somebody of that name is, and nobody else."""

from __future__ import annotations

import logging
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import OctKey, RSAKey
from tests.console.conftest import END, Client, listening
from tests.console.provider import CLIENT, SECRET, provider

from everloop.console.app import console
from everloop.errors import SettingsError
from everloop.loop import let_in
from everloop.registry.people import People
from everloop.settings import read_settings


@pytest.fixture(scope="module")
def there():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # of the provider's: it would answer by TLS only
        with provider() as given:
            yield given


@pytest.fixture
def ours(house, there):
    """The console of a house that knows the provider, and that the provider knows; kim@shop.example is let in as approver."""
    let_in.add(house, "kim@shop.example", "approver", by="Ada", now=END)
    said = replace(house.settings.console, oidc=there.issuer, oidc_client=CLIENT, oidc_secret=SECRET)
    with listening(console(replace(house, settings=replace(house.settings, console=said)))) as site:
        there.back[:] = [f"{site}/console/oidc/back"]
        yield site
    there.lies.claims, there.lies.key, there.lies.alg, there.lies.issuer = {}, None, "RS256", None


def gone_round(site, user="kim", to="/console/people", change=lambda query: query):
    """A browser that goes to the provider, where ``user`` is signed in, and comes back: the browser, and what came of it."""
    browser = Client(site)
    away = browser.get("/console/oidc/away", params={"next": to})
    assert away.status_code == 303, away.text
    sent = httpx.get(away.headers["location"], cookies={"user": user})
    assert sent.status_code == 302, sent.text
    query = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}
    return browser, browser.get("/console/oidc/back", params=change(query))


def test_who_the_provider_vouches_for_is_signed_in_as_who_they_are_here(house, ours, there):
    assert f"Sign in by {urlsplit(there.issuer).netloc}" in Client(ours).get("/console/sign-in").text
    browser, came = gone_round(ours)
    assert (came.status_code, came.headers["location"]) == (303, "/console/people")
    assert "kim@shop.example, approver" in browser.get("/console/people").text
    assert People(house.store).get("kim@shop.example").subject == f"{there.issuer} 1001"
    gone_round(ours)
    kept = [e.record for e in house.journal.read(kind="Membership") if e.record.person == "kim@shop.example"]
    assert [(r.by, r.reason) for r in kept] == [("Ada", ""), ("kim@shop.example", "came by the provider for the first time")]
    assert gone_round(ours, to="https://evil.example/")[1].headers["location"] == "/console/"


def test_nobody_else_is_let_in_however_the_provider_vouches_for_them(house, ours, there, monkeypatch):
    strange = gone_round(ours, "noor")[1]
    assert strange.status_code == 409
    assert "noor@x.example is not let in here" in strange.text
    unverified = gone_round(ours, "mal")[1]
    assert "has not verified" in unverified.text
    gone_round(ours)
    # Somebody else of whom the provider says the same name later is not the same person.
    monkeypatch.setattr(there.users["mal"], "verified", True)
    assert "was somebody else at the provider" in gone_round(ours, "mal")[1].text
    let_in.remove(house, "kim@shop.example", by="Ada", now=END)
    assert gone_round(ours)[1].status_code == 409


OTHER = RSAKey.generate_key(2048, {"kid": "one"})


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param({"claims": {"nonce": "another"}}, id="an answer to another question"),
        pytest.param({"claims": {"aud": ["another-client"]}}, id="meant for somebody else"),
        pytest.param({"claims": {"exp": 1_000_000_000}}, id="long over"),
        pytest.param({"issuer": "https://evil.example"}, id="of another issuer"),
        pytest.param({"key": OTHER}, id="signed by another key"),
        pytest.param({"key": OctKey.import_key(SECRET * 2), "alg": "HS256"}, id="signed by what is no secret"),
        pytest.param({"alg": "none"}, id="not signed at all"),
    ],
)
def test_what_cannot_be_believed_lets_nobody_in(house, ours, there, lie):
    for name, value in lie.items():
        setattr(there.lies, name, value)
    browser, came = gone_round(ours)
    assert came.status_code == 409, came.text
    assert browser.get("/console/people").status_code == 303


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param(lambda query: {**query, "state": "another"}, 409, id="another state"),
        pytest.param(lambda query: {**query, "code": "guessed"}, 409, id="a guessed code"),
        pytest.param(lambda query: {"error": "access_denied", "state": query["state"]}, 409, id="the person said no"),
        pytest.param(lambda query: {**query, "iss": "https://evil.example"}, 409, id="an answer of another provider"),
    ],
)
def test_what_did_not_come_from_where_this_browser_was_sent_lets_nobody_in(house, ours, change, status):
    browser, came = gone_round(ours, change=change)
    assert came.status_code == status
    assert browser.get("/console/people").status_code == 303


def test_the_answer_in_another_browser_is_of_no_use(house, ours):
    def stolen(query):
        assert Client(ours).get("/console/oidc/back", params=query).status_code == 403
        return query

    assert gone_round(ours, change=stolen)[1].status_code == 303


def test_a_house_without_a_provider_has_no_such_door(client):
    assert client.get("/console/oidc/away").status_code == 404


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[console]\noidc = "https://id.example"', "needs console.oidc_client and console.oidc_secret"),
        ('[console]\noidc_client = "x"', "there is no console.oidc"),
        ('[console]\nidle = "0"', "must be longer than nothing"),
        ('[console]\noidc = "id.example"', "say "),
        *(
            (f'[console]\noidc = "https://id.example"\noidc_client = "x"\noidc_secret = "y"\noidc_claim = "{claim}"', "calls themselves")
            for claim in ("preferred_username", "name", "nickname")
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path, toml, said):
    (tmp_path / "everloop.toml").write_text(toml)
    with pytest.raises(SettingsError, match=said):
        read_settings(tmp_path, environ={})


def test_the_clients_secret_comes_from_the_environment_and_is_shown_nowhere(tmp_path):
    (tmp_path / "everloop.toml").write_text('[console]\noidc = "https://id.example"\noidc_client = "x"\noidc_secret = "${OIDC_SECRET}"')
    settings = read_settings(tmp_path, environ={"OIDC_SECRET": "hush"})
    assert settings.console.oidc_secret == "hush"
    assert "hush" not in repr(settings)
