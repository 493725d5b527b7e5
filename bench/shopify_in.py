"""What a shop says: is none of it lost, is it thanked for at once, and does the house hold the same whatever came in which order?"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.goal import Goal, at_least, at_most
from bench.shopify_shop import SHOP, Shop, nodes, order_body, shop
from everloop import Source
from everloop.connect.shopify import book, decode, goods, inbox, inventory, order_lines, products, stockouts
from everloop.connect.shopify.drain import drain
from everloop.connect.shopify.house import Row
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.tell import tell
from everloop.lake import open_lake, read_source, receive

SECRET = "hush"
EVENTS = 50_000
ORDERS = 10_000
KILLS = 12


# -- chaos -------------------------------------------------------------------------------------------------------------------------


@dataclass
class LakeHouse:
    """A house that is only its lake: rows go in as they do over HTTP, and can be read again. ``down`` shares of requests find nobody."""

    folder: Path
    now: datetime
    sources: dict[str, Source] = field(default_factory=lambda: {s.name: s for s in (products, order_lines, inventory, stockouts)})

    def __post_init__(self) -> None:
        self.lake = open_lake(str(self.folder / "lake"), durability="process")

    def receive(self, source: str, rows: Sequence[Row]) -> Row:
        came = receive(self.lake, self.sources[source], json.loads(json.dumps(rows)), now=self.now)
        return {"kept": came.kept, "duplicates": came.duplicates, "refused": came.refused, "examples": came.examples}

    def rows(self, source: str) -> dict[str, Row]:
        """The rows in force: of each id the newest version, unless it takes the row out."""
        found: dict[str, tuple[int, Row]] = {}
        for row in read_source(self.lake, self.sources[source]).to_pylist():
            if row["id"] not in found or row["version"] > found[row["id"]][0]:
                found[row["id"]] = (row["version"], row)
        said = self.sources[source]
        own = (*said.id, *said.time, *said.columns)
        return {id: {name: row[name] for name in own} for id, (_, row) in found.items() if not row["deleted"]}

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def chaos(said: Sequence[Delivery], chance: random.Random, *, lost: float = 0.02, twice: float = 0.20) -> tuple[list[Delivery], set[str]]:
    """Deliveries as a bad day brings them: some lost for good, some twice, some of those under an id of their own, all out of order; and
    the ids that were lost."""
    gone = {one.id for one in said if chance.random() < lost}
    there = [one for one in said if one.id not in gone]
    again = [one for one in there if chance.random() < twice]
    # Shopify tries up to eight times more; somebody claims to have seen other ids on the way.
    retried = [replace(one, id=f"{one.id}-{n}") for one in chance.sample(there, k=len(there) // 50) for n in range(chance.randrange(1, 9))]
    mixed = [*there, *again, *retried]
    chance.shuffle(mixed)
    return mixed, gone


def built(folder: Path, said: Sequence[Delivery], made: Shop, *, reconciled: bool, chance: random.Random | None = None) -> LakeHouse:
    """A house that was told these deliveries in this order, in batches; reconciled: afterwards all there is was asked for once."""
    folder.mkdir(parents=True)
    place, house = Place(folder / "shopify.db"), LakeHouse(folder, made.at + timedelta(days=1))
    inbox.open_inbox(place)
    book.open_book(place)
    at = 0
    while at < len(said):
        some = chance.randrange(1, 1500) if chance else 1000
        inbox.keep(place, said[at : at + some], house.now)
        at += some
        while drain(place, house, now=house.now, currency=made.currency).taken:
            house.now += timedelta(seconds=1)
    if reconciled:
        reconcile(place, house, made)
    return house


def reconcile(place: Place, house: LakeHouse, made: Shop) -> None:
    """Ask for all there is, once, as a bulk export does; what is not there any more was deleted."""
    rows = [row for node in nodes(made) for row in decode.rows_of_node(node, made.currency)]
    for kind, there, gone in (("Product", made.products, goods.deleted_product), ("Order", made.orders, goods.deleted_order)):
        rows += [row for id in _gone(place, kind, {str(id) for id in there}) for row in gone(id, house.now)]
    tell(place, house, rows, now=house.now)


def _gone(place: Place, kind: str, there: set[str]) -> list[str]:
    """Of the orders or products that were ever told, those that are not there any more."""
    with place.transaction(write=False) as t:
        return [id for (id,) in t.execute("select id from newest where kind = ?", (kind,)) if id not in there]


def unrecoverable(made: Shop, gone: set[str]) -> set[str]:
    """The lost deliveries nobody can ask for again: levels that were not the last of their item and location. (The Admin API says what is
    left now, never what was.)"""
    last: dict[tuple[int, int], str] = {}
    levels: dict[str, tuple[int, int]] = {}
    for one in made.said:
        if one.topic == "inventory_levels/update":
            body = json.loads(one.body)
            key = (body["inventory_item_id"], body["location_id"])
            last[key] = one.id
            levels[one.id] = key
    alive = set(made.levels)
    return {id for id in gone if id in levels and (last[levels[id]] != id or levels[id] not in alive)}


def untold(made: Shop, gone: set[str]) -> tuple[set[str], set[str]]:
    """Items and lines whose product was lost each time it was told, and is deleted, so that the Admin API has forgotten whose they were."""
    items: dict[str, bool] = {}
    lines: dict[str, bool] = {}
    for one in made.said:
        body = json.loads(one.body)
        came = one.id not in gone
        for variant in body.get("variants", ()):
            id = str(variant["inventory_item_id"])
            items[id] = items.get(id, False) or came or body["id"] in made.products
        for line in body.get("line_items", ()):
            if line["product_id"] is not None:
                id = str(line["id"])
                lines[id] = lines.get(id, False) or came or _kept_product(made, body["id"], line["id"])
    return {id for id, known in items.items() if not known}, {id for id, known in lines.items() if not known}


def _kept_product(made: Shop, order: int, line: int) -> bool:
    return any(one["id"] == line and one["product"] in made.products for one in made.orders.get(order, {}).get("lines", ()))


def differing(one: dict[str, Row], other: dict[str, Row]) -> int:
    """Rows that are in one only, or not the same in both."""
    return sum(one.get(id) != other.get(id) for id in one.keys() | other.keys())


def converge(events: int = EVENTS, seed: int = 7) -> Iterator[Goal]:
    """A bad day, reconciled once, against the same deliveries in order; a row that is held must be the very same."""
    folder = Path(tempfile.mkdtemp())
    try:
        made, chance = shop(events, seed=seed), random.Random(seed)
        mixed, gone = chaos(made.said, chance)
        never, items, lines = unrecoverable(made, gone), *untold(made, gone)
        began = time.process_time()
        bad = built(folder / "bad", mixed, made, reconciled=True, chance=chance)
        seconds = time.process_time() - began
        clean = built(folder / "clean", [one for one in made.said if one.id not in never], made, reconciled=False)
        whole = built(folder / "whole", made.said, made, reconciled=False)
        beside = f"{len(made.said):,} deliveries, {len(mixed):,} came, {len(gone):,} lost, {len(mixed) / seconds:,.0f} a CPU second"

        def asked_for_again(source: str) -> tuple[int, str]:
            held = {id: row for id, row in whole.rows(source).items() if id not in lines}
            left = f"; {len(lines):,} lines left out whose product nobody can ask for again" if source == "order_lines" else ""
            return differing(bad.rows(source), held), f"of {len(held):,}{left}; {beside}"

        def never_asked_for(source: str) -> tuple[int, str]:
            held = {id: row for id, row in clean.rows(source).items() if row.get("inventory_item_id") not in items}
            lost = f"left out, since nobody can ask for them again: {len(never):,} levels, {len(items):,} items of deleted products"
            return differing(bad.rows(source), held), f"of {len(held):,}; {lost}"

        found, said = asked_for_again("order_lines")
        yield at_most("order lines that differ from a build in order", found, 0, "rows", said)
        found, said = asked_for_again("products")
        yield at_most("products that differ from a build in order", found, 0, "rows", said)
        found, said = never_asked_for("inventory")
        yield at_most("inventory that differs from a build in order", found, 0, "rows", said)
        found, said = never_asked_for("stockouts")
        yield at_most("stock-outs that differ from a build in order", found, 0, "rows", said)
        now, then = (_levels_now(house, made) for house in (bad, whole))
        yield at_most("levels now that differ from a build in order", differing(now, then), 0, "levels", f"of {len(then):,}")
        stale = _stale(made, bad, gone)
        yield at_most("rows a stale delivery took the place of", stale, 0, "rows", "a fifth of all deliveries once more, the newest first")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _levels_now(house: LakeHouse, made: Shop) -> dict[str, Row]:
    """The newest level of each item and location the shop still has."""
    found: dict[str, Row] = {}
    for row in house.rows("inventory").values():
        where = f"{row['inventory_item_id']} {row['location_id']}"
        if (int(row["inventory_item_id"]), int(row["location_id"])) in made.levels and (
            where not in found or row["updated_at"] > found[where]["updated_at"]
        ):
            found[where] = row
    return found


def _stale(made: Shop, house: LakeHouse, gone: set[str]) -> int:
    """A fifth of what came once more, the newest first, into a house that has it all: how many rows changed."""
    before = {source: house.rows(source) for source in ("order_lines", "products")}
    place = Place(house.folder / "shopify.db")
    chance = random.Random(1)
    again = [replace(one, id=f"again-{one.id}") for one in reversed(made.said) if one.id not in gone and chance.random() < 0.2]
    inbox.keep(place, again, house.now)
    while drain(place, house, now=house.now, currency=made.currency).taken:
        pass
    return sum(differing(house.rows(source), rows) for source, rows in before.items())


# -- a door of a process of its own ------------------------------------------------------------------------------------------------


def requests(count: int, made: Shop) -> list[bytes]:
    """Signed orders of 12 KB, each a delivery of its own, as they go over the wire."""
    order = order_body(made, next(iter(made.orders.values())))
    order["note"] = "x" * (12_000 - len(json.dumps(order)))
    body = json.dumps(order).encode()
    mac = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
    head = (
        f"POST /shopify/webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"X-Shopify-Topic: orders/updated\r\nX-Shopify-Hmac-Sha256: {mac}\r\nX-Shopify-Shop-Domain: {SHOP}\r\n"
        "X-Shopify-API-Version: 2026-10\r\n"
        "X-Shopify-Triggered-At: 2026-11-02T09:30:01.250Z\r\nX-Shopify-Webhook-Id: "
    )
    return [f"{head}w-{n}\r\n\r\n".encode() + body for n in range(count)]


class DoorProcess:
    """``everloop shopify serve`` in a folder of its own, whose house is down: what comes in stays in the inbox."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = int(one.getsockname()[1])
        self.folder, self.url = folder, f"http://127.0.0.1:{self.port}"
        (folder / "everloop.toml").write_text(
            f'[shopify]\nshop = "{SHOP}"\nclient_id = "5d1f"\nsecret = "{SECRET}"\nport = {self.port}\nhouse = "http://127.0.0.1:9"\n'
        )

    def start(self) -> None:
        words = [sys.executable, "-m", "everloop", "shopify", "serve", "--project", str(self.folder)]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("The door did not open.")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ids(self) -> list[str]:
        """The deliveries it has, from its database."""
        with sqlite3.connect(self.folder / ".everloop" / "shopify.db") as connection:
            return [id for (id,) in connection.execute("select id from inbox")]


