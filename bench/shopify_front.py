"""The front of a shop under load: how soon a storefront is answered at 100 requests a second, with the house up and with the house down.

The house is real (``everloop run``, the tiny project of recommendations, its Recommender let in), the door a process of its own, requests
are signed as Shopify signs them, for customers there are and for newcomers. The load is open: a request is sent when its time has come,
whether or not those before it are answered, and its time counts from then. Everything on the same cores, the load too.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import httpx
import numpy as np

from bench.goal import Goal, at_least, at_most
from bench.running import running
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.shelf import SHOP, Named, Shelf
from everloop.loop.arrivals import ingest_files
from everloop.loop.house import open_house
from everloop.loop.people import answer_question
from everloop.loop.start import start_project
from everloop.loop.turn import turn

SECRET: Final = "shpss_of_the_bench_0123456789abcdef01"
A_SECOND: Final = 100
SECONDS: Final = 30
WARM: Final = 5
END: Final = datetime(2026, 11, 1, tzinfo=UTC)
DOOR: Final = """
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from everloop.connect.shopify.front import front
from everloop.connect.shopify.house import Asked
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.proxy import PATIENCE
from everloop.settings import Shopify

file, house, port, secret = sys.argv[1:]
shop = Shopify(shop="beans.myshopify.com", client_id="5d1f", secret=secret, admin="https://x", house=house, recommends="recommend")
made = front(shop, Place(Path(file)), Asked(house), soon=Asked(house, seconds=PATIENCE), told=lambda line: None)
uvicorn.run(Starlette(routes=list(made.routes)), host="127.0.0.1", port=int(port), log_level="error", access_log=False)
"""


def front() -> Iterator[Goal]:
    """The proxy's latency with the house up, and what is shown with the house down."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        customers, items = _prepared(folder)
        file = folder / "shopify.db"
        shelf = Shelf(Place(file))
        shelf.name([Named(item, f"p-{n}", "2026-01-01") for n, item in enumerate(items)])
        shelf.lay({SHOP: items[:10]})
        with running(folder / "shop" / "project.py", folder / "shop" / ".everloop") as up, door(file, up.url) as url:
            asyncio.run(loaded(url, customers, WARM))
            took, sources = asyncio.run(loaded(url, customers, SECONDS))
        most, beside = _p95(took)
        yield at_most("storefront, house up: p95 at 100 requests a second", most, 150, "ms", beside)
        yield at_least("storefront, house up: lists of the model", 100 * sources.count("model") / len(sources), 99, "%")
        with door(file, up.url) as url:
            asyncio.run(loaded(url, customers, WARM))
            took, sources = asyncio.run(loaded(url, customers, SECONDS))
        most, beside = _p95(took)
        yield at_most("storefront, house down: p95 at 100 requests a second", most, 150, "ms", beside)
        yield at_least("storefront, house down: lists worked out beforehand", 100 * sources.count("precomputed") / len(sources), 100, "%")


def _p95(took: list[float]) -> tuple[float, str]:
    half, most, worst = np.percentile(took, [50, 95, 100])
    return float(most), f"p50 {half:.1f}, worst {worst:.1f}, {len(took):,} requests, {os.cpu_count()} cores"


def _prepared(folder: Path) -> tuple[list[str], list[str]]:
    """A house whose model lists products, with what was learnt let in; its customers and its products, numbered as Shopify does."""
    start_project("recommend", folder / "shop", end=END)
    project, data = folder / "shop" / "project.py", folder / "shop" / "data" / "orders.csv"
    project.write_text(project.read_text().replace("shadow", "canary").replace("canary(days(7))", "canary(1.0, every=days(7))"))
    # A browser's token has eight letters and more; the made-up customers are called c1.
    head, *lines = data.read_text().splitlines()
    place = head.split(",").index("customer_id")
    rows = [[*cells[:place], f"customer-{cells[place]}", *cells[place + 1 :]] for cells in (line.split(",") for line in lines)]
    data.write_text("\n".join([head, *(",".join(row) for row in rows)]) + "\n")
    house = open_house(folder / "shop" / "project.py")
    ingest_files(house, None, [], now=END)
    model = house.project.models["recommend"]
    turn(house, model, END)
    if house.approvals.waiting(model.name):
        answer_question(house, model, True, by="Kim", reason="for the bench", now=END)
    tables = house.tables(model)
    bought = next(table for table in tables.values() if model.unit[0] in table.column_names)
    item = next(name for name in bought.column_names if name == "product_id")
    found = sorted(set(bought[model.unit[0]].to_pylist())), sorted(set(bought[item].to_pylist()))
    house.store.close()
    return found


@contextmanager
def door(file: Path, house: str) -> Iterator[str]:
    """The door of a shop in a process of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", DOOR, str(file), house, str(port), SECRET])
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=1)
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def signed(who: str) -> str:
    """What a storefront asks, signed now, for who is known by a token."""
    query = {
        "shop": "beans.myshopify.com",
        "path_prefix": "/apps/everloop",
        "timestamp": str(int(time.time())),
        "logged_in_customer_id": "",
    }
    query |= {"unit": who, "most": "8"}
    text = "".join(sorted(f"{name}={value}" for name, value in query.items()))
    signature = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"/shopify/proxy/recommendations?{urlencode(query | {'signature': signature})}"


async def loaded(url: str, customers: list[str], seconds: int) -> tuple[list[float], list[str]]:
    """So many seconds of load: milliseconds of each request from when it was due, and where its list came from."""
    chance, took, sources = random.Random(7), [], []

    async def one(client: httpx.AsyncClient, due: float, who: str) -> None:
        reply = await client.get(signed(who))
        took.append(1000 * (asyncio.get_running_loop().time() - due))
        sources.append(reply.json()["source"] if reply.status_code == 200 else str(reply.status_code))

    async with httpx.AsyncClient(base_url=url, timeout=10, limits=httpx.Limits(max_connections=200)) as client:
        begun, under_way = asyncio.get_running_loop().time() + 0.1, []
        for number in range(seconds * A_SECOND):
            due = begun + number / A_SECOND
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            who = chance.choice(customers) if number % 2 else f"newcomer-{number:08d}"
            under_way.append(asyncio.create_task(one(client, due, who)))
        await asyncio.gather(*under_way)
    return took, sources
