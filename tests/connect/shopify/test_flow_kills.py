"""A door that is killed while a retraining runs, and opened again: still one run, by the house's own journal."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from bench.running import running
from tests.connect.shopify.fronts import flow
from tests.ring.conftest import prepared

from everloop.loop.house import open_house

__all__ = ["prepared"]
ROOT = Path(__file__).parents[3]
DOOR = """
import sys
from dataclasses import replace
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from everloop.connect.shopify.front import front
from everloop.connect.shopify.house import Asked
from everloop.connect.shopify.place import Place
from tests.connect.shopify.fronts import SHOP

folder, house, port = sys.argv[1:]
made = front(replace(SHOP, house=house), Place(Path(folder) / "shopify.db"), Asked(house), told=lambda line: print(line, flush=True))
for one in made.beside:
    one.start()
uvicorn.run(Starlette(routes=list(made.routes)), host="127.0.0.1", port=int(port), log_level="error", access_log=False)
"""


@pytest.fixture
def doors(tmp_path):
    """Open a door in a process of its own: who asks it, and the process; none is left behind."""
    script = tmp_path / "door_process.py"
    script.write_text(DOOR)
    opened = []

    def door(house):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen([sys.executable, script, tmp_path, house, str(port)], env=os.environ | {"PYTHONPATH": str(ROOT)})
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}")
        opened.append((process, client))
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                client.get("/", timeout=1)
                return client, process
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError("the door did not open")

    yield door
    for process, client in opened:
        process.kill()
        process.wait()
        client.close()


@pytest.mark.slow
def test_a_door_killed_while_a_retraining_runs_and_opened_again_has_started_one(prepared, doors, tmp_path):
    folder = tmp_path / "price"
    shutil.copytree(prepared("price"), folder)
    with running(folder / "project.py", folder / ".everloop") as up:
        for _ in range(2):
            client, process = doors(up.url)
            assert flow(client, model="prices").status_code == 202
            time.sleep(0.3)
            process.kill()
            process.wait()
        client, _ = doors(up.url)
        until = time.monotonic() + 240
        while (reply := flow(client, model="prices")).status_code == 202 and time.monotonic() < until:
            time.sleep(0.2)
        assert reply.status_code == 200, reply.text
        assert flow(client, model="prices").json() == reply.json()
        assert flow(client, model="price").status_code == 409
    said = reply.json()["return_value"]
    assert said["status"] in ("WAITS_FOR_A_PERSON", "NOT_BETTER", "NOT_PROVEN", "LET_IN")
    house = open_house(folder / "project.py")
    decisions = [entry for entry in house.journal.read(kind="Decision") if entry.record.cause == "demand"]
    assert len(decisions) == 1  # the house's own schedule goes on beside it, for other causes
    trained = [entry for entry in house.journal.read(kind="Candidate", turn=decisions[0].turn) if entry.verb == "train"]
    assert len(trained) <= 1
    house.store.close()
