"""The story of a Shopify shop, told week by week as it happens, offline: ``everloop demo --shopify``.

Orders leave the shop in a box as signed webhooks, lists are asked for through its app proxy, and the merchant says a word in its admin.
What becomes of it is the house's own doing. How much a list makes people buy is planted, so that what is measured can be held against it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import httpx
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from everloop.clock import wall
from everloop.connect.shopify import inbox
from everloop.connect.shopify.flags import TYPE
from everloop.connect.shopify.money import Account, Met, Spans, account
from everloop.connect.shopify.money_said import data, sentences
from everloop.connect.shopify.sandbox import Chaos, Emitter
from everloop.connect.shopify.sandbox.payloads import number
from everloop.connect.shopify.sources import order_lines
from everloop.demo.shop import starts
from everloop.demo.storefront.open import PROJECT, Open, opened, until
from everloop.demo.storefront.orders import Customers, Shown, customers, history, promoted
from everloop.errors import EverloopError
from everloop.lake import read_source
from everloop.loop.lift import first_met, learnt_since
from everloop.loop.spoken import spoken_record
from everloop.registry.history import names

TAKEN, OWN = 0.15, 0.03
"""How likely each product of the model's list, and each of the shop's own, is bought with an order."""
LIST = 10
CHAOS = Chaos(repeats=0.1, delays=0.1, longest=0.3)


@dataclass(frozen=True)
class Play:
    """How large the shop is, and in which weeks of the data the story begins and ends, customers change, and the merchant says stop."""

    customers: int = 400
    products: int = 600
    first: int = 27
    kill: int = 29
    change: int = 32
    last: int = 36
    span: str = "21d"
    """How long what a unit buys counts, and how long after that it may come back."""

    def title(self, week: int) -> str | None:
        """The chapter that begins with a week."""
        return {
            self.first: "First candidates, first lists",
            self.first + 1: "Webhooks: signed, repeated, late, forged",
            self.kill: "The merchant's hand",
            self.change: "Customers change",
            self.change + 3: "Weeks later",
        }.get(week)


@dataclass
class Told:
    """What was told so far: each chapter with its sentences, and the account in the end."""

    chapters: list[tuple[str, list[str]]] = field(default_factory=list)
    account: Account | None = None
    planted: float = 0.0
    seconds: float = 0.0


def tell(folder: Path, *, as_json: bool = False, play: Play = Play()) -> Told:
    """Play the weeks and tell them as they happen; what was in the folder's house before is removed, and what is there then stays.

    Raises Missing without the demo's data.
    """
    began, console, told = time.perf_counter(), Console(stderr=as_json, highlight=False), Told()
    shutil.rmtree(folder / "house", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    people = promoted(customers(play.customers, play.products), starts(play.change))
    with opened(folder.resolve(), starts(play.first), play.span) as there:
        for kind, said in _story(there, people, told, play):
            if kind == "chapter":
                told.chapters.append((said, []))
                console.print(f"\n[bold]{len(told.chapters)}. {said}[/bold]")
            else:
                told.chapters[-1][1].append(said)
                console.print("   " + said, soft_wrap=True, markup=False)
    told.seconds = time.perf_counter() - began
    console.print(f"\nTold in {told.seconds:.0f} s. Look further:", markup=False)
    for command in commands(folder):
        console.print("   " + command, markup=False, soft_wrap=True)
    if as_json:
        assert told.account is not None
        print(json.dumps({"chapters": told.chapters, "account": data(told.account), "planted": told.planted}, indent=2, default=str))
    return told


def _story(there: Open, people: Customers, told: Told, play: Play) -> Iterator[tuple[str, str]]:
    """Chapters and sentences, in order."""
    yield "chapter", "A shop that has been selling for half a year"
    before = people.between(starts(1), starts(play.first))
    people.stock(there.shop.shop, starts(play.first) - timedelta(hours=1))
    there.hands.deliver("order_lines", history(before), starts(play.first))
    yield (
        "said",
        (
            f"{play.customers} customers, {len(people.prices)} products, {sum(len(one.lines) for one in before):,} order lines "
            f"of {len(before):,} orders: 84.51's “Complete Journey”, as what the shop exported."
        ),
    )
    emitter = there.shop.emit(f"{there.address}/shopify/webhooks", CHAOS, workers=8)
    people.stock(there.shop.shop, starts(play.first) - timedelta(minutes=30))
    _quiet(there, emitter)
    yield "said", f"The door is open at {there.address}; {emitter.sent.emitted} products came in as signed webhooks."

    shown: dict[str, Shown] = {}
    journal, weeks = 0, Weeks(there, people, emitter, play)
    for week in range(play.first, play.last + 1):
        if title := play.title(week):
            yield "chapter", title
        if week == play.first + 1:
            yield "said", _forged(there)
        happened = weeks.week(week, shown)
        if happened:
            yield "said", happened
        for sentence in _decided(there, journal):
            yield "said", sentence
        journal = len(there.house.journal.read())
        if week < play.last:
            shown, sentence = weeks.asked(week)
            if week in (play.first, play.kill, play.kill + 1):
                yield "said", sentence
        if week == play.kill:
            yield from (("said", sentence) for sentence in _kill(there, weeks))
        if week == play.kill + 1:
            yield "said", _release(there)
    yield "chapter", "What it brought"
    for sentence in _measured(there, people, told):
        yield "said", sentence


@dataclass
class Weeks:
    """Lets weeks happen: orders leave the shop, the house turns, customers are shown lists."""

    there: Open
    people: Customers
    emitter: Emitter
    play: Play

    def week(self, number: int, shown: dict[str, Shown]) -> str | None:
        """The week before arrives as webhooks, then the ring turns for every model and the questions of the week are answered."""
        there, now, said = self.there, starts(number), None
        if number > self.play.first:
            sent = replace(self.emitter.sent)
            there.clock.now = now
            orders = self.people.buy(there.shop.shop, starts(number - 1), now, shown)
            _quiet(there, self.emitter)
            after = self.emitter.sent
            if number == self.play.first + 1:
                said = (
                    f"A week of {orders:,} orders left as {after.emitted - sent.emitted:,} webhooks; "
                    f"{after.repeated - sent.repeated:,} came twice and many late or out of order, "
                    f"{after.retried - sent.retried} had to be sent again."
                )
        there.clock.now = now
        for model in there.house.project.models:
            there.hands.turn(model, now)
        there.hands.score("demand", now)
        if number > self.play.first:
            same = held_alike(there)
            said = said and f"{said} {same}"
        return said

    def asked(self, number: int) -> tuple[dict[str, Shown], str]:
        """Each customer of the week asks once, through the shop's own domain; what they were shown, and a sentence about it."""
        there = self.there
        there.clock.now = starts(number) + timedelta(minutes=5)
        who = sorted({one.customer_id for one in self.people.between(starts(number), starts(number + 1))})
        replies = lists(there, who)
        shown, arms = {}, dict[str, int]()
        for customer, said in replies.items():
            arms[said["arm"] or said["source"]] = arms.get(said["arm"] or said["source"], 0) + 1
            items = tuple(str(one["product_id"]) for one in said["items"])[:LIST]
            if said["source"] == "model":
                shown[customer] = Shown(items, said["property"], TAKEN)
        shown |= self._own(number, {customer: said["property"] for customer, said in replies.items() if said["source"] == "shopify"})
        counts = ", ".join(f"{count} {arm}" for arm, count in sorted(arms.items()))
        example = next((said for said in replies.values() if said["source"] == "model"), None)
        first = (
            ""
            if example is None
            else f" One of them: {', '.join(str(one['product_id']) for one in example['items'][:4])} …, by {example['version']}."
        )
        return shown, f"{len(replies)} customers asked for a list through the app proxy: {counts}; the control sees the shop's own.{first}"

    def _own(self, number: int, kept: Mapping[str, str]) -> dict[str, Shown]:
        """What those the control keeps are shown: the shop's own list, of what is bought together with what they bought last."""
        last = {one.customer_id: one.lines[0][0] for one in self.people.between(starts(number - 8), starts(number))}
        shown = {}
        with httpx.Client(base_url=self.there.shop.url, timeout=30) as client:
            for customer, carried in kept.items():
                query = {"product_id": last.get(customer, next(iter(self.people.prices))), "intent": "complementary", "limit": str(LIST)}
                products = client.get("/recommendations/products.json", params=query).raise_for_status().json()["products"]
                shown[customer] = Shown(tuple(str(one["id"]) for one in products), carried, OWN)
        return shown


