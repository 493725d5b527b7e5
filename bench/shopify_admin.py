"""The Admin API of a shop in a box: are our documents what three versions of it know, is its bucket used up and never overdrawn, and does a
million lines of history come through a small process that is killed in its middle?

Sections of ``python -m bench shopify``. A shop's bucket of 2,000 points that gives 100 a second back takes eight minutes for a thousand
queries of 50; ``throttle`` asks both that one and a bucket ten times as quick.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.goal import Goal, at_least, at_most

QUERIES, COST, BUCKET = 1_000, 50, 2_000.0
PAGE = "query Page { products(first: 48) { nodes { id } } }"
ORDERS, LINES_EACH = 250_000, 3


def documents() -> Iterator[Goal]:
    """Every document against the real schemas."""
    from graphql import parse, validate
    from tests.oracles.shopify.schemas import VERSIONS, schema_file

    from everloop.connect.shopify import documents as ours
    from everloop.connect.shopify.sandbox import access, cost
    from everloop.connect.shopify.sandbox.schema import schema
    from everloop.connect.shopify.scopes import SCOPES

    wrong, closed, shown, dearest = 0, 0, 0, 0
    for version in VERSIONS:
        file = schema_file(version)
        for name in ours.names():
            document = parse(ours.text(name))
            wrong += bool(validate(schema(file), document))
            closed += bool(access.lacking(access.needed(document, file), SCOPES))
            shown += len(access.protected(document, file))
            dearest = max(dearest, cost.requested(schema(file), document, {"ids": ["gid"] * ours.IDS_AT_ONCE}))
    beside = f"{len(ours.names())} documents on {', '.join(VERSIONS)}"
    yield at_most("documents invalid on a supported version", wrong, 0, "documents", beside)
    yield at_most("documents that need a scope not asked for", closed, 0, "documents")
    yield at_most("protected fields touched", shown, 0, "fields")
    yield at_most("the dearest document", dearest, 999, "points", "an upper bound; 1,000 is what one query may cost")


def throttle() -> Iterator[Goal]:
    """A thousand queries against a bucket that is soon empty."""
    quick, refused, lost, naive = _spent(1_000.0)
    yield at_most(
        "a thousand queries, 1,000 points a second, over theory",
        quick,
        1.10,
        "times",
        f"asked as fast as it goes, refused calls: {naive:.0%}",
    )
    yield at_most("throttled calls at 1,000 points a second", refused, 0.01, "share")
    slow, refused_slow, lost_slow, _ = _spent(100.0, rival=False)
    yield at_most("a thousand queries, 100 points a second, over theory", slow, 1.10, "times")
    yield at_most("throttled calls at 100 points a second", refused_slow, 0.01, "share")
    yield at_most("calls lost while throttled", lost + lost_slow, 0, "calls")


def _spent(rate: float, *, rival: bool = True) -> tuple[float, float, int, float]:
    """How long it took over the theory, the share of calls throttled, calls lost; and that share for who asks as fast as it goes."""
    from everloop.connect.shopify.sandbox import running
    from everloop.connect.shopify.sandbox.points import Points

    with running(points=Points(BUCKET, rate)) as sandbox:
        for number in range(48):
            sandbox.shop.add_product(f"Product {number}", "1.00")
        admin, done = sandbox.admin(), 0
        began = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            for said in pool.map(lambda _: admin.said("page", PAGE, {}), range(QUERIES)):
                done += len(said["products"]["nodes"]) == 48
        took = time.monotonic() - began
        points = sandbox.door.points
        theory = (QUERIES * COST - BUCKET) / rate
        share = points.refused / points.asked
    naive = _naive(rate) if rival else 0.0
    return took / theory, share, QUERIES - done, naive


def _naive(rate: float) -> float:
    """The share of refusals for a client that waits a tenth of a second when it is refused."""
    import httpx

    from everloop.connect.shopify.sandbox import running
    from everloop.connect.shopify.sandbox.door import STATIC
    from everloop.connect.shopify.sandbox.points import Points

    with running(points=Points(BUCKET, rate)) as sandbox, httpx.Client(headers={"X-Shopify-Access-Token": STATIC}) as client:
        for number in range(48):
            sandbox.shop.add_product(f"Product {number}", "1.00")
        done = 0
        while done < QUERIES // 5:
            body = client.post(f"{sandbox.url}/admin/api/2026-10/graphql.json", json={"query": PAGE}).json()
            done += "errors" not in body
            if "errors" in body:
                time.sleep(0.1)
        return sandbox.door.points.refused / sandbox.door.points.asked


def bulk() -> Iterator[Goal]:
    """A million lines, fetched by a process of its own that is killed in the middle, and once more by one that is not."""
    from everloop.connect.shopify.sandbox import running

    with tempfile.TemporaryDirectory() as folder, running() as sandbox:
        file = Path(folder, "orders.jsonl")
        _million(file)
        sandbox.bulk.results += [file, file]
        sandbox.faults.cuts.append(40_000_000)
        killed = _importing(sandbox.url, Path(folder, "killed"))
        staged = Path(folder, "killed")
        while not (sum(f.stat().st_size for f in staged.glob("shopify-bulk-*")) > 60_000_000 or killed.poll() is not None):
            time.sleep(0.02)
        killed.kill()
        assert killed.wait() == -9, "it was done before it could be killed"
        again = json.loads(_importing(sandbox.url, staged).communicate()[0])
        began = time.monotonic()
        clean = json.loads(_importing(sandbox.url, Path(folder, "clean")).communicate()[0])
        took = time.monotonic() - began
    yield at_most(
        "memory of an import of a million lines",
        max(clean["rss_mb"], again["rss_mb"]),
        150,
        "MB",
        f"{clean['floor_mb']:.0f} MB before it began",
    )
    yield at_least("a million lines imported", (ORDERS * (1 + LINES_EACH)) / took, 10_000, "lines/s", f"{took:.0f} s with the process")
    missing = abs(again["lines"] - ORDERS * LINES_EACH) + abs(clean["lines"] - ORDERS * LINES_EACH) + (again["sum"] != clean["sum"])
    yield at_most("lines lost or doubled by a cut and a kill in an import", missing, 0, "lines")


def _million(file: Path) -> None:
    """Orders, and their lines a few thousand lines later: what is promised is only that they come after."""
    late: list[str] = []
    with file.open("w", encoding="utf-8") as out:
        for number in range(ORDERS):
            out.write(json.dumps(_order(number), separators=(",", ":")) + "\n")
            late += [json.dumps(_line(number, i), separators=(",", ":")) + "\n" for i in range(LINES_EACH)]
            if len(late) > 6_000:
                out.writelines(late)
                late = []
        out.writelines(late)


def _order(number: int) -> dict[str, object]:
    at = f"2026-{number % 9 + 1:02d}-{number % 28 + 1:02d}T12:00:00Z"
    return {
        "__typename": "Order", "id": f"gid://shopify/Order/{number + 1}", "createdAt": at, "processedAt": at, "updatedAt": at,
        "cancelledAt": None, "test": False, "currencyCode": "EUR", "taxesIncluded": True,
        "customer": {"id": f"gid://shopify/Customer/{number % 9000}"},
        "customAttributes": [],
    }  # fmt: skip


def _line(number: int, i: int) -> dict[str, object]:
    return {
        "__typename": "LineItem", "id": f"gid://shopify/LineItem/{number * LINES_EACH + i}", "quantity": 1 + i, "currentQuantity": 1 + i,
        "isGiftCard": False, "product": {"id": f"gid://shopify/Product/{number % 500}"},
        "variant": {"id": f"gid://shopify/ProductVariant/{number % 500}"}, "customAttributes": [], "discountAllocations": [],
        "originalUnitPriceSet": {"shopMoney": {"amount": "12.50"}}, "taxLines": [{"priceSet": {"shopMoney": {"amount": "2.00"}}}],
        "__parentId": f"gid://shopify/Order/{number + 1}",
    }  # fmt: skip


def _importing(url: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "bench.shopify_admin", url, str(folder)], stdout=subprocess.PIPE, env=dict(os.environ))


def _import(url: str, folder: str) -> None:
    """In a process of its own: the orders of a shop, each line added up."""
    from everloop.connect.shopify import history
    from everloop.connect.shopify.admin import Admin
    from everloop.connect.shopify.place import Place

    class Known:
        def said(self) -> str:
            return "shpat_sandbox"

        def instead_of(self, refused: str) -> str:
            return refused

    # What was handed over before a kill is kept where the second process finds it, as a house would.
    kept = Path(folder, "kept")
    kept.mkdir(parents=True, exist_ok=True)

    def keep(nodes: list[dict[str, object]]) -> dict[str, int]:
        ids = sorted(int(line["id"].rsplit("/", 1)[-1]) for node in nodes for line in node["lineItems"]["nodes"])  # type: ignore[index]
        if ids:
            Path(kept, str(ids[0])).write_text(" ".join(map(str, ids)))
        return {"order_lines": len(ids)}

    floor = _rss()
    history.brought(Admin(url, "2026-10", Known()), Place(Path(folder, "shopify.db")), "orders", keep)
    rss = _rss()
    lines = total = 0
    for file in kept.iterdir():
        ids = [int(id) for id in file.read_text().split()]
        lines, total = lines + len(ids), total + sum(ids)
    print(json.dumps({"rss_mb": rss, "floor_mb": floor, "lines": lines, "sum": total}))


def _rss() -> float:
    """The most memory this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    _import(*sys.argv[1:])
