"""The app over a real socket, as uvicorn serves it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading

import httpx
import pytest
import uvicorn
from everloop_front import Front


@pytest.fixture
def served(tmp_path):
    front = Front(tmp_path, largest_body=100_000)
    config = uvicorn.Config(front.app, log_level="critical", proxy_headers=False, lifespan="on", http="httptools")
    listening = socket.create_server(("127.0.0.1", 0))
    server, started = uvicorn.Server(config), threading.Event()

    async def serve():
        asyncio.get_running_loop().call_soon(started.set)
        await server.serve(sockets=[listening])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait(10)
    yield front, f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listening.close()


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
