"""Pages never take from answers what answers need: they step back, and few are made at once; what a person does waits for none of them."""

import threading
import time
from pathlib import Path

import pytest
from tests.console.conftest import Client, cookie_of, listening

from everloop.console import serve
from everloop.console.app import PAGES_AT_ONCE, console
from everloop.console.page import Route, Shown
from everloop.console.routes import ROUTES
from everloop.loop.serve.supervised import Told


def test_few_pages_are_made_at_once_and_a_form_waits_for_none_of_them(house):
    begun, over = threading.Semaphore(0), threading.Event()
    lock, at_once, most = threading.Lock(), 0, 0

    def slow(asking):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        begun.release()
        over.wait(30)
        with lock:
            at_once -= 1
        return Shown("Slow", "trouble.html", {"what": "slow"})

    routes = (*ROUTES, Route("/slow", slow, "viewer"), Route("/act", lambda asking, form: "/console/", "viewer", "POST"))
    with listening(console(house, routes=routes)) as site:
        cookie, secret = cookie_of(house, "Ada")
        with Client(site, cookies={cookie: secret}) as client:
            form = {"csrf": client.get("/console/people").text.partition('name="csrf" value="')[2].partition('"')[0]}
            given = []
            readers = [threading.Thread(target=lambda: given.append(client.get("/console/slow").status_code)) for _ in range(6)]
            for reader in readers:
                reader.start()
            for _ in range(PAGES_AT_ONCE):
                assert begun.acquire(timeout=20)
            time.sleep(0.1)
            assert client.post("/console/act", data=form, follow_redirects=False).status_code == 303
            assert not given, "no page was ready yet"
            over.set()
            for reader in readers:
                reader.join(30)
    assert given == [200] * 6
    assert most == PAGES_AT_ONCE


def test_the_console_steps_back_before_it_reads_anything(monkeypatch):
    """Threads that begin earlier would not step back with it."""
    done = []

    class EnoughError(Exception):
        pass

    def opened(*_, **__):
        done.append("opened")
        raise EnoughError

    monkeypatch.setattr(serve.os, "nice", lambda by: done.append(by))
    monkeypatch.setattr(serve, "opened", opened)
    with pytest.raises(EnoughError):
        serve.show(Told(Path("project.py"), None, None, False, None, None, 3))
    assert done[0] >= 10
    assert done[1:] == ["opened"]
