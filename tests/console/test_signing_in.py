"""Coming in and leaving: links that open once, passwords, sessions that end, and a stranger who tries."""

from __future__ import annotations

import logging
import re
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.console.conftest import END, Client, listening

from everloop.clock import Turned, wall
from everloop.console import doors
from everloop.console.app import console
from everloop.console.passwords import fits, hashed
from everloop.console.sessions import Letting
from everloop.console.throttle import FREE, Throttle
from everloop.errors import EverloopError, Unknown
from everloop.loop import let_in
from everloop.registry.people import People, Person
from everloop.registry.sentences import clause

PASSWORD = "seven purple lamps hum"


def word_of(page):
    return re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)[1]


def set_up(site, link, password=PASSWORD, again=None):
    """Somebody with the link sets a password; their browser, and what came back."""
    browser = Client(site)
    page = browser.get(link)
    return browser, browser.post(link, data={"csrf": word_of(page), "password": password, "again": again or password})


def sign_in(site, name, password, to="/console/people"):
    browser = Client(site)
    page = browser.get("/console/sign-in", params={"next": to})
    return browser, browser.post("/console/sign-in", data={"csrf": word_of(page), "name": name, "password": password, "next": to})


def test_a_person_sets_a_password_by_a_link_that_opens_once_and_signs_in_with_it(house, site):
    link = let_in.set_up_link(house, "Otto", by="Ada", now=END)
    browser, came = set_up(site, link)
    assert (came.status_code, came.headers["location"]) == (303, "/console/")
    assert "Otto, operator" in browser.get("/console/people").text
    assert Client(site).get(link).status_code == 404
    again, came = sign_in(site, "otto ", PASSWORD)
    assert (came.status_code, came.headers["location"]) == (303, "/console/people")
    assert "Otto, operator" in again.get("/console/people").text
    assert sign_in(site, "Otto", PASSWORD + "!")[1].status_code == 401
    kept = People(house.store).get("Otto").password
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_of_two_who_come_with_the_same_link_one_gets_in(house, site):
    link, found = let_in.set_up_link(house, "Otto", by="Ada", now=END), []
    browsers = [Client(site) for _ in range(2)]
    words = [word_of(browser.get(link)) for browser in browsers]

    def send(browser, word):
        found.append(browser.post(link, data={"csrf": word, "password": PASSWORD, "again": PASSWORD}).status_code)

    threads = [threading.Thread(target=send, args=pair) for pair in zip(browsers, words, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [303, 404]


def test_a_newer_link_or_a_day_ends_a_link_and_a_new_password_ends_what_was_open(house):
    letting, now = Letting(house), wall()
    first, second = let_in.link(house, "Otto", by="Ada", now=END), let_in.link(house, "Otto", by="Ada", now=END)
    with pytest.raises(Unknown):
        letting.whose_link(first, now)
    with pytest.raises(Unknown):
        letting.whose_link(second, now + timedelta(hours=25))
    before = letting.begin("Otto", now)
    assert letting.visit(before, here=False, now=now).person == Person("Otto", "operator")
    after = letting.set_up(second, PASSWORD, now, business=END)
    assert letting.visit(before, here=False, now=now) is None
    assert letting.visit(after, here=False, now=now).person.name == "Otto"


@pytest.mark.parametrize("bad", ["short one", "x" * 201, "aaaaaaaaaaaaaaaa", "Otto-Otto1234"])
def test_a_password_that_is_easy_to_guess_is_refused(bad):
    with pytest.raises(EverloopError, match=r"12 to 200 characters|too easy to guess"):
        hashed(bad, "Otto-Otto")


def test_a_session_is_over_when_it_was_not_used_or_lasted_too_long(house):
    letting, now = Letting(house, idle=timedelta(hours=1), longest=timedelta(hours=5)), wall()
    secret = letting.begin("Vera", now)
    for minutes in range(0, 290, 50):
        assert letting.visit(secret, here=False, now=now + timedelta(minutes=minutes)) is not None
    assert letting.visit(secret, here=False, now=now + timedelta(hours=5)) is None
    idle = letting.begin("Vera", now)
    assert letting.visit(idle, here=False, now=now + timedelta(minutes=59), noted=False) is not None
    assert letting.visit(idle, here=False, now=now + timedelta(minutes=61)) is None


def test_another_role_and_being_let_out_end_every_session_at_once(house, signed_in):
    otto, vera = signed_in("Otto"), signed_in("Vera")
    let_in.give(house, "Otto", "viewer", by="Ada", now=END)
    assert otto.get("/console/people").status_code == 303
    assert vera.get("/console/people").status_code == 200
    let_in.remove(house, "Vera", by="Ada", now=END)
    assert vera.get("/console/people").status_code == 303


def test_signing_out_ends_the_session_not_only_the_cookie(house, signed_in):
    otto = signed_in("Otto")
    cookies = dict(otto.cookies)
    assert otto.send_form("/console/sign-out").headers["location"] == "/console/sign-in"
    with closing(Client(str(otto.base_url), cookies=cookies)) as thief:
        assert thief.get("/console/people").status_code == 303


def test_the_cookie_is_for_no_script_and_no_other_site_and_changes_with_signing_in(house, site):
    browser, came = set_up(site, let_in.set_up_link(house, "Otto", by="Ada", now=END))
    flags = next(v for v in came.headers.get_list("set-cookie") if v.startswith(Letting(house).cookie + "="))
    assert {"HttpOnly", "Path=/console", "SameSite=lax"} <= set(flags.split("; "))
    assert "Secure" not in flags
    by_tls = httpx.get(f"{site}/console/sign-in", headers={"x-forwarded-proto": "https"})
    assert by_tls.headers["set-cookie"].startswith("__Secure-everloop-")
    assert "; Secure" in by_tls.headers["set-cookie"]
    assert "max-age=" in by_tls.headers["strict-transport-security"]
    secret = browser.cookies[Letting(house).cookie]
    _, again = sign_in(site, "Otto", PASSWORD)
    assert secret not in "".join(again.headers.get_list("set-cookie"))


def test_behind_a_proxy_that_calls_us_otherwise_forms_come_from_where_people_reach_the_house_and_nowhere_else(house):
    said = replace(house.settings.console, url="https://ml.shop.example")
    with listening(console(replace(house, settings=replace(house.settings, console=said)))) as site:
        set_up(site, let_in.set_up_link(house, "Otto", by="Ada", now=END))

        def sent_from(origin):
            browser = Client(site)
            fields = {"csrf": word_of(browser.get("/console/sign-in")), "name": "Otto", "password": PASSWORD}
            return browser.post("/console/sign-in", data=fields, headers={"host": "upstream:80", "origin": origin}).status_code

        assert sent_from("https://ml.shop.example") == 303
        for other in ("http://ml.shop.example", "https://ml.shop.example.evil.example", "https://evil.example", "null"):
            assert sent_from(other) == 403, other


def test_every_answer_says_what_a_browser_may_do_with_it(client):
    for path in ("/console/people", "/console/sign-in", "/console/nowhere", "/console/static/live.js", "/"):
        said = client.get(path).headers
        policy = said["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert said["x-content-type-options"] == "nosniff"
        assert said["referrer-policy"] == "same-origin"
    assert client.get("/console/people").headers["cache-control"] == "no-store"


def test_who_signs_in_goes_on_inside_the_console_only(house, site):
    set_up(site, let_in.set_up_link(house, "Otto", by="Ada", now=END))
    for evil in ("https://evil.example/", "//evil.example", "/\\evil.example", "/v1/turn"):
        assert sign_in(site, "Otto", PASSWORD, to=evil)[1].headers["location"] == "/console/"


def test_who_is_wrong_too_often_waits_and_a_stranger_elsewhere_does_not_keep_others_out(house, site, monkeypatch):
    monkeypatch.setattr(doors, "monotonic", lambda: 1_000.0)
    set_up(site, let_in.set_up_link(house, "Otto", by="Ada", now=END))
    statuses = [sign_in(site, "Otto", "wrong wrong wrong")[1].status_code for _ in range(FREE["both"] + 3)]
    assert statuses == [401] * (FREE["both"] + 1) + [429] * 2
    waits = sign_in(site, "Otto", PASSWORD)[1]
    assert waits.status_code == 429
    assert int(waits.headers["retry-after"]) >= 1
    throttle = Throttle()
    for _ in range(10):
        throttle.failed("otto", "203.0.113.9", 0.0)
    assert throttle.wait("otto", "203.0.113.9", 0.0) > 0
    assert throttle.wait("otto", "198.51.100.7", 0.0) == 0
    for place in range(60):
        throttle.failed("otto", f"203.0.113.{place}", 0.0)
    assert throttle.wait("otto", "198.51.100.7", 0.0) > 0, "many places at one name are slowed down too"


def test_who_is_right_keeps_nobody_waiting_however_many_come_from_one_place():
    throttle = Throttle()
    for n in range(200):
        assert throttle.wait(f"person {n % 2}", "203.0.113.9", float(n)) == 0
        throttle.failed(f"person {n % 2}", "203.0.113.9", float(n))
        throttle.succeeded(f"person {n % 2}", "203.0.113.9")
    assert not throttle.wrong
    for n in range(FREE["place"] + 2):
        throttle.failed(f"guess {n}", "203.0.113.9", 300.0)
    throttle.failed("otto", "203.0.113.9", 300.0)
    throttle.succeeded("otto", "203.0.113.9")
    assert throttle.wait("otto", "203.0.113.9", 300.0) > 0, "one who is right forgives a stranger at the same place nothing"


def test_a_name_nobody_has_is_refused_as_a_wrong_password_is(house, site):
    set_up(site, let_in.set_up_link(house, "Otto", by="Ada", now=END))
    strange, wrong = sign_in(site, "Nemo", PASSWORD)[1], sign_in(site, "Otto", "wrong wrong wrong")[1]

    def said(reply):
        return re.sub(r'value="[^"]*"', "", reply.text)

    assert strange.status_code == wrong.status_code == 401
    assert said(strange) == said(wrong)
    assert not fits(None, PASSWORD)


def test_who_has_not_set_a_password_or_is_let_out_cannot_sign_in(house, site):
    assert sign_in(site, "Vera", "")[1].status_code == 401
    set_up(site, let_in.set_up_link(house, "Vera", by="Ada", now=END))
    let_in.remove(house, "Vera", by="Ada", now=END)
    assert sign_in(site, "Vera", PASSWORD)[1].status_code == 401


# -- a house without people --------------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(turned, tmp_path):
    """A copy of the turned house, in which nobody was let in by name."""
    import shutil

    from everloop.loop.house import open_house

    shutil.copytree(turned, tmp_path / "alone")
    opened = open_house(tmp_path / "alone" / "project.py", turned=True)
    yield opened
    opened.store.close()


def test_a_house_without_people_opens_to_its_own_machine_by_a_link_once(alone):
    with listening(console(alone)) as site:
        link = let_in.enter_link(alone)
        far = Client(site).get(link, headers={"x-forwarded-for": "203.0.113.9"})
        assert far.status_code == 403
        assert Client(site).get(link, headers={"host": "evil.example"}).status_code == 403
        here = Client(site)
        assert here.get(link).headers["location"] == "/console/"
        assert Client(site).get(link).status_code == 404
        page = here.get("/console/people").text
        assert "at this machine, admin" in page
        assert here.get("/console/people", headers={"x-forwarded-for": "203.0.113.9"}).status_code == 303
        assert "everloop person link" in Client(site).get("/console/sign-in").text


def test_once_somebody_is_let_in_by_name_this_machine_alone_opens_nothing(alone):
    with listening(console(alone)) as site:
        link, other = let_in.enter_link(alone), Client(site)
        assert other.get(link).status_code == 303
        added = other.send_form("/console/people/add", {"name": "Kim", "role": "admin"})
        assert added.status_code == 200
        link = re.search(r"/console/set-up/[\w-]+", added.text)[0]
        assert other.get("/console/people").status_code == 303
        with pytest.raises(EverloopError, match="There are people"):
            let_in.enter_link(alone)
        browser, came = set_up(site, link)
        assert came.status_code == 303
        assert "Kim, admin" in browser.get("/console/people").text


# -- what is written down ----------------------------------------------------------------------------------------------------------


def test_who_lets_whom_in_and_out_stands_in_the_journal(house, client):
    client.send_form("/console/people/add", {"name": "Noor", "role": "viewer"})
    client.send_form("/console/people/role", {"name": "Noor", "role": "approver"})
    client.send_form("/console/people/remove", {"name": "Noor", "reason": "moved on"})
    kept = [e.record for e in house.journal.read(kind="Membership") if e.record.person == "Noor"]
    given = ("viewer", "Ada", "was given a link to set a password")
    assert [(r.role, r.by, r.reason) for r in kept] == [("viewer", "Ada", ""), given, ("approver", "Ada", ""), (None, "Ada", "moved on")]
    house.journal.verify()


def test_whoever_makes_a_link_that_sets_a_password_and_whoever_uses_it_stand_in_the_journal(house, client, site):
    before = house.journal.head().seq
    shown = client.send_form("/console/people/link", {"name": "Otto"})
    set_up(site, re.search(r"/console/set-up/[\w-]+", shown.text)[0])
    told = [e.record for e in house.journal.read(kind="Membership") if e.seq > before]
    assert [clause(r) for r in told] == ["Otto was given a link to set a password, by Ada", "Otto set a password by the link, by Otto"]
    assert {r.role for r in told} == {"operator"}
    assert PASSWORD not in "".join(map(repr, told))
    house.journal.verify()


def test_who_tries_comes_in_or_is_refused_leaves_a_line_without_what_they_showed(house, site, signed_in, caplog):
    caplog.set_level(logging.INFO, "everloop.console")
    link = let_in.set_up_link(house, "Otto", by="Ada", now=END)
    set_up(site, link)
    sign_in(site, "Otto", PASSWORD)
    sign_in(site, "Mal\nlory" * 50, "wrong wrong wrong")
    Client(site).get(link)
    Client(site).get("/console/enter/guessed")
    signed_in("Vera").send_form("/console/people/remove", {"name": "Otto"})
    lines = caplog.text
    for said in ("set a password by a link, from 127.0.0.1", "'Otto' is signed in from 127.0.0.1", "name and password do not fit",
                 "The page of a link from 127.0.0.1 came to nothing", "Coming in by this machine's link",
                 "POST /people/remove for 'Vera' from 127.0.0.1 was refused"):  # fmt: skip
        assert said in lines, said
    assert not any(secret in lines for secret in (PASSWORD, "wrong wrong", link.rpartition("/")[2], "guessed", "Mal\nlory"))


def test_who_mistyped_a_password_types_only_that_again(house, site):
    said = sign_in(site, '"> Otto', "wrong wrong wrong")[1].text
    assert 'autocomplete="username" value="&#34;&gt; Otto" required></div>' in said
    assert 'autocomplete="current-password" required autofocus' in said
    assert "wrong wrong wrong" not in said


def test_who_opens_a_link_a_second_time_is_shown_the_way_to_sign_in(house, site):
    link = let_in.set_up_link(house, "Otto", by="Ada", now=END)
    set_up(site, link)
    said = Client(site).get(link).text
    assert "It was used already, or its time is over." in said
    assert '<a href="/console/">Sign in</a>' in said


def test_somebody_always_lets_people_in(house, client, alone):
    for fields, to in (({"name": "Ada", "role": "viewer"}, "role"), ({"name": "Ada"}, "remove")):
        reply = client.send_form(f"/console/people/{to}", fields)
        assert reply.status_code == 409
        assert "Make somebody else admin first" in reply.text
    assert People(house.store).get("Ada").role == "admin"
    with pytest.raises(EverloopError, match="The first person"):
        let_in.add(alone, "Vera", "viewer", by="Vera", now=END)
    assert not People(alone.store).any()


def test_what_a_form_says_is_shown_as_text(client):
    client.send_form("/console/people/add", {"name": "O'Hara", "role": "viewer"})
    assert "O&#39;Hara" in client.get("/console/people").text
    bad = client.send_form("/console/people/add", {"name": "<script>alert(1)</script>", "role": "viewer"})
    assert bad.status_code == 409
    assert "<script>alert" not in bad.text


def test_business_time_is_the_journals_where_the_clock_is_turned_and_the_machines_elsewhere(house):
    from everloop.console.app import Desk

    clock = Turned(datetime(2030, 1, 1, tzinfo=UTC))
    desk = Desk(house, Letting(house), (), clock.now)
    assert desk.business() == max(entry.at for entry in house.journal.read())
    assert Desk(replace(house, turned=False), Letting(house), (), clock.now).business() == clock.now()
    # Somebody turned ahead of the machine's clock: all pages go by that turn, as the records do that they show.
    last = house.turns.latest()
    before = Turned(last - timedelta(days=30))
    assert Desk(replace(house, turned=False), Letting(house), (), before.now).business() == last


def test_what_came_of_a_form_is_said_once_on_the_next_page_and_cannot_be_put_there_by_others(house, client):
    client.send_form("/console/people/role", {"name": "Otto", "role": "approver"})
    assert "Otto is approver now" in client.get("/console/people", headers={"everloop-live": "1"}).text
    assert "Otto is approver now" in client.get("/console/people").text
    assert "Otto is approver now" not in client.get("/console/people").text
    client.cookies.set(f"{Letting(house).cookie}-said", "WyJ5b3Ugd29uIl0.abc", path="/console")
    assert "you won" not in client.get("/console/people").text
