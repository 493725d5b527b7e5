"""Deny by default: every address of the console, by every role, of two houses; made from what the app really routes, not from a list."""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.routing import Route as At
from tests.console.conftest import END, PEOPLE

from everloop.console import app as console_app
from everloop.console.app import console
from everloop.console.doors import DOORS
from everloop.console.page import ROLES, Person, Route, Shown
from everloop.console.routes import ROUTES
from everloop.console.sessions import Letting
from everloop.console.words import form_word
from everloop.loop import let_in
from everloop.loop.house import open_house

LET_IN = "This was shown or done."
NOBODY, STRANGER = "nobody", "admin of another house"
OURS = {("GET", "/live"), ("GET", "/static/{file}"), ("GET", "/{rest:path}"), ("POST", "/{rest:path}")}
"""What is neither in the table nor a door: the line of a page that is open, the house's own style and script, and everything else."""


def shown(_asking):
    return Shown("Let in", "trouble.html", {"what": LET_IN})


def done(_asking, _form):
    return "/console/people"


def stubbed(routes):
    """The same table, whose pages and forms do nothing: who is let in is asked here, not what happens then."""
    return tuple(replace(route, does=shown if route.method == "GET" else done) for route in routes)


def routed(app):
    """Every (method, path) below the mount that the app answers, as the framework has it."""
    found = set()
    for route in app.routes:
        if isinstance(route, Mount):
            found |= {(m, inner.path) for inner in route.routes for m in inner.methods if m != "HEAD"}
    return found


@pytest.fixture(scope="module")
def houses(turned, tmp_path_factory):
    """Two houses, each with people of every role; the same names in both."""
    opened = []
    for name in ("ours", "theirs"):
        path = tmp_path_factory.mktemp(name) / "price"
        shutil.copytree(turned, path)
        house = open_house(path / "project.py", turned=True)
        for person in ("Ada", *(p for p in PEOPLE if p != "Ada")):
            let_in.add(house, person, PEOPLE[person], by="Ada", now=END)
        opened.append(house)
    yield opened
    for house in opened:
        house.store.close()


@pytest.fixture(scope="module")
def secrets(houses):
    """A session of everybody in both houses: who they are here, and the secret of their cookie."""
    ours, theirs = map(Letting, houses)
    now = datetime.now(UTC)
    return {NOBODY: None, **{role: ours.begin(name, now) for name, role in PEOPLE.items()}, STRANGER: theirs.begin("Ada", now)}


def answers(app, letting, secrets, asked):
    """What each gets for each request: (who, method, path) → (status, whether let in)."""

    async def all_of_them():
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 4711))
        found = {}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321") as client:
            for who, secret in secrets.items():
                for method, path in asked:
                    address = "/console" + re.sub(r"\{\w+(:path)?\}", "price", path)
                    headers = {"cookie": f"{letting.cookie}={secret}"} if secret else {}
                    form = {"csrf": form_word(secret or "")} if method == "POST" else None
                    reply = await client.request(method, address, headers=headers, data=form)
                    in_it = LET_IN in reply.text or (method == "POST" and reply.headers.get("location") == "/console/people")
                    found[who, method, path] = (reply.status_code, in_it)
        return found

    return asyncio.run(all_of_them())


def wrong(app, letting, secrets, routes):
    """Where the app and the table disagree, in sentences: the law that the matrix proves."""
    table = {(r.method, r.path): r.role for r in routes}
    asked = [one for one in sorted(routed(app)) if one not in DOORS and one not in OURS]
    found = []
    for (who, method, path), (status, in_it) in answers(app, letting, secrets, asked).items():
        role = table.get((method, path))
        may = role is not None and who in ROLES and ROLES.index(who) >= ROLES.index(role)
        if in_it != may:
            found.append(f"{who} {'is' if in_it else 'is not'} let into {method} {path}, which is for {role or 'nobody'}")
        expected = (200, 303) if may else (403,) if who in ROLES else (303, 401)
        if status not in expected:
            found.append(f"{who} gets {status} for {method} {path}")
    found += [f"{method} {path} is in the table and nowhere else" for method, path in table if (method, path) not in routed(app)]
    return found


def test_everybody_is_let_in_where_the_table_says_so_and_nowhere_else(houses, secrets):
    routes = stubbed(ROUTES)
    assert wrong(console(houses[0], routes=routes), Letting(houses[0]), secrets, routes) == []


def test_a_route_that_was_put_beside_the_table_is_found(houses, secrets):
    async def naked(_request):
        return PlainTextResponse(LET_IN)

    routes = stubbed(ROUTES)
    app = console(houses[0], routes=routes)
    mount = next(route for route in app.routes if isinstance(route, Mount))
    mount.routes.insert(0, At("/naked", naked))
    assert any("nobody is let into GET /naked" in said for said in wrong(app, Letting(houses[0]), secrets, routes))


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(lambda patch: patch.setattr(Person, "may", lambda _self, _role: True), id="roles are not looked at"),
        pytest.param(
            lambda patch: patch.setattr(console_app.Letting, "visit", lambda self, secret, **_: _anybody(secret)),
            id="any cookie is believed",
        ),
    ],
)
def test_a_console_that_lets_in_too_many_is_found(houses, secrets, monkeypatch, mutant):
    routes = (*stubbed(ROUTES), Route("/only-admins", shown, "admin"))
    app = console(houses[0], routes=routes)
    mutant(monkeypatch)
    assert wrong(app, Letting(houses[0]), secrets, routes)


def _anybody(secret):
    from everloop.console.sessions import Visit

    return Visit(Person("Ada", "admin"), secret or "", None) if secret else None


def test_nobody_who_is_not_signed_in_learns_which_addresses_there_are(houses):
    app, letting = console(houses[0]), Letting(houses[0])
    there, nowhere = (answers(app, letting, {NOBODY: None}, [one])[(NOBODY, *one)] for one in (("GET", "/people"), ("GET", "/not-there")))
    assert there == nowhere == (303, False)


def test_no_form_is_taken_without_the_word_of_its_session_nor_from_another_site(houses, secrets):
    routes, letting = stubbed([r for r in ROUTES if r.method == "POST"]), Letting(houses[0])
    app, secret = console(houses[0], routes=routes), secrets["admin"]

    async def statuses():
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321") as client:
            cookie = {"cookie": f"{letting.cookie}={secret}"}
            word = {"csrf": form_word(secret)}
            for route in routes:
                to = "/console" + re.sub(r"\{\w+(:path)?\}", "price", route.path)
                for fields, headers in (
                    ({}, {}),
                    ({"csrf": form_word("another")}, {}),
                    (word, {"origin": "https://evil.example"}),
                    (word, {"origin": "null"}),
                    (word, {"sec-fetch-site": "cross-site"}),
                ):
                    yield (await client.post(to, data=fields, headers=cookie | headers)).status_code
                yield (await client.post(to, json=word, headers=cookie)).status_code

    async def gathered():
        return [status async for status in statuses()]

    assert set(asyncio.run(gathered())) <= {403, 415}
