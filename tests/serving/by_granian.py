"""The app over doors that do as they are told, served as a worker serves it in a process of its own: ``by_granian.py TESTS FOLDER SOCKET
SERVER``; told to end, it goes on answering for a while."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from front import Front

from everloop.connect import granian
from everloop.loop.serve import worker

front = Front(Path(sys.argv[2]), largest_body=100_000)


async def slowly(scope, receive, send):
    """The app; what asks for /slow is answered in half a second."""
    if scope.get("path") == "/slow":
        (Path(sys.argv[2]) / "asked").touch()
        await asyncio.sleep(0.5)
        scope = {**scope, "path": "/health/live"}
    await front.app(scope, receive, send)


signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as in a worker: uvicorn raises it again when it is done
serve = granian.serve if sys.argv[4] == "granian" else worker.by_uvicorn
with socket.socket(fileno=int(sys.argv[3])) as listener:
    serve(slowly, listener, ready=lambda: print("ready", flush=True), leaving=lambda: print("leaving", flush=True), drain=0.3, grace=5)
print("left", flush=True)