def lists(there: Open, who: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What each customer is shown; who was told to wait asks again."""
    found: dict[str, dict[str, Any]] = {}
    with httpx.Client(base_url=there.shop.url, timeout=30) as client, ThreadPoolExecutor(6) as pool:

        def one(customer: str) -> None:
            reply = client.get("/apps/everloop/recommendations", params={"logged_in_customer_id": customer})
            if reply.status_code == 200 and reply.json()["arm"]:
                found[customer] = reply.json()

        for _ in range(20):
            waiting = [each for each in who if each not in found]
            if not waiting:
                break
            list(pool.map(one, waiting))
    return found


def held_alike(there: Open) -> str:
    """That the house holds what the shop does, line by line, in a sentence. Raises EverloopError where it does not."""
    orders = there.shop.shop.all("Order")
    every = {str(number(line["id"])): (order, line) for order in orders for line in order["lineItems"]}
    wanted = {
        id: (str(number(line["product"]["id"])), line["currentQuantity"])
        for id, (order, line) in every.items()
        if line["currentQuantity"] and not order["cancelledAt"]
    }
    rows = read_source(there.house.lake, order_lines).select(["id", "version", "seq", "deleted", "product_id", "quantity"])
    rows = rows.filter(pc.is_in(rows.column("id"), value_set=pa.array(sorted(every), pa.string())))
    newest = {row["id"]: row for row in rows.sort_by([("version", "ascending"), ("seq", "ascending")]).to_pylist()}
    there_now = {id: (row["product_id"], row["quantity"]) for id, row in newest.items() if not row["deleted"]}
    if there_now != wanted:
        odd = sorted(id for id in wanted.keys() | there_now.keys() if wanted.get(id) != there_now.get(id))
        raise EverloopError(f"The house holds {len(odd):,} order lines otherwise than the shop, {odd[0]} the first of them.")
    return f"The house holds each of the {len(orders):,} orders once, line by line as the shop does."


def _quiet(there: Open, emitter: Emitter) -> None:
    """Wait until everything sent has arrived, and everything that arrived is told."""
    emitter.finish(300)
    until(lambda: not inbox.waiting(there.place, wall(), 1), "the inbox is empty")


def _forged(there: Open) -> str:
    """Somebody else says that something was bought."""
    body = b'{"id": 1, "currency": "USD", "line_items": []}'
    wrong = []
    for signature in (b"bm90IGZyb20gU2hvcGlmeQ==", "äö".encode()):
        headers = {f"X-Shopify-{name}".encode(): value.encode() for name, value in FORGED.items()} | {b"X-Shopify-Hmac-Sha256": signature}
        wrong.append(httpx.post(f"{there.address}/shopify/webhooks", content=body, headers=headers))
    return f"Two forged ones were answered {' and '.join(str(reply.status_code) for reply in wrong)}."


FORGED = {
    "Topic": "orders/create", "Shop-Domain": "complete-journey.myshopify.com", "API-Version": "2026-10",
    "Webhook-Id": "forged",
}  # fmt: skip


def _decided(there: Open, since: int) -> Iterator[str]:
    """What the house decided meanwhile; weeks in which nothing had to be done are not told."""
    name = names(there.house.journal)
    for entry in there.house.journal.read()[since:]:
        record = entry.record
        idle = entry.kind == "Decision" and record.action in ("hold", "advance", "promote")  # type: ignore[attr-defined]
        if entry.kind in ("Decision", "Verdict", "Traffic", "Approval") and not idle:
            yield f"{record.made_at:%d %b}, {record.model}: {spoken_record(record, name)}"  # type: ignore[attr-defined]


def _kill(there: Open, weeks: Weeks) -> Iterator[str]:
    """The merchant switches a model off in the admin."""
    began = time.perf_counter()
    there.shop.shop.edit(TYPE, "recommend", kill_switch="true")
    until(lambda: bool(_standing(there).get("held")), "the kill switch is heard")
    took = time.perf_counter() - began
    held = _standing(there)["held"]
    yield f"The merchant edits one metaobject in the admin: kill_switch on. {took:.1f} s later the house holds recommend: {held}."


def _release(there: Open) -> str:
    there.shop.shop.edit(TYPE, "recommend", kill_switch="false")
    until(lambda: not _standing(there).get("held"), "the kill switch is off")
    return "A week later the merchant switches it off again: roll-outs may begin anew."


def _standing(there: Open) -> dict[str, object]:
    return next(dict(one) for one in there.asked.standing() if one["model"] == "recommend")


def _measured(there: Open, people: Customers, told: Told) -> Iterator[str]:
    """The account, beside what was planted."""
    house, shop = there.house, there.house.settings.shopify
    model = house.project.model("recommend")
    traffic = house.traffic(model)
    met = Met.of(first_met(house, model, traffic), traffic.control)
    lines = read_source(house.lake, order_lines)
    assert shop is not None
    told.account = account(
        "recommend",
        lines,
        met,
        there.clock.now,
        since=learnt_since(house, traffic) or there.clock.now,
        spans=Spans(shop.within, shop.settles),
    )
    yield from sentences(told.account)
    if told.account.found is None:
        raise EverloopError("Nobody's money has settled: the weeks are too few for the spans of everloop.toml.")
    told.planted = planted(met, people, told.account)
    yield (
        f"What the story planted: whoever sees a list of the model buys each of its {LIST} products with {TAKEN:.0%} of their orders, "
        f"and of the shop's own with {OWN:.0%}, unless they would have anyhow. By that the model's customers spend {told.planted:.1%} more."
    )


def planted(met: Met, people: Customers, a: Account) -> float:
    """How much more the customers of the model spend by lists than those of the control by theirs, as a share of what they spent
    anyhow since they were counted; refunds are left aside."""

    def by_lists(kept: bool) -> float:
        """What lists make of what was spent anyhow."""
        who = {unit for unit, one in zip(met.unit.tolist(), met.kept.tolist(), strict=True) if one == kept}
        anyhow = sum(q * p for one in people.between(a.since, a.until) if one.customer_id in who for _, q, p in one.lines)
        more = sum(cents for at, unit, cents in people.added if a.since <= at < a.until and unit in who)
        return 1 + more / max(anyhow, 1)

    return by_lists(False) / by_lists(True) - 1


def commands(folder: Path) -> list[str]:
    """How to look further into the house that is left behind."""
    where = f"--project {PROJECT} --house {(folder / 'house').resolve()}"
    return [f"everloop {verb} {where}" for verb in ("shopify money recommend", "status", "history recommend", "why demand@1", "verify")]
