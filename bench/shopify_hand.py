"""The merchant's hand: how long from an edit in the admin until it is in force, and is it whatever else goes on?

A house in processes of its own (two workers, a controller) answers all the while; the shop in a box is asked over HTTP, and tells by signed
webhooks what was edited, or tells nothing. An answer counts by when it was asked for: the last one the candidate gave says how long the
switch took. Beside it: the same door without ``Promptly``, which hears a flag when all that came before it is done.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn

from bench.goal import Goal, at_least, at_most
from bench.running import Running, running
from everloop import canary, days, rollout
from everloop.clock import monotonic, wall
from everloop.connect.shopify import inbox, sandbox
from everloop.connect.shopify.beside import Beside
from everloop.connect.shopify.door import Door, app
from everloop.connect.shopify.flags import TYPE
from everloop.connect.shopify.hand import BY, Hand, follow
from everloop.connect.shopify.house import Asked
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.mirror import mirror
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.prompt import Promptly, hears
from everloop.connect.shopify.sandbox.made_up import stocked
from everloop.connect.shopify.seen import SeenFlags
from everloop.loop.arrivals import ingest_files
from everloop.loop.house import House, open_house
from everloop.loop.keep import keep_record
from everloop.loop.people import answer_question, undo
from everloop.loop.serve.routes import spread
from everloop.loop.start import start_project
from everloop.loop.turn import turn
from everloop.project.model import Model
from everloop.records import Decision

POLL: Final = 5.0
EDITS: Final = 6
KILLS: Final = 20
BEHIND: Final = 5
WAITING: Final = 10_000
ROUNDS: Final = 50
PLAN: Final = [canary(0.5, every=days(30))]


@dataclass
class Shown:
    """One world: a house that answers, its shop, and the door between; ``model`` is in a canary."""

    house: House
    model: Model
    version: str
    serving: Running
    box: sandbox.Sandbox
    place: Place
    hand: Hand
    answers: list[tuple[float, str]] = field(default_factory=list)

    def begin(self) -> None:
        """The candidate is in its canary again, and every worker knows."""
        now = wall()
        with self.house.store.transaction() as t:
            traffic = replace(self.house.traffic(self.model, within=t), held=None)
            if not traffic.rolling:
                moved = rollout.begin(traffic, self.version, PLAN, now=now, id=f"bench {traffic.generation}", because="measured")
                keep_record(self.house, t, moved, model=self.model, turn=None, verb="begin")
        spread(self.house, self.model.name, self.house.traffic(self.model).generation)

    def edit(self, **fields: Any) -> float:
        """As a merchant does; the moment of it."""
        at = monotonic()
        self.box.shop.edit(TYPE, self.model.name, **fields)
        return at

    def until(self, there: Callable[[], bool], most: float = 60.0) -> float:
        """When it was so."""
        last = monotonic() + most
        while not there():
            if monotonic() > last:
                return float("inf")
            time.sleep(0.01)
        return monotonic()

    def share(self) -> float:
        return self.house.traffic(self.model).share

    def last_candidate(self, since: float) -> float:
        """How long after an instant the last request was asked that a candidate answered."""
        return max((at - since for at, arm in list(self.answers) if arm == "candidate" and at > since), default=0.0)


def hand() -> Iterator[Goal]:
    """Every goal."""
    with world() as shown:
        polled = [_edited(shown, n) for n in range(EDITS)]
        back = [_rolled_back(shown, n) for n in range(EDITS)]
        with told(shown):
            heard = [_edited(shown, n) for n in range(EDITS)]
            kills = [_killed(shown) for _ in range(KILLS)]
            behind = [_behind(shown) for _ in range(BEHIND)]
        with told(shown, promptly=False):
            rival = _behind(shown)
        lost = _raced(shown)
        words = [e.record for e in shown.house.journal.read(kind="Decision") if isinstance(e.record, Decision) and e.record.by == BY]
        named = [w for w in words if w.because and "(model_flag " in w.because[-1]]
    middle, late = sorted(kills)[len(kills) // 2], f"heard in order of arrival {rival:.1f} s"
    yield at_most("share edited, by poll alone", max(polled), POLL, "s", f"worst of {EDITS}")
    yield at_most("share edited, by webhook", max(heard), POLL, "s", f"worst of {EDITS}")
    yield at_most("kill switch to the last candidate's answer", max(kills), 1.0, "s", f"worst of {KILLS}, median {middle:.2f} s")
    yield at_most("kill switch behind ten thousand deliveries", max(behind), 1.0, "s", late)
    yield at_most("roll-back of the house in flag and mirror", max(back), POLL, "s", f"worst of {EDITS}")
    yield at_most("mirrors lost to a rival who writes between", lost, 0, "rounds", f"of {ROUNDS}")
    yield at_least("words in the journal with actor and cause", len(named) / max(len(words), 1), 1.0, "share", f"{len(words):,} words")


def _edited(shown: Shown, number: int) -> float:
    """Seconds from an edited share until it is in force; edited at another moment of the interval each time."""
    shown.begin()
    time.sleep(POLL * number / EDITS)
    percent = 10 + (number + int(shown.share() * 100)) % 40
    at = shown.edit(canary_percent=percent)
    return shown.until(lambda: abs(shown.share() - percent / 100) < 1e-9) - at


def _killed(shown: Shown) -> float:
    """Seconds from the switch to the last request that the candidate answered."""
    shown.edit(kill_switch=False)
    shown.until(lambda: shown.house.traffic(shown.model).held is None and not shown.hand.seen.of(shown.model.name).kill)
    shown.begin()
    before = len(shown.answers)
    shown.until(lambda: any(arm == "candidate" for _, arm in shown.answers[before:]))
    at = shown.edit(kill_switch=True)
    held = shown.until(lambda: bool(shown.house.traffic(shown.model).held))
    time.sleep(0.5)
    return max(shown.last_candidate(at), held - at if held == float("inf") else 0.0)


def _behind(shown: Shown) -> float:
    """The same, while so many deliveries wait to be told."""
    payloads: list[bytes] = []

    def listen(topic: str, payload: Any, at: Any) -> None:
        payloads.append(json.dumps(payload).encode())

    shown.box.shop.listeners.append(listen)
    product = shown.box.shop.all("ProductVariant")[0]
    shown.box.shop.order([sandbox.Bought(product["id"])])
    shown.box.shop.listeners.remove(listen)
    tag, now = f"{monotonic():.6f}", wall()
    domain = shown.box.shop.domain
    many = [Delivery(f"{tag}-{n}", "orders/create", domain, now, "2026-10", payloads[0]) for n in range(WAITING)]
    inbox.keep(shown.place, many, now)
    took = _killed(shown)
    with shown.place.transaction() as t:
        t.execute("delete from inbox where id like ?", (f"{tag}-%",))
    return took


def _rolled_back(shown: Shown, number: int) -> float:
    """Seconds from a roll-back until flag and mirror say so; taken back at another moment of the interval each time."""
    shown.begin()
    shown.until(lambda: _stage(shown) == ("canary", "canary"))
    time.sleep(POLL * (number + 0.5) / EDITS)
    at = monotonic()
    undo(shown.house, shown.model, by="bench", reason="as after harm", now=wall())
    return shown.until(lambda: _stage(shown) == ("steady", "steady")) - at


def _stage(shown: Shown) -> tuple[str, str]:
    flags = [m["values"] for m in shown.box.shop.all("Metaobject") if m["handle"] == shown.model.name]
    kept = [one["value"] for (_, _, key), one in list(shown.box.shop.metafields.items()) if key == "serving"]
    if not flags or not kept:
        return "", ""
    return flags[0].get("stage", ""), json.loads(kept[0])["models"][shown.model.name]["stage"]


def _raced(shown: Shown) -> int:
    """Rounds in which the mirror did not say in the end what it was to say, while somebody else wrote between reading and writing."""
    admin, lost = shown.box.admin(), 0

    @dataclass
    class Raced:
        """The shop, to which a rival writes just before the first two writes of each round."""

        left: int = 0

        def ask(self, document: str, /, **said: Any) -> Any:
            if document == "metafields_set" and self.left:
                self.left -= 1
                owner = said["metafields"][0]["ownerId"]
                shown.box.shop.keep(owner, "everloop", "serving", json.dumps({"rival": monotonic()}), "json")
            return admin.ask(document, **said)

    shop = Raced()
    for n in range(ROUNDS):
        shop.left = n % 4
        with suppress(httpx.HTTPError):
            mirror(shop, {"form": 1, "models": {}, "n": n})
        kept = [one["value"] for (_, _, key), one in shown.box.shop.metafields.items() if key == "serving"]
        lost += json.loads(kept[0]).get("n") != n
    return lost


# -- the world ---------------------------------------------------------------------------------------------------------------------------


@contextmanager
def world() -> Iterator[Shown]:
    """A house with a candidate, its shop and the hand, which looks every ``POLL`` seconds; requests go on all the while."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "price"
        start_project("price", path, end=wall())
        settings = path / "everloop.toml"
        settings.write_text(settings.read_text() + "\n[training]\nchild = false\n")
        house = open_house(path / "project.py")
        now = wall()
        ingest_files(house, None, [], now=now)
        (model,) = house.project.models.values()
        turn(house, model, now)
        answer_question(house, model, True, by="bench", reason="to measure", now=wall())
        candidate = house.traffic(model).candidate
        assert candidate is not None
        with running(path / "project.py", path / ".everloop", "--workers", "2") as serving, sandbox.running(_shop()) as box:
            place = Place(path / ".everloop" / "shopify.db")
            inbox.open_inbox(place)
            seen = Hand(SeenFlags(place), Asked(serving.url), box.admin())
            shown = Shown(house, model, candidate, serving, box, place, seen)
            following, stop = Beside("flags", lambda stop: follow(seen, POLL, stop, lambda _: None)), threading.Event()
            asking = [threading.Thread(target=_ask, args=(shown, stop), daemon=True) for _ in range(2)]
            following.start()
            for one in asking:
                one.start()
            try:
                shown.until(lambda: bool(box.shop.all("Metaobject")))
                yield shown
            finally:
                stop.set()
                following.stop()


