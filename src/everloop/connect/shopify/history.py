"""What a shop was before anybody listened, and what was lost on the way since: a bulk export of each kind, from a watermark on.

The watermark of a kind is when its last complete export was *asked for*, by the shop's clock: whatever changed after that instant is found
by the next one, which begins an overlap earlier, since what was just changed may not be found yet. Everything that comes twice is the same
row, so an overlap costs nothing but time; a gap would be a loss. An export that broke off goes on where it was, and the watermark moves
only when all of it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from everloop.clock import instant, utc
from everloop.connect.shopify import bulk
from everloop.connect.shopify.admin import Admin
from everloop.connect.shopify.house import Refused
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.scopes import ORDERS_SHOWN_DAYS
from everloop.connect.shopify.staging import Staged
from everloop.errors import EverloopError
from everloop.lake.alone import alone

Node = dict[str, Any]
Keep = Callable[[Sequence[Node]], Mapping[str, int]]
"""Takes nodes and says how many rows of each source they came to; returns once they are kept. Again is harmless."""
KINDS: Final = {"products": "bulk_products", "inventory": "bulk_inventory", "orders": "bulk_orders"}
"""Products first: what was bought belongs to one."""
OVERLAP: Final = timedelta(hours=1)
TRIES: Final = 3
NEVER: Final = "updated_at:>='2999-01-01T00:00:00Z'"
_AGAIN: Final = ("FAILED", "EXPIRED", "CANCELED")
_TABLES: Final = (
    "create table if not exists watermarks (kind text primary key, until text not null)",
    "create table if not exists exports (kind text primary key, operation text not null, since text, asked_at text, ignored integer)",
)


class NotWhole(EverloopError):  # noqa: N818 - named by what happened, as those of errors.py
    """An export ended before it was done, several times. What came of it is kept; the watermark stands where it was."""


@dataclass(frozen=True)
class Brought:
    """What one export came to: nodes of a ``kind`` changed since an instant (None: all), the ``rows`` of each source they came to."""

    kind: str
    since: datetime | None
    until: datetime
    nodes: int
    rows: Mapping[str, int]
    filter_ignored: bool = False
    """The shop did not use the filter and gave everything: nothing is missed, it took longer."""
    oldest: datetime | None = None
    """The oldest order that came."""


def brought(
    admin: Admin,
    place: Place,
    kind: str,
    keep: Keep,
    *,
    whole: bool = False,
    since: datetime | None = None,
    overlap: timedelta = OVERLAP,
    patience: float = bulk.PATIENCE,
    told: Callable[[str], None] = lambda _: None,
) -> Brought:
    """Bring what changed of a kind since the last time (``whole``: all there is; ``since``: at least since then), and hand it to ``keep``.

    One process at a time does so. Where one was killed, this goes on with its export. Raises NotWhole, Unreachable, Refused and UserErrors;
    what was kept stays kept.
    """
    with _alone(place, kind, patience=5):
        for _ in range(TRIES):
            begun = _begun(admin, place, kind, whole, since, overlap, patience)
            operation = bulk.ended(admin, begun.operation, patience=patience, told=lambda said: told(f"{kind}: {said}"))
            if operation.error == "ACCESS_DENIED":
                _forget(place, kind, begun.operation)
                raise Refused(403, "ACCESS_DENIED", f"The app may not read the {kind} of this shop. Install it again with its scopes.")
            staged = Staged(_staging(place, begun.operation))
            try:
                nodes, rows, oldest = _kept(staged, operation, keep, admin, begun, lambda said: told(f"{kind}: {said}"))
            except bulk.Gone as gone:
                told(f"{kind}: {gone} It is asked for again.")
                _forget(place, kind, begun.operation)
                continue
            if operation.done:
                until = _until(place, kind, begun)
                return Brought(kind, begun.since, until, nodes, rows, begun.ignored, oldest)
            told(f"{kind}: the export ended {operation.status} ({operation.error or 'no reason given'}); {nodes} things of it are kept.")
            _forget(place, kind, begun.operation)
        raise NotWhole(
            f"{TRIES} exports of {kind} ended before they were done. What came is kept; run it again: everloop shopify reconcile"
        )


def watermark(place: Place, kind: str) -> datetime | None:
    """Until when, by the shop's clock, everything of a kind was brought; None: it never was."""
    with place.transaction() as t:
        _tables(t)
        row = t.execute("select until from watermarks where kind = ?", (kind,)).fetchone()
    return None if row is None else instant(row[0])


def given_up(place: Place) -> None:
    """What was brought and is not told yet goes: whoever is to be forgotten may be in it. It is asked for again, from the watermark on.

    Raises HouseBusy while a process is at it.
    """
    with ExitStack() as held:
        for kind in KINDS:
            held.enter_context(_alone(place, kind, patience=0))
        with place.transaction() as t:
            _tables(t)
            t.execute("delete from exports")
        for path in place.file.parent.glob(f"{_staging(place, '').stem}*"):
            path.unlink(missing_ok=True)


