"""A house that was turned a few times, its console on a port of this machine, people of every role signed in, and a browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from bench.listening import listening

from everloop.console.app import console
from everloop.console.sessions import Letting
from everloop.loop import let_in
from everloop.loop.arrivals import ingest_files
from everloop.loop.house import open_house
from everloop.loop.people import answer_question
from everloop.loop.start import start_project
from everloop.loop.turn import turn

END = datetime(2026, 11, 1, tzinfo=UTC)
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
SHOTS = Path(os.environ.get("EVERLOOP_SHOTS", Path(__file__).parents[2] / ".screenshots"))
"""Where browser tests leave what they saw."""
PEOPLE = {"Vera": "viewer", "Otto": "operator", "Petra": "approver", "Ada": "admin"}


@pytest.fixture(scope="session")
def turned(tmp_path_factory):
    """The folder of a house of the tiny project ``price``: one candidate passed, Kim said yes, its canary began; nobody is let in by
    name."""
    path = tmp_path_factory.mktemp("console") / "price"
    start_project("price", path, end=END)
    settings = path / "everloop.toml"
    settings.write_text(settings.read_text() + "\n[training]\nchild = false\n")
    house = open_house(path / "project.py")
    ingest_files(house, None, [], now=END)
    (model,) = house.project.models.values()
    turn(house, model, END)
    answer_question(house, model, True, by="Kim", reason="looks right", now=END + timedelta(hours=1))
    turn(house, model, END + timedelta(hours=2))
    house.store.close()
    return path


@pytest.fixture
def house(turned, tmp_path):
    """A copy of that house for one test, with a clock that is turned (business time is the journal's newest instant) and PEOPLE let in."""
    shutil.copytree(turned, tmp_path / "price")
    opened = open_house(tmp_path / "price" / "project.py", turned=True)
    let_in.add(opened, "Ada", "admin", by="Ada", now=END)
    for name, role in PEOPLE.items():
        if name != "Ada":
            let_in.add(opened, name, role, by="Ada", now=END)
    yield opened
    opened.store.close()


@pytest.fixture
def site(house):
    """The console of the house, listening; its address without ``/console``."""
    with listening(console(house)) as url:
        yield url


def cookie_of(house, name):
    """The cookie of a new session of somebody who is let in, as (name, value)."""
    letting = Letting(house)
    return letting.cookie, letting.begin(name, datetime.now(UTC))


@pytest.fixture
def signed_in(house, site):
    """Sign somebody in: an httpx client with ``post(path, fields)`` that fills in the word every form carries."""
    clients = []

    def client(name="Ada"):
        cookie, secret = cookie_of(house, name)
        made = Client(site, cookies={cookie: secret})
        clients.append(made)
        return made

    yield client
    for one in clients:
        one.close()


class Client(httpx.Client):
    """Somebody's browser without a window: ``get`` and ``send_form`` take addresses such as ``/console/people``."""

    def __init__(self, site, **words):
        super().__init__(base_url=site, timeout=30, headers={"connection": "close"}, **words)

    def send_form(self, to, fields=None, *, page="/console/people"):
        """Send a form from a page: what came back (not followed)."""
        word = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(page).text)[1]
        return self.post(to, data={"csrf": word, **(fields or {})})


@pytest.fixture
def client(signed_in):
    """Ada, who is admin and may do everything."""
    return signed_in("Ada")


@pytest.fixture(scope="session")
def chromium():
    """A browser; on a Debian where we may, it is installed."""
    if not any(map(shutil.which, CHROMIUMS)) and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            subprocess.run(
                ["apt-get", "-qq", *words], env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, check=False
            )
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        pytest.skip("JUDGED BY NOBODY: no Chromium on this machine (Debian: chromium)")
    return found


@pytest.fixture(scope="module")
def browser(chromium):
    """One headless Chromium for the tests of a file, by Playwright, whose loop goes on as long: no other may run in this thread."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # as long as everything else is waited for: a machine may be slow
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def page_of(browser, house, site):
    """Open a page as somebody: a Playwright page at ``path``; None: nowhere yet. Words such as ``color_scheme="dark"`` and ``viewport=``
    are the context's. What the page's console says in error fails the test, but for what holds one of ``troubles``."""
    contexts, met = [], []

    def opened(path="/console/", name="Ada", troubles=(), **words):
        def said(error):
            if not any(trouble in error for trouble in troubles):
                met.append(error)

        context = browser.new_context(
            base_url=site, **{"viewport": {"width": 1280, "height": 900}, "timezone_id": "Europe/Berlin", **words}
        )
        contexts.append(context)
        cookie, secret = cookie_of(house, name)
        context.add_cookies([{"name": cookie, "value": secret, "domain": "127.0.0.1", "path": "/console"}])
        page = context.new_page()
        page.on("console", lambda message: said(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said(str(error)))
        if path is not None:
            page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not met


@pytest.fixture
def shot():
    """Keep what a page looks like, under a name."""

    def taken(page, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(SHOTS / f"{name}.png"), full_page=True)

    return taken