@contextmanager
def told(shown: Shown, *, promptly: bool = True) -> Iterator[None]:
    """The door is open, and the shop tells it what is edited."""
    beside = [Beside("promptly", Promptly(shown.place, shown.hand).carry)] if promptly else []
    does, settings = {"metaobjects/*": hears(shown.hand)}, replace(shown.box.settings, house=shown.serving.url)
    door = Door(settings, shown.place, shown.hand.house, does=does, beside=beside)
    server = uvicorn.Server(uvicorn.Config(app(door), port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    shown.until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    emitter = shown.box.emit(f"http://127.0.0.1:{port}/shopify/webhooks")
    try:
        yield
    finally:
        shown.box.shop.listeners.remove(emitter)
        server.should_exit = True
        thread.join(60)


def _shop() -> sandbox.Shop:
    return stocked(sandbox.Shop(), products=10, days=1, orders_a_day=5)


def _ask(shown: Shown, stop: threading.Event) -> None:
    """Ask the house about one unit after another, fifty times a second."""
    requests = _requests(shown)
    with httpx.Client(base_url=shown.serving.url, timeout=10) as client:
        number = 0
        while not stop.wait(0.02):
            number += 1
            at = monotonic()
            with suppress(httpx.HTTPError):
                reply = client.post(f"/v1/models/{shown.model.name}/predict", json=requests[number % len(requests)])
                if reply.status_code == 200:
                    shown.answers.append((at, reply.json()["arm"]))


def _requests(shown: Shown) -> list[dict[str, Any]]:
    rows = next(iter(shown.house.tables(shown.model).values()))
    found = rows.slice(max(0, len(rows) - 300)).to_pylist()
    unit = shown.model.unit
    return [{name: f"new-{row[name]}" if name in unit else row[name] for name in shown.model.request} for row in found]
