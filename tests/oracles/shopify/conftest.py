"""Shopify's own tools, as ``requirements/shopify`` pins them; the app's files; and a door that is really open."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from bench.listening import listening
from bench.peers import apart, node_packages
from starlette.responses import JSONResponse
from starlette.routing import Route
from tests.connect.shopify.fronts import SHOP, Played

from everloop.connect.shopify import verify
from everloop.connect.shopify.appfiles import write
from everloop.connect.shopify.door import Door, app
from everloop.connect.shopify.front import front
from everloop.connect.shopify.place import Place

HERE = Path(__file__).parent
APT = {"DEBIAN_FRONTEND": "noninteractive"}
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def modules():
    """The folder of Shopify's packages; made where it is not there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("JUDGED BY NOBODY: no node or npm on this machine; install Node 20 or newer")
    return node_packages("shopify")


@pytest.fixture(scope="session")
def node(modules):
    """Run a script of this folder with a JSON text; what it says, read."""

    def said(script, given, *more):
        command = ["node", HERE / script, modules, *more]
        done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, env=apart(), timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return said


@pytest.fixture
def files(tmp_path):
    """The app, filled in for a shop."""
    write(tmp_path / "app", "5d1f" * 8, "https://shop.example.com")
    return tmp_path / "app"


def has_liquid():
    try:
        return subprocess.run(["ruby", "-e", "require 'liquid'"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def installed(*packages):
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", "-qq", *words], env=os.environ | APT, capture_output=True, check=False)


@pytest.fixture(scope="session")
def ruby():
    """Shopify's own engine of Liquid; on a Debian where we may, it is installed."""
    if not has_liquid():
        installed("ruby", "ruby-liquid")
    if not has_liquid():
        pytest.skip("JUDGED BY NOBODY: no ruby with the gem liquid on this machine (Debian: ruby-liquid)")
    return "ruby"


@pytest.fixture(scope="session")
def chromium():
    """A browser; on a Debian where we may, it is installed."""
    if not any(map(shutil.which, CHROMIUMS)):
        installed("chromium")
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        pytest.skip("JUDGED BY NOBODY: no Chromium on this machine (Debian: chromium)")
    return found


@pytest.fixture
def door(tmp_path):
    """The door of a shop, open; the house behind it is played. ``/shopify/who`` tells whose ID token was shown."""
    house, place = Played(), Place(tmp_path / "shopify.db")
    before = front(SHOP, place, house, told=lambda _: None)

    async def who(request):
        try:
            return JSONResponse(verify.id_token(SHOP, request.headers.raw))
        except verify.NotFromShopify as no:
            return JSONResponse({"error": no.why}, status_code=no.status)

    routes = [*before.routes, Route("/shopify/who", who, methods=["GET"])]
    opened = app(Door(SHOP, place, house, routes=routes, does=before.does, beside=before.beside))
    with listening(opened) as url, httpx.Client(base_url=url) as client:
        yield house, before, client
