"""Real receivers on this machine: an HTTP server and an SMTP server that keep what they were told, and may misbehave."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Told:
    """One request: its path (query included), headers in small letters, and body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Web:
    """An HTTP server's mind. ``does`` says how it answers a path: a status, "hang", "close", "drip" or "elsewhere"."""

    port: int = 0
    told: list[Told] = field(default_factory=list)
    does: dict[str, object] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path="news", scheme="json", query=""):
        return f"{scheme}://127.0.0.1:{self.port}/{path}{query}"

    def of(self, path="news"):
        return [t for t in self.told if t.path.split("?")[0].strip("/") == path]

    def keys(self, path="news"):
        return [t.headers["idempotency-key"] for t in self.of(path)]

    def alerts(self, path="news"):
        return [key for t in self.of(path) for key in t.json["alerts"]]


@contextmanager
def web_server(context=None):
    mind = Web()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:  # whoever sent it died on the way
                self.close_connection = True
                return
            how = mind.does.get(self.path.split("?")[0].strip("/"), 200)
            if how == "close":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if how == "hang":
                mind.over.wait(20)
                return
            mind.told.append(Told(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if how == "drip":
                self._drip()
                return
            self.send_response(302 if how == "elsewhere" else how)
            if how == "elsewhere":
                self.send_header("Location", f"http://127.0.0.1:{mind.port}/landed")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def do_GET(self):
            mind.told.append(Told(self.path, {}, b""))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _drip(self):
            """A byte now and then: no read ever takes long, and the answer never ends."""
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not mind.over.wait(0.05):
                try:
                    self.wfile.write(b".")
                    self.wfile.flush()
                except OSError:
                    return

        def log_message(self, *words):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, address):
            pass

    server = Server(("127.0.0.1", 0), Answer)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    mind.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield mind
    finally:
        mind.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Post:
    """An SMTP server's mind. ``does``: "take", "refuse" (the recipient), "busy" (451 at the end) or "hang"."""

    port: int = 0
    mails: list = field(default_factory=list)
    does: str = "take"
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def mail_server():
    mind = Post()

    class Talk(socketserver.StreamRequestHandler):
        def say(self, line):
            self.wfile.write(line.encode() + b"\r\n")

        def handle(self):
            if mind.does == "hang":
                mind.over.wait(20)
                return
            self.say("220 here")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.say("354 go on")
                    self._data()
                elif verb == b"RCPT" and mind.does == "refuse":
                    self.say("550 nobody of that name")
                elif verb == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def _data(self):
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line[1:] if line.startswith(b"..") else line)
            if mind.does == "busy":
                self.say("451 later")
                return
            mind.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
            self.say("250 kept")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    server = Server(("127.0.0.1", 0), Talk)
    mind.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield mind
    finally:
        mind.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def soon(true, seconds=5.0):
    """Wait until something is so."""
    last = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < last, "it did not become so"
        time.sleep(0.005)
