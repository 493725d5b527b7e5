"""The console behind the workers of a house: it starts when it is first asked, what is said of who asks counts, and answers do not wait."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from tests.console.conftest import END, Client, cookie_of

import everloop
from everloop.console.serve import HandedOn
from everloop.loop import let_in
from everloop.loop.house import open_house
from everloop.loop.serve import hand_on
from everloop.loop.serve.hand_on import HandOn

SOURCE = str(Path(everloop.__file__).parents[1])


def behind(tmp_path, shown, asked):
    """Ask a worker's app whose console is the app ``shown``: what comes back of ``asked(client)``."""
    import uvicorn

    path = str(tmp_path / "console")

    async def nothing_else(scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"an answer"})

    async def run():
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            server = uvicorn.Server(uvicorn.Config(HandedOn(shown), lifespan="off", log_level="error", access_log=False))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            transport = httpx.ASGITransport(app=HandOn(nothing_else, path), client=("203.0.113.9", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
                found = await asked(client)
            server.should_exit = True
            await serving
            return found

    return asyncio.run(run())


async def told(scope, receive, send):
    """An app that says what it was asked."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    said = {
        "method": scope["method"], "path": scope["path"], "query": scope["query_string"].decode(), "scheme": scope["scheme"],
        "peer": scope["everloop handed on"], "headers": {k.decode(): v.decode() for k, v in scope["headers"]}, "body": body.decode(),
    }  # fmt: skip
    await send({"type": "http.response.start", "status": 418, "headers": [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]})
    for piece in (json.dumps(said).encode(), b" "):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def test_a_request_goes_on_as_it_is_with_who_asked_and_comes_back_as_it_is(tmp_path):
    async def asked(client):
        lies = {"everloop-peer": "127.0.0.1", "everloop-scheme": "http", "cookie": "x=1"}
        return await client.post("/console/m%C3%BC%20r?a=1&b=%20", content=b"csrf=1", headers=lies), await client.get("/v1/models")

    reply, other = behind(tmp_path, told, asked)
    said = reply.json()
    assert (said["method"], said["path"], said["query"], said["body"]) == ("POST", "/console/mü r", "a=1&b=%20", "csrf=1")
    assert (said["peer"], said["scheme"]) == ("203.0.113.9", "https")
    assert "everloop-peer" not in said["headers"]
    assert (said["headers"]["host"], said["headers"]["cookie"]) == ("shop.example", "x=1")
    assert reply.status_code == 418
    assert reply.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert other.text == "an answer"


def test_an_address_cannot_say_who_asks_however_a_server_tells_it(tmp_path):
    lie = "x HTTP/1.1\r\neverloop-peer: 127.0.0.1\r\n\r\n"

    async def asked(client):
        async def told_by(**more):
            body, heard = [{"type": "http.request", "body": b""}], []
            scope = {"type": "http", "method": "GET", "query_string": b"", "headers": [], "client": ("203.0.113.9", 1), **more}

            async def receive():
                return body.pop() if body else await asyncio.Event().wait()

            async def send(message):
                heard.append(message)

            await asyncio.wait_for(client._transport.app(scope, receive, send), 20)
            return heard[0]["status"], b"".join(message.get("body", b"") for message in heard)

        others = [await told_by(path="/console/x", **{word: f"/console/{lie}".encode()}) for word in ("raw_path", "query_string")]
        return await told_by(path=f"/console/{lie}"), others

    (status, body), others = behind(tmp_path, told, asked)
    assert (status, json.loads(body)["peer"], json.loads(body)["path"]) == (418, "203.0.113.9", f"/console/{lie}")
    assert [status for status, _ in others] == [400, 400]


def test_what_is_too_large_or_asked_where_no_console_is_gets_a_plain_answer(tmp_path):
    async def asked(client):
        return (await client.post("/console/x", content=b"x" * 200_000)).status_code

    assert behind(tmp_path, told, asked) == 413

    async def nowhere():
        transport = httpx.ASGITransport(app=HandOn(told, str(tmp_path / "nobody")))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/console/")

    reply = asyncio.run(nowhere())
    assert reply.status_code == 503
    assert "answers are given all the same" in reply.text


def asked_of(app, receive, path="/console/sign-in", headers=()):
    """The status of one request whose body is what ``receive`` gives."""
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": list(headers), "client": ("203.0.113.9", 1)}
    said = []

    async def send(message):
        said.append(message.get("status"))

    async def run():
        await asyncio.wait_for(app(scope, receive, send), 20)
        return said[0]

    return run()


def test_a_body_that_never_ends_or_says_it_is_too_large_keeps_no_place(tmp_path, monkeypatch):
    monkeypatch.setattr(hand_on, "SLOWEST", 0.05)
    app, asked = HandOn(told, str(tmp_path / "nobody")), []

    async def never():
        asked.append(1)
        await asyncio.sleep(60)

    assert asyncio.run(asked_of(app, never)) == 408
    assert asyncio.run(asked_of(app, never, headers=[(b"content-length", b"200000")])) == 413
    assert len(asked) == 1, "what says that it is too large is not waited for"

    async def crowd():
        return await asyncio.gather(*(asked_of(app, never, path) for path in ["/console/sign-in", "/console/live"] * hand_on.MOST))

    assert sorted(asyncio.run(crowd())) == [408] * hand_on.MOST + [503] * hand_on.MOST
    assert app.at_once == 0


def test_a_console_that_breaks_before_it_says_anything_breaks_nothing_else(tmp_path):
    async def breaks(_scope, _receive, _send):
        raise SystemError("it broke")

    async def asked(client):
        return (await client.get("/console/x")).status_code, (await client.get("/v1/models")).text

    assert behind(tmp_path, breaks, asked) == (500, "an answer")


@pytest.mark.parametrize("length", [True, False], ids=["of a length that was told", "in chunks"])
def test_half_a_page_is_not_told_as_a_whole_one(tmp_path, length):
    async def breaks_in_the_middle(scope, _receive, send):
        headers = [(b"content-length", b"100")] if length else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"half a page", "more_body": True})
        if scope["method"] != "HEAD":
            raise SystemError("it broke")
        await send({"type": "http.response.body", "body": b"x" * 89})

    async def asked(client):
        head = await client.head("/console/x") if length else None
        with pytest.raises(hand_on.BrokenOffError):
            await client.get("/console/x")
        return head, (await client.get("/v1/models")).text

    head, other = behind(tmp_path, breaks_in_the_middle, asked)
    assert other == "an answer"
    assert head is None or (head.status_code, head.headers["content-length"]) == (200, "100")


@pytest.mark.parametrize("kind", [b"text/html", b"text/event-stream"])
def test_a_console_that_stops_in_the_middle_holds_its_line_so_long_and_no_longer(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(hand_on, "QUIET", 0.2)

    async def stops(_scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": b"half a page", "more_body": True})
        await receive()  # until it is hung up

    async def asked(client):
        return (await asyncio.wait_for(client.get("/console/x"), 20)).text

    if kind == b"text/event-stream":  # it has no end of its own, and whoever listens comes back
        assert behind(tmp_path, stops, asked) == "half a page"
    else:
        with pytest.raises(hand_on.BrokenOffError):
            behind(tmp_path, stops, asked)


def test_a_worker_that_ends_lets_go_of_who_listens_for_changes(tmp_path):
    async def talks(_scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"event: listening\n\n", "more_body": True})
        await receive()  # until who listens is gone

    async def asked(client):
        handing, heard, hears = client._transport.app, [], asyncio.Event()
        scope = {"type": "http", "method": "GET", "path": "/console/live", "query_string": b"", "headers": []}
        body = [{"type": "http.request", "body": b""}]

        async def receive():
            return body.pop() if body else await asyncio.Event().wait()

        async def send(message):
            heard.append(message)
            if message.get("body"):
                hears.set()

        listening = asyncio.create_task(handing(scope, receive, send))
        await asyncio.wait_for(hears.wait(), 20)
        await asyncio.to_thread(handing.leave)
        await asyncio.wait_for(listening, 20)
        return heard[-1]

    assert behind(tmp_path, talks, asked) == {"type": "http.response.body", "body": b"", "more_body": False}


# -- real processes ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def running(turned, tmp_path):
    """``everloop run`` of a copy of the turned house, in processes of its own: where it answers, what it said, and the house."""
    path = tmp_path / "price"
    shutil.copytree(turned, path)
    house = open_house(path / "project.py", turned=True)
    said = (path / "said").open("w+")
    command = [sys.executable, "-m", "everloop", "run", "--turned-clock", "--project", str(path), "--port", "0", "--json"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([SOURCE, os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=env)
    line = process.stdout.readline()
    assert line, (path / "said").read_text()
    yield json.loads(line), house, process, path / "said"
    house.store.close()
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    process.wait(60)
    process.stdout.close()
    said.close()


@pytest.mark.slow
def test_everloop_run_opens_the_console_once_and_starts_it_when_it_is_asked(running, request):
    told, house, process, said = running
    here, other = Client(told["url"]), Client(told["url"])
    request.addfinalizer(here.close)
    request.addfinalizer(other.close)
    before = below(process.pid)
    assert not any("everloop.console.serve" in words for words in before.values())
    assert here.get(told["console"]).headers["location"] == "/console/"
    assert "at this machine, admin" in here.get("/console/people").text
    assert other.get(told["console"]).status_code == 404
    (console,) = [pid for pid, words in below(process.pid).items() if "everloop.console.serve" in words]
    # Killed, it is there again with the next page, and the session with it.
    os.kill(console, signal.SIGKILL)
    assert "at this machine, admin" in here.get("/console/people").text
    assert "console was ended by SIGKILL; it is started again when it is next asked." in said.read_text()
    # A line that is open keeps nobody from ending.
    let_in.add(house, "Kim", "admin", by="Kim", now=END)
    cookie, secret = cookie_of(house, "Kim")
    listens, hears = threading.Event(), threading.Event()

    def listen():
        with (
            Client(told["url"], cookies={cookie: secret}) as client,
            suppress(httpx.HTTPError),
            client.stream("GET", "/console/live") as reply,
        ):
            for line in reply.iter_lines():
                listens.set() if line.startswith("event: listening") else None
                hears.set() if line.startswith("event: journal") else None

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert listens.wait(20)
    let_in.add(house, "Vera", "viewer", by="Kim", now=END)
    assert hears.wait(20)
    assert thread.is_alive()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.slow
def test_answers_do_not_wait_for_pages(running):
    """Measured in bench/console.py; here that they are given while pages are asked for without end, and where these stand still."""
    told, house, process, _ = running
    let_in.add(house, "Ada", "admin", by="Ada", now=END)
    cookie, secret = cookie_of(house, "Ada")
    over, pages = threading.Event(), []

    def ask():
        with Client(told["url"], cookies={cookie: secret}) as client:
            while not over.is_set():
                pages.append(client.get("/console/people").status_code)

    request = {"house_id": "n1", "area": 100.0, "rooms": 3, "zip": "10100", "advert": "quiet house"}
    now = (house.journal.read(newest_first=True, limit=1)[0].at + timedelta(hours=1)).isoformat()

    def answers(count):
        with httpx.Client(base_url=told["url"], headers={"everloop-now": now}) as client:
            return {client.post("/v1/models/prices/predict", json=request).status_code for _ in range(count)}

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert answers(200) == {200}
    (console,) = [pid for pid, words in below(process.pid).items() if "everloop.console.serve" in words]
    os.kill(console, signal.SIGSTOP)
    try:
        while (Path("/proc") / str(console) / "stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.01)
        before = len(pages)
        assert answers(50) == {200}
        assert len(pages) <= before + len(threads), "whoever makes pages stands still; each thread may have had one on its way"
    finally:
        os.kill(console, signal.SIGCONT)
        over.set()
        for thread in threads:
            thread.join()
    assert set(pages) == {200}


def below(pid):
    """The processes below one, by their words."""
    found = {}
    with suppress(OSError):
        for task in (Path("/proc") / str(pid) / "task").iterdir():
            for child in (task / "children").read_text().split():
                found[int(child)] = (Path("/proc") / child / "cmdline").read_text().replace("\0", " ")
                found |= below(int(child))
    return found
