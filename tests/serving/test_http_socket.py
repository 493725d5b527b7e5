"""The app over a real socket, as uvicorn and as granian serve it."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from everloop_front import Front

from everloop.connect import granian
from everloop.errors import Missing


@contextmanager
def by_uvicorn(folder):
    front = Front(folder, largest_body=100_000)
    config = uvicorn.Config(front.app, log_level="critical", proxy_headers=False, lifespan="on", http="httptools")
    listening = socket.create_server(("127.0.0.1", 0))
    server, started = uvicorn.Server(config), threading.Event()

    async def serve():
        asyncio.get_running_loop().call_soon(started.set)
        await server.serve(sockets=[listening])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait(10)
    yield listening, None
    server.should_exit = True
    thread.join(10)
    listening.close()


@contextmanager
def by_granian(folder, server="granian"):
    """In a process of its own, which is given the socket as a worker is by its supervisor."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        passed = listening.fileno()
        command = [
            sys.executable,
            str(Path(__file__).with_name("by_granian.py")),
            str(Path(__file__).parent),
            str(folder),
            str(passed),
            server,
        ]
        with subprocess.Popen(command, pass_fds=[passed], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout.readline() == "ready\n"
                yield listening, process
            finally:
                process.terminate()
                process.wait(10)


@pytest.fixture(params=[by_uvicorn, by_granian])
def served(request, tmp_path):
    with request.param(tmp_path) as (listening, _):
        yield None, f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("server", ["uvicorn", "granian"])
def test_who_is_told_to_end_answers_for_a_while_finishes_what_is_in_flight_and_leaves_the_socket_to_others(tmp_path, server):
    with by_granian(tmp_path, server) as (listening, process):
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with ThreadPoolExecutor(1) as asking:
            slow = asking.submit(httpx.get, f"{url}/slow")
            while not (tmp_path / "asked").exists():
                time.sleep(0.005)
            process.terminate()
            assert process.stdout.readline() == "leaving\n"
            assert httpx.get(f"{url}/health/live", timeout=10).status_code == 200, "it answers who comes while it drains"
            assert slow.result(10).status_code == 200
        assert process.stdout.read() == "left\n"
        assert process.wait(10) == 0
        with socket.create_connection(listening.getsockname(), timeout=5):
            pass  # it still listens: the next worker will answer


def test_without_granian_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "granian.server.embed", None)
    with pytest.raises(Missing, match=r"everloop\[granian\]"):
        granian.serve(None, None, ready=print, leaving=print, drain=0.0, grace=1)


def test_over_a_socket_it_is_the_same_app(served):
    _, url = served
    with httpx.Client(base_url=url) as client:
        for _ in range(3):
            assert client.post("/v1/models/churn/predict", json={"customer_id": "c1"}).json()["value"] == 0.75
        assert client.get("/health/ready").status_code == 200
        assert client.post("/v1/models/churn/predict", json={}).status_code == 422
        assert client.post("/v1/models/churn/predict", json={"customer_id": "c1"}, headers={"host": "evil.example"}).status_code == 401
        assert client.get("/metrics").text.count('everloop_requests_total{route="/v1/models/{model}/predict",status="200"} 3') == 1
        assert client.head("/health/live").status_code == 200


def test_a_body_without_an_end_is_hung_up_on(served):
    _, url = served
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as talk:
        talk.sendall(b"POST /v1/truth HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        said = b""
        try:
            for _ in range(10_000):
                talk.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
        except OSError:
            pass
        else:
            pytest.fail("it was read for ever")
        try:
            while held := talk.recv(65536):
                said += held
        except OSError:
            pass
    assert not said or b" 413 " in said


def test_two_requests_in_one_breath_are_two_answers(served):
    _, url = served
    host, port = url.removeprefix("http://").split(":")
    body = json.dumps({"customer_id": "c1"}).encode()
    one = (
        b"POST /v1/models/churn/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(body)
    )
    with socket.create_connection((host, int(port)), timeout=10) as talk:
        talk.sendall((one + body) * 2)
        said = b""
        while said.count(b'"value":0.75') < 2:
            said += talk.recv(65536)
    assert said.count(b"HTTP/1.1 200 OK") == 2
