"""The app over doors that do as they are told, served by granian in a process of its own: ``by_granian.py TESTS FOLDER SOCKET``."""

import asyncio
import socket
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from front import Front

from everloop.connect.granian import serve

front = Front(Path(sys.argv[2]), largest_body=100_000)


async def slowly(scope, receive, send):
    """The app; what asks for /slow is answered in half a second."""
    if scope.get("path") == "/slow":
        (Path(sys.argv[2]) / "asked").touch()
        await asyncio.sleep(0.5)
        scope = {**scope, "path": "/health/live"}
    await front.app(scope, receive, send)


with socket.socket(fileno=int(sys.argv[3])) as listener:
    serve(slowly, listener, ready=lambda: print("ready", flush=True), leaving=lambda: print("leaving", flush=True), grace=5)
print("left", flush=True)