@dataclass
class Training:
    """Two processes that learn for all they are worth, until they are ended."""

    several: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Training:
        learns = (
            "import numpy as np\nfrom sklearn.ensemble import HistGradientBoostingRegressor as L\nr = np.random.default_rng(0)\n"
            "x, y = r.normal(size=(100_000, 20)), r.normal(size=100_000)\nwhile True: L(max_iter=100).fit(x, y)"
        )
        self.several = [subprocess.Popen([sys.executable, "-c", learns]) for _ in range(os.cpu_count() or 2)]
        time.sleep(5)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.several:
            one.kill()
            one.wait()


def ack(count: int = ORDERS, rate: float = 100.0) -> Iterator[Goal]:
    """How soon orders are thanked for while a training takes every core, and whether all of them are there."""
    from bench.wire import opened

    folder = Path(tempfile.mkdtemp())
    door = DoorProcess(folder)
    try:
        door.start()
        asking = requests(count * 2, shop(400, seed=1, products=10))
        with Training():
            heard = opened(door.url, asking, rate=rate, seconds=count / rate, connections=32)
        middle, most = heard.quantile(0.5) * 1000, max(heard.seconds, default=0) * 1000
        beside = f"{heard.count:,} orders of 12 KB at {rate:g}/s, p50 {middle:.1f} ms, most {most:.0f} ms"
        yield at_most("ack of an order beside a training, p99", heard.quantile(0.99) * 1000, 250, "ms", beside)
        yield at_most(
            "acks beside a training that took longer than 5 s", sum(s > 5 for s in heard.seconds), 0, "acks", f"of {heard.count:,}"
        )
        failed = heard.failed + heard.broken + heard.unsent
        yield at_most("orders not thanked for beside a training", failed, 0, "orders", f"{dict(heard.statuses)}")
        missing = max(0, heard.statuses[200] - len(set(door.ids())))
        yield at_most("orders thanked for beside a training and not there", missing, 0, "orders", f"of {heard.statuses[200]:,}")
    finally:
        door.kill()
        shutil.rmtree(folder, ignore_errors=True)