def window(admin: Admin) -> timedelta | None:
    """How far back this app is shown orders; None: as far as there are any (it has read_all_orders)."""
    scopes = {scope["handle"] for scope in admin.ask("shop")["currentAppInstallation"]["accessScopes"]}
    return None if "read_all_orders" in scopes else timedelta(days=ORDERS_SHOWN_DAYS)


def filter_of(since: datetime | None) -> str:
    """The search that finds what changed since an instant (aware), in the shop's own words.

    >>> filter_of(instant("2026-11-02T14:03:59Z"))
    "updated_at:>='2026-11-02T14:03:59Z'"
    """
    return "" if since is None else f"updated_at:>='{utc(since):%Y-%m-%dT%H:%M:%SZ}'"


@dataclass(frozen=True)
class _Begun:
    operation: str
    since: datetime | None
    asked_at: str
    ignored: bool


def _begun(admin: Admin, place: Place, kind: str, whole: bool, least: datetime | None, overlap: timedelta, patience: float) -> _Begun:
    """The export under way, or one begun now. One that began later than is asked for now is given up."""
    mark = watermark(place, kind)
    since = None if whole or mark is None else mark - overlap
    if since is not None and least is not None:
        since = min(since, least - overlap)
    with place.transaction() as t:
        row = t.execute("select operation, since, asked_at, ignored from exports where kind = ?", (kind,)).fetchone()
    if row is not None:
        begun = _Begun(row[0], None if row[1] is None else instant(row[1]), row[2], bool(row[3]))
        if begun.since is None or (since is not None and begun.since <= since):
            return begun
        _forget(place, kind, begun.operation)
    ignored = since is not None and _ignores_filters(admin, kind)
    operation = bulk.begin(admin, KINDS[kind], {"filter": filter_of(since)}, patience=patience)
    begun = _Begun(operation.id, since, operation.asked_at, ignored)
    with place.transaction() as t:
        said = None if since is None else since.isoformat()
        t.execute("insert or replace into exports values (?, ?, ?, ?, ?)", (kind, begun.operation, said, begun.asked_at, int(ignored)))
    return begun


def _ignores_filters(admin: Admin, kind: str) -> bool:
    """A filter the shop cannot use is ignored, without a word: what changed in a thousand years is asked for, and is to be nothing."""
    if kind == "inventory":
        return False
    counted: int = admin.ask("found", filter=NEVER)["ordersCount" if kind == "orders" else "productsCount"]["count"]
    return counted > 0


def _kept(
    staged: Staged, operation: bulk.Operation, keep: Keep, admin: Admin, begun: _Begun, told: Callable[[str], None]
) -> tuple[int, dict[str, int], datetime | None]:
    url = operation.url if operation.done else operation.partial
    if url is not None:
        count = staged.keep(bulk.lines(url, staged.position(), client=admin.client, sleep=admin.sleep))
        told("1 line came" if count == 1 else f"{count:,} lines came")
    staged.ready()
    nodes, rows, oldest = 0, dict[str, int](), None
    for some, place in staged.nodes(whole=operation.done):
        fresh = [node for node in map(_below(begun.since), some) if node is not None]
        for source, number in keep(fresh).items() if fresh else ():
            rows[source] = rows.get(source, 0) + number
        nodes += len(fresh)
        for node in fresh:
            at = node.get("processedAt")
            oldest = at if at and (oldest is None or at < oldest) else oldest
        staged.given(place)
    return nodes, rows, None if oldest is None else instant(oldest)


def _below(since: datetime | None) -> Callable[[Node], Node | None]:
    """Of an inventory item, the levels that changed: the shop cannot be asked for those alone. Everything else as it is."""

    def fresh(node: Node) -> Node | None:
        if since is None or node.get("__typename") != "InventoryItem":
            return node
        levels = [level for level in node["inventoryLevels"]["nodes"] if instant(level["updatedAt"]) >= since]
        return {**node, "inventoryLevels": {"nodes": levels}} if levels else None

    return fresh


def _until(place: Place, kind: str, begun: _Begun) -> datetime:
    """All of it is told: the watermark moves, never backwards, and the export is done with."""
    with place.transaction() as t:
        _tables(t)
        t.execute(
            "insert into watermarks values (?, ?) on conflict (kind) do update set until = max(until, excluded.until)",
            (kind, instant(begun.asked_at).isoformat()),
        )
        t.execute("delete from exports where kind = ?", (kind,))
    Staged(_staging(place, begun.operation)).forget()
    return instant(begun.asked_at)


def _forget(place: Place, kind: str, operation: str) -> None:
    with place.transaction() as t:
        t.execute("delete from exports where kind = ? and operation = ?", (kind, operation))
    Staged(_staging(place, operation)).forget()


def _alone(place: Place, kind: str, *, patience: float) -> AbstractContextManager[None]:
    return alone(place.file.with_suffix(f".{kind}.lock"), f"bringing the {kind} of the shop", patience=patience)


def _staging(place: Place, operation: str) -> Path:
    return place.file.with_name(f"{place.file.stem}-bulk-{operation.rsplit('/', 1)[-1]}.db")


def _tables(t: Any) -> None:
    for table in _TABLES:
        t.execute(table)
