"""A house catches up with its shop: what history brings becomes rows and is told, what was deleted meanwhile is taken out.

Beside what changed since the watermark, what deliveries named without telling it whole (the book's ``wanted``) is found by beginning early
enough. Deleted products are in no export: the shop's log of events names them, for a year.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from everloop.clock import instant, said, utc, wall
from everloop.connect.shopify import book, goods
from everloop.connect.shopify.admin import Admin
from everloop.connect.shopify.decode import Rows, rows_of_node
from everloop.connect.shopify.history import KINDS, OVERLAP, Brought, Node, brought, watermark, window
from everloop.connect.shopify.house import House
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.said import needed
from everloop.connect.shopify.shelf import Shelf, named
from everloop.connect.shopify.tell import tell

_KIND_OF: Final = {"Product": "products", "InventoryItem": "inventory", "Order": "orders"}


@dataclass(frozen=True)
class CaughtUp:
    """What a house was told: each kind ``brought``, how many products were found ``deleted``, how far back orders are shown (None: all)."""

    brought: tuple[Brought, ...]
    deleted: int
    orders_shown: timedelta | None
    fell_forward: str | None = None
    """The version the shop answered by, where it is not the one asked for."""


def catch_up(
    admin: Admin,
    place: Place,
    house: House,
    kinds: Sequence[str] = tuple(KINDS),
    *,
    whole: bool = False,
    past: House | None = None,
    now: Callable[[], datetime] = wall,
    told: Callable[[str], None] = lambda _: None,
) -> CaughtUp:
    """Tell a house what changed in its shop since the last time, or all of it (``whole``).

    ``past`` is the same house, told what comes the first time: history, known as it happened. Raises what ``brought`` and ``tell`` raise.
    """
    book.open_book(place)
    currency = str(admin.ask("shop")["shop"]["currencyCode"])
    shown = window(admin)
    if whole and shown is not None and "orders" in kinds:
        told(f"Shopify shows this app {shown.days} days of orders: read_all_orders was not granted. Older ones are not imported.")
    wanted = book.wanted(place)
    found, deleted = [], 0
    for kind in kinds:
        before = watermark(place, kind)
        keep = partial(_told, place, house if past is None or (before is not None and not whole) else past, currency, now)

        least = min((one.since for one in wanted if _KIND_OF.get(one.kind) == kind), default=None)
        found.append(brought(admin, place, kind, keep, whole=whole, since=least, told=told))
        for one in wanted:
            if _KIND_OF.get(one.kind) == kind:
                book.asked_for(place, one.kind, one.id)
        if kind == "products":
            gone = list(_deleted(admin, None if before is None else before - OVERLAP))
            tell(place, house, gone, now=now())
            deleted = len(gone)
    return CaughtUp(tuple(found), deleted, shown if "orders" in kinds else None, admin.served if admin.served != admin.version else None)


def _told(place: Place, house: House, currency: str, now: Callable[[], datetime], nodes: Sequence[Node]) -> dict[str, int]:
    rows = [row for node in nodes for row in rows_of_node(node, currency)]
    told = tell(place, house, rows, now=now())
    names = [one for node in nodes if node.get("__typename") == "Product" and (one := named(node)) is not None]
    if names:
        Shelf(place).name(names)
    return told.rows


def _deleted(admin: Admin, since: datetime | None) -> Rows:
    """The rows that take out the products deleted since then; each event is looked at, whether or not the shop used the filter."""
    search = "subject_type:PRODUCT action:destroy" + (f" created_at:>='{utc(since):%Y-%m-%dT%H:%M:%SZ}'" if since else "")
    rows: Rows = []
    after: str | None = None
    while True:
        page = admin.ask("deletions", filter=search, after=after)["events"]
        for event in page["nodes"]:
            if event.get("subjectType") == "PRODUCT" and event["action"] == "destroy":
                rows += goods.deleted_product(needed(event["subjectId"], "the product"), instant(event["createdAt"]))
        if not page["pageInfo"]["hasNextPage"]:
            return rows
        after = page["pageInfo"]["endCursor"]


def spoken(caught_up: CaughtUp) -> str:
    """What a house was told, in sentences."""
    lines = [_spoken(one) for one in caught_up.brought]
    if caught_up.deleted:
        lines.append(f"{caught_up.deleted:,} {'product was' if caught_up.deleted == 1 else 'products were'} deleted meanwhile.")
    if caught_up.orders_shown is not None:
        lines.append(
            f"Orders reach back {caught_up.orders_shown.days} days: ask Shopify for read_all_orders, install the app again, import orders."
        )
    if caught_up.fell_forward:
        lines.append(f"The shop answers by {caught_up.fell_forward}: set [shopify] api_version to one it still has.")
    return "\n".join(lines)


def _spoken(one: Brought) -> str:
    rows = ", ".join(f"{count:,} rows of {source}" for source, count in one.rows.items()) or "no row"
    since = "" if one.since is None else f" changed since {said(one.since)}"
    ignored = " The shop ignored the filter and gave everything." if one.filter_ignored else ""
    oldest = f" The oldest order is of {said(one.oldest)}." if one.oldest is not None and one.since is None else ""
    return f"{one.kind}: {one.nodes:,}{since}, {rows}; complete until {said(one.until)}.{oldest}{ignored}"


def as_data(caught_up: CaughtUp) -> dict[str, Any]:
    """The same as data: instants as ISO 8601 in UTC, days as a number."""
    told = asdict(caught_up)
    for one in told["brought"]:
        for name in ("since", "until", "oldest"):
            one[name] = one[name] and one[name].isoformat()
    return {**told, "brought": list(told["brought"]), "orders_shown": caught_up.orders_shown and caught_up.orders_shown.days}
