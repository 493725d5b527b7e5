"""Pages that are open hear when the journal grew, and hear nothing any more once their session is over."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import httpx
import pytest
from tests.console.conftest import END, Client, cookie_of, listening

from everloop.console import live
from everloop.console.app import console
from everloop.console.page import Route, Shown
from everloop.loop import let_in


class Listening:
    """One open line, read in a thread: the events so far, as (name, data)."""

    def __init__(self, site, cookies, after="", **headers):
        self.events, self.over, self.after, self.headers = [], threading.Event(), after, headers
        self.thread = threading.Thread(target=self._read, args=(site, cookies), daemon=True)
        self.thread.start()

    def _read(self, site, cookies):
        with suppress(httpx.HTTPError):  # the server may end while it is open
            self._listen(site, cookies)
        self.over.set()

    def _listen(self, site, cookies):
        with (
            httpx.Client(base_url=site, cookies=cookies, timeout=30, headers=self.headers) as client,
            client.stream("GET", f"/console/live{self.after}") as reply,
        ):
            self.status, self.kind, name = reply.status_code, reply.headers["content-type"], ""
            for line in reply.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                if line.startswith("data:"):
                    self.events.append((name, line.removeprefix("data:").strip()))


def until(holds, seconds=20.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)


@pytest.fixture
def line(house, site):
    cookie, secret = cookie_of(house, "Otto")
    return Listening(site, {cookie: secret})


def test_a_page_hears_that_the_journal_grew(house, line):
    until(lambda: line.events)
    assert line.kind.startswith("text/event-stream")
    before = list(line.events)
    let_in.add(house, "Noor", "viewer", by="Ada", now=END)
    until(lambda: line.events != before)
    assert line.events[-1] == ("journal", str(house.journal.head().seq))


def test_what_is_kept_between_a_page_and_its_line_is_heard(house, site):
    cookie, secret = cookie_of(house, "Ada")
    said = Client(site, cookies={cookie: secret}).get("/console/people").text
    made = house.journal.head().seq
    assert f'data-live-from="/console/live" data-live-at="{made}"' in said
    let_in.add(house, "Noor", "viewer", by="Ada", now=END)
    now = str(house.journal.head().seq)
    heard = Listening(site, {cookie: secret}, f"?after={made}")
    until(lambda: heard.events == [("listening", now), ("journal", now)])
    # A line that is taken up again says itself what it heard last; what a page said once counts no more.
    again = Listening(site, {cookie: secret}, f"?after={made}", **{"last-event-id": now})
    until(lambda: again.events)
    let_in.add(house, "Zoe", "viewer", by="Ada", now=END)
    then = str(house.journal.head().seq)
    until(lambda: again.events == [("listening", now), ("journal", then)])


def test_a_page_carries_how_far_the_journal_was_before_it_was_read(house):
    """What is kept while a page is being made may be in it or not: its line says it again."""
    seen = []

    def slow(asking):
        seen.append(asking.house.journal.head().seq)
        let_in.add(asking.house, "Noor", "viewer", by="Ada", now=END)
        return Shown("Slow", "trouble.html", {"what": "slow"})

    with listening(console(house, routes=[Route("/slow", slow, "viewer")])) as site:
        cookie, secret = cookie_of(house, "Ada")
        said = Client(site, cookies={cookie: secret}).get("/console/slow").text
    assert f'data-live-at="{seen[0]}"' in said
    assert house.journal.head().seq > seen[0]


@pytest.mark.parametrize("said", ["?after={}", "last-event-id"])
def test_a_page_of_a_house_that_was_put_back_to_an_earlier_day_looks_again(house, site, said):
    cookie, secret = cookie_of(house, "Otto")
    now = str(house.journal.head().seq)
    ahead = str(int(now) + 1000)
    words = {"last-event-id": ahead} if said == "last-event-id" else {}
    heard = Listening(site, {cookie: secret}, "" if words else said.format(ahead), **words)
    until(lambda: heard.events == [("listening", now), ("journal", now)])
    let_in.add(house, "Noor", "viewer", by="Ada", now=END)
    until(lambda: heard.events[2:] == [("journal", str(house.journal.head().seq))])


def test_a_number_no_journal_has_is_none(house, site):
    cookie, secret = cookie_of(house, "Otto")
    now = str(house.journal.head().seq)
    for after in ("?after=", "?after=-1", "?after=" + "9" * 40, "?after=%C2%B2"):
        heard = Listening(site, {cookie: secret}, after)
        until(lambda heard=heard: heard.events)
        assert heard.events[0] == ("listening", now)


def test_a_page_whose_session_is_over_is_told_so_and_hears_no_more(house, line):
    until(lambda: line.events)
    let_in.give(house, "Otto", "viewer", by="Ada", now=END)
    assert line.over.wait(20)
    assert [name for name, _ in line.events] == ["listening", "ended"]


def test_who_is_not_signed_in_hears_nothing(site):
    assert Client(site).get("/console/live").status_code == 401


def test_a_page_that_looks_again_by_itself_keeps_no_session_alive(house, site):
    from datetime import timedelta

    from everloop.clock import wall
    from everloop.console.words import digest_of
    from everloop.registry.sessions import SESSIONS, Sessions

    cookie, secret = cookie_of(house, "Otto")
    with house.store.transaction() as t:
        t.execute(SESSIONS.update().values(seen_at=int((wall() - timedelta(hours=2)).timestamp() * 1e6)))
    before = Sessions(house.store).find(digest_of(secret)).seen_at
    browser = Client(site, cookies={cookie: secret})
    browser.get("/console/people", headers={"everloop-live": "1"})
    assert Sessions(house.store).find(digest_of(secret)).seen_at == before
    browser.get("/console/people")
    assert Sessions(house.store).find(digest_of(secret)).seen_at > before


def test_more_pages_than_are_served_are_told_to_come_later(house, monkeypatch):
    monkeypatch.setattr(live, "MOST", 0)
    cookie, secret = cookie_of(house, "Otto")
    with listening(console(house)) as site:
        assert Client(site, cookies={cookie: secret}).get("/console/live").status_code == 503