def kills(rounds: int = KILLS, seed: int = 3) -> Iterator[Goal]:
    """The door is killed at random moments while four senders deliver; who is not thanked delivers again, as Shopify does."""
    from bench.wire import once

    folder, chance = Path(tempfile.mkdtemp()), random.Random(seed)
    door, thanked, over = DoorProcess(folder), set[int](), threading.Event()
    asking = requests(20_000, shop(400, seed=1, products=10))
    lock, following = threading.Lock(), iter(range(len(asking)))

    def send() -> None:
        while not over.is_set():
            with lock:
                n = next(following, None)
            while n is not None and not over.is_set():
                try:
                    if once(door.url, asking[n], patience=5)[0] == 200:
                        thanked.add(n)
                        break
                except (OSError, ValueError, IndexError):
                    time.sleep(0.01)

    senders = [threading.Thread(target=send) for _ in range(4)]
    hit = 0
    try:
        door.start()
        for one in senders:
            one.start()
        for _ in range(rounds):
            before = len(thanked)
            time.sleep(chance.uniform(0.3, 2.0))
            door.kill()
            hit += len(thanked) > before
            door.start()
        over.set()
        for one in senders:
            one.join()
        there = door.ids()
        lost = {f"w-{n}" for n in thanked} - set(there)
        yield at_least("kills of a door that was taking in", hit, rounds, "kills")
        yield at_most("acknowledged deliveries lost over kills", len(lost), 0, "deliveries", f"of {len(thanked):,} acknowledged")
        yield at_most("deliveries kept twice over kills", len(there) - len(set(there)), 0, "deliveries", f"of {len(there):,} kept")
    finally:
        over.set()
        door.kill()
        shutil.rmtree(folder, ignore_errors=True)
